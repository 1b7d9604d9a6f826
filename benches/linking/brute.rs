//! The same questions answered by looking at everybody: what one writes by hand with a library for
//! the likeness of texts, and the figures of the contract (an equal domain 0.95, a name 0.80 times
//! its likeness, the domain of a mail address 0.70; the best of them counts).
//!
//! It is given the same help: registrable domains, free-mail providers left out, names without case,
//! accents and legal forms.

use super::data::{Answer, Company, Question};
use tenure::DomainName;
use tenure::domain::clues::Clues;
use tenure::domain::company_name::CompanyName;
use tenure::domain::smart_link::{
    DOMAIN_WORTH, EMAIL_DOMAIN_WORTH, MIN_CONFIDENCE, NAME_WORTH, SUGGESTIONS_MAX,
};

#[derive(Default)]
pub struct Brute {
    known: Vec<(String, String, Option<DomainName>)>,
}

impl Brute {
    pub fn add(&mut self, companies: Vec<Company>) {
        self.known.extend(companies.into_iter().map(|company| {
            let name = CompanyName::fold(&company.name).to_string();
            (company.id, name, DomainName::parse(&company.domain).ok())
        }));
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// The answer; the best is linked if it is sure enough and more than `margin` ahead.
    pub fn answer(&self, question: &Question, margin: f64) -> Answer {
        let clues = Clues::read(&question.hints());
        let name = clues.name().map(ToString::to_string);
        let confidence = |known: &str, domain: Option<&DomainName>| -> f64 {
            let is = |asked: &DomainName| Some(asked) == domain;
            let by_domain = if clues.domain().is_some_and(is) { DOMAIN_WORTH } else { 0.0 };
            let by_email =
                if clues.email_domains().iter().any(is) { EMAIL_DOMAIN_WORTH } else { 0.0 };
            let alike = name.as_ref().map_or(0.0, |name| strsim::jaro_winkler(name, known));
            by_domain.max(by_email).max(alike * NAME_WORTH)
        };
        let mut best: Vec<(usize, f64)> = Vec::new();
        for (place, (_, known, domain)) in self.known.iter().enumerate() {
            let confidence = confidence(known, domain.as_ref());
            let least = best.last().map_or(0.0, |(_, least)| *least);
            if confidence > least || (best.len() < SUGGESTIONS_MAX && confidence > 0.0) {
                let at = best.partition_point(|(_, other)| *other >= confidence);
                best.insert(at, (place, confidence));
                best.truncate(SUGGESTIONS_MAX);
            }
        }
        let next = best.get(1).map_or(0.0, |(_, next)| *next);
        let clear = |best: f64| best >= MIN_CONFIDENCE && best - next > margin;
        Answer {
            is_linked: best.first().is_some_and(|(_, best)| clear(*best)),
            candidates: best.into_iter().map(|(at, it)| (self.known[at].0.clone(), it)).collect(),
        }
    }
}
