//! Recurring revenue: every change of it is written down, and what became of it can be proved.

use crate::support::{BEGINNING, World, code, eur, events};
use tenure::domain::period::Period;
use tenure::{
    BillingCycle, CheckStatus, CohortBy, CurrencyRevenue, CustomerDraft, CustomerId, ErrorCode,
    FreshnessLevel, Money, MrrKind, MrrMovement, NewLink, NewSubscription, Result, RevenueReport,
    SubscriptionAction, SubscriptionStatus, SurvivalBy, TierDraft, View, When,
};
use time::{Duration, OffsetDateTime};

const DAY: Duration = Duration::DAY;

fn usd(dollars: i64) -> Money {
    Money::new(dollars * 100, "USD".parse().unwrap())
}

/// Tiers that cost so much, each by itself.
fn tiers(world: &World, fees: &[(&str, Money, BillingCycle)]) {
    for (code, fee, cycle) in fees {
        world.done(|tx| tx.define_tier(&TierDraft::new(*code).fee(*fee, *cycle)));
    }
}

/// All movements of a customer, oldest first.
fn movements(world: &World, customer: CustomerId) -> Vec<MrrMovement> {
    let mut all = world.seen(|view| view.mrr_movements(Some(customer), 100, None)).items;
    all.reverse();
    all
}

fn kinds(world: &World, customer: CustomerId) -> Vec<(MrrKind, i64)> {
    movements(world, customer).iter().map(|it| (it.kind, it.amount.amount)).collect()
}

fn report(world: &World, from: OffsetDateTime, to: OffsetDateTime) -> RevenueReport {
    world.seen(|view| view.revenue(Period::new(from, to).unwrap(), None))
}

/// The euros of a period.
fn euros(world: &World, from: OffsetDateTime, to: OffsetDateTime) -> CurrencyRevenue {
    report(world, from, to).of(eur(0).currency).unwrap().clone()
}

/// A walk that a vendor's manual works out.
fn revenue_walks_as_published(world: &World) {
    tiers(
        world,
        &[
            ("gold", eur(500), BillingCycle::Yearly),
            ("silver", eur(30), BillingCycle::Monthly),
            ("gold-monthly", eur(50), BillingCycle::Monthly),
        ],
    );
    let acme = world.customer("Acme").id;
    let add = |new: NewSubscription| world.done(|tx| tx.add_subscription(acme, &new)).id;
    let gold = add(NewSubscription::to("gold").seats(4));
    let silver = NewSubscription::to("silver").seats(2);
    let other = world.tenure.for_product("crm").unwrap();
    let silver = other.write(|tx| tx.add_subscription(acme, &silver)).unwrap().id;
    for subscription in [silver, gold] {
        world.clock.advance(DAY);
        world.done(|tx| tx.cancel_subscription(subscription, When::Now));
    }
    add(NewSubscription::to("gold-monthly").seats(3));
    let walk = [
        (MrrKind::New, 16_667),
        (MrrKind::Expansion, 6_000),
        (MrrKind::Contraction, -6_000),
        (MrrKind::Churn, -16_667),
        (MrrKind::Reactivation, 15_000),
    ];
    assert_eq!(kinds(world, acme), walk);
    let all = movements(world, acme);
    let numbers: Vec<i64> = all.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!((all[1].product_id.as_str(), all[1].subscription_id), ("crm", silver));
    let told = events(&world.tenure).iter().filter(|it| it.name == "mrr_movement.recorded").count();
    assert_eq!(told, 5);
    let state = world.seen(|view| view.customer_revenue(acme)).unwrap();
    assert_eq!((state.mrr, state.first_tier.as_str()), (vec![eur(150)], "gold"));
    assert_eq!((state.first_paid_at, state.left_at), (BEGINNING, Some(BEGINNING + DAY * 2)));
}

fn only_what_is_paid_counts_and_a_missing_payment_is_no_departure(world: &World) {
    world.catalogue();
    let acme = world.customer_on("pro", "Acme");
    let trial = world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("pro").trial())).id;
    assert_eq!(kinds(world, acme), []);
    assert_eq!(world.seen(|view| view.customer_revenue(acme)), None);
    assert_eq!(world.now(acme).monthly_spend, None);
    assert!(world.seen(|view| view.billing_status(acme)).mrr.is_empty());
    let act = |action| world.done(|tx| tx.move_subscription(trial, action)).status;
    world.clock.advance(DAY);
    assert_eq!(act(SubscriptionAction::Activate), SubscriptionStatus::Active);
    assert_eq!(movements(world, acme)[0].effective_at, BEGINNING + DAY);
    assert_eq!(act(SubscriptionAction::MarkPastDue), SubscriptionStatus::PastDue);
    assert_eq!(world.seen(|view| view.billing_status(acme)).mrr, [eur(49)]);
    act(SubscriptionAction::Activate);
    act(SubscriptionAction::Renew);
    world.done(|tx| tx.upgrade(acme, "pro").map(drop).or(Ok(())));
    assert_eq!(kinds(world, acme), [(MrrKind::New, 4_900)]);
    world.done(|tx| tx.cancel_subscription(trial, When::PeriodEnd));
    assert_eq!(kinds(world, acme).len(), 1, "it still runs");
    let end = world.seen(|view| view.subscription(trial)).end_date.unwrap();
    world.clock.set(end + DAY);
    world.tenure.tick().unwrap();
    let last = movements(world, acme).pop().unwrap();
    assert_eq!((last.kind, last.mrr_after), (MrrKind::Churn, eur(0)));
    assert_eq!((last.effective_at, last.at), (end, end + DAY), "the tick was late");
    world.done(|tx| tx.cancel_subscription(trial, When::Now));
    assert_eq!(movements(world, acme).len(), 2, "it had ended already");
}

fn the_past_that_is_recorded_later_keeps_its_date(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    let since = BEGINNING - DAY * 400;
    world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("pro").started(since)));
    let movement = movements(world, acme).remove(0);
    assert_eq!((movement.effective_at, movement.at), (since, BEGINNING));
    let state = world.seen(|view| view.customer_revenue(acme)).unwrap();
    assert_eq!((state.first_paid_at, state.changed_at), (since, BEGINNING));
    // What was said of the time before stays what it was.
    let before = euros(world, BEGINNING - DAY * 30, BEGINNING);
    assert_eq!((before.changes.end.amount, before.mrr.value), (0, Some(0.0)));
}

fn two_currencies_are_two_books(world: &World) {
    tiers(
        world,
        &[("euro", eur(100), BillingCycle::Monthly), ("dollar", usd(50), BillingCycle::Monthly)],
    );
    let acme = world.customer("Acme").id;
    let euro = world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("euro"))).id;
    let crm = world.tenure.for_product("crm").unwrap();
    crm.write(|tx| tx.add_subscription(acme, &NewSubscription::to("dollar"))).unwrap();
    world.clock.advance(DAY);
    world.done(|tx| tx.cancel_subscription(euro, When::Now));
    let kinds = kinds(world, acme);
    assert_eq!(kinds, [(MrrKind::New, 10_000), (MrrKind::New, 5_000), (MrrKind::Churn, -10_000)]);
    let state = world.seen(|view| view.customer_revenue(acme)).unwrap();
    assert_eq!((state.mrr.clone(), state.left_at), (vec![eur(0), usd(50)], None));
    let all = report(world, BEGINNING + DAY, BEGINNING + DAY * 2);
    let codes: Vec<&str> = all.currencies.iter().map(|it| it.currency.code()).collect();
    assert_eq!(codes, ["EUR", "USD"]);
    assert_eq!(all.currencies[0].logo_churn.value, Some(1.0));
    assert_eq!(all.currencies[1].nrr.value, Some(1.0));
    let only = Period::new(BEGINNING, BEGINNING + DAY).unwrap();
    let only = world.seen(|view| view.revenue(only, Some(usd(0).currency)));
    assert_eq!(only.currencies.len(), 1);
    // A change of tier can change the currency.
    world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("euro")));
    world.done(|tx| tx.apply_tier(acme, "dollar", &[]));
    let last: Vec<_> = movements(world, acme).into_iter().rev().take(2).collect();
    assert_eq!([last[0].kind, last[1].kind], [MrrKind::Churn, MrrKind::Expansion]);
    assert_eq!([last[0].mrr_after, last[1].mrr_after], [eur(0), usd(100)]);
}

fn a_reset_is_no_decision_of_the_customer(world: &World) {
    world.catalogue();
    let [acme, globex] = ["Acme", "Globex"].map(|name| world.customer(name).id);
    for customer in [acme, globex] {
        world.done(|tx| tx.add_subscription(customer, &NewSubscription::to("pro")));
    }
    world.done(|tx| tx.link(acme, &NewLink::to("org_1")));
    world.clock.advance(DAY);
    let preview = world.tenure.preview(|tx| tx.reset_links(false, true)).unwrap();
    assert_eq!(movements(world, acme).len(), 1, "a preview writes nothing");
    let reset = world.done(|tx| tx.reset_links(false, true));
    assert_eq!((reset, reset.mrr_reset), (preview.outcome, 1));
    assert_eq!(kinds(world, acme), [(MrrKind::New, 4_900), (MrrKind::Reset, -4_900)]);
    let found = euros(world, BEGINNING + DAY, BEGINNING + DAY * 2);
    assert!(found.reconciles());
    assert_eq!((found.changes.start.amount, found.changes.end.amount), (9_800, 4_900));
    assert_eq!((found.grr.value, found.logo_churn.value), (Some(1.0), Some(0.0)));
    assert_eq!((found.changes.reset.amount, found.changes.base.customers), (-4_900, 1));
    assert!(found.grr.warnings.iter().any(|it| it.code == "revenue_reset"));
    let state = world.seen(|view| view.customer_revenue(acme)).unwrap();
    assert_eq!((state.left_at, state.reset_at), (None, Some(BEGINNING + DAY)));
    world.done(|tx| tx.reset_links(false, true));
    assert_eq!(kinds(world, acme).len(), 2, "there is nothing left to reset");
}

/// Five customers, of whom one grows, one shrinks, one leaves; a sixth is new.
fn month(world: &World) -> (OffsetDateTime, OffsetDateTime) {
    tiers(
        world,
        &[
            ("starter", eur(50), BillingCycle::Monthly),
            ("pro", eur(100), BillingCycle::Monthly),
            ("team", eur(200), BillingCycle::Monthly),
        ],
    );
    let names = ["a", "b", "c", "d", "e"];
    let ids = names.map(|name| {
        let id = world.customer(name).id;
        world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro")));
        id
    });
    let start = BEGINNING + DAY;
    world.clock.set(start);
    world.done(|tx| tx.apply_tier(ids[0], "team", &[]));
    world.clock.advance(DAY);
    world.done(|tx| tx.apply_tier(ids[1], "starter", &[]));
    let paid = world.seen(|view| view.subscriptions(ids[2]))[0].id;
    world.done(|tx| tx.cancel_subscription(paid, When::Now));
    // One that leaves and comes back within the period is there at its end.
    let paid = world.seen(|view| view.subscriptions(ids[3]))[0].id;
    world.done(|tx| tx.cancel_subscription(paid, When::Now));
    world.clock.advance(DAY);
    world.done(|tx| tx.add_subscription(ids[3], &NewSubscription::to("pro")));
    let new = world.customer("f").id;
    world.done(|tx| tx.add_subscription(new, &NewSubscription::to("starter")));
    world.clock.advance(DAY * 20);
    (start, start + DAY * 10)
}

fn a_month_is_reported_with_its_proofs(world: &World) {
    let (start, end) = month(world);
    let found = euros(world, start, end);
    assert!(found.reconciles());
    let changes = found.changes;
    assert_eq!((changes.start.amount, changes.end.amount), (50_000, 50_000));
    assert_eq!((changes.churned.amount, changes.contraction.amount), (10_000, 5_000));
    assert_eq!((changes.new.amount, changes.expansion.amount), (5_000, 10_000));
    assert_eq!((changes.reactivation.amount, changes.churned.customers), (0, 1));
    // The movements tell of the one that went and came back, too.
    let sums: Vec<_> = found.movements.iter().map(|it| (it.amount, it.movements)).collect();
    let written = [(5_000, 1), (10_000, 1), (-5_000, 1), (-20_000, 2), (10_000, 1), (0, 0)];
    assert_eq!(sums, written);
    let figures = [&found.grr, &found.nrr, &found.logo_churn, &found.quick_ratio, &found.arr];
    let values = figures.map(|it| it.value);
    assert_eq!(values, [Some(0.7), Some(0.9), Some(0.2), Some(1.0), Some(600_000.0)]);
    let interval = found.logo_churn.confidence_interval.unwrap();
    assert!(interval.low < 0.2 && 0.2 < interval.high && found.logo_churn.sample_size == 5);
    let targets: Vec<_> = found.targets.iter().map(|it| (it.figure, it.is_met)).collect();
    assert_eq!(targets, [("grr", Some(false)), ("nrr", Some(false))]);
    for (name, figure) in found.evidence() {
        let sources: Vec<_> = figure.sources.iter().map(|it| (it.name, it.records)).collect();
        assert_eq!(sources, [("mrr movements", 6), ("customer revenues", 5)], "{name}");
        assert_eq!(figure.sources[0].latest, Some(start + DAY * 2), "{name}");
        assert!(figure.is_reliable() && figure.warnings.is_empty(), "{name}");
        assert!(figure.method.formula.contains('Σ') || !figure.method.formula.is_empty());
    }
    // What happens later does not change what was.
    world.tenure.tick().unwrap();
    assert_eq!(euros(world, start, end).changes, changes);
}

fn a_share_of_nothing_is_none(world: &World) {
    let period = Period::new(BEGINNING, BEGINNING + DAY).unwrap();
    assert_eq!(world.seen(|view| view.revenue(period, None)).currencies, []);
    let asked = world.seen(|view| view.revenue(period, Some(eur(0).currency)));
    let nothing = &asked.currencies[0];
    for figure in [&nothing.grr, &nothing.nrr, &nothing.logo_churn, &nothing.quick_ratio] {
        assert_eq!((figure.value, figure.sample_size), (None, 0));
        assert_eq!(figure.warnings[0].code, "period_not_over");
    }
    assert_eq!(nothing.mrr.value, Some(0.0));
    assert!(nothing.targets.iter().all(|it| it.is_met.is_none()));
    let extremes = [(i64::MIN / 2_000_000, -1), (1, i64::MAX / 100_000_000)];
    for (from, to) in extremes {
        let at = |days| BEGINNING.saturating_add(Duration::days(days));
        let period = Period::new(at(from), at(to)).unwrap();
        assert!(world.seen(|view| view.revenue(period, None)).currencies.is_empty());
    }
}

fn the_records_behind_a_report_can_be_taken_away_as_csv(world: &World) {
    let (start, end) = month(world);
    let mut csv = vec![MrrMovement::CSV_HEADER.to_owned()];
    let period = Period::new(start, end).unwrap();
    let take = |view: &View<'_>, csv: &mut Vec<String>| {
        view.each_mrr_movement(period, |movement| {
            csv.push(movement.csv());
            Ok(())
        })
    };
    world.tenure.read(|view| take(view, &mut csv)).unwrap();
    let mut reader = csv::Reader::from_reader(csv.join("\r\n").into_bytes().leak() as &[u8]);
    let column = |name: &str, headers: &csv::StringRecord| headers.iter().position(|it| it == name);
    let amount = column("amount", reader.headers().unwrap()).unwrap();
    let amounts: Vec<i64> =
        reader.records().map(|it| it.unwrap()[amount].parse().unwrap()).collect();
    assert_eq!((amounts.len(), amounts.iter().sum::<i64>()), (6, 0));
    let stopped: Result<()> = world.tenure.read(|view| {
        view.each_mrr_movement(period, |_| Err(tenure::Error::Gateway("full".to_owned())))
    });
    assert_eq!(code(stopped), ErrorCode::Unavailable);
}

/// Customers that first paid in these months before the beginning, and for how many days.
fn payers(world: &World, stays: &[(&str, i64, Option<i64>)]) -> Vec<CustomerId> {
    world.catalogue();
    let mut ids = Vec::new();
    for (name, ago, days) in stays {
        let since = BEGINNING - DAY * i32::try_from(*ago).unwrap();
        world.clock.set(since);
        let tier = if name.starts_with('s') { "starter" } else { "pro" };
        let id = world.customer(name).id;
        let paid = world.done(|tx| tx.add_subscription(id, &NewSubscription::to(tier))).id;
        if let Some(days) = days {
            world.clock.advance(Duration::days(*days));
            world.done(|tx| tx.cancel_subscription(paid, When::Now));
        }
        ids.push(id);
    }
    world.clock.set(BEGINNING);
    ids
}

fn cohorts_are_cut_by_month_and_say_what_they_are(world: &World) {
    // 31 January; 90 days ago is 2 November, 61 is 1 December, 20 is 11 January.
    let stays = [
        ("p1", 90, None),
        ("p2", 90, Some(10)),
        ("s1", 90, Some(29)),
        ("s2", 61, Some(50)),
        ("s3", 20, None),
    ];
    let ids = payers(world, &stays);
    world.customer("never paid");
    let found = world.seen(|view| view.cohorts(CohortBy::FirstSubscription));
    let rows: Vec<_> =
        found.cohorts.iter().map(|it| (it.month.to_string(), it.size, it.active.clone())).collect();
    // What ends on 1 December at noon was paid in December, too.
    let expected = [("2025-11".to_owned(), 3, vec![3, 2]), ("2025-12".to_owned(), 1, vec![1])];
    assert_eq!((rows, found.too_young, found.population), (expected.to_vec(), 1, 5));
    assert_eq!(found.first_month.value, Some(2.0 / 3.0));
    let sources: Vec<_> = found.sources.iter().map(|it| (it.name, it.records)).collect();
    assert_eq!(sources, [("customer revenues", 5), ("mrr movements", 8)]);
    // By sign-up, everybody is in one, and who is deleted in none.
    let signed_up = world.seen(|view| view.cohorts(CohortBy::SignUp));
    assert_eq!((signed_up.population, signed_up.too_young), (6, 2));
    world.done(|tx| tx.delete_customer(ids[1]));
    let signed_up = world.seen(|view| view.cohorts(CohortBy::SignUp));
    assert_eq!((signed_up.population, signed_up.cohorts[0].active.as_slice()), (5, &[2, 2][..]));
    // By activity, with the host's days.
    let day = |customer: usize, ago: i32| (ids[customer], BEGINNING - DAY * ago);
    let days = [day(0, 90), day(0, 60), day(1, 60), day(1, -5), day(2, 3)];
    let active = world.seen(|view| view.cohorts_of_activity(days));
    assert_eq!((active.population, active.too_young, active.cohorts.len()), (3, 1, 2));
    let recorded = world.seen(|view| view.cohorts(CohortBy::FirstActivity));
    assert_eq!((recorded.population, recorded.first_month.value), (0, None), "none was recorded");
}

fn survival_counts_those_who_stay_for_as_long_as_they_were_seen(world: &World) {
    let stays = [
        ("p1", 90, None),
        ("p2", 90, Some(10)),
        ("s1", 90, Some(29)),
        ("s2", 61, Some(50)),
        ("s3", 20, None),
    ];
    let ids = payers(world, &stays);
    // Who came back has left all the same.
    world.done(|tx| tx.add_subscription(ids[1], &NewSubscription::to("pro")));
    let found = world.seen(|view| view.survival(None));
    let points: Vec<_> =
        found.all.points.iter().map(|it| (it.time, it.at_risk, it.events, it.censored)).collect();
    assert_eq!(points, [(10, 5, 1, 0), (20, 4, 0, 1), (29, 3, 1, 0), (50, 2, 1, 0), (90, 1, 0, 1)]);
    assert_eq!((found.all.at(10), found.all.median), (0.8, Some(50)));
    assert_eq!((found.groups.len(), found.log_rank), (0, None));
    let tiers = world.seen(|view| view.survival(Some(SurvivalBy::FirstTier)));
    let groups: Vec<_> =
        tiers.groups.iter().map(|it| (it.name.as_str(), it.survival.customers)).collect();
    assert_eq!(groups, [("pro", 2), ("starter", 3)]);
    assert!(tiers.log_rank.is_some_and(|it| it.df == 1 && (0.0..=1.0).contains(&it.p)));
    world.done(|tx| tx.update_customer(ids[0], &CustomerDraft::default().size("smb")));
    let sizes = world.seen(|view| view.survival(Some(SurvivalBy::Size)));
    let groups: Vec<_> = sizes.groups.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(groups, ["smb", "unknown"]);
    assert_eq!(sizes.sources[0].records, 5);
}

fn what_is_reported_is_validated_from_the_records(world: &World) {
    let nothing = world.seen(|view| view.validate_metrics());
    assert!(nothing.passed && nothing.metric_accuracy.churn.is_none());
    assert_eq!(nothing.checks[2].status, CheckStatus::Warning, "there are no data");
    let ids = payers(world, &[("p1", 90, None), ("p2", 90, Some(75)), ("s1", 50, None)]);
    world.uses(ids[0], "ai_credits", 7);
    let found = world.seen(|view| view.validate_metrics());
    let names: Vec<&str> = found.checks.iter().map(|it| it.name).collect();
    assert_eq!(
        names,
        [
            "nps_calculation",
            "churn_calculation",
            "data_sources",
            "cohort_definitions",
            "retention",
            "health_algorithm",
            "survey_validity",
            "reconciliation",
        ]
    );
    for check in &found.checks {
        let old = check.name == "data_sources";
        let expected = if old { CheckStatus::Warning } else { CheckStatus::Pass };
        assert_eq!(check.status, expected, "{check:?}");
    }
    assert!(found.passed && found.discrepancies == 0 && found.timestamp == BEGINNING);
    let accuracy = found.metric_accuracy;
    assert_eq!((accuracy.churn, accuracy.cohorts, accuracy.nps), (Some(1.0), Some(1.0), None));
    let compared = |check: usize| found.checks[check].evidence.len();
    assert_eq!((compared(1), compared(3), compared(7)), (6, 4, 3));
    let fresh: Vec<_> = found.freshness.iter().map(|it| (it.source, it.level)).collect();
    assert_eq!(fresh[0], ("customers", FreshnessLevel::Critical));
    assert_eq!(fresh[1], ("contacts", FreshnessLevel::Unknown));
    assert_eq!(found.sources_verified, 0);
    world.customer("Globex");
    assert_eq!(world.seen(|view| view.data_freshness())[0].level, FreshnessLevel::Fresh);
}

stories! {
    revenue_walks_as_published,
    only_what_is_paid_counts_and_a_missing_payment_is_no_departure,
    the_past_that_is_recorded_later_keeps_its_date,
    two_currencies_are_two_books,
    a_reset_is_no_decision_of_the_customer,
    a_month_is_reported_with_its_proofs,
    a_share_of_nothing_is_none,
    the_records_behind_a_report_can_be_taken_away_as_csv,
    cohorts_are_cut_by_month_and_say_what_they_are,
    survival_counts_those_who_stay_for_as_long_as_they_were_seen,
    what_is_reported_is_validated_from_the_records,
}
