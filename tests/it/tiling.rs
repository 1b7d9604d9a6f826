//! Periods tile the line: from 1800, when clocks were set by the sun, over 400 years of every zone
//! that the library knows, no instant lies between two periods and none in both.
//!
//! Every run walks a sample that a seed draws. With `TENURE_TILING=whole` in the environment all is
//! walked, with progress on the standard error: minutes with optimisation, hours without. Another
//! number in `TENURE_TILING` draws another sample.
#![cfg(feature = "timezones")]

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenure::domain::calendar::PeriodType;
use tenure::domain::cycle::Cycle;
use tenure::domain::period::Period;
use tenure::domain::recurrence::Recurrence;
use tenure::domain::zone::TimeZone;
use time::macros::{datetime, time};
use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time};

const FROM: OffsetDateTime = datetime!(1800-01-01 0:00 UTC);
const TO: OffsetDateTime = datetime!(2200-01-01 0:00 UTC);

/// Zones that are in every sample: they skipped or repeated a day, skip midnight, change by half an
/// hour or at one minute past, or have months without a winter.
const ODD: [&str; 14] = [
    "Africa/Casablanca",
    "Africa/Monrovia",
    "America/Juneau",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Asia/Manila",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Fakaofo",
    "Pacific/Kwajalein",
    "UTC",
];
/// How many further zones a sample has, how many changes of clocks of each it looks at, and how
/// many days around them and elsewhere it walks.
const ZONES: usize = 8;
const CHANGES: usize = 6;
const DAYS: i64 = 3;

/// Numbers that look random and are the same in every run (`SplitMix64`).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// An instant in a span, to the microsecond.
    fn within(&mut self, from: OffsetDateTime, to: OffsetDateTime) -> OffsetDateTime {
        from + Duration::microseconds(
            self.below((to - from).whole_microseconds().try_into().unwrap()),
        )
    }
}

/// A change of clocks: when, and the offsets before and after in seconds.
#[derive(Clone, Copy)]
struct Change {
    at: OffsetDateTime,
    before: i64,
    after: i64,
}

fn changes(name: &str) -> Vec<Change> {
    let rules = TimeZoneDatabase::bundled().get(name).unwrap();
    let first = Timestamp::from_second(FROM.unix_timestamp()).unwrap();
    let mut before = i64::from(rules.to_offset(first).seconds());
    let mut found = Vec::new();
    for change in rules.following(first) {
        let at = OffsetDateTime::from_unix_timestamp(change.timestamp().as_second()).unwrap();
        if at >= TO {
            break;
        }
        let after = i64::from(change.offset().seconds());
        if before != after {
            found.push(Change { at, before, after });
        }
        before = after;
    }
    found
}

/// The anchors that are hard on a calendar: ends of months, the leap day, and what clocks do.
fn anchors(zone: &TimeZone, changes: &[Change]) -> Vec<OffsetDateTime> {
    let local = |year, month, day, time: Time| {
        let date = Date::from_calendar_date(year, month, day).unwrap();
        zone.instant(PrimitiveDateTime::new(date, time)).unwrap()
    };
    let mut anchors = vec![
        local(1999, Month::January, 31, time!(0:00)),
        local(2000, Month::December, 31, time!(23:59:59.999_999)),
        local(1996, Month::February, 29, time!(2:30)),
    ];
    for Change { at, before, after } in changes {
        let moved = after - before;
        // The wall-clock time in the middle of what is skipped or comes twice.
        let odd =
            zone.local(*at).unwrap() - Duration::seconds(moved) + Duration::seconds(moved / 2);
        anchors
            .extend([1, 7, 31, 366].map(|days| zone.instant(odd - Duration::days(days)).unwrap()));
        anchors.extend([*at, *at - Duration::MICROSECOND]);
        anchors.extend([
            *at + Duration::seconds(moved.abs() / 2),
            *at - Duration::seconds(moved.abs() / 2),
        ]);
    }
    anchors
}

/// Counts the periods of `recurrence` that begin from `from` until before `to`, each looked up at
/// its first and last microsecond and at an instant between them.
fn walk(
    recurrence: &Recurrence,
    from: OffsetDateTime,
    to: OffsetDateTime,
    draw: &mut Draw,
) -> usize {
    let zone = recurrence.zone();
    let mut k = recurrence.index_of(from).unwrap();
    let mut at = recurrence.boundary(k).unwrap();
    let mut count = 0;
    while at < to {
        let next = recurrence.boundary(k + 1).unwrap();
        let place =
            || format!("{zone} {} from {}: {at} – {next}", recurrence.cycle(), recurrence.anchor());
        if at < next {
            let period = Period::new(at, next).unwrap();
            let last = next - Duration::MICROSECOND;
            for t in [at, last, draw.within(at, next)] {
                assert_eq!(recurrence.period_containing(t), Some(period), "{t} in {}", place());
            }
            assert_eq!(recurrence.index_of(at), Some(k), "{}", place());
            assert_eq!(recurrence.next_after(last), Some(next), "{}", place());
            count += 1;
        } else {
            // Only a day that a zone skipped has none: its number has no instant.
            assert_eq!(at, next, "{} goes back", place());
            assert_eq!(recurrence.period(k), None, "{}", place());
        }
        (k, at) = (k + 1, next);
    }
    assert_eq!(recurrence.index_of(at - Duration::MICROSECOND).map(|last| last < k), Some(true));
    count
}

fn calendar(zone: &TimeZone) -> impl Iterator<Item = Recurrence> + '_ {
    PeriodType::ALL.iter().map(|kind| Recurrence::calendar(kind.cycle(), zone.clone()))
}

fn is_long(cycle: Cycle) -> bool {
    // P1M, P17M, P4Y; neither PT5H nor P1D.
    cycle.to_string().ends_with(['M', 'Y'])
}

/// Cycles of every unit, those that a week, a month or a year does not divide among them.
fn cycles() -> Vec<Cycle> {
    let odd = [
        Cycle::hours(5),
        Cycle::hours(24),
        Cycle::days(13),
        Cycle::weeks(2),
        Cycle::months(17),
        Cycle::years(4),
    ];
    let plain = [Cycle::HOUR, Cycle::DAY, Cycle::WEEK, Cycle::MONTH, Cycle::QUARTER, Cycle::YEAR];
    plain.into_iter().chain(odd.map(Result::unwrap)).collect()
}

/// A sample of a zone: months and longer over all the years, shorter ones around changes of clocks
/// and at instants of their own.
fn sample(zone: &TimeZone, draw: &mut Draw) -> usize {
    let all = changes(zone.as_str());
    let mut some = Vec::new();
    while some.len() < CHANGES.min(all.len()) {
        some.push(all[usize::try_from(draw.below(all.len().try_into().unwrap())).unwrap()]);
    }
    let mut count = 0;
    let spots: Vec<OffsetDateTime> =
        some.iter().map(|it| it.at).chain([draw.within(FROM, TO)]).collect();
    let around = |recurrence: &Recurrence, draw: &mut Draw| {
        if is_long(recurrence.cycle()) {
            let (from, to) = (draw.within(FROM, TO), Duration::days(36_525));
            return walk(recurrence, from, from + to, draw);
        }
        let near = Duration::days(DAYS);
        spots.iter().map(|at| walk(recurrence, *at - near, *at + near, draw)).sum()
    };
    for recurrence in calendar(zone) {
        count += around(&recurrence, draw);
    }
    let cycles = cycles();
    for anchor in anchors(zone, &some) {
        let cycle = cycles[usize::try_from(draw.below(cycles.len().try_into().unwrap())).unwrap()];
        for cycle in [cycle, Cycle::DAY] {
            count += around(&Recurrence::new(anchor, cycle, zone.clone()).unwrap(), draw);
        }
    }
    count
}

/// All of a zone. Cycles of hours are elapsed time, the same in every zone: UTC stands for all.
fn whole(zone: &TimeZone, draw: &mut Draw) -> usize {
    let timed = |recurrence: &Recurrence| {
        *zone != TimeZone::UTC && recurrence.cycle().to_string().starts_with("PT")
    };
    let every = changes(zone.as_str());
    let skipped = every.iter().filter(|it| (it.after - it.before).abs() > 12 * 3600);
    let mut picked: Vec<Change> = skipped.copied().collect();
    picked.extend(every.iter().rev().take(2).chain(every.get(every.len() / 2)));
    let mut count = 0;
    for recurrence in calendar(zone).filter(|it| !timed(it)) {
        count += walk(&recurrence, FROM, TO, draw);
    }
    let anchors = anchors(zone, &picked);
    for (number, anchor) in anchors.iter().enumerate() {
        for (place, cycle) in cycles().into_iter().enumerate() {
            let recurrence = Recurrence::new(*anchor, cycle, zone.clone()).unwrap();
            // Days are many: every anchor has its turn with some cycle of days, months with all.
            if !timed(&recurrence) && (is_long(cycle) || (number + place) % 12 == 0) {
                count += walk(&recurrence, FROM, TO, draw);
            }
        }
    }
    count
}

#[test]
fn periods_tile_four_centuries_of_the_zones() {
    let wish = std::env::var("TENURE_TILING").unwrap_or_default();
    let mut draw = Draw(wish.parse().unwrap_or(20_260_131));
    let database = TimeZoneDatabase::bundled();
    let known: Vec<String> = database.available().map(|name| name.as_str().to_owned()).collect();
    let mut names: BTreeSet<String> = ODD.map(ToOwned::to_owned).into();
    if wish == "whole" {
        names.extend(known.iter().filter(|name| name.parse::<TimeZone>().is_ok()).cloned());
        assert!(names.len() > 550, "{} zones", names.len());
    }
    while names.len() < ODD.len() + ZONES {
        names.insert(
            known[usize::try_from(draw.below(known.len().try_into().unwrap())).unwrap()].clone(),
        );
    }
    let names: Vec<String> = names.into_iter().collect();
    let (next, periods) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let seed = draw.next();
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            let Some(name) = names.get(number) else { return };
            let zone: TimeZone = name.parse().unwrap();
            let mut draw = Draw(seed ^ number as u64);
            let count =
                if wish == "whole" { whole(&zone, &mut draw) } else { sample(&zone, &mut draw) };
            let all = periods.fetch_add(count, Ordering::SeqCst) + count;
            if wish == "whole" {
                eprintln!("{}/{} {name}: {count} periods, {all} so far", number + 1, names.len());
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |it| it.get());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().unwrap();
        }
    });
    let periods = periods.into_inner();
    eprintln!("{} zones, {periods} periods", names.len());
    assert!(periods > 100_000, "only {periods} periods were walked");
}
