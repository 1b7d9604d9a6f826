//! What is looked at, how much it counts, and from where on it is remarkable.

use crate::domain::facts::names;
use crate::hash::{fnv1a, mixed};
use crate::record::words;
use crate::value::to_json;
use serde::{Deserialize, Serialize};

words! {
    /// The grade of a score.
    pub enum Grade {
        /// 80 and more, unless the model says otherwise.
        A = "A" | "a",
        /// 60 and more.
        B = "B" | "b",
        /// 40 and more.
        C = "C" | "c",
        /// 20 and more.
        D = "D" | "d",
        /// Less.
        F = "F" | "f",
    }
}

words! {
    /// Which way a metric is better.
    pub enum MetricDirection {
        /// More is better: points grow from zero at 0 to the whole hundred at the ideal.
        Higher = "higher",
        /// Less is better: all points at or below the ideal, then linearly none at the worst.
        Lower = "lower",
    }
}

words! {
    /// How a value becomes points.
    pub enum HealthFormula {
        /// Unknown is left out; what is better when lower earns all points at or below its ideal,
        /// then linearly none at its worst. Exact.
        Exact = "exact",
        /// As elsewhere before: unknown counts as the value 0, what is better when lower earns
        /// `100 − 100 · value ÷ ideal`, at least 0 (0 ÷ 0 is 100 points), in floating point, so that
        /// the same figures come out.
        SourceCompatible = "source_compatible",
    }
}

/// What becomes of a metric of a component that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownPolicy {
    /// It is left out, and the others of the component count for more; a component with none is left
    /// out too.
    #[default]
    Skip,
    /// It counts as so many points, 0–100.
    Neutral(u32),
    /// It counts as 0 points.
    Zero,
    /// There is no score without it.
    NoScore,
}

/// One figure that health looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct HealthMetric {
    /// The name of the figure, a code, once in a model: see [`names`].
    pub name: String,
    /// Which way it is better.
    pub direction: MetricDirection,
    /// The value that earns all 100 points, 0–10¹².
    pub ideal: f64,
    /// Where what is better when lower earns nothing any more: above the ideal, up to 10¹².
    #[serde(default)]
    pub worst: Option<f64>,
    /// How much it counts among the metrics of its component, 10⁻⁹–1, to nine decimals.
    pub weight: f64,
    /// How many days old it may be; as the model says if none.
    #[serde(default)]
    pub max_age_days: Option<u32>,
}

/// A side of a customer's health: the weighted mean of its metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct HealthComponent {
    /// What it is called: a code, once in a model.
    pub name: String,
    /// How much it counts among the components, 10⁻⁹–1, to nine decimals.
    pub weight: f64,
    /// What becomes of a metric of it that is not known.
    #[serde(default)]
    pub unknown: UnknownPolicy,
    /// What it is the mean of, 1–64.
    pub metrics: Vec<HealthMetric>,
}

/// The least score of each grade; below that of D it is F.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GradeThresholds {
    /// 80.
    pub a: u32,
    /// 60.
    pub b: u32,
    /// 40.
    pub c: u32,
    /// 20.
    pub d: u32,
}

/// From where on something is a risk, a chance or an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HealthThresholds {
    /// A risk: the score of a component is below this. 40.
    pub component_below: u32,
    /// A risk: nobody has logged in for more days than this. 7.
    pub days_without_login_over: f64,
    /// A risk: more tickets are open than this. 3.
    pub open_tickets_over: f64,
    /// A risk: the last answer to "would you recommend us" is at most this. 6.
    pub nps_at_most: f64,
    /// A chance for training: the share of features in use is below this. 0.5.
    pub adoption_below: f64,
    /// A chance for advocacy: the last answer to "would you recommend us" is at least this. 9.
    pub nps_at_least: f64,
    /// A chance for expansion: how likely it is to grow is over this. 0.7.
    pub growth_over: f64,
    /// A chance for an upgrade: the share of a limit that is used up is over this. 0.8.
    pub usage_over: f64,
    /// An alarm: the score fell by more points than this. 15.
    pub drop_over: u32,
}

/// What health is computed from. The default is the usual table of five components.
///
/// ```
/// use tenure::{HealthComponent, HealthMetric, HealthModel};
///
/// let usage = HealthComponent::new("usage", 0.6)
///     .metric(HealthMetric::higher("dau_mau_ratio", 0.5, 1.0));
/// let support = HealthComponent::new("support", 0.4)
///     .metric(HealthMetric::lower("open_tickets", 0.0, 5.0, 1.0));
/// let model = HealthModel::of([usage, support]);
/// model.check()?;
/// assert_ne!(model.hash(), HealthModel::default().hash());
/// # Ok::<_, tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct HealthModel {
    /// How values become points.
    #[serde(default = "exact")]
    pub formula: HealthFormula,
    /// What the score is the weighted mean of, 1–64.
    pub components: Vec<HealthComponent>,
    /// The share of weight that must be known for a score to be given, 0–1. 0.5.
    #[serde(default = "half")]
    pub min_coverage: f64,
    /// How many days old a figure may be, unless its metric says otherwise; older, it is not known.
    /// 90; none for any age.
    #[serde(default = "quarter")]
    pub max_age_days: Option<u32>,
    /// The least score of each grade.
    #[serde(default)]
    pub grades: GradeThresholds,
    /// A change of more points than this is a trend. 5.
    #[serde(default = "five")]
    pub trend_over: u32,
    /// From where on something is remarkable.
    #[serde(default)]
    pub thresholds: HealthThresholds,
}

const fn exact() -> HealthFormula {
    HealthFormula::Exact
}

const fn half() -> f64 {
    0.5
}

#[expect(clippy::unnecessary_wraps, reason = "the default of a field that may be none")]
const fn quarter() -> Option<u32> {
    Some(90)
}

const fn five() -> u32 {
    5
}

impl Default for GradeThresholds {
    fn default() -> Self {
        Self { a: 80, b: 60, c: 40, d: 20 }
    }
}

impl Default for HealthThresholds {
    fn default() -> Self {
        Self {
            component_below: 40,
            days_without_login_over: 7.0,
            open_tickets_over: 3.0,
            nps_at_most: 6.0,
            adoption_below: 0.5,
            nps_at_least: 9.0,
            growth_over: 0.7,
            usage_over: 0.8,
            drop_over: 15,
        }
    }
}

impl HealthMetric {
    /// A figure that is better when higher: all points from `ideal` on.
    #[must_use]
    pub fn higher(name: impl Into<String>, ideal: f64, weight: f64) -> Self {
        let (direction, worst, max_age_days) = (MetricDirection::Higher, None, None);
        Self { name: name.into(), direction, ideal, worst, weight, max_age_days }
    }

    /// A figure that is better when lower: all points up to `ideal`, none from `worst` on.
    #[must_use]
    pub fn lower(name: impl Into<String>, ideal: f64, worst: f64, weight: f64) -> Self {
        let (direction, worst, max_age_days) = (MetricDirection::Lower, Some(worst), None);
        Self { name: name.into(), direction, ideal, worst, weight, max_age_days }
    }

    /// One that may be so many days old.
    #[must_use]
    pub const fn max_age(mut self, days: u32) -> Self {
        self.max_age_days = Some(days);
        self
    }
}

impl HealthComponent {
    /// A component without metrics yet.
    #[must_use]
    pub fn new(name: impl Into<String>, weight: f64) -> Self {
        let (unknown, metrics) = (UnknownPolicy::Skip, Vec::new());
        Self { name: name.into(), weight, unknown, metrics }
    }

    /// With a further metric.
    #[must_use]
    pub fn metric(mut self, metric: HealthMetric) -> Self {
        self.metrics.push(metric);
        self
    }

    /// With another policy for what of it is not known.
    #[must_use]
    pub const fn unknown(mut self, policy: UnknownPolicy) -> Self {
        self.unknown = policy;
        self
    }
}

impl Default for HealthModel {
    fn default() -> Self {
        let component = |name, weight, metrics: [HealthMetric; 3]| HealthComponent {
            metrics: metrics.into(),
            ..HealthComponent::new(name, weight)
        };
        let (more, less) = (HealthMetric::higher, HealthMetric::lower);
        Self::of([
            component(
                "product_usage",
                0.30,
                [
                    more(names::DAU_MAU_RATIO, 0.5, 0.4),
                    more(names::FEATURE_ADOPTION, 0.7, 0.3),
                    more(names::CONVERSATIONS_PER_WEEK, 100.0, 0.3),
                ],
            ),
            component(
                "engagement",
                0.25,
                [
                    less(names::DAYS_SINCE_LAST_LOGIN, 1.0, 30.0, 0.4),
                    more(names::LOGINS_PER_WEEK, 5.0, 0.3),
                    more(names::FEATURES_USED_THIS_MONTH, 10.0, 0.3),
                ],
            ),
            component(
                "support",
                0.15,
                [
                    less(names::OPEN_TICKETS, 0.0, 5.0, 0.4),
                    more(names::AVG_CSAT, 5.0, 0.4),
                    less(names::ESCALATIONS, 0.0, 2.0, 0.2),
                ],
            ),
            component(
                "relationship",
                0.15,
                [
                    // A customer is asked every 90 days at the most.
                    more(names::NPS_SCORE, 10.0, 0.5).max_age(365),
                    more(names::MEETINGS_ATTENDED, 1.0, 0.3),
                    more(names::RESPONSES_TO_OUTREACH, 1.0, 0.2),
                ],
            ),
            component(
                "financial",
                0.15,
                [
                    more(names::PAYMENT_HEALTH, 1.0, 0.4),
                    more(names::GROWTH_POTENTIAL, 1.0, 0.3),
                    more(names::CONTRACT_LENGTH, 12.0, 0.3).max_age(365),
                ],
            ),
        ])
    }
}

impl HealthModel {
    /// A model of these components, with the usual thresholds.
    #[must_use]
    pub fn of(components: impl IntoIterator<Item = HealthComponent>) -> Self {
        Self {
            formula: HealthFormula::Exact,
            components: components.into_iter().collect(),
            min_coverage: half(),
            max_age_days: quarter(),
            grades: GradeThresholds::default(),
            trend_over: five(),
            thresholds: HealthThresholds::default(),
        }
    }

    /// The default table by the formula that was in use elsewhere before, for scores that are to
    /// stay comparable: see [`HealthFormula::SourceCompatible`]. A score is always given.
    ///
    /// ```
    /// use tenure::{Figures, HealthModel};
    /// use time::macros::datetime;
    ///
    /// let now = datetime!(2026-01-31 12:00 UTC);
    /// let health = HealthModel::source_compatible().score(&Figures::default(), now, None);
    /// assert_eq!(health.score, Some(19), "what is not known counts as zero");
    /// assert_eq!(HealthModel::default().score(&Figures::default(), now, None).score, None);
    /// ```
    #[must_use]
    pub fn source_compatible() -> Self {
        let formula = HealthFormula::SourceCompatible;
        Self { formula, min_coverage: 0.0, max_age_days: None, ..Self::default() }
    }

    /// Every metric, with the component that it belongs to.
    pub fn metrics(&self) -> impl Iterator<Item = (&HealthComponent, &HealthMetric)> {
        self.components.iter().flat_map(|it| it.metrics.iter().map(move |metric| (it, metric)))
    }

    /// How many days old the figure of this name may be; none for any age.
    #[must_use]
    pub fn max_age_of(&self, name: &str) -> Option<u32> {
        let metric = self.metrics().find(|(_, metric)| metric.name == name);
        metric.and_then(|(_, metric)| metric.max_age_days).or(self.max_age_days)
    }

    /// The grade of a score.
    ///
    /// ```
    /// # use tenure::{Grade, HealthModel};
    /// let grades = [100, 80, 79, 20, 19].map(|score| HealthModel::default().grade(score));
    /// assert_eq!(grades, [Grade::A, Grade::A, Grade::B, Grade::D, Grade::F]);
    /// ```
    #[must_use]
    pub const fn grade(&self, score: u32) -> Grade {
        let GradeThresholds { a, b, c, d } = self.grades;
        match score {
            _ if score >= a => Grade::A,
            _ if score >= b => Grade::B,
            _ if score >= c => Grade::C,
            _ if score >= d => Grade::D,
            _ => Grade::F,
        }
    }

    /// A hash of the whole model, 16 hexadecimal digits: equal models have equal ones, for ever.
    #[must_use]
    pub fn hash(&self) -> String {
        format!("{:016x}", mixed(fnv1a(to_json(self).into_bytes())))
    }
}
