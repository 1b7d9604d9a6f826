//! What to offer a customer for whom something speaks, and what it would bring.

use super::rules::ExpansionRules;
use super::signals::ExpansionSignals;
use super::{ExpansionSignalKind as Signal, OpportunityKind as Kind, OpportunityTiming};
use crate::domain::decimal::{MILLION, parts};
use crate::domain::facts::{CustomerFacts, names};
use crate::domain::link::ProductId;
use crate::domain::money::Money;
use crate::domain::text::Code;
use crate::domain::tier::known_rank;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// How many features are named in a sentence.
const NAMED_MAX: usize = 5;

/// A tier as a step of a ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// The code of the tier.
    pub code: Code,
    /// Where it stands: a higher rank is an upgrade.
    pub rank: i64,
    /// Whether it can be bought.
    pub is_active: bool,
}

/// What of all that there is could be offered to a customer.
#[derive(Debug, Clone, Default)]
pub struct Catalogue<'c> {
    /// The next tier above its own, if there is one.
    pub next_tier: Option<&'c Code>,
    /// The features that it was refused and that are defined, each with the product that it is
    /// known to belong to.
    pub refused: BTreeMap<Code, Option<ProductId>>,
}

/// Something that could be offered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Proposal {
    /// What.
    pub kind: Kind,
    /// The product to be sold on top.
    pub product: Option<ProductId>,
    /// The tier to be sold.
    pub target_tier: Option<Code>,
    /// The features to be sold.
    pub features: Vec<Code>,
    /// How many seats to be sold; none when it is not known how many there are.
    pub seats: Option<u32>,
    /// What it would bring in a month, not negative; none when that cannot be told, for instance
    /// because nothing is paid yet.
    pub estimated_value: Option<Money>,
    /// What to do, in a sentence.
    pub recommended_action: String,
    /// When.
    pub timing: OpportunityTiming,
}

impl Proposal {
    fn new(kind: Kind, timing: OpportunityTiming, recommended_action: String) -> Self {
        Self {
            kind,
            product: None,
            target_tier: None,
            features: Vec::new(),
            seats: None,
            estimated_value: None,
            recommended_action,
            timing,
        }
    }
}

/// The tier that comes next above `current` by rank, of those that can be bought; the first listed
/// if several share the rank. Above the highest there is none. One that is not listed has the rank
/// that [everybody knows](crate::domain::tier::RANKS), else 0.
///
/// ```
/// use tenure::domain::expansion::{Rung, next_tier};
///
/// let rung = |code: &str, rank| Ok(Rung { code: code.parse()?, rank, is_active: true });
/// let ladder = [rung("enterprise", 60)?, rung("starter", 10)?, rung("pro", 40)?];
/// let next = |code: &str| Ok(next_tier(&code.parse()?, &ladder).map(|it| it.as_str()));
/// assert_eq!(next("free")?, Some("starter"));
/// assert_eq!(next("starter")?, Some("pro"));
/// assert_eq!(next("enterprise")?, None);
/// # Ok::<_, tenure::Malformed>(())
/// ```
#[must_use]
pub fn next_tier<'l>(current: &Code, ladder: &'l [Rung]) -> Option<&'l Code> {
    let listed = ladder.iter().find(|it| it.code == *current);
    let current = listed.map_or_else(|| known_rank(current.as_str()), |it| it.rank);
    let above = ladder.iter().filter(|it| it.is_active && it.rank > current);
    above.min_by_key(|it| it.rank).map(|it| &it.code)
}

/// How many more seats a team needs that grew by `growth`: `⌈seats × (1 + growth)⌉ − seats`. The
/// growth counts as the decimal or the fraction that it stands for: ten seats and a tenth more are
/// eleven. None when that is out of range; 0 for what is no growth.
///
/// ```
/// use tenure::domain::expansion::more_seats;
///
/// assert_eq!(more_seats(10, 0.1), Some(1));
/// assert_eq!(more_seats(7, 5.0 / 7.0), Some(5));
/// assert_eq!(more_seats(10, 0.25), Some(3));
/// assert_eq!(more_seats(10, f64::MAX), None);
/// ```
#[must_use]
pub fn more_seats(seats: u32, growth: f64) -> Option<u32> {
    const TRILLION: i128 = 1_000_000_000_000;
    if growth.is_nan() || growth <= 0.0 {
        return Some(0);
    }
    let seats = i128::from(seats);
    let whole = parts(growth, 1e12)?.checked_mul(seats)?;
    // By so much the product may be off, because a float has 53 bits and this twelve decimals.
    let slack = seats.saturating_mul(2).saturating_add(whole >> 50);
    let more = whole.saturating_sub(slack).max(0);
    let up = more.checked_add(TRILLION.saturating_sub(1))?.div_euclid(TRILLION);
    u32::try_from(up).ok()
}

/// What to offer the customer that these facts are of, and for whom these signals speak.
///
/// ```
/// use tenure::Money;
/// use tenure::domain::expansion::{Catalogue, ExpansionRules, proposals, signals};
/// use tenure::domain::facts::{CustomerFacts, Figure, FigureSource, names};
/// use time::OffsetDateTime;
///
/// let at = OffsetDateTime::UNIX_EPOCH;
/// let mut facts = CustomerFacts::new(uuid::Uuid::nil().into(), "pro".parse()?, at, at);
/// let grown = Figure { value: 0.25, at, source: FigureSource::Host };
/// facts.figures.set(names::TEAM_GROWTH, grown);
/// facts.contract.seats = Some(10);
/// facts.contract.mrr = vec![Money::new(100_00, "EUR".parse()?)];
/// let rules = ExpansionRules::default();
/// let found = signals(&facts, &rules);
/// let offers = proposals(&facts, &found, &rules, &Catalogue::default())?;
/// assert_eq!(offers[0].recommended_action, "Offer 3 more seats: the team has grown.");
/// assert_eq!(offers[0].estimated_value.map(|it| it.to_string()), Some("30.00 EUR".into()));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Overflow`] when what it would bring cannot be counted.
pub fn proposals(
    facts: &CustomerFacts,
    found: &ExpansionSignals,
    rules: &ExpansionRules,
    catalogue: &Catalogue<'_>,
) -> Result<Vec<Proposal>> {
    let mut all = Vec::new();
    all.extend(upsell(facts, found, rules, catalogue.next_tier)?);
    if found.get(Signal::TeamGrowth).is_some() {
        all.extend(add_seats(facts)?);
    }
    if found.get(Signal::FeatureAttempts).is_some() {
        all.extend(features(facts, rules, catalogue)?);
    }
    Ok(all)
}

/// What the customer pays in a month for its highest tier's currency.
fn revenue(facts: &CustomerFacts) -> Option<Money> {
    let paid = facts.contract.mrr.first()?;
    Some(Money { amount: paid.amount.max(0), ..*paid })
}

/// What follows from something that may not be known, and may not fit.
fn valued<T>(of: Option<T>, value: impl FnOnce(T) -> Option<Money>) -> Result<Option<Money>> {
    of.map(|of| value(of).ok_or(Error::Overflow("value of an opportunity"))).transpose()
}

fn upsell(
    facts: &CustomerFacts,
    found: &ExpansionSignals,
    rules: &ExpansionRules,
    next: Option<&Code>,
) -> Result<Option<Proposal>> {
    let Some(next) = next else { return Ok(None) };
    let is_there = |kind| found.get(kind).is_some();
    let goodwill = [Signal::HighEngagement, Signal::SuccessMetrics, Signal::NpsPromoter];
    let tier = &facts.tier;
    let (timing, action) = if is_there(Signal::ApproachingLimit) {
        (
            OpportunityTiming::Now,
            format!("Offer the tier {next}: usage approaches a limit of {tier}."),
        )
    } else if !rules.offers_on_goodwill || !goodwill.into_iter().any(is_there) {
        return Ok(None);
    } else if is_there(Signal::RenewalApproaching) {
        let action = format!("Offer the tier {next} with the renewal: {tier} serves them well.");
        (OpportunityTiming::AtRenewal, action)
    } else {
        let action =
            format!("Plan to offer the tier {next} next quarter: {tier} serves them well.");
        (OpportunityTiming::NextQuarter, action)
    };
    let share = parts(rules.upsell_share.max(0.0), MILLION).and_then(|it| i64::try_from(it).ok());
    let share = share.ok_or(Error::Overflow("value of an opportunity"))?;
    let value = valued(revenue(facts), |paid| paid.times_ratio(share, millionth()))?;
    Ok(Some(Proposal {
        target_tier: Some(next.clone()),
        estimated_value: value,
        ..Proposal::new(Kind::Upsell, timing, action)
    }))
}

const fn millionth() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(999_999)
}

fn add_seats(facts: &CustomerFacts) -> Result<Option<Proposal>> {
    let unknown = || {
        let action = "Offer more seats: the team has grown.".to_owned();
        Ok(Some(Proposal::new(Kind::AddSeats, OpportunityTiming::Now, action)))
    };
    let seats = facts.contract.seats.and_then(NonZeroU32::new);
    let (Some(seats), Some(growth)) = (seats, facts.figure(names::TEAM_GROWTH)) else {
        return unknown();
    };
    let more = more_seats(seats.get(), growth);
    let more = more.ok_or(Error::Overflow("number of seats"))?;
    if more == 0 {
        return Ok(None);
    }
    let value = valued(revenue(facts), |paid| paid.times_ratio(i64::from(more), seats))?;
    let plural = if more == 1 { "seat" } else { "seats" };
    let action = format!("Offer {more} more {plural}: the team has grown.");
    Ok(Some(Proposal {
        seats: Some(more),
        estimated_value: value,
        ..Proposal::new(Kind::AddSeats, OpportunityTiming::Now, action)
    }))
}

/// The features that were refused: those of the customer's own products together, those of each
/// other product as a chance to sell that.
fn features(
    facts: &CustomerFacts,
    rules: &ExpansionRules,
    catalogue: &Catalogue<'_>,
) -> Result<Vec<Proposal>> {
    let has = &facts.contract.products;
    let mut by_product: BTreeMap<Option<&ProductId>, Vec<Code>> = BTreeMap::new();
    for (feature, product) in &catalogue.refused {
        // Which products it has is not known: then none of them is another.
        let other = product.as_ref().filter(|it| !has.is_empty() && !has.contains(it));
        by_product.entry(other).or_default().push(feature.clone());
    }
    let currency = rules.report_currency.or_else(|| revenue(facts).map(|paid| paid.currency));
    let proposal = |(product, features): (Option<&ProductId>, Vec<Code>)| {
        let value = valued(currency, |currency| {
            let unit = 10_i64.checked_pow(currency.exponent())?;
            let each = unit.checked_mul(i64::from(rules.feature_value))?;
            Money::new(each, currency).checked_mul(i64::try_from(features.len()).ok()?)
        })?;
        let (kind, action) = match product {
            None => (Kind::AddFeatures, format!("Offer {}: they were refused.", named(&features))),
            Some(product) => {
                let features = named(&features);
                (Kind::CrossSell, format!("Offer the product {product}: {features} were refused."))
            }
        };
        Ok(Proposal {
            product: product.cloned(),
            estimated_value: value,
            features,
            ..Proposal::new(kind, OpportunityTiming::Now, action)
        })
    };
    by_product.into_iter().map(proposal).collect()
}

/// The first few of them, and how many there are beside.
fn named(features: &[Code]) -> String {
    let names: Vec<_> = features.iter().take(NAMED_MAX).map(Code::as_str).collect();
    match features.len().saturating_sub(NAMED_MAX) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
