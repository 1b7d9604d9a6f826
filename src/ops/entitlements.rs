//! Entitlements: given by tiers, set by hand, granted on top, and what they amount to.

use crate::domain::access::Access;
use crate::domain::calendar::ResetPeriod;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::document::Document;
use crate::domain::entitlement::{
    AccessPatch, Entitlement, EntitlementId, EntitlementSource, EntitlementStatus, NewGrant,
    PRIORITY_DEFAULT,
};
use crate::domain::feature::{Feature, Measure};
use crate::domain::meter::{Meter, MeterId};
use crate::domain::quantity::Quantity;
use crate::domain::subscription::{Subscription, SubscriptionKind};
use crate::domain::text::{Code, ExternalId};
use crate::domain::tier::TierFeature;
use crate::domain::zone::TimeZone;
use crate::error::{Error, Faults, Result};
use crate::ops::features::parse_code;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const CUSTOMER: Col = <Entitlement as Stored>::TABLE.col("customer_id");
const FEATURE: Col = <Entitlement as Stored>::TABLE.col("feature_code");

impl View<'_> {
    /// The entitlement with this id, with what is left of it at present.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn entitlement(&self, id: EntitlementId) -> Result<Entitlement> {
        let mut found = self.require::<Entitlement>(id)?;
        let feature = found.feature_code.clone();
        self.bring_up_to_date(found.customer_id, &feature, std::slice::from_mut(&mut found))?;
        Ok(found)
    }

    /// All entitlements of a customer, by feature, with what is left of them at present. One that is
    /// used up, or whose meter is at its limit, is `exhausted`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn entitlements(&self, customer: CustomerId) -> Result<Vec<Entitlement>> {
        self.customer(customer)?;
        let query = Query::all().eq(CUSTOMER, &customer);
        let mut all = self.all::<Entitlement>(query)?;
        all.sort_by(|a, b| a.feature_code.cmp(&b.feature_code).then_with(|| a.id.cmp(&b.id)));
        let features: BTreeSet<Code> = all.iter().map(|it| it.feature_code.clone()).collect();
        for feature in features {
            self.bring_up_to_date(customer, &feature, &mut all)?;
        }
        Ok(all)
    }

    /// Shows what is left of the entitlements behind one meter at present.
    fn bring_up_to_date(
        &self,
        customer: CustomerId,
        feature: &Code,
        all: &mut [Entitlement],
    ) -> Result<()> {
        let Some(meter) = self.get::<Meter>(MeterId::of(customer, feature))? else { return Ok(()) };
        let now = self.now().max(meter.window_start);
        let mut books = self.settled(meter, None, now)?.books;
        let is_full = books.meter.remaining().is_some_and(|left| !left.is_positive());
        if std::mem::take(&mut books.overage.is_level) {
            // What exists is shown where it has its place today.
            self.burn(&mut books)?;
        }
        for entitlement in all.iter_mut().filter(|it| it.feature_code == *feature) {
            if let Some(current) = books.get(entitlement.id) {
                *entitlement = current.clone();
            }
            if entitlement.in_use && (is_full || !entitlement.has_room) {
                entitlement.status = EntitlementStatus::Exhausted;
            }
        }
        Ok(())
    }

    /// The customer's entitlements to one feature.
    pub(crate) fn grants(&self, customer: CustomerId, feature: &Code) -> Result<Vec<Entitlement>> {
        self.all(Query::all().eq(CUSTOMER, &customer).eq(FEATURE, feature))
    }
}

impl Tx<'_> {
    /// Sets what a customer may use of a feature, by hand. What the patch does not name stays; a
    /// right that came from the tier becomes the customer's own, and a change of tier no longer
    /// touches it. Grants on top stay.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such customer or feature; [`Error::Invalid`].
    pub fn set_access(
        &mut self,
        customer: impl Into<crate::CustomerRef>,
        feature: &str,
        patch: &AccessPatch,
    ) -> Result<Access> {
        let customer = self.view().resolve_customer(&customer.into())?;
        let feature = self.known_feature(feature)?;
        let id = EntitlementId::base(customer.id, &feature.code);
        let known = self.get::<Entitlement>(id)?;
        let blank = || self.blank_grant(&customer, &feature, id);
        let mut entitlement = known.clone().unwrap_or_else(blank);
        let mut faults = Faults::default();
        patch.apply(&mut entitlement, &mut faults);
        faults.check()?;
        // It is given back unless it was stopped for now, or its time is over all the same.
        let over = entitlement.valid_until.is_some_and(|until| until <= self.now());
        if entitlement.status != EntitlementStatus::Suspended && !over {
            entitlement.status = EntitlementStatus::Active;
        }
        entitlement.source = EntitlementSource::Manual;
        entitlement.source_id = None;
        if known.as_ref() == Some(&entitlement) {
            return self.view().glance(customer.id, feature.code.as_str(), Quantity::ONE);
        }
        self.whole(|tx| {
            let event = if known.is_none() { "entitlement.granted" } else { "entitlement.updated" };
            tx.keep_entitlement(&customer, entitlement, event)?;
            tx.view().glance(customer.id, feature.code.as_str(), Quantity::ONE)
        })
    }

    /// Grants a right on top of what the customer has: limits add up. A grant with a key is made
    /// once.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`], also for a source that does not add; a key that was
    /// used for another grant is [`Error::KeyReused`].
    pub fn grant(
        &mut self,
        customer: impl Into<crate::CustomerRef>,
        new: &NewGrant,
    ) -> Result<Entitlement> {
        let customer = self.view().resolve_customer(&customer.into())?;
        let feature = self.known_feature(&new.feature)?;
        let mut faults = Faults::default();
        if !new.source.is_additional() {
            let rule = "must be addon, trial, promotion or api: others are set, not added";
            faults.add("source", new.source.as_str(), rule);
        }
        let key = new.key.as_deref().and_then(|key| faults.note("key", ExternalId::parse(key)));
        let id = match &key {
            Some(key) => {
                let name = format!("grant\0{}\0{key}", feature.code);
                EntitlementId::from(Uuid::new_v5(&customer.id.uuid(), name.as_bytes()))
            }
            None => self.fresh(),
        };
        let mut entitlement = self.blank_grant(&customer, &feature, id);
        entitlement.source = new.source;
        entitlement.source_id = new.source_id;
        entitlement.limit = new.limit;
        entitlement.included_quantity = new.included_quantity;
        entitlement.priority = new.priority;
        entitlement.valid_from = new.valid_from.map(crate::domain::instant::utc);
        entitlement.valid_until = new.valid_until.map(crate::domain::instant::utc);
        // It counts over the window of the right that it adds to.
        let base = EntitlementId::base(customer.id, &feature.code);
        if let Some(base) = self.get::<Entitlement>(base)? {
            entitlement.reset_period = base.reset_period;
            entitlement.anchor = base.anchor;
            entitlement.time_zone = base.time_zone;
        }
        entitlement.reset_period = new.reset_period.unwrap_or(entitlement.reset_period);
        entitlement.rollover = new.rollover;
        entitlement.windows.clone_from(&new.windows);
        entitlement.check(&mut faults);
        faults.check()?;
        if let (Some(key), Some(granted)) = (key, self.get::<Entitlement>(id)?) {
            // What the right that it adds to has become since then is no part of the question.
            entitlement.reset_period = new.reset_period.unwrap_or(granted.reset_period);
            return match differs(&granted, &entitlement) {
                None => Ok(granted),
                Some(field) => {
                    let event_id = granted.id.uuid();
                    Err(Error::KeyReused { key: key.to_string(), field, event_id })
                }
            };
        }
        self.whole(|tx| tx.keep_entitlement(&customer, entitlement, "entitlement.granted"))
    }

    /// Stops an entitlement for now.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::InvalidTransition`] when it is over.
    pub fn suspend_entitlement(&mut self, id: EntitlementId) -> Result<Entitlement> {
        self.move_entitlement(id, "suspend", EntitlementStatus::Suspended, "entitlement.suspended")
    }

    /// Lets a suspended entitlement be used again.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::InvalidTransition`] when it is over.
    pub fn resume_entitlement(&mut self, id: EntitlementId) -> Result<Entitlement> {
        self.move_entitlement(id, "resume", EntitlementStatus::Active, "entitlement.resumed")
    }

    /// Takes an entitlement away. Its record stays, and what was used of it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn revoke_entitlement(&mut self, id: EntitlementId) -> Result<Entitlement> {
        self.move_entitlement(id, "revoke", EntitlementStatus::Revoked, "entitlement.revoked")
    }

    pub(crate) fn move_entitlement(
        &mut self,
        id: EntitlementId,
        action: &'static str,
        to: EntitlementStatus,
        event: &'static str,
    ) -> Result<Entitlement> {
        let mut entitlement = self.require::<Entitlement>(id)?;
        let from = entitlement.status;
        if from == to {
            return Ok(entitlement);
        }
        if matches!(from, EntitlementStatus::Expired | EntitlementStatus::Revoked) {
            let (noun, from, allowed) = ("entitlement", from.as_str(), vec!["grant"]);
            return Err(Error::InvalidTransition { noun, from, action, allowed });
        }
        entitlement.status = to;
        let customer = self.require::<Customer>(entitlement.customer_id)?;
        self.whole(|tx| {
            let entitlement = tx.keep_entitlement(&customer, entitlement, event)?;
            if to == EntitlementStatus::Active {
                // The tier may have changed while it was stopped.
                let running = tx.view().running(customer.id)?;
                tx.entitle(&customer, &running)?;
            }
            Ok(entitlement)
        })
    }

    /// Brings the rights that follow from tiers in line with the subscriptions that run, the
    /// leading one first: what none of them gives is taken away, what was set by hand or granted on
    /// top is not touched, and usage of the running period stays.
    pub(crate) fn entitle(&mut self, customer: &Customer, running: &[Subscription]) -> Result<()> {
        let held = self.view().all::<Entitlement>(Query::all().eq(CUSTOMER, &customer.id))?;
        self.entitle_from(customer, running, &held)
    }

    /// The same for a customer who holds these entitlements.
    pub(crate) fn entitle_from(
        &mut self,
        customer: &Customer,
        running: &[Subscription],
        held: &[Entitlement],
    ) -> Result<()> {
        let mut wanted: BTreeMap<Code, (TierFeature, &Subscription)> = BTreeMap::new();
        for subscription in running {
            let (code, version) = (subscription.tier(), subscription.tier_version);
            for it in self.view().tier_features(code, version, &subscription.overrides)? {
                wanted.entry(it.code.clone()).or_insert((it, subscription));
            }
        }
        // What somebody stopped or took away stays so, through whatever tiers the customer goes.
        let stopped = |it: &Entitlement| {
            matches!(it.status, EntitlementStatus::Suspended | EntitlementStatus::Revoked)
        };
        let followed = |it: &Entitlement| {
            matches!(it.source, EntitlementSource::Plan | EntitlementSource::Subscription)
                && !stopped(it)
        };
        for former in
            held.iter().filter(|it| followed(it) && !wanted.contains_key(&it.feature_code))
        {
            let (code, barred) = (&former.feature_code, customer.barred());
            self.replace_entitlement(customer.id, code, barred, former.id, None)?;
            let data = json!({ "feature": former.feature_code });
            self.announce("entitlement.revoked", former.id, customer.id, data);
        }
        for (code, (given, subscription)) in wanted {
            let id = EntitlementId::base(customer.id, &code);
            let known = held.iter().find(|it| it.id == id);
            if known.is_some_and(|it| it.source == EntitlementSource::Manual) {
                continue;
            }
            let Some(feature) = self.view().cached_feature(code.as_str())? else { continue };
            let blank = || self.blank_grant(customer, &feature, id);
            let mut entitlement = known.cloned().unwrap_or_else(blank);
            take(&mut entitlement, given, subscription, customer);
            if known == Some(&entitlement) {
                continue;
            }
            let event = if known.is_some() { "entitlement.updated" } else { "entitlement.granted" };
            self.keep_entitlement(customer, entitlement, event)?;
        }
        Ok(())
    }

    /// Moves the resets of a customer's entitlements to where the customer is now.
    pub(crate) fn move_zone(&mut self, customer: &Customer) -> Result<()> {
        let zone = customer.timezone.clone().unwrap_or(TimeZone::UTC);
        for mut held in self.view().all::<Entitlement>(Query::all().eq(CUSTOMER, &customer.id))? {
            if held.time_zone != zone {
                held.time_zone = zone.clone();
                self.keep_entitlement(customer, held, "entitlement.updated")?;
            }
        }
        Ok(())
    }

    fn known_feature(&self, code: &str) -> Result<std::sync::Arc<Feature>> {
        let parsed = parse_code("feature", code)?;
        let missing = || Error::not_found("feature", code);
        self.view().cached_feature(parsed.as_str())?.ok_or_else(missing)
    }

    /// Keeps an entitlement, its meter in line with it.
    fn keep_entitlement(
        &mut self,
        customer: &Customer,
        mut entitlement: Entitlement,
        event: &'static str,
    ) -> Result<Entitlement> {
        entitlement.updated_at = self.now();
        let measured = self.view().cached_feature(entitlement.feature_code.as_str())?;
        if measured.is_some_and(|it| it.measure == Measure::Level) {
            // What exists does not start again from zero.
            entitlement.reset_period = ResetPeriod::Never;
        }
        let (id, feature) = (entitlement.id, entitlement.feature_code.clone());
        let kept = self.replace_entitlement(
            customer.id,
            &feature,
            customer.barred(),
            id,
            Some(entitlement.clone()),
        )?;
        let entitlement = kept.unwrap_or(entitlement);
        let data = json!({
            "feature": entitlement.feature_code, "source": entitlement.source,
            "limit": entitlement.limit,
        });
        self.announce(event, entitlement.id, entitlement.customer_id, data);
        Ok(entitlement)
    }

    fn blank_grant(
        &self,
        customer: &Customer,
        feature: &Feature,
        id: EntitlementId,
    ) -> Entitlement {
        let now = self.now();
        Entitlement {
            id,
            customer_id: customer.id,
            feature_code: feature.code.clone(),
            name: feature.name.clone(),
            description: feature.description.clone(),
            kind: feature.kind,
            is_enabled: true,
            config: Document::new(),
            limit: None,
            included_quantity: Quantity::ZERO,
            reset_period: ResetPeriod::Never,
            anchor: now,
            time_zone: customer.timezone.clone().unwrap_or(TimeZone::UTC),
            rollover: None,
            windows: Vec::new(),
            source: EntitlementSource::Manual,
            source_id: None,
            valid_from: None,
            valid_until: None,
            priority: PRIORITY_DEFAULT,
            status: EntitlementStatus::Active,
            used_amount: Quantity::ZERO,
            remaining_amount: None,
            last_reset_at: None,
            reset_at: None,
            tallies: Vec::new(),
            in_use: false,
            has_room: false,
            turn: None,
            next_change: None,
            created_at: now,
            updated_at: now,
        }
    }
}

/// An entitlement as a tier gives it through a subscription.
fn take(
    entitlement: &mut Entitlement,
    given: TierFeature,
    subscription: &Subscription,
    customer: &Customer,
) {
    entitlement.is_enabled = given.is_enabled;
    entitlement.config = given.config;
    entitlement.limit = given.quantity_limit;
    entitlement.included_quantity = given.included_quantity;
    entitlement.reset_period = given.reset_period;
    entitlement.rollover = given.rollover;
    entitlement.windows = given.windows;
    entitlement.anchor = subscription.start_date;
    entitlement.time_zone = customer.timezone.clone().unwrap_or(TimeZone::UTC);
    entitlement.source_id = Some(subscription.id.into());
    entitlement.source = match subscription.kind {
        SubscriptionKind::Paid => EntitlementSource::Subscription,
        SubscriptionKind::Free | SubscriptionKind::Manual => EntitlementSource::Plan,
    };
    // What somebody stopped or took away is not given back by a renewal.
    if entitlement.status == EntitlementStatus::Expired {
        entitlement.status = EntitlementStatus::Active;
    }
}

/// The first field in which a grant asked for again differs from the one that was made.
fn differs(granted: &Entitlement, asked: &Entitlement) -> Option<&'static str> {
    if granted.limit != asked.limit {
        Some("limit")
    } else if granted.included_quantity != asked.included_quantity {
        Some("included quantity")
    } else if granted.source != asked.source || granted.source_id != asked.source_id {
        Some("source")
    } else if (granted.valid_from, granted.valid_until) != (asked.valid_from, asked.valid_until) {
        Some("validity")
    } else if granted.priority != asked.priority {
        Some("priority")
    } else if (granted.reset_period, granted.rollover) != (asked.reset_period, asked.rollover) {
        Some("reset period")
    } else if granted.windows != asked.windows {
        Some("windows")
    } else {
        None
    }
}
