//! The plain model of metering: what each answer said, added up.

use super::glass::{Entry, Rows};
use super::perform::{Answer, Counted};
use std::collections::HashMap;
use tenure::{Grace, Overage, Quantity, UsageResult};
use uuid::Uuid;

/// What was counted on the meters of an org.
#[derive(Default)]
pub struct Ledger {
    /// The sum of what was counted on a meter, in millionths.
    sums: HashMap<Uuid, i128>,
    /// The first answer that each key got.
    keys: HashMap<(Uuid, &'static str), UsageResult>,
}

impl Ledger {
    pub fn take(&mut self, answer: &Answer, before: &Rows, after: &Rows) {
        for Counted { key, result } in &answer.counted {
            let meter = result.meter_id.uuid();
            let slot = key.map(|key| (meter, key));
            let first = slot.and_then(|slot| self.keys.get(&slot));
            if let Some(first) = first {
                let mut again = first.clone();
                again.duplicate = true;
                assert_eq!(again, *result, "a key that was used answers as it did first");
                continue;
            }
            assert!(!result.duplicate, "a key that was not used is no duplicate: {result:?}");
            let (from, to) = (result.previous_usage, result.current_usage);
            assert_eq!(from.checked_add(result.delta), Some(to));
            *self.sums.entry(meter).or_default() += i128::from(result.delta.millionths());
            self.keys.extend(slot.map(|slot| (slot, result.clone())));
        }
        for meter in after.of("meter") {
            // The row of a window that was ahead of the clock stays while it runs: the meter counts.
            let start = meter.number("window_start");
            let other = |it: &Entry<'_>| {
                it.uuid("meter_id") == meter.id() && it.number("window_start") != start
            };
            let closed = after.of("usage_window").filter(other);
            let kept = closed.chain([meter]).map(|it| i128::from(it.amount("used"))).sum::<i128>();
            let counted = self.sums.get(&meter.id()).copied().unwrap_or_default();
            assert_eq!(
                kept,
                counted,
                "meter of {} is its answers' sum",
                meter.text("feature_code")
            );
        }
        for event in after.of("usage_event") {
            if before.find("usage_event", event.id()).is_none() {
                check_ceiling(event, before, after);
            } else {
                let was = before.find("usage_event", event.id()).map(|it| it.amount("quantity"));
                assert_eq!(was, Some(event.amount("quantity")), "the ledger is never changed");
            }
        }
        for event in before.ids("usage_event") {
            assert!(after.find("usage_event", event).is_some(), "the ledger loses nothing");
        }
    }
}

/// What was counted as used did not go beyond what limit and overage allowed.
fn check_ceiling(event: Entry<'_>, before: &Rows, after: &Rows) {
    let reached = event.amount("previous_value") + event.amount("quantity");
    assert!(reached >= 0 || event.text("event_type") == "increment", "usage below zero");
    let Some(limit) =
        event.number("quantity_limit").filter(|_| event.text("event_type") == "increment")
    else {
        return;
    };
    // In a transaction that also changes the feature, either of its forms may have been in force.
    let fits = [before, after].into_iter().any(|rows| {
        let is_it = |it: &Entry<'_>| it.text("code") == event.text("feature_code");
        let feature = rows.of("feature").find(is_it).unwrap();
        let overage: Overage = serde_json::from_str(feature.text("overage")).unwrap();
        let over = |beyond: i128| i128::from(reached) <= i128::from(limit) + beyond;
        match overage {
            Overage::Allow => true,
            Overage::Reject | Overage::Clamp => over(0),
            Overage::Grace(Grace::Quantity(beyond)) => over(beyond.millionths().into()),
            Overage::Grace(Grace::Percent(percent)) => {
                over(i128::from(limit) * i128::from(percent) / 100)
            }
        }
    });
    assert!(fits, "{} is beyond {}", Quantity::from_millionths(reached), limit);
}
