//! The score of a period, with its proof.

use super::NpsQuery;
use super::comparison::{NpsComparison, compared};
use super::tally::{Surveyed, Tallies, Tally};
use super::themes::Theme;
use crate::domain::measured::{Measured, Method, Severity, Unit};
use crate::domain::period::Period;
use crate::domain::statistics::nps::{NpsCounts, SAMPLE_MIN};
use crate::domain::statistics::proportion::wilson;
use crate::domain::statistics::real;
use serde::Serialize;

/// More answers than this in a quarter are the target.
const SAMPLE_TARGET: f64 = 100.0;
/// A share of answers below this makes a score unreliable: who answers is not who was asked.
const RATE_CRITICAL: f64 = 0.05;
/// Below this it is warned of.
const RATE_WARNING: f64 = 0.10;
/// Above this it is on target.
const RATE_TARGET: f64 = 0.15;
/// Above this a score is on target.
const SCORE_TARGET: f64 = 50.0;
const SCORE: Method = Method {
    name: "net promoter score",
    formula: "100 × (promoters − detractors) ÷ answers, halves rounded up; adjusted Wald interval",
};
const RATE: Method = Method {
    name: "response rate of the surveys sent in the period",
    formula: "answered surveys ÷ sent surveys; Wilson interval",
};
/// How many of a hundred answers each class has, in whole percent; see
/// [`NpsCounts::percentages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NpsPercentages {
    /// Of promoters.
    pub promoters: i64,
    /// Of passives.
    pub passives: i64,
    /// Of detractors.
    pub detractors: i64,
}

/// The score of one calendar month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NpsMonth {
    /// The month, in UTC.
    pub month: Period,
    /// The answers.
    pub counts: NpsCounts,
    /// The score, −100 to 100; none without answers.
    pub nps: Option<i64>,
    /// Whether there are too few answers (below 30) to read anything from the score.
    pub is_insufficient: bool,
}

/// A figure beside what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NpsTarget {
    /// `nps`, `responses` or `response_rate`.
    pub name: &'static str,
    /// What it should be above.
    pub above: f64,
    /// What it is; none if that is not known.
    pub value: Option<f64>,
    /// Whether it is above; none if that is not known.
    pub is_met: Option<bool>,
}

/// The score of a period, with everything that it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NpsReport {
    /// Which answers it is made of.
    pub query: NpsQuery,
    /// The score, −100 to 100 in whole points; none without answers.
    pub nps: Measured,
    /// The score before it was rounded.
    pub unrounded: Option<f64>,
    /// How many answers there were of each class.
    pub counts: NpsCounts,
    /// The same in whole percent; none without answers.
    pub percentages: Option<NpsPercentages>,
    /// How many answers of detractors nobody has come back to.
    pub not_followed_up: u64,
    /// How many surveys were sent in the period.
    pub surveys: u64,
    /// How many of these still wait for an answer.
    pub surveys_open: u64,
    /// Which share of the surveys that were sent in the period was answered, 0–1; none if none was
    /// sent. Answers that nobody had asked for do not count.
    pub response_rate: Measured,
    /// The six calendar months up to the one that the period ends in, in UTC, the oldest first.
    pub trend: Vec<NpsMonth>,
    /// What promoters speak of.
    pub positive: Vec<Theme>,
    /// What detractors speak of.
    pub negative: Vec<Theme>,
    /// The score beside 50, the answers beside 100 a quarter, the response rate beside 15 %.
    pub targets: Vec<NpsTarget>,
    /// How it differs from the period before, of the same length; none before the calendar begins.
    pub change: Option<NpsComparison>,
}

/// The report on what was found.
pub(crate) fn report(found: Tallies, surveyed: &Surveyed) -> NpsReport {
    let Tallies { query, now, before, months, praise, blame } = found;
    let (counts, period) = (now.counts, query.period);
    let response_rate = rate(surveyed, period);
    let mut nps = estimate(&now, period);
    // A score of the few who answer is not that of all who were asked.
    nps.warnings.extend(response_rate.warnings.iter().cloned());
    let targets = targets(&nps, &response_rate, counts, period);
    let month = |(month, counts): (Period, NpsCounts)| NpsMonth {
        month,
        counts,
        nps: counts.rounded(),
        is_insufficient: counts.total() < SAMPLE_MIN,
    };
    let percentages = counts.percentages().map(|[promoters, passives, detractors]| {
        NpsPercentages { promoters, passives, detractors }
    });
    NpsReport {
        nps,
        unrounded: counts.score(),
        counts,
        percentages,
        not_followed_up: now.not_followed_up,
        surveys: surveyed.sent,
        surveys_open: surveyed.open,
        response_rate,
        trend: months.into_iter().map(month).collect(),
        positive: praise.themes(),
        negative: blame.themes(),
        targets,
        change: before.map(|(earlier, tally)| compared((earlier, &tally), (query.clone(), &now))),
        query,
    }
}

fn estimate(tally: &Tally, period: Period) -> Measured {
    let (counts, total) = (tally.counts, tally.counts.total());
    let interval = counts.adjusted().map(|it| it.interval);
    let value = counts.score().and_then(|_| counts.rounded()).map(points);
    let nps = Measured::new(value, Unit::Points, SCORE, total).over(period).within(interval);
    nps.from_records("nps responses", total, tally.latest).of_enough(total, "answers in the period")
}

fn rate(surveyed: &Surveyed, period: Period) -> Measured {
    let (answered, sent) = (surveyed.answered, surveyed.sent);
    let value = (sent > 0).then(|| real(answered) / real(sent));
    let rate = Measured::new(value, Unit::Ratio, RATE, sent)
        .over(period)
        .within(wilson(answered, sent))
        .from_records("nps surveys", sent, surveyed.latest);
    let message = format!("{answered} of {sent} surveys were answered");
    match value {
        Some(value) if value < RATE_CRITICAL => {
            rate.warned("low_response_rate", Severity::Critical, message)
        }
        Some(value) if value < RATE_WARNING => {
            rate.warned("low_response_rate", Severity::Warning, message)
        }
        _ => rate,
    }
}

fn targets(nps: &Measured, rate: &Measured, counts: NpsCounts, period: Period) -> Vec<NpsTarget> {
    const QUARTER_DAYS: f64 = 365.25 / 4.0;
    let days = period.days();
    // A quarter is of 90 to 92 days, and all of them are one.
    let quarters = if (90.0..=92.0).contains(&days) { 1.0 } else { days / QUARTER_DAYS };
    let beside = |name, above, value: Option<f64>| NpsTarget {
        name,
        above,
        value,
        is_met: value.map(|value| value > above),
    };
    vec![
        beside("nps", SCORE_TARGET, nps.value),
        beside("responses", SAMPLE_TARGET * quarters, Some(real(counts.total()))),
        beside("response_rate", RATE_TARGET, rate.value),
    ]
}

/// A whole score as a number to report.
#[expect(clippy::cast_precision_loss, reason = "−100 to 100")]
const fn points(score: i64) -> f64 {
    score as f64
}
