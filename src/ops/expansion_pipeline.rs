//! What could be sold to all customers together, or to those of one person.

use crate::domain::expansion::{
    ExpansionOpportunity, OpportunityKind, OpportunityStatus, OpportunityTiming,
};
use crate::domain::measured::{Measured, Method, Severity, Unit};
use crate::domain::money::Money;
use crate::domain::user::UserId;
use crate::error::{Error, Result};
use crate::page::{Cursor, Page, check_limit};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use serde::Serialize;
use std::collections::BTreeMap;

const OPEN_FOR: Col = <ExpansionOpportunity as Stored>::TABLE.col("open_for");
const CSM: Col = <ExpansionOpportunity as Stored>::TABLE.col("csm_id");
const STATUS: Col = <ExpansionOpportunity as Stored>::TABLE.col("status");
const PROBABILITY: Col = <ExpansionOpportunity as Stored>::TABLE.col("probability");

/// What some opportunities would bring together.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PipelineSum {
    /// How many there are.
    pub count: u64,
    /// How many of them have no estimated value, and so are in no sum.
    pub without_value: u64,
    /// What the others would bring in a month, one sum for each currency, by its code.
    pub value: Vec<Money>,
    /// The same sums, in that order, as figures with their proof.
    pub proof: Vec<Measured>,
}

const SUM: Method = Method {
    name: "monthly value of the open opportunities of one currency",
    formula: "Σ estimated value, minor units; not weighed by probability",
};

impl PipelineSum {
    fn add(&mut self, opportunity: &ExpansionOpportunity) -> Result<()> {
        self.count = self.count.saturating_add(1);
        let Some(value) = opportunity.estimated_value else {
            self.without_value = self.without_value.saturating_add(1);
            return Ok(());
        };
        let code = value.currency.code();
        let place = match self.value.binary_search_by_key(&code, |it| it.currency.code()) {
            Ok(place) => {
                if let Some(sum) = self.value.get_mut(place) {
                    let more = sum.checked_add(value);
                    *sum = more.ok_or(Error::Overflow("value of the pipeline"))?;
                }
                place
            }
            Err(place) => {
                self.value.insert(place, value);
                let nothing = Measured::new(None, Unit::Money, SUM, 0);
                let nothing = nothing.from_records("expansion opportunities", 0, None);
                self.proof.insert(place, nothing);
                place
            }
        };
        if let (Some(sum), Some(proof)) = (self.value.get(place), self.proof.get_mut(place)) {
            #[expect(clippy::cast_precision_loss, reason = "`value` is exact")]
            let amount = sum.amount as f64;
            proof.value = Some(amount);
            proof.sample_size = proof.sample_size.saturating_add(1);
            for source in &mut proof.sources {
                source.records = proof.sample_size;
                source.latest = source.latest.max(Some(opportunity.updated_at));
            }
        }
        Ok(())
    }

    /// Says of every sum what it leaves out.
    fn finish(&mut self) {
        let (missing, count) = (self.without_value, self.count);
        if missing > 0 {
            let message = format!("{missing} of {count} opportunities have no estimated value");
            let warned =
                |it: Measured| it.warned("without_value", Severity::Warning, message.as_str());
            self.proof = std::mem::take(&mut self.proof).into_iter().map(warned).collect();
        }
    }
}

/// What could be sold: all that is open.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ExpansionPipeline {
    /// All of it.
    pub total: PipelineSum,
    /// By what could be sold; kinds of which there is none are left out.
    pub by_kind: BTreeMap<OpportunityKind, PipelineSum>,
    /// By when to offer it.
    pub by_timing: BTreeMap<OpportunityTiming, PipelineSum>,
    /// The opportunities, the most probable first, a page of them.
    pub opportunities: Page<ExpansionOpportunity>,
}

impl View<'_> {
    /// What could be sold to the customers that `csm` looks after, or to all: the sums of everything
    /// that is open, and one page of it, the most probable first.
    ///
    /// ```
    /// use tenure::Tenure;
    /// use tenure::store::memory::MemoryStore;
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let pipeline = tenure.read(|view| view.expansion_pipeline(None, 10, None))?;
    /// assert_eq!((pipeline.total.count, pipeline.opportunities.next), (0, None));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such user; [`Error::Invalid`] when `limit` is not
    /// 1–1,000; [`Error::Overflow`] when a sum does not fit.
    pub fn expansion_pipeline(
        &self,
        csm: Option<UserId>,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<ExpansionPipeline> {
        check_limit(limit)?;
        let mut open = Query::all().eq(STATUS, &OpportunityStatus::Open);
        if let Some(csm) = csm {
            self.user(csm)?;
            open = open.eq(CSM, &Some(csm));
        }
        // What a deleted customer could buy is open, but not to be found.
        let open = open.filter(OPEN_FOR, Op::Ne, &None::<uuid::Uuid>).newest_by(PROBABILITY);
        let mut pipeline = ExpansionPipeline {
            total: PipelineSum::default(),
            by_kind: BTreeMap::new(),
            by_timing: BTreeMap::new(),
            opportunities: self.page(open.clone(), limit, cursor)?,
        };
        self.each::<ExpansionOpportunity>(open, |opportunity| {
            pipeline.total.add(&opportunity)?;
            pipeline.by_kind.entry(opportunity.kind).or_default().add(&opportunity)?;
            pipeline.by_timing.entry(opportunity.timing).or_default().add(&opportunity)
        })?;
        let parts = pipeline.by_kind.values_mut().chain(pipeline.by_timing.values_mut());
        for sum in parts.chain([&mut pipeline.total]) {
            sum.finish();
        }
        Ok(pipeline)
    }
}
