//! Text that was checked once, at the edge, and cannot be wrong after.

use std::fmt;

/// A text that does not keep a rule. It does not say which field it was meant for: a
/// [`Fault`](crate::Fault) does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The text, shortened.
    pub value: String,
    /// The rule that it breaks, as the end of a sentence: `must be …`.
    pub rule: &'static str,
}

impl Malformed {
    /// `text` breaks `rule`.
    #[must_use]
    pub fn new(text: &str, rule: &'static str) -> Self {
        Self { value: shortened(text), rule }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.value, self.rule)
    }
}

impl std::error::Error for Malformed {}

/// The first 40 characters of `text`, control characters escaped, for error messages.
#[must_use]
pub fn shortened(text: &str) -> String {
    const LENGTH_MAX: usize = 40;
    let mut short: String = text.chars().take(LENGTH_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(LENGTH_MAX).is_some() {
        short.push('…');
    }
    short
}
