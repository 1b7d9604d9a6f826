//! Smart linking: which customer is this? Candidates come from an index, never from a scan.

use crate::domain::alias::AliasKind;
use crate::domain::clues::{Clues, Hints};
use crate::domain::contact::Contact;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::domain_name::DomainName;
use crate::domain::email::Email;
use crate::domain::link::{LinkKey, LinkKeyId, LinkKind};
use crate::domain::match_keys::{
    CANDIDATES_PER_KEY_MAX, Known, keys_of, keys_of_clues,
};
use crate::domain::onboarding::{SmartLink, Suggestion};
use crate::domain::smart_link::{Decision, Weighed, decide, explain, weigh};
use crate::domain::word_weight::word_weight;
use crate::domain::text::{ExternalId, Name};
use crate::error::{Error, Result};
use crate::ops::links::NewLink;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use std::collections::BTreeMap;

const KIND: Col = <LinkKey as Stored>::TABLE.col("kind");
const TEXT: Col = <LinkKey as Stored>::TABLE.col("text");
const CUSTOMER: Col = <LinkKey as Stored>::TABLE.col("customer_id");
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
        let ids = self.candidates(&clues)?;
        let mut knowns = Vec::new();
        for id in ids {
            let Some(customer) = self.get::<Customer>(id)? else { continue };
            knowns.push((id, self.known(&customer)?));
        }
        let all: Vec<&Known> = knowns.iter().map(|it| &it.1).collect();
        let weighed = weigh(&clues, &all, 10, &mut |word| word_weight(word, 1, 10));
        let pairs = knowns.iter().zip(&weighed).map(|(k, w)| (k.0, w.confidence)).collect();
        let find = |id: CustomerId| {
            let at = knowns.iter().position(|it| it.0 == id).unwrap_or_default();
            self.suggestion(id, &clues, &knowns[at].1, &weighed[at])
        };
        Ok(match decide(pairs, min_confidence) {
            Decision::NoMatch => SmartLink::NoMatch,
            Decision::Linked(id) => SmartLink::Linked(find(id)?),
            Decision::Suggestions(ranked) => SmartLink::Suggestions {
                suggestions: ranked.into_iter().map(find).collect::<Result<_>>()?,
            },
        })
    }

    /// The customers that share the most telling keys of the index with the clues.
    pub(crate) fn candidates(&self, clues: &Clues) -> Result<Vec<CustomerId>> {
        let mut shared: BTreeMap<CustomerId, f32> = BTreeMap::new();
        for key in keys_of_clues(clues) {
            let query = Query::all().eq(KIND, &key.kind).eq(TEXT, &key.text);
            for found in self.find::<LinkKey>(&query.limit(CANDIDATES_PER_KEY_MAX))? {
                let weight = shared.entry(found.customer_id).or_default();
                *weight += key.kind.weight();
            }
        }
        let mut ranked: Vec<(CustomerId, f32)> = shared.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.truncate(20);
        Ok(ranked.into_iter().map(|(id, _)| id).collect())
    }

    /// What is known of a customer that can answer hints.
    fn known(&self, customer: &Customer) -> Result<Known> {
        let query = Query::all().eq(CONTACT_CUSTOMER, &customer.id).newest().limit(CONTACTS_MAX);
        let contacts = self.find::<Contact>(&query)?;
        let own = customer.email.iter().chain(&customer.billing_email).cloned();
        let people = contacts.into_iter().filter_map(|contact| contact.email);
        let emails: Vec<Email> = own.chain(people).collect();
        let aliases = self.ranked_aliases(customer.id)?;
        let called = |kind| {
            let of_kind = aliases.iter().filter(move |it| it.kind == kind);
            of_kind.map(|it| it.value.as_str())
        };
        let others = called(AliasKind::Domain).filter_map(|it| DomainName::parse(it).ok());
        let domains: Vec<DomainName> = customer.domain.iter().cloned().chain(others).collect();
        let known = Known::new(customer.name.as_str(), &domains, &emails);
        let names = customer.company_name.iter().map(Name::as_str).chain(called(AliasKind::Name));
        Ok(names.fold(known, Known::also_called))
    }

    fn suggestion(&self, id: CustomerId, clues: &Clues, known: &Known, weighed: &Weighed) -> Result<Suggestion> {
        let judgement = explain(clues, known, weighed);
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

    /// Brings the index of smart linking in line with a customer; a deleted one is not in it.
    pub(crate) fn index_customer(&mut self, customer: &Customer) -> Result<()> {
        let wanted = match customer.deleted_at {
            None => keys_of(&self.view().known(customer)?),
            Some(_) => Vec::new(),
        };
        let held = self.view().all::<LinkKey>(Query::all().eq(CUSTOMER, &customer.id))?;
        for key in &held {
            if !wanted.iter().any(|it| it.kind == key.kind && it.text == key.text) {
                self.delete::<LinkKey>(key.id)?;
            }
        }
        for key in wanted {
            if held.iter().any(|it| it.kind == key.kind && it.text == key.text) {
                continue;
            }
            let id = LinkKeyId::of(customer.id, key.kind, &key.text);
            let (kind, text) = (key.kind, key.text);
            self.insert(&LinkKey { id, customer_id: customer.id, kind, text })?;
        }
        Ok(())
    }
}
