//! What became of the recurring revenue in a period: kept, grown, lost.
//!
//! Ratios compare what each customer brought at the start with what the same customer brings at
//! the end, whatever happened in between. Who is new or came back is never in them. A customer
//! whose revenue a reset took off the books decided nothing, so it is left out of them, and said.

mod report;

use serde::Serialize;

pub(crate) use report::Tally;
pub use report::{CurrencyRevenue, MovementSum, RevenueReport};

/// What the figures of revenue should come to: a share above each is good.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RevenueTargets {
    /// Gross revenue retention: 0.9.
    pub grr: f64,
    /// Net revenue retention: 1.1.
    pub nrr: f64,
}

impl Default for RevenueTargets {
    fn default() -> Self {
        Self { grr: 0.9, nrr: 1.1 }
    }
}

/// A figure beside what it should come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Target {
    /// Which figure.
    pub figure: &'static str,
    /// What it should be more than.
    pub above: f64,
    /// Whether it is; none when there is no figure.
    pub is_met: Option<bool>,
}

/// What one customer brought in one currency at the start of a period, and at its end, in minor
/// units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Standing {
    /// At the start, never negative.
    pub start: i64,
    /// At the end, never negative.
    pub end: i64,
    /// Whether it had ever paid in this currency before the start.
    pub paid_before: bool,
    /// Whether a reset took something off the books in the period.
    pub was_reset: bool,
}

impl Standing {
    /// From one amount to another; who brought something at the start had paid before.
    #[must_use]
    pub const fn new(start: i64, end: i64, paid_before: bool) -> Self {
        Self { start, end, paid_before: paid_before || start > 0, was_reset: false }
    }
}

/// A sum of money over customers: minor units, and how many customers it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Share {
    /// Minor units.
    pub amount: i128,
    /// Customers.
    pub customers: u64,
}

impl Share {
    fn add(&mut self, amount: i64) {
        self.amount = self.amount.saturating_add(i128::from(amount));
        self.customers = self.customers.saturating_add(1);
    }
}

/// How the customers' revenue at the end of a period differs from that at its start, in one
/// currency. Each customer counts in one of the differences at most, so they add up:
/// `start + new + reactivation + expansion − contraction − churned + reset = end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RevenueChanges {
    /// At the start.
    pub start: Share,
    /// At the end.
    pub end: Share,
    /// Of those at the start whom no reset touched: what the ratios are shares of.
    pub base: Share,
    /// Brought by those who had never paid before.
    pub new: Share,
    /// Brought by those who had paid once, and nothing at the start.
    pub reactivation: Share,
    /// More than at the start.
    pub expansion: Share,
    /// Less than at the start, as a positive amount.
    pub contraction: Share,
    /// Lost with those who bring nothing any more, as a positive amount.
    pub churned: Share,
    /// The difference of those whom a reset touched, of either sign.
    pub reset: Share,
}

impl RevenueChanges {
    /// Counts a customer.
    pub fn add(&mut self, it: Standing) {
        if it.start > 0 {
            self.start.add(it.start);
        }
        if it.end > 0 {
            self.end.add(it.end);
        }
        let difference = it.end.saturating_sub(it.start);
        if it.was_reset {
            self.reset.add(difference);
            return;
        }
        if it.start > 0 {
            self.base.add(it.start);
        }
        match (it.start, it.end) {
            (from, to) if from == to => {}
            (0, _) if it.paid_before => self.reactivation.add(difference),
            (0, _) => self.new.add(difference),
            (_, 0) => self.churned.add(it.start),
            (from, to) if to > from => self.expansion.add(difference),
            _ => self.contraction.add(difference.saturating_neg()),
        }
    }

    fn kept(&self) -> i128 {
        let lost = self.contraction.amount.saturating_add(self.churned.amount);
        self.base.amount.saturating_sub(lost)
    }

    /// Gross revenue retention, 0–1: what is left of the base, each customer counted with no more
    /// than it brought at the start. None without a base.
    #[must_use]
    pub fn grr(&self) -> Option<f64> {
        ratio(self.kept(), self.base.amount)
    }

    /// Net revenue retention, from 0 on: what the customers of the base bring at the end. None
    /// without a base.
    #[must_use]
    pub fn nrr(&self) -> Option<f64> {
        ratio(self.kept().saturating_add(self.expansion.amount), self.base.amount)
    }

    /// Gross revenue churn, 0–1: churned and contracted revenue by the base.
    #[must_use]
    pub fn gross_churn(&self) -> Option<f64> {
        let lost = self.contraction.amount.saturating_add(self.churned.amount);
        ratio(lost, self.base.amount)
    }

    /// Revenue churn by cancellation alone, 0–1: churned revenue by the base.
    #[must_use]
    pub fn cancelled_churn(&self) -> Option<f64> {
        ratio(self.churned.amount, self.base.amount)
    }

    /// Net revenue churn: what the base lost less what it grew, by the base; negative when it grew.
    #[must_use]
    pub fn net_churn(&self) -> Option<f64> {
        let lost = self.contraction.amount.saturating_add(self.churned.amount);
        ratio(lost.saturating_sub(self.expansion.amount), self.base.amount)
    }

    /// Logo churn, 0–1: customers of the base who bring nothing any more, by all of the base.
    #[must_use]
    pub fn logo_churn(&self) -> Option<f64> {
        ratio(self.churned.customers.into(), self.base.customers.into())
    }

    /// Quick ratio, from 0 on: revenue won by revenue lost. None when nothing was lost: that is
    /// better than any number, and not 0.
    #[must_use]
    pub fn quick_ratio(&self) -> Option<f64> {
        let won = [self.new, self.expansion, self.reactivation];
        let won = won.iter().fold(0_i128, |sum, it| sum.saturating_add(it.amount));
        ratio(won, self.contraction.amount.saturating_add(self.churned.amount))
    }
}

/// None for a share of nothing.
#[expect(clippy::cast_precision_loss, reason = "a ratio, to the digits of a double")]
fn ratio(part: i128, whole: i128) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
