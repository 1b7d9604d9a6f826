//! Blocked attempts: every denial is counted, and nothing is slower or written for it.

use crate::support::{BEGINNING, World, race};
use tenure::store::memory::MemoryStore;
use tenure::{AccessPatch, CustomerDraft, CustomerId, NewGrant, Quantity, Reserve, Track};
use time::Duration;

/// What was written down, by feature.
fn blocked(world: &World, customer: CustomerId) -> Vec<(String, i64)> {
    let page = world.seen(|view| view.blocked_attempts(customer, 100, None));
    let told = page.items.into_iter().map(|it| (it.feature_code.to_string(), it.attempts));
    let mut told: Vec<_> = told.collect();
    told.sort();
    told
}

fn flushed(world: &World, customer: CustomerId) -> i64 {
    world.tenure.flush_denials().unwrap();
    blocked(world, customer).into_iter().map(|it| it.1).sum()
}

fn a_denied_check_or_track_of_any_sort_is_an_attempt(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    let patch = AccessPatch::new().limit(Quantity::from(2));
    world.done(|tx| tx.set_access(acme, "ai_credits", &patch));
    let tenure = &world.tenure;
    let credits = || Track::new(acme, "ai_credits").quantity(3);
    let mut wanted = 0;
    let mut attempt = |name: &str, attempts: i64, run: &dyn Fn()| {
        run();
        wanted += attempts;
        assert_eq!(flushed(world, acme), wanted, "{name}");
    };
    attempt("a check", 1, &|| assert!(!tenure.check(acme, "sso").unwrap().can_use));
    attempt("of too much", 1, &|| {
        assert!(!tenure.check_quantity(acme, "ai_credits", 3).unwrap().can_use);
    });
    attempt("of several", 1, &|| {
        world.seen(|view| view.check_many(acme, &["sso", "ai_credits"]));
    });
    attempt("a track", 1, &|| drop(tenure.track(&credits())));
    attempt("without a right", 1, &|| drop(tenure.track(&Track::new(acme, "sso"))));
    attempt("all together", 1, &|| {
        world.tried(|tx| tx.track_all(&[credits()])).unwrap_err();
    });
    attempt("set aside", 1, &|| {
        world
            .tried(|tx| tx.reserve(&Reserve::new(acme, "ai_credits", 3, Duration::HOUR)))
            .unwrap_err();
    });
    attempt("a small batch", 2, &|| drop(tenure.track_batch(&[credits(), credits()])));
    attempt("a batch", 70, &|| drop(tenure.track_batch(&vec![credits(); 70])));
    attempt("tickets", 3, &|| {
        let tracker = tenure.tracker().unwrap();
        for _ in 0..3 {
            drop(tracker.submit(credits()));
        }
    });
    assert_eq!(blocked(world, acme), [("ai_credits".into(), 79), ("sso".into(), 3)]);
}

fn what_is_allowed_unknown_or_only_looked_at_is_no_attempt(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    let patch = AccessPatch::new().limit(Quantity::from(2));
    world.done(|tx| tx.set_access(acme, "ai_credits", &patch));
    assert!(world.tenure.check(acme, "ai_credits").unwrap().can_use);
    let used = Track::new(acme, "ai_credits").quantity(2).key("k");
    for _ in 0..2 {
        // The second is a retry, though there is no room any more.
        world.tenure.track(&used).unwrap();
    }
    world
        .done(|tx| tx.set_access(acme, "ai_credits", &AccessPatch::new().limit(Quantity::from(1))));
    world.tenure.check(acme, "no_such_feature").unwrap();
    world.tenure.check(acme, "\0").unwrap();
    world.tenure.check("nobody", "sso").unwrap();
    drop(world.tenure.track(&Track::new(acme, "no_such_feature")));
    drop(world.tenure.track(&Track::new(acme, "sso").quantity(-1)));
    world.seen(|view| view.list_access(acme));
    world.seen(|view| view.check_as_of(acme, "sso", 1, BEGINNING));
    world.seen(|view| view.customer_facts(acme));
    let preview = world.tenure.preview(|tx| tx.view().check(acme, "sso"));
    assert!(!preview.unwrap().outcome.can_use);
    assert_eq!((world.tenure.flush_denials().unwrap(), blocked(world, acme)), (0, Vec::new()));
}

fn a_check_never_writes_and_a_tick_writes_down_what_it_counted(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    world.tenure.tick().unwrap();
    assert!(!world.tenure.check(acme, "sso").unwrap().can_use);
    assert_eq!(blocked(world, acme), []);
    let before = crate::support::events(&world.tenure).len();
    world.tenure.tick().unwrap();
    assert_eq!(blocked(world, acme), [("sso".into(), 1)]);
    world.tenure.tick().unwrap();
    assert_eq!(blocked(world, acme), [("sso".into(), 1)], "once");
    assert_eq!(crate::support::events(&world.tenure).len(), before, "nobody changed anything");
}

fn each_day_is_counted_by_itself_and_a_month_later_it_is_history(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    let recent = || {
        world.tenure.flush_denials().unwrap();
        let facts = world.seen(|view| view.customer_facts(acme));
        facts.blocked.into_iter().map(|(code, count)| (code.to_string(), count)).collect::<Vec<_>>()
    };
    assert_eq!(recent(), []);
    // A last day of a month, and the first of the next.
    world.tenure.check(acme, "sso").unwrap();
    world.clock.advance(Duration::hours(12));
    world.tenure.check(acme, "sso").unwrap();
    assert_eq!(recent(), [("sso".into(), 2)]);
    assert_eq!(blocked(world, acme), [("sso".into(), 1), ("sso".into(), 1)]);
    world.clock.advance(Duration::days(29));
    assert_eq!(recent(), [("sso".into(), 1)]);
    world.tenure.check(acme, "ai_credits").unwrap();
    assert_eq!(recent(), [("ai_credits".into(), 1), ("sso".into(), 1)]);
    world.clock.advance(Duration::days(1));
    assert_eq!(recent(), [("ai_credits".into(), 1)]);
    assert_eq!(blocked(world, acme).len(), 3, "it is not forgotten");
}

fn denials_of_many_threads_are_all_counted(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    world.done(|tx| tx.grant(acme, &NewGrant::of("ai_credits", 10)));
    let counted = race(8, |_| {
        let tenure = world.tenure.clone();
        let mut counted = 0;
        for number in 0..10 {
            tenure.check(acme, "sso").unwrap();
            counted += i32::from(tenure.track(&Track::new(acme, "ai_credits")).is_ok());
            if number % 5 == 0 {
                tenure.flush_denials().unwrap();
            }
        }
        counted
    });
    assert_eq!(counted.into_iter().sum::<i32>(), 10);
    world.tenure.flush_denials().unwrap();
    assert_eq!(blocked(world, acme), [("ai_credits".into(), 70), ("sso".into(), 80)]);
}

fn what_a_transaction_denied_is_counted_although_it_was_given_up(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    let refused = world.tried(|tx| {
        let never = tx.create_customer(&CustomerDraft::named("Never"))?.id;
        assert!(!tx.view().check(never, "sso")?.can_use);
        assert!(!tx.view().check(acme, "sso")?.can_use);
        tx.view().customer(CustomerId::from(uuid::Uuid::nil()))
    });
    assert!(refused.is_err());
    assert_eq!(flushed(world, acme), 1, "and one that never was stops nobody");
}

fn orgs_are_counted_apart(world: &World) {
    world.catalogue();
    let other = world.beside("other");
    other.catalogue();
    let acme = world.customer("Acme").id;
    let globex = other.customer("Globex").id;
    world.tenure.check(acme, "sso").unwrap();
    other.tenure.check(globex, "sso").unwrap();
    assert_eq!(other.tenure.flush_denials().unwrap(), 1);
    assert_eq!((blocked(world, acme).len(), blocked(&other, globex).len()), (0, 1));
}

#[test]
fn a_warm_check_that_denies_is_an_attempt_as_well() {
    let world = World::over(MemoryStore::new(), tenure::Builder::sole_writer);
    world.catalogue();
    let acme = world.customer("Acme").id;
    world
        .done(|tx| tx.set_access(acme, "ai_credits", &AccessPatch::new().limit(Quantity::from(1))));
    for _ in 0..5 {
        assert!(!world.tenure.check_quantity(acme, "ai_credits", 2).unwrap().can_use);
        assert!(world.tenure.check(acme, "ai_credits").unwrap().can_use);
    }
    assert_eq!(flushed(&world, acme), 5);
}

#[cfg(feature = "sqlite")]
#[test]
fn what_was_written_down_is_there_when_the_file_is_opened_again() {
    use tenure::store::sqlite::SqliteStore;
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let store = SqliteStore::open_or_create(folder.path().join("store.db")).unwrap();
        World::over(store, |builder| builder)
    };
    let (acme, facts) = {
        let world = open();
        world.catalogue();
        let acme = world.customer("Acme").id;
        world.done(|tx| tx.record_metric(acme, "seats", 0.1, BEGINNING));
        world.done(|tx| tx.record_activity(acme, &tenure::NewActivity::login("u")));
        world.tenure.check(acme, "sso").unwrap();
        world.tenure.flush_denials().unwrap();
        world.tenure.check(acme, "sso").unwrap();
        (acme, world.seen(|view| view.customer_facts(acme)))
    };
    let world = open();
    assert_eq!(flushed(&world, acme), 1, "what was not is lost");
    assert_eq!(world.seen(|view| view.customer_facts(acme)), facts);
}

stories! {
    a_denied_check_or_track_of_any_sort_is_an_attempt,
    what_is_allowed_unknown_or_only_looked_at_is_no_attempt,
    a_check_never_writes_and_a_tick_writes_down_what_it_counted,
    each_day_is_counted_by_itself_and_a_month_later_it_is_history,
    denials_of_many_threads_are_all_counted,
    what_a_transaction_denied_is_counted_although_it_was_given_up,
    orgs_are_counted_apart,
}
