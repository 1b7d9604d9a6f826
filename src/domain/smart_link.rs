//! The judgement of smart linking: how sure it is that what signed up is a customer who is already
//! known, on which evidence, and whether that is enough to link.

use crate::domain::clues::Clues;
use crate::domain::domain_name::DomainName;
use crate::domain::match_keys::Known;
use crate::domain::name_likeness::likeness;
use crate::record::words;
use serde::{Deserialize, Serialize};

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
pub const MIN_CONFIDENCE: f64 = 0.6;
