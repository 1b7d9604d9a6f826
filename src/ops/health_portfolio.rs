//! Health of many customers together.

use crate::domain::customer::{Customer, CustomerId, RiskLevel};
use crate::domain::health::{Grade, HealthModel, HealthRecord};
use crate::domain::measured::{Measured, Method, Severity, Unit};
use crate::domain::revenue::Target;
use crate::domain::statistics::real;
use crate::domain::user::{User, UserId};
use crate::error::Result;
use crate::ops::churn::has_left;
use crate::page::{Cursor, Page};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use serde::Serialize;
use std::collections::BTreeMap;
use time::OffsetDateTime;

const CSM: Col = <Customer as Stored>::TABLE.col("csm_id");
const DELETED_AT: Col = <Customer as Stored>::TABLE.col("deleted_at");

/// What the mean score of a portfolio should be more than.
const AVERAGE_TARGET: f64 = 65.0;
const AVERAGE: Method = Method {
    name: "mean health score",
    formula: "Σ computed score ÷ customers that have one, of those that are neither deleted nor \
              churned; of every one of them, so that there is no interval",
};

/// How customers are doing together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HealthPortfolio {
    /// How many customers: those that are neither deleted nor churned.
    pub customers: u64,
    /// Of how many of them too little is known for a score.
    pub unknown: u64,
    /// How many have each grade, by the thresholds of the model that comes with tenure; all five.
    pub grades: BTreeMap<Grade, u64>,
    /// How many have 0–9 points, 10–19, and so on; the last are those with 90–100.
    pub tens: [u64; 10],
    /// How many are at each level of risk, all four; who was never evaluated is at none.
    pub risk: BTreeMap<RiskLevel, u64>,
    /// The mean score, 0–100; none if nobody has one.
    pub average: Measured,
    /// That it should be more than 65.
    pub target: Target,
}

impl View<'_> {
    /// How the customers that `csm` looks after are doing, or all: how many have which score and are
    /// at which risk, and their mean score. What counts is the score as it was computed last, whatever
    /// somebody [gave instead](crate::Tx::override_health). Customers are read a page at a time.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Grade, HealthComponent, HealthMetric, HealthModel};
    /// use tenure::{HealthScope, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let metric = HealthMetric::higher("visits", 20.0, 1.0);
    /// let model = HealthModel::of([HealthComponent::new("usage", 1.0).metric(metric)]);
    /// let portfolio = tenure.write(|tx| {
    ///     tx.define_health_model("visits", &model, &HealthScope::default(), 0)?;
    ///     for (name, value) in [("Acme", 20.0), ("Globex", 10.0)] {
    ///         let customer = tx.create_customer(&CustomerDraft::named(name))?.id;
    ///         tx.record_metric(customer, "visits", value, tx.now())?;
    ///         tx.score_health(customer)?;
    ///     }
    ///     tx.create_customer(&CustomerDraft::named("Initech"))?;
    ///     tx.view().health_portfolio(None)
    /// })?;
    /// assert_eq!((portfolio.customers, portfolio.unknown, portfolio.grades[&Grade::A]), (3, 1, 1));
    /// assert_eq!((portfolio.average.value, portfolio.target.is_met), (Some(75.0), Some(true)));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound) for a user that is not registered.
    pub fn health_portfolio(&self, csm: Option<UserId>) -> Result<HealthPortfolio> {
        let mut customers = Query::all();
        if let Some(csm) = csm {
            self.require::<User>(csm)?;
            customers = customers.filter(CSM, Op::Eq, &Some(csm));
        }
        let customers = customers.eq(DELETED_AT, &None::<OffsetDateTime>);
        let model = HealthModel::default();
        let (mut all, mut scored, mut sum) = (0_u64, 0_u64, 0_u64);
        let mut grades: BTreeMap<Grade, u64> = Grade::ALL.iter().map(|it| (*it, 0)).collect();
        let mut risk: BTreeMap<RiskLevel, u64> = RiskLevel::ALL.iter().map(|it| (*it, 0)).collect();
        let (mut tens, mut latest) = ([0_u64; 10], None);
        let one_more = |count: Option<&mut u64>| {
            if let Some(count) = count {
                *count = count.saturating_add(1);
            }
        };
        self.each(customers, |customer: Customer| {
            if has_left(&customer) {
                return Ok(());
            }
            all = all.saturating_add(1);
            one_more(customer.risk_level.and_then(|it| risk.get_mut(&it)));
            let Some(score) = customer.health_score else { return Ok(()) };
            scored = scored.saturating_add(1);
            sum = sum.saturating_add(score.into());
            latest = latest.max(Some(customer.updated_at));
            one_more(grades.get_mut(&model.grade(score)));
            let ten = usize::try_from(score / 10).unwrap_or(usize::MAX).min(9);
            one_more(tens.get_mut(ten));
            Ok(())
        })?;
        let unknown = all.saturating_sub(scored);
        let mean = (scored > 0).then(|| real(sum) / real(scored));
        let mut average = Measured::new(mean, Unit::Points, AVERAGE, scored).from_records(
            "customers",
            all,
            latest,
        );
        if unknown > 0 {
            let most = unknown > scored;
            let severity = if most { Severity::Critical } else { Severity::Warning };
            let message = format!("of {unknown} of {all} customers too little is known");
            average = average.warned("not_scored", severity, message);
        }
        let is_met = mean.map(|mean| mean > AVERAGE_TARGET);
        let target = Target { figure: "average_health", above: AVERAGE_TARGET, is_met };
        Ok(HealthPortfolio { customers: all, unknown, grades, tens, risk, average, target })
    }

    /// The scores that were kept, of one customer or of all, newest first, a page at a time, with the
    /// figures that each was computed from. [`HealthRecord::csv`] makes lines of them, under
    /// [`HealthRecord::csv_header`].
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, HealthRecord, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let records = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.score_health(acme)?;
    ///     tx.view().health_records(None, 100, None)
    /// })?;
    /// assert!(HealthRecord::csv_header().starts_with("id,customer_id,calculated_at,"));
    /// assert!(records.items[0].csv().contains(&records.items[0].model_hash));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound); [`Error::Invalid`](crate::Error::Invalid) when
    /// `limit` is not 1–1,000.
    pub fn health_records(
        &self,
        customer: Option<CustomerId>,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<HealthRecord>> {
        match customer {
            Some(customer) => self.health_history(customer, limit, cursor),
            None => self.page(Query::all().newest(), limit, cursor),
        }
    }
}
