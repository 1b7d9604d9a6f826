//! How a portfolio of customers is doing: at which instants it is looked at, what each customer's
//! score was at them, and what they come to together.

use super::measured::{Measured, Method, Severity, Unit};
use super::revenue::Target;
use crate::error::{Faults, Result};
use time::{Duration, OffsetDateTime};

/// The longest time that a report looks back, in days: ten years.
const DAYS_MAX: i64 = 3_653;
/// The most that a report lists of a kind.
const LISTED_MAX: usize = 1_000;

/// Which report on the health of all customers is wanted.
///
/// ```
/// use tenure::PortfolioQuery;
/// use time::macros::datetime;
///
/// let query = PortfolioQuery::since(datetime!(2026-01-01 0:00 UTC)).listed(20);
/// assert_eq!((query.listed, query.target), (20, 65.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[must_use = "it is answered by `View::portfolio_report`"]
#[non_exhaustive]
pub struct PortfolioQuery {
    /// From when on the health is followed, and who fell is told: at most ten years ago.
    pub since: OffsetDateTime,
    /// How many customers each list names at the most, 1–1,000: 10.
    pub listed: usize,
    /// What the average score should be more than, 0–100: 65.
    pub target: f64,
}

impl PortfolioQuery {
    /// The health of all customers, followed since then.
    pub const fn since(since: OffsetDateTime) -> Self {
        Self { since, listed: 10, target: 65.0 }
    }

    /// With so many customers in each list at the most.
    pub const fn listed(mut self, listed: usize) -> Self {
        self.listed = listed;
        self
    }

    /// With an average score that should be more than this.
    pub const fn target(mut self, target: f64) -> Self {
        self.target = target;
        self
    }

    pub(crate) fn check(&self, now: OffsetDateTime) -> Result<()> {
        let mut faults = Faults::default();
        let earliest = now.saturating_sub(Duration::days(DAYS_MAX));
        if !(earliest..=now).contains(&self.since) {
            let rule = "must lie in the last ten years";
            faults.add("since", &self.since.to_string(), rule);
        }
        if !(1..=LISTED_MAX).contains(&self.listed) {
            faults.add("listed", &self.listed.to_string(), "must be 1–1,000");
        }
        if !(0.0..=100.0).contains(&self.target) {
            faults.add("target", &self.target.to_string(), "must be 0–100");
        }
        faults.check()
    }
}

/// A score that was given, and the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rescored {
    pub(crate) at: OffsetDateTime,
    pub(crate) before: Option<u32>,
    pub(crate) score: Option<u32>,
}

/// The instants at which a portfolio is looked at: the first, the beginning of each month (UTC)
/// after it, and now.
pub(crate) fn moments(since: OffsetDateTime, now: OffsetDateTime) -> Vec<OffsetDateTime> {
    let mut moments = vec![since];
    let mut day = since.date();
    loop {
        let (year, month) = match day.month() {
            time::Month::December => (day.year().saturating_add(1), time::Month::January),
            month => (day.year(), month.next()),
        };
        let Ok(first) = time::Date::from_calendar_date(year, month, 1) else { break };
        if first.midnight().assume_utc() >= now {
            break;
        }
        moments.push(first.midnight().assume_utc());
        day = first;
    }
    if now > since {
        moments.push(now);
    }
    moments
}

/// The score of a customer at each of `moments`, of whom `score` is the last, and `changes`, oldest
/// first, are those since the first of the moments. Who has left has none from then on.
pub(crate) fn scores(
    moments: &[OffsetDateTime],
    changes: &[Rescored],
    score: Option<u32>,
    left_at: Option<OffsetDateTime>,
) -> Vec<Option<u32>> {
    let start = changes.first().map_or(score, |first| first.before);
    let at = |moment: &OffsetDateTime| {
        if left_at.is_some_and(|left| left <= *moment) {
            return None;
        }
        let last = changes.iter().take_while(|it| it.at <= *moment).last();
        last.map_or(start, |it| it.score)
    };
    moments.iter().map(at).collect()
}

/// Scores, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Scores {
    sum: u64,
    pub(crate) count: u64,
}

impl Scores {
    pub(crate) fn add(&mut self, score: u32) {
        self.sum = self.sum.saturating_add(score.into());
        self.count = self.count.saturating_add(1);
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2⁵³ points")]
    pub(crate) fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The mean with its proof, where so many customers have no score.
    pub(crate) fn measured(self, without: u64) -> Measured {
        const METHOD: Method = Method {
            name: "portfolio health",
            formula: "Σ score ÷ customers with a score, 0–100, over customers that have not left",
        };
        let average = Measured::new(self.mean(), Unit::Points, METHOD, self.count);
        if without == 0 {
            return average;
        }
        let severity = if without > self.count { Severity::Critical } else { Severity::Warning };
        let all = without.saturating_add(self.count);
        let message = format!("{without} of {all} customers have no score");
        average.warned("without_score", severity, message)
    }
}

/// The average beside what it should come to.
pub(crate) fn target(average: &Measured, above: f64) -> Target {
    let is_met = average.value.map(|value| value > above);
    Target { figure: "portfolio_health", above, is_met }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const MARCH: OffsetDateTime = datetime!(2026-03-15 12:00 UTC);

    #[test]
    fn a_portfolio_is_looked_at_when_it_begins_each_month_and_now() {
        let since = datetime!(2025-11-30 12:00 UTC);
        let firsts = [
            datetime!(2025-12-01 0:00 UTC),
            datetime!(2026-01-01 0:00 UTC),
            datetime!(2026-02-01 0:00 UTC),
            datetime!(2026-03-01 0:00 UTC),
        ];
        let all = moments(since, MARCH);
        assert_eq!((all.first(), all.last()), (Some(&since), Some(&MARCH)));
        assert_eq!(all[1..all.len() - 1], firsts);
        assert_eq!(moments(MARCH, MARCH), [MARCH]);
        let first = datetime!(2026-03-01 0:00 UTC);
        assert_eq!(moments(first, MARCH), [first, MARCH], "a month's beginning is no other moment");
        let end = time::PrimitiveDateTime::MAX.assume_utc();
        assert_eq!(moments(end - Duration::DAY, end).len(), 2, "no month follows the last");
    }

    #[test]
    fn a_score_holds_until_the_next_and_none_is_counted_of_who_has_left() {
        let at = |days| MARCH + Duration::days(days);
        let change = |days, before, score| Rescored { at: at(days), before, score };
        let moments = [at(0), at(10), at(20), at(30)];
        assert_eq!(scores(&moments, &[], Some(7), None), [Some(7); 4]);
        let changes = [change(10, Some(80), Some(70)), change(15, Some(70), None)];
        let seen = scores(&moments, &changes, None, None);
        assert_eq!(seen, [Some(80), Some(70), None, None]);
        let first = [change(5, None, Some(50))];
        let seen = scores(&moments, &first, Some(50), Some(at(20)));
        assert_eq!(seen, [None, Some(50), None, None]);
    }

    #[test]
    fn an_average_is_told_with_how_many_it_is_of() {
        let mut scores = Scores::default();
        assert_eq!(scores.measured(0).value, None);
        assert_eq!(target(&scores.measured(0), 65.0).is_met, None);
        for score in [60, 70, 65] {
            scores.add(score);
        }
        let average = scores.measured(1);
        assert_eq!((average.value, average.sample_size), (Some(65.0), 3));
        assert_eq!(average.warnings[0].message, "1 of 4 customers have no score");
        assert_eq!(target(&average, 65.0).is_met, Some(false), "more than, not as much as");
        assert!(average.is_reliable() && !scores.measured(4).is_reliable());
    }

    #[test]
    fn a_query_that_makes_no_sense_is_refused_with_every_fault() {
        let query = PortfolioQuery::since(MARCH + Duration::SECOND).listed(0).target(f64::NAN);
        let error = query.check(MARCH).unwrap_err();
        let fields: Vec<_> = error.faults().iter().map(|it| it.field.as_str()).collect();
        assert_eq!(fields, ["since", "listed", "target"]);
        assert!(PortfolioQuery::since(MARCH - Duration::days(4_000)).check(MARCH).is_err());
        let least = time::PrimitiveDateTime::MIN.assume_utc();
        assert!(PortfolioQuery::since(least).check(MARCH).is_err());
        assert!(PortfolioQuery::since(MARCH).check(MARCH).is_ok());
    }
}
