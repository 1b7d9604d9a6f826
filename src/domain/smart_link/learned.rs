//! The learned tables.
//!
//! They come from real questions about real companies: 57,777 companies that are known, 7,448
//! questions of 39 sorts, put together from public sources (exchange listings, company
//! directories, domain lists). `benches/linking/README.md` tells how they are learned, from what,
//! and how to do it again.

#[expect(clippy::unreadable_literal, reason = "a program wrote them")]
mod pair;
#[expect(clippy::unreadable_literal, reason = "a program wrote them")]
mod rivals;

pub(super) use pair::PAIR;
pub(super) use rivals::RIVALS;
