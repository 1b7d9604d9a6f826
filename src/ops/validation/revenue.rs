//! Churn and cohorts, counted again from the ledger of revenue and from what was done.

use super::raw::Raw;
use super::wide;
use crate::domain::cohort::{CalendarMonth, CohortBy, CohortReport};
use crate::domain::mrr::{MrrKind, MrrMovement, Paid, paid_times};
use crate::domain::period::Period;
use crate::domain::statistics::real;
use crate::domain::validation::{Check, Comparison, check_churn, check_cohorts};
use crate::error::Result;
use crate::tx::View;
use std::collections::{BTreeMap, BTreeSet};

/// What customers brought in one currency at both ends of a period, added up by definition.
#[derive(Default)]
struct Recount {
    start: i128,
    end: i128,
    /// Of those at the start whom no reset touched.
    base: i128,
    kept: i128,
    capped: i128,
    logos: u64,
    lost: u64,
}

impl View<'_> {
    /// The last month that is over: reported from what is paid now, back through the movements;
    /// counted again from the first movement on.
    pub(super) fn churn_check(&self) -> Result<Check> {
        let month = CalendarMonth::last_full(self.now());
        let (Some(start), Some(end)) = (month.start(), month.next().start()) else {
            return Ok(check_churn(Vec::new()));
        };
        let Ok(period) = Period::new(start, end) else { return Ok(check_churn(Vec::new())) };
        let mut recounts: BTreeMap<&'static str, Recount> = BTreeMap::new();
        self.each_ledger(|movements| {
            recount(&mut recounts, movements, period);
            Ok(())
        })?;
        let report = self.revenue(period, None)?;
        let mut figures = Vec::new();
        for found in &report.currencies {
            let code = found.currency.code();
            let known = recounts.remove(code).unwrap_or_default();
            let part = |part: i128, whole: i128| (whole > 0).then(|| wide(part) / wide(whole));
            let logos = (i128::from(known.lost), i128::from(known.logos));
            let pairs = [
                ("start", Some(wide(found.changes.start.amount)), Some(wide(known.start))),
                ("end", found.mrr.value, Some(wide(known.end))),
                ("GRR", found.grr.value, part(known.capped, known.base)),
                ("NRR", found.nrr.value, part(known.kept, known.base)),
                ("logo churn", found.logo_churn.value, part(logos.0, logos.1)),
                ("unreconciled", Some(wide(found.difference)), Some(0.0)),
            ];
            let named = |(name, reported, recounted)| {
                Comparison::of(format!("{name} {code} {month}"), reported, recounted)
            };
            figures.extend(pairs.map(named));
        }
        // What the report does not know of at all.
        for (code, known) in recounts {
            figures.push(Comparison::of(
                format!("end {code} {month}"),
                None,
                Some(wide(known.end)),
            ));
        }
        Ok(check_churn(figures))
    }

    /// Cohorts by first subscription: reported from what is known of each customer; sizes and the
    /// first months counted again from the movements alone. By first activity: reported from the
    /// days that were added up; sizes counted again from the activities.
    pub(super) fn cohort_check(&self, raw: &Raw) -> Result<Check> {
        let report = self.cohorts(CohortBy::FirstSubscription)?;
        let mut population = 0_u64;
        // By month: how many began, and how many of them paid in the next.
        let mut months: BTreeMap<CalendarMonth, (u64, u64)> = BTreeMap::new();
        self.each_ledger(|movements| {
            let gains = movements.iter().filter(|it| it.amount.amount > 0);
            let Some(begun) = gains.map(|it| it.effective_at).min() else { return Ok(()) };
            population = population.saturating_add(1);
            let month = CalendarMonth::at(begun);
            let (size, kept) = months.entry(month).or_default();
            *size = size.saturating_add(1);
            let (from, to) = (month.next().start(), month.next().next().start());
            let paid = |(begun, ended): &Paid| {
                to.is_none_or(|to| *begun < to)
                    && from.is_some_and(|from| {
                        *begun >= from || ended.is_none_or(|ended| ended > from)
                    })
            };
            *kept = kept.saturating_add(paid_times(movements).iter().any(paid).into());
            Ok(())
        })?;
        let pair = |name: String, reported: Option<u64>, recounted: Option<u64>| {
            Comparison::of(name, reported.map(real), recounted.map(real))
        };
        let mut figures = Vec::new();
        if population > 0 || report.population > 0 {
            figures.push(pair("population".into(), Some(report.population), Some(population)));
        }
        for cohort in &report.cohorts {
            let known = months.get(&cohort.month);
            figures.push(pair(
                format!("size of {}", cohort.month),
                Some(cohort.size),
                known.map(|(size, _)| *size),
            ));
            if let Some(next) = cohort.active.get(1) {
                figures.push(pair(
                    format!("first month of {}", cohort.month),
                    Some(*next),
                    known.map(|(_, kept)| *kept),
                ));
            }
        }
        let active = self.cohorts(CohortBy::FirstActivity)?;
        figures.extend(beginnings(&active, &raw.began));
        Ok(check_cohorts(figures))
    }
}

/// Cohorts by first activity beside the months in which customers did something first.
fn beginnings(
    report: &CohortReport,
    began: &BTreeMap<CalendarMonth, u64>,
) -> impl Iterator<Item = Comparison> {
    let sizes: BTreeMap<_, _> = report.cohorts.iter().map(|it| (it.month, it.size)).collect();
    let over = began.iter().filter(|(month, _)| **month <= report.last_full_month);
    let over: BTreeMap<_, _> = over.map(|(month, size)| (*month, *size)).collect();
    let months: BTreeSet<_> = sizes.keys().chain(over.keys()).copied().collect();
    let everybody = began.values().fold(0, |sum: u64, it| sum.saturating_add(*it));
    let all = (report.population > 0 || everybody > 0).then(|| {
        let (reported, recounted) = (Some(real(report.population)), Some(real(everybody)));
        Comparison::of("customers that were ever active", reported, recounted)
    });
    let size = move |month: CalendarMonth| {
        let of = |sizes: &BTreeMap<_, u64>| sizes.get(&month).map(|size| real(*size));
        Comparison::of(format!("active first in {month}"), of(&sizes), of(&over))
    };
    all.into_iter().chain(months.into_iter().map(size))
}

/// Adds a customer, whose movements these are from the first on.
fn recount(into: &mut BTreeMap<&'static str, Recount>, movements: &[MrrMovement], period: Period) {
    let mut books: BTreeMap<&'static str, (i128, i128, bool)> = BTreeMap::new();
    for it in movements.iter().filter(|it| it.at < period.end()) {
        let (start, end, reset) = books.entry(it.amount.currency.code()).or_default();
        let amount = i128::from(it.amount.amount);
        *end = end.saturating_add(amount);
        if it.at < period.start() {
            *start = start.saturating_add(amount);
        } else {
            *reset |= it.kind == MrrKind::Reset;
        }
    }
    for (code, (start, end, reset)) in books {
        let sum = into.entry(code).or_default();
        sum.start = sum.start.saturating_add(start);
        sum.end = sum.end.saturating_add(end);
        if start > 0 && !reset {
            sum.base = sum.base.saturating_add(start);
            sum.kept = sum.kept.saturating_add(end);
            sum.capped = sum.capped.saturating_add(start.min(end));
            sum.logos = sum.logos.saturating_add(1);
            sum.lost = sum.lost.saturating_add((end == 0).into());
        }
    }
}
