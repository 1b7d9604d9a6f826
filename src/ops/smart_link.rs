//! Smart linking: which customer is this? Candidates come from an index, never from a scan.

use crate::domain::clues::{Clues, Hints};
use crate::domain::contact::Contact;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::domain_name::DomainName;
use crate::domain::email::Email;
use crate::domain::link::LinkKind;
use crate::domain::link_index::Term;
use crate::domain::match_keys::{CANDIDATES_MAX, CANDIDATES_PER_KEY_MAX, Known, keys_of_clues};
use crate::domain::name_likeness::usual_weight;
use crate::domain::onboarding::{SmartLink, Suggestion};
use crate::domain::smart_link::{Decision, Judgement, decide, judge};
use crate::domain::text::ExternalId;
use crate::error::{Error, Result};
use crate::ops::link_index::LinkIndex;
use crate::ops::link_index::cache::Profile;
use crate::ops::links::NewLink;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use std::collections::HashMap;
use std::sync::Arc;

const CONTACT_CUSTOMER: Col = <Contact as Stored>::TABLE.col("customer_id");

/// The contacts whose addresses say something of the customer's domain: the newest so many.
const CONTACTS_MAX: usize = 50;

impl View<'_> {
    /// Which customer an organisation with these hints is, as far as can be told; nothing is
    /// written. Linked organisations are not looked at: see
    /// [`smart_link`](crate::Tx::smart_link).
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `min_confidence` is not 0–1.
    pub fn find_match(&self, hints: &Hints, min_confidence: f64) -> Result<SmartLink> {
        if !(0.0..=1.0).contains(&min_confidence) {
            let rule = "must be 0–1";
            return Err(Error::invalid("minConfidence", &min_confidence.to_string(), rule));
        }
        let clues = Clues::read(hints);
        let index = self.link_index()?;
        let candidates = candidates(&index, &clues)?.into_iter();
        let judged = candidates
            .map(|candidate| (candidate.customer, judge(&clues, &candidate.known, &usual_weight)));
        let judged = judged.collect();
        Ok(match decide(judged, min_confidence) {
            Decision::NoMatch => SmartLink::NoMatch,
            Decision::Linked(id, judgement) => SmartLink::Linked(self.suggestion(id, judgement)?),
            Decision::Suggestions(ranked) => {
                let ranked = ranked.into_iter();
                let suggestions = ranked.map(|(id, judgement)| self.suggestion(id, judgement));
                SmartLink::Suggestions { suggestions: suggestions.collect::<Result<_>>()? }
            }
        })
    }

    /// What is known of a customer that can answer hints.
    pub(crate) fn known(&self, customer: &Customer) -> Result<Known> {
        let query = Query::all().eq(CONTACT_CUSTOMER, &customer.id).newest().limit(CONTACTS_MAX);
        Ok(known(customer, self.find(&query)?))
    }

    fn suggestion(&self, id: CustomerId, judgement: Judgement) -> Result<Suggestion> {
        Ok(Suggestion {
            customer_id: id,
            customer_name: self.customer(id)?.name,
            confidence: judgement.confidence,
            reason: judgement.reason(),
            evidence: judgement.evidence,
        })
    }
}

impl Tx<'_> {
    /// Links an organisation of the handle's product to the customer that it is, if one match is
    /// clear; otherwise writes nothing and says what was found. `min_confidence` is how sure it
    /// must be, 0–1; 0.6 unless told otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the id or `min_confidence` is malformed. Malformed hints are not used.
    pub fn smart_link(
        &mut self,
        external_org_id: &str,
        hints: &Hints,
        min_confidence: Option<f64>,
    ) -> Result<SmartLink> {
        ExternalId::parse(external_org_id).map_err(Error::malformed("externalOrgId"))?;
        if let Some(customer) = self.view().customer_by_link(external_org_id)? {
            let (customer_id, customer_name) = (customer.id, customer.name);
            return Ok(SmartLink::AlreadyLinked { customer_id, customer_name });
        }
        let least = min_confidence.unwrap_or(self.config().min_confidence);
        let found = self.view().find_match(hints, least)?;
        if let SmartLink::Linked(best) = &found {
            let new = NewLink::to(external_org_id);
            self.link_as(best.customer_id, &new, LinkKind::Smart, Some(best.confidence))?;
        }
        Ok(found)
    }
}

/// The customers that share the most telling keys with the clues.
fn candidates(index: &LinkIndex<'_>, clues: &Clues) -> Result<Vec<Arc<Profile>>> {
    let mut shared: HashMap<u32, u32> = HashMap::new();
    for key in keys_of_clues(clues) {
        let (term, weight) = (Term::of(key.kind, &key.text), key.kind.weight());
        index.each(term, CANDIDATES_PER_KEY_MAX, &mut |ordinal| {
            let sum = shared.entry(ordinal).or_default();
            *sum = sum.saturating_add(weight);
        })?;
    }
    let mut ranked: Vec<(u32, u32)> = shared.into_iter().collect();
    ranked.sort_unstable_by_key(|(ordinal, weight)| (std::cmp::Reverse(*weight), *ordinal));
    ranked.truncate(CANDIDATES_MAX);
    let profiles = ranked.into_iter().map(|(ordinal, _)| index.profile(ordinal));
    profiles.filter_map(Result::transpose).collect()
}

/// What is known of a customer with these contacts.
pub(crate) fn known(customer: &Customer, contacts: Vec<Contact>) -> Known {
    let own = customer.email.iter().chain(&customer.billing_email).cloned();
    let people = contacts.into_iter().filter_map(|contact| contact.email);
    let emails: Vec<Email> = own.chain(people).collect();
    let domains: Vec<DomainName> = customer.domain.iter().cloned().collect();
    Known::new(customer.name.as_str(), &domains, &emails)
}
