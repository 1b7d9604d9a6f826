use super::*;
use crate::domain::run::filter::Filter;
use crate::domain::run::{Builder, Entry, due, found, unpacked};
use proptest::prelude::*;
use std::convert::Infallible;

fn run(keys: u32) -> LinkRun {
    LinkRun { number: 3, nonce: 0xfeed_beef, keys, first: 40, last: 90, heavy: 0, gone: 0 }
}

/// A run of these entries, with its blocks.
fn built(entries: &[Entry]) -> (LinkRun, Vec<LinkBlock>, Filter) {
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

/// Entries of words, each of which `often` share.
fn entries(words: u32, often: usize) -> Vec<Entry> {
    let of = |word: u32| {
        let term = Term::of(KeyKind::Word, &format!("word{word}"));
        (40..).take(often).map(move |number| Entry { hash: term.0, number })
    };
    let mut entries: Vec<Entry> = (0..words).flat_map(of).collect();
    entries.sort_unstable();
    entries
}

#[test]
fn a_term_is_the_same_for_ever() {
    assert_eq!(Term::of(KeyKind::Domain, "acme.com"), Term(0x2494_809c_0ed4));
    assert_eq!(Term::of(KeyKind::Word, "acme"), Term(0xcf6d_3cda_50f0));
    assert_eq!(Term::of(KeyKind::Compact, "株式会社"), Term(0xaae3_e7aa_3a0f));
    assert_ne!(Term::of(KeyKind::Compact, "acme"), Term::of(KeyKind::Word, "acme"));
}

#[test]
fn all_entries_of_a_term_lie_in_one_block_however_many_they_are() {
    for (words, often) in [(1, 5_000), (3_000, 1), (400, 40)] {
        let entries = entries(words, often);
        let (run, blocks, filter) = built(&entries);
        for same in entries.chunk_by(|a, b| a.hash == b.hash) {
            let number = run.block_of(same[0].hash);
            let block = unpacked(&run, number, &blocks[usize::try_from(number).unwrap()]).unwrap();
            let numbers: Vec<u64> = found(&block, same[0].hash).collect();
            assert_eq!(numbers, same.iter().map(|entry| entry.number).collect::<Vec<_>>());
            assert!(filter.may_hold(same[0].hash));
        }
    }
}

#[test]
fn an_entry_takes_eight_bytes() {
    let (_, blocks, _) = built(&entries(30_000, 2));
    let size: usize = blocks.iter().map(|block| block.packed.0.len()).sum();
    assert!(size < 60_000 * 8, "{size}");
}

#[test]
fn a_small_run_has_no_filter() {
    let (run, _, filter) = built(&entries(100, 3));
    assert_eq!((Filter::part_count(&run), filter.parts(&run).count()), (0, 0));
    assert!(filter.may_hold(7), "so it may hold anything");
}

#[test]
fn small_changes_stay_in_one_run_and_few_are_asked() {
    let (mut runs, mut written, mut most): (Vec<LinkRun>, u64, usize) = (Vec::new(), 0, 0);
    for _ in 0..20_000 {
        runs.push(run(14));
        while let Some(places) = due(&runs) {
            let keys = places.iter().map(|place| runs[*place].keys).sum();
            written += u64::from(keys);
            let mut place = 0;
            runs.retain(|_| {
                place += 1;
                !places.contains(&(place - 1))
            });
            runs.push(run(keys));
        }
        most = most.max(runs.len());
    }
    assert_eq!(runs.iter().map(|run| run.keys).sum::<u32>(), 280_000, "none is lost");
    assert!(most <= 20, "{most} runs");
    assert!(written < 16 * 280_000, "{written}");
}

#[test]
fn the_manifest_keeps_its_runs() {
    let runs = vec![run(14), LinkRun { nonce: u64::MAX, last: u32::MAX, ..run(0) }];
    let mut manifest = LinkManifest { runs: LinkManifest::packed(&runs), ..LinkManifest::empty() };
    assert_eq!(manifest.unpacked(), Ok(runs));
    assert_eq!(LinkManifest::empty().unpacked(), Ok(vec![]));
    for place in 0..manifest.runs.0.len() {
        manifest.runs.0[place] ^= 8;
        assert_eq!(manifest.unpacked(), Err(Damaged));
        manifest.runs.0[place] ^= 8;
    }
}

#[test]
fn a_summary_counts_what_is_common_in_a_run_that_is_not_small() {
    let summary = |entries: &[Entry]| {
        let mut summary = Summary::of(vec![3, 70, 7_000]);
        for entry in entries {
            summary.count(entry.hash);
        }
        summary.finish(run(u32::try_from(entries.len()).unwrap()))
    };
    let common = entries(40, 200);
    let mut all = [common.clone(), entries(5, 207)].concat();
    all.sort_unstable();
    let (common, run) = summary(&all);
    assert_eq!((common.heavy.len(), run.heavy, run.gone), (40, 40, 3));
    assert_eq!(common.heavy.iter().filter(|(_, count)| *count == 407).count(), 5);
    let block = common.packed(&run);
    assert_eq!(Summary::unpacked(&run, &block), Ok(common));
    let other = LinkRun { number: 4, ..run };
    assert_eq!(Summary::unpacked(&other, &block), Err(Damaged), "nor is it taken for another's");
    let (rare, run) = summary(&entries(4_500, 7));
    assert_eq!((rare.heavy.len(), run.heavy), (0, 0));
    let (small, run) = summary(&entries(1, 4_000));
    assert_eq!((small.heavy.len(), run.heavy, small.gone.len()), (0, 0, 3));
}

proptest! {
    #[test]
    fn what_is_gone_is_gone(ordinals: Vec<u16>, others: Vec<u16>) {
        let mut gone = Gone::default();
        gone.extend(ordinals.iter().map(|it| u32::from(*it)));
        for ordinal in ordinals.iter().chain(&others) {
            prop_assert_eq!(gone.contains(u32::from(*ordinal)), ordinals.contains(ordinal));
        }
        let all: std::collections::BTreeSet<_> = ordinals.iter().collect();
        prop_assert_eq!(gone.count(), u32::try_from(all.len()).unwrap());
    }

    #[test]
    fn no_bytes_make_a_list_panic(mut bytes: Vec<u8>) {
        bytes.insert(0, VERSION);
        let mut sealed = bytes.clone();
        seal(&mut sealed, Checksum::new());
        drop(LinkManifest { runs: Packed(sealed), ..LinkManifest::empty() }.unpacked());
        let run = run(5);
        seal(&mut bytes, Checksum::new().feed(run.summary_id().uuid().as_bytes()));
        drop(Summary::unpacked(&run, &LinkBlock { id: run.summary_id(), packed: Packed(bytes) }));
    }
}
