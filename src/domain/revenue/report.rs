//! The report of a period: figures with their proofs, added up customer by customer.

use super::{RevenueChanges, RevenueTargets, Standing, Target, ratio};
use crate::domain::measured::{Measured, Method, Severity, Source, Unit};
use crate::domain::money::Currency;
use crate::domain::mrr::{MrrKind, MrrMovement};
use crate::domain::period::Period;
use crate::domain::statistics::proportion::wilson;
use serde::Serialize;
use time::OffsetDateTime;

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
