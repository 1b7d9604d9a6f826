//! What a batch seals is read like what was tracked one by one.

use crate::support::{BEGINNING, World, document};
use serde_json::json;
use std::collections::BTreeSet;
use tenure::domain::usage_page::{Entry, Series};
use tenure::{
    Code, Config, CustomerId, HistoryFilter, IdempotencyKey, MeterId, Quantity, Tenure, Track,
    UsageEvent, UsageEventId, UsageEventType, UsageSource, View,
};
use time::{Duration, OffsetDateTime};

const CREDITS: &str = "ai_credits";

fn meter(customer: CustomerId) -> MeterId {
    MeterId::of(customer, &Code::parse(CREDITS).unwrap())
}

fn entry(meter: MeterId, key: &str, event_time: OffsetDateTime) -> Entry {
    let key = IdempotencyKey::parse(key).unwrap();
    let id = UsageEventId::of(meter, &key);
    let (quantity, requested) = (Quantity::ONE, None);
    Entry { id, key, quantity, requested, event_time, is_timed: true, metadata: None }
}

/// A batch on the running window of a customer's meter.
fn series(world: &World, customer: CustomerId, entries: Vec<Entry>) -> Series {
    Series {
        meter_id: meter(customer),
        customer_id: customer,
        feature_code: Code::parse(CREDITS).unwrap(),
        window_start: world.seen(|view| view.customer(customer)).created_at,
        previous_value: Quantity::ZERO,
        quantity_limit: None,
        usage_ceiling: None,
        included_quantity: Quantity::ZERO,
        source: UsageSource::Batch,
        entries,
    }
}

fn found(view: &View<'_>, meter: MeterId, key: &str) -> tenure::Result<Option<UsageEvent>> {
    let key = IdempotencyKey::parse(key).unwrap();
    let id = UsageEventId::of(meter, &key);
    let mut found = view.sealed_usage(&[(meter, id, &key)])?;
    assert!(found.len() <= 1);
    Ok(found.remove(&id))
}

/// The whole history, so many at a time.
fn history(
    world: &World,
    customer: CustomerId,
    filter: &HistoryFilter,
    limit: usize,
) -> Vec<UsageEvent> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = world
            .seen(|view| view.usage_history(customer, CREDITS, filter, limit, cursor.as_ref()));
        assert!(page.items.len() <= limit && (page.next.is_none() || page.items.len() == limit));
        all.extend(page.items);
        match page.next {
            // A cursor survives being written down.
            Some(next) => cursor = Some(next.to_string().parse().unwrap()),
            None => return all,
        }
    }
}

fn a_sealed_key_is_found_and_no_other(world: &World) {
    world.catalogue();
    let (acme, globex) = (world.customer_on("pro", "Acme"), world.customer_on("pro", "Globex"));
    let absent = world.seen(|view| found(view, meter(acme), "k-1"));
    assert_eq!(absent, None, "before anything was sealed");
    let mut first = entry(meter(acme), "k-1", BEGINNING);
    first.quantity = Quantity::from(3);
    first.metadata = Some(document(json!({ "model": "large" })));
    let batch = series(world, acme, vec![first, entry(meter(acme), "k-2", BEGINNING)]);
    let other = series(world, globex, vec![entry(meter(globex), "k-1", BEGINNING)]);
    world.done(|tx| tx.seal_usage(&[batch.clone(), other.clone()]));
    let event = world.seen(|view| found(view, meter(acme), "k-1")).unwrap();
    assert_eq!((event.quantity, event.customer_id), (Quantity::from(3), acme));
    assert_eq!(event.metadata, Some(document(json!({ "model": "large" }))));
    let event = world.seen(|view| found(view, meter(acme), "k-2")).unwrap();
    assert_eq!(event.previous_value, Quantity::from(3), "they are counted in order");
    let event = world.seen(|view| found(view, meter(globex), "k-1")).unwrap();
    assert_eq!(event.customer_id, globex, "the same key on another meter is another key");
    assert_eq!(world.seen(|view| found(view, meter(globex), "k-2")), None);
    let beside = world.beside("other");
    assert_eq!(beside.seen(|view| found(view, meter(acme), "k-1")), None, "in another org");
}

fn what_was_given_up_is_not_sealed(world: &World) {
    world.catalogue();
    let acme = world.customer_on("pro", "Acme");
    let batch = |key: &str| [series(world, acme, vec![entry(meter(acme), key, BEGINNING)])];
    let (kept, lost, next) = (batch("kept"), batch("lost"), batch("next"));
    world.done(|tx| tx.seal_usage(&kept));
    let given_up: tenure::Result<()> = world.tried(|tx| {
        tx.seal_usage(&lost)?;
        assert!(found(&tx.view(), meter(acme), "lost")?.is_some(), "it sees itself");
        Err(tenure::Error::Rule("no".to_owned()))
    });
    assert!(given_up.is_err());
    assert_eq!(world.seen(|view| found(view, meter(acme), "lost")), None);
    // What the handle remembers of the run that was given up is not taken for the next one's.
    world.done(|tx| tx.seal_usage(&next));
    for (key, is_there) in [("kept", true), ("lost", false), ("next", true)] {
        assert_eq!(world.seen(|view| found(view, meter(acme), key)).is_some(), is_there, "{key}");
    }
}

/// Many batches, so that runs are merged, and handles that remember all, nothing, or something old.
fn keys_are_found_however_many_batches_there_were(world: &World) {
    world.catalogue();
    let customers = ["Acme", "Globex", "Initech"].map(|name| world.customer_on("pro", name));
    let mut keys = Vec::new();
    for batch in 0..40_usize {
        let of = |customer: CustomerId| {
            let count = if batch == 7 { 300 } else { 5 + batch % 3 };
            let key = |n: usize| format!("{batch}-{n}");
            let entries = (0..count).map(|n| entry(meter(customer), &key(n), BEGINNING)).collect();
            series(world, customer, entries)
        };
        let batch: Vec<Series> = customers.iter().map(|customer| of(*customer)).collect();
        let given = batch.iter().flat_map(|it| it.entries.iter().map(|e| (it.meter_id, e.clone())));
        keys.extend(given);
        world.done(|tx| tx.seal_usage(&batch));
    }
    let asked: Vec<_> = keys.iter().map(|(meter, entry)| (*meter, entry.id, &entry.key)).collect();
    let found = world.seen(|view| view.sealed_usage(&asked));
    assert_eq!(found.len(), keys.len());
    for (meter, entry) in &keys {
        let event = &found[&entry.id];
        assert_eq!((event.meter_id, &event.idempotency_key), (*meter, &entry.key));
    }
    let strangers: Vec<Entry> =
        (0..2_000).map(|n| entry(meter(customers[0]), &format!("x-{n}"), BEGINNING)).collect();
    let asked: Vec<_> = strangers.iter().map(|it| (meter(customers[0]), it.id, &it.key)).collect();
    assert!(world.seen(|view| view.sealed_usage(&asked)).is_empty());
}

fn a_history_goes_through_pages_and_single_events_alike(world: &World) {
    world.catalogue();
    let acme = world.customer_on("pro", "Acme");
    world.clock.advance(Duration::hours(30));
    let mut expected = BTreeSet::new();
    for round in 0..6_i64 {
        let at = |n: i64| BEGINNING + Duration::minutes((round * 7 + n * 13) % 1_500);
        for n in 0..3 {
            let track = Track::new(acme, CREDITS).key(format!("t-{round}-{n}")).at(at(n));
            let event = world.tenure.track(&track).unwrap().event_id;
            expected.insert((at(n), event));
        }
        // Every other batch spans more than a day.
        let step = if round % 2 == 0 { 1 } else { 29 };
        let sealed = (0..60).map(|n| entry(meter(acme), &format!("b-{round}-{n}"), at(n * step)));
        let sealed: Vec<Entry> = sealed.collect();
        expected.extend(sealed.iter().map(|entry| (entry.event_time, entry.id)));
        let batch = [series(world, acme, sealed)];
        world.done(|tx| tx.seal_usage(&batch));
    }
    let all = HistoryFilter::all();
    let newest_first: Vec<_> = expected.iter().rev().copied().collect();
    for limit in [1, 7, 50, 1_000] {
        let read = history(world, acme, &all, limit);
        let read: Vec<_> = read.iter().map(|event| (event.event_time, event.id)).collect();
        assert_eq!(read, newest_first, "{limit} at a time");
    }
    let (from, to) = (BEGINNING + Duration::hours(5), BEGINNING + Duration::hours(20));
    let part = history(world, acme, &all.clone().from(from).to(to), 20);
    let within = newest_first.iter().filter(|(at, _)| (from..to).contains(at)).count();
    assert!(part.len() == within && within > 50, "{} {within}", part.len());
    assert!(part.iter().all(|event| (from..to).contains(&event.event_time)));
    let set = history(world, acme, &all.clone().of_type(UsageEventType::Set), 20);
    assert_eq!(set, []);
    let increments = history(world, acme, &all.of_type(UsageEventType::Increment), 100);
    assert_eq!(increments.len(), newest_first.len());
}

/// The index is in sections of some thousand pages; what a meter has lies in any of them.
fn a_history_goes_through_every_section(world: &World) {
    world.catalogue();
    let (acme, globex) = (world.customer_on("pro", "Acme"), world.customer_on("pro", "Globex"));
    let mut expected = Vec::new();
    for round in 0..2_i64 {
        for hour in [3, 1, 2] {
            let at = BEGINNING + Duration::hours(hour * 10 + round);
            let one = entry(meter(acme), &format!("a-{round}-{hour}"), at);
            expected.push((at, one.id));
            let batch = [series(world, acme, vec![one])];
            world.done(|tx| tx.seal_usage(&batch));
        }
        let other = series(world, globex, vec![entry(meter(globex), "g", BEGINNING)]);
        let others: Vec<Series> = (0..8_200)
            .map(|n| {
                let key = format!("g-{round}-{n}");
                Series { entries: vec![entry(meter(globex), &key, BEGINNING)], ..other.clone() }
            })
            .collect();
        world.done(|tx| tx.seal_usage(&others));
    }
    expected.sort_unstable();
    expected.reverse();
    for limit in [1, 4, 100] {
        let read = history(world, acme, &HistoryFilter::all(), limit);
        let read: Vec<_> = read.iter().map(|event| (event.event_time, event.id)).collect();
        assert_eq!(read, expected, "{limit} at a time");
    }
    assert_eq!(world.tenure.verify(|_| ()).unwrap().events, 2 * 8_203);
    assert!(world.seen(|view| found(view, meter(globex), "g-1-8199")).is_some());
}

fn what_is_sealed_is_added_up(world: &World) {
    world.catalogue();
    let acme = world.customer_on("pro", "Acme");
    let event = world.tenure.track(&Track::new(acme, CREDITS)).unwrap();
    let start = history(world, acme, &HistoryFilter::all(), 9)[0].window_start;
    let entries: Vec<Entry> =
        (0..500).map(|n| entry(meter(acme), &format!("k-{n}"), BEGINNING)).collect();
    let mut batch = series(world, acme, entries);
    batch.window_start = start;
    world.done(|tx| tx.seal_usage(std::slice::from_ref(&batch)));
    let verified = world.tenure.verify(|_| ()).unwrap();
    assert_eq!(verified.events, 501);
    let [difference] = &verified.discrepancies[..] else { panic!("{verified:?}") };
    assert_eq!((difference.stored, difference.computed), (event.delta, Quantity::from(501)));
    world.done(|tx| tx.reconcile(acme, CREDITS));
    assert!(world.tenure.verify(|_| ()).unwrap().is_sound());
}

fn a_handle_without_memory_finds_the_same(world: &World) {
    world.catalogue();
    let acme = world.customer_on("pro", "Acme");
    for batch in 0..20 {
        let key = |n: usize| format!("{batch}-{n}");
        let entries = (0..50).map(|n| entry(meter(acme), &key(n), BEGINNING)).collect();
        let batch = [series(world, acme, entries)];
        world.done(|tx| tx.seal_usage(&batch));
    }
    for batch in 0..20 {
        let of = |n: usize| format!("{batch}-{n}");
        assert!(world.seen(|view| found(view, meter(acme), &of(49))).is_some());
        assert!(world.seen(|view| found(view, meter(acme), &of(50))).is_none());
    }
}

/// The same on a handle that may remember nothing.
#[test]
fn no_memory_changes_no_answer() {
    let mut config = Config::default();
    config.key_memory_max = 0;
    let world =
        World::over(tenure::store::memory::MemoryStore::new(), |builder| builder.config(config));
    a_handle_without_memory_finds_the_same(&world);
    a_sealed_key_is_found_and_no_other(&world.beside("another"));
    keys_are_found_however_many_batches_there_were(&world.beside("a third"));
}

/// Handles that share nothing but the file see what the others sealed.
#[cfg(feature = "sqlite")]
#[test]
fn another_process_sees_what_was_sealed() {
    use tenure::store::sqlite::SqliteStore;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let world = World::over(SqliteStore::create(&path).unwrap(), |builder| builder);
    let other = Tenure::open(SqliteStore::options().open(&path).unwrap()).unwrap();
    world.catalogue();
    let acme = world.customer_on("pro", "Acme");
    for n in 0..40 {
        let key = format!("k-{n}");
        assert!(other.read(|view| found(view, meter(acme), &key)).unwrap().is_none());
        let batch = [series(&world, acme, vec![entry(meter(acme), &key, BEGINNING)])];
        let writer = if n % 2 == 0 { &world.tenure } else { &other };
        writer.write(|tx| tx.seal_usage(&batch)).unwrap();
        assert!(other.read(|view| found(view, meter(acme), &key)).unwrap().is_some());
        assert!(world.seen(|view| found(view, meter(acme), &key)).is_some());
    }
}

stories! {
    a_sealed_key_is_found_and_no_other,
    what_was_given_up_is_not_sealed,
    keys_are_found_however_many_batches_there_were,
    a_history_goes_through_pages_and_single_events_alike,
    a_history_goes_through_every_section,
    what_is_sealed_is_added_up,
    a_handle_without_memory_finds_the_same,
}
