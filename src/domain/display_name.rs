//! Display names: a friendly name for every customer, such as `WildTiger42`.

use super::customer::CustomerId;
use super::text::Malformed;
use crate::record::{id, noun};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies a display name.
    DisplayNameId;
}

noun! {
    /// A friendly name that a customer has or had; it stays reserved for that customer.
    pub struct DisplayName(DisplayNameId), "display name", "display names", "account" {
        /// Identifies the name, whoever has it.
        id: DisplayNameId,
        /// The customer that it is reserved for.
        customer_id: CustomerId,
        /// The name.
        name: String => ["WildTiger42"],
        /// Whether the customer has it now.
        is_current: bool => ["true"],
        /// When it was given.
        created_at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "for whom it is reserved",
    }
}

impl DisplayNameId {
    /// The id of a name, without regard to case: derived, so that a name is given once.
    #[must_use]
    pub fn of(name: &str) -> Self {
        const SPACE: Uuid = Uuid::from_u128(0x1d5e_7001_5c3f_4f0a_9d3e_2f61_0c1b_a003);
        Self::from(Uuid::new_v5(&SPACE, name.to_ascii_lowercase().as_bytes()))
    }
}

const ADJECTIVES: [&str; 64] = [
    "Able", "Agile", "Amber", "Ample", "Arctic", "Azure", "Bold", "Brave", "Bright", "Brisk",
    "Calm", "Candid", "Clear", "Clever", "Coral", "Cosmic", "Crisp", "Curious", "Daring", "Deft",
    "Eager", "Early", "Fair", "Fleet", "Fond", "Frank", "Fresh", "Gentle", "Glad", "Golden",
    "Grand", "Happy", "Hardy", "Honest", "Humble", "Ivory", "Jolly", "Keen", "Kind", "Lively",
    "Lucid", "Lucky", "Lunar", "Mellow", "Merry", "Mighty", "Modest", "Neat", "Nimble", "Noble",
    "Patient", "Placid", "Plucky", "Proud", "Quick", "Quiet", "Rapid", "Royal", "Silver", "Solar",
    "Steady", "Sunny", "Wild", "Wise",
];

const ANIMALS: [&str; 64] = [
    "Badger", "Bear", "Beaver", "Bison", "Bobcat", "Camel", "Cheetah", "Condor", "Coyote", "Crane",
    "Deer", "Dolphin", "Eagle", "Egret", "Elk", "Falcon", "Ferret", "Finch", "Fox", "Gazelle",
    "Gecko", "Hare", "Hawk", "Heron", "Horse", "Ibex", "Ibis", "Jaguar", "Koala", "Lark", "Lemur",
    "Leopard", "Lion", "Lynx", "Marten", "Moose", "Narwhal", "Newt", "Ocelot", "Orca", "Oriole",
    "Osprey", "Otter", "Owl", "Panda", "Panther", "Pelican", "Penguin", "Puffin", "Puma", "Raven",
    "Robin", "Salmon", "Seal", "Sparrow", "Stork", "Swan", "Tern", "Tiger", "Turtle", "Walrus",
    "Whale", "Wolf", "Wren",
];

/// How many attempts are made with numbers of one length.
const ATTEMPTS: u32 = 4;

/// How many digits a number has at first, and how many more at most.
const DIGITS: u32 = 2;
const LONGER_MAX: u32 = 10;

/// How many numbers there are for the names of an attempt.
fn spread(attempt: u32) -> u128 {
    let longer = attempt.div_euclid(ATTEMPTS).min(LONGER_MAX);
    10_u128.saturating_pow(DIGITS.saturating_add(longer))
}

/// The attempt to begin with where about so many names are taken: the first whose names are free
/// ninety-nine times out of a hundred.
///
/// ```
/// use tenure::domain::display_name::{first_attempt, friendly};
///
/// assert!(friendly(u128::MAX, first_attempt(50_000)).len() > friendly(u128::MAX, 0).len());
/// ```
#[must_use]
pub fn first_attempt(taken: u64) -> u32 {
    const PAIRS: u128 = 64 * 64;
    let wanted = u128::from(taken).saturating_mul(100);
    let are_enough = |attempt: &u32| PAIRS.saturating_mul(spread(*attempt)) >= wanted;
    let mut attempts = (0..LONGER_MAX).map(|longer| longer.saturating_mul(ATTEMPTS));
    attempts.find(are_enough).unwrap_or(LONGER_MAX * ATTEMPTS)
}

/// The name that `random` stands for: an adjective, an animal and a number. There are 409,600 short
/// ones; the more often a name was taken (`attempt`), the longer the number gets.
#[must_use]
pub fn friendly(random: u128, attempt: u32) -> String {
    let spread = spread(attempt);
    let pick = |words: &[&'static str; 64], by: u128| {
        let place = usize::try_from(by.rem_euclid(64)).unwrap_or(0);
        words.get(place).copied().unwrap_or("Bold")
    };
    let number = (random >> 12).rem_euclid(spread);
    format!("{}{}{number}", pick(&ADJECTIVES, random), pick(&ANIMALS, random >> 6))
}

/// A display name that somebody chose: 3–40 letters and digits of ASCII, the first a letter.
///
/// # Errors
///
/// When it is not.
pub fn chosen(name: &str) -> Result<String, Malformed> {
    let sound = (3..=40).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    sound
        .then(|| name.to_owned())
        .ok_or_else(|| Malformed::new(name, "must be 3–40 letters and digits, a letter first"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_an_adjective_an_animal_and_a_number() {
        assert_eq!(friendly((42 * 64 + 58) * 64 + 62, 0), "WildTiger42");
        assert_eq!(friendly(0, 0), "AbleBadger0");
        assert!(chosen(&friendly(u128::MAX, u32::MAX)).is_ok());
    }

    #[test]
    fn no_word_stands_twice() {
        for words in [ADJECTIVES, ANIMALS] {
            assert!(words.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn names_get_longer_when_one_in_a_hundred_is_taken() {
        let first = [0, 1, 4_096, 4_097, 40_960, 40_961, 409_601].map(first_attempt);
        assert_eq!(first, [0, 0, 0, 4, 4, 8, 12]);
        assert_eq!(spread(first_attempt(u64::MAX)), 10_u128.pow(12));
    }

    #[test]
    fn what_was_taken_often_gets_more_room() {
        assert!(friendly(u128::MAX, 40).len() > friendly(u128::MAX, 0).len());
    }
}
