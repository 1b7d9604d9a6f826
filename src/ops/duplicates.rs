//! Duplicates: a walk over the customers that compares each with those who share keys with it, and
//! never all with all.

use crate::domain::customer::{Customer, CustomerId};
use crate::domain::duplicate::{Duplicate, judge};
use crate::domain::link_index::LinkProfileId;
use crate::domain::smart_link::Judgement;
use crate::error::{Error, Result};
use crate::ops::smart_link::check_confidence;
use crate::page::{Cursor, Page, check_limit};
use crate::store::query::After;
use crate::tx::View;
use crate::value::Value;

/// How many customers are looked at for one page.
const LOOKED_AT_MAX: usize = 200;

impl View<'_> {
    /// Pairs of customers that are probably one, a page at a time: what a person, or a program, may
    /// want to merge. `min_confidence` is how probable it must be, 0–1. Whom they are linked to makes
    /// no difference; deleted customers are in no pair.
    ///
    /// Every customer comes up once, in the order in which they came to be called as they are, and
    /// is compared with those before it: with the 16 that share most with it, by the judgement of
    /// [smart linking](Self::find_match), but without regard to rivals. So a pair is found once,
    /// whichever of the two was there first; three records of one company are three pairs; and who
    /// is added, or changes, while one turns the pages comes up at the end, as everybody does who is
    /// in an index that was [rebuilt](crate::Tenure::rebuild_link_index) meanwhile.
    ///
    /// A page looks at 200 customers at the most. It may have fewer pairs than `limit`, or none, and
    /// still a `next`: the last page is the one without.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// tenure.write(|tx| {
    ///     tx.create_customer(&CustomerDraft::named("Acme Inc.").domain("acme.com"))?;
    ///     tx.create_customer(&CustomerDraft::named("Globex"))?;
    ///     tx.create_customer(&CustomerDraft::named("ACME Rockets").domain("www.acme.com"))
    /// })?;
    /// let mut cursor = None;
    /// loop {
    ///     let page = tenure.read(|view| view.find_duplicates(0.8, 100, cursor.as_ref()))?;
    ///     for it in &page.items {
    ///         println!("{} and {}: {}", it.first_name, it.second_name, it.reason);
    /// #       assert!(it.confidence > 0.9 && it.reason.contains("domain `acme.com` is the same"));
    ///     }
    ///     cursor = page.next;
    ///     if cursor.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `min_confidence` is not 0–1, `limit` is not 1–1,000 or the cursor is
    /// another list's.
    pub fn find_duplicates(
        &self,
        min_confidence: f64,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Duplicate>> {
        check_confidence(min_confidence)?;
        check_limit(limit)?;
        let behind = cursor.map_or(Ok(Place::default()), Place::of)?;
        let index = self.link_index()?;
        let (size, mut weights) = (index.size(), index.weights());
        let profiles = index.profiles_after(behind.ordinal_before(), LOOKED_AT_MAX)?;
        let last = profiles.last().filter(|_| profiles.len() == LOOKED_AT_MAX);
        let mut page = Page { items: Vec::new(), next: last.map(|(it, _)| Place::end_of(*it)) };
        'looked: for (ordinal, one) in &profiles {
            if index.is_gone(*ordinal)? {
                continue;
            }
            for (with, other) in index.twins_before(*ordinal, &one.known)? {
                let place = Place { ordinal: *ordinal, with };
                // Ids tell who was created first; ordinals, who changed last.
                let (first, second) =
                    if one.customer < other.customer { (one, &other) } else { (&other, one) };
                let mut weight = |word: &str| weights.of(word);
                let judged =
                    || judge(&first.known, &second.known, size, min_confidence, &mut weight);
                if let Some(judgement) = (place > behind).then(judged).flatten() {
                    page.items.push(self.duplicate(first.customer, second.customer, judgement)?);
                    if page.items.len() == limit {
                        page.next = Some(place.cursor());
                        break 'looked;
                    }
                }
            }
        }
        weights.finish()?;
        Ok(page)
    }

    fn duplicate(
        &self,
        first: CustomerId,
        second: CustomerId,
        judgement: Judgement,
    ) -> Result<Duplicate> {
        let name = |id| Ok::<_, Error>(self.require::<Customer>(id)?.name);
        Ok(Duplicate {
            first_id: first,
            first_name: name(first)?,
            second_id: second,
            second_name: name(second)?,
            confidence: judgement.confidence,
            reason: judgement.reason(),
            evidence: judgement.evidence,
        })
    }
}

/// How far the walk has come: the customer with this ordinal was compared with those up to `with`.
/// A customer that was compared with all before it stands as if compared with itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Place {
    ordinal: u32,
    with: u32,
}

impl Place {
    fn of(cursor: &Cursor) -> Result<Self> {
        let After { value, key } = cursor.after();
        let with = match value {
            Value::Int(with) => u32::try_from(*with).ok(),
            _ => None,
        };
        let ordinal = LinkProfileId::from(*key).ordinal().ok();
        let place = ordinal.zip(with).map(|(ordinal, with)| Self { ordinal, with });
        let malformed = || Error::invalid("cursor", &cursor.to_string(), "must be of this list");
        place.ok_or_else(malformed)
    }

    fn end_of(ordinal: u32) -> Cursor {
        Self { ordinal, with: ordinal }.cursor()
    }

    fn cursor(self) -> Cursor {
        let key = LinkProfileId::of(self.ordinal).uuid();
        Cursor::new(After { value: Value::Int(i64::from(self.with)), key })
    }

    /// The ordinal behind which the walk goes on.
    fn ordinal_before(self) -> u32 {
        if self.with < self.ordinal { self.ordinal.saturating_sub(1) } else { self.ordinal }
    }
}
