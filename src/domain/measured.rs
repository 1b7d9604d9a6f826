//! No figure without its proof: how it was measured, from how much, and how sure it is.

use super::period::Period;
use super::statistics::nps::SAMPLE_MIN;
use crate::record::words;
use serde::Serialize;
use time::OffsetDateTime;

/// Below so many a figure is warned of.
const SAMPLE_WARNING: u64 = 50;

words! {
    /// What a figure counts.
    pub enum Unit {
        /// A share, 0–1.
        Ratio = "ratio",
        /// Points of a scale that the method names.
        Points = "points",
        /// How many.
        Count = "count",
        /// Days.
        Days = "days",
        /// Minor units of the currency that the method names.
        Money = "money",
    }
}

words! {
    /// How serious a warning is.
    pub enum Severity {
        /// To be kept in mind.
        Warning = "warning",
        /// The figure must not be relied on.
        Critical = "critical",
    }
}

/// What stands against relying on a figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Warning {
    /// A stable word for the kind of it: `insufficient_sample`, `low_response_rate`.
    pub code: &'static str,
    /// How serious it is.
    pub severity: Severity,
    /// A sentence with the figures.
    pub message: String,
}

/// How a figure is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Method {
    /// What the figure is called, denominators and all: `logo churn`.
    pub name: &'static str,
    /// The formula, in words or symbols.
    pub formula: &'static str,
}

/// The values that the true one lies between, with a certain probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// With which probability, 0–1: 0.95.
    pub level: f64,
}

/// Records that a figure was computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The noun, in the plural: `nps responses`.
    pub name: &'static str,
    /// How many records.
    pub records: u64,
    /// When the newest of them was made.
    #[serde(with = "time::serde::rfc3339::option")]
    pub latest: Option<OffsetDateTime>,
}

/// A figure with its proof.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Measured {
    /// The figure; none when there is nothing to measure, such as a share of nothing.
    pub value: Option<f64>,
    /// What it counts.
    pub unit: Unit,
    /// The time that it is about; none for the present state.
    pub period: Option<Period>,
    /// How it was computed.
    pub method: Method,
    /// How many things were looked at: customers, responses.
    pub sample_size: u64,
    /// How sure it is, where that can be told.
    pub confidence_interval: Option<Interval>,
    /// What it was computed from.
    pub sources: Vec<Source>,
    /// What stands against relying on it.
    pub warnings: Vec<Warning>,
}

impl Measured {
    /// A figure of `sample_size` things, so far without interval, sources and warnings.
    #[must_use]
    pub const fn new(value: Option<f64>, unit: Unit, method: Method, sample_size: u64) -> Self {
        Self {
            value,
            unit,
            period: None,
            method,
            sample_size,
            confidence_interval: None,
            sources: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// About a time.
    #[must_use]
    pub const fn over(mut self, period: Period) -> Self {
        self.period = Some(period);
        self
    }

    /// With an interval.
    #[must_use]
    pub const fn within(mut self, interval: Option<Interval>) -> Self {
        self.confidence_interval = interval;
        self
    }

    /// Computed from these records too.
    #[must_use]
    pub fn from_records(
        mut self,
        name: &'static str,
        records: u64,
        latest: Option<OffsetDateTime>,
    ) -> Self {
        self.sources.push(Source { name, records, latest });
        self
    }

    /// With something that stands against it.
    #[must_use]
    pub fn warned(
        mut self,
        code: &'static str,
        severity: Severity,
        message: impl Into<String>,
    ) -> Self {
        self.warnings.push(Warning { code, severity, message: message.into() });
        self
    }

    /// Warned of when the sample is small: below 50 that is noted, below 30 nothing is claimed. `of`
    /// says what there are `count` of: `answers in the period`.
    #[must_use]
    pub fn of_enough(self, count: u64, of: &str) -> Self {
        if count < SAMPLE_MIN {
            let message = format!("{count} {of}; below {SAMPLE_MIN} nothing is claimed");
            self.warned("insufficient_sample", Severity::Critical, message)
        } else if count < SAMPLE_WARNING {
            let message = format!("{count} {of}; {SAMPLE_WARNING} are better");
            self.warned("small_sample", Severity::Warning, message)
        } else {
            self
        }
    }

    /// Whether nothing serious stands against relying on it.
    #[must_use]
    pub fn is_reliable(&self) -> bool {
        self.value.is_some()
            && self.warnings.iter().all(|warning| warning.severity != Severity::Critical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_with_a_critical_warning_is_not_relied_on() {
        let method = Method { name: "share", formula: "a ÷ b" };
        let share = Measured::new(Some(0.5), Unit::Ratio, method, 10);
        assert!(share.is_reliable());
        let noted = share.warned("small_sample", Severity::Warning, "10 of 50");
        assert!(noted.is_reliable());
        assert!(!noted.warned("insufficient_sample", Severity::Critical, "10 of 30").is_reliable());
        assert!(!Measured::new(None, Unit::Ratio, method, 0).is_reliable());
    }
}
