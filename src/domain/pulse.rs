//! The pulse of a customer: what the rules need of its activity, tickets and invoices, in one row.
//!
//! The rules look at the last thirty days and the thirty before. To read the records of so many days
//! for a hundred thousand customers would take longer than everything else, so each record that
//! comes in is added up here, by UTC day.

use super::activity::{Kind, NoticedActivity};
use super::customer::CustomerId;
use super::invoice::Invoice;
use super::text::Code;
use super::ticket::SupportTicket;
use crate::record::noun;
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

/// How many days are kept: twice thirty, and some that a comparison may lie back.
const DAYS_KEPT: i32 = 70;
/// How many days a month of activity has.
pub(crate) const MONTH: i32 = 30;
/// How many days satisfaction with support is averaged over.
const RATED: i32 = 90;
/// How many months back payments are judged, the running one included.
const PAID_MONTHS: i32 = 12;
/// How many features are remembered.
const FEATURES_MAX: usize = 200;

noun! {
    /// What the rules need of a customer's activity, tickets and invoices, added up by UTC day.
    pub struct Pulse(CustomerId), "pulse", "pulses", "success" {
        /// The customer.
        id: CustomerId,
        /// When anybody there last logged in.
        last_login_at: Option<OffsetDateTime>,
        /// When anybody there last did anything.
        last_activity_at: Option<OffsetDateTime>,
        /// Whether there ever was a ticket.
        has_tickets: bool => ["true"],
        /// Whether there ever was an invoice.
        has_invoices: bool => ["true"],
        /// What is added up.
        tallies: Tallies,
    }
    relationships { customer: "customer" one "whose pulse it is" }
}

/// What is added up for the rules. Days are counted from 1970, months from the year 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tallies {
    /// What was done on each of the last days.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    days: BTreeMap<i32, Day>,
    /// How many users were seen last on each of these days.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    seen: BTreeMap<i32, u32>,
    /// Whether it was ever said who did something.
    named: bool,
    /// When each feature was last used.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    features: BTreeMap<Code, i32>,
    /// When there last was activity of each kind that tenure knows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    kinds: BTreeMap<Kind, i32>,
    /// The sum of the ratings of tickets by day, and how many.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ratings: BTreeMap<i32, (u32, u32)>,
    /// How many invoices were paid in time by month, and how many late.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    paid: BTreeMap<i32, (u32, u32)>,
}

json_field!(Tallies);

/// What was done on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "[u32; 8]", into = "[u32; 8]")]
pub(crate) struct Day {
    pub(crate) users: u32,
    /// How many users were active in the thirty days that end with it; 0 if that is not known.
    pub(crate) monthly: u32,
    pub(crate) logins: u32,
    pub(crate) uses: u32,
    pub(crate) actions: u32,
    pub(crate) meetings: u32,
    pub(crate) conversations: u32,
    pub(crate) automated: u32,
}

impl From<[u32; 8]> for Day {
    fn from(from: [u32; 8]) -> Self {
        let [users, monthly, logins, used, actions, meetings, conversations, automated] = from;
        Self { users, monthly, logins, uses: used, actions, meetings, conversations, automated }
    }
}

impl From<Day> for [u32; 8] {
    fn from(day: Day) -> Self {
        let Day { users, monthly, logins, uses, actions, meetings, conversations, automated } = day;
        [users, monthly, logins, uses, actions, meetings, conversations, automated]
    }
}

impl Day {
    fn plus(self, other: Self) -> Self {
        let (a, b): ([u32; 8], [u32; 8]) = (self.into(), other.into());
        let mut sum = [0; 8];
        for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
            *sum = a.saturating_add(b);
        }
        Self::from(sum)
    }
}

/// The UTC day that `at` is in, counted from 1970.
pub(crate) fn day_of(at: OffsetDateTime) -> i32 {
    // Within the years that there are, days fit.
    i32::try_from(at.unix_timestamp().div_euclid(86_400)).unwrap_or(0)
}

/// The first instant of a UTC day.
pub(crate) fn midnight(day: i32) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::days(i64::from(day)))
}

/// The month that `at` is in, counted from the year 0.
fn month_of(at: OffsetDateTime) -> i32 {
    at.year().saturating_mul(12).saturating_add(i32::from(u8::from(at.month())))
}

/// What a user's own days say of an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sighting {
    /// Whether the user was not seen on that day before.
    pub(crate) is_new: bool,
    /// The last of the days that are kept, up to then, on which the user was seen.
    pub(crate) last: Option<i32>,
}

impl Pulse {
    /// Of a customer of whom nothing was recorded.
    #[must_use]
    pub(crate) fn new(id: CustomerId) -> Self {
        Self {
            id,
            last_login_at: None,
            last_activity_at: None,
            has_tickets: false,
            has_invoices: false,
            tallies: Tallies::default(),
        }
    }

    /// The first day that is kept on the day `today`.
    pub(crate) const fn first_kept(today: i32) -> i32 {
        today.saturating_sub(DAYS_KEPT)
    }

    /// Adds an activity, recorded on the day `today`.
    pub(crate) fn count(
        &mut self,
        activity: &NoticedActivity,
        sighting: Option<Sighting>,
        today: i32,
    ) {
        let (at, day) = (activity.at, day_of(activity.at));
        self.last_activity_at = self.last_activity_at.max(Some(at));
        if activity.kind == Kind::Login {
            self.last_login_at = self.last_login_at.max(Some(at));
        }
        let tallies = &mut self.tallies;
        tallies.named |= sighting.is_some();
        let last = tallies.kinds.entry(activity.kind).or_insert(day);
        *last = (*last).max(day);
        if let Some(feature) = &activity.feature {
            tallies.use_feature(feature, day);
        }
        if day < Self::first_kept(today) {
            return;
        }
        let newest = tallies.days.keys().next_back().is_none_or(|newest| *newest <= day);
        let mut of_day = tallies.days.get(&day).copied().unwrap_or_default().plus(Day {
            users: u32::from(sighting.is_some_and(|it| it.is_new)),
            monthly: 0,
            logins: u32::from(activity.kind == Kind::Login),
            uses: u32::from(activity.kind.is_use()),
            actions: u32::from(activity.kind.is_action()),
            meetings: u32::from(activity.kind == Kind::Meeting),
            conversations: u32::from(activity.kind == Kind::Conversation),
            automated: u32::from(activity.is_automated),
        });
        if let Some(sighting) = sighting.filter(|it| it.is_new) {
            tallies.see(sighting.last, day);
            if newest {
                of_day.monthly = tallies.monthly_users(day);
            }
        }
        tallies.days.insert(day, of_day);
        tallies.days.retain(|day, _| *day >= Self::first_kept(today));
        tallies.seen.retain(|day, _| *day >= Self::first_kept(today));
    }

    /// Takes what `before` brought away and adds what `after` brings, recorded on the day `today`.
    pub(crate) fn ticket(
        &mut self,
        before: Option<&SupportTicket>,
        after: &SupportTicket,
        today: i32,
    ) {
        self.has_tickets = true;
        let ratings = &mut self.tallies.ratings;
        for (ticket, sign) in before.map(|it| (it, -1)).into_iter().chain([(after, 1)]) {
            if let Some((at, rating)) = ticket.rating() {
                let (sum, count) = ratings.entry(day_of(at)).or_default();
                let rating = i32::try_from(rating).unwrap_or(0);
                *sum = sum.saturating_add_signed(rating.saturating_mul(sign));
                *count = count.saturating_add_signed(sign);
            }
        }
        let first = today.saturating_sub(RATED);
        ratings.retain(|day, (_, count)| *day >= first && *count > 0);
    }

    /// Takes what `before` brought away and adds what `after` brings, recorded at `now`.
    pub(crate) fn invoice(
        &mut self,
        before: Option<&Invoice>,
        after: &Invoice,
        now: OffsetDateTime,
    ) {
        self.has_invoices = true;
        let paid = &mut self.tallies.paid;
        for (invoice, sign) in before.map(|it| (it, -1)).into_iter().chain([(after, 1)]) {
            if let Some((at, in_time)) = invoice.settled() {
                let of_month = paid.entry(month_of(at)).or_default();
                let count = if in_time { &mut of_month.0 } else { &mut of_month.1 };
                *count = count.saturating_add_signed(sign);
            }
        }
        let first = month_of(now).saturating_sub(PAID_MONTHS);
        paid.retain(|month, of_month| *month >= first && *of_month != (0, 0));
    }

    /// What was done on the `days` days that end with `last`.
    pub(crate) fn sum(&self, last: i32, days: i32) -> Day {
        let first = last.saturating_sub(days).saturating_add(1);
        self.tallies.days.range(first..=last).fold(Day::default(), |sum, (_, day)| sum.plus(*day))
    }

    /// How many of the thirty days that end with `today` a customer was there who came on the day
    /// `since`, or did something before: one at least.
    pub(crate) fn days_there(&self, today: i32, since: i32) -> i32 {
        let first = self.tallies.days.keys().next().map_or(since, |day| since.min(*day));
        today.saturating_sub(first).saturating_add(1).clamp(1, MONTH)
    }

    /// How many users were active in the thirty days that end with `today`.
    pub(crate) fn monthly_users(&self, today: i32) -> u32 {
        self.tallies.monthly_users(today)
    }

    /// How many users were active in the thirty days that ended a month before `today`, or up to a
    /// week earlier; none if nobody was then.
    pub(crate) fn monthly_users_before(&self, today: i32) -> Option<u32> {
        const WEEK: i32 = 7;
        let last = today.saturating_sub(MONTH);
        let mut known = self.tallies.days.range(last.saturating_sub(WEEK)..=last);
        known.rfind(|(_, day)| day.monthly > 0).map(|(_, day)| day.monthly)
    }

    /// Whether there ever was activity of this kind.
    pub(crate) fn knows(&self, kind: Kind) -> bool {
        self.tallies.kinds.contains_key(&kind)
    }

    /// Whether it was ever said who did something.
    pub(crate) const fn knows_users(&self) -> bool {
        self.tallies.named
    }

    /// The features that were used in the thirty days that end with `today`.
    pub(crate) fn features(&self, today: i32) -> impl Iterator<Item = &Code> {
        let first = today.saturating_sub(MONTH);
        self.tallies.features.iter().filter(move |(_, day)| **day > first).map(|(code, _)| code)
    }

    /// The mean rating of tickets in the ninety days before `today`, and the day of the last one.
    pub(crate) fn satisfaction(&self, today: i32) -> Option<(f64, i32)> {
        let rated = self.tallies.ratings.range(today.saturating_sub(RATED)..);
        let (mut sum, mut count, mut last) = (0_u32, 0_u32, None);
        for (day, of_day) in rated {
            sum = sum.saturating_add(of_day.0);
            count = count.saturating_add(of_day.1);
            last = Some(*day);
        }
        last.filter(|_| count > 0).map(|last| (f64::from(sum) / f64::from(count), last))
    }

    /// How many of the invoices of the last twelve months were paid in time, and how many late.
    pub(crate) fn paid(&self, now: OffsetDateTime) -> (u32, u32) {
        let paid = self.tallies.paid.range(month_of(now).saturating_sub(PAID_MONTHS)..);
        paid.fold((0, 0), |sum, (_, it)| (sum.0.saturating_add(it.0), sum.1.saturating_add(it.1)))
    }
}

impl Tallies {
    fn use_feature(&mut self, feature: &Code, day: i32) {
        let last = self.features.entry(feature.clone()).or_insert(day);
        *last = (*last).max(day);
        if self.features.len() > FEATURES_MAX {
            let oldest = self.features.iter().min_by_key(|(_, day)| **day);
            if let Some(oldest) = oldest.map(|(code, _)| code.clone()) {
                self.features.remove(&oldest);
            }
        }
    }

    /// A user who was seen last on the day `before` is seen on `day`.
    fn see(&mut self, before: Option<i32>, day: i32) {
        if before.is_some_and(|before| before >= day) {
            return;
        }
        if let Some(count) = before.and_then(|before| self.seen.get_mut(&before)) {
            *count = count.saturating_sub(1);
        }
        let count = self.seen.entry(day).or_default();
        *count = count.saturating_add(1);
        self.seen.retain(|_, count| *count > 0);
    }

    fn monthly_users(&self, today: i32) -> u32 {
        let first = today.saturating_sub(MONTH).saturating_add(1);
        self.seen.range(first..=today).fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}
