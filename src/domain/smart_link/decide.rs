//! Whether judgements are enough to link, to suggest, or for nothing.

use super::{MARGIN, MIN_CONFIDENCE, SUGGESTION_FLOOR, SUGGESTIONS_MAX};

/// What is done about a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision<Id> {
    /// One match is clear: link it.
    Linked(Id),
    /// Several are plausible, or one is not sure enough: the best first, at most
    /// [`SUGGESTIONS_MAX`].
    Suggestions(Vec<Id>),
    /// Nobody who is known is meant.
    NoMatch,
}

/// Decides by the confidence in each candidate, in whatever order they come.
///
/// The best is linked if its confidence is at least `min_confidence` (0 to 1; anything else is
/// [`MIN_CONFIDENCE`]) and it is ahead of the next by [`MARGIN`]. Ties are ranked by id.
///
/// ```
/// use tenure::domain::smart_link::{Decision, MIN_CONFIDENCE, decide};
///
/// assert_eq!(decide(vec![(7, 0.9), (8, 0.3)], MIN_CONFIDENCE), Decision::Linked(7));
/// assert_eq!(decide(vec![(7, 0.8), (8, 0.75)], 0.6), Decision::Suggestions(vec![7, 8]));
/// assert_eq!(decide::<u32>(vec![], MIN_CONFIDENCE), Decision::NoMatch);
/// ```
#[must_use]
pub fn decide<Id: Ord>(mut judged: Vec<(Id, f64)>, min_confidence: f64) -> Decision<Id> {
    let least = if (0.0..=1.0).contains(&min_confidence) { min_confidence } else { MIN_CONFIDENCE };
    judged
        .retain(|(_, confidence)| *confidence >= SUGGESTION_FLOOR.min(least) && *confidence > 0.0);
    judged.sort_by(|(id_a, a), (id_b, b)| b.total_cmp(a).then_with(|| id_a.cmp(id_b)));
    let next = judged.get(1).map_or(0.0, |(_, confidence)| *confidence);
    // Confidences have four decimals; half of the last absorbs the error of their difference.
    let clear = |best: f64| best >= least && best - next >= MARGIN - 0.000_05;
    let sure = judged.first().is_some_and(|(_, best)| clear(*best));
    judged.truncate(if sure { 1 } else { SUGGESTIONS_MAX });
    let mut ranked = judged.into_iter().map(|(id, _)| id);
    match (sure, ranked.len()) {
        (_, 0) => Decision::NoMatch,
        (true, _) => ranked.next().map_or(Decision::NoMatch, Decision::Linked),
        (false, _) => Decision::Suggestions(ranked.collect()),
    }
}
