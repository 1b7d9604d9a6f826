//! Engagement: how much a customer's people do with the product in a period.

use super::activity::{ActiveUser, DailyActivity, FeatureCounts};
use super::customer::CustomerId;
use super::measured::{Measured, Method};
use super::period::Period;
use super::pulse::{day_of, midnight};
use super::text::Malformed;
use super::ticket::SupportTicket;
use crate::record::words;
use serde::Serialize;
use std::collections::BTreeSet;

words! {
    /// How much a product is used.
    pub enum EngagementLevel {
        /// 70 points or more.
        High = "high",
        /// 40 points or more.
        Medium = "medium",
        /// Less: at risk.
        Low = "low",
    }
}

/// What the score is made of: a part of `figure`, full at `ideal`.
const SCORE: [(Figure, f64, f64); 6] = [
    (Figure::Logins, 30.0, 0.15),
    (Figure::ActiveUsers, 5.0, 0.15),
    (Figure::FeaturesUsed, 10.0, 0.2),
    (Figure::Actions, 100.0, 0.2),
    (Figure::AutomationRate, 1.0, 0.15),
    (Figure::Satisfaction, 5.0, 0.15),
];

const HIGH: u32 = 70;
const MEDIUM: u32 = 40;

/// How the mean of a portfolio is computed.
pub(crate) const MEAN_SCORE: Method = Method {
    name: "mean engagement score",
    formula: "sum of the scores ÷ customers that have one",
};

#[derive(Debug, Clone, Copy)]
enum Figure {
    Logins,
    ActiveUsers,
    FeaturesUsed,
    Actions,
    AutomationRate,
    Satisfaction,
}

/// What a customer's people did in a period.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EngagementMetrics {
    /// Logins.
    pub logins: u64,
    /// How many people did anything.
    pub active_users: u64,
    /// Sessions for each of these; none if nobody is known.
    pub sessions_per_user: Option<f64>,
    /// How long a session took, in seconds; none without any.
    pub avg_session_duration: Option<f64>,
    /// How many features were used.
    pub features_used: u64,
    /// How often each of them was.
    pub feature_usage_frequency: FeatureCounts,
    /// What else was done, kinds of the host's own included.
    pub actions_performed: u64,
    /// Emails that were opened.
    pub emails_opened: u64,
    /// Links in emails that were followed.
    pub emails_clicked: u64,
    /// Tickets that were opened.
    pub support_tickets: u64,
    /// Meetings.
    pub meetings_held: u64,
    /// Conversations that were handled.
    pub conversations_handled: u64,
    /// The share of them that were handled without people, 0–1; none without any.
    pub automation_rate: Option<f64>,
    /// The mean rating of tickets that were opened, 1–5; none if none was rated.
    pub customer_satisfaction: Option<f64>,
}

/// How figures changed against the period before, in percent; none with nothing to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EngagementChange {
    /// Logins.
    pub logins: Option<f64>,
    /// Uses of features, actions and conversations together.
    pub usage: Option<f64>,
    /// The mean rating of tickets.
    pub satisfaction: Option<f64>,
}

/// How much a customer's people did with the product in a period.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Engagement {
    /// Whose it is.
    pub customer_id: CustomerId,
    /// What was asked for. UTC days that begin in it are counted.
    pub period: Period,
    /// What they did.
    pub metrics: EngagementMetrics,
    /// What they did on as many days before.
    pub previous: EngagementMetrics,
    /// How that changed.
    pub change: EngagementChange,
    /// 0–100; none if no activity of the customer was ever recorded.
    pub score: Option<u32>,
    /// What the score amounts to.
    pub level: Option<EngagementLevel>,
}

/// How much the customers whom one user looks after do with the product.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EngagementPortfolio {
    /// The month so far, in UTC.
    pub period: Period,
    /// Customers with high engagement.
    pub high: u64,
    /// With medium.
    pub medium: u64,
    /// With low.
    pub low: u64,
    /// Of whom no activity was ever recorded.
    pub unknown: u64,
    /// Those with low engagement, by id.
    pub at_risk: Vec<CustomerId>,
    /// The mean score of those of whom any was.
    pub average: Measured,
    /// The same on as many days before, of those who had been active before the month began.
    pub average_before: Measured,
}

impl EngagementLevel {
    /// What a score amounts to.
    #[must_use]
    pub const fn of(score: u32) -> Self {
        match score {
            HIGH.. => Self::High,
            MEDIUM.. => Self::Medium,
            _ => Self::Low,
        }
    }
}

impl EngagementMetrics {
    /// The score, 0–100: each figure's share of what is ideal, up to all of it, by its weight. A
    /// rate that is not known is left out, and the others weigh more.
    ///
    /// ```
    /// use tenure::EngagementMetrics;
    ///
    /// let mut month = EngagementMetrics::default();
    /// assert_eq!(month.score(), 0);
    /// (month.logins, month.active_users) = (15, 5);
    /// (month.features_used, month.actions_performed) = (5, 500);
    /// (month.automation_rate, month.customer_satisfaction) = (Some(0.6), Some(4.0));
    /// // 7.5 + 15 + 10 + 20 + 9 + 12, rounded half up
    /// assert_eq!(month.score(), 74);
    /// ```
    #[must_use]
    pub fn score(&self) -> u32 {
        let (mut points, mut weights) = (0.0, 0.0);
        for (figure, ideal, weight) in SCORE {
            if let Some(value) = self.figure(figure) {
                points += (value / ideal).clamp(0.0, 1.0) * weight;
                weights += weight;
            }
        }
        half_up(100.0 * points / weights)
    }

    fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Logins => Some(as_f64(self.logins)),
            Figure::ActiveUsers => Some(as_f64(self.active_users)),
            Figure::FeaturesUsed => Some(as_f64(self.features_used)),
            Figure::Actions => Some(as_f64(self.actions_performed)),
            Figure::AutomationRate => self.automation_rate.filter(|it| it.is_finite()),
            Figure::Satisfaction => self.customer_satisfaction.filter(|it| it.is_finite()),
        }
    }

    /// Uses of features, actions and conversations together.
    fn usage(&self) -> u64 {
        let features = self.feature_usage_frequency.values();
        features
            .fold(self.actions_performed.saturating_add(self.conversations_handled), |sum, it| {
                sum.saturating_add(*it)
            })
    }

    /// Adds up the days that begin in `period`, those who were active then, and the tickets that were
    /// opened.
    pub(crate) fn of(
        period: Period,
        days: &[DailyActivity],
        users: &[ActiveUser],
        tickets: &[SupportTicket],
    ) -> Self {
        let mut sum = Self::default();
        let (mut sessions, mut seconds, mut automated) = (0_u64, 0_i64, 0_u64);
        for day in days.iter().filter(|it| period.contains(it.day)) {
            let add = |to: &mut u64, more: u32| *to = to.saturating_add(more.into());
            add(&mut sum.logins, day.logins);
            add(&mut sum.actions_performed, day.actions);
            add(&mut sum.emails_opened, day.emails_opened);
            add(&mut sum.emails_clicked, day.emails_clicked);
            add(&mut sum.meetings_held, day.meetings);
            add(&mut sum.conversations_handled, day.conversations);
            add(&mut automated, day.automated);
            add(&mut sessions, day.sessions);
            seconds = seconds.saturating_add(day.session_seconds);
            for (code, count) in &day.features {
                let known = sum.feature_usage_frequency.entry(code.clone()).or_default();
                *known = known.saturating_add(*count);
            }
        }
        let active: BTreeSet<_> = users
            .iter()
            .filter(|it| it.seen().any(|day| period.contains(midnight(day))))
            .map(|it| &it.user)
            .collect();
        sum.active_users = length(active.len());
        sum.features_used = length(sum.feature_usage_frequency.len());
        sum.sessions_per_user = mean(as_f64(sessions), sum.active_users);
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let seconds = seconds as f64;
        sum.avg_session_duration = mean(seconds, sessions);
        sum.automation_rate = mean(as_f64(automated), sum.conversations_handled);
        let opened = || tickets.iter().filter(|it| period.contains(it.opened_at));
        sum.support_tickets = length(opened().count());
        let ratings = || opened().filter_map(|it| it.csat);
        let rated = ratings().fold(0_u64, |sum, it| sum.saturating_add(it.into()));
        sum.customer_satisfaction = mean(as_f64(rated), length(ratings().count()));
        sum
    }
}

impl Engagement {
    /// From what was done in `period` and in the one before; `is_known` says whether anything was
    /// ever recorded.
    pub(crate) fn new(
        customer_id: CustomerId,
        period: Period,
        (metrics, previous): (EngagementMetrics, EngagementMetrics),
        is_known: bool,
    ) -> Self {
        let of = |it: &EngagementMetrics| {
            let counts = (as_f64(it.logins), as_f64(it.usage()));
            (counts, it.customer_satisfaction)
        };
        let ((logins, usage), satisfaction) = of(&metrics);
        let ((logins_before, usage_before), satisfaction_before) = of(&previous);
        let change = EngagementChange {
            logins: change(logins, logins_before),
            usage: change(usage, usage_before),
            satisfaction: satisfaction
                .zip(satisfaction_before)
                .and_then(|(now, before)| change(now, before)),
        };
        let score = is_known.then(|| metrics.score());
        let level = score.map(EngagementLevel::of);
        Self { customer_id, period, metrics, previous, change, score, level }
    }
}

/// As many UTC days before `period` as begin in it; none if none does, or they lie before the
/// calendar.
///
/// # Errors
///
/// When no UTC day begins in it, or it goes back too far.
pub(crate) fn days_before(period: Period) -> Result<Period, Malformed> {
    let first = first_day(period.start());
    let days = first_day(period.end()).saturating_sub(first);
    if days <= 0 {
        let start = period.start().to_string();
        return Err(Malformed::new(&start, "must be the start of a period with a UTC day in it"));
    }
    Period::new(midnight(first.saturating_sub(days)), midnight(first))
}

/// The first day that begins at `at` or later.
fn first_day(at: time::OffsetDateTime) -> i32 {
    let day = day_of(at);
    if midnight(day) < at { day.saturating_add(1) } else { day }
}

/// By how much a figure changed, in percent: −50 is half. None with nothing to compare with.
pub(crate) fn change(now: f64, before: f64) -> Option<f64> {
    (before > 0.0).then(|| (now - before) / before * 100.0)
}

/// A sum by the number of things; none of nothing.
fn mean(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / as_f64(count))
}

/// The nearest whole number of points, a half up. What is a half but for the last digits of a
/// float is one.
fn half_up(points: f64) -> u32 {
    const EXACT: f64 = 1e9;
    let points = ((points * EXACT).round() / EXACT + 0.5).floor().clamp(0.0, 100.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0–100")]
    let points = points as u32;
    points
}

#[expect(clippy::cast_precision_loss, reason = "a measure")]
const fn as_f64(count: u64) -> f64 {
    count as f64
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    fn metrics(counts: [u64; 4], rates: [Option<f64>; 2]) -> EngagementMetrics {
        let [logins, active_users, features_used, actions_performed] = counts;
        let [automation_rate, customer_satisfaction] = rates;
        EngagementMetrics {
            logins,
            active_users,
            features_used,
            actions_performed,
            automation_rate,
            customer_satisfaction,
            ..EngagementMetrics::default()
        }
    }

    #[test]
    fn scores_are_as_the_formula_has_them() {
        for (counts, rates, score) in [
            ([30, 5, 10, 100], [Some(1.0), Some(5.0)], 100),
            ([u64::MAX; 4], [Some(9.0), Some(f64::MAX)], 100),
            ([0; 4], [Some(0.0), Some(1.0)], 3),
            // Ties go up: 7.5 and 0.5.
            ([15, 0, 0, 0], [Some(0.0), Some(0.0)], 8),
            ([1, 0, 0, 0], [Some(0.0), Some(0.0)], 1),
            // What is not known is not nothing.
            ([30, 5, 10, 100], [None, None], 100),
            ([30, 5, 10, 100], [None, Some(0.0)], 82),
            ([30, 5, 10, 100], [Some(f64::NAN), Some(f64::INFINITY)], 100),
        ] {
            assert_eq!(metrics(counts, rates).score(), score, "{counts:?} {rates:?}");
        }
        let levels = [100, 70, 69, 40, 39, 0].map(|score| EngagementLevel::of(score).as_str());
        assert_eq!(levels, ["high", "high", "medium", "medium", "low", "low"]);
    }

    #[test]
    fn the_days_before_are_as_many() {
        let before = |start, end| {
            let before = days_before(Period::new(start, end).unwrap()).ok()?;
            Some((before.start(), before.end()))
        };
        // February of a leap year, and the month so far.
        assert_eq!(
            before(datetime!(2024-02-01 0:00 UTC), datetime!(2024-03-01 0:00 UTC)),
            Some((datetime!(2024-01-03 0:00 UTC), datetime!(2024-02-01 0:00 UTC)))
        );
        assert_eq!(
            before(datetime!(2026-01-01 0:00 UTC), datetime!(2026-01-15 12:00 UTC)),
            Some((datetime!(2025-12-17 0:00 UTC), datetime!(2026-01-01 0:00 UTC)))
        );
        let noon = datetime!(2026-01-01 12:00 UTC);
        assert_eq!(before(noon, datetime!(2026-01-01 18:00 UTC)), None, "no day begins in it");
        let first = datetime!(0001-01-01 0:00 UTC);
        assert!(before(first, datetime!(9999-12-31 0:00 UTC)).is_none_or(|it| it.1 == first));
    }

    #[test]
    fn with_nothing_to_compare_there_is_no_change() {
        assert_eq!((change(5.0, 0.0), change(0.0, 4.0)), (None, Some(-100.0)));
        assert_eq!(change(6.0, 4.0), Some(50.0));
    }

    proptest! {
        #[test]
        fn a_score_lies_within_its_scale_and_grows_with_every_figure(
            counts in prop::array::uniform4(0_u64..200),
            more in prop::array::uniform4(0_u64..200),
            rates in prop::array::uniform2(prop::option::of(0.0_f64..5.0)),
            raise in 0.0_f64..5.0,
        ) {
            let score = metrics(counts, rates).score();
            prop_assert!(score <= 100);
            for place in 0..4 {
                let mut raised = counts;
                raised[place] = raised[place].saturating_add(more[place]);
                prop_assert!(metrics(raised, rates).score() >= score);
            }
            for place in 0..2 {
                let mut raised = rates;
                raised[place] = raised[place].map(|rate| rate + raise);
                prop_assert!(metrics(counts, raised).score() >= score);
            }
        }

        #[test]
        fn whatever_is_given_a_score_is_one(
            counts in prop::array::uniform4(any::<u64>()),
            rates in prop::array::uniform2(prop::option::of(any::<f64>())),
        ) {
            prop_assert!(metrics(counts, rates).score() <= 100);
        }
    }
}
