//! The index of smart linking: in step with the customers whatever happens to them, for every handle
//! at once, and mended when it is damaged.

use crate::tampered::Tampered;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;
use tenure::store::StoreError;
use tenure::store::memory::MemoryStore;
use tenure::value::{Row, Value};
use tenure::{
    AliasKind, Config, ContactDraft, Customer, CustomerDraft, CustomerId, Error, Hints,
    LinkDiscrepancyKind, Result, SmartLink, Store, Tenure, Tx,
};

/// One empty store of every backend.
pub fn stores() -> Vec<Arc<dyn Store>> {
    vec![
        Arc::new(MemoryStore::new()),
        #[cfg(feature = "sqlite")]
        Arc::new(tenure::store::sqlite::SqliteStore::in_memory().unwrap()),
    ]
}

pub fn handle(store: &Arc<dyn Store>) -> Tenure {
    Tenure::open(Arc::clone(store)).unwrap()
}

/// A handle that may remember so many bytes.
fn forgetful(store: &Arc<dyn Store>, bytes: usize) -> Tenure {
    let mut config = Config::default();
    config.link_memory_max = bytes;
    Tenure::builder(Arc::clone(store)).config(config).open().unwrap()
}

fn create(tenure: &Tenure, name: &str) -> Customer {
    tenure.write(|tx| tx.create_customer(&CustomerDraft::named(name))).unwrap()
}

fn create_all(tenure: &Tenure, names: &[impl AsRef<str>]) {
    let create = |tx: &mut Tx<'_>| {
        let mut drafts = names.iter().map(|name| CustomerDraft::named(name.as_ref()));
        drafts.try_for_each(|draft| tx.create_customer(&draft).map(drop))
    };
    tenure.write(create).unwrap();
}

/// Whom a name finds, each with how sure that is.
fn found(tenure: &Tenure, hints: &Hints) -> Vec<(CustomerId, String, f64)> {
    let one =
        |it: tenure::Suggestion| (it.customer_id, it.customer_name.to_string(), it.confidence);
    match tenure.read(|view| view.find_match(hints, 0.6)).unwrap() {
        SmartLink::Linked(it) => vec![one(it)],
        SmartLink::Suggestions { suggestions } => suggestions.into_iter().map(one).collect(),
        _ => Vec::new(),
    }
}

fn finds(tenure: &Tenure, name: &str) -> bool {
    !found(tenure, &Hints::new().company_name(name)).is_empty()
}

fn assert_sound(tenure: &Tenure) {
    let check = tenure.check_link_index(|_| ()).unwrap();
    assert!(check.is_sound(), "{:?}", check.discrepancies);
}

const NAMES: [&str; 8] = [
    "Acme Inc.",
    "Globex Corporation",
    "Initech",
    "Umbrella Group",
    "Umbrella Holdings",
    "Stark Industries",
    "Wayne Industries Ltd",
    "Hooli",
];
const DOMAINS: [&str; 4] = ["acme.com", "globex.example", "initech.co.uk", "umbrella.test"];
const EMAILS: [&str; 4] = ["ada@acme.com", "bob@globex.example", "eve@gmail.com", "x@wayne.test"];

/// Everything that can be asked of these.
fn all_answers(tenure: &Tenure) -> Vec<Vec<(CustomerId, String, f64)>> {
    let names = NAMES.iter().map(|name| Hints::new().company_name(*name));
    let domains = DOMAINS.iter().map(|domain| Hints::new().domain(*domain));
    let emails = EMAILS.iter().map(|email| Hints::new().email(*email));
    names.chain(domains).chain(emails).map(|hints| found(tenure, &hints)).collect()
}

/// All pairs of duplicates, by customers, with how sure each is.
fn all_pairs(tenure: &Tenure) -> Vec<(CustomerId, CustomerId, f64)> {
    let page = tenure.read(|view| view.find_duplicates(0.3, 1_000, None)).unwrap();
    assert_eq!(page.next, None);
    let mut pairs: Vec<_> =
        page.items.iter().map(|it| (it.first_id, it.second_id, it.confidence)).collect();
    pairs.sort_by_key(|(first, second, _)| (*first, *second));
    pairs
}

/// Something that happens to the n-th customer.
#[derive(Debug, Clone)]
enum Step {
    Create(&'static str, Option<&'static str>),
    Rename(usize, &'static str),
    Move(usize, &'static str),
    Meet(usize, &'static str),
    Part(usize),
    Call(usize, &'static str),
    Forget(usize),
    Delete(usize),
    Restore(usize),
    Ask(&'static str),
}

/// What happens in one transaction, and whether it is kept.
type Act = (Vec<Step>, bool);

fn step() -> impl Strategy<Value = Step> {
    let nth = || 0..6_usize;
    prop_oneof![
        4 => (select(&NAMES[..]), proptest::option::of(select(&DOMAINS[..])))
            .prop_map(|(name, domain)| Step::Create(name, domain)),
        2 => (nth(), select(&NAMES[..])).prop_map(|(nth, name)| Step::Rename(nth, name)),
        2 => (nth(), select(&DOMAINS[..])).prop_map(|(nth, domain)| Step::Move(nth, domain)),
        2 => (nth(), select(&EMAILS[..])).prop_map(|(nth, email)| Step::Meet(nth, email)),
        1 => nth().prop_map(Step::Part),
        2 => (nth(), select(&NAMES[..])).prop_map(|(nth, name)| Step::Call(nth, name)),
        1 => nth().prop_map(Step::Forget),
        1 => nth().prop_map(Step::Delete),
        1 => nth().prop_map(Step::Restore),
        1 => select(&NAMES[..]).prop_map(Step::Ask),
    ]
}

fn act(tx: &mut Tx<'_>, step: &Step, known: &mut Vec<CustomerId>) -> Result<()> {
    let nth = |nth: &usize| known.get(*nth).copied().unwrap_or(CustomerId::from(uuid::Uuid::nil()));
    match step {
        Step::Create(name, domain) => {
            let mut draft = CustomerDraft::named(*name);
            if let Some(domain) = domain {
                draft = draft.domain(*domain);
            }
            known.push(tx.create_customer(&draft)?.id);
        }
        Step::Rename(who, name) => {
            let draft = CustomerDraft::named(*name);
            tx.update_customer(nth(who), &draft)?;
        }
        Step::Move(who, domain) => {
            let draft = CustomerDraft::default().domain(*domain);
            tx.update_customer(nth(who), &draft)?;
        }
        Step::Meet(who, email) => drop(tx.upsert_contact(nth(who), &ContactDraft::at(*email))?),
        Step::Part(who) => {
            let contacts = tx.view().contacts(nth(who), false, 10, None)?;
            if let Some(first) = contacts.items.first() {
                tx.remove_contact(first.id)?;
            }
        }
        Step::Call(who, name) => drop(tx.add_alias(nth(who), AliasKind::Name, name)?),
        Step::Forget(who) => {
            let aliases = tx.view().aliases(nth(who), 10, None)?;
            if let Some(newest) = aliases.items.first() {
                tx.remove_alias(newest.id)?;
            }
        }
        Step::Delete(who) => tx.delete_customer(nth(who))?,
        Step::Restore(who) => drop(tx.restore_customer(nth(who))?),
        Step::Ask(name) => {
            let hints = Hints::new().company_name(*name);
            let names: Vec<String> = match tx.view().find_match(&hints, 0.6)? {
                SmartLink::Linked(it) => vec![it.customer_name.to_string()],
                _ => return Ok(()),
            };
            // What is found is there, in the middle of a transaction too.
            assert!(names.iter().all(|name| tx.view().customer_by_name(name).unwrap().is_some()));
        }
    }
    Ok(())
}

/// Tells it all to a store. A step that is refused has changed nothing.
fn tell(store: &Arc<dyn Store>, acts: &[Act]) -> Tenure {
    let tenure = handle(store);
    let mut known = Vec::new();
    for (steps, is_kept) in acts {
        let mut now = Vec::new();
        let done = tenure.write(|tx| {
            now.clone_from(&known);
            for step in steps {
                drop(act(tx, step, &mut now));
            }
            if *is_kept { Ok(()) } else { Err(Error::Rule("given up".into())) }
        });
        if done.is_ok() {
            known = now;
        }
        // So that what is remembered is old when the next begins.
        drop(all_answers(&tenure));
    }
    tenure
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happened_the_index_answers_as_a_new_one(
        acts in prop::collection::vec((prop::collection::vec(step(), 1..5), prop::bool::weighted(0.8)), 1..12),
    ) {
        for store in stores() {
            let tenure = tell(&store, &acts);
            assert_sound(&tenure);
            let (answers, pairs) = (all_answers(&tenure), all_pairs(&tenure));
            prop_assert_eq!(&all_pairs(&forgetful(&store, 0)), &pairs, "remembering nothing");
            prop_assert_eq!(&all_answers(&handle(&store)), &answers, "opened again");
            prop_assert_eq!(&all_answers(&forgetful(&store, 0)), &answers, "remembering nothing");
            let other = handle(&store);
            other.rebuild_link_index(|_| ()).unwrap();
            assert_sound(&other);
            prop_assert_eq!(&all_answers(&other), &answers, "written anew");
            prop_assert_eq!(&all_pairs(&other), &pairs, "written anew");
            prop_assert_eq!(&all_answers(&tenure), &answers, "with what was remembered before");
        }
    }
}

/// What every backend answers after these were created, so many in a transaction.
fn answers_of(names: &[&str], at_once: usize) -> Vec<Vec<Vec<(String, f64)>>> {
    let anybody = |found: Vec<(CustomerId, String, f64)>| {
        let mut found: Vec<_> = found.into_iter().map(|(_, name, sure)| (name, sure)).collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    };
    let answers = |store| {
        let tenure = handle(&store);
        names.chunks(at_once).for_each(|names| create_all(&tenure, names));
        all_answers(&tenure).into_iter().map(anybody).collect()
    };
    stores().into_iter().map(answers).collect()
}

#[test]
fn the_order_of_creation_does_not_matter() {
    let backwards: Vec<&str> = NAMES.into_iter().rev().collect();
    let expected = answers_of(&NAMES, 1);
    assert!(expected[0].iter().filter(|it| !it.is_empty()).count() >= NAMES.len());
    assert!(expected.iter().all(|other| *other == expected[0]));
    assert_eq!(answers_of(&NAMES, 3), expected);
    assert_eq!(answers_of(&backwards, 1), expected);
    assert_eq!(answers_of(&backwards, 8), expected);
}

#[test]
fn another_handle_sees_a_change_at_once_however_much_it_remembers() {
    for store in stores() {
        let (one, other) = (handle(&store), handle(&store));
        let acme = create(&one, "Acme Inc.");
        assert!(finds(&other, "Acme") && !finds(&other, "Globex"));
        one.write(|tx| tx.update_customer(acme.id, &CustomerDraft::named("Globex"))).unwrap();
        assert!(finds(&other, "Acme") && finds(&other, "Globex"), "a former name is an alias");
        other.write(|tx| tx.delete_customer(acme.id)).unwrap();
        assert!(!finds(&one, "Globex"));
        one.write(|tx| tx.restore_customer(acme.id)).unwrap();
        assert!(finds(&other, "Globex"));
    }
}

#[test]
fn what_a_transaction_changes_it_finds_itself_and_nobody_if_it_is_given_up() {
    for store in stores() {
        let tenure = handle(&store);
        let acme = create(&tenure, "Acme Inc.");
        let preview = tenure.preview(|tx| {
            let finds = |tx: &Tx<'_>, name: &str| {
                let found = tx.view().find_match(&Hints::new().company_name(name), 0.6).unwrap();
                !matches!(found, SmartLink::NoMatch)
            };
            tx.create_customer(&CustomerDraft::named("Globex"))?;
            tx.update_customer(acme.id, &CustomerDraft::named("Initech"))?;
            tx.update_customer(acme.id, &CustomerDraft::named("Hooli"))?;
            Ok::<_, Error>(["Globex", "Acme", "Initech", "Hooli"].map(|name| finds(tx, name)))
        });
        assert_eq!(preview.unwrap().outcome, [true; 4], "former names are aliases");
        assert_eq!(
            ["Globex", "Acme", "Hooli"].map(|name| finds(&tenure, name)),
            [false, true, false]
        );
        // The ordinals that were given up are given again.
        create(&tenure, "Wayne Industries");
        assert!(finds(&tenure, "Wayne Industries") && !finds(&tenure, "Globex"));
        assert_sound(&tenure);
    }
}

/// Names that share words, so that some are common.
fn many() -> impl Iterator<Item = String> {
    const SORTS: [&str; 4] = ["Bakery", "Consulting", "Motors", "Systems"];
    let word = |number: usize| {
        let letters = [number / 26 % 26, number % 26, number * 7 % 26, number * 11 % 26];
        letters.map(|it| char::from(b'a' + u8::try_from(it).unwrap())).iter().collect::<String>()
    };
    (0..900).map(move |number| format!("{} {}", word(number), SORTS[number % SORTS.len()]))
}

#[test]
fn many_customers_are_found_in_whatever_portions_they_came() {
    for store in stores() {
        let tenure = handle(&store);
        let names: Vec<String> = many().collect();
        let mut left = &names[..];
        for portion in [1, 1, 2, 3, 1, 40, 1, 400, 1, 1, 30, 5, 1].into_iter().cycle() {
            let Some((now, later)) = left.split_at_checked(portion) else { break };
            create_all(&tenure, now);
            left = later;
        }
        // A third of them is called otherwise from now on.
        let renamed = |name: &str| format!("New {name}");
        for name in names.iter().step_by(3).filter(|name| !left.contains(name)) {
            let rename = |tx: &mut Tx<'_>| {
                let id = tx.view().customer_by_name(name)?.unwrap().id;
                tx.update_customer(id, &CustomerDraft::named(renamed(name)))
            };
            tenure.write(rename).unwrap();
        }
        assert_sound(&tenure);
        let handles = [handle(&store), forgetful(&store, 40_000), forgetful(&store, 0)];
        for name in names.iter().step_by(7).filter(|name| !left.contains(name)) {
            let hints = Hints::new().company_name(name);
            let expected = found(&tenure, &hints);
            assert!(expected.iter().any(|(_, found, _)| found == name || *found == renamed(name)));
            for other in &handles {
                assert_eq!(found(other, &hints), expected);
            }
        }
    }
}

fn damaged(error: &Error) -> Option<&'static str> {
    match error {
        Error::Store(StoreError::Corrupt { table, .. }) => Some(table),
        _ => None,
    }
}

/// A row with a bit of its packed bytes turned.
fn turned(mut row: Row) -> Row {
    let bytes = row.0.iter_mut().find_map(|value| match value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    });
    let bytes = bytes.unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    row
}

#[test]
fn damage_is_an_error_and_no_answer_and_a_new_index_mends_it() {
    for table in ["link_block", "link_profile", "link_manifest"] {
        for store in stores() {
            let store = Tampered::over(store);
            let over = || Tenure::open(store.clone()).unwrap();
            create(&over(), "Acme Inc.");
            store.change(table, |row| Some(turned(row)));
            let asked =
                over().read(|view| view.find_match(&Hints::new().company_name("Acme"), 0.6));
            assert_eq!(damaged(&asked.unwrap_err()), Some(table));
            assert_eq!(damaged(&over().check_link_index(|_| ()).unwrap_err()), Some(table));
            let mut seen = 0;
            assert_eq!(over().rebuild_link_index(|now| seen = now).unwrap(), 1);
            assert_eq!(seen, 1);
            assert!(finds(&over(), "Acme"));
            assert_sound(&over());
        }
    }
}

#[test]
fn a_check_tells_what_somebody_took_away() {
    use LinkDiscrepancyKind::{Count, Extra, Missing, Wrong};
    let kinds = |change: &dyn Fn(&Tampered)| {
        let store = Tampered::over(MemoryStore::new());
        let tenure = Tenure::open(store.clone()).unwrap();
        let acme = create(&tenure, "Acme Inc.");
        change(&store);
        let check = tenure.check_link_index(|_| ()).unwrap();
        assert_eq!(check.differences, check.discrepancies.len());
        let about = |it: &tenure::LinkDiscrepancy| it.customer_id.is_none_or(|id| id == acme.id);
        assert!(check.discrepancies.iter().all(about));
        tenure.rebuild_link_index(|_| ()).unwrap();
        assert_sound(&tenure);
        check.discrepancies.into_iter().map(|it| it.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&|_| ()), []);
    let nothing = |_| None;
    assert_eq!(kinds(&|store| store.change("link_profile", nothing)), [Missing, Count, Extra]);
    assert_eq!(kinds(&|store| store.change("customer", nothing)), [Extra, Extra]);
    let renamed = |mut row: Row| {
        row.0.iter_mut().filter(|it| **it == Value::Text("Acme Inc.".into())).for_each(|it| {
            *it = Value::Text("Globex".into());
        });
        Some(row)
    };
    assert_eq!(kinds(&|store| store.change("customer", renamed)), [Wrong]);
    let counted = |store: &Tampered| store.shift("link_manifest", "customers", 1);
    assert_eq!(kinds(&counted), [Count]);
    // Without its manifest there is no index: the customer is not found, by whatever key.
    let lost = kinds(&|store| store.change("link_manifest", nothing));
    assert_eq!(lost, [Missing, Count, LinkDiscrepancyKind::Keys]);
}
