//! How likely a lead is to be won, going by what became of others: naive Bayes.

use std::collections::BTreeMap;

/// What each count begins with, so that what was seen once is not taken for certain.
const SMOOTHING: f64 = 0.1;

/// A lead of which it is known what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastLead<'l> {
    /// What it was like: the source it came from, the country it is in.
    pub traits: BTreeMap<&'l str, &'l str>,
    /// How many of the stages of selling it had passed, from 0 for the first.
    pub stage: usize,
    /// Whether it was won.
    pub is_won: bool,
}

/// How often something was seen of leads that were won, and of others.
#[derive(Debug, Clone, Copy)]
struct Seen {
    won: f64,
    lost: f64,
}

impl Seen {
    const NOTHING: Self = Self { won: 0.0, lost: 0.0 };
    const NEW: Self = Self { won: SMOOTHING, lost: SMOOTHING };

    fn count(&mut self, is_won: bool) {
        *(if is_won { &mut self.won } else { &mut self.lost }) += 1.0;
    }

    fn plus(self, other: Self) -> Self {
        Self { won: self.won + other.won, lost: self.lost + other.lost }
    }
}

/// How likely a lead with these traits in this stage is to be won, 0.0001–0.9999, going by `past`.
///
/// A lead that was won passed all stages, one that was lost those up to its own. What was never seen
/// before says nothing. None while nothing was closed.
///
/// ```
/// use tenure::domain::lead::{PastLead, likelihood};
///
/// let past = |source, is_won| PastLead { traits: [("source", source)].into(), stage: 0, is_won };
/// let past = [past("partner", true), past("partner", true), past("fair", false)];
/// let of = |source| likelihood(&past, &[("source", source)].into(), 0).unwrap_or_default();
/// assert!(of("partner") > 0.8 && of("fair") < 0.2);
/// ```
#[must_use]
pub fn likelihood(
    past: &[PastLead<'_>],
    traits: &BTreeMap<&str, &str>,
    stage: usize,
) -> Option<f64> {
    if past.is_empty() {
        return None;
    }
    let mut by_trait: BTreeMap<(&str, &str), Seen> = BTreeMap::new();
    let (mut all, mut here) = (Seen::NEW, Seen::NEW);
    for lead in past {
        all.count(lead.is_won);
        if lead.is_won || lead.stage >= stage {
            here.count(lead.is_won);
        }
        for (name, value) in &lead.traits {
            by_trait.entry((*name, *value)).or_insert(Seen::NEW).count(lead.is_won);
        }
    }
    let (mut won, mut lost) = (all.won / (all.won + all.lost), all.lost / (all.won + all.lost));
    let mut weigh = |seen: Seen, of: Seen| {
        won *= seen.won / of.won;
        lost *= seen.lost / of.lost;
    };
    weigh(here, all);
    for (name, value) in traits {
        let Some(seen) = by_trait.get(&(*name, *value)) else { continue };
        let same = by_trait.iter().filter(|((other, _), _)| other == name);
        weigh(*seen, same.fold(Seen::NOTHING, |sum, (_, seen)| sum.plus(*seen)));
    }
    Some((won / (won + lost)).clamp(0.0001, 0.9999))
}
