//! The rules of the product, as pure functions and values: no store, no clock, no randomness.

pub mod calendar;
pub mod cycle;
pub mod period;
pub mod recurrence;
pub mod schedule;
pub mod clues;
pub mod company_name;
pub mod domain_name;
pub mod email;
pub mod free_mail;
pub mod legal_form;
pub mod match_keys;
pub mod name_likeness;
pub mod smart_link;
pub mod text;
pub mod threshold;
pub mod zone;
