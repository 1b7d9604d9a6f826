//! The facts of a customer: what its records show, and what the host measured beside them.

use super::activity::Kind;
use super::blocked::BlockedAttempts;
use super::customer::Customer;
use super::cycle::Cycle;
use super::engagement::{self, EngagementMetrics};
use super::facts::{ContractFacts, CustomerFacts, Figure, FigureSource, Figures, days, names};
use super::invoice::{Invoice, InvoiceStatus};
use super::meter::Meter;
use super::metric::LatestMetrics;
use super::money::Money;
use super::nps::NpsStanding;
use super::pulse::{MONTH, Pulse, day_of, midnight};
use super::recurrence::Recurrence;
use super::subscription::{BillingCycle, Subscription, SubscriptionKind, SubscriptionStatus};
use super::ticket::{SupportTicket, TicketSeverity};
use super::zone::TimeZone;
use std::collections::BTreeSet;
use time::OffsetDateTime;

const WEEK: i32 = 7;
/// For how many days an answer to a survey counts.
const ANSWER_DAYS_MAX: f64 = 365.0;

/// The records of one customer that facts follow from.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) latest: Option<LatestMetrics>,
    pub(crate) pulse: Option<Pulse>,
    /// All of them, those that run first, by rank.
    pub(crate) subscriptions: Vec<Subscription>,
    /// As they are now.
    pub(crate) meters: Vec<Meter>,
    /// Those that are open.
    pub(crate) tickets: Vec<SupportTicket>,
    /// Those that money is expected of.
    pub(crate) invoices: Vec<Invoice>,
    pub(crate) blocked: Vec<BlockedAttempts>,
    /// Its last answer to whether it would recommend.
    pub(crate) nps: Option<NpsStanding>,
}

/// What is known of a customer at `now`. A figure that tenure's own records show counts before the
/// host's of the same name; where there are no such records, the host's is what is known.
pub(crate) fn facts(
    customer: &Customer,
    mut records: Records,
    now: OffsetDateTime,
) -> CustomerFacts {
    let mut facts =
        CustomerFacts::new(customer.id, customer.tier.clone(), customer.created_at, now);
    facts.status = customer.status;
    facts.stage = customer.stage;
    facts.kind = customer.kind;
    facts.size = customer.size;
    facts.csm_id = customer.csm_id;
    facts.cancellation_requested_at = customer.cancellation_requested_at;
    facts.contract = contract(&records.subscriptions);
    for blocked in records.blocked.iter().filter(|it| it.is_recent(now)) {
        let attempts = u64::try_from(blocked.attempts).unwrap_or(0);
        let known = facts.blocked.entry(blocked.feature_code.clone()).or_default();
        *known = known.saturating_add(attempts);
    }
    let mentioned = records.tickets.iter().filter(|it| it.competitor_mentioned);
    facts.competitor_mentioned_at = mentioned.map(|it| it.opened_at).max();

    let hosts = records.latest.take().map(|it| it.readings.figures()).unwrap_or_default();
    let hosts = aged(hosts, now);
    let has_usage_change = hosts.get(names::USAGE_CHANGE).is_some();
    let mut own = Own { figures: hosts, now };
    if let Some(pulse) = &records.pulse {
        own.presence(pulse, day_of(customer.created_at));
        own.adoption(pulse, &records.meters);
        if !has_usage_change {
            own.usage_change(pulse);
        }
        own.engagement(pulse);
        own.support(pulse, &records.tickets);
        own.payments(pulse, &records.invoices);
    }
    own.set(names::USAGE_VS_LIMIT, usage_vs_limit(&records.meters));
    own.set(names::CONTRACT_LENGTH, contract_length(&records.subscriptions));
    if let Some(answer) = &records.nps {
        let at = answer.responded_at.unwrap_or(now);
        // What was said longer ago than that says nothing of today.
        let is_recent = days(at, now) <= ANSWER_DAYS_MAX;
        own.set_at(names::NPS_SCORE, answer.score.filter(|_| is_recent).map(f64::from), at);
    }
    facts.figures = own.figures;
    facts
}

/// The host's figures as they are at `now`: the days since a login that it once told are more every
/// day, until it tells of another. How old the word itself is stays as it is.
pub(crate) fn aged(mut hosts: Figures, now: OffsetDateTime) -> Figures {
    if let Some(told) = hosts.get(names::DAYS_SINCE_LAST_LOGIN) {
        let value = told.value + days(told.at, now).max(0.0);
        hosts.set(names::DAYS_SINCE_LAST_LOGIN, Figure { value, ..told });
    }
    hosts
}

/// Figures of the host, replaced by those that records show.
struct Own {
    figures: Figures,
    now: OffsetDateTime,
}

impl Own {
    fn set(&mut self, name: &'static str, value: Option<f64>) {
        self.set_at(name, value, self.now);
    }

    fn set_at(&mut self, name: &'static str, value: Option<f64>, at: OffsetDateTime) {
        if let Some(value) = value {
            self.figures.set(name, Figure { value, at, source: FigureSource::Derived });
        }
    }

    /// Who is there, and how often, of a customer since the day `since`.
    fn presence(&mut self, pulse: &Pulse, since: i32) {
        let today = day_of(self.now);
        if let Some(login) = pulse.last_login_at {
            let since = days(login, self.now).max(0.0);
            self.set(names::DAYS_SINCE_LAST_LOGIN, Some(since));
            self.set(names::LOGINS_PER_WEEK, Some(pulse.sum(today, WEEK).logins.into()));
        }
        if pulse.knows_users() {
            let monthly = pulse.monthly_users(today);
            // Who came three days ago has missed none of those before.
            let days = pulse.days_there(today, since);
            let daily = f64::from(pulse.sum(today, MONTH).users) / f64::from(days);
            // Nobody there: that is known, and the last one who goes leaves nearly nothing.
            let stickiness = ratio(daily, f64::from(monthly)).unwrap_or(0.0);
            self.set(names::DAU_MAU_RATIO, Some(stickiness));
            let before = pulse.monthly_users_before(today).map(f64::from);
            let growth = before.and_then(|before| ratio(f64::from(monthly) - before, before));
            self.set(names::TEAM_GROWTH, growth);
        }
        if pulse.knows(Kind::Meeting) {
            let meetings = pulse.sum(today, MONTH).meetings;
            self.set(names::MEETINGS_ATTENDED, Some(meetings.into()));
        }
        if pulse.knows(Kind::Conversation) {
            let conversations = pulse.sum(today, WEEK).conversations;
            self.set(names::CONVERSATIONS_PER_WEEK, Some(conversations.into()));
        }
    }

    /// What is used of what there is to use.
    fn adoption(&mut self, pulse: &Pulse, meters: &[Meter]) {
        if !pulse.knows(Kind::FeatureUse) {
            return;
        }
        let used: BTreeSet<_> = pulse.features(day_of(self.now)).collect();
        self.set(names::FEATURES_USED_THIS_MONTH, Some(count(used.len())));
        let entitled = || meters.iter().filter(|it| it.denial.is_none());
        let adopted = entitled().filter(|it| used.contains(&it.feature_code)).count();
        self.set(names::FEATURE_ADOPTION, ratio(count(adopted), count(entitled().count())));
    }

    /// The last thirty days against the thirty before, in percent.
    fn usage_change(&mut self, pulse: &Pulse) {
        let today = day_of(self.now);
        let uses = f64::from(pulse.sum(today, MONTH).uses);
        let before = f64::from(pulse.sum(today.saturating_sub(MONTH), MONTH).uses);
        self.set(names::USAGE_CHANGE, engagement::change(uses, before));
    }

    /// The engagement of the last thirty days.
    fn engagement(&mut self, pulse: &Pulse) {
        let today = day_of(self.now);
        if pulse.last_activity_at.is_some() {
            let month = pulse.sum(today, MONTH);
            let metrics = EngagementMetrics {
                logins: month.logins.into(),
                active_users: pulse.monthly_users(today).into(),
                features_used: u64::try_from(pulse.features(today).count()).unwrap_or(u64::MAX),
                actions_performed: month.actions.into(),
                automation_rate: ratio(month.automated.into(), month.conversations.into()),
                customer_satisfaction: pulse.satisfaction(today).map(|(mean, _)| mean),
                ..EngagementMetrics::default()
            };
            self.set(names::ENGAGEMENT_SCORE, Some(metrics.score().into()));
        }
    }

    fn support(&mut self, pulse: &Pulse, open: &[SupportTicket]) {
        if let Some((mean, day)) = pulse.satisfaction(day_of(self.now)) {
            self.set_at(names::AVG_CSAT, Some(mean), midnight(day));
        }
        if pulse.has_tickets {
            let severe = |it: &&SupportTicket| it.severity >= TicketSeverity::High;
            self.set(names::OPEN_TICKETS, Some(count(open.len())));
            let severe = open.iter().filter(severe).count();
            self.set(names::HIGH_SEVERITY_TICKETS, Some(count(severe)));
            let escalated = open.iter().filter(|it| it.escalated).count();
            self.set(names::ESCALATIONS, Some(count(escalated)));
        }
    }

    fn payments(&mut self, pulse: &Pulse, unpaid: &[Invoice]) {
        if pulse.has_invoices {
            let failed = unpaid.iter().filter(|it| it.status == InvoiceStatus::Failed).count();
            self.set(names::FAILED_PAYMENTS, Some(count(failed)));
            let (in_time, late) = pulse.paid(self.now);
            let overdue = unpaid.iter().filter(|it| it.is_overdue(self.now)).count();
            let all = f64::from(in_time) + f64::from(late) + count(overdue);
            self.set(names::PAYMENT_HEALTH, ratio(f64::from(in_time), all));
        }
    }
}

/// What the subscriptions say: those that run first, by rank.
fn contract(subscriptions: &[Subscription]) -> ContractFacts {
    let paid = || subscriptions.iter().filter(|it| it.kind == SubscriptionKind::Paid);
    let active = || paid().filter(|it| is_paying(it));
    // What is renewed every month is hardly a renewal to whoever has a contract for a year.
    let renewing = || active().filter(|it| !it.cancel_at_period_end && it.renewal_date.is_some());
    let longest = renewing().map(|it| it.billing_cycle).max();
    let of_longest = |it: &&Subscription| Some(it.billing_cycle) >= longest;
    let mut mrr: Vec<Money> = Vec::new();
    for fee in active().filter_map(|it| it.mrr) {
        match mrr.iter_mut().find(|sum| sum.currency == fee.currency) {
            Some(sum) => *sum = sum.checked_add(fee).unwrap_or(*sum),
            None => mrr.push(fee),
        }
    }
    let seats = active().fold(0_u32, |sum, it| sum.saturating_add(it.quantity));
    let runs = paid().any(|it| !it.status.is_over());
    let mut products: Vec<_> = subscriptions
        .iter()
        .filter(|it| it.status.is_running())
        .map(|it| it.product_id.clone())
        .collect();
    products.sort_unstable();
    products.dedup();
    let trials = subscriptions.iter().filter_map(|it| it.trial_ends_at);
    ContractFacts {
        mrr,
        seats: active().next().map(|_| seats),
        has_active_paid: paid().any(Subscription::is_active_paid),
        had_paid: paid().any(|it| is_paying(it) || was_paying(it)),
        ended_at: paid().filter(|it| was_paying(it) && !runs).filter_map(|it| it.end_date).max(),
        renewal_at: renewing().filter(of_longest).filter_map(|it| it.renewal_date).min(),
        renewed_at: paid().filter(of_longest).filter_map(|it| it.renewed_at).max(),
        trial_ends_at: trials.max(),
        products,
    }
}

/// Whether it is paid for now, be it that a payment is missing.
const fn is_paying(it: &Subscription) -> bool {
    matches!(it.status, SubscriptionStatus::Active | SubscriptionStatus::PastDue)
}

/// Whether it is over, and was more than a trial.
fn was_paying(it: &Subscription) -> bool {
    let tried = it.trial_ends_at.zip(it.end_date).is_some_and(|(trial, end)| end <= trial);
    it.status.is_over() && !tried
}

/// How many months the longest of the paid subscriptions runs: to its end if one was agreed, else
/// from one payment to the next. For life has no length.
fn contract_length(subscriptions: &[Subscription]) -> Option<f64> {
    let paid = subscriptions.iter().filter(|it| it.kind == SubscriptionKind::Paid);
    let months = paid.filter(|it| is_paying(it)).filter_map(|it| {
        let agreed = it.end_date.filter(|_| it.cancelled_at.is_none());
        let agreed = agreed.and_then(|end| months_between(it.start_date, end));
        let cycle = match it.billing_cycle {
            BillingCycle::Monthly => Some(1.0),
            BillingCycle::Yearly => Some(12.0),
            BillingCycle::Lifetime => None,
        };
        agreed.or(cycle)
    });
    months.fold(None, |longest: Option<f64>, it| Some(longest.map_or(it, |known| known.max(it))))
}

/// The months from `start` to `end` on the calendar, and of the rest its share of the month that it
/// is in: 31 January to 28 February is one month, and so is 15 January to 15 February.
fn months_between(start: OffsetDateTime, end: OffsetDateTime) -> Option<f64> {
    let months = Recurrence::new(start, Cycle::MONTH, TimeZone::UTC).ok()?;
    let years = i64::from(end.year().saturating_sub(start.year()));
    let of_year = |at: OffsetDateTime| i64::from(u8::from(at.month()));
    let guess =
        years.saturating_mul(12).saturating_add(of_year(end)).saturating_sub(of_year(start));
    let whole = match months.boundary(guess) {
        Some(boundary) if boundary <= end => guess,
        _ => guess.saturating_sub(1),
    };
    let from = months.boundary(whole)?;
    let to = months.boundary(whole.saturating_add(1))?;
    let share = ratio(days(from, end), days(from, to))?;
    let whole = f64::from(i32::try_from(whole).ok()?);
    Some(whole + share).filter(|it| *it > 0.0)
}

/// The highest share of a limit that is used up. A limit of nothing cannot be.
fn usage_vs_limit(meters: &[Meter]) -> Option<f64> {
    let shares = meters.iter().filter(|it| it.denial.is_none()).filter_map(|it| {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let [used, limit] = [it.used, it.limit?].map(|it| it.millionths() as f64);
        ratio(used, limit).filter(|share| *share >= 0.0)
    });
    shares.fold(None, |highest: Option<f64>, it| Some(highest.map_or(it, |known| known.max(it))))
}

/// A share of something; none of nothing.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn months_are_those_of_the_calendar() {
        for (start, end, months) in [
            (datetime!(2024-01-31 0:00 UTC), datetime!(2024-02-29 0:00 UTC), 1.0),
            (datetime!(2023-01-31 0:00 UTC), datetime!(2023-02-28 0:00 UTC), 1.0),
            (datetime!(2024-02-29 0:00 UTC), datetime!(2025-02-28 0:00 UTC), 12.0),
            (datetime!(2024-01-15 0:00 UTC), datetime!(2027-01-15 0:00 UTC), 36.0),
            (datetime!(2023-04-01 0:00 UTC), datetime!(2023-04-16 0:00 UTC), 0.5),
            (datetime!(2023-12-16 0:00 UTC), datetime!(2024-01-16 0:00 UTC), 1.0),
        ] {
            assert_eq!(months_between(start, end), Some(months), "{start} to {end}");
        }
        let ends = (datetime!(0001-01-01 0:00 UTC), datetime!(9999-12-31 23:59 UTC));
        assert_eq!(months_between(ends.0, ends.1), None, "beyond the calendar");
        assert_eq!(months_between(ends.1, ends.0), None);
    }
}
