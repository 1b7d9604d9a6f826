//! Duplicates: who is probably one with whom is told once, a page at a time, whatever the order in
//! which they came.

use crate::support::{World, fields};
use proptest::prelude::*;
use tenure::domain::smart_link::EvidenceKind;
use tenure::{
    AliasKind, ContactDraft, Cursor, CustomerDraft, CustomerId, Duplicate, Error, NewLink, Page,
    Tenure, Tx,
};

/// All pairs, by pages of so many.
fn pairs_by(world: &World, least: f64, limit: usize) -> Vec<Duplicate> {
    let mut pairs = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = page(world, least, limit, cursor.as_ref());
        assert!(page.items.len() <= limit);
        pairs.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return pairs;
        }
    }
}

fn page(world: &World, least: f64, limit: usize, cursor: Option<&Cursor>) -> Page<Duplicate> {
    world.seen(|view| view.find_duplicates(least, limit, cursor))
}

/// The names of a pair, in the order of the alphabet.
fn names(pair: &Duplicate) -> [String; 2] {
    let mut names = [pair.first_name.to_string(), pair.second_name.to_string()];
    names.sort();
    names
}

/// The names of all pairs, in the order of the alphabet.
fn named(pairs: &[Duplicate]) -> Vec<[String; 2]> {
    let mut names: Vec<_> = pairs.iter().map(names).collect();
    names.sort();
    names
}

fn found(world: &World) -> Vec<[String; 2]> {
    named(&pairs_by(world, 0.6, 1_000))
}

fn pair(one: &str, other: &str) -> [String; 2] {
    [one.to_owned(), other.to_owned()]
}

/// A customer of this name, with this domain unless it is empty.
fn draft(name: &str, domain: &str) -> CustomerDraft {
    let draft = CustomerDraft::named(name);
    if domain.is_empty() { draft } else { draft.domain(domain) }
}

fn create(world: &World, name: &str, domain: &str) -> CustomerId {
    world.done(|tx| tx.create_customer(&draft(name, domain))).id
}

/// Customers who have nothing to do with each other.
const STRANGERS: [(&str, &str); 8] = [
    ("Globex Corporation", "globex.example"),
    ("Initech", "initech.co.uk"),
    ("Umbrella Pharmaceuticals", ""),
    ("Stark Industries", "stark.example"),
    ("Wayne Enterprises Ltd", ""),
    ("Hooli", "hooli.xyz"),
    ("Bäckerei Zöllner", ""),
    ("株式会社さくら", ""),
];

fn pairs_are_found_by_typos_legal_forms_domains_and_people(world: &World) {
    for (name, domain) in STRANGERS {
        create(world, name, domain);
    }
    assert_eq!(found(world), Vec::<[String; 2]>::new(), "strangers are no pair");
    for (name, domain) in [
        ("GLOBEX Corp", ""),
        ("Iniitech", "www.initech.co.uk"),
        ("Umbrella Pharmaceuticals GmbH", ""),
        ("Iron Man Rockets", "https://stark.example/about"),
        ("Backerei Zollner", ""),
    ] {
        create(world, name, domain);
    }
    let people = create(world, "Hooli Labs", "");
    world.done(|tx| tx.upsert_contact(people, &ContactDraft::at("gavin@hooli.xyz")));
    let expected = [
        pair("Backerei Zollner", "Bäckerei Zöllner"),
        pair("GLOBEX Corp", "Globex Corporation"),
        pair("Hooli", "Hooli Labs"),
        pair("Iniitech", "Initech"),
        pair("Iron Man Rockets", "Stark Industries"),
        pair("Umbrella Pharmaceuticals", "Umbrella Pharmaceuticals GmbH"),
    ];
    assert_eq!(found(world), expected);
}

fn a_pair_tells_who_was_first_how_sure_it_is_and_why(world: &World) {
    let acme = create(world, "Acme Inc.", "acme.com");
    world.clock.advance(time::Duration::SECOND);
    let rockets = create(world, "Rockets", "www.acme.com");
    // Changed last, and still created first.
    world.done(|tx| tx.upsert_contact(acme, &ContactDraft::at("ada@acme-people.com")));
    let [pair] = pairs_by(world, 0.6, 10).try_into().unwrap();
    assert_eq!((pair.first_id, pair.first_name.as_str()), (acme, "Acme Inc."));
    assert_eq!((pair.second_id, pair.second_name.as_str()), (rockets, "Rockets"));
    let domain = pair.evidence.iter().find(|it| it.kind == EvidenceKind::Domain).unwrap();
    assert!(domain.agrees() && domain.clue == "acme.com", "{domain:?}");
    assert!(pair.reason.starts_with("domain `acme.com` is the same"), "{}", pair.reason);
    assert!(pair.evidence.iter().all(|it| it.kind != EvidenceKind::Rivals));
    assert!(pairs_by(world, pair.confidence, 10).len() == 1);
    assert_eq!(pairs_by(world, pair.confidence + 0.01, 10), []);
    let json = serde_json::to_value(&pair).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let told = ["confidence", "evidence", "firstId", "firstName", "reason", "secondId"];
    assert!(told.iter().all(|key| keys.contains(key)), "{keys:?}");
}

fn three_records_of_one_company_are_three_pairs(world: &World) {
    for (name, domain) in
        [("Acme GmbH", "acme.com"), ("Acme", "acme.com"), ("ACME Ltd", "acme.com")]
    {
        create(world, name, domain);
    }
    let all = [pair("ACME Ltd", "Acme"), pair("ACME Ltd", "Acme GmbH"), pair("Acme", "Acme GmbH")];
    assert_eq!(found(world), all);
}

fn aliases_make_a_pair_and_former_names_do(world: &World) {
    let meta = create(world, "Facebook", "");
    world.done(|tx| tx.update_customer(meta, &CustomerDraft::named("Meta Platforms")));
    create(world, "Facebook Inc.", "");
    let ibm = create(world, "IBM", "");
    let blue = create(world, "Big Blue", "");
    assert_eq!(found(world), [pair("Facebook Inc.", "Meta Platforms")]);
    world.done(|tx| tx.add_alias(ibm, AliasKind::Domain, "ibm.com"));
    world.done(|tx| tx.add_alias(blue, AliasKind::Domain, "ibm.com"));
    assert_eq!(found(world), [pair("Big Blue", "IBM"), pair("Facebook Inc.", "Meta Platforms")]);
}

fn whom_they_are_linked_to_makes_no_difference(world: &World) {
    let one = create(world, "Acme GmbH", "acme.com");
    let other = create(world, "Acme Inc.", "acme.com");
    world.done(|tx| tx.link(one, &NewLink::to("org_1")));
    world.done(|tx| tx.link(other, &NewLink::to("org_2")));
    assert_eq!(found(world), [pair("Acme GmbH", "Acme Inc.")]);
    assert!(found(&world.beside("another")).is_empty());
}

fn deleted_customers_are_in_no_pair_until_they_are_restored(world: &World) {
    let acme = create(world, "Acme GmbH", "");
    create(world, "Acme", "");
    world.done(|tx| tx.delete_customer(acme));
    assert_eq!(found(world), Vec::<[String; 2]>::new());
    world.done(|tx| tx.restore_customer(acme));
    assert_eq!(found(world), [pair("Acme", "Acme GmbH")]);
}

fn a_transaction_sees_the_pairs_that_it_makes(world: &World) {
    let acme = create(world, "Acme GmbH", "acme.com");
    let other = create(world, "Acme Ltd", "acme.com");
    let preview = world.tenure.preview(|tx| {
        let pairs =
            |tx: &Tx<'_>| Ok::<_, Error>(named(&tx.view().find_duplicates(0.6, 10, None)?.items));
        tx.create_customer(&draft("Acme", "acme.com"))?;
        tx.delete_customer(acme)?;
        let two = pairs(tx)?;
        tx.update_customer(other, &CustomerDraft::named("Acme Co"))?;
        Ok::<_, Error>([two, pairs(tx)?])
    });
    let seen = [vec![pair("Acme", "Acme Ltd")], vec![pair("Acme", "Acme Co")]];
    assert_eq!(preview.unwrap().outcome, seen);
    assert_eq!(found(world), [pair("Acme GmbH", "Acme Ltd")]);
}

/// Some companies with up to four records each, of one domain.
fn crowd(tx: &mut Tx<'_>, companies: std::ops::Range<usize>) -> Result<(), Error> {
    const FORMS: [&str; 4] = ["", " GmbH", " Ltd", " S.A."];
    let letter = |number: usize| char::from(b'a' + u8::try_from(number % 26).unwrap());
    for number in companies {
        let name = [number, number * 7 + 3, number / 26, number * 5].map(letter);
        let name = name.iter().flat_map(|it| [*it, 'o']).collect::<String>();
        for form in FORMS.iter().take(1 + number % 4) {
            tx.create_customer(&draft(&format!("{name}{form}"), &format!("{name}.com")))?;
        }
    }
    Ok(())
}

fn pages_of_whatever_size_tell_the_same(world: &World) {
    world.done(|tx| crowd(tx, 0..60));
    let all = pairs_by(world, 0.7, 1_000);
    assert!(all.len() >= 15 * (1 + 3 + 6), "{}", all.len());
    for limit in [1, 2, 7] {
        assert_eq!(pairs_by(world, 0.7, limit), all, "by {limit}");
    }
    let few = pairs_by(world, 0.97, 3);
    assert!(few.iter().all(|it| it.confidence >= 0.97 && all.contains(it)));
}

fn a_page_may_be_empty_and_not_the_last(world: &World) {
    create(world, "Acme GmbH", "acme.com");
    world.done(|tx| {
        let letter = |it: usize| char::from(b'a' + u8::try_from(it % 26).unwrap());
        let names =
            (0..420).map(|it| format!("{0}{1}{0}{2}", letter(it), letter(it / 26), letter(it * 5)));
        names.map(CustomerDraft::named).try_for_each(|it| tx.create_customer(&it).map(drop))
    });
    create(world, "Acme Ltd", "acme.com");
    let first = page(world, 0.9, 10, None);
    assert!(first.items.is_empty() && first.next.is_some());
    assert!(found(world).contains(&pair("Acme GmbH", "Acme Ltd")));
}

fn who_comes_while_pages_are_turned_disturbs_nothing(world: &World) {
    world.done(|tx| crowd(tx, 0..20));
    let before = pairs_by(world, 0.7, 1_000);
    assert!(before.len() >= 5 * (1 + 3 + 6), "{}", before.len());
    let (mut told, mut cursor, mut number) = (Vec::new(), None, 20);
    loop {
        let page = page(world, 0.7, 1, cursor.as_ref());
        told.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
        if number < 40 {
            world.done(|tx| crowd(tx, number..number + 1));
            number += 1;
        }
    }
    let ids = |it: &Duplicate| (it.first_id, it.second_id);
    let mut once: Vec<_> = told.iter().map(ids).collect();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), told.len(), "nothing is told twice");
    assert!(before.iter().all(|it| once.binary_search(&ids(it)).is_ok()), "nothing is left out");
    let after = pairs_by(world, 0.7, 1_000);
    assert_eq!(once.len(), after.len(), "who came meanwhile came up at the end");
}

fn who_changes_while_pages_are_turned_comes_up_at_the_end(world: &World) {
    let ids = ["Acme GmbH", "Globex GmbH", "Globex Ltd", "Acme Ltd"].map(|name| {
        let (brand, _) = name.split_once(' ').unwrap();
        create(world, name, &format!("{brand}.com"))
    });
    let first = page(world, 0.6, 1, None);
    assert_eq!(named(&first.items), [pair("Globex GmbH", "Globex Ltd")]);
    world.done(|tx| tx.upsert_contact(ids[0], &ContactDraft::at("ada@acme-people.com")));
    world.done(|tx| tx.delete_customer(ids[2]));
    let rest = page(world, 0.6, 10, first.next.as_ref());
    assert_eq!(named(&rest.items), [pair("Acme GmbH", "Acme Ltd")]);
    assert_eq!(rest.next, None);
}

fn what_cannot_be_asked_is_refused(world: &World) {
    let ask = |least, limit, cursor: Option<&Cursor>| {
        let asked = world.tenure.read(|view| view.find_duplicates(least, limit, cursor));
        fields(&asked.unwrap_err()).concat()
    };
    for least in [-0.1, 1.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(ask(least, 10, None), "minConfidence", "{least}");
    }
    for limit in [0, 1_001, usize::MAX] {
        assert_eq!(ask(0.6, limit, None), "limit", "{limit}");
    }
    for name in ["Acme", "Globex"] {
        create(world, name, "");
    }
    let others = world.seen(|view| view.customers(None, 1, None)).next.unwrap();
    let number: Cursor = format!("{}i-1", uuid::Uuid::from_u128(1).simple()).parse().unwrap();
    for cursor in [others, number] {
        assert_eq!(ask(0.6, 10, Some(&cursor)), "cursor", "{cursor}");
    }
    assert!(pairs_by(world, 0.0, 1_000).iter().all(|it| it.confidence > 0.0));
    assert_eq!(pairs_by(world, 1.0, 1_000), []);
}

stories! {
    pairs_are_found_by_typos_legal_forms_domains_and_people,
    a_pair_tells_who_was_first_how_sure_it_is_and_why,
    three_records_of_one_company_are_three_pairs,
    aliases_make_a_pair_and_former_names_do,
    whom_they_are_linked_to_makes_no_difference,
    deleted_customers_are_in_no_pair_until_they_are_restored,
    a_transaction_sees_the_pairs_that_it_makes,
    pages_of_whatever_size_tell_the_same,
    a_page_may_be_empty_and_not_the_last,
    who_comes_while_pages_are_turned_disturbs_nothing,
    who_changes_while_pages_are_turned_comes_up_at_the_end,
    what_cannot_be_asked_is_refused,
}

/// What makes a customer: a name, a domain or none, somebody's address or none.
type Record = (String, String, String);

fn records() -> impl Strategy<Value = Vec<Record>> {
    let name = "(acme|globex|gloebx|a[a-c]me|wonder)( (labs|group|gmbh|ltd|widgets)){0,2}";
    let domain = "|(acme|globex|wonder)\\.(com|de)";
    let email = "|x@(acme|globex)\\.(com|de)";
    prop::collection::btree_map(name, (domain, email), 2..12).prop_map(|all| {
        all.into_iter().map(|(name, (domain, email))| (name, domain, email)).collect()
    })
}

/// The pairs of these customers, created in this order, so many in a transaction.
fn told(tenure: &Tenure, records: &[Record], at_once: usize) -> Vec<([String; 2], f64)> {
    for records in records.chunks(at_once) {
        let create = |tx: &mut Tx<'_>| {
            for (name, domain, email) in records {
                let id = match tx.create_customer(&draft(name, domain)) {
                    Ok(made) => made.id,
                    Err(_) => continue,
                };
                if !email.is_empty() {
                    tx.upsert_contact(id, &ContactDraft::at(email))?;
                }
            }
            Ok::<_, Error>(())
        };
        tenure.write(create).unwrap();
    }
    let page = tenure.read(|view| view.find_duplicates(0.3, 1_000, None)).unwrap();
    let mut told: Vec<_> = page.items.iter().map(|it| (names(it), it.confidence)).collect();
    told.sort_by(|(a, _), (b, _)| a.cmp(b));
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_order_in_which_they_came_does_not_matter(
        (records, shuffled) in records().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle())),
        at_once in 1..12_usize,
    ) {
        // Names that fold to one are one customer's: whoever comes first.
        let mut keys = std::collections::HashSet::new();
        let key = |it: &Record| tenure::domain::company_name::name_key(&it.0);
        prop_assume!(records.iter().all(|it| keys.insert(key(it))));
        let expected = told(&World::memory().tenure, &records, 1);
        prop_assert_eq!(&told(&World::memory().tenure, &shuffled, at_once), &expected);
        #[cfg(feature = "sqlite")]
        prop_assert_eq!(&told(&World::sqlite().tenure, &shuffled, at_once), &expected);
    }
}
