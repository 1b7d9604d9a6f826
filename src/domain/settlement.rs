//! How a meter is settled.
//!
//! Consumption is counted on the meter at once and taken from the entitlements only when the meter
//! is *settled*: before anything changes what they give, be it a change or the passing of time. In
//! between their order and what they have left are fixed, so that it makes no difference when it is
//! done, and a track touches one counter however many entitlements there are. A settlement looks
//! only at the entitlements that consumption was taken from and at those that are due.

mod giving;

use super::access::DenialReason;
use super::balance::Balance;
use super::entitlement::{Entitlement, EntitlementId};
use super::feature::{Feature, Measure, Overage};
use super::meter::{Closed, Meter};
use super::quantity::Quantity;
use super::tally::whole;
pub(crate) use giving::Burned;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// An entitlement that takes part in a settlement.
#[derive(Debug, Clone)]
struct Party {
    /// As it is stored.
    stored: Option<Entitlement>,
    /// As the balance has it.
    weighed: Option<Entitlement>,
    /// As it is by now; none once it is taken away.
    is: Option<Entitlement>,
}

/// What becomes of usage beyond the limit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Carry {
    /// Whether it is taken from what is granted later.
    pub(crate) onto_grants: bool,
    /// Whether it counts again in the next window.
    pub(crate) into_next_window: bool,
    /// Whether there is no consumption at all: what exists is held against the sum of the limits,
    /// whatever was there of them before.
    pub(crate) is_level: bool,
}

impl Carry {
    /// What a feature says. A limit that rejects is one for all grants together: what was set or
    /// corrected beyond it is not free.
    pub(crate) const fn of(feature: &Feature) -> Self {
        let is_hard = matches!(feature.overage, Overage::Reject | Overage::Clamp);
        let into_next_window = feature.carries_overage;
        let is_level = matches!(feature.measure, Measure::Level);
        Self { onto_grants: is_hard || into_next_window, into_next_window, is_level }
    }
}

/// A meter that is being settled, with the entitlements that matter to it.
#[derive(Debug, Clone)]
pub(crate) struct Settlement {
    pub(crate) meter: Meter,
    pub(crate) balance: Balance,
    /// The instant to which it is moved on: never before the last.
    pub(crate) now: OffsetDateTime,
    /// The instant at which it is settled, by which holds expire.
    pub(crate) clock: OffsetDateTime,
    pub(crate) burned: Vec<Burned>,
    pub(crate) closed: Option<Closed>,
    /// Whether the meter is made with it.
    pub(crate) is_new: bool,
    pub(crate) overage: Carry,
    base: EntitlementId,
    parties: BTreeMap<EntitlementId, Party>,
}

impl Settlement {
    pub(crate) fn new(meter: Meter, balance: Balance, now: OffsetDateTime, overage: Carry) -> Self {
        let base = EntitlementId::base(meter.customer_id, &meter.feature_code);
        let (burned, closed, parties) = (Vec::new(), None, BTreeMap::new());
        // A clock that was set back brings nothing back.
        let clock = now;
        let now = balance.settled_at.map_or(now, |last| last.max(now));
        Self { meter, balance, now, clock, burned, closed, is_new: false, base, overage, parties }
    }

    pub(crate) const fn base(&self) -> EntitlementId {
        self.base
    }

    /// Whether an entitlement takes part already.
    pub(crate) fn knows(&self, id: EntitlementId) -> bool {
        self.parties.contains_key(&id)
    }

    /// An entitlement, as it is by now.
    pub(crate) fn get(&self, id: EntitlementId) -> Option<&Entitlement> {
        self.parties.get(&id)?.is.as_ref()
    }

    /// Lets a stored entitlement take part.
    pub(crate) fn join(&mut self, it: Entitlement) {
        let id = it.id;
        let party = || {
            let stored = Some(it);
            Party { weighed: stored.clone(), is: stored.clone(), stored }
        };
        self.parties.entry(id).or_insert_with(party);
    }

    /// Those that take part, as they are by now.
    fn present(&self) -> impl Iterator<Item = &Entitlement> {
        self.parties.values().filter_map(|party| party.is.as_ref())
    }

    /// Replaces what an entitlement is, keeping what was used of it, or takes it away.
    pub(crate) fn edit(&mut self, id: EntitlementId, new: Option<Entitlement>) {
        let before = self.parties.remove(&id);
        let (stored, weighed, was) = match before {
            Some(party) => (party.stored, party.weighed, party.is),
            None => (None, None, None),
        };
        let is = new.map(|mut new| {
            match &was {
                Some(was) => new.inherit(was),
                None if id == self.base && self.balance.left_behind.is_positive() => {
                    // It comes back in the window in which it was taken away.
                    let used = std::mem::take(&mut self.balance.left_behind);
                    new.move_on(self.now, self.overage.into_next_window);
                    if self.balance.left_until.take().is_none_or(|until| self.now < until) {
                        new.consume(used, self.now);
                    }
                }
                None => {}
            }
            new
        });
        if let (None, Some(was)) = (&is, was.filter(|_| id == self.base)) {
            (self.balance.left_behind, self.balance.left_until) = (was.used_amount, was.reset_at);
        }
        self.parties.insert(id, Party { stored, weighed, is });
    }

    /// Moves those that take part on to `now`, and the balance with them.
    pub(crate) fn move_on(&mut self) {
        self.balance.settled_at = Some(self.now);
        for party in self.parties.values_mut() {
            if let Some(is) = &mut party.is {
                is.move_on(self.now, self.overage.into_next_window);
            }
            if let Some(was) = &party.weighed {
                self.balance.weigh(was, self.base, -1);
            }
            if let Some(is) = &party.is {
                self.balance.weigh(is, self.base, 1);
            }
            party.weighed.clone_from(&party.is);
        }
    }

    /// The entitlement that leads among those that take part: the base if it is usable, else the
    /// first in their order.
    pub(crate) fn first(&self) -> Option<EntitlementId> {
        let usable = |id: &EntitlementId| self.get(*id).is_some_and(|it| it.in_use);
        let in_order = || self.present().filter(|it| it.in_use).min_by_key(|it| (&it.turn, it.id));
        Some(self.base).filter(usable).or_else(|| in_order().map(|it| it.id))
    }

    /// Moves the meter on to the window at `now` under the entitlement that leads. Returns the
    /// window that ended, if one did.
    ///
    /// A running window keeps its start and its usage, whatever its end becomes: a change of tier
    /// or of the reset period never gives back or takes away what was used.
    pub(crate) fn lead(&mut self, leading: Option<EntitlementId>) {
        let ended = self.meter.window_end.filter(|end| *end <= self.now);
        self.change_leader(leading);
        if let Some(end) = ended {
            let (start, used) = (self.meter.window_start, self.meter.used);
            // Late usage finds what none of them took along.
            let carried = self.present().filter_map(|it| it.tallies.first());
            let carried_on = carried.fold(Quantity::ZERO, |sum, it| whole(sum, it.carried));
            self.closed = Some(Closed { start, end, used, carried_on });
            self.meter.used = Quantity::ZERO;
            let start = leading.and_then(|id| self.get(id)?.last_reset_at);
            self.meter.window_start = start.map_or(end, |start| start.max(end));
            self.meter.window_end = None;
            self.balance.settled = Quantity::ZERO;
            self.balance.topped = Quantity::ZERO;
            self.balance.unclaimed = Quantity::ZERO;
            self.balance.left_behind = Quantity::ZERO;
        }
        // Without a usable entitlement the window that was running runs on.
        if let Some(leading) = leading.and_then(|id| self.get(id)) {
            let (start, end) = (leading.last_reset_at, leading.reset_at);
            if std::mem::take(&mut self.is_new) {
                self.meter.window_start = start.unwrap_or(self.now);
            }
            self.meter.window_end = end;
        }
    }

    fn change_leader(&mut self, leading: Option<EntitlementId>) {
        let former = std::mem::replace(&mut self.balance.leading, leading);
        if former == leading {
            return;
        }
        let used = |id: Option<EntitlementId>| {
            id.and_then(|id| self.parties.get(&id)?.is.as_ref())
                .map_or(Quantity::ZERO, |it| it.used_amount)
        };
        let left = match former {
            None => Quantity::ZERO,
            Some(id) if self.get(id).is_some() => used(former),
            Some(_) => self.balance.left_behind,
        };
        self.balance.topped = whole(self.balance.topped, left).beyond(used(leading));
    }

    /// Writes on the meter what follows for checks: limits, how high usage may go, until when.
    /// `barred` is what keeps the customer from using anything; `shown` stands for what is not
    /// usable; `next` is when anything outside of the settlement changes.
    pub(crate) fn conclude(
        &mut self,
        barred: Option<DenialReason>,
        denial: Option<DenialReason>,
        next: Option<OffsetDateTime>,
    ) {
        let leading = self.balance.leading.and_then(|id| self.get(id)).cloned();
        let room = self.balance.room.quantity();
        let bounded = self.balance.boundless == 0 && self.balance.usable > 0;
        let meter = &mut self.meter;
        meter.ceiling =
            if self.balance.boundless > 0 { None } else { Some(whole(self.balance.settled, room)) };
        meter.limit = leading.as_ref().filter(|_| bounded).map(|leading| {
            let own = leading.offer().unwrap_or(Quantity::MAX);
            let others = room.beyond(leading.remaining_amount.unwrap_or_default());
            let limit = whole(own, whole(others, self.balance.topped));
            let reach = meter.ceiling.filter(|_| room.is_positive());
            reach.map_or(limit, |reach| limit.max(reach))
        });
        meter.over = leading.as_ref().map_or(Quantity::ZERO, Entitlement::excess);
        meter.included = self.balance.included.quantity();
        meter.denial = barred.or(denial);
        meter.opens = self.balance.unopened > 0;
        meter.steady_since = self.now;
        meter.reset_at = leading.as_ref().map_or(meter.window_end, Entitlement::relief);
        if let Some(leading) = &leading {
            meter.config = Some(leading.config.clone()).filter(|config| !config.is_empty());
        }
        let own = self.parties.values().filter_map(|party| party.is.as_ref()?.next_change);
        let ends = [next, self.meter.window_end].into_iter().flatten();
        self.meter.fresh_until = own.chain(ends).filter(|at| *at > self.clock).min();
    }

    /// Until when the longest of those that take part holds.
    pub(crate) fn valid_until(&self) -> Option<OffsetDateTime> {
        self.present().filter(|it| it.in_use).filter_map(|it| it.valid_until).max()
    }

    /// Brings stored entitlements in line with those that take part.
    pub(crate) fn overlay(&self, stored: &mut Vec<Entitlement>) {
        stored.retain(|it| !self.knows(it.id));
        stored.extend(self.present().cloned());
    }

    /// The entitlements that must be stored again, and the ids of those that must be removed.
    pub(crate) fn changed(&self) -> (Vec<&Entitlement>, Vec<EntitlementId>) {
        let changed = self.parties.values().filter(|party| party.is != party.stored);
        let put = changed.filter_map(|party| party.is.as_ref()).collect();
        let gone =
            |party: &Party| party.stored.as_ref().filter(|_| party.is.is_none()).map(|it| it.id);
        (put, self.parties.values().filter_map(gone).collect())
    }
}
