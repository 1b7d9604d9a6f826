//! What other systems' tests and manuals say about periods, resets and thresholds, held here.
#![cfg(feature = "timezones")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that goes wrong panics, which is its answer"
)]

use serde_json::Value as Json;
use std::collections::BTreeMap;
use tenure::domain::calendar::{self, BillingDay, PeriodType, ResetPeriod};
use tenure::domain::cycle::Cycle;
use tenure::domain::period::Period;
use tenure::domain::recurrence::Recurrence;
use tenure::domain::schedule::Schedule;
use tenure::domain::threshold::{Direction, Thresholds, crossed_percentages, reached};
use tenure::domain::zone::TimeZone;
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime};

const FACTS: &str = include_str!("../data/calendar_facts.json");

#[test]
fn every_fact_holds() {
    let file: Json = serde_json::from_str(FACTS).unwrap();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for fact in file["facts"].as_array().unwrap() {
        let fact = Fact(fact);
        fact.check();
        *count.entry(fact.text("/stance").to_owned()).or_default() += 1;
    }
    let expected = [("adopt", 114), ("avoid", 5), ("policy", 8)];
    assert_eq!(count, expected.map(|(stance, n)| (stance.to_owned(), n)).into());
}

struct Fact<'f>(&'f Json);

impl Fact<'_> {
    fn at(&self, pointer: &str) -> &Json {
        self.0.pointer(pointer).unwrap_or(&Json::Null)
    }

    fn text(&self, pointer: &str) -> &str {
        let text = self.at(pointer).as_str();
        text.unwrap_or_else(|| panic!("{} has no text at {pointer}", self.0["id"]))
    }

    fn number(&self, pointer: &str) -> i64 {
        let number = self.at(pointer).as_i64();
        number.unwrap_or_else(|| panic!("{} has no number at {pointer}", self.0["id"]))
    }

    fn numbers(&self, pointer: &str) -> Vec<i64> {
        let list = self.at(pointer).as_array().into_iter().flatten();
        list.map(|number| number.as_i64().unwrap()).collect()
    }

    fn instants(&self, pointer: &str) -> Vec<OffsetDateTime> {
        let list = self.at(pointer).as_array().unwrap();
        list.iter().map(|text| instant(text.as_str().unwrap(), &self.zone())).collect()
    }

    fn zone(&self) -> TimeZone {
        self.at("/input/tz").as_str().map_or(TimeZone::UTC, |name| name.parse().unwrap())
    }

    fn instant(&self, pointer: &str) -> OffsetDateTime {
        instant(self.text(pointer), &self.zone())
    }

    fn date(&self, pointer: &str) -> Date {
        Date::parse(self.text(pointer), &Iso8601::DEFAULT).unwrap()
    }

    fn cycle(&self) -> Cycle {
        let count = self.at("/input/interval").as_u64().map_or(1, |n| u32::try_from(n).unwrap());
        match self.text("/input/unit") {
            "hour" => Cycle::hours(count).unwrap(),
            "day" => Cycle::days(count).unwrap(),
            "week" => Cycle::weeks(count).unwrap(),
            "month" => Cycle::months(count).unwrap(),
            "quarter" => Cycle::months(3 * count).unwrap(),
            "semiannual" => Cycle::months(6 * count).unwrap(),
            "year" => Cycle::years(count).unwrap(),
            unit => panic!("unknown unit {unit}"),
        }
    }

    fn day(&self) -> BillingDay {
        let pointers = ["/input/billing_day", "/input/bill_cycle_day", "/input/bill_day"];
        let day = pointers.iter().find_map(|pointer| self.at(pointer).as_u64()).unwrap();
        BillingDay::new(u8::try_from(day).unwrap()).unwrap()
    }

    fn recurrence(&self, anchor: &str) -> Recurrence {
        Recurrence::new(self.instant(anchor), self.cycle(), self.zone()).unwrap()
    }

    fn billing(&self) -> Schedule {
        let start = self.instant("/input/start");
        let bills = Recurrence::on_billing_day(start, self.day(), self.cycle(), self.zone());
        Schedule::new(bills.unwrap(), Some(start), None).unwrap()
    }

    fn thresholds(&self, direction: Direction, pointer: &str) -> Thresholds {
        let thresholds = Thresholds::new(direction, self.numbers(pointer));
        match self.at("/input/recurring").as_i64() {
            Some(step) => thresholds.recurring(step).unwrap(),
            None => thresholds,
        }
    }

    fn is<T: PartialEq + std::fmt::Debug>(&self, actual: T, expected: T) {
        assert_eq!(actual, expected, "{}", self.0);
    }

    fn is_not<T: PartialEq + std::fmt::Debug>(&self, actual: T, unwanted: T) {
        assert_ne!(actual, unwanted, "{}", self.0);
    }

    fn is_period(&self, actual: Option<Period>) {
        let (start, end) = (self.instant("/expected/start"), self.instant("/expected/end"));
        self.is(actual, Some(Period::new(start, end).unwrap()));
    }

    fn check(&self) {
        match self.text("/topic") {
            "calendar-add-clamped" => self.is(self.sum(), Some(self.instant("/expected/result"))),
            "calendar-add-overflow" => {
                self.is_not(self.sum(), Some(self.instant("/expected/result")));
            }
            "anchor-recurrence" => {
                let actual =
                    self.recurrence("/input/anchor").boundary(self.number("/input/occurrence"));
                self.is(actual, Some(self.instant("/expected/at")));
            }
            "period-containing" | "period-containing-date" => {
                let recurrence = self.recurrence("/input/anchor");
                self.is_period(recurrence.period_containing(self.instant("/input/t")));
            }
            "recurrence-boundary" => self.check_boundary(),
            "first-period-policy" => self.check_first_period(),
            "billing-day-period" => {
                self.is_period(self.billing().period_or_first(self.instant("/input/t")));
            }
            "elapsed-cycles" => {
                let elapsed = self.billing().elapsed(self.instant("/input/t"));
                self.is(elapsed, Some(self.number("/expected/elapsed")));
            }
            "monthly-in-advance-start" => {
                let start = self.instant("/input/subscription_at");
                let months = Recurrence::new(start, Cycle::MONTH, self.zone()).unwrap();
                let period = months.period_containing(self.instant("/input/billing_on")).unwrap();
                self.is(period.start(), self.instant("/expected/period_from"));
            }
            "timezone-change-no-gap" => self.check_zone_change(),
            "first-billing-cycle-date" => {
                let first = self.billing().recurrence().anchor();
                self.is(first, self.instant("/expected/first_billing_cycle_date"));
                let date = self.day().on_or_after(self.date("/input/start"));
                self.is(date, Some(self.date("/expected/first_billing_cycle_date")));
            }
            "local-day-of-instant" => {
                let day = self.zone().day(self.instant("/input/instant")).unwrap().day();
                self.is(i64::from(day), self.number("/expected/day"));
            }
            "align-to-day" => {
                let date = self.date("/input/date");
                if self.at("/expected/aligned").is_string() {
                    self.is(self.day().in_month_of(date), self.date("/expected/aligned"));
                } else {
                    self.is(self.day().on_or_after(date), Some(self.date("/expected/next")));
                }
            }
            "dst-usage-buckets" => self.check_buckets(),
            "tz-local-midnight-sequence" => {
                let anchor = self.instant("/input/anchor_utc");
                let months = Recurrence::new(anchor, self.cycle(), self.zone()).unwrap();
                let next: Vec<_> = (1..=2).filter_map(|k| months.boundary(k)).collect();
                self.is(next, self.instants("/expected/next_utc"));
            }
            "tz-calendar-next" => {
                let kind: PeriodType = self.text("/input/calendar").parse().unwrap();
                let t = self.instant("/input/t_utc");
                let end = Period::of_calendar(kind, t, self.zone()).map(Period::end);
                self.is(end, Some(self.instant("/expected/next_utc")));
            }
            "calendar-days-between" => {
                let (from, to) =
                    (self.instant("/input/from_local"), self.instant("/input/to_local"));
                let days = self.zone().days_between(from, to).map(i64::from);
                self.is(days, Some(self.number("/expected/days")));
            }
            "next-usage-reset" => self.check_next_reset(),
            "reset-timeline" => self.check_timeline(),
            "reset-timeline-anchor-change" => self.check_anchor_change(),
            "sliding-window" => {
                let now = self.instant("/input/now");
                self.is_period(Period::sliding(now, self.cycle(), self.zone()));
            }
            "fixed-window-from-activation" => self.check_fixed_window(),
            "calendar-window" => {
                let windows = Recurrence::calendar(self.cycle(), self.zone());
                self.is_period(windows.period_containing(self.instant("/input/now")));
            }
            "inclusive-end-to-half-open" => {
                let first = self.date("/input/subscription_period_start");
                let last = self.date("/input/subscription_period_end_inclusive");
                self.is_period(Period::of_days(first, last, &self.zone()).ok());
            }
            "billing-cycle-period-start" => self.check_month_end(),
            "threshold" => self.check_threshold(),
            topic => panic!("no check for topic {topic}: {}", self.0),
        }
    }

    /// `start` and an ISO 8601 duration, part by part.
    fn sum(&self) -> Option<OffsetDateTime> {
        let (mut months, mut days, mut time) = (0, 0, Duration::ZERO);
        let (mut digits, mut timed) = (String::new(), false);
        for letter in self.text("/input/add").chars() {
            let n = digits.parse::<i64>().unwrap_or(0);
            match (timed, letter) {
                (_, '0'..='9') => {
                    digits.push(letter);
                    continue;
                }
                (_, 'P') => {}
                (_, 'T') => timed = true,
                (false, 'Y') => months += 12 * n,
                (false, 'M') => months += n,
                (false, 'D') => days += n,
                (true, 'H') => time += Duration::hours(n),
                (true, 'M') => time += Duration::minutes(n),
                (true, 'S') => time += Duration::seconds(n),
                _ => panic!("unknown duration in {}", self.0),
            }
            digits.clear();
        }
        calendar::add(self.instant("/input/start"), months, days, time, &self.zone())
    }

    fn check_boundary(&self) {
        let (recurrence, t) = (self.recurrence("/input/anchor"), self.instant("/input/t"));
        if self.at("/input/query") == "previous boundary, exclusive" {
            return self.is(recurrence.previous_before(t), Some(self.instant("/expected/at")));
        }
        for (pointer, actual) in [
            ("/expected/next_inclusive", recurrence.next_at_or_after(t)),
            ("/expected/next_exclusive", recurrence.next_after(t)),
            ("/expected/prev_inclusive", recurrence.previous_at_or_before(t)),
            ("/expected/prev_exclusive", recurrence.previous_before(t)),
        ] {
            self.is(actual, Some(self.instant(pointer)));
        }
    }

    /// An anchor that lies ahead makes a short first period: it is not skipped, as the source does.
    fn check_first_period(&self) {
        let start = self.instant("/input/current_period_start");
        let schedule = Schedule::new(self.recurrence("/input/anchor"), Some(start), None).unwrap();
        self.is(schedule.next_after(start), Some(self.instant("/input/anchor")));
        self.is_not(schedule.next_after(start), Some(self.instant("/expected/next")));
    }

    /// The ends are told as their last second.
    fn check_zone_change(&self) {
        let zone = |pointer| self.text(pointer).parse::<TimeZone>().unwrap();
        let start = self.instant("/input/period_from");
        let months = Recurrence::calendar(Cycle::MONTH, zone("/input/tz_before"));
        let before = Schedule::new(months, None, None).unwrap();
        let last_second = |schedule: &Schedule, t| {
            let period = schedule.period_containing(t).unwrap();
            self.is(period.start(), start);
            period.end() - Duration::SECOND
        };
        self.is(last_second(&before, start), self.instant("/expected/period_to_before_change"));
        // Whether it is still the month before in the new zone, or well into the month.
        for changed_at in [start + Duration::HOUR, start + Duration::days(10)] {
            let after = before.moved_to(zone("/input/tz_after"), changed_at).unwrap();
            let end = last_second(&after, changed_at);
            self.is(end, self.instant("/expected/period_to_after_change"));
        }
    }

    fn check_buckets(&self) {
        for created in ["2023-03-01", "2023-03-15"] {
            let created = instant(created, &self.zone());
            let bills = Recurrence::on_billing_day(created, self.day(), Cycle::MONTH, self.zone());
            let bills = bills.unwrap();
            let mut buckets: BTreeMap<String, i64> = BTreeMap::new();
            for event in self.instants("/input/local_events_each_1") {
                let month =
                    self.zone().day(bills.period_containing(event).unwrap().start()).unwrap();
                let month = format!("{}-{:02}", month.year(), u8::from(month.month()));
                *buckets.entry(month).or_default() += 1;
            }
            self.is(serde_json::to_value(buckets).unwrap(), self.at("/expected/by_month").clone());
        }
    }

    fn check_next_reset(&self) {
        let start = self.instant("/input/subscription_start");
        let has = |pointer| self.at(pointer).is_string();
        let anchor = if has("/input/anchor") { self.instant("/input/anchor") } else { start };
        let end = has("/input/subscription_end").then(|| self.instant("/input/subscription_end"));
        let cycle = self.text("/input/reset").parse::<ResetPeriod>().unwrap().cycle().unwrap();
        let resets = Recurrence::new(anchor, cycle, self.zone()).unwrap();
        let schedule = Schedule::new(resets, Some(start), end).unwrap();
        let next = schedule.next_after(self.instant("/input/now"));
        self.is(next, Some(self.instant("/expected/next_reset")));
    }

    fn daily_at(&self, time: &str) -> Recurrence {
        let anchor = instant(&format!("2020-01-01T{time}:00"), &self.zone());
        Recurrence::new(anchor, Cycle::DAY, self.zone()).unwrap()
    }

    fn check_timeline(&self) {
        let (from, to) = (self.instant("/input/query_from"), self.instant("/input/query_to"));
        let daily = Schedule::new(self.daily_at(self.text("/input/daily_at")), None, None).unwrap();
        let resets: Vec<_> = daily.starts_between(from, to).collect();
        if let Some(count) = self.at("/expected/count").as_u64() {
            return self.is(resets.len() as u64, count);
        }
        self.is(resets, self.instants("/expected/resets"));
    }

    /// A new anchor starts a new period at the change and cuts the one that was running.
    fn check_anchor_change(&self) {
        let (from, to) = (self.instant("/input/query_from"), self.instant("/input/query_to"));
        let change = self.instant("/input/recurrences/1/from_");
        let part = |n: usize, end| {
            let at = |field| format!("/input/recurrences/{n}/{field}");
            let daily = self.daily_at(self.text(&at("daily_at")));
            Schedule::new(daily, Some(self.instant(&at("from_"))), end).unwrap()
        };
        let (old, new) = (part(0, Some(change)), part(1, None));
        let resets = old.starts_between(from, to).chain(new.starts_between(from, to)).collect();
        self.is::<Vec<_>>(resets, self.instants("/expected/resets"));
        let last = old.period_containing(change - Duration::SECOND).unwrap();
        self.is(last.end(), change);
    }

    fn check_fixed_window(&self) {
        let activation = self.instant("/input/activation");
        let schedule = Schedule::new(self.recurrence("/input/activation"), Some(activation), None);
        let window = schedule.unwrap().period_containing(self.instant("/input/now"));
        if self.text("/stance") == "adopt" {
            return self.is_period(window);
        }
        let start = window.unwrap().start();
        self.is(start, self.instant("/expected/correct_start"));
        self.is_not(start, self.instant("/expected/meteroid_start"));
    }

    fn check_month_end(&self) {
        let anchor = self.instant("/input/subscription_period_start");
        let months = Recurrence::new(anchor, Cycle::MONTH, self.zone()).unwrap();
        let period = months.period_containing(self.instant("/input/now")).unwrap();
        self.is(period.start(), self.instant("/expected/correct_start"));
        self.is_not(period.start(), self.instant("/expected/schematic_current_start"));
        if self.at("/expected/correct_next").is_string() {
            self.is(period.end(), self.instant("/expected/correct_next"));
        }
    }

    fn check_threshold(&self) {
        use Direction::{Decreasing, Increasing};
        let input = |name| self.at(&format!("/input/{name}"));
        let active = self.at("/expected/active").as_i64();
        if input("direction").is_string() {
            let increasing = input("direction") == "increasing";
            let direction = if increasing { Increasing } else { Decreasing };
            let thresholds = self.thresholds(direction, "/input/thresholds");
            let crossed =
                thresholds.crossed(self.number("/input/previous"), self.number("/input/current"));
            self.is(crossed, self.numbers("/expected/crossed"));
        } else if input("alert_at").is_number() {
            let (at, usage) =
                (self.number("/input/alert_at"), self.number("/input/usage_lands_on"));
            let fires = !Thresholds::new(Increasing, [at]).crossed(usage - 1, usage).is_empty();
            self.is(Some(fires), self.at("/expected/fires").as_bool());
            let share = u32::try_from(at).unwrap();
            self.is(crossed_percentages(&[share], Some(100), usage - 1, usage), vec![share]);
        } else if input("usage_pct").is_array() {
            let (usage, limit) = (self.number("/input/usage"), input("granted").as_i64());
            let percentages = self.numbers("/input/usage_pct").into_iter();
            let last =
                percentages.filter(|p| reached(u32::try_from(*p).unwrap(), limit, usage)).max();
            self.is(last, active);
        } else if input("balance_values").is_array() {
            let balances = self.thresholds(Decreasing, "/input/balance_values");
            self.is(balances.active(self.number("/input/balance")), active);
        } else {
            let usages = self.thresholds(Increasing, "/input/usage_values");
            let actual = usages.active(self.number("/input/usage"));
            if self.text("/stance") == "avoid" {
                self.is_not(actual, active);
                return self.is(actual, Some(self.number("/input/usage")));
            }
            self.is(actual, active);
        }
    }
}

/// An instant as the facts write it: in UTC with a `Z`, else on the clocks of `zone`.
fn instant(text: &str, zone: &TimeZone) -> OffsetDateTime {
    if text.ends_with('Z') {
        return OffsetDateTime::parse(text, &Rfc3339).unwrap();
    }
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00") };
    zone.instant(PrimitiveDateTime::parse(&text, &Iso8601::DEFAULT).unwrap()).unwrap()
}
