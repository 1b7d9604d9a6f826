//! Usage periods: what a customer used in an hour, a day, a week, a month, a quarter or a year of
//! its calendar, as figures for reports and bills.
//!
//! A period is the sum of the ledger's events in it, by the time at which usage took place, and of
//! what was recorded by hand. The names of the figures are fixed; which feature counts in which of
//! them the host says once ([`Config::usage_figures`](crate::Config::usage_figures)), and what is
//! in none is listed by its own code.

use super::calendar::PeriodType;
use super::customer::CustomerId;
use super::link::ProductId;
use super::money::{Currency, Money};
use super::quantity::Quantity;
use super::subscription::SubscriptionId;
use super::text::Code;
use super::usage_record::{UsageByResource, UsageFigure, UsageRecord};
use super::zone::TimeZone;
use crate::error::Error;
use crate::record::{id, noun, words};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies a usage period.
    UsagePeriodId;
}

words! {
    /// How far a usage period is.
    pub enum UsagePeriodStatus {
        /// It was not yet over when it was last added up.
        Partial = "partial",
        /// It is over. Late usage still counts in it.
        Complete = "complete",
        /// It is frozen: late usage is refused.
        Finalized = "finalized" | "finalised",
    }
}

noun! {
    /// What a customer, or one of its subscriptions, used in one period of its calendar.
    pub struct UsagePeriod(UsagePeriodId), "usage period", "usage periods", "metering" {
        /// Identifies the period; follows from customer, subscription, type and start.
        id: UsagePeriodId,
        /// Whose usage it is.
        customer_id: CustomerId,
        /// The subscription whose usage alone it is; none for all usage of the customer.
        subscription_id: Option<SubscriptionId>,
        /// The product of that subscription, by which usage is told apart.
        product_id: Option<ProductId> => ["default"],
        /// How long it is.
        period_type: PeriodType => ["month"],
        /// Its first instant.
        period_start: OffsetDateTime,
        /// The first instant after it.
        period_end: OffsetDateTime,
        /// On whose calendar: the customer's time zone, else UTC.
        time_zone: TimeZone => ["Europe/Berlin"],
        /// What was run.
        total_executions: Quantity => ["120"],
        /// What of it succeeded.
        successful_executions: Quantity => ["117"],
        /// What of it failed.
        failed_executions: Quantity => ["3"],
        /// What of it was passed on to people.
        escalated_executions: Quantity => ["1"],
        /// Tokens of language models.
        tokens_used: Quantity => ["48000"],
        /// Minutes of computing.
        compute_minutes: Quantity => ["7.5"],
        /// Gigabytes stored.
        storage_gb: Quantity => ["1.25"],
        /// Gigabytes sent and received.
        bandwidth_gb: Quantity => ["10"],
        /// Calls of the programming interface.
        api_calls: Quantity => ["930"],
        /// Webhooks delivered.
        webhook_deliveries: Quantity => ["44"],
        /// What was used besides, by the code of its feature; what came to nothing is left out.
        usage_by_resource: UsageByResource => ["{\"ai_credits\":420}"],
        /// What of the metered usage counted against a limit, whatever its unit.
        quota_used: Quantity => ["420"],
        /// What the limits left, all added up, when it was last added up before its end; none where
        /// there was no limit, or nobody looked.
        quota_remaining: Option<Quantity> => ["580"],
        /// What the usage costs. Recorded for the host: no feature has a unit price yet, so there is
        /// none.
        estimated_cost: Option<Money>,
        /// The currency that the customer pays in, if it pays.
        currency: Option<Currency> => ["EUR"],
        /// By how many percent more was used than in the period before, to a tenth: executions where
        /// that period counts any, else everything added up. None where it counts nothing.
        change_from_previous: Option<f64> => ["12.5"],
        /// How far it is.
        status: UsagePeriodStatus => ["complete"],
        /// Whether nothing can arrive late any more: then longer periods are added up from it.
        is_settled: bool,
        /// When it was last added up to other figures.
        aggregated_at: Option<OffsetDateTime>,
        /// When it was frozen.
        finalized_at: Option<OffsetDateTime>,
        /// When it was recorded.
        created_at: OffsetDateTime,
        /// When it last changed.
        updated_at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "whose usage it is",
        subscription: "subscription" one "whose usage alone it is",
        records: "usage record" many "what was recorded by hand",
    }
    actions { record => recorded, aggregate => aggregated, finalize => finalized }
}

impl UsagePeriodId {
    /// The id of a period: derived, so that it is kept once.
    #[must_use]
    pub fn of(
        customer: CustomerId,
        subscription: Option<SubscriptionId>,
        period_type: PeriodType,
        start: OffsetDateTime,
    ) -> Self {
        let scope = subscription.map_or(customer.uuid(), SubscriptionId::uuid);
        let name = format!("{period_type} {}", start.unix_timestamp_nanos());
        Self::from(Uuid::new_v5(&scope, name.as_bytes()))
    }
}

impl UsagePeriod {
    /// The figure of this name.
    #[must_use]
    pub const fn figure(&self, figure: UsageFigure) -> Quantity {
        match figure {
            UsageFigure::TotalExecutions => self.total_executions,
            UsageFigure::SuccessfulExecutions => self.successful_executions,
            UsageFigure::FailedExecutions => self.failed_executions,
            UsageFigure::EscalatedExecutions => self.escalated_executions,
            UsageFigure::TokensUsed => self.tokens_used,
            UsageFigure::ComputeMinutes => self.compute_minutes,
            UsageFigure::StorageGb => self.storage_gb,
            UsageFigure::BandwidthGb => self.bandwidth_gb,
            UsageFigure::ApiCalls => self.api_calls,
            UsageFigure::WebhookDeliveries => self.webhook_deliveries,
        }
    }

    const fn figure_mut(&mut self, figure: UsageFigure) -> &mut Quantity {
        match figure {
            UsageFigure::TotalExecutions => &mut self.total_executions,
            UsageFigure::SuccessfulExecutions => &mut self.successful_executions,
            UsageFigure::FailedExecutions => &mut self.failed_executions,
            UsageFigure::EscalatedExecutions => &mut self.escalated_executions,
            UsageFigure::TokensUsed => &mut self.tokens_used,
            UsageFigure::ComputeMinutes => &mut self.compute_minutes,
            UsageFigure::StorageGb => &mut self.storage_gb,
            UsageFigure::BandwidthGb => &mut self.bandwidth_gb,
            UsageFigure::ApiCalls => &mut self.api_calls,
            UsageFigure::WebhookDeliveries => &mut self.webhook_deliveries,
        }
    }

    /// By how many percent more it counts than the period before.
    pub(crate) fn change_from(&self, before: &Self) -> Option<f64> {
        let executions = |it: &Self| i128::from(it.total_executions.millionths());
        let everything = |it: &Self| {
            let figures = UsageFigure::ALL.iter().map(|figure| it.figure(*figure));
            let all = figures.chain(it.usage_by_resource.values().copied());
            // At most a few thousand numbers of 64 bits: no sum of them leaves 128.
            all.fold(0_i128, |sum, it| sum.saturating_add(i128::from(it.millionths())))
        };
        match executions(before) {
            0 => change_percent(everything(before), everything(self)),
            ran => change_percent(ran, executions(self)),
        }
    }
}

/// By how many percent `after` is more than `before`, to a tenth, halves up; none of nothing.
#[must_use]
pub fn change_percent(before: i128, after: i128) -> Option<f64> {
    if before <= 0 {
        return None;
    }
    let twice = after.checked_sub(before)?.checked_mul(2_000)?.checked_add(before)?;
    let tenths = twice.checked_div_euclid(before.checked_mul(2)?)?;
    #[expect(clippy::cast_precision_loss, reason = "a measure for people, never compared")]
    let percent = tenths as f64 / 10.0;
    Some(percent)
}

/// The types of shorter periods that periods of this type are whole numbers of, the longest first.
#[must_use]
pub const fn finer(period_type: PeriodType) -> &'static [PeriodType] {
    use PeriodType::{Day, Hour, Month, Quarter, Week, Year};
    match period_type {
        Hour => &[],
        Day => &[Hour],
        Week | Month => &[Day],
        Quarter => &[Month, Day],
        Year => &[Quarter, Month, Day],
    }
}

/// Amounts on their way into a period: wide enough that only the end has to be checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    figures: BTreeMap<UsageFigure, i128>,
    resources: BTreeMap<Code, i128>,
    quota_used: i128,
}

fn raise<K: Ord>(sums: &mut BTreeMap<K, i128>, key: K, by: Quantity) {
    let sum = sums.entry(key).or_default();
    *sum = sum.saturating_add(i128::from(by.millionths()));
}

impl Tally {
    /// Counts usage of a feature, in the figure that stands for it if there is one.
    pub(crate) fn usage(
        &mut self,
        figure: Option<UsageFigure>,
        feature: &Code,
        quantity: Quantity,
        is_limited: bool,
    ) {
        match figure {
            Some(figure) => raise(&mut self.figures, figure, quantity),
            None => raise(&mut self.resources, feature.clone(), quantity),
        }
        if is_limited {
            self.quota_used = self.quota_used.saturating_add(quantity.millionths().into());
        }
    }

    /// Counts what was recorded by hand.
    pub(crate) fn record(&mut self, record: &UsageRecord) {
        for (figure, quantity) in &record.figures {
            raise(&mut self.figures, *figure, *quantity);
        }
        for (code, quantity) in &record.resources {
            raise(&mut self.resources, code.clone(), *quantity);
        }
    }

    /// Counts all of another period.
    pub(crate) fn period(&mut self, period: &UsagePeriod) {
        for figure in UsageFigure::ALL {
            raise(&mut self.figures, *figure, period.figure(*figure));
        }
        for (code, quantity) in &period.usage_by_resource {
            raise(&mut self.resources, code.clone(), *quantity);
        }
        self.quota_used = self.quota_used.saturating_add(period.quota_used.millionths().into());
    }

    /// Makes `period` show these amounts.
    pub(crate) fn show(self, period: &mut UsagePeriod) -> Result<(), Error> {
        let quantity = |sum: i128| {
            let sum = i64::try_from(sum).map_err(|_| Error::Overflow("usage of the period"))?;
            Ok::<_, Error>(Quantity::from_millionths(sum))
        };
        for figure in UsageFigure::ALL {
            let sum = self.figures.get(figure).copied().unwrap_or_default();
            *period.figure_mut(*figure) = quantity(sum)?;
        }
        let resources = self.resources.into_iter().filter(|(_, sum)| *sum != 0);
        period.usage_by_resource = resources
            .map(|(code, sum)| Ok((code, quantity(sum)?)))
            .collect::<Result<_, Error>>()?;
        period.quota_used = quantity(self.quota_used)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_rounded_half_up_to_a_tenth() {
        let changes = [(100, 112), (8, 9), (3, 4), (200, 0), (2_000, 1_999), (1, 0)];
        let percents = changes.map(|(before, after)| change_percent(before, after));
        // −0.05 goes up to 0.
        let expected = [12.0, 12.5, 33.3, -100.0, 0.0, -100.0].map(Some);
        assert_eq!(percents, expected);
        assert_eq!([(0, 5), (-3, 5)].map(|(a, b)| change_percent(a, b)), [None, None]);
    }

    #[test]
    fn shorter_periods_are_listed_from_the_longest_and_none_crosses_a_boundary() {
        for period_type in PeriodType::ALL {
            assert!(finer(*period_type).iter().rev().is_sorted());
            assert!(finer(*period_type).iter().all(|it| it < period_type));
        }
        assert!(!finer(PeriodType::Month).contains(&PeriodType::Week));
    }
}
