//! What a customer's entitlements to one feature amount to at an instant.

use super::access::DenialReason;
use super::document::Document;
use super::entitlement::{Entitlement, EntitlementStatus};
use super::quantity::Quantity;
use super::window::Window;
use time::OffsetDateTime;

/// What the entitlements to one feature amount to, until `fresh_until`.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowance {
    /// Why it may not be used, whatever the usage; none if it may.
    pub denial: Option<DenialReason>,
    /// The sum of the limits; none if one has none.
    pub limit: Option<Quantity>,
    /// The sum of the included quantities.
    pub included: Quantity,
    /// The configuration, of the first to be used before the others'.
    pub config: Document,
    /// Until when any of them holds; none if one holds for ever.
    pub valid_until: Option<OffsetDateTime>,
    /// When waiting helps: when the first of them begins.
    pub begins: Option<OffsetDateTime>,
    /// The window over which the limit counts.
    pub window: Option<Window>,
    /// The first instant at which any of this can be different although nothing was changed; none
    /// for never.
    pub fresh_until: Option<OffsetDateTime>,
}

/// The order in which entitlements are used: lower priority number, earlier end (never last),
/// earlier grant, id.
#[must_use]
pub fn burn_order(a: &Entitlement, b: &Entitlement) -> std::cmp::Ordering {
    let end = |it: &Entitlement| (it.valid_until.is_none(), it.valid_until);
    a.priority
        .cmp(&b.priority)
        .then_with(|| end(a).cmp(&end(b)))
        .then_with(|| a.created_at.cmp(&b.created_at))
        .then_with(|| a.id.cmp(&b.id))
}

/// What `grants`, all for one feature of one customer, amount to at `now`. `barred` is what keeps
/// the customer from using anything at all.
///
/// The window is that of the base entitlement if it is usable, else of the first in burn order.
/// When none is usable, the figures are those of the ones that were not taken away, so that a host
/// can show what is switched off or over.
/// A sum of limits beyond the range of a quantity is as good as the greatest quantity.
#[must_use]
pub fn allowance(
    barred: Option<DenialReason>,
    grants: &[Entitlement],
    now: OffsetDateTime,
) -> Allowance {
    let mut usable: Vec<&Entitlement> = grants.iter().filter(|it| it.is_usable(now)).collect();
    usable.sort_by(|a, b| burn_order(a, b));
    let leading = usable.iter().find(|it| !it.source.is_additional()).or(usable.first());
    let window = leading.and_then(|it| it.period(now));
    let mut shown = usable.clone();
    if shown.is_empty() {
        shown.extend(grants.iter().filter(|it| it.status != EntitlementStatus::Revoked));
        shown.sort_by(|a, b| burn_order(a, b));
    }
    let changes = grants.iter().filter_map(|it| it.next_validity(now));
    let fresh_until = changes.chain(window.and_then(|window| window.end)).min();
    // None if one of them has no end.
    let ends: Option<Vec<OffsetDateTime>> = shown.iter().map(|it| it.valid_until).collect();
    let valid_until = ends.and_then(|ends| ends.into_iter().max());
    let sum = |of: &dyn Fn(&Entitlement) -> Option<Quantity>| {
        shown.iter().try_fold(Quantity::ZERO, |sum, it| {
            Some(sum.checked_add(of(it)?).unwrap_or(Quantity::MAX))
        })
    };
    let mut config = serde_json::Map::new();
    for entitlement in shown.iter().rev() {
        config.extend(entitlement.config.as_map().clone());
    }
    Allowance {
        denial: barred.or_else(|| denial(grants, &usable, now)),
        limit: sum(&|it| it.limit),
        included: sum(&|it| Some(it.included_quantity)).unwrap_or_default(),
        // Each was within the bounds of a document; what they have together is cut if it is not.
        config: Document::try_from(serde_json::Value::Object(config)).unwrap_or_default(),
        valid_until,
        begins: grants.iter().filter_map(|it| it.valid_from).filter(|from| *from > now).min(),
        window,
        fresh_until,
    }
}

/// When no entitlement is usable, what keeps the one that is nearest to it.
fn denial(
    grants: &[Entitlement],
    usable: &[&Entitlement],
    now: OffsetDateTime,
) -> Option<DenialReason> {
    if !usable.is_empty() {
        return None;
    }
    let reasons = grants.iter().map(|it| match it.status {
        EntitlementStatus::Revoked => DenialReason::Revoked,
        EntitlementStatus::Suspended => DenialReason::Suspended,
        EntitlementStatus::Expired => DenialReason::Expired,
        _ if it.valid_until.is_some_and(|until| until <= now) => DenialReason::Expired,
        _ if it.valid_from.is_some_and(|from| now < from) => DenialReason::NotYetValid,
        _ => DenialReason::Disabled,
    });
    Some(reasons.min_by_key(|reason| distance(*reason)).unwrap_or(DenialReason::NotEntitled))
}

/// How far a reason is from being allowed: what time mends first, what was taken away last.
const fn distance(reason: DenialReason) -> u8 {
    match reason {
        DenialReason::NotYetValid => 0,
        DenialReason::Suspended => 1,
        DenialReason::Disabled => 2,
        DenialReason::Expired => 3,
        DenialReason::Revoked => 4,
        _ => 5,
    }
}
