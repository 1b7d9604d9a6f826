//! What smart linking promises whatever the directory is and whatever is asked.

use crate::link_index::{handle, stores};
use crate::support::{World, code, race};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::BTreeMap;
use tenure::{
    AliasKind, ContactDraft, CustomerDraft, CustomerId, Error, ErrorCode, Hints, SmartLink,
    Suggestion, Tenure, Tx,
};

/// A customer of a random directory: its name, perhaps a domain, an address, an alias.
#[derive(Debug, Clone)]
struct Record {
    name: String,
    domain: Option<String>,
    email: Option<String>,
    alias: Option<String>,
}

/// Names of these words, few enough that some are alike.
fn directory(most: usize) -> impl Strategy<Value = Vec<Record>> {
    let name =
        "(acme|acne|globex|wonder|zeta|berlin|first)( (labs|group|zeta|bakery)){0,2}( gmbh| ltd)?";
    let domain = "(acme|globex|wonder|zetalabs|bakery)\\.(com|de|co\\.uk)";
    let rest = (
        proptest::option::of(domain),
        proptest::option::of("[ab]@(acme|globex|zeta|gmail)\\.com"),
        proptest::option::weighted(0.2, "(umbrella|hooli)( labs)?"),
    );
    // Names that fold to one key are one customer's.
    prop::collection::btree_map(name, rest, 1..=most).prop_map(|all| {
        let key = |name: &String| tenure::domain::company_name::name_key(name);
        let mut each = BTreeMap::new();
        for (name, (domain, email, alias)) in all {
            each.entry(key(&name)).or_insert(Record { name, domain, email, alias });
        }
        each.into_values().collect()
    })
}

fn question() -> impl Strategy<Value = Hints> {
    let name = "|(acme|acmee|globex|gloebx|wonder|zeta|umbrella)( (labs|group|bakery))?( ltd)?";
    let domain = "|https://www\\.(acme|globex|zeta)\\.(com|de)/|localhost|gmail\\.com";
    let email = "|a@(acme|zeta|gmail)\\.com|nobody";
    (name, domain, email).prop_map(|(name, domain, email)| {
        Hints::new().company_name(name).domain(domain).email(email)
    })
}

fn create(tx: &mut Tx<'_>, record: &Record) -> Result<CustomerId, Error> {
    let mut draft = CustomerDraft::named(&record.name);
    if let Some(domain) = &record.domain {
        draft = draft.domain(domain.as_str());
    }
    let id = tx.create_customer(&draft)?.id;
    if let Some(email) = &record.email {
        tx.upsert_contact(id, &ContactDraft::at(email))?;
    }
    if let Some(alias) = &record.alias {
        tx.add_alias(id, AliasKind::Name, alias)?;
    }
    Ok(id)
}

fn create_all(tenure: &Tenure, records: &[Record], at_once: usize) -> Vec<CustomerId> {
    let create = |records: &[Record]| {
        tenure.write(|tx| records.iter().map(|it| create(tx, it)).collect::<Result<Vec<_>, _>>())
    };
    records.chunks(at_once).flat_map(|it| create(it).unwrap()).collect()
}

/// Whether it is linked, and the candidates.
fn answer(tenure: &Tenure, hints: &Hints) -> (bool, Vec<Suggestion>) {
    match tenure.read(|view| view.find_match(hints, 0.6)).unwrap() {
        SmartLink::Linked(best) => (true, vec![best]),
        SmartLink::Suggestions { suggestions } => (false, suggestions),
        _ => (false, Vec::new()),
    }
}

fn linked(tenure: &Tenure, hints: &Hints) -> Option<CustomerId> {
    let (is_linked, found) = answer(tenure, hints);
    found.first().filter(|_| is_linked).map(|best| best.customer_id)
}

/// Everything that is exactly what one of these says of itself.
fn exact_questions(records: &[Record]) -> Vec<Hints> {
    let mut questions = Vec::new();
    for it in records {
        questions.push(Hints::new().company_name(&it.name));
        let domains = it.domain.iter();
        questions.extend(domains.clone().map(|it| Hints::new().domain(it)));
        questions.extend(domains.map(|it| Hints::new().email(format!("someone@{it}"))));
        questions.extend(it.email.iter().map(|it| Hints::new().email(it)));
    }
    questions
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_customer_who_has_nothing_to_do_with_it_changes_no_link_on_exact_evidence(
        records in directory(10),
        strangers in prop::collection::btree_set("[kpq][iu][kpqx][iu][kpqx]{1,3}", 1..6),
    ) {
        for store in stores() {
            let tenure = handle(&store);
            create_all(&tenure, &records, 10);
            let questions = exact_questions(&records);
            let before: Vec<_> = questions.iter().map(|it| linked(&tenure, it)).collect();
            for name in &strangers {
                let draft = CustomerDraft::named(name).domain(format!("{name}.org"));
                tenure.write(|tx| tx.create_customer(&draft)).unwrap();
            }
            for (hints, before) in questions.iter().zip(before) {
                prop_assert_eq!(linked(&tenure, hints), before, "{:?}", hints);
            }
        }
    }

    #[test]
    fn the_order_in_which_customers_came_does_not_matter(
        (records, others) in directory(10)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        at_once in 1..11_usize, asked in prop::collection::vec(question(), 1..6),
    ) {
        /// Who is called so, how sure it is: by confidence, then by name.
        fn ranked(tenure: &Tenure, hints: &Hints) -> (bool, Vec<(String, f64)>) {
            let (is_linked, found) = answer(tenure, hints);
            assert!(found.is_sorted_by(|a, b| a.confidence >= b.confidence));
            let mut found: Vec<_> =
                found.into_iter().map(|it| (it.customer_name.to_string(), it.confidence)).collect();
            found.sort_by(|(a, sure), (b, as_sure)| as_sure.total_cmp(sure).then_with(|| a.cmp(b)));
            (is_linked, found)
        }
        for (one, other) in stores().iter().zip(stores()) {
            let (one, other) = (handle(one), handle(&other));
            create_all(&one, &records, 1);
            create_all(&other, &others, at_once);
            for hints in exact_questions(&records).iter().chain(&asked) {
                prop_assert_eq!(ranked(&other, hints), ranked(&one, hints), "{:?}", hints);
            }
        }
    }

    #[test]
    fn an_answer_is_explained_to_its_confidence(
        records in directory(8), asked in prop::collection::vec(question(), 1..5), gone in any::<Index>(),
    ) {
        for store in stores() {
            let tenure = handle(&store);
            let mut ids = create_all(&tenure, &records, 8);
            let deleted = ids.swap_remove(gone.index(ids.len()));
            tenure.write(|tx| tx.delete_customer(deleted)).unwrap();
            let explain = |hints: &Hints, id| tenure.read(|view| view.explain_match(hints, id));
            for hints in &asked {
                let (_, found) = answer(&tenure, hints);
                for id in &ids {
                    let why = explain(hints, *id).unwrap();
                    let added: f64 = why.evidence.iter().map(|it| it.added).sum();
                    prop_assert!((why.start + added - why.confidence).abs() < 1e-9, "{:?}", why);
                    if let Some(it) = found.iter().find(|it| it.customer_id == *id) {
                        prop_assert_eq!((it.confidence, &it.reason), (why.confidence, &why.reason()));
                        prop_assert_eq!(&it.evidence, &why.evidence);
                    }
                }
                for nobody in [deleted, uuid::Uuid::from_u128(7).into()] {
                    prop_assert_eq!(code(explain(hints, nobody)), ErrorCode::NotFound);
                }
            }
        }
    }

    #[test]
    fn no_hint_is_an_error_and_how_sure_it_must_be_is_0_to_1(
        name in any::<String>(), domain in any::<String>(), email in any::<String>(),
        least in prop_oneof![any::<f64>(), 0.0..=1.0, select(&[f64::NAN, -0.1, 1.1, -0.0][..])],
    ) {
        let world = World::memory();
        world.customer("Acme");
        let hints = Hints::new().company_name(name).domain(domain).email(email);
        let found = world.tenure.read(|view| view.find_match(&hints, least));
        let made = world.tried(|tx| tx.smart_link("org_1", &hints, Some(least)));
        if (0.0..=1.0).contains(&least) {
            prop_assert!(found.is_ok() && made.is_ok());
        } else {
            prop_assert_eq!(code(found), ErrorCode::BadRequest);
            prop_assert_eq!(code(made), ErrorCode::BadRequest);
        }
    }
}

/// Names that are nothing like each other, by their letters.
fn stranger(number: usize) -> String {
    let word = |number: usize| {
        let letter = |it: usize| char::from(b"bdfghjklmnprstvz"[it % 16]);
        let vowel = |it: usize| char::from(b"aeiou"[it % 5]);
        let mixed = number.wrapping_mul(0x9e37_79b9) >> 3;
        [0, 4, 9, 13]
            .map(|by| format!("{}{}", letter(mixed >> by), vowel(mixed >> (by + 2))))
            .concat()
    };
    format!("{} {}", word(number), word(number + 7_777))
}

#[test]
fn exact_evidence_links_in_a_directory_of_whatever_size() {
    for store in stores() {
        let tenure = handle(&store);
        let draft = CustomerDraft::named("Quxwell Cyphers GmbH").domain("quxwell.com");
        let acme = tenure.write(|tx| tx.create_customer(&draft)).unwrap().id;
        let mut number = 0;
        for size in [0, 50, 150, 500, 1_500] {
            tenure
                .write(|tx| {
                    (number..size)
                        .map(|it| CustomerDraft::named(stranger(it)))
                        .try_for_each(|it| tx.create_customer(&it).map(drop))
                })
                .unwrap();
            number = size;
            for hints in [
                Hints::new().domain("www.quxwell.com"),
                Hints::new().email("x@quxwell.com"),
                Hints::new().company_name("Quxwell Cyphers"),
            ] {
                assert_eq!(linked(&tenure, &hints), Some(acme), "{hints:?} among {size}");
            }
        }
    }
}

fn ten_sign_ups_of_one_organisation_at_once_make_one_link(world: &World) {
    let names: Vec<String> = (0..10).map(stranger).collect();
    for name in &names {
        world.customer(name);
    }
    // Each of them says something else of itself; whoever comes first is believed.
    let (hints, once) = (|it: usize| Hints::new().company_name(&names[it]), Hints::new());
    let link = |tenure: &Tenure, hints: &Hints| match tenure
        .write(|tx| tx.smart_link("org_1", hints, None))
        .unwrap()
    {
        SmartLink::Linked(best) => (true, best.customer_id),
        SmartLink::AlreadyLinked { customer_id, .. } => (false, customer_id),
        other => panic!("{other:?}"),
    };
    let told = world.told(|| {
        let answers = race(10, |number| link(&world.tenure.clone(), &hints(number)));
        assert_eq!(answers.iter().filter(|(is_new, _)| *is_new).count(), 1);
        assert!(answers.iter().all(|(_, customer)| *customer == answers[0].1), "{answers:?}");
        assert_eq!(link(&world.tenure, &once), (false, answers[0].1));
    });
    assert_eq!(told, ["link.created"]);
}

stories! {
    ten_sign_ups_of_one_organisation_at_once_make_one_link,
}
