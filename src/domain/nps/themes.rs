//! Themes: the words that feedback comes back to. Counting, no model.

use crate::domain::company_name::{composed, is_letter};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// How many themes are told.
const THEMES_MAX: usize = 10;
/// How many letters a word has at least: `ui` is one, a letter is none.
const LETTERS_MIN: usize = 2;
/// And at the most: what is longer is no word.
const LETTERS_MAX: usize = 40;
/// How many words of one answer are looked at.
const WORDS_MAX: usize = 1_000;
/// How many different words are counted; those that come first.
const TERMS_MAX: usize = 100_000;

/// A word that several answers have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Theme {
    /// The word, in lower case.
    pub term: String,
    /// How many answers have it, however often each.
    pub responses: u64,
}

/// Words and how many answers have each.
#[derive(Debug, Default)]
pub(super) struct Terms(HashMap<String, u64>);

impl Terms {
    /// Counts the words of one more answer.
    pub(super) fn add(&mut self, feedback: &str) {
        for word in words(feedback) {
            if self.0.len() < TERMS_MAX || self.0.contains_key(&word) {
                let count = self.0.entry(word).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    /// The words that most answers have, in the order of the alphabet where as many have them.
    pub(super) fn themes(self) -> Vec<Theme> {
        let themes = self.0.into_iter().map(|(term, responses)| Theme { term, responses });
        let mut themes: Vec<_> = themes.collect();
        themes.sort_by(|a, b| b.responses.cmp(&a.responses).then_with(|| a.term.cmp(&b.term)));
        themes.truncate(THEMES_MAX);
        themes
    }
}

/// The different words of a text that say something: no numbers, no words that every text has.
fn words(text: &str) -> BTreeSet<String> {
    let text = composed(text).to_lowercase();
    let parts = text.split(|c: char| !is_letter(c) && !is_mark(c)).filter(|it| !it.is_empty());
    let says_something = |word: &&str| {
        let letters = word.chars().count();
        (LETTERS_MIN..=LETTERS_MAX).contains(&letters)
            && word.chars().any(char::is_alphabetic)
            && STOP_WORDS.binary_search(word).is_err()
    };
    parts.take(WORDS_MAX).filter(says_something).map(ToOwned::to_owned).collect()
}

/// Accents that no letter has taken up, and vowel points.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}')
}

/// Words of English and Spanish that every text has, and what apostrophes leave of them; sorted.
#[rustfmt::skip]
const STOP_WORDS: &[&str] = &[
    "about", "above", "after", "again", "al", "algo", "algunas", "algunos", "all", "also",
    "always", "am", "an", "and", "ante", "antes", "any", "aquí", "are", "aren", "as", "así", "at",
    "aunque", "aún", "be", "because", "been", "before", "being", "below", "between", "bien",
    "both", "but", "by", "cada", "can", "cannot", "cant", "casi", "como", "con", "contra",
    "could", "couldn", "cual", "cuales", "cuando", "cuándo", "de", "del", "desde", "did", "didn",
    "do", "does", "doesn", "doesnt", "doing", "don", "donde", "dont", "dos", "down", "durante",
    "during", "dónde", "each", "el", "ella", "ellas", "ellos", "en", "entre", "era", "eran",
    "eres", "es", "esa", "esas", "ese", "eso", "esos", "esta", "estaba", "estaban", "estamos",
    "estar", "estas", "este", "esto", "estos", "estoy", "está", "están", "even", "ever", "few",
    "for", "from", "fue", "fueron", "further", "get", "got", "gran", "ha", "haber", "había",
    "hace", "hacer", "had", "hadn", "han", "has", "hasn", "hasta", "have", "haven", "having",
    "hay", "he", "hemos", "her", "here", "hers", "him", "his", "how", "if", "im", "in", "into",
    "is", "isn", "isnt", "it", "its", "itself", "ive", "just", "la", "las", "le", "les", "let",
    "like", "ll", "lo", "los", "lot", "make", "many", "me", "mi", "mine", "mis", "more", "most",
    "much", "mucha", "muchas", "mucho", "muchos", "must", "muy", "my", "myself", "más", "mí",
    "nada", "ni", "no", "nor", "nos", "nosotros", "not", "now", "nuestra", "nuestras", "nuestro",
    "nuestros", "of", "off", "on", "once", "one", "only", "or", "os", "other", "otra", "otras",
    "otro", "otros", "our", "ours", "out", "over", "own", "para", "pero", "poco", "por", "porque",
    "puede", "pueden", "pues", "que", "quien", "quite", "quién", "qué", "re", "really", "same",
    "se", "sea", "ser", "será", "she", "should", "shouldn", "si", "sido", "siempre", "sin", "so",
    "sobre", "sois", "solo", "some", "somos", "son", "soy", "still", "su", "such", "sus", "sí",
    "sólo", "también", "tan", "tanto", "te", "tener", "tengo", "than", "that", "the", "their",
    "theirs", "them", "then", "there", "these", "they", "thing", "things", "this", "those",
    "through", "tiene", "tienen", "to", "toda", "todas", "todo", "todos", "too", "tras", "tu",
    "tus", "tú", "un", "una", "unas", "under", "uno", "unos", "until", "up", "us", "usar", "use",
    "used", "using", "usted", "ustedes", "va", "vamos", "van", "ve", "very", "was", "wasn", "way",
    "we", "well", "were", "weren", "what", "when", "where", "which", "while", "who", "whom",
    "why", "will", "with", "won", "would", "wouldn", "ya", "yet", "yo", "you", "your", "yours",
    "él",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn themes(answers: &[&str]) -> Vec<(String, u64)> {
        let mut terms = Terms::default();
        for answer in answers {
            terms.add(answer);
        }
        terms.themes().into_iter().map(|it| (it.term, it.responses)).collect()
    }

    #[test]
    fn stop_words_are_sorted() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn what_most_answers_say_comes_first() {
        let told = themes(&[
            "The reports are slow. Slow, slow, SLOW!",
            "It isn't the support, it's the reports",
            "Los informes son muy lentos, el soporte no",
            "",
            "100 %",
        ]);
        assert_eq!(told[0], ("reports".to_owned(), 2));
        let of_one = ["informes", "lentos", "slow", "soporte", "support"];
        assert_eq!(told[1..], of_one.map(|it| (it.to_owned(), 1)));
    }

    #[test]
    fn words_of_every_script_are_words() {
        let told = themes(&["поддержка быстрая", "सेवा अच्छी है", "サポート", "cafe\u{301} UI"]);
        let terms: BTreeSet<_> = told.iter().map(|(term, _)| term.as_str()).collect();
        for term in ["поддержка", "सेवा", "サポート", "ui"] {
            assert!(terms.contains(term), "{term} in {terms:?}");
        }
        assert_eq!(terms.iter().filter(|it| it.starts_with("caf")).count(), 1);
    }

    #[test]
    fn there_are_no_more_themes_than_anybody_reads() {
        let long = "x".repeat(10_000);
        let many: Vec<String> = (0..2_000).map(|it| format!("word{it}")).collect();
        assert_eq!(themes(&[&long]), []);
        assert_eq!(themes(&[&many.join(" ")]).len(), THEMES_MAX);
    }
}
