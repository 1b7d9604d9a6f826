//! Validation: what is reported, counted again from raw records on another way.

use crate::domain::cohort::{CalendarMonth, CohortBy};
use crate::domain::contact::Contact;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::money::Currency;
use crate::domain::mrr::{CustomerRevenue, MrrKind, MrrMovement, Paid, paid_times};
use crate::domain::period::Period;
use crate::domain::statistics::real;
use crate::domain::subscription::Subscription;
use crate::domain::validation::{
    Check, Comparison, SourceFreshness, Validation, check_churn, check_cohorts, check_health,
    check_nps, check_reconciliation, check_retention, check_sources, check_surveys,
};
use crate::error::Result;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use std::collections::BTreeMap;

const CREATED_AT: Col = <Customer as Stored>::TABLE.col("created_at");
const AT: Col = <MrrMovement as Stored>::TABLE.col("at");
const REVENUE: Col = <CustomerRevenue as Stored>::TABLE.col("id");
const SUBSCRIBER: Col = <Subscription as Stored>::TABLE.col("customer_id");

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

/// What each source says that everybody brings now, in one currency.
#[derive(Default)]
struct Totals {
    subscriptions: i128,
    ledger: i128,
    known: i128,
}

impl View<'_> {
    /// How old the newest record of each source is: customers, contacts, subscriptions and movements
    /// of revenue.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn data_freshness(&self) -> Result<Vec<SourceFreshness>> {
        let customer = self.first::<Customer>(Query::all().newest_by(CREATED_AT))?;
        // Their ids begin with the instant at which they were made.
        let contact = self.first::<Contact>(Query::all().newest())?;
        let subscription = self.first::<Subscription>(Query::all().newest())?;
        let movement = self.first::<MrrMovement>(Query::all().newest_by(AT))?;
        let sources = [
            ("customers", customer.map(|it| it.created_at)),
            ("contacts", contact.map(|it| it.created_at)),
            ("subscriptions", subscription.map(|it| it.created_at)),
            ("mrr movements", movement.map(|it| it.at)),
        ];
        let limits = &self.config().evidence;
        let fresh = |(name, latest)| SourceFreshness::of(name, latest, self.now(), limits);
        Ok(sources.into_iter().map(fresh).collect())
    }

    /// Whether what is reported is true: eight checks, each of which counts again from the raw
    /// records and on another way than the reports do. Nothing is changed. It reads the whole org,
    /// all usage included, a page at a time.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?;
    /// let validation = tenure.read(|view| view.validate_metrics())?;
    /// assert!(validation.passed && validation.checks.len() == 8);
    /// assert_eq!(validation.discrepancies, 0);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn validate_metrics(&self) -> Result<Validation> {
        let (freshness, limits) = (self.data_freshness()?, &self.config().evidence);
        let (reconciliation, discrepancies) = self.reconciliation_check()?;
        let checks = vec![
            check_nps(None),
            self.churn_check()?,
            check_sources(&freshness),
            self.cohort_check()?,
            check_retention(Vec::new()),
            check_health(None, None, Vec::new(), self.now(), limits),
            check_surveys(0, 0, limits),
            reconciliation,
        ];
        Ok(Validation::of(checks, freshness, discrepancies, self.now()))
    }

    /// The last month that is over: reported from what is paid now, back through the movements;
    /// counted again from the first movement on.
    fn churn_check(&self) -> Result<Check> {
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
    /// first months counted again from the movements alone.
    fn cohort_check(&self) -> Result<Check> {
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
        Ok(check_cohorts(figures))
    }

    /// Revenue by the subscriptions, by the movements and by what is known of each customer; usage
    /// by its counters and by its events. Also how many discrepancies there are.
    fn reconciliation_check(&self) -> Result<(Check, u64)> {
        let mut totals: BTreeMap<&'static str, Totals> = BTreeMap::new();
        let mut discrepancies = 0_u64;
        self.each_customer_page(|view, page| {
            let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(()) };
            let (first, last) = (first.id, last.id);
            let mut sources: BTreeMap<(CustomerId, &'static str), Totals> = BTreeMap::new();
            let entry = |customer: CustomerId, currency: Currency| (customer, currency.code());
            for it in view.of_customers::<Subscription>(SUBSCRIBER, first, last)? {
                if let Some(mrr) = it.recurring_revenue() {
                    let sum = sources.entry(entry(it.customer_id, mrr.currency)).or_default();
                    sum.subscriptions = sum.subscriptions.saturating_add(mrr.amount.into());
                }
            }
            for it in view.movements_between(first, last)? {
                let sum = sources.entry(entry(it.customer_id, it.amount.currency)).or_default();
                sum.ledger = sum.ledger.saturating_add(it.amount.amount.into());
            }
            for state in view.of_customers::<CustomerRevenue>(REVENUE, first, last)? {
                for mrr in &state.mrr {
                    let sum = sources.entry(entry(state.id, mrr.currency)).or_default();
                    sum.known = sum.known.saturating_add(mrr.amount.into());
                }
            }
            for ((_, code), it) in sources {
                let differs = it.ledger != it.subscriptions || it.ledger != it.known;
                discrepancies = discrepancies.saturating_add(differs.into());
                let total = totals.entry(code).or_default();
                total.subscriptions = total.subscriptions.saturating_add(it.subscriptions);
                total.ledger = total.ledger.saturating_add(it.ledger);
                total.known = total.known.saturating_add(it.known);
            }
            Ok(())
        })?;
        let usage = self.verify_usage(|_| ())?;
        let differences = u64::try_from(usage.differences).unwrap_or(u64::MAX);
        discrepancies = discrepancies.saturating_add(differences);
        let mut figures = Vec::new();
        for (code, it) in totals {
            let ledger = Some(wide(it.ledger));
            let name = format!("MRR {code}: ledger, subscriptions");
            figures.push(Comparison::of(name, ledger, Some(wide(it.subscriptions))));
            let name = format!("MRR {code}: ledger, customers");
            figures.push(Comparison::of(name, ledger, Some(wide(it.known))));
        }
        if usage.meters > 0 {
            let meters = u64::try_from(usage.meters).unwrap_or(u64::MAX);
            let right = meters.saturating_sub(differences);
            let name = "meters that agree with their events";
            figures.push(Comparison::of(name, Some(real(meters)), Some(real(right))));
        }
        Ok((check_reconciliation(figures, discrepancies, &self.config().evidence), discrepancies))
    }
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

#[expect(clippy::cast_precision_loss, reason = "both sides of a comparison alike")]
const fn wide(amount: i128) -> f64 {
    amount as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::validation::CheckStatus;
    use crate::store::memory::MemoryStore;
    use crate::{
        BillingCycle, CustomerDraft, Money, NewSubscription, Subscription, Tenure, TierDraft, Tx,
    };
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use time::Month;
    use time::macros::datetime;

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is not general over the lifetime of its transaction"
    )]
    /// What validation finds, in the month after somebody subscribed, of records that were altered.
    fn found(alter: impl Fn(&mut Tx<'_>, CustomerId) -> Result<()>) -> (Vec<CheckStatus>, u64) {
        let is_later = Arc::new(AtomicBool::new(false));
        let shown = Arc::clone(&is_later);
        let now = move || {
            let month = if shown.load(Ordering::SeqCst) { Month::February } else { Month::January };
            datetime!(2026-01-10 12:00 UTC).replace_month(month).unwrap()
        };
        let tenure = Tenure::builder(MemoryStore::new()).clock(now).open().unwrap();
        let fee = Money::new(4_900, "EUR".parse().unwrap());
        tenure
            .write(|tx| {
                tx.define_tier(&TierDraft::new("pro").fee(fee, BillingCycle::Monthly))?;
                let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
                tx.add_subscription(acme, &NewSubscription::to("pro"))?;
                alter(tx, acme)
            })
            .unwrap();
        is_later.store(true, Ordering::SeqCst);
        let validation = tenure.read(|view| view.validate_metrics()).unwrap();
        let status = |name: &str| {
            let check = validation.checks.iter().find(|it| it.name == name);
            check.unwrap().status
        };
        let names = ["churn_calculation", "cohort_definitions", "reconciliation"];
        (names.map(status).to_vec(), validation.discrepancies)
    }

    #[test]
    fn records_that_disagree_are_found() {
        use CheckStatus::{Fail, Pass, Warning};
        assert_eq!(found(|_, _| Ok(())), (vec![Pass, Pass, Pass], 0));
        let known = found(|tx, acme| {
            let mut state = tx.require::<CustomerRevenue>(acme)?;
            state.mrr = vec![Money::new(5_000, "EUR".parse().unwrap())];
            tx.put(&state)
        });
        assert_eq!(known, (vec![Fail, Pass, Warning], 1));
        let dated = found(|tx, acme| {
            let mut state = tx.require::<CustomerRevenue>(acme)?;
            state.first_paid_at = datetime!(2025-12-10 12:00 UTC);
            tx.put(&state)
        });
        assert_eq!(dated, (vec![Pass, Fail, Pass], 0));
        let lost = found(|tx, _| {
            let movement = tx.view().first::<MrrMovement>(Query::all())?;
            movement.map_or(Ok(()), |it| tx.delete::<MrrMovement>(it.id).map(drop))
        });
        assert_eq!(lost, (vec![Fail, Fail, Warning], 1));
        let ended = found(|tx, acme| {
            let mut all = tx.view().subscriptions(acme)?;
            all.retain(|it| it.mrr.is_some());
            let mut paid: Subscription = all.remove(0);
            paid.mrr = None;
            tx.put(&paid)
        });
        assert_eq!(ended, (vec![Pass, Pass, Warning], 1));
    }
}
