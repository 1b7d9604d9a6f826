//! The judgement of smart linking: how sure it is that what signed up is a customer who is already
//! known, on which evidence, and whether that is enough to link.

mod decide;
mod evidence;
mod judge;

pub use decide::{Decision, decide};
pub use evidence::{Evidence, EvidenceKind, Judgement};
pub use judge::judge;

/// What an equal domain is worth alone (the contract of smart linking).
pub const DOMAIN_WORTH: f64 = 0.95;
/// What an equal name is worth alone; one less alike is worth less in proportion (the contract).
pub const NAME_WORTH: f64 = 0.80;
/// What an equal domain of a mail address is worth alone (the contract).
pub const EMAIL_DOMAIN_WORTH: f64 = 0.70;
/// No evidence makes it certain (the contract).
pub const CONFIDENCE_MAX: f64 = 0.99;
/// From which confidence on a clear match is linked, unless the caller says otherwise (the
/// contract).
pub const MIN_CONFIDENCE: f64 = 0.60;

// The figures below were measured on real sign-ups of real companies: each is near the share of
// such pairs that are one company, or where linking more began to be wrong more often than right.

/// How far the best must be ahead of the next to be clear.
pub const MARGIN: f64 = 0.03;
/// Below this confidence nobody wants to read a suggestion.
pub const SUGGESTION_FLOOR: f64 = 0.35;
/// How many suggestions are made.
pub const SUGGESTIONS_MAX: usize = 10;
/// How alike two names must be to be linked when nothing but the names agrees; less needs a
/// [`LONE_MARGIN`], or is a suggestion.
pub const LONE_NAME_LIKENESS_MIN: f64 = 0.85;
/// How far ahead of the next a match must be that rests on names which are merely alike.
pub const LONE_MARGIN: f64 = 0.15;

#[cfg(test)]
mod tests;
