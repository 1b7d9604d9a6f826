//! Overrides of health: somebody knows better, for a time.

use crate::domain::customer::CustomerId;
use crate::domain::health::HealthState;
use crate::domain::instant;
use crate::domain::text::Line;
use crate::error::{Error, Faults, Result};
use crate::tx::Tx;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

/// A score that somebody gave in the place of the computed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HealthOverride {
    /// The score, 0–100.
    pub score: u32,
    /// Why.
    pub reason: Line,
    /// Who gave it.
    pub by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Until when it counts, this instant excluded.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

impl HealthOverride {
    /// The override that stands at `now`.
    pub(crate) fn standing(state: &HealthState, now: OffsetDateTime) -> Option<Self> {
        let until = state.override_until.filter(|until| *until > now)?;
        Some(Self {
            score: state.override_score?,
            reason: state.override_reason.clone()?,
            by: state.override_by.clone()?,
            at: state.override_at?,
            until,
        })
    }
}

impl Tx<'_> {
    /// Lets a score count in the place of the computed one until `until`, because somebody knows
    /// better. Both are shown, the computed one goes on being computed, and
    /// [`Customer::health_score`](crate::Customer::health_score) remains it. At `until` it is over
    /// by itself. Giving the same again changes nothing; another takes its place.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Tenure};
    /// use time::Duration;
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let until = tenure.now() + Duration::days(30);
    /// let score = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.override_health(acme, 25, "The sponsor has left.", until)?;
    ///     tx.score_health(acme)
    /// })?;
    /// assert_eq!((score.score, score.health.score), (Some(25), None));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] with every fault: a score above 100, a reason that is
    /// empty or longer than 200 characters, an end that is not ahead or lies beyond the year 9999.
    pub fn override_health(
        &mut self,
        customer: CustomerId,
        score: u32,
        reason: &str,
        until: OffsetDateTime,
    ) -> Result<HealthOverride> {
        self.view().customer(customer)?;
        let (now, until) = (self.now(), instant::utc(until));
        let mut faults = Faults::default();
        if score > 100 {
            faults.add("score", &score.to_string(), "must be 0–100");
        }
        let reason = faults.note("reason", Line::parse(reason));
        instant::check_year("until", until, &mut faults);
        if until <= now {
            faults.add("until", &until.to_string(), "must lie ahead");
        }
        let Some(reason) = reason.filter(|_| faults.0.is_empty()) else {
            return Err(Error::Invalid(faults));
        };
        let state = self.get(customer.into())?.unwrap_or_else(|| HealthState::blank(customer));
        let given = HealthOverride { score, reason, by: self.actor().to_owned(), at: now, until };
        if let Some(standing) = HealthOverride::standing(&state, now)
            && (HealthOverride { at: standing.at, ..given.clone() }) == standing
        {
            return Ok(standing);
        }
        let state = HealthState {
            override_score: Some(score),
            override_reason: Some(given.reason.clone()),
            override_by: Some(given.by.clone()),
            override_at: Some(now),
            override_until: Some(until),
            ..state
        };
        self.put(&state)?;
        self.announce("health.overridden", state.id, customer, json!(given));
        Ok(given)
    }

    /// Ends an override before its time. Returns whether one stood.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let until = tenure.now() + time::Duration::DAY;
    /// tenure.write(|tx| tx.override_health(acme, 25, "The sponsor has left.", until))?;
    /// assert!(tenure.write(|tx| tx.lift_health_override(acme))?);
    /// assert!(!tenure.write(|tx| tx.lift_health_override(acme))?);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn lift_health_override(&mut self, customer: CustomerId) -> Result<bool> {
        self.view().customer(customer)?;
        let Some(state) = self.get::<HealthState>(customer.into())? else { return Ok(false) };
        let Some(standing) = HealthOverride::standing(&state, self.now()) else {
            return Ok(false);
        };
        let state = HealthState {
            override_score: None,
            override_reason: None,
            override_by: None,
            override_at: None,
            override_until: None,
            ..state
        };
        self.put(&state)?;
        let data = json!({ "score": standing.score, "computed": state.score });
        self.announce("health.override_lifted", state.id, customer, data);
        Ok(true)
    }
}
