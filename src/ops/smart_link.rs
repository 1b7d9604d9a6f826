//! Smart linking: which customer is this? Candidates come from an index, never from a scan.

use crate::domain::alias::{Alias, AliasKind};
use crate::domain::clues::{Clues, Hints};
use crate::domain::contact::Contact;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::domain_name::DomainName;
use crate::domain::email::Email;
use crate::domain::link::LinkKind;
use crate::domain::match_keys::Known;
use crate::domain::onboarding::{SmartLink, Suggestion};
use crate::domain::smart_link::{Decision, Judgement, Weighed, decide, explain, weigh};
use crate::domain::text::{ExternalId, Name};
use crate::error::{Error, Result};
use crate::ops::link_index::cache::Profile;
use crate::ops::links::NewLink;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
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
        check_confidence(min_confidence)?;
        let clues = Clues::read(hints);
        let candidates = self.link_index()?.candidates(&clues)?;
        let weighed = self.weighed(&clues, &candidates)?;
        let judged = candidates.iter().zip(&weighed);
        let judged = judged.map(|(it, weighed)| (it.customer, weighed.confidence)).collect();
        let suggest = |id: CustomerId| {
            let mut all = candidates.iter().zip(&weighed);
            let found = all.find(|(it, _)| it.customer == id);
            found.map(|(it, weighed)| self.suggestion(id, explain(&clues, &it.known, weighed)))
        };
        Ok(match decide(judged, min_confidence) {
            Decision::NoMatch => SmartLink::NoMatch,
            Decision::Linked(id) => match suggest(id) {
                Some(best) => SmartLink::Linked(best?),
                None => SmartLink::NoMatch,
            },
            Decision::Suggestions(ranked) => {
                let suggestions = ranked.into_iter().filter_map(suggest).collect::<Result<_>>()?;
                SmartLink::Suggestions { suggestions }
            }
        })
    }

    /// Why an organisation with these hints is a customer, or is not: the confidence that
    /// [`find_match`](Self::find_match) has in that customer, and what each piece of evidence added
    /// to it or took away. The customer need not be among those that are suggested.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Hints, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let why = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme Inc.").domain("acme.com"))?;
    ///     tx.view().explain_match(&Hints::new().company_name("Acme").domain("acme.de"), acme.id)
    /// })?;
    /// let added: f64 = why.evidence.iter().map(|it| it.added).sum();
    /// assert!((why.start + added - why.confidence).abs() < 1e-9);
    /// println!("{:.0} %: {}", why.confidence * 100.0, why.reason());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such customer.
    pub fn explain_match(&self, hints: &Hints, customer: CustomerId) -> Result<Judgement> {
        let record = self.customer(customer)?;
        let clues = Clues::read(hints);
        let mut candidates = self.link_index()?.candidates(&clues)?;
        let place = candidates.iter().position(|it| it.customer == customer);
        let place = place.unwrap_or(candidates.len());
        if place == candidates.len() {
            candidates.push(Arc::new(Profile { customer, known: self.known(&record)? }));
        }
        let weighed = self.weighed(&clues, &candidates)?;
        match (candidates.get(place), weighed.get(place)) {
            (Some(it), Some(weighed)) => Ok(explain(&clues, &it.known, weighed)),
            _ => Err(Error::not_found("customer", customer)),
        }
    }

    /// How sure it is that each of `candidates` is meant.
    pub(crate) fn weighed(
        &self,
        clues: &Clues,
        candidates: &[Arc<Profile>],
    ) -> Result<Vec<Weighed>> {
        let index = self.link_index()?;
        let known: Vec<&Known> = candidates.iter().map(|it| &it.known).collect();
        let mut weights = index.weights();
        let weighed = weigh(clues, &known, index.size(), &mut |word| weights.of(word));
        weights.finish()?;
        Ok(weighed)
    }

    /// What is known of a customer that can answer hints.
    pub(crate) fn known(&self, customer: &Customer) -> Result<Known> {
        let query = Query::all().eq(CONTACT_CUSTOMER, &customer.id).newest().limit(CONTACTS_MAX);
        Ok(known(customer, self.find(&query)?, &self.ranked_aliases(customer.id)?))
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
    /// must be, 0–1; 0.6 unless told otherwise. The customer learns no alias of it: that takes a
    /// person, who [links](Self::link) with the same [hints](NewLink::hints).
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

pub(crate) fn check_confidence(min_confidence: f64) -> Result<()> {
    if (0.0..=1.0).contains(&min_confidence) {
        return Ok(());
    }
    Err(Error::invalid("minConfidence", &min_confidence.to_string(), "must be 0–1"))
}

/// What is known of a customer with these contacts and aliases.
pub(crate) fn known(customer: &Customer, contacts: Vec<Contact>, aliases: &[Alias]) -> Known {
    let own = customer.email.iter().chain(&customer.billing_email).cloned();
    let people = contacts.into_iter().filter_map(|contact| contact.email);
    let emails: Vec<Email> = own.chain(people).collect();
    let called = |kind| {
        let of_kind = aliases.iter().filter(move |it| it.kind == kind);
        of_kind.map(|it| it.value.as_str())
    };
    let others = called(AliasKind::Domain).filter_map(|it| DomainName::parse(it).ok());
    let domains: Vec<DomainName> = customer.domain.iter().cloned().chain(others).collect();
    let known = Known::new(customer.name.as_str(), &domains, &emails);
    let names = customer.company_name.iter().map(Name::as_str).chain(called(AliasKind::Name));
    names.fold(known, Known::also_called)
}
