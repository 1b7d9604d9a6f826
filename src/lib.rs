//! tenure
pub mod domain;
pub mod noun;
pub mod record;
pub mod store;
pub mod value;
