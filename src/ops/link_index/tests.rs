use super::*;
use crate::domain::customer::CustomerId;
use crate::domain::domain_name::DomainName;
use crate::domain::match_keys::{KeyKind, Known};
use crate::error::Error;
use crate::store::memory::MemoryStore;
use crate::tenure::Tenure;
use crate::tx::Tx;
use crate::{Config, OrgId};
use uuid::Uuid;

fn world(link_memory_max: usize) -> Tenure {
    let config = Config { link_memory_max, ..Config::default() };
    Tenure::builder(MemoryStore::new()).config(config).open().unwrap()
}

/// A customer who shares a word and a domain with every other.
fn known(number: u32) -> Known {
    let domain = DomainName::parse(&format!("firm{number}.test")).unwrap();
    Known::new(&format!("Zorg Firm{number}"), &[domain], &[])
}

fn put(tx: &mut Tx<'_>, numbers: std::ops::Range<u32>) -> Result<()> {
    numbers.into_iter().try_for_each(|number| {
        tx.index_known(CustomerId::from(Uuid::from_u128(u128::from(number))), known(number))
    })
}

fn word(text: &str) -> Term {
    Term::of(KeyKind::Word, text)
}

fn each(index: &LinkIndex<'_>, term: Term, cap: u32) -> (Vec<u32>, u32) {
    let mut all = Vec::new();
    let count = index.each(term, cap, &mut |ordinal| all.push(ordinal)).unwrap();
    (all, count)
}

#[test]
fn a_term_tells_who_has_it_and_how_many_they_are() {
    let world = world(1 << 20);
    world.write(|tx| put(tx, 0..600)).unwrap();
    world.write(|tx| put(tx, 600..601)).unwrap();
    world
        .read(|view| {
            let index = view.link_index()?;
            assert_eq!(index.size(), 601);
            assert_eq!(index.count(word("zorg"))?, 601);
            assert_eq!(index.weight_count(word("zorg"))?, 600, "small runs do not count");
            assert_eq!(index.weight_count(word("firm7"))?, 0);
            assert_eq!(each(&index, word("zorg"), 1_000).0.len(), 601);
            let (none, count) = each(&index, word("zorg"), 200);
            assert!(none.is_empty() && count > 200, "{count}");
            let (one, 1) = each(&index, word("firm7"), 200) else { panic!("not one") };
            let profile = index.profile(one[0])?.unwrap();
            assert_eq!(profile.known, known(7));
            assert_eq!(index.profile(700)?, None);
            Ok::<_, Error>(())
        })
        .unwrap();
}

#[test]
fn what_waits_is_found_before_it_is_written() {
    let world = world(1 << 20);
    world.write(|tx| put(tx, 0..3)).unwrap();
    world
        .write(|tx| {
            put(tx, 3..400)?;
            let view = tx.view();
            let index = view.link_index()?;
            assert_eq!((index.size(), index.count(word("zorg"))?), (400, 400));
            let (one, 1) = each(&index, word("firm390"), 9) else { panic!("not one") };
            assert_eq!(index.profile(one[0])?.unwrap().known, known(390));
            Ok::<_, Error>(())
        })
        .unwrap();
}

#[test]
fn an_ordinal_that_was_given_up_is_not_remembered() {
    let world = world(1 << 20);
    let written = |numbers: std::ops::Range<u32>, is_kept: bool| {
        let done = world.write(|tx| {
            put(tx, numbers.clone())?;
            tx.write_link_index()?;
            let known = tx.view().link_index()?.profile(1)?.unwrap().known.clone();
            assert_eq!(known, self::known(numbers.start));
            if is_kept { Ok(()) } else { Err(Error::rule("given up")) }
        });
        assert_eq!(done.is_ok(), is_kept);
    };
    written(5..6, false);
    written(8..9, true);
    let first = || world.read(|view| Ok::<_, Error>(view.link_index()?.profile(1)?.unwrap()));
    assert_eq!(first().unwrap().known, known(8));
    assert!(Arc::ptr_eq(&first().unwrap(), &first().unwrap()), "now it is");
}

#[test]
fn no_more_is_remembered_than_there_is_room_for() {
    for max in [0, 20_000, 100_000, 1 << 20] {
        let world = world(max);
        world.write(|tx| put(tx, 0..900)).unwrap();
        for org in ["this", "that"].map(OrgId::named).into_iter().chain([world.org()]) {
            let world = world.for_org_id(org);
            if org != OrgId::DEFAULT {
                world.write(|tx| put(tx, 0..300)).unwrap();
            }
            for number in (0..300).chain(0..300) {
                let found = world.read(|view| {
                    let index = view.link_index()?;
                    let (one, 1) = each(&index, word(&format!("firm{number}")), 9) else {
                        panic!("not one")
                    };
                    Ok::<_, Error>(index.profile(one[0])?.unwrap().known.clone())
                });
                assert_eq!(found.unwrap(), known(number));
                let size = world.read(|view| Ok::<_, Error>(view.link_cache().size())).unwrap();
                assert!(size <= max, "{size} of {max}");
                assert!(max == 0 || size > 0, "something is remembered");
            }
        }
    }
}

#[test]
fn a_merge_drops_what_is_gone_and_forgets_that_it_is() {
    let world = world(1 << 20);
    let runs = || world.read(|view| Ok::<_, Error>(view.link_state()?.runs())).unwrap();
    let entries = || runs().iter().map(|run| run.keys).sum::<u32>();
    world.write(|tx| put(tx, 0..10)).unwrap();
    let once = entries();
    for _ in 0..30 {
        let customer = CustomerId::from(Uuid::from_u128(3));
        world
            .write(|tx| {
                let stored = tx.view().link_profile(customer)?.unwrap();
                let ordinal = stored.id.ordinal().unwrap();
                tx.waiting_mut().take_back(ordinal);
                tx.index_known(customer, known(3))
            })
            .unwrap();
    }
    assert_eq!((runs().len(), entries()), (1, once), "all of it is small");
    assert_eq!(runs().iter().map(|run| run.gone).sum::<u32>(), 0);
}
