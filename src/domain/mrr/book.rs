//! How the books of a customer follow its subscriptions.

use super::{CustomerRevenue, MrrKind, MrrMovement, MrrMovementId, RevenuePart};
use crate::domain::money::{Currency, Money};
use crate::domain::subscription::Subscription;
use time::OffsetDateTime;

/// A step from one sum to another, of one subscription in one currency.
struct Step<'s> {
    subscription: &'s Subscription,
    amount: Money,
    effective_at: OffsetDateTime,
}

impl CustomerRevenue {
    /// What it brings in `currency`; none if it never paid in it.
    #[must_use]
    pub fn mrr_in(&self, currency: Currency) -> Option<Money> {
        self.mrr.iter().find(|it| it.currency == currency).copied()
    }

    /// Whether it pays anything now.
    #[must_use]
    pub fn is_paying(&self) -> bool {
        self.mrr.iter().any(|it| it.amount > 0)
    }

    fn blank(subscription: &Subscription, since: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self {
            id: subscription.customer_id,
            mrr: Vec::new(),
            parts: Vec::new(),
            movements: 0,
            first_paid_at: since,
            first_tier: subscription.tier_code.clone(),
            left_at: None,
            reset_at: None,
            changed_at: now,
        }
    }

    /// What follows from what the subscriptions of a customer, all of them, bring now: its new
    /// standing, and the movements that led to it. None if nothing changed, an error if a sum is out
    /// of range. `is_reset` says that a reset was the reason.
    pub(crate) fn follow(
        before: Option<Self>,
        subscriptions: &[Subscription],
        is_reset: bool,
        now: OffsetDateTime,
        mut fresh: impl FnMut() -> MrrMovementId,
    ) -> Result<Option<(Self, Vec<MrrMovement>)>, OutOfRange> {
        let steps = steps(before.as_ref(), subscriptions, now);
        let Some(first) = steps.first() else { return Ok(None) };
        let mut state =
            before.unwrap_or_else(|| Self::blank(first.subscription, first.effective_at, now));
        for step in steps.iter().filter(|it| it.amount.amount > 0) {
            if step.effective_at < state.first_paid_at {
                state.first_paid_at = step.effective_at;
                state.first_tier = step.subscription.tier_code.clone();
            }
        }
        let was_paying = state.is_paying();
        // A clock that was set back does not turn the order of the movements around.
        let at = now.max(state.changed_at);
        let mut movements = Vec::with_capacity(steps.len());
        for step in &steps {
            state.movements = state.movements.saturating_add(1);
            let (kind, mrr_before, mrr_after) = state.enter(step.amount, is_reset)?;
            movements.push(MrrMovement {
                id: fresh(),
                customer_id: state.id,
                number: state.movements,
                product_id: step.subscription.product_id.clone(),
                subscription_id: step.subscription.id,
                kind,
                amount: step.amount,
                mrr_before,
                mrr_after,
                effective_at: step.effective_at,
                at,
            });
        }
        let part = |it: &Subscription| {
            let (subscription_id, product_id) = (it.id, it.product_id.clone());
            it.recurring_revenue().map(|mrr| RevenuePart { subscription_id, product_id, mrr })
        };
        state.parts = subscriptions.iter().filter_map(part).collect();
        state.changed_at = at;
        let stopped = was_paying && !state.is_paying();
        if stopped && state.left_at.is_none() && state.reset_at.is_none() {
            let end = steps.iter().map(|it| it.effective_at).max();
            let end = end.unwrap_or(now).max(state.first_paid_at);
            let field = if is_reset { &mut state.reset_at } else { &mut state.left_at };
            *field = Some(end);
        }
        Ok(Some((state, movements)))
    }

    /// Enters a change in the book of its currency.
    fn enter(
        &mut self,
        change: Money,
        is_reset: bool,
    ) -> Result<(MrrKind, Money, Money), OutOfRange> {
        let known = self.mrr.iter_mut().find(|it| it.currency == change.currency);
        let is_known = known.is_some();
        let before = known.as_ref().map_or(Money { amount: 0, ..change }, |it| **it);
        let after = before.checked_add(change).ok_or(OutOfRange)?;
        match known {
            Some(book) => *book = after,
            None => self.mrr.push(after),
        }
        let kind = match (before.amount, after.amount) {
            (from, to) if to < from && is_reset => MrrKind::Reset,
            (_, 0) => MrrKind::Churn,
            (0, _) if is_known => MrrKind::Reactivation,
            (0, _) => MrrKind::New,
            (from, to) if to > from => MrrKind::Expansion,
            _ => MrrKind::Contraction,
        };
        Ok((kind, before, after))
    }
}

/// When a subscription brought something: from the first instant until just before the second, or
/// until now.
pub(crate) type Paid = (OffsetDateTime, Option<OffsetDateTime>);

/// When any subscription of a customer brought something, by its movements in their order.
pub(crate) fn paid_times(movements: &[MrrMovement]) -> Vec<Paid> {
    let mut done = Vec::new();
    let mut running: Vec<(&MrrMovement, i64)> = Vec::new();
    for it in movements {
        let same = |(begun, _): &(&MrrMovement, i64)| {
            begun.subscription_id == it.subscription_id
                && begun.amount.currency == it.amount.currency
        };
        let Some(place) = running.iter().position(same) else {
            running.push((it, it.amount.amount));
            continue;
        };
        if let Some((begun, sum)) = running.get_mut(place) {
            *sum = sum.saturating_add(it.amount.amount);
            if *sum <= 0 {
                done.push((begun.effective_at, Some(it.effective_at.max(begun.effective_at))));
                running.swap_remove(place);
            }
        }
    }
    done.extend(running.iter().map(|(begun, _)| (begun.effective_at, None)));
    done
}

/// A customer's revenue is beyond what can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfRange;

/// How what the subscriptions bring differs from the parts that are known: more first, so that
/// what takes the place of another is no departure.
fn steps<'s>(
    before: Option<&CustomerRevenue>,
    subscriptions: &'s [Subscription],
    now: OffsetDateTime,
) -> Vec<Step<'s>> {
    let mut steps = Vec::new();
    for subscription in subscriptions {
        let known = before.and_then(|it| {
            let mut parts = it.parts.iter();
            parts.find(|part| part.subscription_id == subscription.id).map(|part| part.mrr)
        });
        let brings = subscription.recurring_revenue();
        let less = known.map(|known| Money { amount: known.amount.saturating_neg(), ..known });
        // What goes on in the same currency is one step.
        let (less, more) = match (less, brings) {
            (Some(less), Some(more)) if less.currency == more.currency => {
                (None, less.checked_add(more))
            }
            both => both,
        };
        let effective_at = match (known, brings) {
            (None, _) => subscription.brought_since(now),
            (_, None) => subscription.brought_until(now),
            _ => now,
        };
        for amount in [more, less].into_iter().flatten().filter(|it| it.amount != 0) {
            steps.push(Step { subscription, amount, effective_at });
        }
    }
    steps.sort_by_key(|step| std::cmp::Reverse(step.amount.amount));
    steps
}
