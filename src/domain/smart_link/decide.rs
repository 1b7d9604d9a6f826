//! Whether judgements are enough to link, to suggest, or for nothing.

use super::{Judgement, MIN_CONFIDENCE, SUGGESTION_FLOOR, SUGGESTIONS_MAX};

/// What is done about a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision<Id> {
    /// One match is clear: link it.
    Linked(Id, Judgement),
    /// Several are plausible, or one is not sure enough: the best first, at most
    /// [`SUGGESTIONS_MAX`].
    Suggestions(Vec<(Id, Judgement)>),
    /// Nobody who is known is meant.
    NoMatch,
}

/// Decides by the judgements of all candidates, in whatever order they come.
///
/// The best is linked if its confidence is at least `min_confidence` (0 to 1; anything else is
/// [`MIN_CONFIDENCE`]) and it is ahead of the next by [`MARGIN`](super::MARGIN), or by [`LONE_MARGIN`](super::LONE_MARGIN) when all
/// that agrees is merely alike. Ties are ranked by id.
///
/// ```
/// use tenure::domain::smart_link::{Decision, MIN_CONFIDENCE, decide};
///
/// assert_eq!(decide::<u32>(vec![], MIN_CONFIDENCE), Decision::NoMatch);
/// ```
#[must_use]
pub fn decide<Id: Ord>(mut judged: Vec<(Id, Judgement)>, min_confidence: f64) -> Decision<Id> {
    let least = if (0.0..=1.0).contains(&min_confidence) { min_confidence } else { MIN_CONFIDENCE };
    judged.retain(|(_, it)| it.confidence >= SUGGESTION_FLOOR.min(least) && it.confidence > 0.0);
    judged.sort_by(|(id_a, a), (id_b, b)| {
        b.confidence.total_cmp(&a.confidence).then_with(|| id_a.cmp(id_b))
    });
    let next = judged.get(1).map_or(0.0, |(_, it)| it.confidence);
    // Confidences have four decimals; half of the last absorbs the error of their difference.
    let clear = |best: &Judgement| best.confidence - next >= best.margin() - 0.000_05;
    let sure = judged.first().is_some_and(|(_, best)| best.confidence >= least && clear(best));
    judged.truncate(SUGGESTIONS_MAX);
    match (sure, judged.is_empty()) {
        (_, true) => Decision::NoMatch,
        (true, false) => match judged.into_iter().next() {
            Some((id, judgement)) => Decision::Linked(id, judgement),
            None => Decision::NoMatch,
        },
        (false, false) => Decision::Suggestions(judged),
    }
}
