//! Where the points come from, and where more are to be had.

use super::model::{HealthFormula, HealthMetric, HealthModel, MetricDirection};
use crate::domain::facts::{Figure, FigureSource, Figures};
use serde::Serialize;
use time::OffsetDateTime;

/// How many points of a score come from one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MetricShare {
    /// The component.
    pub component: String,
    /// The metric.
    pub metric: String,
    /// The value that counts; none if it is not known and something stands in for it.
    pub value: Option<f64>,
    /// How many points come from it.
    pub share: f64,
    /// How many could.
    pub most: f64,
}

/// What the score would gain if one metric were ideal and all others as they are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MetricGain {
    /// The component.
    pub component: String,
    /// The metric.
    pub metric: String,
    /// What it is; none if that is not known.
    pub value: Option<f64>,
    /// What it would be.
    pub ideal: f64,
    /// How many points more there would be, not rounded.
    pub gain: f64,
    /// What the total would be.
    pub total: u32,
}

/// A score, taken apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HealthExplanation {
    /// What it comes to, rounded.
    pub total: Option<u32>,
    /// The same, not rounded: what the shares add up to.
    pub points: f64,
    /// What rounding adds.
    pub rounding: f64,
    /// The part of each metric that counts, as the model lists them.
    pub shares: Vec<MetricShare>,
    /// What would raise it most, first.
    pub gains: Vec<MetricGain>,
}

impl HealthModel {
    /// Where the points of a score come from, and what would raise it most.
    ///
    /// ```
    /// use tenure::{Figure, FigureSource, Figures, HealthModel};
    /// use time::macros::datetime;
    ///
    /// let at = datetime!(2026-01-31 12:00 UTC);
    /// let mut figures = Figures::default();
    /// figures.set("open_tickets", Figure { value: 4.0, at, source: FigureSource::Host });
    /// figures.set("avg_csat", Figure { value: 4.5, at, source: FigureSource::Host });
    /// let why = HealthModel::default().explain(&figures, at);
    /// assert_eq!(why.total, Some(55), "half of 20 and 90, equally weighted");
    /// let shares: Vec<f64> = why.shares.iter().map(|it| it.share).collect();
    /// assert_eq!(shares, [10.0, 45.0]);
    /// let first = &why.gains[0];
    /// assert_eq!(first.metric, "open_tickets");
    /// assert_eq!((first.gain, first.total), (40.0, 95));
    /// ```
    #[must_use]
    pub fn explain(&self, figures: &Figures, as_of: OffsetDateTime) -> HealthExplanation {
        let health = self.score(figures, as_of, None);
        let mut shares = Vec::new();
        for component in &health.components {
            let counted = component.details.iter().filter(|metric| metric.points.is_some());
            shares.extend(counted.map(|metric| MetricShare {
                component: component.name.clone(),
                metric: metric.name.clone(),
                value: metric.value(),
                share: metric.share,
                most: 0.0,
            }));
        }
        let points = health.points.unwrap_or(0.0);
        let mut gains = Vec::new();
        for (component, metric) in self.metrics() {
            let ideal = self.best(metric);
            let mut better = figures.clone();
            let source = FigureSource::Host;
            better.set(metric.name.clone(), Figure { value: ideal, at: as_of, source });
            let then = self.score(&better, as_of, None);
            let counts = |it: &&mut MetricShare| it.metric == metric.name;
            let of_then = then.components.iter().flat_map(|it| &it.details);
            let most = of_then.filter(|it| it.name == metric.name).map(|it| it.share).next();
            if let (Some(share), Some(most)) = (shares.iter_mut().find(counts), most) {
                share.most = most;
            }
            gains.push(MetricGain {
                component: component.name.clone(),
                metric: metric.name.clone(),
                value: self.fresh(&metric.name, figures, as_of),
                ideal,
                gain: then.points.unwrap_or(0.0) - points,
                total: then.total.unwrap_or(0),
            });
        }
        gains.sort_by(|a, b| b.gain.total_cmp(&a.gain).then_with(|| a.metric.cmp(&b.metric)));
        let rounding = health.total.map_or(0.0, |total| f64::from(total) - points);
        HealthExplanation { total: health.total, points, rounding, shares, gains }
    }

    /// The value that earns most.
    fn best(&self, metric: &HealthMetric) -> f64 {
        match (self.formula, metric.direction) {
            (HealthFormula::SourceCompatible, MetricDirection::Lower) => 0.0,
            _ => metric.ideal,
        }
    }
}
