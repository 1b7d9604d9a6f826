//! Expansion of a customer: what speaks for it is read, and what follows is kept.

use crate::domain::customer::{CustomerId, CustomerStatus, Stage};
use crate::domain::expansion::{
    Catalogue, ExpansionHistory, ExpansionOpportunity, ExpansionSignals, OpportunityStatus,
    OpportunityTiming, Proposal, next_tier, proposals, signals,
};
use crate::domain::facts::{CustomerFacts, ExpansionFacts};
use crate::domain::text::Note;
use crate::error::{Error, Result};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

const ID: Col = <ExpansionHistory as Stored>::TABLE.col("id");
const OPEN_FOR: Col = <ExpansionOpportunity as Stored>::TABLE.col("open_for");

/// Why an opportunity of a customer who left is lost.
const CHURNED: &str = "the customer churned";

/// What is known already of one customer's expansion.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownExpansion {
    /// What is open.
    pub(crate) open: Vec<ExpansionOpportunity>,
    /// What became of the others, if anything did yet.
    pub(crate) history: Option<ExpansionHistory>,
}

impl KnownExpansion {
    /// What the rules on the customer's journey look at.
    pub(crate) fn facts(&self) -> ExpansionFacts {
        let now = || self.open.iter().filter(|it| it.timing == OpportunityTiming::Now);
        let past = self.history.as_ref();
        ExpansionFacts {
            open: u32::try_from(now().count()).unwrap_or(u32::MAX),
            opened_at: now().map(|it| it.detected_at).max(),
            won_at: past.and_then(|it| it.won_at),
            lost_at: past.and_then(|it| it.lost_at),
        }
    }
}

/// What speaks for an expansion of a customer, and what of it is being sold.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ExpansionOutlook {
    /// What speaks for it, and how probable that makes it.
    pub signals: ExpansionSignals,
    /// Every opportunity that is open now.
    pub open: Vec<ExpansionOpportunity>,
    /// The same for the rules on the customer's journey.
    pub facts: ExpansionFacts,
    /// What is beyond counting, if anything is, so that nothing new is offered and what is open stays
    /// as it is: for instance the value of an opportunity.
    pub uncountable: Option<&'static str>,
}

impl View<'_> {
    /// What is known of the expansion of the customers from `first` to `last`; those of whom nothing
    /// is known are left out.
    pub(crate) fn known_expansions(
        &self,
        first: CustomerId,
        last: CustomerId,
    ) -> Result<BTreeMap<CustomerId, KnownExpansion>> {
        let mut known: BTreeMap<CustomerId, KnownExpansion> = BTreeMap::new();
        for opportunity in self.of_customers::<ExpansionOpportunity>(OPEN_FOR, first, last)? {
            known.entry(opportunity.customer_id).or_default().open.push(opportunity);
        }
        for history in self.of_customers::<ExpansionHistory>(ID, first, last)? {
            let customer = CustomerId::from(history.id.uuid());
            known.entry(customer).or_default().history = Some(history);
        }
        Ok(known)
    }

    /// What could be offered to the customer that these facts are of.
    fn proposals(&self, facts: &CustomerFacts, found: &ExpansionSignals) -> Result<Vec<Proposal>> {
        let ladder = self.ladder()?;
        let mut catalogue =
            Catalogue { next_tier: next_tier(&facts.tier, &ladder), ..Catalogue::default() };
        for code in facts.blocked.keys() {
            let feature = self.cached_feature(code.as_str())?.filter(|it| it.is_active);
            if let Some(feature) = feature {
                catalogue.refused.insert(code.clone(), feature.product_id.clone());
            }
        }
        proposals(facts, found, &self.config().expansion, &catalogue)
    }
}

impl Tx<'_> {
    /// Reads the signals of a customer's expansion from its facts and keeps what follows: new
    /// opportunities are opened, those that are open get the figures that changed, and stay open
    /// until they are won or lost. Done again with the same facts, it changes nothing. What was won
    /// or lost lately is not opened again; how long is told by
    /// [`ExpansionRules`](crate::ExpansionRules).
    ///
    /// A customer that is suspended or inactive gets no new ones; what is open for one that churned
    /// is lost.
    ///
    /// ```
    /// use tenure::domain::facts::names;
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, CustomerFacts, Figure, FigureSource, Tenure, TierDraft, OpportunityTiming};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let open = tenure.write(|tx| {
    ///     tx.define_tier(&TierDraft::new("pro"))?;
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?;
    ///     let at = tx.now();
    ///     let mut facts = CustomerFacts::new(acme.id, acme.tier, acme.created_at, at);
    ///     let used = Figure { value: 0.93, at, source: FigureSource::Host };
    ///     facts.figures.set(names::USAGE_VS_LIMIT, used);
    ///     Ok::<_, tenure::Error>(tx.evaluate_expansion(&facts)?.open)
    /// })?;
    /// assert_eq!(open[0].target_tier.as_ref().map(|it| it.as_str()), Some("pro"));
    /// assert_eq!((open[0].timing, open[0].probability), (OpportunityTiming::Now, 0.2));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when the configured rules cannot be used;
    /// [`Error::Overflow`] when what it would bring cannot be counted. Then nothing is changed.
    pub fn evaluate_expansion(&mut self, facts: &CustomerFacts) -> Result<ExpansionOutlook> {
        self.config().expansion.check()?;
        let customer = self.view().customer(facts.customer_id)?;
        let known = self.view().known_expansions(customer.id, customer.id)?.remove(&customer.id);
        self.whole(|tx| {
            let outlook = tx.keep_opportunities(facts, known.unwrap_or_default())?;
            outlook.uncountable.map_or(Ok(outlook), |what| Err(Error::Overflow(what)))
        })
    }

    /// Keeps what follows from a customer's facts, of whose expansion this is `known`. It writes
    /// nothing before everything is computed, and nothing that did not change. What would bring more
    /// than can be counted is noted, and nothing is offered. The caller has checked the rules.
    pub(crate) fn keep_opportunities(
        &mut self,
        facts: &CustomerFacts,
        mut known: KnownExpansion,
    ) -> Result<ExpansionOutlook> {
        let view = self.view();
        let found = signals(facts, &view.config().expansion);
        let proposals =
            if facts.status.is_active() { view.proposals(facts, &found) } else { Ok(Vec::new()) };
        let (proposals, uncountable) = match proposals {
            Err(Error::Overflow(what)) => (Vec::new(), Some(what)),
            proposals => (proposals?, None),
        };
        for proposal in proposals {
            let open = known.open.iter_mut().find(|it| it.is_about(&proposal));
            match open {
                Some(open) => self.refresh(open, proposal, &found)?,
                None => known.open.extend(self.detect(facts, &known, proposal, &found)?),
            }
        }
        if facts.status == CustomerStatus::Churned || facts.stage == Stage::Churned {
            let reason = Note::parse(CHURNED).map_err(Error::malformed("reason"))?;
            for mut opportunity in std::mem::take(&mut known.open) {
                let (to, history) = (OpportunityStatus::Lost, known.history.take());
                let history =
                    self.close_opportunity(&mut opportunity, to, Some(reason.clone()), history)?;
                known.history = Some(history);
            }
        }
        let facts = known.facts();
        Ok(ExpansionOutlook { signals: found, open: known.open, facts, uncountable })
    }

    /// Opens an opportunity, unless one that was closed stands against it.
    fn detect(
        &mut self,
        facts: &CustomerFacts,
        known: &KnownExpansion,
        proposal: Proposal,
        found: &ExpansionSignals,
    ) -> Result<Option<ExpansionOpportunity>> {
        let (now, rules) = (self.now(), &self.config().expansion);
        let past = known.history.as_ref();
        if past.is_some_and(|past| past.stands_against(&proposal, rules, now)) {
            return Ok(None);
        }
        let opportunity = ExpansionOpportunity {
            id: self.fresh(),
            customer_id: facts.customer_id,
            open_for: Some(facts.customer_id),
            csm_id: facts.csm_id,
            kind: proposal.kind,
            product_id: proposal.product,
            target_tier: proposal.target_tier,
            features: proposal.features,
            seats: proposal.seats,
            estimated_value: proposal.estimated_value,
            probability: found.probability,
            signals: found.triggered.iter().map(|it| it.kind).collect(),
            recommended_action: proposal.recommended_action,
            timing: proposal.timing,
            status: OpportunityStatus::Open,
            lost_reason: None,
            detected_at: now,
            updated_at: now,
            closed_at: None,
        };
        self.insert(&opportunity)?;
        let data = json!({
            "kind": opportunity.kind, "estimatedValue": opportunity.estimated_value,
            "probability": found.probability, "signals": found.triggered,
            "timing": opportunity.timing, "recommendedAction": opportunity.recommended_action,
        });
        let customer = opportunity.customer_id;
        self.announce("expansion_opportunity.detected", opportunity.id, customer, data);
        Ok(Some(opportunity))
    }

    /// Gives an open opportunity the figures that changed.
    fn refresh(
        &mut self,
        open: &mut ExpansionOpportunity,
        proposal: Proposal,
        found: &ExpansionSignals,
    ) -> Result<()> {
        let kinds: Vec<_> = found.triggered.iter().map(|it| it.kind).collect();
        if !open.refresh(proposal, found.probability, &kinds) {
            return Ok(());
        }
        open.updated_at = self.now();
        self.put(open)?;
        let data = json!({
            "estimatedValue": open.estimated_value, "probability": open.probability,
            "signals": found.triggered, "timing": open.timing,
        });
        self.announce("expansion_opportunity.updated", open.id, open.customer_id, data);
        Ok(())
    }
}
