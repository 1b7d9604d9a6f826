//! Batches: what single tracks in the same order would have come to, at the speed of a ledger.

mod answers;
#[cfg(feature = "sqlite")]
mod files;
mod ledger;
mod order;
mod racing;
mod times;
mod twins;
mod whole;

use crate::metered::{CREDITS, credits};
use crate::support::World;
use tenure::{CustomerId, Quantity, Result, Track, UsageResult};

/// So many tracks of one credit each, with the keys `name-0`, `name-1` and so on.
fn keyed(customer: CustomerId, name: &str, count: usize) -> Vec<Track> {
    (0..count).map(|n| credits(customer, 1).key(format!("{name}-{n}"))).collect()
}

/// The answers to a batch in which nothing is refused.
fn counted(world: &World, batch: &[Track]) -> Vec<UsageResult> {
    let answers = world.tenure.track_batch(batch).unwrap();
    answers.into_iter().map(|answer| answer.unwrap()).collect()
}

/// What an event of a batch came to: counted, a duplicate, or the code of the refusal.
fn outcome(answer: &Result<UsageResult>) -> &'static str {
    match answer {
        Ok(result) if result.duplicate => "duplicate",
        Ok(_) => "counted",
        Err(error) => error.code().as_str(),
    }
}

fn outcomes(world: &World, batch: &[Track]) -> Vec<&'static str> {
    world.tenure.track_batch(batch).unwrap().iter().map(outcome).collect()
}

/// How many credits the counter says, having compared it with the ledger.
fn used(world: &World, customer: CustomerId) -> Quantity {
    world.assert_sound();
    world.check(customer, CREDITS).current_usage
}

/// The quantity of so many.
fn many(count: usize) -> Quantity {
    Quantity::from(u32::try_from(count).unwrap())
}
