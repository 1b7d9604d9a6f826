//! The rules of UTC alone, for a build without the zone database.

use std::borrow::Cow;
use time::PrimitiveDateTime;

#[derive(Clone)]
pub(super) struct Rules;
pub(super) const UTC: Rules = Rules;
pub(super) const RULE: &str =
    "must be `UTC`: tenure was built without its feature `timezones`, which knows the others";

pub(super) const fn find(_name: &str) -> Option<(Cow<'static, str>, Rules)> {
    None
}

pub(super) const fn offset_at(_rules: &Rules, _unix_seconds: i64) -> i32 {
    0
}

#[expect(clippy::unnecessary_wraps, reason = "the database can fail, and has the same signature")]
pub(super) const fn offset_for(_rules: &Rules, _local: PrimitiveDateTime) -> Option<i32> {
    Some(0)
}
