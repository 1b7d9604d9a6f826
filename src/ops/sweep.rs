//! The sweep: by and by every customer is evaluated, and at once those of whom something was
//! recorded that should not wait.

use super::evaluation::{EvaluationReport, is_of_one};
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::evaluation::{EvaluationDue, EvaluationSweep, EvaluationSweepId};
use crate::domain::metric::LatestMetrics;
use crate::domain::pulse::Pulse;
use crate::error::{Error, Result};
use crate::store::query::Query;
use crate::tenure::Tenure;
use crate::tx::{Tx, View};
use time::{Duration, OffsetDateTime};

/// How many customers one transaction of the sweep takes.
const PAGE: usize = 100;
/// How many pages one tick takes: what is left is due at once.
const PAGES: usize = 100;

#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the methods are not general over the lifetime of their transaction"
)]
impl Tenure {
    /// Evaluates those whose evaluation is due, at most 10,000 of each sort. Returns what it came to.
    pub(super) fn evaluate_due(&self) -> Result<EvaluationReport> {
        let mut all = EvaluationReport::default();
        for _ in 0..PAGES {
            let due = self.read(|view| view.evaluations_due())?;
            for it in &due {
                all.add(&self.evaluate_waiting(it.id)?);
            }
            if due.len() < PAGE {
                break;
            }
        }
        for _ in 0..PAGES {
            let page = match self.write(|tx| tx.sweep_page()) {
                Err(error) if is_of_one(&error) => self.sweep_apart()?,
                page => page?,
            };
            let Some(page) = page else { break };
            all.add(&page);
        }
        Ok(all)
    }

    /// Evaluates a customer that waits for it, unless somebody else has done so.
    fn evaluate_waiting(&self, id: CustomerId) -> Result<EvaluationReport> {
        let mut report = EvaluationReport::default();
        let evaluated = self.write(|tx| {
            if tx.get::<EvaluationDue>(id)?.is_none() {
                return Ok(None);
            }
            if tx.get::<Customer>(id)?.is_some_and(|it| it.deleted_at.is_none()) {
                return tx.evaluate_briefly(id).map(Some);
            }
            tx.delete::<EvaluationDue>(id)?;
            Ok(None)
        });
        match evaluated {
            Ok(one) => one.iter().for_each(|one| report.count(one)),
            Err(error) if is_of_one(&error) => {
                self.write(|tx| tx.delete::<EvaluationDue>(id))?;
                report.fail(id, &error);
            }
            Err(error) => return Err(error),
        }
        Ok(report)
    }

    /// Goes on with the sweep where one customer stands in the way of the others of its page.
    fn sweep_apart(&self) -> Result<Option<EvaluationReport>> {
        let Some(sweep) = self.read(|view| view.sweep_now())? else { return Ok(None) };
        let (report, last) = self.evaluate_apart(sweep.after, PAGE)?;
        self.write(|tx| match tx.view().sweep_now()? {
            Some(now) if now.after == sweep.after => {
                tx.put(&EvaluationSweep { after: last, ..now })
            }
            // Another process went on meanwhile.
            _ => Ok(()),
        })?;
        Ok(Some(report))
    }
}

impl View<'_> {
    /// When customers are next to be evaluated by a tick.
    pub(crate) fn next_evaluation(&self) -> Result<Option<OffsetDateTime>> {
        let Some(every) = self.evaluated_every()? else { return Ok(None) };
        let waiting = self.first::<EvaluationDue>(Query::all())?.map(|it| it.since);
        let sweep = match self.get::<EvaluationSweep>(EvaluationSweepId::only())? {
            Some(sweep) => Some(sweep.due_at(every, self.now())),
            None => self.has_facts()?.then_some(self.now()),
        };
        Ok(waiting.into_iter().chain(sweep).min())
    }

    /// The sweep, if there is something to do of it now; one that begins, if its time has come.
    fn sweep_now(&self) -> Result<Option<EvaluationSweep>> {
        let Some(every) = self.evaluated_every()? else { return Ok(None) };
        let begins = || EvaluationSweep::begin(self.now());
        match self.get::<EvaluationSweep>(EvaluationSweepId::only())? {
            None => Ok(self.has_facts()?.then(begins)),
            Some(sweep) if sweep.due_at(every, self.now()) > self.now() => Ok(None),
            Some(sweep) if sweep.after.is_some() => Ok(Some(sweep)),
            Some(_) => Ok(Some(begins())),
        }
    }

    /// Whether anything was ever recorded that an evaluation looks at, beside what customers buy.
    fn has_facts(&self) -> Result<bool> {
        Ok(self.first::<LatestMetrics>(Query::all())?.is_some()
            || self.first::<Pulse>(Query::all())?.is_some()
            || self.first::<EvaluationDue>(Query::all())?.is_some())
    }

    fn evaluations_due(&self) -> Result<Vec<EvaluationDue>> {
        match self.evaluated_every()? {
            Some(_) => self.find(&Query::all().limit(PAGE)),
            None => Ok(Vec::new()),
        }
    }

    fn evaluated_every(&self) -> Result<Option<Duration>> {
        match self.config().evaluate_every {
            Some(every) if !every.is_positive() => {
                let rule = "must be more than nothing";
                Err(Error::invalid("evaluateEvery", &every.to_string(), rule))
            }
            every => Ok(every),
        }
    }
}

impl Tx<'_> {
    /// Evaluates the next page of the sweep; none if there is nothing to do of it now.
    fn sweep_page(&mut self) -> Result<Option<EvaluationReport>> {
        let Some(sweep) = self.view().sweep_now()? else { return Ok(None) };
        let (report, last) = self.evaluate_after(sweep.after, PAGE)?;
        self.put(&EvaluationSweep { after: last, ..sweep })?;
        Ok(Some(report))
    }

    /// Lets the next tick evaluate a customer, of whom something was recorded that should not wait.
    pub(crate) fn evaluate_soon(&mut self, customer: CustomerId) -> Result<()> {
        if self.config().evaluate_every.is_some() {
            self.insert(&EvaluationDue { id: customer, since: self.now() })?;
        }
        Ok(())
    }
}
