//! Metrics: figures that the host measures of a customer, one reading for each instant.

use super::access::CustomerRef;
use super::customer::CustomerId;
use super::facts::figure_name::{each_named, instant, micros};
use super::facts::{Figure, FigureSource, Figures};
use super::instant as instants;
use super::text::Code;
use crate::error::Faults;
use crate::record::{id, noun};
use crate::value::json_field;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::OffsetDateTime;
use uuid::Uuid;

/// How many different metrics one customer has at the most.
pub const METRICS_MAX: usize = 200;

id! {
    /// Identifies a reading of a metric.
    MetricId;
}

noun! {
    /// What the host measured of a customer at one instant.
    pub struct Metric(MetricId), "metric", "metrics", "success" {
        /// Identifies the reading; follows from customer, name and instant.
        id: MetricId,
        /// Whose figure it is.
        customer_id: CustomerId,
        /// What was measured.
        name: Code => ["conversations_per_week"],
        /// When it was so.
        at: OffsetDateTime,
        /// How much; never NaN or infinite.
        value: f64 => ["120"],
        /// Who recorded it.
        recorded_by: String => ["system"],
        /// When it was recorded, or last replaced.
        recorded_at: OffsetDateTime,
    }
    relationships { customer: "customer" one "whose figure it is" }
    actions { record => recorded }
}

noun! {
    /// The latest reading of each metric of a customer, in one row, so that many customers are
    /// evaluated without a look at their series.
    pub struct LatestMetrics(CustomerId), "latest metrics", "latest metrics of customers", "success" {
        /// The customer.
        id: CustomerId,
        /// By name: how much, and when in microseconds since 1970.
        readings: Readings => ["{\"open_tickets\":[2.0,1769860800000000]}"],
    }
    relationships { customer: "customer" one "whose figures they are" }
}

/// The latest reading of each metric, by name: how much, and when.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Readings(Figures);

impl Serialize for Readings {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, it)| (name, (it.value, micros(it.at)))))
    }
}

impl<'de> Deserialize<'de> for Readings {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (mut figures, mut wrong) = (Figures::default(), false);
        each_named(from, |name, (value, at): (f64, i64)| match instant(at) {
            Some(at) => figures.keep(name, Figure { value, at, source: FigureSource::Host }),
            None => wrong = true,
        })?;
        if wrong { Err(D::Error::custom("no instant")) } else { Ok(Self(figures)) }
    }
}

json_field!(Readings);

impl MetricId {
    /// The id of the reading of a customer's metric at an instant: derived, so that there is one.
    #[must_use]
    pub fn of(customer: CustomerId, name: &Code, at: OffsetDateTime) -> Self {
        let name = format!("metric {name} {}", micros(at));
        Self::from(Uuid::new_v5(&customer.uuid(), name.as_bytes()))
    }
}

impl Metric {
    /// The reading as a figure of the host.
    #[must_use]
    pub const fn figure(&self) -> Figure {
        Figure { value: self.value, at: self.at, source: FigureSource::Host }
    }
}

impl Readings {
    /// Keeps a reading unless a newer one is known. Returns whether anything changed.
    pub fn keep(&mut self, name: &Code, value: f64, at: OffsetDateTime) -> bool {
        // As a store keeps it.
        let at = instant(micros(at)).unwrap_or(at);
        let new = Figure { value, at, source: FigureSource::Host };
        let stays = |known: Figure| known.at > at || known == new;
        if self.0.get(name.as_str()).is_some_and(stays) {
            return false;
        }
        self.0.keep(name.as_str().into(), new);
        true
    }

    /// How many metrics there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().next().is_none()
    }

    /// When the newest of them held; none without any.
    #[must_use]
    pub fn latest_at(&self) -> Option<OffsetDateTime> {
        self.0.iter().map(|(_, figure)| figure.at).max()
    }

    /// The readings as figures of the host.
    #[must_use]
    pub fn figures(self) -> Figures {
        self.0
    }
}

/// A reading to be recorded, one of many.
///
/// ```
/// use tenure::NewMetric;
/// use tenure::domain::facts::names;
/// use time::macros::datetime;
///
/// let reading =
///     NewMetric::new("org_42", names::FEATURE_ADOPTION, 0.6, datetime!(2026-01-31 12:00 UTC));
/// assert_eq!(reading.name, "feature_adoption");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it is recorded when it is given to `record_metrics`"]
#[non_exhaustive]
pub struct NewMetric {
    /// Whose figure it is.
    pub customer: CustomerRef,
    /// What was measured: a [`Code`].
    pub name: String,
    /// How much: any finite number.
    pub value: f64,
    /// When it was so; not in the future.
    pub at: OffsetDateTime,
}

impl NewMetric {
    /// `value` of the metric `name` of a customer, as it was at `at`.
    pub fn new(
        customer: impl Into<CustomerRef>,
        name: impl Into<String>,
        value: f64,
        at: OffsetDateTime,
    ) -> Self {
        Self { customer: customer.into(), name: name.into(), value, at }
    }

    /// The name, the value and the instant as they are kept, every fault noted under `path`.
    pub(crate) fn checked(
        &self,
        path: &str,
        latest: OffsetDateTime,
        faults: &mut Faults,
    ) -> Option<(Code, f64, OffsetDateTime)> {
        let at = instants::utc(self.at);
        let before = faults.0.len();
        let name = faults.note(&format!("{path}name"), Code::parse(&self.name));
        if !self.value.is_finite() {
            let field = format!("{path}value");
            faults.add(field, &self.value.to_string(), "must be a finite number");
        }
        instants::check_past(&format!("{path}at"), at, latest, faults);
        // Adding zero takes the sign of a zero away.
        name.filter(|_| faults.0.len() == before).map(|name| (name, self.value + 0.0, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::to_json;
    use time::Duration;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2024-02-29 12:00 UTC);

    fn code(text: &str) -> Code {
        Code::parse(text).unwrap()
    }

    #[test]
    fn a_late_reading_replaces_no_newer_one() {
        let mut readings = Readings::default();
        assert!(readings.keep(&code("a"), 1.0, NOON));
        assert!(!readings.keep(&code("a"), 2.0, NOON - Duration::MICROSECOND));
        assert!(!readings.keep(&code("a"), 1.0, NOON), "the same again is nothing new");
        assert!(readings.keep(&code("a"), 3.0, NOON), "a later word on the same instant counts");
        assert!(readings.keep(&code("a"), 0.1 + 0.2, NOON + Duration::MICROSECOND));
        let json = to_json(&readings);
        assert_eq!(serde_json::from_str::<Readings>(&json).unwrap(), readings, "{json}");
        let figure = readings.figures().get("a").unwrap();
        assert_eq!((figure.value, figure.at), (0.1 + 0.2, NOON + Duration::MICROSECOND));
    }

    #[test]
    fn what_is_no_reading_is_refused_with_every_fault() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut faults = Faults::default();
            let new = NewMetric::new("org", "No Code", value, NOON + Duration::SECOND);
            assert_eq!(new.checked("metrics[7].", NOON, &mut faults), None);
            let fields: Vec<_> = faults.0.iter().map(|fault| fault.field.as_str()).collect();
            assert_eq!(fields, ["metrics[7].name", "metrics[7].value", "metrics[7].at"]);
        }
        let mut faults = Faults::default();
        let kept = NewMetric::new("org", "a", -0.0, NOON).checked("", NOON, &mut faults);
        assert!(kept.is_some_and(|(_, value, _)| value.is_sign_positive()));
    }
}
