//! Health models: defined in versions, taken out of use, and which of them a customer is scored by.

use crate::domain::facts::CustomerFacts;
use crate::domain::health::{HealthModel, HealthModelId, HealthModelVersion, HealthScope};
use crate::domain::text::Code;
use crate::error::{Error, Faults, Result};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::OffsetDateTime;

const NAME: Col = <HealthModelVersion as Stored>::TABLE.col("name");
/// What the model that comes with tenure is called.
const BUILT_IN: &str = "default";

/// The models that were in use at one instant, the first that applies first.
pub(crate) struct HealthModels {
    defined: Vec<HealthModelVersion>,
    built_in: HealthModelVersion,
    /// Whether the model that comes with tenure is kept already.
    is_kept: bool,
}

impl HealthModels {
    /// The model that a customer is scored by.
    pub(crate) fn of(&self, facts: &CustomerFacts) -> &HealthModelVersion {
        let applies = |it: &&HealthModelVersion| it.scope.applies_to(facts);
        self.defined.iter().find(applies).unwrap_or(&self.built_in)
    }

    /// The model that a customer is scored by, who is known by its record alone.
    #[cfg(feature = "report")]
    pub(crate) fn of_customer(
        &self,
        customer: &crate::domain::customer::Customer,
    ) -> &HealthModelVersion {
        let (tier, size, kind) = (&customer.tier, customer.size, customer.kind);
        let applies = |it: &&HealthModelVersion| it.scope.applies(tier, size, kind);
        self.defined.iter().find(applies).unwrap_or(&self.built_in)
    }

    /// Whether `model` is to be kept before a score by it is.
    pub(crate) fn is_new(&self, model: &HealthModelVersion) -> bool {
        model.id == self.built_in.id && !self.is_kept
    }
}

impl View<'_> {
    /// The health models in use: the latest version of each name, those first that come before
    /// others where several apply. A customer that none is for is scored by
    /// [`HealthModel::default`].
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, HealthComponent, HealthMetric};
    /// # use tenure::{HealthModel, HealthScope, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let metric = HealthMetric::higher("visits", 20.0, 1.0);
    /// # let model = HealthModel::of([HealthComponent::new("usage", 1.0).metric(metric)]);
    /// # let acme = tenure.write(|tx| {
    /// #     tx.define_health_model("visits", &model, &HealthScope::default(), 0)?;
    /// #     tx.create_customer(&CustomerDraft::named("Acme"))
    /// # })?.id;
    /// # let visits = |value| {
    /// #     tenure.write(|tx| {
    /// #         tx.record_metric(acme, "visits", value, tx.now())?;
    /// #         tx.score_health(acme)
    /// #     })
    /// # };
    /// let models = tenure.read(|view| view.health_models())?;
    /// assert_eq!((models[0].name.as_str(), models[0].version), ("visits", 1));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn health_models(&self) -> Result<Vec<HealthModelVersion>> {
        Ok(self.health_models_at(self.now())?.defined)
    }

    /// A version of a health model, such as a score was computed by.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, HealthComponent, HealthMetric};
    /// # use tenure::{HealthModel, HealthScope, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let metric = HealthMetric::higher("visits", 20.0, 1.0);
    /// # let model = HealthModel::of([HealthComponent::new("usage", 1.0).metric(metric)]);
    /// # let acme = tenure.write(|tx| {
    /// #     tx.define_health_model("visits", &model, &HealthScope::default(), 0)?;
    /// #     tx.create_customer(&CustomerDraft::named("Acme"))
    /// # })?.id;
    /// # let visits = |value| {
    /// #     tenure.write(|tx| {
    /// #         tx.record_metric(acme, "visits", value, tx.now())?;
    /// #         tx.score_health(acme)
    /// #     })
    /// # };
    /// visits(20.0)?;
    /// visits(15.0)?;
    /// let model = tenure.read(|view| {
    ///     let record = view.health_history(acme, 1, None)?.items.remove(0);
    ///     view.health_model(record.model_id)
    /// })?;
    /// assert_eq!(model.model.components[0].name, "usage");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn health_model(&self, id: HealthModelId) -> Result<HealthModelVersion> {
        self.require(id)
    }

    /// The models that were in use at `at`.
    pub(crate) fn health_models_at(&self, at: OffsetDateTime) -> Result<HealthModels> {
        let model = HealthModel::default();
        let hash = model.hash();
        let id = HealthModelId::built_in(&hash);
        let (mut is_kept, mut defined) = (false, Vec::<HealthModelVersion>::new());
        self.each(Query::all().oldest_by(NAME), |version: HealthModelVersion| {
            is_kept |= version.id == id;
            if version.version == 0 || version.created_at > at {
                return Ok(());
            }
            match defined.last_mut().filter(|last| last.name == version.name) {
                Some(last) if last.version > version.version => {}
                Some(last) => *last = version,
                None => defined.push(version),
            }
            Ok(())
        })?;
        defined.retain(|version| version.retired_at.is_none_or(|retired| retired > at));
        defined.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.name.cmp(&b.name)));
        let built_in = HealthModelVersion {
            id,
            name: Code::parse(BUILT_IN).map_err(Error::malformed("name"))?,
            version: 0,
            model,
            hash,
            scope: HealthScope::default(),
            priority: i64::MIN,
            created_at: self.now(),
            retired_at: None,
        };
        Ok(HealthModels { defined, built_in, is_kept })
    }

    fn latest_health_model(&self, name: &Code) -> Result<Option<HealthModelVersion>> {
        let mut versions = self.all::<HealthModelVersion>(Query::all().eq(NAME, name))?;
        versions.retain(|version| version.version > 0);
        versions.sort_by_key(|version| version.version);
        Ok(versions.pop())
    }
}

impl Tx<'_> {
    /// Defines by what the customers of `scope` are scored, or a new version of it. Of several that
    /// a customer is meant by, that of the greatest `priority` counts, then the first by name.
    /// Scores that are kept stay as they are, and name the version that they were computed by.
    /// Defining what is already the latest version changes nothing.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{HealthModel, HealthScope, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let mut strict = HealthModel::default();
    /// strict.min_coverage = 0.8;
    /// let large = HealthScope { tiers: vec!["enterprise".parse()?], ..HealthScope::default() };
    /// let model = tenure.write(|tx| tx.define_health_model("strict", &strict, &large, 10))?;
    /// assert_eq!((model.version, model.hash), (1, strict.hash()));
    /// strict.components[0].weight = 0.9;
    /// let error = tenure.write(|tx| tx.define_health_model("strict", &strict, &large, 10));
    /// assert_eq!(error.unwrap_err().faults()[0].field, "components");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault of name and model, see [`HealthModel::check`].
    pub fn define_health_model(
        &mut self,
        name: &str,
        model: &HealthModel,
        scope: &HealthScope,
        priority: i64,
    ) -> Result<HealthModelVersion> {
        let mut faults = Faults::default();
        let name = faults.note("name", Code::parse(name));
        match model.check() {
            Err(Error::Invalid(more)) => faults.0.extend(more.0),
            checked => checked?,
        }
        let Some(name) = name.filter(|_| faults.0.is_empty()) else {
            return Err(Error::Invalid(faults));
        };
        let latest = self.view().latest_health_model(&name)?;
        if let Some(latest) = &latest
            && latest.retired_at.is_none()
            && (&latest.model, &latest.scope, latest.priority) == (model, scope, priority)
        {
            return Ok(latest.clone());
        }
        let version = latest.map_or(1, |latest| latest.version.saturating_add(1));
        let version = HealthModelVersion {
            id: HealthModelId::of(&name, version),
            name,
            version,
            model: model.clone(),
            hash: model.hash(),
            scope: scope.clone(),
            priority,
            created_at: self.now(),
            retired_at: None,
        };
        self.insert(&version)?;
        let data = json!({
            "name": version.name, "version": version.version, "hash": version.hash,
        });
        self.announce("health_model.defined", version.id, None, data);
        Ok(version)
    }

    /// Takes a health model out of use. Scores by it stay as they are; the next one is by another.
    /// One that is out of use already stays so.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, HealthComponent, HealthMetric};
    /// # use tenure::{HealthModel, HealthScope, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let metric = HealthMetric::higher("visits", 20.0, 1.0);
    /// # let model = HealthModel::of([HealthComponent::new("usage", 1.0).metric(metric)]);
    /// # let acme = tenure.write(|tx| {
    /// #     tx.define_health_model("visits", &model, &HealthScope::default(), 0)?;
    /// #     tx.create_customer(&CustomerDraft::named("Acme"))
    /// # })?.id;
    /// # let visits = |value| {
    /// #     tenure.write(|tx| {
    /// #         tx.record_metric(acme, "visits", value, tx.now())?;
    /// #         tx.score_health(acme)
    /// #     })
    /// # };
    /// tenure.write(|tx| tx.retire_health_model("visits"))?;
    /// assert!(tenure.read(|view| view.health_models())?.is_empty());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn retire_health_model(&mut self, name: &str) -> Result<HealthModelVersion> {
        let latest = match Code::parse(name) {
            Ok(name) => self.view().latest_health_model(&name)?,
            Err(_) => None,
        };
        let mut latest = latest.ok_or_else(|| Error::not_found("health model", name))?;
        if latest.retired_at.is_none() {
            latest.retired_at = Some(self.now());
            self.put(&latest)?;
            let data = json!({ "name": latest.name, "version": latest.version });
            self.announce("health_model.retired", latest.id, None, data);
        }
        Ok(latest)
    }
}
