//! The score itself: a model applied to what is known.

use super::exact::{self, Mean, nanos};
use super::model::{
    Direction, Grade, HealthComponent, HealthFormula, HealthMetric, HealthModel, UnknownPolicy,
};
use super::signs::{HealthAlert, HealthOpportunity, RiskFactor};
use crate::domain::facts::{Figure, Figures};
use crate::record::words;
use serde::Serialize;
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

words! {
    /// Where a score is going.
    pub enum HealthTrend {
        /// It rose by more than 5 points, unless the model says otherwise.
        Improving = "improving",
        /// Neither.
        Stable = "stable",
        /// It fell by more than 5 points.
        Declining = "declining",
    }
}

words! {
    /// Where the score of a component is going; the same bounds hold.
    pub enum ComponentTrend {
        /// Up.
        Up = "up",
        /// Neither.
        Stable = "stable",
        /// Down.
        Down = "down",
    }
}

words! {
    /// What is known of a metric.
    pub enum MetricState {
        /// Its figure.
        Known = "known",
        /// Only a figure that is too old to count.
        Stale = "stale",
        /// Nothing.
        Unknown = "unknown",
    }
}

words! {
    /// Why there is no score.
    pub enum UnscoredReason {
        /// Nothing of what is looked at is known.
        NothingKnown = "nothing_known",
        /// Less of it is known than the model wants.
        TooLittleKnown = "too_little_known",
        /// Something is not known without which the model gives no score.
        ComponentUnknown = "component_unknown",
    }
}

/// Why there is no score. It prints as a sentence.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Unscored {
    /// Why, in a word.
    pub reason: UnscoredReason,
    /// The share of weight that is known, 0–1.
    pub coverage: f64,
    /// The share that must be known, 0–1.
    pub needed: f64,
    /// The components of which something is not known that must be.
    pub components: Vec<String>,
}

impl std::fmt::Display for Unscored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.reason {
            UnscoredReason::NothingKnown => write!(f, "nothing is known that health looks at"),
            UnscoredReason::TooLittleKnown => write!(
                f,
                "{:.1} % of what health looks at is known, {:.1} % is needed",
                self.coverage * 100.0,
                self.needed * 100.0
            ),
            UnscoredReason::ComponentUnknown => {
                write!(f, "not all is known that must be of {}", self.components.join(", "))
            }
        }
    }
}

/// One metric of a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MetricHealth {
    /// The name of the figure.
    pub name: String,
    /// Its weight in the component, as the model has it.
    pub weight: f64,
    /// What is known of it.
    pub state: MetricState,
    /// The figure, also one that is too old.
    pub figure: Option<Figure>,
    /// What it earns, or stands in for it while it is not known, 0–100, not rounded; none if it is
    /// left out. By the formula of
    /// [`SourceCompatible`](HealthFormula::SourceCompatible), what is negative earns less than 0.
    pub points: Option<f64>,
    /// How many points of the whole score come from it.
    pub share: f64,
}

/// One component of a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ComponentHealth {
    /// What it is called.
    pub name: String,
    /// Its weight, as the model has it.
    pub weight: f64,
    /// Its score, 0–100, rounded half up; none if nothing of it is known and it is left out.
    pub score: Option<u32>,
    /// The score before it was rounded.
    pub points: Option<f64>,
    /// How many points of the whole score come from it.
    pub share: f64,
    /// Where it is going; none without a score now and before.
    pub trend: Option<ComponentTrend>,
    /// What it is the mean of.
    pub details: Vec<MetricHealth>,
}

/// How well a customer is doing, by one model, as of one instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Health {
    /// 0–100; none if too little is known, see [`unscored`](Self::unscored).
    pub score: Option<u32>,
    /// The grade of the score.
    pub grade: Option<Grade>,
    /// Where it is going; none without a score now and before.
    pub trend: Option<HealthTrend>,
    /// Why there is no score.
    pub unscored: Option<Unscored>,
    /// What is known comes to so much, 0–100, however little it is. Rounded half up from the scores
    /// of the components, which are rounded themselves.
    pub total: Option<u32>,
    /// The same with nothing rounded on the way.
    pub points: Option<f64>,
    /// The share of weight that is known, 0–1.
    pub coverage: f64,
    /// What it is made of.
    pub components: Vec<ComponentHealth>,
    /// What may go wrong.
    pub risk_factors: Vec<RiskFactor>,
    /// What may go better.
    pub opportunities: Vec<HealthOpportunity>,
    /// What somebody should hear of now: only against what was before.
    pub alerts: Vec<HealthAlert>,
    /// As of when.
    #[serde(with = "time::serde::rfc3339")]
    pub calculated_at: OffsetDateTime,
}

/// The calculation before, which trends and alerts are told against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PreviousHealth {
    /// The last score that was given.
    pub score: Option<u32>,
    /// The scores of its components.
    pub components: BTreeMap<String, u32>,
}

impl From<u32> for PreviousHealth {
    fn from(score: u32) -> Self {
        Self { score: Some(score), ..Self::default() }
    }
}

impl From<&Health> for PreviousHealth {
    fn from(health: &Health) -> Self {
        let scored = |it: &ComponentHealth| Some((it.name.clone(), it.score?));
        let components = health.components.iter().filter_map(scored).collect();
        Self { score: health.score, components }
    }
}

/// A component with the weights that it was computed with.
struct Computed {
    health: ComponentHealth,
    weight: i128,
    /// The weights of its metrics: of those that are known, those that count, and all.
    known: i128,
    counted: i128,
    all: i128,
    /// Whether something of it is not known that must be.
    is_missed: bool,
}

impl HealthModel {
    /// How well a customer is doing of whom `figures` are known, as of `as_of`; trends and alerts
    /// are told against `previous`. Equal arguments give equal results; a better figure never gives
    /// less.
    ///
    /// ```
    /// use tenure::{Figure, FigureSource, Figures, Grade, HealthModel};
    /// use time::macros::datetime;
    ///
    /// let at = datetime!(2026-01-31 12:00 UTC);
    /// let mut figures = Figures::default();
    /// for (name, value) in [("dau_mau_ratio", 0.5), ("feature_adoption", 0.35),
    ///     ("conversations_per_week", 80.0), ("logins_per_week", 3.0), ("open_tickets", 2.0),
    ///     ("nps_score", 9.0)]
    /// {
    ///     figures.set(name, Figure { value, at, source: FigureSource::Host });
    /// }
    /// let health = HealthModel::default().score(&figures, at, None);
    /// assert_eq!((health.score, health.grade), (Some(72), Some(Grade::B)));
    /// assert_eq!(health.components[0].score, Some(79), "0.4 · 100 + 0.3 · 50 + 0.3 · 80");
    /// assert_eq!(health.components[2].score, Some(60), "of support only the tickets are known");
    /// assert_eq!(health.components[4].score, None, "nothing is known of its payments");
    /// ```
    #[must_use]
    pub fn score(
        &self,
        figures: &Figures,
        as_of: OffsetDateTime,
        previous: Option<&PreviousHealth>,
    ) -> Health {
        let mut health = self.measure(figures, as_of);
        self.compare(&mut health, previous);
        health
    }

    /// The score by itself, not told against anything.
    pub(crate) fn measure(&self, figures: &Figures, as_of: OffsetDateTime) -> Health {
        let one = |component| self.component(component, figures, as_of);
        let mut computed: Vec<Computed> = self.components.iter().map(one).collect();
        let (total, points) = self.total(&mut computed);
        let (known, all) = computed.iter().fold((0_i128, 0_i128), |(known, all), it| {
            let part = |weight: i128| it.weight.saturating_mul(weight);
            (known.saturating_add(part(it.known)), all.saturating_add(part(it.all)))
        });
        let enough =
            known.saturating_mul(1_000_000_000) >= all.saturating_mul(nanos(self.min_coverage));
        let coverage = exact::ratio(known, all);
        let unscored = self.unscored(&computed, total, enough, coverage);
        let score = total.filter(|_| unscored.is_none());
        Health {
            score,
            grade: score.map(|score| self.grade(score)),
            trend: None,
            unscored,
            total,
            points,
            coverage,
            components: computed.into_iter().map(|it| it.health).collect(),
            risk_factors: self.figure_risks(figures, as_of),
            opportunities: self.opportunities(figures, as_of),
            alerts: Vec::new(),
            calculated_at: as_of,
        }
    }

    /// Where a score goes that was `previous` before.
    ///
    /// ```
    /// # use tenure::{HealthModel, HealthTrend};
    /// let trend = |score| HealthModel::default().trend(score, 60);
    /// assert_eq!(trend(65), HealthTrend::Stable);
    /// assert_eq!(trend(66), HealthTrend::Improving);
    /// assert_eq!(trend(54), HealthTrend::Declining);
    /// ```
    #[must_use]
    pub const fn trend(&self, score: u32, previous: u32) -> HealthTrend {
        if score > previous.saturating_add(self.trend_over) {
            HealthTrend::Improving
        } else if previous > score.saturating_add(self.trend_over) {
            HealthTrend::Declining
        } else {
            HealthTrend::Stable
        }
    }

    /// The figure of this name, unless it is too old.
    pub(super) fn fresh(
        &self,
        name: &str,
        figures: &Figures,
        as_of: OffsetDateTime,
    ) -> Option<f64> {
        let figure = figures.get(name)?;
        is_fresh(figure, self.max_age_of(name), as_of).then_some(figure.value)
    }

    fn component(
        &self,
        component: &HealthComponent,
        figures: &Figures,
        as_of: OffsetDateTime,
    ) -> Computed {
        let metric = |metric| self.metric(metric, component.unknown, figures, as_of);
        let details: Vec<MetricHealth> = component.metrics.iter().map(metric).collect();
        let (mut mean, mut sum) = (Mean::default(), 0.0);
        let (mut known, mut counted, mut all) = (0_i128, 0_i128, 0_i128);
        for (metric, detail) in component.metrics.iter().zip(&details) {
            let weight = nanos(metric.weight);
            all = all.saturating_add(weight);
            match (detail.value(), detail.points) {
                (Some(value), _) => {
                    known = known.saturating_add(weight);
                    mean.add(exact::points(metric, value), weight);
                }
                (None, Some(_)) => mean.add_score(stand_in(component.unknown).unwrap_or(0), weight),
                (None, None) => continue,
            }
            counted = counted.saturating_add(weight);
            sum += detail.points.unwrap_or(0.0) * metric.weight;
        }
        let (points, score) = match self.formula {
            HealthFormula::Exact => (mean.value(), mean.rounded()),
            HealthFormula::SourceCompatible => (Some(sum), Some(half_up(sum))),
        };
        let health = ComponentHealth {
            name: component.name.clone(),
            weight: component.weight,
            score,
            points,
            share: 0.0,
            trend: None,
            details,
        };
        let is_missed = component.unknown == UnknownPolicy::NoScore && known < all;
        Computed { health, weight: nanos(component.weight), known, counted, all, is_missed }
    }

    fn metric(
        &self,
        metric: &HealthMetric,
        unknown: UnknownPolicy,
        figures: &Figures,
        as_of: OffsetDateTime,
    ) -> MetricHealth {
        let figure = figures.get(&metric.name);
        let max_age = metric.max_age_days.or(self.max_age_days);
        let state = match figure {
            Some(figure) if is_fresh(figure, max_age, as_of) => MetricState::Known,
            Some(_) => MetricState::Stale,
            None => MetricState::Unknown,
        };
        let value = figure.filter(|_| state == MetricState::Known).map(|figure| figure.value);
        let points = match self.formula {
            HealthFormula::Exact => match value {
                Some(value) => Some(exact::float(exact::points(metric, value))),
                None => stand_in(unknown).map(f64::from),
            },
            HealthFormula::SourceCompatible => Some(source_points(metric, value.unwrap_or(0.0))),
        };
        let (name, weight) = (metric.name.clone(), metric.weight);
        MetricHealth { name, weight, state, figure, points, share: 0.0 }
    }

    /// The mean of the components that have a score, rounded and not; each part of it gets its share.
    fn total(&self, computed: &mut [Computed]) -> (Option<u32>, Option<f64>) {
        let (mut mean, mut sum, mut points) = (Mean::default(), 0.0, 0.0);
        let counted = |it: &Computed| it.health.score.map_or(0, |_| it.weight);
        let whole = computed.iter().map(counted).fold(0, i128::saturating_add);
        for it in computed.iter_mut() {
            let (Some(score), Some(earned)) = (it.health.score, it.health.points) else { continue };
            mean.add_score(score, it.weight);
            sum += f64::from(score) * it.health.weight;
            let (weight, within) = match self.formula {
                HealthFormula::Exact => (exact::ratio(it.weight, whole), it.counted),
                HealthFormula::SourceCompatible => (it.health.weight, 1_000_000_000),
            };
            it.health.share = weight * earned;
            points += it.health.share;
            for metric in &mut it.health.details {
                let part = exact::ratio(nanos(metric.weight), within);
                metric.share = metric.points.map_or(0.0, |points| weight * part * points);
            }
        }
        let total = match self.formula {
            HealthFormula::Exact => mean.rounded(),
            HealthFormula::SourceCompatible => mean.rounded().map(|_| half_up(sum)),
        };
        (total, total.map(|_| points))
    }

    fn unscored(
        &self,
        computed: &[Computed],
        total: Option<u32>,
        enough: bool,
        coverage: f64,
    ) -> Option<Unscored> {
        let missing = computed.iter().filter(|it| it.is_missed);
        let components: Vec<_> = missing.map(|it| it.health.name.clone()).collect();
        let reason = if total.is_none() || (coverage == 0.0 && !enough) {
            UnscoredReason::NothingKnown
        } else if !components.is_empty() {
            UnscoredReason::ComponentUnknown
        } else if !enough {
            UnscoredReason::TooLittleKnown
        } else {
            return None;
        };
        Some(Unscored { reason, coverage, needed: self.min_coverage, components })
    }

    /// Tells trends, alerts and the risks of components, against what was before.
    pub(crate) fn compare(&self, health: &mut Health, previous: Option<&PreviousHealth>) {
        for component in &mut health.components {
            let before = previous.and_then(|it| it.components.get(&component.name));
            component.trend =
                component.score.zip(before).map(|(now, before)| match self.trend(now, *before) {
                    HealthTrend::Improving => ComponentTrend::Up,
                    HealthTrend::Stable => ComponentTrend::Stable,
                    HealthTrend::Declining => ComponentTrend::Down,
                });
        }
        let before = previous.and_then(|it| it.score);
        health.trend = health.score.zip(before).map(|(now, before)| self.trend(now, before));
        health.alerts = health.score.map_or(Vec::new(), |score| self.alerts(score, before));
        let risks = self.component_risks(health, previous);
        health.risk_factors.splice(..0, risks);
    }
}

impl MetricHealth {
    /// The value that counts; none of what is unknown or too old.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.figure.filter(|_| self.state == MetricState::Known).map(|figure| figure.value)
    }
}

/// What a metric that is not known counts as.
fn stand_in(policy: UnknownPolicy) -> Option<u32> {
    match policy {
        UnknownPolicy::Neutral(points) => Some(points.min(100)),
        UnknownPolicy::Zero => Some(0),
        UnknownPolicy::Skip | UnknownPolicy::NoScore => None,
    }
}

/// Whether a figure is at most so many days old.
fn is_fresh(figure: Figure, max_age_days: Option<u32>, as_of: OffsetDateTime) -> bool {
    let nanos = |at: OffsetDateTime| at.unix_timestamp_nanos();
    let age = nanos(as_of).saturating_sub(nanos(figure.at));
    max_age_days.is_none_or(|days| age <= Duration::days(i64::from(days)).whole_nanoseconds())
}

/// Half up, kept within 0–100.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
fn half_up(points: f64) -> u32 {
    (points + 0.5).floor().clamp(0.0, 100.0) as u32
}

/// What a value earned by the formula that was in use elsewhere before, with its floats.
fn source_points(metric: &HealthMetric, value: f64) -> f64 {
    /// Less than this is not told apart: so much below 0 nothing else makes up for it.
    const LEAST: f64 = -1e12;
    let share = value / metric.ideal * 100.0;
    match metric.direction {
        _ if share.is_nan() => 100.0,
        Direction::Higher => share.clamp(LEAST, 100.0),
        Direction::Lower => (100.0 - share).clamp(0.0, 100.0),
    }
}
