//! The balance of a meter: what its entitlements have left together, and what each of them gave.

use super::customer::CustomerId;
use super::entitlement::{Entitlement, EntitlementId};
use super::meter::MeterId;
use super::quantity::Quantity;
use super::tally::whole;
use super::usage::UsageEvent;
use crate::record::{id, noun};
use crate::value::field;
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
    pub(crate) fn of(meter: MeterId, settlement: i64, nth: usize) -> Self {
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

    /// The balance that `entitlements`, all those behind the meter, add up to.
    pub(crate) fn recounted(&self, base: EntitlementId, entitlements: &[Entitlement]) -> Self {
        let mut counted = Self {
            room: Sum::default(),
            included: Sum::default(),
            others: 0,
            usable: 0,
            boundless: 0,
            endless: 0,
            unopened: 0,
            ..self.clone()
        };
        for it in entitlements {
            counted.weigh(it, base, 1);
        }
        counted
    }

    /// Whether any entitlement has something left.
    pub(crate) fn room_is_left(&self) -> bool {
        self.boundless > 0 || self.room != Sum::default()
    }

    /// Adds (`by` 1) or takes away (−1) what one entitlement is part of.
    pub(crate) fn weigh(&mut self, it: &Entitlement, base: EntitlementId, by: i64) {
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
