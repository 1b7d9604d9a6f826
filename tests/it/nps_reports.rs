//! Scores: with their proof, their trend and what people say, and compared only where that is fair.

use crate::support::{BEGINNING, World, code, fields};
use tenure::domain::period::Period;
use tenure::{
    Code, CustomerDraft, CustomerId, Error, ErrorCode, NpsComparison, NpsCounts, NpsPopulation,
    NpsQuery, NpsReport, NpsResponseDraft, NpsSurveyDraft, NpsTest, NpsVerdict, Severity,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const JANUARY: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

fn period(start: OffsetDateTime, end: OffsetDateTime) -> Period {
    Period::new(start, end).unwrap()
}

fn month() -> Period {
    period(JANUARY, datetime!(2026-02-01 0:00 UTC))
}

/// So many customers who answer with these scores at `at`; their ids.
fn answers(
    world: &World,
    at: OffsetDateTime,
    mark: &str,
    scores: &[(i32, usize)],
) -> Vec<CustomerId> {
    world.done(|tx| {
        let mut all = Vec::new();
        for (score, count) in scores {
            for number in 0..*count {
                let name = format!("{mark} {score} {number}");
                let id = tx.create_customer(&CustomerDraft::named(name))?.id;
                tx.record_nps_response(&NpsResponseDraft::of(id, *score).submitted_at(at))?;
                all.push(id);
            }
        }
        Ok::<_, Error>(all)
    })
}

/// These customers answer with this score at `at`.
fn again(world: &World, at: OffsetDateTime, customers: &[CustomerId], score: i32) {
    world.done(|tx| {
        for id in customers {
            tx.record_nps_response(&NpsResponseDraft::of(*id, score).submitted_at(at))?;
        }
        Ok::<_, Error>(())
    });
}

fn report(world: &World, query: impl Into<NpsQuery>) -> NpsReport {
    let query = query.into();
    world.seen(|view| view.nps(query.clone()))
}

fn compare(world: &World, before: Period, after: Period) -> NpsComparison {
    world.seen(|view| view.compare_nps(before, after))
}

fn warnings(report: &NpsReport) -> Vec<(&str, Severity)> {
    report.nps.warnings.iter().map(|it| (it.code, it.severity)).collect()
}

fn without_answers_there_is_no_score(world: &World) {
    let report = report(world, month());
    assert_eq!((report.nps.value, report.unrounded, report.percentages), (None, None, None));
    assert_eq!(report.nps.confidence_interval, None);
    assert_eq!(report.response_rate.value, None);
    assert!(!report.nps.is_reliable());
    assert_eq!(report.change.unwrap().verdict, NpsVerdict::Insufficient);
    let early = period(datetime!(0001-01-01 0:00 UTC), datetime!(0001-01-08 0:00 UTC));
    assert_eq!(self::report(world, early).trend.len(), 1);
    let late = period(datetime!(9999-12-01 0:00 UTC), datetime!(9999-12-31 23:59 UTC));
    assert!(self::report(world, late).nps.value.is_none());
}

fn a_score_comes_with_its_proof(world: &World) {
    answers(world, JANUARY, "A", &[(10, 20), (9, 5), (8, 10), (7, 5), (6, 5), (0, 5)]);
    let report = report(world, month());
    assert_eq!(report.counts, NpsCounts::new(25, 15, 10));
    assert_eq!((report.nps.value, report.nps.sample_size), (Some(30.0), 50));
    let percentages = report.percentages.unwrap();
    assert_eq!((percentages.promoters, percentages.passives, percentages.detractors), (50, 30, 20));
    let interval = report.nps.confidence_interval.unwrap();
    let known = report.counts.adjusted().unwrap().interval;
    assert_eq!(interval, known);
    assert_eq!(report.nps.period, Some(month()));
    assert_eq!(report.nps.sources[0].records, 50);
    assert_eq!(report.nps.sources[0].latest, Some(JANUARY));
    assert!(report.nps.is_reliable() && report.nps.warnings.is_empty());
    assert_eq!(report.not_followed_up, 10);
    let met: Vec<_> = report.targets.iter().map(|it| (it.name, it.is_met)).collect();
    assert_eq!(met, [("nps", Some(false)), ("responses", Some(true)), ("response_rate", None)]);
}

fn few_answers_claim_nothing(world: &World) {
    answers(world, JANUARY, "A", &[(9, 29)]);
    assert_eq!(warnings(&report(world, month())), [("insufficient_sample", Severity::Critical)]);
    answers(world, JANUARY, "B", &[(9, 1)]);
    let enough = report(world, month());
    assert_eq!(warnings(&enough), [("small_sample", Severity::Warning)]);
    assert!(enough.nps.is_reliable());
    answers(world, JANUARY, "C", &[(9, 20)]);
    assert_eq!(warnings(&report(world, month())), []);
}

fn halves_are_rounded_up(world: &World) {
    answers(world, JANUARY, "A", &[(9, 3), (8, 1), (0, 4)]);
    let report = report(world, month());
    assert_eq!((report.nps.value, report.unrounded), (Some(-12.0), Some(-12.5)));
    let percentages = report.percentages.unwrap();
    assert_eq!((percentages.promoters, percentages.passives, percentages.detractors), (38, 13, 50));
}

fn the_response_rate_is_that_of_the_surveys_sent(world: &World) {
    let customers: Vec<_> = (0..40).map(|it| world.customer(&format!("C {it}")).id).collect();
    let mut surveys = Vec::new();
    for id in &customers {
        let draft = NpsSurveyDraft::to(*id, "quarterly_nps").sent_at(JANUARY);
        surveys.push(world.done(|tx| tx.send_nps_survey(&draft)).id);
    }
    // Unasked: counts in the score alone.
    answers(world, JANUARY, "Unasked", &[(9, 60)]);
    // Of 40, one is 2.5 %, two are 5 %, four are 10 %.
    let expected = [Severity::Critical, Severity::Warning, Severity::Warning];
    for (place, survey) in surveys.iter().enumerate().take(4) {
        let draft = NpsResponseDraft::to(*survey, 9).submitted_at(JANUARY);
        world.done(|tx| tx.record_nps_response(&draft));
        let report = report(world, month());
        assert_eq!((report.surveys, report.surveys_open), (40, 39 - u64::try_from(place).unwrap()));
        let expected = expected.get(place).copied();
        let found = report.response_rate.warnings.first().map(|it| it.severity);
        assert_eq!(found, expected, "{place}");
        assert_eq!(report.nps.warnings.first().map(|it| it.severity), expected);
        assert_eq!(report.nps.is_reliable(), expected != Some(Severity::Critical));
    }
    let report = report(world, month());
    assert!(report.response_rate.confidence_interval.is_some());
    assert_eq!(report.counts.total(), 64);
    assert_eq!(report.response_rate.value, Some(0.1));
    let wide = self::report(world, period(JANUARY + Duration::DAY, BEGINNING));
    assert_eq!((wide.surveys, wide.response_rate.value), (0, None));
}

fn the_trend_has_six_whole_months(world: &World) {
    for (at, score) in [
        (datetime!(2025-07-31 23:59:59.999999 UTC), 0),
        (datetime!(2025-08-01 0:00 UTC), 10),
        (datetime!(2025-08-31 23:59:59.999999 UTC), 0),
        (datetime!(2025-09-01 0:00 UTC), 10),
        (datetime!(2026-01-31 11:00 UTC), 10),
    ] {
        answers(world, at, &at.to_string(), &[(score, 1)]);
    }
    let week = period(datetime!(2026-01-05 0:00 UTC), datetime!(2026-01-12 0:00 UTC));
    for asked in [month(), week, period(datetime!(2025-10-01 0:00 UTC), month().end())] {
        let trend = report(world, asked).trend;
        let starts: Vec<_> = trend.iter().map(|it| u8::from(it.month.start().month())).collect();
        assert_eq!(starts, [8, 9, 10, 11, 12, 1]);
        let scores: Vec<_> = trend.iter().map(|it| it.nps).collect();
        assert_eq!(scores, [Some(0), Some(100), None, None, None, Some(100)]);
        assert!(trend.iter().all(|it| it.is_insufficient));
    }
}

fn what_people_say_is_counted(world: &World) {
    for (score, words) in [
        (10, "The support is great"),
        (9, "Great support, great people!"),
        (8, "support"),
        (3, "Reports are slow"),
        (0, "los informes son lentos; reports"),
    ] {
        let id = world.customer(words).id;
        let draft = NpsResponseDraft::of(id, score).feedback(words).submitted_at(JANUARY);
        world.done(|tx| tx.record_nps_response(&draft));
    }
    let report = report(world, month());
    let told = |themes: &[tenure::Theme]| -> Vec<(String, u64)> {
        themes.iter().map(|it| (it.term.clone(), it.responses)).collect()
    };
    let is = |term: &str, count| (term.to_owned(), count);
    assert_eq!(told(&report.positive), [is("great", 2), is("support", 2), is("people", 1)]);
    let blame = [is("reports", 2), is("informes", 1), is("lentos", 1), is("slow", 1)];
    assert_eq!(told(&report.negative), blame);
}

fn a_population_counts_for_itself(world: &World) {
    world.catalogue();
    let pro = world.customer_on("pro", "Pro");
    let starter = world.customer_on("starter", "Starter");
    again(world, JANUARY, &[pro], 10);
    again(world, JANUARY, &[starter], 0);
    let plan = NpsPopulation::Plan(Code::parse("pro").unwrap());
    let of = |population| report(world, NpsQuery::over(month()).of(population)).nps.value;
    assert_eq!(of(plan), Some(100.0));
    assert_eq!(of(NpsPopulation::Customer(starter)), Some(-100.0));
    assert_eq!(of(NpsPopulation::Everyone), Some(0.0));
    let nobody = NpsPopulation::Customer(CustomerId::from(Uuid::nil()));
    let query = NpsQuery::over(month()).of(nobody);
    assert_eq!(code(world.tenure.read(|view| view.nps(query.clone()))), ErrorCode::NotFound);
}

fn what_is_not_alike_is_not_compared(world: &World) {
    let (december, january) = (period(datetime!(2025-12-01 0:00 UTC), JANUARY), month());
    let week = period(JANUARY, JANUARY + Duration::WEEK);
    let pro = NpsPopulation::Plan(Code::parse("pro").unwrap());
    let refused = |before: NpsQuery, after: NpsQuery| {
        world.tenure.read(|view| view.compare_nps(before.clone(), after.clone())).unwrap_err()
    };
    let (before, after) = (NpsQuery::over(december), NpsQuery::over(january));
    let error = refused(before.clone(), NpsQuery::over(week));
    assert_eq!(fields(&error), ["period"]);
    assert!(error.to_string().contains("31 and 7 days"), "{error}");
    let error = refused(before.clone(), after.clone().of(pro.clone()));
    assert_eq!(fields(&error), ["population"]);
    assert!(error.to_string().contains("everyone and plan pro"), "{error}");
    assert_eq!(fields(&refused(after.clone(), before.clone())), ["period.start"]);
    assert_eq!(fields(&refused(after.clone(), after.clone())), ["period.start"]);
    let all = refused(NpsQuery::over(january).of(pro), NpsQuery::over(week));
    assert_eq!(fields(&all), ["period", "period.start", "population"]);
    let february = period(january.end(), datetime!(2026-03-01 0:00 UTC));
    assert_eq!(compare(world, january, february).verdict, NpsVerdict::Insufficient);
}

fn a_change_is_claimed_only_if_chance_would_rarely_do_it(world: &World) {
    let (december, january) = (period(datetime!(2025-12-01 0:00 UTC), JANUARY), month());
    answers(world, december.start(), "A", &[(9, 40), (7, 20), (0, 40)]);
    answers(world, january.start(), "B", &[(9, 45), (7, 20), (0, 35)]);
    let found = compare(world, december, january);
    assert_eq!((found.verdict, found.test), (NpsVerdict::Unproven, NpsTest::Independent));
    assert!((found.change.value.unwrap() - 10.0).abs() < 1e-9);
    let interval = found.change.confidence_interval.unwrap();
    assert!(interval.low < 0.0 && interval.high > 0.0 && found.p.unwrap() > 0.05);
    answers(world, january.start(), "C", &[(9, 60)]);
    let found = compare(world, december, january);
    let known = found.counts_before.adjusted_difference(found.counts_after).unwrap();
    assert_eq!((found.p, found.verdict), (known.p, NpsVerdict::Improved));
    assert_eq!(report(world, january).change, Some(found));
    answers(world, january.start(), "D", &[(0, 200)]);
    assert_eq!(compare(world, december, january).verdict, NpsVerdict::Declined);
}

fn too_few_answers_claim_no_change(world: &World) {
    let (december, january) = (period(datetime!(2025-12-01 0:00 UTC), JANUARY), month());
    answers(world, december.start(), "A", &[(0, 29)]);
    answers(world, january.start(), "B", &[(10, 500)]);
    let found = compare(world, december, january);
    assert_eq!((found.verdict, found.p), (NpsVerdict::Insufficient, None));
    assert_eq!(found.change.confidence_interval, None);
    assert!(!found.change.is_reliable());
    answers(world, december.start(), "C", &[(0, 1)]);
    assert_eq!(compare(world, december, january).verdict, NpsVerdict::Improved);
}

fn the_same_people_are_compared_with_themselves(world: &World) {
    let (december, january) = (period(datetime!(2025-12-01 0:00 UTC), JANUARY), month());
    let happy = answers(world, december.start(), "A", &[(9, 20)]);
    let calm = answers(world, december.start(), "B", &[(7, 20)]);
    let cross = answers(world, december.start(), "C", &[(0, 20)]);
    again(world, january.start(), &happy, 9);
    again(world, january.start(), &calm[..8], 10);
    again(world, january.start(), &calm[8..], 8);
    again(world, january.start(), &cross, 3);
    let found = compare(world, december, january);
    assert_eq!((found.test, found.verdict), (NpsTest::Paired, NpsVerdict::Improved));
    let others = found.counts_before.adjusted_difference(found.counts_after).unwrap();
    assert!(others.p.unwrap() > 0.05, "of other people it would prove nothing");
    assert!(found.change.warnings.is_empty());
    // One more who answers once: no longer the same people, which is said.
    answers(world, january.start(), "D", &[(9, 1)]);
    let found = compare(world, december, january);
    assert_eq!((found.test, found.verdict), (NpsTest::Independent, NpsVerdict::Unproven));
    assert_eq!(found.change.warnings[0].code, "shared_respondents");
}

stories![
    without_answers_there_is_no_score,
    a_score_comes_with_its_proof,
    few_answers_claim_nothing,
    halves_are_rounded_up,
    the_response_rate_is_that_of_the_surveys_sent,
    the_trend_has_six_whole_months,
    what_people_say_is_counted,
    a_population_counts_for_itself,
    what_is_not_alike_is_not_compared,
    a_change_is_claimed_only_if_chance_would_rarely_do_it,
    too_few_answers_claim_no_change,
    the_same_people_are_compared_with_themselves,
];
