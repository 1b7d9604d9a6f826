//! Churn signals: noticed, kept while they stand, closed; and what they start and end.

use crate::domain::churn::intervention::{Intervention, InterventionStatus};
use crate::domain::churn::rules::ChurnRules;
use crate::domain::churn::signals::{
    ChurnSignal, Detected, SignalKind, detected, judge, last_login, risk_level,
};
use crate::domain::customer::{Customer, CustomerId, CustomerStatus, RiskLevel, Stage};
use crate::domain::facts::{CustomerFacts, names};
use crate::domain::text::Line;
use crate::error::{Error, Result};
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use time::OffsetDateTime;

const CUSTOMER: Col = <ChurnSignal as Stored>::TABLE.col("customer_id");
const DETECTED_AT: Col = <ChurnSignal as Stored>::TABLE.col("detected_at");
const OPEN_FOR: Col = <ChurnSignal as Stored>::TABLE.col("open_for");
const COURSE_OF: Col = <Intervention as Stored>::TABLE.col("customer_id");
const COURSE_STATUS: Col = <Intervention as Stored>::TABLE.col("status");
pub(super) const RUNS_FOR: Col = <Intervention as Stored>::TABLE.col("open_for");

/// What an evaluation changed of a customer's signals.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SignalsKept {
    /// Those that were noticed.
    pub opened: Vec<ChurnSignal>,
    /// Those whose condition has ended.
    pub closed: Vec<ChurnSignal>,
}

/// What is known of a customer before it is evaluated: signals that stand, interventions that run.
#[derive(Debug, Default)]
pub(crate) struct KnownSignals {
    pub(crate) signals: Vec<ChurnSignal>,
    pub(crate) interventions: Vec<Intervention>,
}

impl KnownSignals {
    fn stands(&self, kind: SignalKind) -> bool {
        self.signals.iter().any(|signal| signal.kind == kind)
    }

    /// Takes out the intervention that runs for a signal.
    fn take(&mut self, kind: SignalKind) -> Option<Intervention> {
        let place = self.interventions.iter().position(|it| it.signal == kind)?;
        Some(self.interventions.swap_remove(place))
    }
}

impl View<'_> {
    /// The churn signals of a customer, newest first, a page at a time, those that have ended
    /// included.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let signals = tenure.read(|view| view.churn_signals(acme, 10, None))?;
    /// assert!(signals.items.is_empty());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn churn_signals(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<ChurnSignal>> {
        self.customer(customer)?;
        self.page(Query::all().eq(CUSTOMER, &customer).newest_by(DETECTED_AT), limit, cursor)
    }

    /// The churn signals of a customer that stand, at most one of each kind.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// tenure.write(|tx| {
    ///     tx.record_metric(acme, "days_since_last_login", 20.0, tx.now())?;
    ///     tx.evaluate(acme)
    /// })?;
    /// let open = tenure.read(|view| view.open_signals(acme))?;
    /// assert!(open.iter().any(|it| it.kind == SignalKind::NoLogin14Days));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn open_signals(&self, customer: CustomerId) -> Result<Vec<ChurnSignal>> {
        self.customer(customer)?;
        self.all(Query::all().eq(OPEN_FOR, &Some(customer)))
    }

    /// What is known of the customers from `first` to `last`, in two queries; nothing is listed of a
    /// customer of whom nothing is known.
    pub(crate) fn known_signals(
        &self,
        first: CustomerId,
        last: CustomerId,
    ) -> Result<BTreeMap<CustomerId, KnownSignals>> {
        let mut known: BTreeMap<CustomerId, KnownSignals> = BTreeMap::new();
        for signal in self.of_customers::<ChurnSignal>(OPEN_FOR, first, last)? {
            known.entry(signal.customer_id).or_default().signals.push(signal);
        }
        for intervention in self.of_customers::<Intervention>(RUNS_FOR, first, last)? {
            known.entry(intervention.customer_id).or_default().interventions.push(intervention);
        }
        Ok(known)
    }
}

impl Tx<'_> {
    /// Holds a customer's facts against the signals: notices those that stand, closes those whose
    /// condition has ended, starts and ends interventions accordingly, and sets the customer's risk
    /// level. Facts that say nothing of a signal leave it as it is; the same facts again change
    /// nothing.
    ///
    /// A signal that is noticed starts its playbook. One that says the same more urgently takes the
    /// place of the other, whose intervention is cancelled. A signal that is closed lets its
    /// intervention succeed. Of a customer that churned nothing stands, and its interventions fail.
    ///
    /// A signal starts its playbook when it begins, and only then: a second answer of a detractor, or
    /// a fourth ticket, is the same signal still, and starts nothing while it stands.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, CustomerFacts, RiskLevel, SignalKind, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?;
    /// let mut facts =
    ///     CustomerFacts::new(acme.id, acme.tier.clone(), acme.created_at, tenure.now());
    /// facts.cancellation_requested_at = Some(facts.as_of);
    ///
    /// let kept = tenure.write(|tx| tx.evaluate_signals(&facts))?;
    /// assert_eq!(kept.opened[0].kind, SignalKind::CancellationRequest);
    /// assert!(tenure.write(|tx| tx.evaluate_signals(&facts))?.opened.is_empty());
    /// let acme = tenure.read(|view| view.customer(acme.id))?;
    /// assert_eq!(acme.risk_level, Some(RiskLevel::Critical));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when the configured rules make no sense.
    pub fn evaluate_signals(&mut self, facts: &CustomerFacts) -> Result<SignalsKept> {
        self.config().churn.check()?;
        let id = facts.customer_id;
        let mut customer = self.view().customer(id)?;
        let known = self.view().known_signals(id, id)?.remove(&id).unwrap_or_default();
        let before = customer.risk_level;
        self.whole(|tx| {
            let kept = tx.keep_signals(&mut customer, facts, known)?;
            if customer.risk_level != before {
                tx.keep_customer(&mut customer)?;
            }
            Ok(kept)
        })
    }

    /// Does for a customer what [`evaluate_signals`](Self::evaluate_signals) does, and leaves it to
    /// the caller to check the rules beforehand, and to write the customer, whose risk level is set.
    pub(crate) fn keep_signals(
        &mut self,
        customer: &mut Customer,
        facts: &CustomerFacts,
        mut known: KnownSignals,
    ) -> Result<SignalsKept> {
        let rules = self.config().churn;
        let mut kept = SignalsKept::default();
        let before = customer.risk_level;
        if has_left(customer) {
            for signal in std::mem::take(&mut known.signals) {
                kept.closed.push(self.close_signal(signal)?);
            }
            for running in known.interventions {
                self.end_intervention(running, InterventionStatus::Failed, "the customer left")?;
            }
            customer.risk_level = None;
        } else {
            if let Some(at) = last_login(facts) {
                for running in &mut known.interventions {
                    self.see_login(running, at)?;
                }
            }
            self.close_ended(facts, &rules, &mut known, &mut kept)?;
            self.open_new(customer, facts, &rules, &mut known, &mut kept)?;
            let standing: Vec<_> = known.signals.iter().map(|signal| signal.kind).collect();
            let health = facts.figure(names::HEALTH_SCORE);
            customer.risk_level = Some(risk_level(&standing, health));
        }
        // That there is no sign of it is no news.
        let is_news = (before, customer.risk_level) != (None, Some(RiskLevel::Low));
        if customer.risk_level != before && is_news {
            let data = json!({ "from": before, "to": customer.risk_level });
            self.announce("customer.risk_changed", customer.id, customer.id, data);
        }
        Ok(kept)
    }

    /// Closes the signals that the facts speak against.
    fn close_ended(
        &mut self,
        facts: &CustomerFacts,
        rules: &ChurnRules,
        known: &mut KnownSignals,
        kept: &mut SignalsKept,
    ) -> Result<()> {
        let speaks_against = |kind| judge(kind, facts, rules).is_some_and(|it| !it.stands);
        let (ended, standing): (Vec<_>, Vec<_>) = std::mem::take(&mut known.signals)
            .into_iter()
            .partition(|signal| speaks_against(signal.kind));
        known.signals = standing;
        for signal in ended {
            if let Some(running) = known.take(signal.kind) {
                let why = format!("the signal {} has ended", signal.kind);
                self.end_intervention(running, InterventionStatus::Succeeded, &why)?;
            }
            kept.closed.push(self.close_signal(signal)?);
        }
        Ok(())
    }

    /// Notices the signals that the facts show, and starts their playbooks.
    fn open_new(
        &mut self,
        customer: &Customer,
        facts: &CustomerFacts,
        rules: &ChurnRules,
        known: &mut KnownSignals,
        kept: &mut SignalsKept,
    ) -> Result<()> {
        for kind in SignalKind::ALL {
            let judged = judge(*kind, facts, rules).filter(|it| it.stands);
            if let Some(judged) = judged.filter(|_| !known.stands(*kind)) {
                let signal = self.open_signal(customer.id, detected(*kind, judged))?;
                known.signals.push(signal.clone());
                kept.opened.push(signal);
            }
        }
        if !rules.starts_playbooks {
            return Ok(());
        }
        // The last are the more urgent ones.
        for signal in kept.opened.iter().rev() {
            let kind = signal.kind;
            let covers = |it: &SignalKind| *it == kind || it.supersedes() == Some(kind);
            if known.interventions.iter().any(|it| covers(&it.signal)) {
                continue;
            }
            let started = self.begin_intervention(customer, kind, Some(signal.id), false)?;
            let lesser = kind.supersedes().filter(|_| started.is_some());
            if let Some(running) = lesser.and_then(|lesser| known.take(lesser)) {
                let why = format!("superseded by {kind}");
                self.end_intervention(running, InterventionStatus::Cancelled, &why)?;
            }
            known.interventions.extend(started);
        }
        Ok(())
    }

    fn open_signal(&mut self, customer: CustomerId, detected: Detected) -> Result<ChurnSignal> {
        let Detected { kind, severity, description, metric, value, threshold } = detected;
        let data = json!({
            "kind": kind, "severity": severity, "description": description,
            "metric": metric, "value": value, "threshold": threshold,
        });
        let signal = ChurnSignal {
            id: self.fresh(),
            customer_id: customer,
            kind,
            severity,
            description: Line::parse(&description).map_err(Error::malformed("description"))?,
            metric: metric.to_owned(),
            value,
            threshold,
            detected_at: self.now(),
            closed_at: None,
            open_for: Some(customer),
        };
        self.insert(&signal)?;
        self.announce("churn_signal.detected", signal.id, customer, data);
        Ok(signal)
    }

    fn close_signal(&mut self, mut signal: ChurnSignal) -> Result<ChurnSignal> {
        (signal.closed_at, signal.open_for) = (Some(self.now()), None);
        self.put(&signal)?;
        let data = json!({ "kind": signal.kind });
        self.announce("churn_signal.closed", signal.id, signal.customer_id, data);
        Ok(signal)
    }

    /// Begins again what was given up because the customer was deleted then, for the signals that
    /// still stand.
    pub(super) fn resume_playbooks(
        &mut self,
        customer: &Customer,
        deleted_at: OffsetDateTime,
    ) -> Result<()> {
        if has_left(customer) || !self.config().churn.starts_playbooks {
            return Ok(());
        }
        let cancelled = Query::all().eq(COURSE_OF, &customer.id);
        let cancelled = cancelled.eq(COURSE_STATUS, &InterventionStatus::Cancelled);
        let mut cancelled = self.view().all::<Intervention>(cancelled)?;
        cancelled.retain(|it| it.ended_at >= Some(deleted_at));
        let running = self.view().running_interventions(customer.id)?;
        for signal in self.view().open_signals(customer.id)? {
            let given_up = cancelled.iter().any(|it| it.signal_id == Some(signal.id));
            if given_up && running.iter().all(|it| it.signal != signal.kind) {
                self.begin_intervention(customer, signal.kind, Some(signal.id), false)?;
            }
        }
        Ok(())
    }

    /// Notes that somebody of a customer has logged in: what waits for that falls due.
    pub(crate) fn note_login(&mut self, customer: CustomerId, at: OffsetDateTime) -> Result<()> {
        for mut running in self.view().running_interventions(customer)? {
            self.see_login(&mut running, at)?;
        }
        Ok(())
    }
}

/// Whether there is nobody to keep any more.
pub(super) fn has_left(customer: &Customer) -> bool {
    customer.status == CustomerStatus::Churned || customer.stage == Stage::Churned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::customer::CustomerDraft;
    use crate::store::memory::MemoryStore;
    use crate::tenure::Tenure;

    #[test]
    fn a_page_of_customers_is_known_by_its_ends_and_a_login_is_noted() {
        let tenure = Tenure::open(MemoryStore::new()).unwrap();
        let ids: Vec<_> = (0..5)
            .map(|number| {
                let draft = CustomerDraft::named(format!("Customer {number}"));
                tenure.write(|tx| tx.create_customer(&draft)).unwrap().id
            })
            .collect();
        for id in &ids {
            let customer = tenure.read(|view| view.customer(*id)).unwrap();
            let (tier, since) = (customer.tier, customer.created_at);
            let mut facts = CustomerFacts::new(*id, tier, since, tenure.now());
            facts.competitor_mentioned_at = (*id != ids[2]).then_some(since);
            tenure.write(|tx| tx.evaluate_signals(&facts)).unwrap();
        }
        let known = tenure.read(|view| view.known_signals(ids[1], ids[3])).unwrap();
        assert_eq!(known.keys().copied().collect::<Vec<_>>(), [ids[1], ids[3]]);
        let of = known.get(&ids[1]).unwrap();
        assert_eq!((of.signals.len(), of.interventions.len()), (1, 1));

        let started = of.interventions[0].started_at;
        let noted = |at| {
            tenure.write(|tx| tx.note_login(ids[1], at)).unwrap();
            let running = tenure.read(|view| view.running_interventions(ids[1])).unwrap();
            running[0].login_at
        };
        assert_eq!(noted(started), None, "it must follow the start");
        assert_eq!(
            noted(started.saturating_add(time::Duration::weeks(5_000))),
            None,
            "and not lie ahead"
        );
        let now = tenure.now();
        assert_eq!(noted(now), Some(now));
    }
}
