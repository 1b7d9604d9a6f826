//! What customers did and what was measured of them, record by record.

use crate::domain::activity::{Activity, DailyActivity, FEATURES_MAX, FeatureCounts, Kind};
use crate::domain::cohort::{CalendarMonth, DayCount, DayRetention};
use crate::domain::customer::CustomerId;
use crate::domain::facts::Figure;
use crate::domain::metric::{LatestMetrics, Metric};
use crate::domain::pulse::{Day, MONTH, Pulse, day_of};
use crate::domain::statistics::real;
use crate::domain::text::{Code, ExternalId};
use crate::domain::validation::{Check, Comparison, check_retention};
use crate::error::Result;
use crate::ops::retention::{DAY_CUSTOMER, DAYS};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

const DOER: Col = <Activity as Stored>::TABLE.col("customer_id");
const DONE_AT: Col = <Activity as Stored>::TABLE.col("at");
const PULSE: Col = <Pulse as Stored>::TABLE.col("id");
const LATEST: Col = <LatestMetrics as Stored>::TABLE.col("id");
const MEASURED: Col = <Metric as Stored>::TABLE.col("customer_id");
const NAME: Col = <Metric as Stored>::TABLE.col("name");

/// How many records there are of something, and how many of them agree with what they rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Agreement {
    all: u64,
    right: u64,
}

impl Agreement {
    /// All but so many are right.
    pub(super) const fn but(all: u64, wrong: u64) -> Self {
        Self { all, right: all.saturating_sub(wrong) }
    }

    pub(super) fn add(&mut self, is_right: bool) {
        self.all = self.all.saturating_add(1);
        self.right = self.right.saturating_add(is_right.into());
    }

    pub(super) const fn wrong(self) -> u64 {
        self.all.saturating_sub(self.right)
    }

    /// As a figure, if there is anything.
    pub(super) fn figure(self, name: &str) -> Option<Comparison> {
        let all = Some(real(self.all));
        (self.all > 0).then(|| Comparison::of(name, all, Some(real(self.right))))
    }
}

/// What the raw records of all customers come to.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// How many customers were active on the days of [`DAYS`] after their first activity.
    retention: [DayRetention; DAYS.len()],
    /// How many customers did something first in each month.
    pub(super) began: BTreeMap<CalendarMonth, u64>,
    /// Days that were added up.
    pub(super) days: Agreement,
    /// What is kept of the last sixty days for the rules.
    pub(super) pulses: Agreement,
    /// What is kept as the latest reading.
    pub(super) metrics: Agreement,
}

/// What was done on a day, counted one by one.
#[derive(Debug, Default)]
struct Counted {
    users: BTreeSet<ExternalId>,
    kinds: BTreeMap<Kind, u32>,
    features: FeatureCounts,
    seconds: i64,
    automated: u32,
}

impl Counted {
    fn add(&mut self, it: &Activity) {
        self.users.extend(it.user.clone());
        let kind = self.kinds.entry(Kind::of(&it.kind)).or_default();
        *kind = kind.saturating_add(1);
        if let Some(feature) = &it.feature {
            let uses = self.features.entry(feature.clone()).or_default();
            *uses = uses.saturating_add(1);
        }
        self.seconds = self.seconds.saturating_add(it.duration_seconds.unwrap_or(0));
        self.automated = self.automated.saturating_add((it.is_automated == Some(true)).into());
    }

    fn of(&self, kind: Kind) -> u32 {
        self.kinds.get(&kind).copied().unwrap_or(0)
    }

    fn people(&self) -> u32 {
        u32::try_from(self.users.len()).unwrap_or(u32::MAX)
    }

    fn is(&self, day: &DailyActivity) -> bool {
        let known = day.features.iter().all(|(code, uses)| self.features.get(code) == Some(uses));
        let is_full = day.features.len() == self.features.len();
        // Of a day with more features than are told apart the others are left out.
        let features = known && (is_full || day.features.len() >= FEATURES_MAX);
        let counts = [
            (day.active_users, self.people()),
            (day.logins, self.of(Kind::Login)),
            (day.sessions, self.of(Kind::Session)),
            (day.actions, self.of(Kind::Action)),
            (day.emails_opened, self.of(Kind::EmailOpened)),
            (day.emails_clicked, self.of(Kind::EmailClicked)),
            (day.meetings, self.of(Kind::Meeting)),
            (day.conversations, self.of(Kind::Conversation)),
            (day.automated, self.automated),
        ];
        features && day.session_seconds == self.seconds && counts.iter().all(|(a, b)| a == b)
    }

    fn add_to(&self, sum: &mut Day) {
        let uses = [Kind::FeatureUse, Kind::Action, Kind::Conversation].map(|kind| self.of(kind));
        for (sum, more) in [
            (&mut sum.users, self.people()),
            (&mut sum.logins, self.of(Kind::Login)),
            (&mut sum.uses, uses.iter().fold(0, |sum: u32, it| sum.saturating_add(*it))),
            (&mut sum.actions, self.of(Kind::Action)),
            (&mut sum.meetings, self.of(Kind::Meeting)),
            (&mut sum.conversations, self.of(Kind::Conversation)),
            (&mut sum.automated, self.automated),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

impl View<'_> {
    /// Reads what every customer did and what was measured of it, and holds what was added up of
    /// that against it.
    pub(super) fn read_raw(&self) -> Result<Raw> {
        let mut raw = Raw::default();
        self.each_customer_page(|view, page| {
            let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(()) };
            let pulses = view.of_customers::<Pulse>(PULSE, first.id, last.id)?;
            let mut pulses: BTreeMap<_, _> = pulses.into_iter().map(|it| (it.id, it)).collect();
            let latest = view.of_customers::<LatestMetrics>(LATEST, first.id, last.id)?;
            let mut latest: BTreeMap<_, _> = latest.into_iter().map(|it| (it.id, it)).collect();
            for customer in page {
                view.read_activity(customer.id, pulses.remove(&customer.id), &mut raw)?;
                view.read_metrics(customer.id, latest.remove(&customer.id), &mut raw)?;
            }
            Ok(())
        })?;
        Ok(raw)
    }

    fn read_activity(
        &self,
        customer: CustomerId,
        pulse: Option<Pulse>,
        raw: &mut Raw,
    ) -> Result<()> {
        let days = Query::all().eq(DAY_CUSTOMER, &customer);
        let days = self.all::<DailyActivity>(days)?.into_iter();
        let mut days: BTreeMap<i32, DailyActivity> = days.map(|it| (day_of(it.day), it)).collect();
        let today = day_of(self.now());
        let (mut first, mut last, mut login) = (None, None, None);
        let (mut there, mut sum, mut open) = ([None; DAYS.len()], Day::default(), None);
        let mut close = |day: i32, counted: &Counted, raw: &mut Raw| {
            raw.days.add(days.remove(&day).is_some_and(|known| counted.is(&known)));
            if (today.saturating_sub(2 * MONTH)..=today).contains(&day) {
                counted.add_to(&mut sum);
            }
        };
        let own = Query::all().eq(DOER, &customer).oldest_by(DONE_AT);
        self.each(own, |it: Activity| {
            let day = day_of(it.at);
            let begun = *first.get_or_insert(it.at);
            last = Some(it.at);
            if Kind::of(&it.kind) == Kind::Login {
                login = Some(it.at);
            }
            for (nth, there) in DAYS.into_iter().zip(&mut there) {
                let nth = i64::from(nth);
                if i64::from(day).saturating_sub(day_of(begun).into()) == nth {
                    *there = Some(it.at);
                }
            }
            match &mut open {
                Some((known, counted)) if *known == day => Counted::add(counted, &it),
                _ => {
                    let mut counted = Counted::default();
                    counted.add(&it);
                    if let Some((day, counted)) = open.replace((day, counted)) {
                        close(day, &counted, raw);
                    }
                }
            }
            Ok(())
        })?;
        if let Some((day, counted)) = open {
            close(day, &counted, raw);
        }
        // Days of which there is no activity.
        for _ in days.values() {
            raw.days.add(false);
        }
        if let Some(begun) = first {
            let of_month = raw.began.entry(CalendarMonth::at(begun)).or_default();
            *of_month = of_month.saturating_add(1);
            for ((nth, tally), there) in DAYS.into_iter().zip(&mut raw.retention).zip(there) {
                tally.add(DayCount::Calendar, nth, begun, there, self.now());
            }
        }
        if let Some(pulse) = pulse {
            let kept = pulse.sum(today, 2 * MONTH + 1);
            let seen = (pulse.last_activity_at, pulse.last_login_at) == (last, login);
            raw.pulses.add(seen && Day { monthly: 0, ..kept } == sum);
        } else if first.is_some() {
            raw.pulses.add(false);
        }
        Ok(())
    }

    fn read_metrics(
        &self,
        customer: CustomerId,
        latest: Option<LatestMetrics>,
        raw: &mut Raw,
    ) -> Result<()> {
        let mut series: BTreeMap<Code, (OffsetDateTime, f64)> = BTreeMap::new();
        self.each(Query::all().eq(MEASURED, &customer).oldest_by(NAME), |it: Metric| {
            let known = series.entry(it.name).or_insert((it.at, it.value));
            if it.at > known.0 {
                *known = (it.at, it.value);
            }
            Ok(())
        })?;
        let latest = latest.map(|it| it.readings.figures()).unwrap_or_default();
        let kept = latest.iter().count();
        for (name, (at, value)) in &series {
            let is_kept = |it: Figure| (it.at, it.value.to_bits()) == (*at, value.to_bits());
            raw.metrics.add(latest.get(name.as_str()).is_some_and(is_kept));
        }
        let known = series.keys().filter(|name| latest.get(name.as_str()).is_some()).count();
        // Readings that are in no series.
        for _ in known..kept {
            raw.metrics.add(false);
        }
        Ok(())
    }

    /// Retention of day 7 and day 30: reported from the days that were added up, counted again from
    /// the activities.
    pub(super) fn retention_check(&self, raw: &Raw) -> Result<Check> {
        let mut figures = Vec::new();
        for (nth, recount) in DAYS.into_iter().zip(raw.retention) {
            let reported = self.day_retention(nth)?;
            if reported.sample_size > 0 || recount.of_age > 0 {
                figures.push(Comparison::of(
                    format!("D{nth} retention"),
                    reported.value,
                    recount.share(),
                ));
                figures.push(Comparison::of(
                    format!("customers of D{nth}"),
                    Some(real(reported.sample_size)),
                    Some(real(recount.of_age)),
                ));
            }
        }
        Ok(check_retention(figures))
    }
}
