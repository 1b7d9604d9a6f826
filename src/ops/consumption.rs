//! Several meters at once, and levels: what exists instead of what was consumed.

use crate::domain::access::CustomerRef;
use crate::domain::feature::Measure;
use crate::domain::metering::{Asked, Track, UsageResult};
use crate::domain::quantity::Quantity;
use crate::domain::usage::{UsageEventType, UsageSource};
use crate::error::{Error, Faults, Result};
use crate::page::PAGE_MAX;
use crate::tenure::Tenure;
use crate::tx::Tx;
use std::collections::BTreeSet;

impl Tenure {
    /// Counts usage of several features, all or none, in a transaction of its own: see
    /// [`Tx::track_all`].
    ///
    /// # Errors
    ///
    /// As [`Tx::track_all`].
    pub fn track_all(&self, tracks: &[Track]) -> Result<Vec<UsageResult>> {
        self.write(|tx| tx.track_all(tracks))
    }
}

impl Tx<'_> {
    /// Counts usage on several meters, all or none: the answers are in the order of the calls. A key
    /// may be the same on every meter. A retry of all returns the first answers.
    ///
    /// # Errors
    ///
    /// As [`track`](Self::track), of the first that is refused: then none is counted.
    /// [`Error::Invalid`] when there are none, more than 1,000, or two on one meter;
    /// [`Error::KeyReused`] when some were counted before and others not.
    pub fn track_all(&mut self, tracks: &[Track]) -> Result<Vec<UsageResult>> {
        if tracks.is_empty() || tracks.len() > PAGE_MAX {
            let rule = "must be 1–1,000";
            return Err(Error::invalid("tracks", &tracks.len().to_string(), rule));
        }
        let mut meters = BTreeSet::new();
        let mut counted = Vec::new();
        let mut fresh = Vec::new();
        for track in tracks {
            let target = self.track_target(track)?;
            if !meters.insert(target.meter) {
                return Err(Error::invalid("feature", &track.feature, "must be named once"));
            }
            let asked = Asked::increment(track);
            match self.repeated(&target, &asked)? {
                Some(first) => counted.push(first),
                None => fresh.push((target, asked)),
            }
        }
        if fresh.is_empty() {
            return Ok(counted);
        }
        if let Some(first) = counted.first() {
            let feature = first.feature_code.as_str();
            let used = tracks.iter().find(|it| it.feature == feature);
            let key = used.and_then(|it| it.idempotency_key.clone()).unwrap_or_default();
            let (field, event_id) = ("set of features", first.event_id.uuid());
            return Err(Error::KeyReused { key, field, event_id });
        }
        let mut admitted = Vec::new();
        for (target, asked) in fresh {
            admitted.push((self.wanted(&target, self.admit(&target, &asked))?, target, asked));
        }
        self.whole(|tx| {
            let all = admitted.into_iter();
            all.map(|(admitted, target, asked)| tx.record(&target, &asked, admitted)).collect()
        })
    }

    /// Says how much there is of something that is a level, such as seats or projects: what exists
    /// now, counted by the host, best from its own tables in the same transaction. More than there
    /// was is refused beyond the limit like usage; less never is. Saying the same again changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the quantity is below zero; [`Error::Rule`] when the feature is no
    /// level; [`Error::NotFound`]; [`Error::Denied`]; [`Error::LimitExceeded`].
    pub fn set_level(
        &mut self,
        customer: impl Into<CustomerRef>,
        feature: &str,
        quantity: impl Into<Quantity>,
    ) -> Result<UsageResult> {
        let quantity = quantity.into();
        let mut faults = Faults::default();
        if quantity.is_negative() {
            faults.add("quantity", &quantity.to_string(), "must not be negative");
        }
        let customer = customer.into();
        let target = self.target(&customer, feature, None, UsageSource::Api, None, faults)?;
        let known = self.view().cached_feature(feature)?;
        if known.is_some_and(|it| it.measure != Measure::Level) {
            return Err(Error::rule(format!("feature `{feature}` is consumed: it is no level")));
        }
        let asked = Asked { event_type: UsageEventType::Set, quantity, ..Asked::default() };
        let admitted = self.wanted(&target, self.admit(&target, &asked))?;
        if admitted.delta == Quantity::ZERO {
            return Ok(self.unchanged(&target, &asked, &admitted));
        }
        if admitted.delta.is_positive() {
            self.wanted(&target, admitted.must_fit(admitted.delta))?;
        }
        self.whole(|tx| tx.record(&target, &asked, admitted))
    }
}
