//! Letters of all scripts, as far as names are compared by them.

#[cfg(feature = "unicode")]
pub(crate) fn composed(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    text.nfkc().collect()
}

#[cfg(not(feature = "unicode"))]
pub(crate) fn composed(text: &str) -> String {
    text.to_owned()
}

/// Letters in lower case, without accents, in one form.
pub(super) fn folded(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { folded_beyond_ascii(text) }
}

#[cfg(feature = "unicode")]
fn folded_beyond_ascii(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let letters = text.nfkd().filter(|c| !is_accent(*c)).flat_map(char::to_lowercase);
    letters.filter(|c| !is_accent(*c)).flat_map(plain_letters).nfc().collect()
}

#[cfg(not(feature = "unicode"))]
fn folded_beyond_ascii(text: &str) -> String {
    let letters = text.chars().flat_map(char::to_lowercase);
    letters.filter(|c| !is_accent(*c)).flat_map(plain_letters).collect()
}

/// Marks that people leave out when they type: of Latin, Greek and Cyrillic letters, and the vowel
/// points of Hebrew and Arabic. Those of other scripts make other words.
const fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}')
}

/// Letters that no normalisation takes apart, as people write them who lack the key.
fn plain_letters(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        'ß' => ('s', Some('s')),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'þ' => ('t', Some('h')),
        'ł' => ('l', None),
        'ø' => ('o', None),
        'đ' | 'ð' => ('d', None),
        'ħ' => ('h', None),
        'ı' => ('i', None),
        'ς' => ('σ', None),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

/// Letters, digits, and what may stand inside a word: dots and apostrophes.
pub(super) fn is_part_of_word(c: char) -> bool {
    is_letter(c) || c == '.' || is_apostrophe(c)
}

/// Letters and digits, and the marks of scripts that cannot be read without them (from Devanagari
/// to Tibetan, Burmese, Khmer, the voicing marks of kana).
pub(crate) fn is_letter(c: char) -> bool {
    let mark = matches!(c,
        '\u{900}'..='\u{fff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3099}' | '\u{309a}');
    c.is_alphanumeric() || mark
}

const fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '`' | '´' | '\u{2018}' | '\u{2019}' | '\u{2bc}' | '\u{2032}')
}

/// A word in Latin letters, if it is written in an alphabet or syllabary of another script.
pub(super) fn latin(word: &str) -> String {
    if word.is_ascii() || !word.chars().all(|c| c.is_ascii() || spells_sounds(c)) {
        return word.to_owned();
    }
    let latin = deunicode::deunicode(word);
    let latin: String = latin.chars().filter(char::is_ascii_alphanumeric).collect();
    if latin.is_empty() { word.to_owned() } else { latin.to_ascii_lowercase() }
}

/// Greek, Cyrillic, Armenian, Georgian, kana and Hangul.
const fn spells_sounds(c: char) -> bool {
    matches!(c,
        '\u{370}'..='\u{58f}' | '\u{10a0}'..='\u{10ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{ac00}'..='\u{d7a3}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn plain_text_is_folded_as_any_other(text in "[ -~\\t\\n]{0,60}") {
            prop_assert_eq!(folded(&text), folded_beyond_ascii(&text));
        }
    }
}
