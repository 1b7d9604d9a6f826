//! What the org offers, features and tiers, read once in a transaction: a snapshot does not change
//! under it, and what a transaction changes itself it forgets here.

use crate::domain::expansion::Rung;
use crate::domain::feature::{Feature, FeatureId};
use crate::domain::text::Code;
use crate::domain::tier::{Tier, TierId};
use crate::error::Result;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

const CODE: Col = <Tier as Stored>::TABLE.col("code");
const VERSION: Col = <Tier as Stored>::TABLE.col("version");

/// What was read so far; `None` for what is not defined.
type Read<K, R> = RefCell<HashMap<K, Option<Arc<R>>>>;

/// What was read of it so far.
#[derive(Default)]
pub(crate) struct Offer {
    features: Read<Code, Feature>,
    /// By code and version, or by code alone for the latest.
    tiers: Read<(Code, Option<u32>), Tier>,
    /// Every tier's rank.
    ladder: RefCell<Option<Arc<[Rung]>>>,
}

impl Offer {
    /// Forgets everything: a store may run a body again, on another snapshot.
    pub(crate) fn forget(&self) {
        self.features.borrow_mut().clear();
        self.tiers.borrow_mut().clear();
        self.ladder.take();
    }
}

impl View<'_> {
    /// The feature with this code, if it is defined.
    pub(crate) fn cached_feature(&self, code: &str) -> Result<Option<Arc<Feature>>> {
        if let Some(known) = self.offer().features.borrow().get(code) {
            return Ok(known.clone());
        }
        let Ok(code) = Code::parse(code) else { return Ok(None) };
        let feature = self.get::<Feature>(FeatureId::of(&code))?.map(Arc::new);
        self.offer().features.borrow_mut().insert(code, feature.clone());
        Ok(feature)
    }

    /// The latest version of a tier, if it is defined.
    pub(crate) fn latest_tier(&self, code: &Code) -> Result<Option<Arc<Tier>>> {
        let latest = || self.first(Query::all().eq(CODE, code).newest_by(VERSION));
        self.tier_once((code.clone(), None), latest)
    }

    /// A certain version of a tier, if it is defined.
    pub(crate) fn cached_tier(&self, code: &Code, version: u32) -> Result<Option<Arc<Tier>>> {
        let this = || self.get(TierId::of(code, version));
        self.tier_once((code.clone(), Some(version)), this)
    }

    /// Where each tier stands, in its latest version, by display order.
    pub(crate) fn ladder(&self) -> Result<Arc<[Rung]>> {
        if let Some(known) = &*self.offer().ladder.borrow() {
            return Ok(Arc::clone(known));
        }
        let rung = |it: Tier| Rung { code: it.code, rank: it.rank, is_active: it.is_active };
        let ladder: Arc<[Rung]> = self.latest_tiers()?.into_iter().map(rung).collect();
        self.offer().ladder.replace(Some(Arc::clone(&ladder)));
        Ok(ladder)
    }

    fn tier_once(
        &self,
        key: (Code, Option<u32>),
        read: impl FnOnce() -> Result<Option<Tier>>,
    ) -> Result<Option<Arc<Tier>>> {
        if let Some(known) = self.offer().tiers.borrow().get(&key) {
            return Ok(known.clone());
        }
        let tier = read()?.map(Arc::new);
        self.offer().tiers.borrow_mut().insert(key, tier.clone());
        Ok(tier)
    }
}

impl Tx<'_> {
    /// Forgets a feature that was read, because it changes.
    pub(crate) fn forget_feature(&mut self, code: &Code) {
        self.offer().features.borrow_mut().remove(code);
    }

    /// Forgets a tier that was read, because it gets another version.
    pub(crate) fn forget_tier(&mut self, code: &Code) {
        self.offer().tiers.borrow_mut().retain(|(known, _), _| known != code);
        self.offer().ladder.take();
    }
}
