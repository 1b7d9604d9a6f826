//! The balance of a meter: what its entitlements have left together, and how a meter is settled.
//!
//! Consumption is counted on the meter at once and taken from the entitlements only when the meter
//! is *settled*: before anything changes what they give, be it a change or the passing of time. In
//! between their order and what they have left are fixed, so that it makes no difference when it is
//! done, and a track touches one counter however many entitlements there are. A settlement looks
//! only at the entitlements that consumption was taken from and at those that are due.

use super::access::DenialReason;
use super::customer::CustomerId;
use super::entitlement::{Entitlement, EntitlementId};
use super::feature::{Feature, Measure, Overage};
use super::meter::{Closed, Meter, MeterId};
use super::quantity::Quantity;
use super::tally::whole;
use super::usage::UsageEvent;
use crate::record::{id, noun};
use crate::value::field;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies a burn.
    BurnId;
}

noun! {
    /// What the entitlements behind a meter have left together, as it was last settled.
    pub struct Balance(MeterId), "balance", "balances", "metering" {
        /// The meter.
        id: MeterId,
        /// The usage of the window up to which consumption was taken from entitlements.
        settled: Quantity => ["420"],
        /// What those of them that have a limit have left together.
        room: Sum => ["580"],
        /// What they include together.
        included: Sum => ["500"],
        /// What was taken in this window from others than the one that leads.
        topped: Quantity => ["0"],
        /// What was used in this window and no entitlement gave.
        unclaimed: Quantity => ["0"],
        /// What a base that was taken away had used in its window.
        left_behind: Quantity => ["0"],
        /// Until when that counts again if it comes back, if not for ever.
        left_until: Option<OffsetDateTime>,
        /// The entitlement whose window the meter counts over.
        leading: Option<EntitlementId>,
        /// The instant up to which everything was moved on.
        settled_at: Option<OffsetDateTime>,
        /// How often consumption was taken from entitlements.
        settlements: i64 => ["12"],
        /// How many entitlements there are besides the base.
        others: i64 => ["0"],
        /// How many of all can be used.
        usable: i64 => ["1"],
        /// How many of these have no limit.
        boundless: i64 => ["0"],
        /// How many of these have no end.
        endless: i64 => ["1"],
        /// How many of these have a window that the next use opens.
        unopened: i64 => ["0"],
    }
    relationships {
        meter: "meter" one "whose entitlements they are",
    }
}

noun! {
    /// Consumption that was taken from one entitlement, or given back to it.
    pub struct Burn(BurnId), "burn", "burns", "metering" {
        /// Identifies the burn.
        id: BurnId,
        /// The meter that counted the consumption.
        meter_id: MeterId,
        /// Whose usage it is.
        customer_id: CustomerId,
        /// The entitlement that gave for it.
        entitlement_id: EntitlementId,
        /// The first instant of the meter's window.
        window_start: OffsetDateTime,
        /// The usage of the window from which on it gave.
        usage_from: Quantity => ["0"],
        /// How much it gave; negative for what was given back to it.
        quantity: Quantity => ["420"],
        /// What of that lies beyond its limit.
        overage: Quantity => ["0"],
        /// When it was settled.
        created_at: OffsetDateTime,
    }
    relationships {
        meter: "meter" one "that counted it",
        entitlement: "entitlement" one "that gave for it",
    }
}

/// An exact sum of quantities, in millionths, which can be beyond the range of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sum(i128);

impl Sum {
    fn add(&mut self, quantity: Quantity) {
        self.0 = self.0.saturating_add(i128::from(quantity.millionths()));
    }

    fn sub(&mut self, quantity: Quantity) {
        self.0 = self.0.saturating_sub(i128::from(quantity.millionths()));
    }

    /// The sum as a quantity: beyond the range, the end of it.
    #[must_use]
    pub fn quantity(self) -> Quantity {
        let end = if self.0 < 0 { Quantity::ZERO } else { Quantity::MAX };
        i64::try_from(self.0).map_or(end, Quantity::from_millionths)
    }
}

impl From<Sum> for String {
    fn from(sum: Sum) -> Self {
        sum.0.to_string()
    }
}

impl TryFrom<String> for Sum {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

field!(Sum, Text, |s| s.0.to_string(), |v| v.parse().ok().map(Self));

impl BurnId {
    /// The id of the `nth` part of a settlement of a meter: later ones sort after earlier ones.
    fn of(meter: MeterId, settlement: i64, nth: usize) -> Self {
        let meter = u64::try_from(meter.uuid().as_u128() >> 64).unwrap_or(0);
        let (settlement, nth) =
            (settlement.cast_unsigned(), u16::try_from(nth).unwrap_or(u16::MAX));
        let number = (u128::from(settlement & 0xffff_ffff_ffff) << 16) | u128::from(nth);
        Self::from(Uuid::from_u128((u128::from(meter) << 64) | number))
    }
}

impl Balance {
    pub(crate) fn new(id: MeterId) -> Self {
        Self {
            id,
            settled: Quantity::ZERO,
            room: Sum::default(),
            included: Sum::default(),
            topped: Quantity::ZERO,
            unclaimed: Quantity::ZERO,
            left_behind: Quantity::ZERO,
            left_until: None,
            leading: None,
            settled_at: None,
            settlements: 0,
            others: 0,
            usable: 0,
            boundless: 0,
            endless: 0,
            unopened: 0,
        }
    }

    /// Whether any entitlement has something left.
    pub(crate) fn room_is_left(&self) -> bool {
        self.boundless > 0 || self.room != Sum::default()
    }

    /// Adds (`by` 1) or takes away (−1) what one entitlement is part of.
    fn weigh(&mut self, it: &Entitlement, base: EntitlementId, by: i64) {
        let shift = |count: &mut i64, is: bool| {
            *count = count.saturating_add(if is { by } else { 0 });
        };
        shift(&mut self.others, it.id != base);
        shift(&mut self.usable, it.in_use);
        shift(&mut self.boundless, it.in_use && it.remaining_amount.is_none());
        shift(&mut self.endless, it.in_use && it.valid_until.is_none());
        shift(&mut self.unopened, it.is_unopened());
        let change = if by > 0 { Sum::add } else { Sum::sub };
        if it.in_use {
            change(&mut self.room, it.remaining_amount.unwrap_or_default());
            change(&mut self.included, it.included_quantity);
        }
    }
}

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

/// Consumption that one entitlement gave for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Burned {
    pub(crate) entitlement: EntitlementId,
    pub(crate) window_start: OffsetDateTime,
    pub(crate) from: Quantity,
    pub(crate) quantity: Quantity,
    pub(crate) overage: Quantity,
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

/// What one entitlement gave for one usage event.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BurnedShare {
    /// The entitlement.
    pub entitlement_id: EntitlementId,
    /// How much it gave.
    pub quantity: Quantity,
}

/// What each of `burns`, in the order in which they were settled, gave for `event`. Consumption is
/// a stretch of the usage of its window, and so is a burn: what they have in common is what was
/// given. What two settlements gave for the same stretch, because usage was taken back in between,
/// counts once, by the earlier.
pub(crate) fn shares(event: &UsageEvent, burns: &[Burn]) -> Vec<BurnedShare> {
    let mut from = event.previous_value;
    let end = whole(from, event.quantity);
    let mut shares = Vec::new();
    for burn in burns.iter().filter(|burn| burn.quantity.is_positive()) {
        let until = whole(burn.usage_from, burn.quantity).min(end);
        let quantity = until.beyond(from.max(burn.usage_from));
        if burn.usage_from <= from && quantity.is_positive() {
            shares.push(BurnedShare { entitlement_id: burn.entitlement_id, quantity });
            from = until;
        }
    }
    shares
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
        if !self.knows(it.id) {
            let (id, same) = (it.id, Some(it));
            self.parties
                .insert(id, Party { stored: same.clone(), weighed: same.clone(), is: same });
        }
    }

    /// Those that take part, as they are by now.
    fn present(&self) -> impl Iterator<Item = &Entitlement> {
        self.parties.values().filter_map(|party| party.is.as_ref())
    }

    /// Consumption since the last settlement; negative if more was given back.
    pub(crate) fn unsettled(&self) -> Quantity {
        let (used, settled) = (self.consumed().millionths(), self.balance.settled.millionths());
        Quantity::from_millionths(used.saturating_sub(settled))
    }

    /// What the entitlements are to give for.
    const fn consumed(&self) -> Quantity {
        if self.overage.is_level { Quantity::ZERO } else { self.meter.used }
    }

    /// What those that take part gave in their windows.
    pub(crate) fn given(&self) -> Quantity {
        let usable = self.present().filter(|it| it.turn.is_some());
        usable.fold(self.balance.unclaimed, |sum, it| whole(sum, it.used_amount))
    }

    /// Takes the consumption since the last settlement from the entitlements that take part, in
    /// their order; what is beyond all of them counts on the leading one. What was given back
    /// returns to those that gave last.
    pub(crate) fn burn(&mut self) {
        let change = self.unsettled();
        let mut order: Vec<(String, EntitlementId)> =
            self.present().filter_map(|it| it.turn.clone().map(|turn| (turn, it.id))).collect();
        order.sort();
        if change.is_positive() {
            self.take(change, order.into_iter().map(|(_, id)| id));
        } else if change.is_negative() {
            let given = Quantity::from_millionths(change.millionths().saturating_neg());
            self.give_back(given, order.into_iter().rev().map(|(_, id)| id));
        }
        self.balance.settled = self.consumed();
        self.balance.settlements = self.balance.settlements.saturating_add(1);
    }

    fn take(&mut self, quantity: Quantity, order: impl Iterator<Item = EntitlementId>) {
        let (now, leading) = (self.now, self.balance.leading);
        let mut left = quantity;
        for id in order {
            let Some(it) = self.parties.get_mut(&id).and_then(|party| party.is.as_mut()) else {
                continue;
            };
            let part = it.remaining_amount.map_or(left, |room| room.min(left));
            if part.is_positive() {
                it.consume(part, now);
                left = left.beyond(part);
                self.note(id, quantity.beyond(whole(left, part)), part, Quantity::ZERO);
            }
        }
        if !left.is_positive() {
            return;
        }
        let leader = leading.and_then(|id| Some((id, self.parties.get_mut(&id)?.is.as_mut()?)));
        if let Some((id, it)) = leader {
            it.consume(left, now);
            self.note(id, quantity.beyond(left), left, left);
        } else {
            self.balance.unclaimed = whole(self.balance.unclaimed, left);
        }
    }

    fn give_back(&mut self, quantity: Quantity, order: impl Iterator<Item = EntitlementId>) {
        let now = self.now;
        let unclaimed = self.balance.unclaimed;
        self.balance.unclaimed = unclaimed.beyond(quantity);
        let mut left = quantity.beyond(unclaimed);
        let leading = self.balance.leading.and_then(|id| Some((id, self.get(id)?.over())));
        let first = leading.into_iter();
        for (id, most) in first.chain(order.map(|id| (id, Quantity::MAX))) {
            let Some(it) = self.parties.get_mut(&id).and_then(|party| party.is.as_mut()) else {
                continue;
            };
            let given = it.give_back(left.min(most), now);
            if given.is_positive() {
                left = left.beyond(given);
                let back = Quantity::from_millionths(given.millionths().saturating_neg());
                self.note(id, Quantity::ZERO, back, Quantity::ZERO);
            }
        }
    }

    /// What was used beyond limits and is to be taken from whatever has something left.
    pub(crate) fn uncovered(&self) -> Quantity {
        if !self.overage.onto_grants {
            return Quantity::ZERO;
        }
        let leading = self.balance.leading.and_then(|id| self.get(id));
        let over = leading.map_or(Quantity::ZERO, Entitlement::over);
        whole(over, self.balance.unclaimed)
    }

    /// Takes what was used beyond limits from those that have something left.
    pub(crate) fn cover(&mut self) {
        let (uncovered, now) = (self.uncovered(), self.now);
        let with_room = self.present().filter(|it| it.has_room);
        let mut order: Vec<_> = with_room.map(|it| (it.turn.clone(), it.id)).collect();
        order.sort();
        let mut left = uncovered;
        for (_, id) in order {
            let Some(it) = self.parties.get_mut(&id).and_then(|party| party.is.as_mut()) else {
                continue;
            };
            let part = it.remaining_amount.map_or(left, |room| room.min(left));
            if part.is_positive() {
                it.consume(part, now);
                left = left.beyond(part);
                self.note(id, Quantity::ZERO, part, Quantity::ZERO);
            }
        }
        let covered = uncovered.beyond(left);
        let back = covered.beyond(self.balance.unclaimed);
        self.balance.unclaimed = self.balance.unclaimed.beyond(covered);
        let leading = self.balance.leading.filter(|_| back.is_positive());
        let leader = leading.and_then(|id| Some((id, self.parties.get_mut(&id)?.is.as_mut()?)));
        if let Some((id, it)) = leader {
            it.give_back(back, now);
            let back = Quantity::from_millionths(back.millionths().saturating_neg());
            self.note(id, Quantity::ZERO, back, back);
        }
    }

    /// Notes that an entitlement gave `quantity`, `offset` after what was settled.
    fn note(&mut self, id: EntitlementId, offset: Quantity, quantity: Quantity, overage: Quantity) {
        if self.balance.leading != Some(id) {
            let topped = self.balance.topped.millionths().saturating_add(quantity.millionths());
            self.balance.topped = Quantity::from_millionths(topped.max(0));
        }
        self.burned.push(Burned {
            entitlement: id,
            window_start: self.meter.window_start,
            from: whole(self.balance.settled, offset),
            quantity,
            overage,
        });
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
                Some(was) => new.tallies.clone_from(&was.tallies),
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

    /// What was taken from entitlements, to be kept.
    pub(crate) fn burns(&mut self, at: OffsetDateTime) -> Vec<Burn> {
        let (meter_id, customer_id) = (self.meter.id, self.meter.customer_id);
        let kept = |(nth, burned): (usize, Burned)| Burn {
            id: BurnId::of(meter_id, self.balance.settlements, nth),
            meter_id,
            customer_id,
            entitlement_id: burned.entitlement,
            window_start: burned.window_start,
            usage_from: burned.from,
            quantity: burned.quantity,
            overage: burned.overage,
            created_at: at,
        };
        let burned = std::mem::take(&mut self.burned);
        burned.into_iter().enumerate().map(kept).collect()
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
            let carried = leading.and_then(|id| self.get(id)?.tallies.first());
            let carried_on = carried.map_or(Quantity::ZERO, |tally| tally.carried);
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
        let left = if former.is_some_and(|id| self.get(id).is_some()) {
            used(former)
        } else {
            self.balance.left_behind
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
        meter.over = leading.as_ref().map_or(Quantity::ZERO, Entitlement::over);
        meter.included = self.balance.included.quantity();
        meter.denial = barred.or(denial);
        meter.opens = self.balance.unopened > 0;
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
