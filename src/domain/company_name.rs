//! What a company's name comes down to when case, accents, punctuation and legal form are set
//! aside: for smart linking, duplicates and the uniqueness of customers' names.

mod letters;

use crate::domain::legal_form;
use crate::domain::word_weight::is_common;
pub(crate) use letters::{composed, is_letter};
use letters::{folded, is_part_of_word};

/// How many characters of a name are read. The longest registered names have about 200.
const READ_MAX: usize = 1_000;

/// How many characters of one token are kept; longer ones are no words.
const TOKEN_MAX: usize = 64;

/// How many tokens are kept.
const TOKENS_MAX: usize = 32;

/// Words for `&` between two others, which say nothing about which company it is.
const AND: [&str; 9] = ["and", "e", "en", "et", "och", "og", "und", "ve", "y"];

/// Words of names that acronyms leave out.
const SMALL_WORDS: [&str; 19] = [
    "a", "and", "da", "das", "de", "del", "der", "des", "di", "die", "do", "du", "for", "in", "la",
    "le", "of", "van", "von",
];

/// How many letters an acronym has.
pub(crate) const ACRONYM_LETTERS: std::ops::RangeInclusive<usize> = 2..=6;

/// What people type when they have no company, besides nothing at all.
const PLACEHOLDERS: [&str; 14] = [
    "company", "default", "group", "holding", "holdings", "home", "na", "none", "null", "personal",
    "private", "tbd", "test", "unknown",
];

/// A company's name, folded: two spellings of one name have the same tokens.
///
/// ```
/// use tenure::domain::company_name::CompanyName;
///
/// let name = CompanyName::fold("  SMITH & Sons GmbH & Co. KG ");
/// assert_eq!(name.tokens(), ["smith", "sons"]);
/// assert_eq!(name.compact(), "smithsons");
/// assert_eq!(name.legal_forms(), ["gmbh co kg"]);
/// assert_eq!(name.tokens(), CompanyName::fold("Smith and Sons, Inc.").tokens());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct CompanyName {
    tokens: Vec<String>,
    compact: String,
    legal_forms: Vec<&'static str>,
}

impl CompanyName {
    /// `name` folded. Only its first 1,000 characters are read, and at most 32 tokens of at most
    /// 64 characters are kept.
    ///
    /// With the feature `unicode`, compatible forms (`Ａ`, `ﬁ`) and accents (`é`) are folded too.
    /// A name that consists of nothing but legal forms keeps its last one as its only token.
    #[must_use]
    pub fn fold(name: &str) -> Self {
        let end = name.char_indices().nth(READ_MAX).map(|(end, _)| end);
        let read = end.and_then(|end| name.get(..end)).unwrap_or(name);
        let mut tokens: Vec<String> = Vec::new();
        for chunk in folded(read).split(|c: char| !is_part_of_word(c)) {
            words_of(chunk, &mut tokens);
        }
        tokens.truncate(TOKENS_MAX);
        let mut legal_forms = Vec::new();
        // Each round leaves fewer tokens or is the last; what one takes away may show a form to
        // the next.
        loop {
            let before = tokens.len();
            drop_connectors(&mut tokens);
            join_initials(&mut tokens);
            strip_legal_forms(&mut tokens, &mut legal_forms);
            if tokens.len() == before {
                break;
            }
        }
        Self { compact: tokens.concat(), tokens, legal_forms }
    }

    /// One that was folded before it was kept.
    pub(crate) fn kept(tokens: Vec<String>, legal_forms: Vec<&'static str>) -> Self {
        Self { compact: tokens.concat(), tokens, legal_forms }
    }

    /// The words that are left, in the order of the name.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The words written as one, so that `Face Book` is `Facebook`.
    #[must_use]
    pub fn compact(&self) -> &str {
        &self.compact
    }

    /// The legal forms that were taken off, the outermost first.
    #[must_use]
    pub fn legal_forms(&self) -> &[&'static str] {
        &self.legal_forms
    }

    /// Whether it tells nothing: empty, one letter, nothing but a legal form, or what people type
    /// when they have no company (`n/a`).
    #[must_use]
    pub fn is_degenerate(&self) -> bool {
        // One ideograph is a word; one letter of an alphabet is not.
        let alphabetic = |c: char| c.is_ascii() || c.is_lowercase();
        let one_letter = self.compact.chars().nth(1).is_none();
        let says_nothing = |token: &String| {
            PLACEHOLDERS.contains(&token.as_str())
                || legal_form::at_end(std::slice::from_ref(token)).is_some()
        };
        (one_letter && self.compact.chars().all(alphabetic)) || self.tokens.iter().all(says_nothing)
    }

    /// What its initials may be written as, two to six letters each: of all words; without the
    /// small words (`cgd` for `caixa geral de depositos`); with that of the legal form (`gfc` for
    /// `Golden Friends Corporation`).
    ///
    /// ```
    /// use tenure::domain::company_name::CompanyName;
    ///
    /// let name = CompanyName::fold("International Business Machines Corporation");
    /// assert_eq!(name.acronyms(), ["ibm", "ibmc"]);
    /// ```
    #[must_use]
    pub fn acronyms(&self) -> Vec<String> {
        let initials = |keep: &dyn Fn(&str) -> bool| -> String {
            let words = self.tokens.iter().filter(|word| keep(word));
            words.filter_map(|word| word.chars().next()).collect()
        };
        let all = initials(&|_| true);
        let telling = initials(&|word| !SMALL_WORDS.contains(&word));
        let form = self.legal_forms.last().and_then(|form| form.chars().next());
        let with_form = form.map(|form| format!("{telling}{form}"));
        let mut acronyms: Vec<String> = Vec::with_capacity(3);
        for acronym in [all, telling].into_iter().chain(with_form) {
            let letters = acronym.chars().count();
            if ACRONYM_LETTERS.contains(&letters) && !acronyms.contains(&acronym) {
                acronyms.push(acronym);
            }
        }
        acronyms
    }

    /// The name in the letters of the Latin alphabet, as far as its script spells sounds: Greek,
    /// Cyrillic, Georgian, Armenian, kana, Hangul. Others stay.
    #[must_use]
    pub fn latin(self) -> Self {
        if self.compact.is_ascii() {
            return self;
        }
        let tokens: Vec<String> = self.tokens.iter().map(|word| letters::latin(word)).collect();
        Self { compact: tokens.concat(), tokens, legal_forms: self.legal_forms }
    }
}

impl std::fmt::Display for CompanyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.tokens.join(" "))
    }
}

/// The key under which customers' names are unique: without regard to case, Unicode form (with the
/// feature `unicode`) and the space around and between words. Accents, punctuation and legal forms
/// count, so `Café`, `Cafe` and `Cafe Ltd` are three customers.
///
/// ```
/// use tenure::domain::company_name::name_key;
///
/// assert_eq!(name_key("  ACME \t Straße"), name_key("Acme STRASSE"));
/// assert_ne!(name_key("Café"), name_key("Cafe"));
/// ```
#[must_use]
pub fn name_key(name: &str) -> String {
    let cased = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        // Upper case first makes letters one that have several small forms (`ß`, `ς`, `ſ`); composed
        // again afterwards, since a mapping may end in marks that combine.
        let upper = composed(name).chars().flat_map(char::to_uppercase).collect::<String>();
        composed(&upper.chars().flat_map(char::to_lowercase).collect::<String>())
    };
    cased.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of what stands between two spaces: initials with dots are one (`S.A.R.L.`), other
/// dots end a word (`Co.Ltd`), apostrophes join (`McDonald's`).
fn words_of(chunk: &str, words: &mut Vec<String>) {
    let mut add = |text: &str| {
        let word: String = text.chars().filter(|c| is_letter(*c)).take(TOKEN_MAX).collect();
        unglued(word, words);
    };
    // Of nothing but single letters, the dots are no letters and go with the rest.
    if chunk.split('.').all(|part| part.chars().nth(1).is_none()) {
        add(chunk);
    } else {
        chunk.split('.').for_each(add);
    }
}

/// The word, and apart from it the legal forms that are written onto it.
fn unglued(word: String, words: &mut Vec<String>) {
    if word.is_ascii() {
        // The scripts that write so have letters of their own.
        words.extend(Some(word).filter(|word| !word.is_empty()));
        return;
    }
    let mut after = Vec::new();
    let mut rest = word.as_str();
    while let Some((first, second)) = legal_form::unglue(rest) {
        if legal_form::is_glued(first) {
            words.push(first.to_owned());
            rest = second;
        } else {
            after.push(second.to_owned());
            rest = first;
        }
    }
    if !rest.is_empty() {
        words.push(rest.to_owned());
    }
    words.extend(after.into_iter().rev());
}

/// Drops `the`, and the words for `&` between two others, as long as anything is left.
fn drop_connectors(tokens: &mut Vec<String>) {
    if tokens.iter().any(|token| token != "the") {
        tokens.retain(|token| token != "the");
    }
    let last = tokens.len().saturating_sub(1);
    let mut index = 0_usize;
    tokens.retain(|token| {
        let inner = index > 0 && index < last;
        index = index.saturating_add(1);
        !(inner && AND.contains(&token.as_str()))
    });
}

/// Joins letters that stand alone side by side: `A T & T` is `att`.
fn join_initials(tokens: &mut Vec<String>) {
    let is_initial = |token: &str| {
        let mut letters = token.chars();
        letters.next().is_some_and(char::is_lowercase) && letters.next().is_none()
    };
    if !tokens.windows(2).any(|pair| pair.iter().all(|token| is_initial(token))) {
        return;
    }
    let mut joined: Vec<String> = Vec::with_capacity(tokens.len());
    let mut in_run = false;
    for token in tokens.drain(..) {
        let initial = is_initial(&token);
        match joined.last_mut() {
            Some(run) if initial && in_run => run.push_str(&token),
            _ => joined.push(token),
        }
        in_run = initial;
    }
    *tokens = joined;
}

/// Whether these words can be all of a name behind a leading legal form: `UD Technology` is not a
/// company of the form `UD` called `Technology`.
fn names_it(words: &[String]) -> bool {
    match words {
        [] => false,
        [word] => !is_common(word),
        _ => true,
    }
}

/// Takes legal forms off both ends until none is left, but never the last word.
fn strip_legal_forms(tokens: &mut Vec<String>, found: &mut Vec<&'static str>) {
    loop {
        if let Some((count, form)) = legal_form::at_end(tokens)
            && count < tokens.len()
        {
            tokens.truncate(tokens.len().saturating_sub(count));
            found.push(form);
        } else if let Some((count, form)) = legal_form::at_start(tokens)
            && tokens.get(count..).is_some_and(names_it)
        {
            tokens.drain(..count);
            found.push(form);
        } else {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
