//! What makes a model sound.

use super::exact::{VALUE_MAX, nanos};
use super::model::{
    HealthComponent, HealthFormula, HealthMetric, HealthModel, MetricDirection, UnknownPolicy,
};
use crate::domain::text::Code;
use crate::error::{Faults, Result};
use std::collections::BTreeSet;

/// The most components of a model, and metrics of a component.
const PARTS_MAX: usize = 64;
/// How far from 1 the weights of one level may add up.
const TOLERANCE: f64 = 1e-9;

impl HealthModel {
    /// Whether the model is sound.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`](crate::Error::Invalid) with every fault of it: weights that do not add up
    /// to 1 (to nine decimals), names that are no codes or come twice, an ideal that is negative or
    /// no number, a worst value that is not above it, thresholds out of order or range.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        count("components", self.components.len(), &mut faults);
        weights("components", self.components.iter().map(|it| it.weight), &mut faults);
        let (mut components, mut metrics) = (BTreeSet::new(), BTreeSet::new());
        for (place, component) in self.components.iter().enumerate() {
            let path = format!("components[{place}]");
            name(&path, &component.name, &mut components, &mut faults);
            self.check_component(&path, component, &mut metrics, &mut faults);
        }
        if !(0.0..=1.0).contains(&self.min_coverage) {
            faults.add("minCoverage", &self.min_coverage.to_string(), "must be 0–1");
        }
        age("maxAgeDays", self.max_age_days, &mut faults);
        let grades = self.grades;
        if !(100 >= grades.a && grades.a > grades.b && grades.b > grades.c && grades.c > grades.d) {
            let given = format!("{} {} {} {}", grades.a, grades.b, grades.c, grades.d);
            faults.add("grades", &given, "must descend from at most 100");
        }
        if self.trend_over > 100 {
            faults.add("trendOver", &self.trend_over.to_string(), "must be 0–100");
        }
        self.check_thresholds(&mut faults);
        faults.check()
    }

    fn check_component<'m>(
        &self,
        path: &str,
        component: &'m HealthComponent,
        names: &mut BTreeSet<&'m str>,
        faults: &mut Faults,
    ) {
        if let UnknownPolicy::Neutral(score) = component.unknown
            && score > 100
        {
            faults.add(format!("{path}.unknown"), &score.to_string(), "must be 0–100");
        }
        let metrics = format!("{path}.metrics");
        count(&metrics, component.metrics.len(), faults);
        weights(&metrics, component.metrics.iter().map(|it| it.weight), faults);
        for (place, metric) in component.metrics.iter().enumerate() {
            let path = format!("{metrics}[{place}]");
            name(&path, &metric.name, names, faults);
            age(&format!("{path}.maxAgeDays"), metric.max_age_days, faults);
            self.check_range(&path, metric, faults);
        }
    }

    fn check_range(&self, path: &str, metric: &HealthMetric, faults: &mut Faults) {
        let ideal = metric.ideal;
        if !(0.0..=VALUE_MAX).contains(&ideal) || ideal.is_sign_negative() {
            let rule = "must be 0 to a million millions";
            faults.add(format!("{path}.ideal"), &ideal.to_string(), rule);
        }
        let wants_worst = metric.direction == MetricDirection::Lower;
        let rule = match metric.worst {
            Some(_) if !wants_worst => "must not be given for what is better when higher",
            Some(worst) if !(worst <= VALUE_MAX && nanos(worst) > nanos(ideal)) => {
                "must be above the ideal, and at most a million millions"
            }
            None if wants_worst && self.formula == HealthFormula::Exact => {
                "is required for what is better when lower"
            }
            _ => return,
        };
        let given = metric.worst.map_or(String::new(), |worst| worst.to_string());
        faults.add(format!("{path}.worst"), &given, rule);
    }

    fn check_thresholds(&self, faults: &mut Faults) {
        let it = &self.thresholds;
        for (field, number) in [
            ("daysWithoutLoginOver", it.days_without_login_over),
            ("openTicketsOver", it.open_tickets_over),
            ("npsAtMost", it.nps_at_most),
            ("adoptionBelow", it.adoption_below),
            ("npsAtLeast", it.nps_at_least),
            ("growthOver", it.growth_over),
            ("usageOver", it.usage_over),
        ] {
            if !number.is_finite() {
                faults.add(format!("thresholds.{field}"), &number.to_string(), "must be a number");
            }
        }
        for (field, points) in [("componentBelow", it.component_below), ("dropOver", it.drop_over)]
        {
            if points > 100 {
                faults.add(format!("thresholds.{field}"), &points.to_string(), "must be 0–100");
            }
        }
    }
}

fn count(path: &str, parts: usize, faults: &mut Faults) {
    if !(1..=PARTS_MAX).contains(&parts) {
        faults.add(path, &parts.to_string(), "must be 1–64");
    }
}

fn name<'m>(path: &str, name: &'m str, names: &mut BTreeSet<&'m str>, faults: &mut Faults) {
    let path = format!("{path}.name");
    faults.note(&path, Code::parse(name));
    if !names.insert(name) {
        faults.add(path, name, "must be there once");
    }
}

fn age(path: &str, days: Option<u32>, faults: &mut Faults) {
    if days == Some(0) {
        faults.add(path, "0", "must be at least 1");
    }
}

/// Each weight by itself, and what they add up to if each is sound.
fn weights(path: &str, weights: impl Iterator<Item = f64>, faults: &mut Faults) {
    let (mut sum, mut sound, mut any) = (0.0, true, false);
    for (place, weight) in weights.enumerate() {
        any = true;
        sum += weight;
        if !(TOLERANCE..=1.0).contains(&weight) {
            sound = false;
            let path = format!("{path}[{place}].weight");
            faults.add(path, &weight.to_string(), "must be 0.000000001–1");
        }
    }
    // A float is off by its own error at the edge of the tolerance.
    let is_off = (sum - 1.0_f64).abs() > TOLERANCE * (1.0 + 1e-6);
    if any && sound && is_off {
        faults.add(path, &sum.to_string(), "must have weights that add up to 1");
    }
}
