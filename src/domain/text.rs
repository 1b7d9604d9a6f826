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

/// Gives a newtype over checked text its manners: borrowed and printed as text, parsed and
/// deserialised only by its own `parse`, stored as a text column.
macro_rules! checked_text {
    ($name:ident) => {
        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::text::Malformed;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        // What the type wrote is what it may read: rows are not checked again.
        $crate::value::field!($name, Text, |s| s.0.clone(), |v| Some(Self(v)));
    };
}
pub(crate) use checked_text;

/// Declares a text type with the rule that it keeps. `$clean` gives the text as it is kept, or
/// `None` when it breaks the rule.
macro_rules! text {
    ($($(#[$doc:meta])* $name:ident, $clean:expr, $rule:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and keeps it.
            ///
            /// # Errors
            ///
            /// When it breaks the rule of the type.
            pub fn parse(text: &str) -> Result<Self, $crate::domain::text::Malformed> {
                let clean: fn(&str) -> Option<String> = $clean;
                clean(text).map(Self).ok_or_else(|| $crate::domain::text::Malformed::new(text, $rule))
            }
        }

        $crate::domain::text::checked_text!($name);
    )+};
}

text! {
    /// A code that people choose for a feature, a tier or a product: 1–64 characters of
    /// `a-z`, `0-9`, `_`, `.`, `-`, the first a letter or a digit.
    Code, |text| is_code(text).then(|| text.to_owned()),
        "must be 1–64 of a-z 0-9 _ . -, starting with a letter or a digit";
    /// A name: 1–200 characters after trimming, without control characters.
    Name, |text| line(text, 200), "must be 1–200 characters without control characters";
    /// A short text of one line, such as a phone number or a title: 1–200 characters after
    /// trimming, without control characters.
    Line, |text| line(text, 200), "must be 1–200 characters without control characters";
    /// A longer text, such as notes: at most 10,000 characters, without NUL.
    Note, |text| (text.chars().count() <= 10_000 && !text.contains('\0')).then(|| text.to_owned()),
        "must be at most 10,000 characters without NUL";
    /// An id that another system gave: 1–255 bytes, no control or invisible characters, no space at
    /// either end, byte for byte significant.
    ExternalId, |text| is_token(text).then(|| text.to_owned()),
        "must be 1–255 bytes without control or invisible characters or space around";
    /// What makes a retry recognisable: 1–255 bytes, no control or invisible characters, no space
    /// at either end, byte for byte significant.
    IdempotencyKey, |text| is_token(text).then(|| text.to_owned()),
        "must be 1–255 bytes without control or invisible characters or space around";
    /// A language tag (BCP 47) such as `de-CH`, in its usual case.
    Locale, locale, "must be a language tag such as en or de-CH";
    /// A country, ISO 3166-1 alpha-2, in upper case.
    Country, super::country::country, "must be an ISO 3166-1 alpha-2 code";
}

impl Note {
    /// What another system said, as far as it can be kept: its first 1,000 characters, without NUL.
    pub(crate) fn clipped(text: &str) -> Self {
        Self(text.chars().filter(|c| *c != '\0').take(1_000).collect())
    }
}

impl std::borrow::Borrow<str> for Code {
    /// So that what is kept by code is found without making one.
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn is_code(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=64).contains(&text.len())
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|byte| plain(byte) || b"_.-".contains(&byte))
}

/// One trimmed line of at most `length_max` characters.
fn line(text: &str, length_max: usize) -> Option<String> {
    let text = text.trim();
    let sound = !text.is_empty()
        && text.chars().nth(length_max).is_none()
        && !text.chars().any(|c| c.is_control() || is_nonsense(c));
    sound.then(|| text.to_owned())
}

fn is_token(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.trim() == text
        && !text.chars().any(|c| c.is_control() || is_nonsense(c) || is_invisible(c))
}

/// Code points that are never text: noncharacters such as U+FFFE.
const fn is_nonsense(c: char) -> bool {
    let code = c as u32;
    code & 0xFFFE == 0xFFFE || (code >= 0xFDD0 && code <= 0xFDEF)
}

/// Characters that show nothing or turn the direction of what follows: two ids that differ only in
/// them look the same.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

/// Language, then script, region and variants: letters and digits joined by hyphens.
fn locale(text: &str) -> Option<String> {
    let mut parts = text.split(['-', '_']);
    let language = parts.next()?;
    let alphabetic = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    if text.len() > 35 || !(2..=3).contains(&language.len()) || !alphabetic(language) {
        return None;
    }
    let mut tag = language.to_ascii_lowercase();
    for part in parts {
        if !(1..=8).contains(&part.len()) || !part.bytes().all(|it| it.is_ascii_alphanumeric()) {
            return None;
        }
        tag.push('-');
        match part.len() {
            2 if alphabetic(part) => tag.push_str(&part.to_ascii_uppercase()),
            4 if alphabetic(part) => {
                let (first, rest) = part.split_at(1);
                tag.push_str(&first.to_ascii_uppercase());
                tag.push_str(&rest.to_ascii_lowercase());
            }
            _ => tag.push_str(&part.to_ascii_lowercase()),
        }
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_short_plain_and_start_with_a_letter_or_digit() {
        for good in ["a", "ai_credits", "0.5-x", &"c".repeat(64)] {
            assert!(Code::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "-a", "_a", "a b", "ä", "a\0", "a\n", &"c".repeat(65)] {
            assert!(Code::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_trimmed_and_hold_200_characters_of_any_script() {
        assert_eq!(Name::parse("  Acme  ").unwrap().as_str(), "Acme");
        assert!(Name::parse(&"ß".repeat(200)).is_ok());
        assert!(Name::parse("<script>alert(1)</script>").is_ok());
        for bad in ["", "   ", "a\0b", "a\u{1b}[2J", "a\nb", "\u{fffe}", &"ß".repeat(201)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_refuse_what_cannot_be_seen() {
        for good in ["k", "' OR 1=1 --", "é", "e\u{301}", "../../x", &"k".repeat(255)] {
            assert!(IdempotencyKey::parse(good).is_ok(), "{good}");
        }
        let bad =
            ["", " ", " k", "k ", "a\0b", "k\r\n", "a\u{202e}b", "a\u{200b}", &"k".repeat(256)];
        for bad in bad {
            assert!(IdempotencyKey::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn locales_take_their_usual_case() {
        let tags =
            [("EN", "en"), ("de_ch", "de-CH"), ("ZH-hant-tw", "zh-Hant-TW"), ("es-419", "es-419")];
        for (given, kept) in tags {
            assert_eq!(Locale::parse(given).unwrap().as_str(), kept);
        }
        for bad in ["", "e", "english", "en-", "en--US", "en-toolongsubtag", "1n"] {
            assert!(Locale::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_shown_of_bad_input_is_short_and_harmless() {
        assert_eq!(shortened("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(shortened(&"x".repeat(50)), format!("{}…", "x".repeat(40)));
    }
}
