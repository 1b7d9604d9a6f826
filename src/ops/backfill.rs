//! Backfill: history, onboarded at bulk speed.

use crate::domain::onboarding::{BackfillProgress, LinkStatus, Onboard, Onboarded};
use crate::error::Result;
use crate::tenure::Tenure;

/// How many rows share a transaction.
const BATCH: usize = 250;

/// What became of one row of a backfill.
#[derive(Debug)]
#[non_exhaustive]
pub struct BackfillReport<'r> {
    /// The row, counted from 0.
    pub row: usize,
    /// What it asked for.
    pub request: &'r Onboard,
    /// What it led to, or why it was refused.
    pub outcome: Result<Onboarded>,
    /// How the backfill is going, this row included.
    pub progress: BackfillProgress,
}

impl Tenure {
    /// Onboards a stream of organisations, many in one transaction, and hands the outcome of each
    /// to `report` once it is durable, in order. A row that is refused does not keep the others
    /// from being onboarded. Running it again finds everything already linked.
    ///
    /// # Errors
    ///
    /// The store's own, when it is unavailable; what was reported is done.
    pub fn backfill(
        &self,
        requests: impl IntoIterator<Item = Onboard>,
        mut report: impl FnMut(BackfillReport<'_>),
    ) -> Result<BackfillProgress> {
        let mut progress = BackfillProgress::default();
        let mut requests = requests.into_iter();
        loop {
            let batch: Vec<Onboard> = requests.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(progress);
            }
            for (request, outcome) in batch.iter().zip(self.backfill_batch(&batch)?) {
                let row = progress.rows;
                progress.count(&outcome);
                report(BackfillReport { row, request, outcome, progress });
            }
        }
    }

    /// A batch in one transaction; if a row of it is refused, each row in its own.
    fn backfill_batch(&self, batch: &[Onboard]) -> Result<Vec<Result<Onboarded>>> {
        let pays =
            |it: &Onboard| it.checkout_session_id.is_some() || it.stripe_subscription_id.is_some();
        if !batch.iter().any(pays) {
            let together = self.write(|tx| {
                batch.iter().map(|request| tx.onboard(request)).collect::<Result<Vec<_>>>()
            });
            if let Ok(outcomes) = together {
                return Ok(outcomes.into_iter().map(Ok).collect());
            }
        }
        let mut outcomes = Vec::with_capacity(batch.len());
        for request in batch {
            match self.onboard(request) {
                Err(error) if error.is_retryable() => return Err(error),
                outcome => outcomes.push(outcome),
            }
        }
        Ok(outcomes)
    }
}

impl BackfillProgress {
    fn count(&mut self, outcome: &Result<Onboarded>) {
        let counter = match outcome.as_ref().map(|it| it.link_status) {
            Ok(LinkStatus::Created) => &mut self.created,
            Ok(LinkStatus::Linked) => &mut self.linked,
            Ok(LinkStatus::AlreadyLinked) => &mut self.already_linked,
            Err(_) => &mut self.failed,
        };
        *counter = counter.saturating_add(1);
        self.rows = self.rows.saturating_add(1);
    }
}
