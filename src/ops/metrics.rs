//! Metrics: recorded one by one or many at a time, read as series and as what is known last.

use crate::domain::access::CustomerRef;
use crate::domain::customer::CustomerId;
use crate::domain::facts::Figures;
use crate::domain::metering::BATCH_MAX;
use crate::domain::metric::{LatestMetrics, METRICS_MAX, Metric, MetricId, NewMetric, Readings};
use crate::domain::period::Period;
use crate::domain::text::Code;
use crate::error::{Error, Faults, Result};
use crate::page::{Cursor, Page};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use time::OffsetDateTime;

const CUSTOMER: Col = <Metric as Stored>::TABLE.col("customer_id");
const NAME: Col = <Metric as Stored>::TABLE.col("name");
const AT: Col = <Metric as Stored>::TABLE.col("at");

impl View<'_> {
    /// The readings of one metric of a customer, newest first, a page at a time; those of `period` if
    /// one is given. A metric that was never recorded has none.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// tenure.write(|tx| tx.record_metric(acme, "feature_adoption", 0.6, tx.now()))?;
    /// let series = tenure.read(|view| view.metrics(acme, "feature_adoption", None, 10, None))?;
    /// assert_eq!(series.items[0].value, 0.6);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when the name is no code or `limit` is not 1–1,000.
    pub fn metrics(
        &self,
        customer: CustomerId,
        name: &str,
        period: Option<Period>,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Metric>> {
        self.customer(customer)?;
        let name = Code::parse(name).map_err(Error::malformed("name"))?;
        let mut query = Query::all().eq(CUSTOMER, &customer).eq(NAME, &name).newest_by(AT);
        if let Some(period) = period {
            query = query.filter(AT, Op::Ge, &period.start()).filter(AT, Op::Lt, &period.end());
        }
        self.page(query, limit, cursor)
    }

    /// The latest reading of each metric of a customer, by name; at most 200 ([`METRICS_MAX`]).
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// tenure.write(|tx| tx.record_metric(acme, "feature_adoption", 0.6, tx.now()))?;
    /// let latest = tenure.read(|view| view.latest_metrics(acme))?;
    /// assert_eq!(latest.get("feature_adoption").map(|it| it.value), Some(0.6));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn latest_metrics(&self, customer: CustomerId) -> Result<Figures> {
        self.customer(customer)?;
        let latest = self.get::<LatestMetrics>(customer)?;
        Ok(latest.map(|it| it.readings.figures()).unwrap_or_default())
    }
}

impl View<'_> {
    /// The reading of each of a customer's metrics that held at `at`.
    pub(crate) fn readings_as_of(
        &self,
        customer: CustomerId,
        at: OffsetDateTime,
    ) -> Result<Figures> {
        let latest = self.get::<LatestMetrics>(customer)?;
        let mut figures = latest.map(|it| it.readings.figures()).unwrap_or_default();
        let later: Vec<_> = figures.iter().filter(|(_, it)| it.at > at).collect();
        let later: Vec<_> = later.into_iter().map(|(name, _)| name.to_owned()).collect();
        for name in later {
            figures.remove(&name);
            let until = Query::all().eq(CUSTOMER, &customer).eq(NAME, &name);
            let until = until.filter(AT, Op::Le, &at).newest_by(AT);
            if let Some(reading) = self.first::<Metric>(until)? {
                figures.set(name, reading.figure());
            }
        }
        Ok(figures)
    }
}

impl Tx<'_> {
    /// Records what the host measured of a customer: any finite `value`, as it was at `at`, which may
    /// lie any time back. There is one reading for each instant: the same again changes nothing,
    /// another value takes its place. The latest by `at` is the one that counts.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Tenure};
    /// use time::Duration;
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let latest = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
    ///     let now = tx.now();
    ///     tx.record_metric(acme, "feature_adoption", 0.6, now)?;
    ///     tx.record_metric(acme, "feature_adoption", 0.4, now - Duration::DAY)?;
    ///     tx.view().latest_metrics(acme)
    /// })?;
    /// assert_eq!(latest.get("feature_adoption").map(|figure| figure.value), Some(0.6));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] with every fault: a name that is no code, a value that
    /// is not finite, a time that lies more than five minutes ahead; [`Error::TooMany`] when the
    /// customer has 200 other metrics.
    pub fn record_metric(
        &mut self,
        customer: impl Into<CustomerRef>,
        name: &str,
        value: f64,
        at: OffsetDateTime,
    ) -> Result<Metric> {
        let customer = self.view().resolve_customer(&customer.into())?;
        let new = NewMetric::new(customer.id, name, value, at);
        let mut faults = Faults::default();
        let Some((name, value, at)) = new.checked("", self.latest_past(), &mut faults) else {
            return Err(Error::Invalid(faults));
        };
        let metric = self.reading(customer.id, name, value, at);
        let id = metric.id;
        self.keep_readings(vec![metric])?;
        self.require(id)
    }

    /// Records up to 10,000 readings, of any customers, all or none of them, each as
    /// [`record_metric`](Self::record_metric) would. Returns how many were new or changed one that was
    /// there. What is recorded of a customer is announced together.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, NewMetric, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let now = tenure.now();
    /// let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme Inc.")))?.id;
    /// let readings = [
    ///     NewMetric::new(acme, "open_tickets", 2.0, now),
    ///     NewMetric::new(acme, "avg_csat", 4.5, now),
    /// ];
    /// assert_eq!(tenure.write(|tx| tx.record_metrics(&readings))?, 2);
    /// assert_eq!(tenure.write(|tx| tx.record_metrics(&readings))?, 0, "the same again");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault of every reading, a customer that is not known among them,
    /// and when there are none or too many; [`Error::TooMany`] when a customer would have more than
    /// 200 metrics.
    pub fn record_metrics(&mut self, metrics: &[NewMetric]) -> Result<usize> {
        if metrics.is_empty() || metrics.len() > BATCH_MAX {
            let rule = "must be 1–10,000";
            return Err(Error::invalid("metrics", &metrics.len().to_string(), rule));
        }
        let (mut faults, latest) = (Faults::default(), self.latest_past());
        let mut customers: HashMap<&CustomerRef, Option<CustomerId>> = HashMap::new();
        let mut readings = Vec::with_capacity(metrics.len());
        for (place, new) in metrics.iter().enumerate() {
            let checked = new.checked(&format!("metrics[{place}]."), latest, &mut faults);
            let known = customers.get(&new.customer).copied();
            let customer = if let Some(known) = known {
                known
            } else {
                let found = match self.view().resolve_customer(&new.customer) {
                    Ok(customer) => Some(customer.id),
                    Err(Error::NotFound { .. }) => None,
                    Err(error) => return Err(error),
                };
                customers.insert(&new.customer, found);
                found
            };
            match (customer, checked) {
                (Some(customer), Some((name, value, at))) => {
                    readings.push(self.reading(customer, name, value, at));
                }
                (None, _) => {
                    let field = format!("metrics[{place}].customer");
                    faults.add(field, &new.customer.to_string(), "must be a customer");
                }
                (Some(_), None) => {}
            }
        }
        faults.check()?;
        self.keep_readings(readings)
    }

    /// The last instant at which something can have happened: a little ahead, because clocks differ.
    pub(crate) fn latest_past(&self) -> OffsetDateTime {
        self.now().saturating_add(self.config().early_usage_max)
    }

    fn reading(
        &self,
        customer_id: CustomerId,
        name: Code,
        value: f64,
        at: OffsetDateTime,
    ) -> Metric {
        Metric {
            id: MetricId::of(customer_id, &name, at),
            customer_id,
            name,
            at,
            value,
            recorded_by: self.actor().to_owned(),
            recorded_at: self.now(),
        }
    }

    /// Writes those of `readings` that say something new. Returns how many.
    fn keep_readings(&mut self, readings: Vec<Metric>) -> Result<usize> {
        let mut by_customer: BTreeMap<CustomerId, Vec<Metric>> = BTreeMap::new();
        for reading in readings {
            by_customer.entry(reading.customer_id).or_default().push(reading);
        }
        self.whole(|tx| {
            let mut changed = 0_usize;
            for (customer, readings) in by_customer {
                changed = changed.saturating_add(tx.keep_readings_of(customer, readings)?);
            }
            Ok(changed)
        })
    }

    fn keep_readings_of(&mut self, customer: CustomerId, readings: Vec<Metric>) -> Result<usize> {
        let known = self.get::<LatestMetrics>(customer)?;
        let mut latest =
            known.unwrap_or_else(|| LatestMetrics { id: customer, readings: Readings::default() });
        let (mut changed, mut is_newer) = (0_usize, false);
        let mut told = BTreeMap::new();
        for reading in readings {
            if !self.insert(&reading)? {
                let before = self.require::<Metric>(reading.id)?;
                if before.value.total_cmp(&reading.value).is_eq() {
                    continue;
                }
                self.put(&reading)?;
            }
            changed = changed.saturating_add(1);
            is_newer |= latest.readings.keep(&reading.name, reading.value, reading.at);
            told.insert(reading.name, reading.value);
        }
        if latest.readings.len() > METRICS_MAX {
            return Err(Error::TooMany { noun: "metrics of a customer", most: METRICS_MAX });
        }
        if is_newer {
            self.put(&latest)?;
        }
        if changed > 0 {
            let data = json!({ "readings": changed, "metrics": told });
            self.announce("metric.recorded", customer, customer, data);
        }
        Ok(changed)
    }
}
