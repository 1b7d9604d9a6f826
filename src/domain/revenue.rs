//! What became of the recurring revenue in a period: kept, grown, lost.
//!
//! Ratios compare what each customer brought at the start with what the same customer brings at
//! the end, whatever happened in between. Who is new or came back is never in them. A customer
//! whose revenue a reset took off the books decided nothing, so it is left out of them, and said.

use super::measured::{Measured, Method, Severity, Source, Unit};
use super::money::Currency;
use super::mrr::{MrrKind, MrrMovement};
use super::period::Period;
use super::statistics::proportion::wilson;
use serde::Serialize;
use time::OffsetDateTime;

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

/// The movements of one kind in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MovementSum {
    /// The kind.
    pub kind: MrrKind,
    /// What they add up to, in minor units.
    pub amount: i128,
    /// How many there are.
    pub movements: u64,
}

/// What became of the revenue in one currency.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CurrencyRevenue {
    /// The currency of all its amounts.
    pub currency: Currency,
    /// The movements as they were written, by kind; a customer that grew and shrank is in both.
    pub movements: Vec<MovementSum>,
    /// What each customer's movements come to in the end.
    pub changes: RevenueChanges,
    /// By how much start and movements miss the end, or the last movement what is paid now, added
    /// up over all customers, in minor units: 0 as long as the ledger is sound.
    pub difference: i128,
    /// Gross revenue retention.
    pub grr: Measured,
    /// Net revenue retention.
    pub nrr: Measured,
    /// Gross revenue churn.
    pub gross_revenue_churn: Measured,
    /// Revenue churn by cancellation alone.
    pub cancelled_revenue_churn: Measured,
    /// Net revenue churn.
    pub net_revenue_churn: Measured,
    /// Logo churn.
    pub logo_churn: Measured,
    /// Quick ratio.
    pub quick_ratio: Measured,
    /// Monthly recurring revenue at the end.
    pub mrr: Measured,
    /// Annual recurring revenue at the end.
    pub arr: Measured,
    /// Average revenue per account at the start.
    pub arpa: Measured,
    /// What the figures should come to.
    pub targets: Vec<Target>,
}

impl CurrencyRevenue {
    /// Whether start and movements are the end.
    #[must_use]
    pub const fn reconciles(&self) -> bool {
        self.difference == 0
    }

    /// Every figure with its name: each says how it was computed and from which records, which
    /// [`View::each_mrr_movement`](crate::View::each_mrr_movement) hands out one by one.
    #[must_use]
    pub fn evidence(&self) -> [(&'static str, &Measured); 10] {
        [
            ("grr", &self.grr),
            ("nrr", &self.nrr),
            ("gross_revenue_churn", &self.gross_revenue_churn),
            ("cancelled_revenue_churn", &self.cancelled_revenue_churn),
            ("net_revenue_churn", &self.net_revenue_churn),
            ("logo_churn", &self.logo_churn),
            ("quick_ratio", &self.quick_ratio),
            ("mrr", &self.mrr),
            ("arr", &self.arr),
            ("arpa", &self.arpa),
        ]
    }
}

/// What became of the recurring revenue in a period, in each currency by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RevenueReport {
    /// The period.
    pub period: Period,
    /// One for each currency that anybody ever paid in, by its code.
    pub currencies: Vec<CurrencyRevenue>,
}

impl RevenueReport {
    /// The figures of a currency.
    #[must_use]
    pub fn of(&self, currency: Currency) -> Option<&CurrencyRevenue> {
        self.currencies.iter().find(|it| it.currency == currency)
    }
}

/// Adds up the report of one currency, customer by customer.
#[derive(Debug)]
pub(crate) struct Tally {
    currency: Currency,
    changes: RevenueChanges,
    movements: Vec<MovementSum>,
    latest: Option<OffsetDateTime>,
    difference: i128,
}

impl Tally {
    pub(crate) fn of(currency: Currency) -> Self {
        let sum = |kind: &MrrKind| MovementSum { kind: *kind, amount: 0, movements: 0 };
        Self {
            currency,
            changes: RevenueChanges::default(),
            movements: MrrKind::ALL.iter().map(sum).collect(),
            latest: None,
            difference: 0,
        }
    }

    pub(crate) const fn currency(&self) -> Currency {
        self.currency
    }

    /// Counts a customer that brings `now` and whose movements since the start of the period, in
    /// this currency among others and oldest first, are `since`. Start and end are what the
    /// movements say was before and after, so that their amounts prove them.
    pub(crate) fn add(&mut self, now: i64, since: &[MrrMovement], period: Period) {
        let mut mine = since.iter().filter(|it| it.amount.currency == self.currency).peekable();
        let start = mine.peek().map_or(now, |it| it.mrr_before.amount);
        let mut standing = Standing::new(start, start, true);
        let (mut inside, mut last) = (0_i128, start);
        for movement in mine {
            last = movement.mrr_after.amount;
            standing.paid_before &= movement.kind != MrrKind::New;
            if movement.at >= period.end() {
                continue;
            }
            let amount = i128::from(movement.amount.amount);
            inside = inside.saturating_add(amount);
            standing.end = last;
            standing.was_reset |= movement.kind == MrrKind::Reset;
            self.latest = self.latest.max(Some(movement.at));
            if let Some(sum) = self.movements.iter_mut().find(|it| it.kind == movement.kind) {
                sum.amount = sum.amount.saturating_add(amount);
                sum.movements = sum.movements.saturating_add(1);
            }
        }
        let missing = i128::from(standing.end).saturating_sub(start.into()).saturating_sub(inside);
        let stale = i128::from(now).saturating_sub(last.into());
        for gap in [missing, stale] {
            self.difference = self.difference.saturating_add(gap.saturating_abs());
        }
        self.changes.add(standing);
    }

    /// The report, with its proofs.
    pub(crate) fn finish(
        self,
        period: Period,
        now: OffsetDateTime,
        targets: RevenueTargets,
    ) -> CurrencyRevenue {
        let all = &self.changes;
        let count = self.movements.iter().fold(0, |sum: u64, it| sum.saturating_add(it.movements));
        let customers = all.start.customers.max(all.end.customers);
        let ran = now.min(period.end());
        let proved = |value: Option<f64>, unit: Unit, method: Method, size: u64| {
            let mut figure = Measured::new(value, unit, method, size).over(period);
            figure.sources = vec![
                Source { name: "mrr movements", records: count, latest: self.latest },
                Source { name: "customer revenues", records: customers, latest: Some(ran) },
            ];
            if now < period.end() {
                let message = "the period is not over yet";
                figure = figure.warned("period_not_over", Severity::Warning, message);
            }
            if all.reset.customers > 0 {
                let resets = all.reset.customers;
                let message = format!("{resets} customers whose revenue was reset are left out");
                figure = figure.warned("revenue_reset", Severity::Warning, message);
            }
            if self.difference != 0 {
                let message = format!("start and movements miss the end by {}", self.difference);
                figure = figure.warned("not_reconciled", Severity::Critical, message);
            }
            figure
        };
        let logos = all.base.customers;
        let share = |value, method| proved(value, Unit::Ratio, method, logos);
        let lost = all.churned.customers;
        let met = |value: Option<f64>, above: f64| value.map(|value| value > above);
        let per_account = ratio(all.start.amount, all.start.customers.into());
        CurrencyRevenue {
            currency: self.currency,
            difference: self.difference,
            changes: *all,
            grr: share(all.grr(), method::GRR),
            nrr: share(all.nrr(), method::NRR),
            gross_revenue_churn: share(all.gross_churn(), method::GROSS_CHURN),
            cancelled_revenue_churn: share(all.cancelled_churn(), method::CANCELLED_CHURN),
            net_revenue_churn: share(all.net_churn(), method::NET_CHURN),
            logo_churn: share(all.logo_churn(), method::LOGO_CHURN).within(wilson(lost, logos)),
            quick_ratio: proved(all.quick_ratio(), Unit::Ratio, method::QUICK_RATIO, customers),
            mrr: proved(Some(amount(all.end.amount)), Unit::Money, method::MRR, all.end.customers),
            arr: proved(
                Some(amount(all.end.amount.saturating_mul(12))),
                Unit::Money,
                method::ARR,
                all.end.customers,
            ),
            arpa: proved(per_account, Unit::Money, method::ARPA, all.start.customers),
            targets: vec![
                Target { figure: "grr", above: targets.grr, is_met: met(all.grr(), targets.grr) },
                Target { figure: "nrr", above: targets.nrr, is_met: met(all.nrr(), targets.nrr) },
            ],
            movements: self.movements,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2⁵³ minor units; `changes` is exact")]
const fn amount(minor: i128) -> f64 {
    minor as f64
}

/// How each figure is computed.
mod method {
    use super::Method;

    pub(super) const GRR: Method = Method {
        name: "gross revenue retention",
        formula: "Σ min(start, end) ÷ Σ start, over customers with MRR > 0 at the start",
    };
    pub(super) const NRR: Method = Method {
        name: "net revenue retention",
        formula: "Σ end ÷ Σ start, over customers with MRR > 0 at the start",
    };
    pub(super) const GROSS_CHURN: Method = Method {
        name: "gross revenue churn",
        formula: "(churned + contraction) ÷ Σ start, over customers with MRR > 0 at the start",
    };
    pub(super) const CANCELLED_CHURN: Method = Method {
        name: "cancelled revenue churn",
        formula: "churned ÷ Σ start, over customers with MRR > 0 at the start",
    };
    pub(super) const NET_CHURN: Method = Method {
        name: "net revenue churn",
        formula: "(churned + contraction − expansion) ÷ Σ start, over customers with MRR > 0 at \
                  the start",
    };
    pub(super) const LOGO_CHURN: Method = Method {
        name: "logo churn",
        formula: "customers with MRR = 0 at the end ÷ customers with MRR > 0 at the start, of the \
                  latter; Wilson 95 %",
    };
    pub(super) const QUICK_RATIO: Method = Method {
        name: "quick ratio",
        formula: "(new + expansion + reactivation) ÷ (churned + contraction), each customer's \
                  start against its end",
    };
    pub(super) const MRR: Method = Method {
        name: "monthly recurring revenue",
        formula: "Σ MRR at the end of the period, minor units; active and past due paid \
                  subscriptions",
    };
    pub(super) const ARR: Method =
        Method { name: "annual recurring revenue", formula: "12 × MRR, minor units" };
    pub(super) const ARPA: Method = Method {
        name: "average revenue per account",
        formula: "Σ start ÷ customers with MRR > 0 at the start, minor units",
    };
}
