//! Churn: what says that a customer is about to leave, and what is done about it.
//!
//! A [signal](signals) stands while its condition holds. Its [playbook] says what is done,
//! by whom and when; an [intervention] is a playbook at work for one customer.

pub mod intervention;
pub mod playbook;
pub mod playbook_draft;
pub mod presets;
pub mod rules;
pub(crate) mod schedule;
pub mod signals;
