//! Consumption taken from entitlements in their order, and given back to those that gave last.

use super::Settlement;
use crate::domain::balance::{Burn, BurnId};
use crate::domain::entitlement::{Entitlement, EntitlementId};
use crate::domain::quantity::Quantity;
use crate::domain::tally::whole;
use time::OffsetDateTime;

/// Consumption that one entitlement gave for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Burned {
    pub(crate) entitlement: EntitlementId,
    pub(crate) window_start: OffsetDateTime,
    pub(crate) from: Quantity,
    pub(crate) quantity: Quantity,
    pub(crate) overage: Quantity,
}

/// The quantity with the other sign.
const fn minus(quantity: Quantity) -> Quantity {
    Quantity::from_millionths(quantity.millionths().saturating_neg())
}

impl Settlement {
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
            self.give_back(minus(change), order.into_iter().rev().map(|(_, id)| id));
        }
        self.balance.settled = self.consumed();
        self.balance.settlements = self.balance.settlements.saturating_add(1);
    }

    fn take(&mut self, quantity: Quantity, order: impl Iterator<Item = EntitlementId>) {
        let left = self.draw(quantity, order, |drawn| drawn);
        if !left.is_positive() {
            return;
        }
        let (now, leading) = (self.now, self.balance.leading);
        if let Some((id, it)) = leading.and_then(|id| Some((id, self.party(id)?))) {
            it.consume(left, now);
            self.note(id, quantity.beyond(left), left, left);
        } else {
            self.balance.unclaimed = whole(self.balance.unclaimed, left);
        }
    }

    /// Takes `quantity` from those that have something left, in this order; `offset` says where the
    /// part lies that is taken after so much. Returns what none of them had.
    fn draw(
        &mut self,
        quantity: Quantity,
        order: impl Iterator<Item = EntitlementId>,
        offset: impl Fn(Quantity) -> Quantity,
    ) -> Quantity {
        let now = self.now;
        let mut left = quantity;
        for id in order {
            let Some(it) = self.party(id) else { continue };
            let part = it.remaining_amount.map_or(left, |room| room.min(left));
            if part.is_positive() {
                it.consume(part, now);
                self.note(id, offset(quantity.beyond(left)), part, Quantity::ZERO);
                left = left.beyond(part);
            }
        }
        left
    }

    fn party(&mut self, id: EntitlementId) -> Option<&mut Entitlement> {
        self.parties.get_mut(&id)?.is.as_mut()
    }

    fn give_back(&mut self, quantity: Quantity, order: impl Iterator<Item = EntitlementId>) {
        let now = self.now;
        let unclaimed = self.balance.unclaimed;
        self.balance.unclaimed = unclaimed.beyond(quantity);
        let mut left = quantity.beyond(unclaimed);
        let leading = self.balance.leading.and_then(|id| Some((id, self.get(id)?.over())));
        for (id, most) in leading.into_iter().chain(order.map(|id| (id, Quantity::MAX))) {
            let Some(it) = self.party(id) else { continue };
            let given = it.give_back(left.min(most), now);
            if given.is_positive() {
                left = left.beyond(given);
                self.note(id, Quantity::ZERO, minus(given), Quantity::ZERO);
            }
        }
        // The rest was given by what is over by now.
        self.balance.topped = self.balance.topped.beyond(left);
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
        let order = order.into_iter().map(|(_, id)| id);
        let left = self.draw(uncovered, order, |_| Quantity::ZERO);
        let covered = uncovered.beyond(left);
        let back = covered.beyond(self.balance.unclaimed);
        self.balance.unclaimed = self.balance.unclaimed.beyond(covered);
        let leading = self.balance.leading.filter(|_| back.is_positive());
        if let Some((id, it)) = leading.and_then(|id| Some((id, self.party(id)?))) {
            it.give_back(back, now);
            self.note(id, Quantity::ZERO, minus(back), minus(back));
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
}
