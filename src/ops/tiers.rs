//! Tiers: defined in versions, listed, found by price.

use crate::domain::draft::Change;
use crate::domain::text::Code;
use crate::domain::tier::{Tier, TierDraft, TierFeature, TierId, TierOverride, known_rank};
use crate::error::{Error, Faults, Result};
use crate::ops::features::parse_code;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use std::sync::Arc;

const CODE: Col = <Tier as Stored>::TABLE.col("code");

impl View<'_> {
    /// The latest version of a tier.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn tier(&self, code: &str) -> Result<Tier> {
        let tier = match Code::parse(code) {
            Ok(code) => self.latest_tier(&code)?,
            Err(_) => None,
        };
        tier.map(Arc::unwrap_or_clone).ok_or_else(|| Error::not_found("tier", code))
    }

    /// A certain version of a tier.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn tier_version(&self, code: &str, version: u32) -> Result<Tier> {
        let code = parse_code("tier", code)?;
        let missing = || Error::not_found("tier", format!("{code} version {version}"));
        self.get(TierId::of(&code, version))?.ok_or_else(missing)
    }

    /// The latest version of every tier that can be bought, by display order.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn tiers(&self) -> Result<Vec<Tier>> {
        let mut tiers = self.latest_tiers()?;
        tiers.retain(|tier| tier.is_active);
        Ok(tiers)
    }

    /// The latest version of every tier, by display order.
    pub(crate) fn latest_tiers(&self) -> Result<Vec<Tier>> {
        let mut latest: Vec<Tier> = Vec::new();
        self.each::<Tier>(Query::all().oldest_by(CODE), |tier| {
            match latest.last_mut() {
                Some(last) if last.code == tier.code => {
                    if last.version < tier.version {
                        *last = tier;
                    }
                }
                _ => latest.push(tier),
            }
            Ok(())
        })?;
        latest.sort_by(|a, b| {
            a.display_order.cmp(&b.display_order).then_with(|| a.code.cmp(&b.code))
        });
        Ok(latest)
    }

    /// The tier that a price at Stripe stands for: by base fee first, then by a feature's price.
    pub(crate) fn tier_by_price(&self, prices: &[String]) -> Result<Option<Tier>> {
        let tiers = self.tiers()?;
        let base = |tier: &&Tier| {
            let price = tier.base_fee.as_ref().and_then(|fee| fee.stripe_price_id.as_ref());
            price.is_some_and(|price| prices.iter().any(|it| it == price.as_str()))
        };
        let any = |tier: &&Tier| {
            let ids = tier.stripe_price_ids();
            ids.iter().any(|id| prices.iter().any(|price| price == id.as_str()))
        };
        Ok(tiers.iter().find(base).or_else(|| tiers.iter().find(any)).cloned())
    }

    /// The rank of a tier: as defined, else as everybody knows it, else 0.
    pub(crate) fn rank(&self, code: &Code, version: u32) -> Result<i64> {
        let tier = self.cached_tier(code, version)?;
        Ok(tier.map_or_else(|| known_rank(code.as_str()), |tier| tier.rank))
    }

    /// What a version of a tier gives, overridden; nothing for a tier that is not defined.
    pub(crate) fn tier_features(
        &self,
        code: &Code,
        version: u32,
        overrides: &[TierOverride],
    ) -> Result<Vec<TierFeature>> {
        let tier = self.cached_tier(code, version)?;
        let mut features = tier.map(|tier| tier.features.clone()).unwrap_or_default();
        let mut faults = Faults::default();
        for wanted in overrides {
            match features.iter_mut().find(|feature| feature.code.as_str() == wanted.feature) {
                Some(feature) => wanted.apply(feature, &mut faults),
                None => faults.add("overrides", &wanted.feature, "is not a feature of the tier"),
            }
        }
        faults.check()?;
        Ok(features)
    }
}

impl Tx<'_> {
    /// Defines a tier, or a new version of it: customers keep the version that they have. Defining
    /// what is already the latest version changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault, also for features that are not defined.
    pub fn define_tier(&mut self, draft: &TierDraft) -> Result<Tier> {
        let now = self.now();
        let latest = match Code::parse(&draft.code) {
            Ok(code) => self.view().latest_tier(&code)?,
            Err(_) => None,
        };
        let version = latest.as_ref().map_or(1, |latest| latest.version.saturating_add(1));
        let mut faults = match draft.check(version, now) {
            Ok(_) => Faults::default(),
            Err(faults) => faults,
        };
        for (place, feature) in draft.features.iter().enumerate() {
            if self.view().cached_feature(feature.code.as_str())?.is_none() {
                let path = format!("features[{place}].code");
                faults.add(path, feature.code.as_str(), "must be a feature that is defined");
            }
        }
        faults.check()?;
        let tier = draft.check(version, now).map_err(Error::Invalid)?;
        if let Some(latest) = latest {
            let same = Tier {
                id: latest.id,
                version: latest.version,
                created_at: latest.created_at,
                ..tier.clone()
            };
            if same == *latest {
                return Ok(same);
            }
        }
        self.insert(&tier)?;
        self.forget_tier(&tier.code);
        let data = json!({ "code": tier.code, "version": version });
        self.announce("tier.defined", tier.id, None, data);
        Ok(tier)
    }
}

impl TierOverride {
    /// An override of one feature that changes nothing yet.
    #[must_use]
    pub fn of(feature: impl Into<String>) -> Self {
        Self { feature: feature.into(), ..Self::default() }
    }

    /// With another limit, or none.
    #[must_use]
    pub fn limit(mut self, limit: impl Into<Change<crate::Quantity>>) -> Self {
        self.limit = limit.into();
        self
    }
}
