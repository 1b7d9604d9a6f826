//! When customers are evaluated by themselves, and what is remembered of it.

use super::customer::CustomerId;
use crate::record::{id, noun};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

id! {
    /// Identifies the sweep of an org: there is one.
    EvaluationSweepId;
}

noun! {
    /// How far the regular evaluation of all customers of an org has come, in one row.
    pub struct EvaluationSweep(EvaluationSweepId), "evaluation sweep", "evaluation sweeps", "success" {
        /// Identifies it.
        id: EvaluationSweepId,
        /// The customer that was evaluated last, by id; none when all were.
        after: Option<CustomerId>,
        /// When the evaluation of all that goes on began, or the last one.
        begun_at: OffsetDateTime,
    }
}

noun! {
    /// A customer of whom something was recorded that should not wait until all are evaluated.
    pub struct EvaluationDue(CustomerId), "evaluation due", "evaluations due", "success" {
        /// The customer.
        id: CustomerId,
        /// Since when it should be evaluated.
        since: OffsetDateTime,
    }
    relationships { customer: "customer" one "who is to be evaluated" }
}

impl EvaluationSweepId {
    /// The sweep of the org.
    #[must_use]
    pub const fn only() -> Self {
        Self(Uuid::from_u128(1))
    }
}

impl EvaluationSweep {
    /// One that begins.
    pub(crate) const fn begin(now: OffsetDateTime) -> Self {
        Self { id: EvaluationSweepId::only(), after: None, begun_at: now }
    }

    /// When there is something to do of it, if all are evaluated `every` so often. One that began
    /// longer ahead than that is of a clock that was set back: it is not waited for.
    pub(crate) fn due_at(&self, every: Duration, now: OffsetDateTime) -> OffsetDateTime {
        if self.after.is_some() || self.begun_at > now.saturating_add(every) {
            return self.begun_at.min(now);
        }
        self.begun_at.saturating_add(every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_sweep_is_due_while_it_goes_on_and_once_its_time_has_come() {
        let now = datetime!(2026-01-31 12:00 UTC);
        let mut sweep = EvaluationSweep::begin(now);
        assert_eq!(sweep.due_at(Duration::DAY, now), now + Duration::DAY);
        sweep.after = Some(CustomerId::from(Uuid::nil()));
        assert_eq!(sweep.due_at(Duration::DAY, now + Duration::HOUR), now);
        sweep.after = None;
        let back = now - Duration::WEEK;
        assert_eq!(sweep.due_at(Duration::DAY, back), back, "the clock was set back");
        assert!(sweep.due_at(Duration::MAX, now) > now + Duration::weeks(1_000));
    }
}
