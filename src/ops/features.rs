//! Features: defined, listed.

use crate::domain::document::Document;
use crate::domain::feature::{
    Excess, Feature, FeatureDraft, FeatureId, FeatureKind, Measure, Overage,
};
use crate::domain::text::{Code, Name};
use crate::error::{Error, Faults, Result};
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;

const CODE: Col = <Feature as Stored>::TABLE.col("code");

/// A code as the caller gave it, or which field it is that holds none.
pub(crate) fn parse_code(field: &'static str, code: &str) -> Result<Code> {
    Code::parse(code).map_err(Error::malformed(field))
}

impl View<'_> {
    /// The feature with this code.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn feature(&self, code: &str) -> Result<Feature> {
        let missing = || Error::not_found("feature", code);
        self.cached_feature(code)?.map(|feature| Feature::clone(&feature)).ok_or_else(missing)
    }

    /// Features by code, a page at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn features(&self, limit: usize, cursor: Option<&Cursor>) -> Result<Page<Feature>> {
        self.page(Query::all().oldest_by(CODE), limit, cursor)
    }
}

impl Tx<'_> {
    /// Defines a feature, or changes what the draft names of the one with this code. Switching it
    /// off takes it from everybody at once.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault.
    pub fn define_feature(&mut self, code: &str, draft: &FeatureDraft) -> Result<Feature> {
        let code = parse_code("code", code)?;
        let name = Name::parse(code.as_str()).map_err(Error::malformed("name"))?;
        let (id, now) = (FeatureId::of(&code), self.now());
        let known = self.get::<Feature>(id)?;
        let mut feature = known.clone().unwrap_or(Feature {
            id,
            code: code.clone(),
            name,
            description: None,
            kind: FeatureKind::Quota,
            unit: None,
            config_schema: Document::new(),
            overage: Overage::Reject,
            excess: Excess::BlockNew,
            carries_overage: false,
            billing_meter: None,
            product_id: None,
            measure: Measure::Flow,
            is_active: true,
            created_at: now,
            updated_at: now,
        });
        let mut faults = Faults::default();
        draft.apply(&mut feature, &mut faults);
        faults.check()?;
        if known.as_ref() == Some(&feature) {
            return Ok(feature);
        }
        feature.updated_at = now;
        self.put(&feature)?;
        self.forget_feature(&code);
        let event = if known.is_some() { "feature.updated" } else { "feature.defined" };
        self.announce(event, id, None, json!({ "code": code }));
        Ok(feature)
    }
}
