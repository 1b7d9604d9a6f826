//! What orders, invoices and tickets have in common: the host feeds them, by ids of its own.

use super::customer::{CustomerId, Moment};
use super::draft::Change;
use super::instant;
use super::money::Money;
use super::text::ExternalId;
use crate::error::Faults;
use time::OffsetDateTime;
use uuid::Uuid;

/// A record that the host feeds.
pub(crate) trait Fed: Clone + PartialEq {
    /// The noun, in the singular.
    const WORD: &'static str;
    /// Whose record it is.
    fn customer(&self) -> CustomerId;
    /// Where it stands.
    fn status(&self) -> &'static str;
    /// Notes that it changed.
    fn touch(&mut self, now: OffsetDateTime);
}

/// What the host says of such a record.
pub(crate) trait Draft {
    /// The record.
    type Record: Fed;
    /// A record of which nothing is known yet.
    fn blank(customer: CustomerId, id: ExternalId, now: OffsetDateTime) -> Self::Record;
    /// What a new record needs and the draft does not name.
    fn missing(&self) -> Vec<&'static str>;
    /// Applies the draft, noting every fault; `latest` is the end of what can have happened.
    fn apply(&self, to: &mut Self::Record, latest: OffsetDateTime, faults: &mut Faults);
}

/// The id of the record that the host knows by an id of its own: derived, so that there is one.
pub(crate) fn fed_id<I: From<Uuid>>(noun: &str, external_id: &ExternalId) -> I {
    const SPACE: Uuid = Uuid::from_u128(0x1d5e_7001_5c3f_4f0a_9d3e_2f61_0c1b_a010);
    I::from(Uuid::new_v5(&SPACE, format!("{noun}\0{external_id}").as_bytes()))
}

/// What becomes of an instant that can only lie in the past.
pub(crate) fn moment(
    field: &str,
    change: &Change<Moment>,
    before: Option<OffsetDateTime>,
    latest: OffsetDateTime,
    faults: &mut Faults,
) -> Option<OffsetDateTime> {
    match change {
        Change::Keep => before,
        Change::Clear => None,
        Change::Set(Moment(at)) => {
            instant::check_past(field, *at, latest, faults);
            Some(instant::utc(*at))
        }
    }
}

/// A sum that must be there and not below nothing.
pub(crate) fn never_negative(
    field: &str,
    money: Option<Money>,
    faults: &mut Faults,
) -> Option<Money> {
    let money = faults.present(field, money)?;
    if money.amount < 0 {
        faults.add(field, &money.to_string(), "must not be negative");
    }
    Some(money)
}

impl Faults {
    /// The value of a field that cannot be taken away.
    pub(crate) fn present<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.add(field, "", "is required");
        }
        value
    }
}
