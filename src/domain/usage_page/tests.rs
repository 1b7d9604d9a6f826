#![expect(clippy::arithmetic_side_effects, reason = "small numbers")]

use super::super::packing::{Damaged, seal};
use super::super::usage::{DeliveryStatus, UsageEvent, UsageEventType};
use super::*;
use proptest::prelude::*;
use serde_json::json;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-01-31 12:00 UTC);

fn meter() -> MeterId {
    MeterId::from(Uuid::from_u128(0xfee1))
}

fn entry(key: &str, quantity: Quantity) -> Entry {
    let key = IdempotencyKey::parse(key).unwrap();
    let (requested, metadata) = (None, None);
    let id = UsageEventId::of(meter(), &key);
    Entry { id, key, quantity, requested, event_time: NOW, is_timed: false, metadata }
}

fn series(entries: Vec<Entry>) -> Series {
    Series {
        meter_id: meter(),
        customer_id: CustomerId::from(Uuid::from_u128(7)),
        feature_code: Code::parse("ai_credits").unwrap(),
        window_start: datetime!(2026-01-01 0:00 UTC),
        previous_value: Quantity::from(40),
        quantity_limit: Some(Quantity::from(1_000)),
        usage_ceiling: Some(Quantity::from(900)),
        included_quantity: Quantity::from(500),
        source: UsageSource::Batch,
        entries,
    }
}

fn recorded() -> Recorded {
    let product_id = ProductId::parse("default").unwrap();
    Recorded { product_id, performed_by: Some("u_17".to_owned()), created_at: NOW }
}

/// The events of a series as tracks would have recorded them.
fn expected(series: &Series) -> Vec<UsageEvent> {
    let (recorded, mut previous_value) = (recorded(), series.previous_value);
    let event = |entry: &Entry| {
        let before = previous_value;
        previous_value = before.checked_add(entry.quantity).unwrap();
        UsageEvent {
            id: UsageEventId::of(series.meter_id, &entry.key),
            meter_id: series.meter_id,
            customer_id: series.customer_id,
            feature_code: series.feature_code.clone(),
            quantity: entry.quantity,
            requested: entry.requested,
            source: series.source,
            event_type: UsageEventType::Increment,
            event_time: entry.event_time,
            window_start: series.window_start,
            is_timed: entry.is_timed,
            created_at: recorded.created_at,
            previous_value: before,
            quantity_limit: series.quantity_limit,
            usage_ceiling: series.usage_ceiling,
            included_quantity: series.included_quantity,
            adjustment_reason: None,
            adjusts_event_id: None,
            idempotency_key: entry.key.clone(),
            metadata: entry.metadata.clone(),
            performed_by: recorded.performed_by.clone(),
            product_id: recorded.product_id.clone(),
            billing_profile_id: None,
            stripe_delivery_status: DeliveryStatus::NotApplicable,
            stripe_event_id: None,
            stripe_delivery_error: None,
            delivered_at: None,
        }
    };
    series.entries.iter().map(event).collect()
}

fn pages(series: &Series) -> Vec<UsagePage> {
    series.pages(&recorded()).unwrap()
}

fn unpacked(pages: &[UsagePage]) -> Vec<UsageEvent> {
    pages.iter().flat_map(|page| page.unpacked().unwrap()).collect()
}

fn uuid_keys(count: u32) -> Vec<Entry> {
    let key = |n: u32| Uuid::new_v5(&Uuid::nil(), &n.to_le_bytes()).to_string();
    (0..count).map(|n| entry(&key(n), Quantity::ONE)).collect()
}

#[test]
fn an_event_counted_now_takes_seventeen_bytes_with_a_uuid_as_its_key() {
    let pages = pages(&series(uuid_keys(10)));
    let [page] = &pages[..] else { panic!() };
    assert_eq!(page.packed.0.len(), 1 + 10 * (1 + 16) + 4);
    assert_eq!((page.events, page.sum, page.is_wide), (10, Quantity::from(10), false));
}

#[test]
fn a_long_series_is_cut_into_pages_of_a_fitting_size() {
    for count in [1, 40, 50, 150, 200, 300, 480, 500, 2_000] {
        let series = series(uuid_keys(count));
        let pages = pages(&series);
        assert_eq!(unpacked(&pages), expected(&series), "{count}");
        for page in &pages {
            let size = page.packed.0.len();
            assert!(size <= 800 || (3_000..=8_410).contains(&size), "{count}: {size}");
        }
        assert!(
            pages.len() <= usize::try_from(count).unwrap() / 480 + 5,
            "{count}: {}",
            pages.len()
        );
    }
}

#[test]
fn what_does_not_fit_with_others_has_a_page_of_its_own() {
    let mut entries = uuid_keys(3);
    let long = json!({ "text": "x".repeat(60_000) });
    entries[1].metadata = Some(Document::try_from(long).unwrap());
    let series = series(entries);
    assert_eq!(unpacked(&pages(&series)), expected(&series));
}

#[test]
fn a_page_of_more_than_a_day_is_wide() {
    let mut entries = uuid_keys(2);
    for (after, is_wide) in [(Duration::days(1), false), (Duration::new(86_400, 1_000), true)] {
        entries[0].event_time = NOW - after;
        assert_eq!(pages(&series(entries.clone()))[0].is_wide, is_wide);
    }
}

#[test]
fn a_bit_that_turned_is_noticed() {
    let page = pages(&series(uuid_keys(3))).remove(0);
    assert_eq!(page.check(), Ok(()));
    for (place, bit) in (0..page.packed.0.len()).flat_map(|it| (0..8).map(move |bit| (it, bit))) {
        let mut page = page.clone();
        page.packed.0[place] ^= 1 << bit;
        assert_eq!(page.check(), Err(Damaged), "{place} {bit}");
    }
    let changes: [fn(&mut UsagePage); 13] = [
        |page| page.meter_id = MeterId::from(Uuid::from_u128(2)),
        |page| page.customer_id = CustomerId::from(Uuid::from_u128(2)),
        |page| page.feature_code = Code::parse("ai").unwrap(),
        |page| page.window_start += Duration::MICROSECOND,
        |page| page.last_time += Duration::MICROSECOND,
        |page| page.events += 1,
        |page| page.sum = Quantity::from(4),
        |page| page.previous_value = Quantity::ZERO,
        |page| page.quantity_limit = None,
        |page| page.usage_ceiling = None,
        |page| page.source = UsageSource::Import,
        |page| page.performed_by = None,
        |page| page.created_at += Duration::MICROSECOND,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut page = page.clone();
        change(&mut page);
        assert_eq!(page.unpacked(), Err(Damaged), "change {number}");
    }
}

#[test]
fn keys_are_found_as_they_were_written() {
    let upper = "6BA7B810-9DAD-11D1-80B4-00C04FD430C8";
    let keys = [&upper.to_lowercase(), upper, "6ba7b8109dad11d180b400c04fd430c8", "k-1"];
    let entries: Vec<Entry> = keys.map(|key| entry(key, Quantity::ONE)).into();
    let page = pages(&series(entries.clone())).remove(0);
    for entry in &entries {
        let found = page.holding(&[&entry.key]).unwrap();
        let [event] = &found[..] else { panic!("{}", entry.key) };
        assert_eq!((&event.idempotency_key, event.id), (&entry.key, entry.id));
    }
    assert_eq!(page.holding(&[&IdempotencyKey::parse("k-2").unwrap()]), Ok(vec![]));
}

#[test]
fn a_sum_out_of_range_is_no_page() {
    let most = entry("k", Quantity::MAX);
    assert!(series(vec![most.clone()]).pages(&recorded()).is_none(), "40 were used before");
    let mut empty = series(vec![most.clone(), most]);
    empty.previous_value = Quantity::ZERO;
    assert!(empty.pages(&recorded()).is_none());
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let key = prop_oneof![
        any::<u128>().prop_map(|n| Uuid::from_u128(n).to_string()),
        any::<u128>().prop_map(|n| Uuid::from_u128(n).to_string().to_uppercase()),
        "[a-zA-Z0-9é日 -]{1,80}".prop_map(|it| it.trim().to_owned() + "."),
    ];
    let quantity = prop_oneof![
        Just(1_000_000),
        (-1_000_i64..1_000).prop_map(|n| n * 1_000_000),
        -1_000_000_000_000_i64..1_000_000_000_000,
    ];
    let time =
        prop_oneof![Just(0), -1_000_000_000..1_000_000_000_i64, any::<i64>().prop_map(|n| n >> 7)];
    let metadata = prop::option::weighted(0.2, "[ -~é]{0,40}");
    (key, quantity, prop::option::of(any::<i64>()), time, any::<bool>(), metadata).prop_map(
        |(key, quantity, requested, time, is_timed, metadata)| Entry {
            requested: requested.map(Quantity::from_millionths),
            event_time: NOW + Duration::microseconds(time.clamp(-1 << 55, 1 << 55)),
            is_timed,
            metadata: metadata.map(|it| Document::try_from(json!({ "note": it })).unwrap()),
            ..entry(&key, Quantity::from_millionths(quantity))
        },
    )
}

proptest! {
    #[test]
    fn what_is_packed_is_what_tracks_would_have_recorded(
        entries in prop::collection::vec(any_entry(), 1..120)
    ) {
        let series = series(entries);
        let pages = pages(&series);
        prop_assert_eq!(unpacked(&pages), expected(&series));
        for page in pages {
            let times = page.first_time..=page.last_time;
            let within = page.unpacked().unwrap().iter().all(|it| times.contains(&it.event_time));
            prop_assert!(within);
        }
    }

    #[test]
    fn no_bytes_make_a_page_panic(mut bytes: Vec<u8>, sound in any::<bool>(), cut in any::<prop::sample::Index>()) {
        let mut page = pages(&series(uuid_keys(4))).remove(0);
        if sound {
            // A sound page of which a part is overwritten.
            let mut body = page.packed.0.clone();
            body.truncate(body.len() - 4);
            let at = cut.index(body.len());
            for (byte, other) in body.iter_mut().skip(at).zip(&bytes) {
                *byte = *other;
            }
            bytes = body;
        } else {
            bytes.insert(0, codec::VERSION);
        }
        seal(&mut bytes, page.head());
        page.packed = Packed(bytes);
        drop(page.unpacked());
    }
}
