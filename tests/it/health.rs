//! Health: scored, kept when it changes, told, overridden, and asked about.

use crate::support::{BEGINNING, World, code, events, fields};
use serde_json::{Value, json};
use tenure::{
    CustomerDraft, CustomerId, ErrorCode, Event, Figure, FigureSource, Figures, Grade,
    HealthComponent, HealthMetric, HealthModel, HealthRecord, HealthScope, HealthScore,
    HealthTrend, Result, RiskFactorKind, Tx, UnscoredReason, View,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// Figures that are so at `at`.
fn figures<const N: usize>(at: OffsetDateTime, known: [(&'static str, f64); N]) -> Figures {
    let mut figures = Figures::default();
    for (name, value) in known {
        figures.set(name, Figure { value, at, source: FigureSource::Host });
    }
    figures
}

/// A model that looks at one figure, whose value is its score.
fn one() -> HealthModel {
    let metric = HealthMetric::higher("score", 100.0, 1.0);
    HealthModel::of([HealthComponent::new("only", 1.0).metric(metric)])
}

fn scored(tx: &mut Tx<'_>, id: CustomerId, figures: &Figures) -> Result<HealthScore> {
    for (name, figure) in figures.iter() {
        tx.record_metric(id, name, figure.value, figure.at)?;
    }
    tx.score_health(id)
}

impl World {
    /// Records what was measured, and scores.
    fn scored(&self, id: CustomerId, figures: &Figures) -> HealthScore {
        self.done(|tx| scored(tx, id, figures))
    }

    /// Scores a customer at `score`, by a model that looks at nothing else.
    fn at(&self, id: CustomerId, score: f64) -> HealthScore {
        self.scored(id, &figures(self.clock.now(), [("score", score)]))
    }

    fn plain(&self) -> CustomerId {
        self.done(|tx| tx.define_health_model("one", &one(), &HealthScope::default(), 0));
        self.customer("Acme").id
    }

    fn records(&self, id: CustomerId) -> Vec<HealthRecord> {
        self.seen(|view| view.health_history(id, 100, None)).items
    }

    /// What was told of health since the beginning.
    fn health_told(&self) -> Vec<Event> {
        let mut told = events(&self.tenure);
        told.retain(|event| event.name.starts_with("health."));
        told
    }

    fn alerts(&self) -> Vec<Value> {
        let alerts = self.health_told().into_iter().filter(|it| it.name == "health.alerted");
        alerts
            .map(|it| {
                json!([it.data["kind"], it.data["severity"], it.data["drop"], it.data["occasion"]])
            })
            .collect()
    }
}

/// Everything that can be done to the health of a customer.
pub fn tour(tx: &mut Tx<'_>, id: CustomerId, mark: &str) -> Result<()> {
    let name = format!("{mark}-model");
    tx.define_health_model(&name, &one(), &HealthScope::default(), 1)?;
    for score in [90.0, 10.0] {
        scored(tx, id, &figures(tx.now(), [("score", score)]))?;
    }
    let until = tx.now() + Duration::DAY;
    tx.override_health(id, 50, &format!("{mark} why"), until)?;
    tx.lift_health_override(id)?;
    tx.retire_health_model(&name)?;
    tx.score_health(id).map(drop)
}

/// Everything that is told of the health of a customer.
pub fn told(view: &View<'_>, id: CustomerId) -> Result<Value> {
    let history = view.health_history(id, 100, None)?;
    Ok(json!([view.health(id)?, history, view.explain_health(id)?, view.health_models()?]))
}

fn what_did_not_change_is_kept_once(world: &World) {
    let id = world.customer("Acme").id;
    let known = [
        ("dau_mau_ratio", 0.5),
        ("feature_adoption", 0.35),
        ("conversations_per_week", 80.0),
        ("logins_per_week", 4.0),
        ("avg_csat", 4.0),
        ("nps_score", 8.0),
    ];
    let first = world.scored(id, &figures(BEGINNING, known));
    assert_eq!(first.score, Some(80));
    assert_eq!(world.now(id).health_score, Some(80));
    assert_eq!((world.records(id).len(), world.health_told().len()), (1, 1));
    // Measured again, and found the same.
    world.clock.advance(Duration::days(1));
    let version = world.now(id).version;
    let again = world.scored(id, &figures(world.clock.now(), known));
    assert_eq!((again.score, again.record_id), (first.score, first.record_id));
    assert_eq!((world.records(id).len(), world.health_told().len()), (1, 1));
    assert_eq!(world.now(id).version, version);
    // Another figure, and still the same score: what it was computed from has changed.
    world.clock.advance(Duration::days(1));
    let more = world.scored(id, &figures(world.clock.now(), [("avg_csat", 4.01)]));
    assert_eq!((more.score, world.records(id).len()), (first.score, 2));
    assert_ne!(more.record_id, first.record_id);
    let record = &world.records(id)[0];
    assert_eq!(record.inputs.get("avg_csat").unwrap().at, world.clock.now());
    assert_eq!(record.inputs.get("dau_mau_ratio").unwrap().at, BEGINNING + Duration::DAY);
    assert_eq!(record.model_hash, HealthModel::default().hash());
    assert_eq!(record.components[2].score, Some(80));
}

fn too_little_is_no_score(world: &World) {
    let id = world.customer("Acme").id;
    let score = world.scored(id, &figures(BEGINNING, [("avg_csat", 4.0)]));
    assert_eq!((score.score, score.grade, world.now(id).health_score), (None, None, None));
    let why = score.health.unscored.unwrap();
    assert_eq!(why.reason, UnscoredReason::TooLittleKnown);
    assert_eq!(why.to_string(), "6.0 % of what health looks at is known, 50.0 % is needed");
    assert_eq!(score.health.total, Some(80), "what is known comes to so much");
    assert!(world.alerts().is_empty());
}

fn what_is_too_old_is_not_known_any_more(world: &World) {
    let id = world.plain();
    world.at(id, 70.0);
    world.clock.advance(Duration::days(90));
    assert_eq!(world.done(|tx| tx.score_health(id)).score, Some(70));
    assert_eq!(world.records(id).len(), 1);
    world.clock.advance(Duration::microseconds(1));
    assert_eq!(world.done(|tx| tx.score_health(id)).score, None);
    assert_eq!((world.records(id).len(), world.now(id).health_score), (2, None));
    // What comes back is told against the last score that there was.
    world.at(id, 50.0);
    assert_eq!(world.records(id)[0].previous_score, Some(70));
    assert_eq!(
        world.alerts(),
        [json!(["health_score_drop", "high", 20, "health_score_dropped_20"])]
    );
}

fn somebody_hears_of_a_fall(world: &World) {
    let id = world.plain();
    for score in [85.0, 70.0, 54.0, 34.0, 14.0, 25.0, 19.0] {
        world.at(id, score);
        world.clock.advance(Duration::days(1));
    }
    assert_eq!(
        world.alerts(),
        [
            json!(["health_score_drop", "high", 16, null]),
            json!(["health_score_drop", "high", 20, "health_score_dropped_20"]),
            json!(["customer_at_risk", "critical", 20, null]),
            json!(["health_score_drop", "high", 20, "health_score_dropped_20"]),
            json!(["customer_at_risk", "critical", 20, null]),
            json!(["customer_at_risk", "critical", 6, null]),
        ]
    );
    let trends: Vec<_> = world.records(id).into_iter().map(|it| it.trend).collect();
    let (up, down) = (Some(HealthTrend::Improving), Some(HealthTrend::Declining));
    assert_eq!(trends, [down, up, down, down, down, down, None]);
    // The first score of all can be low as well.
    let other = world.customer("Globex").id;
    world.at(other, 39.0);
    assert_eq!(world.alerts().len(), 7);
    assert_eq!(world.at(other, 39.0).grade, Some(Grade::D));
}

fn a_score_is_read_as_it_was_computed(world: &World) {
    let id = world.plain();
    assert_eq!(world.seen(|view| view.health(id)), None);
    world.at(id, 80.0);
    let mut fallen = world.at(id, 60.0);
    let read = world.seen(|view| view.health(id)).unwrap();
    // But for the alerts, which were given once.
    assert_eq!(fallen.health.alerts.drain(..).count(), 1);
    assert_eq!(read, fallen);
    assert_eq!(read.health.trend, Some(HealthTrend::Declining));
    assert_eq!(read.health.risk_factors[0].kind, RiskFactorKind::ComponentDeclining);
    assert_eq!(read.health.risk_factors[0].to_string(), "only fell from 80 to 60");
    // Nothing new, and nothing else is said of it.
    let again = world.at(id, 60.0);
    assert_eq!(again.health.trend, Some(HealthTrend::Declining));
    assert!(again.health.alerts.is_empty());
}

fn somebody_knows_better_for_a_time(world: &World) {
    let id = world.plain();
    let until = BEGINNING + Duration::days(7);
    world.done(|tx| tx.override_health(id, 20, "The sponsor has left.", until));
    let only = world.seen(|view| view.health(id)).unwrap();
    assert_eq!((only.score, only.health.score), (Some(20), None));
    world.at(id, 90.0);
    let both = world.seen(|view| view.health(id)).unwrap();
    assert_eq!((both.score, both.grade), (Some(20), Some(Grade::D)));
    assert_eq!((both.health.score, both.health.grade), (Some(90), Some(Grade::A)));
    let given = both.overridden.unwrap();
    assert_eq!((given.reason.as_str(), given.by.as_str()), ("The sponsor has left.", "system"));
    let told =
        world.told(|| world.done(|tx| tx.override_health(id, 20, "The sponsor has left.", until)));
    assert!(told.is_empty(), "the same again");
    // It is over by itself.
    world.clock.set(until - Duration::microseconds(1));
    assert_eq!(world.seen(|view| view.health(id)).unwrap().score, Some(20));
    world.clock.set(until);
    let after = world.seen(|view| view.health(id)).unwrap();
    assert_eq!((after.score, after.overridden), (Some(90), None));
    assert_eq!(world.now(id).health_score, Some(90));
    assert!(!world.done(|tx| tx.lift_health_override(id)));
    // Or it is ended before.
    world.done(|tx| tx.override_health(id, 30, "x", until + Duration::DAY));
    assert!(world.done(|tx| tx.lift_health_override(id)));
    assert_eq!(world.seen(|view| view.health(id)).unwrap().score, Some(90));
}

fn an_override_is_checked_as_a_whole(world: &World) {
    let id = world.customer("Acme").id;
    let error = world.refused(|tx| tx.override_health(id, 101, " ", BEGINNING));
    assert_eq!(fields(&error), ["score", "reason", "until"]);
    let far = datetime!(9999-12-31 23:59:59 UTC);
    world.done(|tx| tx.override_health(id, 100, "for ever", far));
    let nobody = CustomerId::from(uuid_of(7));
    assert_eq!(
        code(world.tried(|tx| tx.override_health(nobody, 1, "x", far))),
        ErrorCode::NotFound
    );
    assert_eq!(code(world.tried(|tx| tx.lift_health_override(nobody))), ErrorCode::NotFound);
    assert_eq!(code(world.tried(|tx| tx.score_health(nobody))), ErrorCode::NotFound);
    assert_eq!(code(world.tenure.read(|view| view.health(nobody))), ErrorCode::NotFound);
}

fn uuid_of(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

fn the_first_model_that_is_meant_counts(world: &World) {
    let model = |ideal: f64| {
        let metric = HealthMetric::higher("score", ideal, 1.0);
        HealthModel::of([HealthComponent::new("only", 1.0).metric(metric)])
    };
    let smb = HealthScope { sizes: vec!["smb".parse().unwrap()], ..HealthScope::default() };
    let free = HealthScope { tiers: vec!["free".parse().unwrap()], ..HealthScope::default() };
    let small = world.done(|tx| tx.create_customer(&CustomerDraft::named("Small").size("smb"))).id;
    let other = world.customer("Other").id;
    let models = |id| (world.at(id, 50.0).model, world.at(id, 50.0).score);
    assert_eq!(models(small), ("default".to_owned(), None));
    world.done(|tx| {
        tx.define_health_model("b", &model(50.0), &free, 1)?;
        tx.define_health_model("a", &model(200.0), &smb, 1)
    });
    assert_eq!(models(small), ("a".to_owned(), Some(25)));
    assert_eq!(models(other), ("b".to_owned(), Some(100)));
    world.done(|tx| tx.define_health_model("b", &model(50.0), &free, 2));
    assert_eq!(models(small), ("b".to_owned(), Some(100)));
    // A new version counts from now on; those before are still known.
    let second = world.done(|tx| tx.define_health_model("b", &model(400.0), &free, 2));
    assert_eq!((second.version, models(small).1), (3, Some(13)));
    let records = world.records(small);
    assert_eq!(records[0].model_id, second.id);
    let before = world.seen(|view| view.health_model(records[1].model_id));
    assert_eq!((before.version, before.model), (2, model(50.0)));
    let told = world.told(|| world.done(|tx| tx.define_health_model("b", &model(400.0), &free, 2)));
    assert!(told.is_empty(), "it is the latest version already");
    let in_use = world.seen(|view| view.health_models());
    let names: Vec<_> = in_use.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    world.clock.advance(Duration::SECOND);
    world.done(|tx| tx.retire_health_model("b"));
    world.done(|tx| tx.retire_health_model("b"));
    assert_eq!(models(small).0, "a");
    assert_eq!(models(other).0, "default");
    assert_eq!(code(world.tried(|tx| tx.retire_health_model("none"))), ErrorCode::NotFound);
}

fn a_model_is_checked_as_a_whole(world: &World) {
    let metric = HealthMetric::higher("Not a code", f64::NAN, 0.7);
    let twice = HealthMetric::lower("twice", 5.0, 5.0, 0.7);
    let faulty = HealthComponent::new("c", 0.5).metric(metric).metric(twice);
    let mut empty = HealthComponent::new("c", 1.5);
    empty.unknown = tenure::UnknownPolicy::Neutral(101);
    let third = HealthComponent::new("d", 0.4).metric(HealthMetric::lower("twice", 5.0, 5.0, 1.0));
    let mut model = HealthModel::of([faulty, empty, third]);
    (model.min_coverage, model.trend_over, model.grades.b) = (f64::INFINITY, 101, 40);
    model.thresholds.growth_over = f64::NAN;
    let error = world.refused(|tx| tx.define_health_model("A", &model, &HealthScope::default(), 0));
    assert_eq!(
        fields(&error),
        [
            "name",
            "components[1].weight",
            "components[0].metrics",
            "components[0].metrics[0].name",
            "components[0].metrics[0].ideal",
            "components[0].metrics[1].worst",
            "components[1].name",
            "components[1].unknown",
            "components[1].metrics",
            "components[2].metrics[0].name",
            "components[2].metrics[0].worst",
            "minCoverage",
            "grades",
            "trendOver",
            "thresholds.growthOver",
        ]
    );
    assert_eq!(
        code(world.tried(|tx| tx.define_health_model(
            "a",
            &HealthModel::of([]),
            &HealthScope::default(),
            0
        ))),
        ErrorCode::BadRequest
    );
}

fn a_difference_tells_what_moved_a_score(world: &World) {
    let id = world.customer("Acme").id;
    let known = [
        ("dau_mau_ratio", 0.5),
        ("feature_adoption", 0.7),
        ("logins_per_week", 5.0),
        ("open_tickets", 0.0),
        ("nps_score", 9.0),
    ];
    let before = world.scored(id, &figures(BEGINNING, known)).record_id.unwrap();
    let after = world
        .scored(id, &figures(BEGINNING, [("open_tickets", 4.0), ("nps_score", 8.0)]))
        .record_id
        .unwrap();
    let moved = world.seen(|view| view.health_difference(before, after));
    let names: Vec<_> =
        moved.moves.iter().map(|it| (it.metric.as_str(), it.before, it.after)).collect();
    assert_eq!(
        names,
        [("open_tickets", Some(0.0), Some(4.0)), ("nps_score", Some(9.0), Some(8.0))]
    );
    let sum: f64 = moved.moves.iter().map(|it| it.by).sum();
    assert!((sum - moved.by).abs() < 1e-9 && moved.by < -10.0, "{moved:?}");
    assert!(!moved.model_changed);
    let same = world.seen(|view| view.health_difference(after, after));
    assert!(same.moves.is_empty() && same.by == 0.0);
    let other = world.customer("Globex").id;
    let foreign = world.scored(other, &figures(BEGINNING, known)).record_id.unwrap();
    assert_eq!(
        code(world.tenure.read(|view| view.health_difference(before, foreign))),
        ErrorCode::Unprocessable
    );
}

fn what_was_can_be_computed_again(world: &World) {
    let id = world.plain();
    for score in [90.0, 50.0, 70.0] {
        world.at(id, score);
        world.clock.advance(Duration::days(1));
    }
    let was = |at| world.seen(|view| view.health_as_of(id, at)).score;
    assert_eq!(was(BEGINNING - Duration::SECOND), None);
    assert_eq!(was(BEGINNING), Some(90));
    assert_eq!(was(BEGINNING + Duration::hours(47)), Some(50));
    assert_eq!(was(world.clock.now()), Some(70));
    assert_eq!(was(datetime!(9999-12-31 0:00 UTC)), None, "by then it is too old");
    assert_eq!(was(datetime!(0001-01-01 0:00 UTC)), None);
    assert_eq!(world.records(id).len(), 3);
}

fn a_question_changes_nothing(world: &World) {
    let id = world.plain();
    world.at(id, 60.0);
    let before = (events(&world.tenure), world.records(id), world.now(id));
    let tried = world.seen(|view| view.simulate_health(id, &figures(BEGINNING, [("score", 95.0)])));
    assert_eq!((tried.score, tried.record_id), (Some(95), None));
    let why = world.seen(|view| view.explain_health(id)).unwrap();
    assert_eq!((why.shares[0].share, why.shares[0].most, why.gains[0].gain), (60.0, 100.0, 40.0));
    let mut strict = one();
    strict.components[0].metrics[0].ideal = 120.0;
    let tested = world.seen(|view| view.back_test_health(&strict, Some(id), 10, None)).items;
    assert_eq!((tested[0].was, tested[0].would_be.score), (Some(60), Some(50)));
    let all = world.seen(|view| view.back_test_health(&strict, None, 10, None)).items;
    assert_eq!(all, tested);
    strict.min_coverage = f64::NAN;
    assert_eq!(
        code(world.tenure.read(|view| view.back_test_health(&strict, None, 10, None))),
        ErrorCode::BadRequest
    );
    assert_eq!((events(&world.tenure), world.records(id), world.now(id)), before);
}

fn histories_are_read_in_pages(world: &World) {
    let id = world.plain();
    for score in 0..7 {
        world.at(id, f64::from(score) * 10.0);
    }
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = world.seen(|view| view.health_history(id, 3, cursor.as_ref()));
        seen.extend(page.items.into_iter().filter_map(|it| it.score));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, [60, 50, 40, 30, 20, 10, 0]);
    assert_eq!(
        code(world.tenure.read(|view| view.health_history(id, 0, None))),
        ErrorCode::BadRequest
    );
}

fn hostile_figures_do_no_harm(world: &World) {
    let id = world.customer("Acme").id;
    let names: Vec<String> =
        HealthModel::default().metrics().map(|(_, it)| it.name.clone()).collect();
    let ends = [f64::NAN, f64::INFINITY, -1e308, f64::MAX, -0.0, 5e-324];
    for value in ends {
        for at in [datetime!(0001-01-01 0:00 UTC), BEGINNING, datetime!(9999-12-31 23:59 UTC)] {
            let mut figures = Figures::default();
            for name in names.iter().map(String::as_str).chain(["\u{0}", "💥", ""]) {
                figures.set(name.to_owned(), Figure { value, at, source: FigureSource::Host });
            }
            let score = world.seen(|view| view.simulate_health(id, &figures));
            assert!(score.score.is_none_or(|score| score <= 100));
        }
    }
}

stories! {
    what_did_not_change_is_kept_once,
    too_little_is_no_score,
    what_is_too_old_is_not_known_any_more,
    somebody_hears_of_a_fall,
    a_score_is_read_as_it_was_computed,
    somebody_knows_better_for_a_time,
    an_override_is_checked_as_a_whole,
    the_first_model_that_is_meant_counts,
    a_model_is_checked_as_a_whole,
    a_difference_tells_what_moved_a_score,
    what_was_can_be_computed_again,
    a_question_changes_nothing,
    histories_are_read_in_pages,
    hostile_figures_do_no_harm,
}
