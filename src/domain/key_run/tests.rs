use super::*;
use crate::domain::packing::Damaged;
use crate::domain::run::filter::Filter;
use crate::domain::run::{Builder, Cursor, Entry, Merge, due, found, found_near, unpacked};
use proptest::prelude::*;
use std::convert::Infallible;

fn run(keys: u32) -> KeyRun {
    KeyRun { number: 3, nonce: 0xfeed_beef_dead_cafe, keys, first_page: 40 }
}

/// Hashes as even as those of keys.
fn hashes(count: u32, seed: u8) -> Vec<u64> {
    let space = Uuid::from_bytes([seed; 16]);
    let id = |n: u32| UsageEventId::from(Uuid::new_v5(&space, &n.to_le_bytes()));
    let mut hashes: Vec<u64> = (0..count).map(|n| hash_of(id(n))).collect();
    hashes.sort_unstable();
    hashes
}

fn built(entries: &[Entry]) -> (KeyRun, Vec<KeyBlock>, Filter) {
    let mut blocks = Vec::new();
    let mut keep = |block| {
        blocks.push(block);
        Ok::<_, Infallible>(())
    };
    let mut builder = Builder::new(run(u32::try_from(entries.len()).unwrap()));
    for entry in entries {
        let Ok(()) = builder.push(*entry, &mut keep);
    }
    let Ok((run, filter)) = builder.finish(&mut keep);
    (run, blocks, filter)
}

fn entries(count: u32) -> Vec<Entry> {
    let pages = (40..).step_by(3);
    hashes(count, 1)
        .into_iter()
        .zip(pages)
        .map(|(hash, page)| Entry { hash, number: page })
        .collect()
}

#[test]
fn what_a_run_was_given_is_found_in_the_block_that_follows_from_it() {
    for count in [1, 2, 1_024, 1_025, 50_000] {
        let entries = entries(count);
        let (run, blocks, filter) = built(&entries);
        assert_eq!(blocks.len(), usize::try_from(run.blocks()).unwrap());
        let load = |number: u32| {
            let block = &blocks[usize::try_from(number).unwrap()];
            assert_eq!(block.id, run.block_id(number));
            unpacked(&run, number, block)
        };
        let all: Vec<Entry> = (0..run.blocks()).flat_map(|it| load(it).unwrap()).collect();
        assert_eq!(all, entries, "{count}");
        let mut cursor = Cursor::default();
        for entry in &entries {
            assert!(filter.may_hold(entry.hash));
            let found: Vec<u64> = cursor.numbers(&run, entry.hash, load).unwrap().collect();
            assert_eq!(found, [entry.number]);
        }
        for hash in hashes(100, 2) {
            assert_eq!(cursor.numbers(&run, hash, load).unwrap().count(), 0);
        }
    }
}

#[test]
fn two_keys_may_share_a_hash() {
    let same = [7, 9].map(|page| Entry { hash: 5 << 20, number: page + 40 });
    let (run, blocks, _) = built(&same);
    let load = |number| unpacked(&run, number, &blocks[0]);
    let found: Vec<u64> = Cursor::default().numbers(&run, 5 << 20, load).unwrap().collect();
    assert_eq!(found, [47, 49]);
}

#[test]
fn a_block_takes_ten_bytes_for_a_key_and_fits_its_place() {
    let (_, blocks, _) = built(&entries(200_000));
    let sizes = || blocks.iter().map(|block| block.packed.0.len());
    assert!(sizes().sum::<usize>() < 200_000 * 10);
    assert!(sizes().max().unwrap() < 10_000);
}

#[test]
fn the_filter_is_wrong_about_one_new_key_in_a_thousand_at_the_most() {
    let (_, _, filter) = built(&entries(200_000));
    let wrong = hashes(300_000, 2).into_iter().filter(|hash| filter.may_hold(*hash)).count();
    assert!((30..=300).contains(&wrong), "{wrong} of 300,000");
}

#[test]
fn a_filter_is_stored_in_parts() {
    for count in [1, 33, 4_096, 4_097, 50_000] {
        let (run, _, filter) = built(&entries(count));
        let parts: Vec<KeyBlock> = filter.parts(&run).collect();
        assert_eq!(parts.len(), usize::try_from(Filter::part_count(&run)).unwrap());
        let parts: Vec<Filter> =
            (0..).zip(&parts).map(|(n, part)| Filter::unpacked(&run, n, part).unwrap()).collect();
        let mut whole = parts[0].clone();
        parts.iter().skip(1).for_each(|part| whole.append(part.clone()));
        assert_eq!(whole, filter, "{count}");
        for hash in hashes(1_000, 2).into_iter().chain(hashes(count, 1)) {
            let part = &parts[usize::try_from(Filter::part_of(&run, hash)).unwrap()];
            assert_eq!(part.may_hold(hash), filter.may_hold(hash));
        }
    }
}

#[test]
fn a_bit_that_turned_is_noticed() {
    let (run, blocks, filter) = built(&entries(20));
    let part = filter.parts(&run).next().unwrap();
    for (place, bit) in (0..blocks[0].packed.0.len()).flat_map(|it| (0..8).map(move |b| (it, b))) {
        let mut block = blocks[0].clone();
        block.packed.0[place] ^= 1 << bit;
        assert_eq!(unpacked(&run, 0, &block), Err(Damaged));
    }
    for place in 0..part.packed.0.len() {
        let mut part = part.clone();
        part.packed.0[place] ^= 4;
        assert_eq!(Filter::unpacked(&run, 0, &part), Err(Damaged));
    }
    // Nor is a block taken for another.
    assert_eq!(unpacked(&run, 1, &blocks[0]), Err(Damaged));
    assert_eq!(Filter::unpacked(&run, 0, &blocks[0]), Err(Damaged));
}

#[test]
fn runs_are_merged_by_size_until_they_are_large() {
    let mut runs: Vec<KeyRun> = Vec::new();
    let (mut written, mut greatest, mut most) = (0_u64, 0, 0);
    for number in 1..=1_000 {
        runs.push(KeyRun { number, nonce: 0, keys: 10_000, first_page: 0 });
        written += 10_000;
        while let Some(places) = due(&runs) {
            assert!(places.len() > 1);
            let keys = places.iter().map(|place| runs[*place].keys).sum();
            let mut place = 0;
            runs.retain(|_| {
                place += 1;
                !places.contains(&(place - 1))
            });
            runs.push(KeyRun { number, nonce: 0, keys, first_page: 0 });
            written += u64::from(keys);
            greatest = greatest.max(keys);
        }
        most = most.max(runs.len());
    }
    assert_eq!(runs.iter().map(|run| run.keys).sum::<u32>(), 10_000_000, "none is lost");
    assert!(greatest <= KeyRun::RUN_MAX, "{greatest}");
    assert!(written < 3 * 10_000_000, "each key is written three times: {written}");
    assert!(most <= 40, "{most} runs");
}

#[test]
fn runs_of_any_size_come_to_rest() {
    let mut runs: Vec<KeyRun> = (0..5_000_u32)
        .map(|number| KeyRun { number, nonce: 0, keys: number * 7_919 % 70_000 + 1, first_page: 0 })
        .collect();
    while let Some(places) = due(&runs) {
        let keys = places.iter().map(|place| runs[*place].keys).sum();
        assert!(places.len() > 1 && keys <= KeyRun::RUN_MAX);
        let mut place = 0;
        runs.retain(|_| {
            place += 1;
            !places.contains(&(place - 1))
        });
        runs.push(KeyRun { number: 0, nonce: 0, keys, first_page: 0 });
    }
    assert!(runs.len() < 5_000 * 35_000 / 524_288 + 60, "{}", runs.len());
}

proptest! {
    #[test]
    fn merging_is_sorting(sources in prop::collection::vec(prop::collection::vec(0_u64..50, 0..20), 0..6)) {
        let entry = |hash| Entry { hash, number: 0 };
        let mut sorted: Vec<Entry> = sources.iter().flatten().copied().map(entry).collect();
        sorted.sort_unstable();
        let sources = sources.into_iter().map(|mut source| {
            source.sort_unstable();
            source.into_iter().map(entry)
        });
        let next = |source: &mut _| Ok::<_, Infallible>(Iterator::next(source));
        let Ok(mut merge) = Merge::new(sources.collect(), next);
        let mut merged = Vec::new();
        while let Ok(Some(entry)) = merge.next(next) {
            merged.push(entry);
        }
        prop_assert_eq!(merged, sorted);
    }

    #[test]
    fn no_bytes_make_a_block_panic(mut bytes: Vec<u8>) {
        let run = run(100);
        let id = run.block_id(0);
        let head = || crate::domain::packing::Checksum::new()
            .feed(id.uuid().as_bytes()).feed(&100_u32.to_le_bytes());
        bytes.insert(0, 1);
        crate::domain::packing::seal(&mut bytes, head());
        drop(unpacked(&run, 0, &KeyBlock { id, packed: Packed(bytes.clone()) }));
        drop(Filter::unpacked(&run, 0, &KeyBlock { id, packed: Packed(bytes) }));
    }
}

#[test]
fn what_is_found_near_a_guess_is_what_is_found_without_one() {
    let entries = entries(300);
    let many = Entry { hash: entries[150].hash, number: 7 };
    let crowded: Vec<Entry> =
        entries.iter().copied().chain(std::iter::repeat_n(many, 400)).collect();
    for mut entries in [Vec::new(), entries, crowded] {
        entries.sort_unstable();
        let asked =
            entries.iter().map(|it| it.hash).flat_map(|it| [it, it + 1]).chain([0, u64::MAX]);
        for hash in asked {
            let sought: Vec<u64> = found(&entries, hash).collect();
            for guess in [0, 1, entries.len() / 2, entries.len(), usize::MAX] {
                assert!(
                    found_near(&entries, guess, hash).eq(sought.iter().copied()),
                    "{hash} {guess}"
                );
            }
        }
    }
}
