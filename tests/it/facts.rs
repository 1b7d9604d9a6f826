//! Facts: what the rules look at is what is known, and what nobody knows is not zero.

use crate::support::{BEGINNING, World, eur};
use tenure::domain::facts::names;
use tenure::{
    AccessPatch, BillingCycle, CustomerFacts, CustomerId, Error, FigureSource, NewActivity,
    NewSubscription, Quantity, SubscriptionAction, SubscriptionKind, TicketDraft, TierDraft, When,
};
use time::Duration;
use time::macros::datetime;

fn facts(world: &World, id: CustomerId) -> CustomerFacts {
    world.seen(|view| view.customer_facts(id))
}

fn of_a_customer_with_nothing_nothing_is_known(world: &World) {
    let acme = world.customer("Acme");
    let facts = facts(world, acme.id);
    assert_eq!(facts.figures.iter().count(), 0, "{:?}", facts.figures);
    assert_eq!((facts.as_of, facts.created_at), (BEGINNING, BEGINNING));
    let mut contract = tenure::ContractFacts::default();
    contract.products.clone_from(&facts.contract.products);
    assert_eq!((facts.contract, facts.blocked.len()), (contract, 0), "but its free subscription");
    assert_eq!((facts.status, facts.stage), (acme.status, acme.stage));
    let nobody = world.tenure.read(|view| view.customer_facts(CustomerId::from(uuid::Uuid::nil())));
    assert!(matches!(nobody, Err(Error::NotFound { .. })));
}

fn what_records_show_counts_before_what_the_host_says(world: &World) {
    let acme = world.customer("Acme").id;
    let old = BEGINNING - Duration::days(400);
    for name in [names::OPEN_TICKETS, names::LOGINS_PER_WEEK, names::USAGE_CHANGE, "my_own"] {
        world.done(|tx| tx.record_metric(acme, name, 7.0, old));
    }
    let known = |name| {
        let figure = facts(world, acme).figures.get(name).unwrap();
        (figure.value, figure.source, figure.at)
    };
    assert_eq!(known(names::OPEN_TICKETS), (7.0, FigureSource::Host, old), "as old as it is");
    world.done(|tx| {
        let solved = TicketDraft::default().opened_at(BEGINNING).status("closed");
        tx.upsert_ticket(acme, "t", &solved)?;
        tx.record_activity(acme, &NewActivity::login("u"))
    });
    assert_eq!(known(names::OPEN_TICKETS), (0.0, FigureSource::Derived, BEGINNING));
    assert_eq!(known(names::LOGINS_PER_WEEK), (1.0, FigureSource::Derived, BEGINNING));
    assert_eq!(known("my_own"), (7.0, FigureSource::Host, old));
    let then = BEGINNING - Duration::days(31);
    world.done(|tx| {
        tx.record_activity(acme, &NewActivity::of("action").at(then))?;
        tx.record_activity(acme, &NewActivity::of("action"))
    });
    let change = known(names::USAGE_CHANGE);
    assert_eq!(change, (7.0, FigureSource::Host, old), "how much it is used the host knows best");
}

fn adoption_is_what_is_used_of_what_it_is_entitled_to(world: &World) {
    world.catalogue();
    let acme = world.customer_on("pro", "Acme");
    let adoption = || facts(world, acme).figure(names::FEATURE_ADOPTION);
    assert_eq!(adoption(), None);
    world.done(|tx| tx.record_activity(acme, &NewActivity::feature_use("u", "sso")));
    assert_eq!(adoption(), Some(0.5));
    world.done(|tx| tx.record_activity(acme, &NewActivity::feature_use("u", "of_another_product")));
    assert_eq!(adoption(), Some(0.5));
    assert_eq!(facts(world, acme).figure(names::FEATURES_USED_THIS_MONTH), Some(2.0));
    world.clock.advance(Duration::days(30));
    assert_eq!(adoption(), Some(0.0));
}

fn usage_is_held_against_the_tightest_limit_as_of_now(world: &World) {
    world.catalogue();
    let acme = world.customer_on("starter", "Acme");
    let share = || facts(world, acme).figure(names::USAGE_VS_LIMIT);
    assert_eq!(share(), Some(0.0));
    world.uses(acme, "ai_credits", 80);
    assert_eq!(share(), Some(0.8));
    world.done(|tx| tx.set_access(acme, "sso", &AccessPatch::new().limit(Quantity::ZERO)));
    assert_eq!(share(), Some(0.8), "of nothing there is no share");
    // The window ends while nobody looks: 28 February.
    world.clock.set(datetime!(2026-02-28 12:00 UTC));
    assert_eq!(share(), Some(0.0), "without a tick");
    let globex = world.customer("Globex").id;
    assert_eq!(facts(world, globex).figure(names::USAGE_VS_LIMIT), None);
}

fn a_contract_is_what_is_paid_for(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    let contract = || facts(world, acme).contract;
    let length = || facts(world, acme).figure(names::CONTRACT_LENGTH);
    let mut trial = NewSubscription::to("pro").trial().seats(3);
    trial.trial_ends_at = Some(BEGINNING + Duration::days(14));
    let sub = world.done(|tx| tx.add_subscription(acme, &trial)).id;
    let tried = contract();
    assert_eq!((tried.has_active_paid, tried.had_paid, tried.mrr.len()), (false, false, 0));
    assert_eq!((tried.seats, tried.trial_ends_at, length()), (None, trial.trial_ends_at, None));
    world.done(|tx| tx.move_subscription(sub, SubscriptionAction::Activate));
    let paid = contract();
    assert_eq!((paid.mrr, paid.seats, length()), (vec![eur(147)], Some(3), Some(1.0)));
    assert_eq!((paid.renewal_at, paid.renewed_at), (Some(datetime!(2026-02-28 12:00 UTC)), None));
    world.clock.set(datetime!(2026-02-28 12:00 UTC));
    world.tenure.tick().unwrap();
    assert_eq!(contract().renewed_at, Some(datetime!(2026-02-28 12:00 UTC)));
    assert_eq!(contract().renewal_at, Some(datetime!(2026-03-31 12:00 UTC)));
    world.done(|tx| tx.move_subscription(sub, SubscriptionAction::MarkPastDue));
    let late = contract();
    assert_eq!((late.has_active_paid, late.ended_at), (false, None), "not active, and not over");
    assert_eq!((late.mrr, late.seats), (vec![eur(147)], Some(3)), "it is still to be paid");
    world.done(|tx| tx.cancel_subscription(sub, When::PeriodEnd));
    assert_eq!((contract().renewal_at, length()), (None, Some(1.0)));
    world.done(|tx| tx.cancel_subscription(sub, When::Now));
    let over = contract();
    assert_eq!((over.has_active_paid, over.had_paid, over.seats), (false, true, None));
    assert_eq!((over.ended_at, over.mrr.len(), length()), (Some(world.clock.now()), 0, None));
}

fn a_trial_that_ends_was_never_paid(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    let mut trial = NewSubscription::to("pro").trial();
    trial.trial_ends_at = Some(BEGINNING + Duration::days(14));
    world.done(|tx| tx.add_subscription(acme, &trial));
    world.clock.advance(Duration::days(14));
    world.tenure.tick().unwrap();
    let contract = facts(world, acme).contract;
    assert_eq!((contract.had_paid, contract.ended_at), (false, None));
    assert_eq!(contract.trial_ends_at, trial.trial_ends_at);
}

fn the_term_of_a_contract_is_told_in_months_of_the_calendar(world: &World) {
    let yen = TierDraft::new("yen")
        .fee(tenure::Money::new(900, "JPY".parse().unwrap()), BillingCycle::Yearly)
        .rank(99);
    world.catalogue();
    world.done(|tx| tx.define_tier(&yen));
    let length = |name: &str, new: &NewSubscription| {
        let id = world.customer(name).id;
        world.done(|tx| tx.add_subscription(id, new));
        facts(world, id).figure(names::CONTRACT_LENGTH)
    };
    let mut agreed = NewSubscription::to("pro").started(datetime!(2025-02-28 0:00 UTC));
    agreed.end_date = Some(datetime!(2028-02-28 0:00 UTC));
    assert_eq!(length("Three years, over a leap day", &agreed), Some(36.0));
    assert_eq!(length("Monthly", &NewSubscription::to("pro")), Some(1.0));
    assert_eq!(length("Yearly", &NewSubscription::to("yen")), Some(12.0));
    let mut lifetime = NewSubscription::to("pro");
    lifetime.billing_cycle = Some(BillingCycle::Lifetime);
    assert_eq!(length("For life", &lifetime), None);
    let mut gift = NewSubscription::to("pro");
    gift.kind = SubscriptionKind::Manual;
    assert_eq!(length("A gift", &gift), None);
    // Two currencies are never added; the higher tier leads.
    let acme = world.customer("Acme").id;
    world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("pro")));
    let other = world.tenure.for_product("other").unwrap();
    other.write(|tx| tx.add_subscription(acme, &NewSubscription::to("yen"))).unwrap();
    let mrr = facts(world, acme).contract.mrr;
    assert_eq!(mrr.iter().map(ToString::to_string).collect::<Vec<_>>(), ["75 JPY", "49.00 EUR"]);
}

fn facts_of_a_deleted_customer_are_not_given(world: &World) {
    let acme = world.customer("Acme").id;
    world.done(|tx| tx.delete_customer(acme));
    assert!(world.tenure.read(|view| view.customer_facts(acme)).is_err());
}

stories! {
    of_a_customer_with_nothing_nothing_is_known,
    what_records_show_counts_before_what_the_host_says,
    adoption_is_what_is_used_of_what_it_is_entitled_to,
    usage_is_held_against_the_tightest_limit_as_of_now,
    a_contract_is_what_is_paid_for,
    a_trial_that_ends_was_never_paid,
    the_term_of_a_contract_is_told_in_months_of_the_calendar,
    facts_of_a_deleted_customer_are_not_given,
}
