//! The score itself: a model applied to what is known.

use super::exact::{self, Mean, nanos};
use super::model::{
    HealthComponent, HealthFormula, HealthMetric, HealthModel, MetricDirection, UnknownPolicy,
};
use super::result::{
    ComponentHealth, ComponentTrend, Health, HealthTrend, MetricHealth, MetricState,
    PreviousHealth, Unscored, UnscoredReason,
};
use crate::domain::facts::{Figure, Figures};
use time::{Duration, OffsetDateTime};

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

    /// The figure of a metric, unless it is unknown or too old.
    pub(super) fn known(
        &self,
        metric: &HealthMetric,
        figures: &Figures,
        as_of: OffsetDateTime,
    ) -> Option<f64> {
        let max_age = metric.max_age_days.or(self.max_age_days);
        let fresh = figures.get(&metric.name).filter(|it| is_fresh(*it, max_age, as_of));
        fresh.map(|figure| figure.value)
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
        MetricDirection::Higher => share.clamp(LEAST, 100.0),
        MetricDirection::Lower => (100.0 - share).clamp(0.0, 100.0),
    }
}
