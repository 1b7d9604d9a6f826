//! How alike two words are.

/// How two words that are not equal may be one word all the same, with how much of the word's
/// weight that keeps: 0–1.
///
/// A beginning (`tech`, `technologies`), an abbreviation that leaves letters out (`hldgs`,
/// `holdings`), an initial, or a typo.
pub(super) fn words_alike(a: &str, b: &str) -> f32 {
    if a == b {
        return 1.0;
    }
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let (mut short_letters, mut long_letters) = (short.chars(), long.chars());
    let same_start = short_letters.next() == long_letters.next();
    if same_start {
        let Some(_) = short_letters.next() else { return INITIAL };
        if let Some(rest) = long.strip_prefix(short) {
            return beginning(short, rest);
        }
        if abbreviates(short, long) {
            return ABBREVIATED;
        }
    }
    typo(short, long, same_start)
}

/// A letter that stands for a word.
const INITIAL: f32 = 0.3;
/// A word without some of its letters.
const ABBREVIATED: f32 = 0.7;
/// Two letters that begin a word.
const TWO_LETTERS: f32 = 0.5;
/// A beginning of three letters or more.
const BEGINNING: f32 = 0.8;
/// An ending that makes no other word: `system` and `systems`.
const ENDING: f32 = 0.95;

fn beginning(short: &str, rest: &str) -> f32 {
    match (short.chars().count(), rest) {
        (3.., "s" | "es" | "e" | "n" | "en") => ENDING,
        (2, _) => TWO_LETTERS,
        _ => BEGINNING,
    }
}

/// Whether `short` is `long` without some letters, the first and the last letter being the same
/// or the last one left out too: `svcs`, `rlty`, `intl`, `grp`.
fn abbreviates(short: &str, long: &str) -> bool {
    let (few, many) = (short.chars().count(), long.chars().count());
    let mut rest = long.chars();
    // Shorter by a third or by three letters at least: otherwise it is a typo.
    let shorter = few.saturating_mul(3) <= many.saturating_mul(2) || many.abs_diff(few) > 2;
    few >= 3 && shorter && short.chars().all(|c| rest.any(|other| other == c))
}

/// How likely two words are one, mistyped. Short words have no room for a typo: another letter
/// makes another word.
fn typo(short: &str, long: &str, same_start: bool) -> f32 {
    let (few, many) = (short.chars().count(), long.chars().count());
    if few < 3 || many.abs_diff(few) > 2 || many < 4 {
        return 0.0;
    }
    let last = |text: &str| text.chars().next_back();
    if !same_start && last(short) != last(long) {
        return 0.0;
    }
    let edits = strsim::osa_distance(short, long);
    let allowed = match many {
        0..=7 => 1,
        8..=12 => 2,
        _ => 3,
    };
    if edits > allowed {
        return 0.0;
    }
    let cost = match few == many {
        // Of few letters, one exchanged makes another name too.
        _ if edits == 1 && many > 5 && is_slip(short, long) => SLIP,
        true => ANOTHER_LETTER,
        false => MISSING_LETTER,
    };
    (1.0 - cost * measure(edits) / measure(many)).max(0.0)
}

/// What an edit costs, in letters: hands exchange neighbours and double a letter more often than
/// they leave one out, and more often that than that they hit another, which makes another name
/// (`globex`, `globes`).
const SLIP: f32 = 1.0;
const MISSING_LETTER: f32 = 1.5;
const ANOTHER_LETTER: f32 = 2.0;

/// Whether the one edit between two words exchanges neighbours or doubles a letter.
fn is_slip(short: &str, long: &str) -> bool {
    let letters = |text: &str| text.chars().collect::<Vec<char>>();
    let (mut few, mut many) = (letters(short), letters(long));
    if few.len() == many.len() {
        few.sort_unstable();
        many.sort_unstable();
    } else {
        few.dedup();
        many.dedup();
    }
    few == many
}

/// A count as a measure; those of letters, words and rivals are far below what a float holds exactly.
pub(crate) fn measure(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}
