//! The tick: what time alone brings about, made durable.

use crate::domain::customer::Customer;
use crate::domain::entitlement::{Entitlement, EntitlementStatus};
use crate::domain::meter::Meter;
use crate::domain::subscription::{Subscription, SubscriptionAction, SubscriptionStatus};
use crate::error::Result;
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tenure::Tenure;
use crate::tx::{Tx, View};
use serde::Serialize;
use time::OffsetDateTime;

const STATUS: Col = <Subscription as Stored>::TABLE.col("status");
const END_DATE: Col = <Subscription as Stored>::TABLE.col("end_date");
const RENEWAL_DATE: Col = <Subscription as Stored>::TABLE.col("renewal_date");
const TRIAL_ENDS_AT: Col = <Subscription as Stored>::TABLE.col("trial_ends_at");
const GRANT_STATUS: Col = <Entitlement as Stored>::TABLE.col("status");
const VALID_UNTIL: Col = <Entitlement as Stored>::TABLE.col("valid_until");
const FRESH_UNTIL: Col = <Meter as Stored>::TABLE.col("fresh_until");

/// How many records of a kind one transaction of the tick takes.
const BATCH: usize = 100;
/// How many usage periods: each reads its part of the ledger.
const PERIODS_BATCH: usize = 10;

const RUNNING: [SubscriptionStatus; 4] = [
    SubscriptionStatus::Pending,
    SubscriptionStatus::Trialing,
    SubscriptionStatus::Active,
    SubscriptionStatus::PastDue,
];

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Ticked {
    /// Subscriptions that ended.
    pub subscriptions_ended: usize,
    /// Subscriptions that were renewed, to another tier if that was asked for.
    pub subscriptions_renewed: usize,
    /// Entitlements that expired.
    pub entitlements_expired: usize,
    /// Meters whose window or validity changed.
    pub meters_settled: usize,
    /// Usage periods that were over and are complete now.
    pub usage_periods_completed: usize,
    /// Interventions that nobody responded to, so that the next of their path was told.
    pub interventions_escalated: usize,
    /// Actions of interventions that were announced as due, by a handle without a channel.
    pub actions_announced: usize,
    /// Actions of interventions that the channel took.
    pub actions_executed: usize,
    /// Actions of interventions that it would not take.
    pub actions_failed: usize,
    /// Surveys that a reminder of was told to be due.
    pub nps_surveys_reminded: usize,
    /// Surveys that closed without an answer.
    pub nps_surveys_closed: usize,
    /// Customers of whom an evaluation changed something.
    pub customers_evaluated: usize,
    /// Customers that could not be evaluated; [`Tenure::evaluate_all`] tells who, and why.
    pub evaluations_failed: usize,
}

impl Ticked {
    const fn counts(&mut self) -> [&mut usize; 13] {
        [
            &mut self.subscriptions_ended,
            &mut self.subscriptions_renewed,
            &mut self.entitlements_expired,
            &mut self.meters_settled,
            &mut self.usage_periods_completed,
            &mut self.interventions_escalated,
            &mut self.actions_announced,
            &mut self.actions_executed,
            &mut self.actions_failed,
            &mut self.nps_surveys_reminded,
            &mut self.nps_surveys_closed,
            &mut self.customers_evaluated,
            &mut self.evaluations_failed,
        ]
    }

    fn add(&mut self, mut other: Self) {
        for (sum, more) in self.counts().into_iter().zip(other.counts()) {
            *sum = sum.saturating_add(*more);
        }
    }
}

impl Tenure {
    /// Does in the handle's org what is due by its clock: ends and renews subscriptions, expires
    /// entitlements, starts new windows of meters, completes usage periods that are over, runs
    /// interventions, tells of surveys that are to be reminded of and closes those whose time is
    /// over, and writes down what was [denied](Self::flush_denials). Resets and expiries are computed
    /// by every check and track as well, a tick only makes them durable and writes their events; a
    /// subscription that is to end, and the rights that follow from it, end with the tick. It works
    /// in small transactions, so that several processes can tick at once.
    ///
    /// Customers are [evaluated](Tx::evaluate): all of them once a day
    /// ([`Config::evaluate_every`](crate::Config::evaluate_every)), and those of whom a ticket, an
    /// invoice, an answer to a survey or a wish to cancel was recorded with the next tick. Metrics,
    /// activities, denials and what customers buy take their effect with the daily one, or at once if
    /// the host evaluates the customer itself. The first one begins once anything but what customers
    /// buy is recorded: an org that only meters is never evaluated. It goes on where it stopped, and
    /// one tick takes 10,000 customers at the most; [`next_due`](View::next_due) says whether more
    /// are left.
    ///
    /// Last it asks the handle's [channel](crate::Builder::channel) for the actions that are due,
    /// outside of any transaction, and goes on to do so for about a minute: a host whose channel
    /// waits for a network ticks on a thread that may wait. A handle without a channel never calls
    /// out; it announces each action that is due, once, as `intervention.action_due`. If a process
    /// dies between asking and writing down the answer, the same is asked again after five minutes,
    /// under the same id.
    ///
    /// # Errors
    ///
    /// The store's own; [`Error::Invalid`](crate::Error::Invalid) when customers are to be evaluated
    /// and the configured rules contradict themselves. What was done so far is kept.
    pub fn tick(&self) -> Result<Ticked> {
        self.flush_denials()?;
        let mut all = Ticked::default();
        self.tick_batches(&mut all)?;
        let evaluated = self.evaluate_due();
        // What an evaluation begins may be due at once. That one failed keeps nothing else waiting.
        self.tick_batches(&mut all)?;
        self.speak(&mut all)?;
        let evaluated = evaluated?;
        all.customers_evaluated = usize::try_from(evaluated.changed).unwrap_or(usize::MAX);
        all.evaluations_failed = usize::try_from(evaluated.failed).unwrap_or(usize::MAX);
        Ok(all)
    }

    /// Does what is due until nothing is.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is not general over the lifetime of its transaction"
    )]
    fn tick_batches(&self, all: &mut Ticked) -> Result<()> {
        loop {
            let done = self.write(|tx| tx.tick_batch())?;
            all.add(done);
            if done == Ticked::default() {
                return Ok(());
            }
        }
    }
}

impl View<'_> {
    /// When a tick next has something to do; none for never, as far as is known now.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn next_due(&self) -> Result<Option<OffsetDateTime>> {
        let mut due = Vec::new();
        for status in RUNNING {
            for col in [END_DATE, RENEWAL_DATE, TRIAL_ENDS_AT] {
                let is_awaited = match col {
                    RENEWAL_DATE => status == SubscriptionStatus::Active,
                    TRIAL_ENDS_AT => status == SubscriptionStatus::Trialing,
                    _ => true,
                };
                if !is_awaited {
                    continue;
                }
                let set = Query::all().eq(STATUS, &status).oldest_by(col);
                let set = set.filter(col, Op::Ne, &None::<OffsetDateTime>);
                let first = self.first::<Subscription>(set)?;
                due.extend(first.and_then(|it| match col {
                    END_DATE => it.end_date,
                    RENEWAL_DATE => it.renewal_date,
                    _ => it.trial_ends_at,
                }));
            }
        }
        let grants = Query::all().eq(GRANT_STATUS, &EntitlementStatus::Active);
        let grants = grants.filter(VALID_UNTIL, Op::Ne, &None::<OffsetDateTime>);
        let grant = self.first::<Entitlement>(grants.oldest_by(VALID_UNTIL))?;
        due.extend(grant.and_then(|it| it.valid_until));
        let meters = Query::all().filter(FRESH_UNTIL, Op::Ne, &None::<OffsetDateTime>);
        let meter = self.first::<Meter>(meters.oldest_by(FRESH_UNTIL))?;
        due.extend(meter.and_then(|it| it.fresh_until));
        due.extend(self.next_period_end()?);
        due.extend(self.next_intervention()?);
        due.extend(self.next_survey_due()?);
        due.extend(self.next_evaluation()?);
        Ok(due.into_iter().min())
    }

    fn due(&self, status: SubscriptionStatus, col: Col) -> Result<Vec<Subscription>> {
        let query = Query::all().eq(STATUS, &status).filter(col, Op::Le, &self.now());
        self.find(&query.oldest_by(col).limit(BATCH))
    }
}

impl Tx<'_> {
    fn tick_batch(&mut self) -> Result<Ticked> {
        let mut done = Ticked::default();
        for status in RUNNING {
            for subscription in self.view().due(status, END_DATE)? {
                let action = if subscription.cancel_at_period_end {
                    SubscriptionAction::Cancel
                } else {
                    SubscriptionAction::Expire
                };
                self.move_kept(subscription, action)?;
                done.subscriptions_ended = done.subscriptions_ended.saturating_add(1);
            }
        }
        for subscription in self.view().due(SubscriptionStatus::Trialing, TRIAL_ENDS_AT)? {
            // Whether it was paid for is the billing gateway's to say; until then it is over.
            self.move_kept(subscription, SubscriptionAction::Expire)?;
            done.subscriptions_ended = done.subscriptions_ended.saturating_add(1);
        }
        for subscription in self.view().due(SubscriptionStatus::Active, RENEWAL_DATE)? {
            // It is to end, in a batch to come.
            if subscription.end_date.is_some_and(|end| end <= self.now()) {
                continue;
            }
            self.renew_due(subscription)?;
            done.subscriptions_renewed = done.subscriptions_renewed.saturating_add(1);
        }
        let lapsed = Query::all().eq(GRANT_STATUS, &EntitlementStatus::Active);
        let lapsed = lapsed.filter(VALID_UNTIL, Op::Le, &self.now()).limit(BATCH);
        for grant in self.view().find::<Entitlement>(&lapsed)? {
            let (to, event) = (EntitlementStatus::Expired, "entitlement.expired");
            self.move_entitlement(grant.id, "expire", to, event)?;
            done.entitlements_expired = done.entitlements_expired.saturating_add(1);
        }
        let stale = Query::all().filter(FRESH_UNTIL, Op::Le, &self.now());
        for meter in self.view().find::<Meter>(&stale.oldest_by(FRESH_UNTIL).limit(BATCH))? {
            let customer = self.require::<Customer>(meter.customer_id)?;
            self.refresh_meter(&customer, &meter.feature_code)?;
            done.meters_settled = done.meters_settled.saturating_add(1);
        }
        for period in self.view().periods_due(PERIODS_BATCH)? {
            self.aggregate(period)?;
            done.usage_periods_completed = done.usage_periods_completed.saturating_add(1);
        }
        done.interventions_escalated = self.escalate_due(BATCH)?;
        if !self.view().has_channel() {
            done.actions_announced = self.announce_due(BATCH)?;
        }
        for survey in self.view().surveys_due(BATCH)? {
            let done = if self.advance_survey(survey)? {
                &mut done.nps_surveys_closed
            } else {
                &mut done.nps_surveys_reminded
            };
            *done = done.saturating_add(1);
        }
        Ok(done)
    }

    /// Renews a subscription whose period is over, and changes its tier if that was asked for.
    fn renew_due(&mut self, subscription: Subscription) -> Result<()> {
        let renewed = self.move_kept(subscription, SubscriptionAction::Renew)?;
        match renewed.next_tier_code.clone() {
            Some(tier) => self.change_to(renewed, &tier, &[]).map(drop),
            None => Ok(()),
        }
    }
}
