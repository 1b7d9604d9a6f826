//! The judgement of smart linking: how sure it is that what signed up is a customer who is already
//! known, on which evidence, and whether that is enough to link.
//!
//! Question and customer are held beside each other ([`Signs`]), and two learned tables of decision
//! trees weigh what shows: one what the pair shows by itself, the other how it stands among its
//! rivals. The result is a calibrated probability. As long as customers are few, the [contract's
//! bounds](bounds) hold it.

mod bounds;
mod decide;
mod evidence;
mod explain;
mod learned;
mod signs;
mod trees;
mod weigh;

pub use bounds::{Bounds, bounds};
pub use decide::{Decision, decide};
pub use evidence::{Evidence, EvidenceKind, Judgement};
pub use explain::explain;
pub use signs::{MISSING, Sign, Signs};
pub use weigh::{Weighed, weigh, weigh_alone};

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
/// How far the best must be ahead of the next to be clear.
pub const MARGIN: f64 = 0.20;
/// Below this confidence nobody wants to read a suggestion.
pub const SUGGESTION_FLOOR: f64 = 0.10;
/// How many suggestions are made.
pub const SUGGESTIONS_MAX: usize = 10;

#[cfg(test)]
mod tests;
