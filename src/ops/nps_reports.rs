//! Scores with their proof, and comparisons between two.

use crate::domain::nps::{
    NpsComparison, NpsPopulation, NpsQuery, NpsReport, NpsResponse, NpsSurvey, Surveyed, Tally,
    check_comparable, compared, reading, report, tallies,
};
use crate::error::Result;
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use time::OffsetDateTime;

const SUBMITTED_AT: Col = <NpsResponse as Stored>::TABLE.col("submitted_at");
const PLAN: Col = <NpsResponse as Stored>::TABLE.col("plan");
const CUSTOMER: Col = <NpsResponse as Stored>::TABLE.col("customer_id");
const SENT_AT: Col = <NpsSurvey as Stored>::TABLE.col("sent_at");
const SURVEYED: Col = <NpsSurvey as Stored>::TABLE.col("customer_id");

impl View<'_> {
    /// The net promoter score of a period (or of an [`NpsQuery`], which can name a plan or a
    /// customer) with its proof: interval, response rate, six months' trend, what promoters and
    /// detractors speak of, what stands against relying on it, and the change against the period
    /// before. Below 30 answers it is marked as insufficient; without answers there is none.
    ///
    /// It reads every answer and survey of the period and of the six months before.
    ///
    /// ```
    /// use tenure::domain::{calendar::PeriodType, period::Period, zone::TimeZone};
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, NpsResponseDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let report = tenure.write(|tx| {
    ///     for (name, score) in [("Acme", 10), ("Globex", 9), ("Initech", 7), ("Hooli", 2)] {
    ///         let customer = tx.create_customer(&CustomerDraft::named(name))?.id;
    ///         tx.record_nps_response(&NpsResponseDraft::of(customer, score))?;
    ///     }
    ///     let month = Period::of_calendar(PeriodType::Month, tx.now(), TimeZone::UTC);
    ///     tx.view().nps(month.expect("this century"))
    /// })?;
    /// assert_eq!(report.nps.value, Some(25.0));
    /// assert!(!report.nps.is_reliable(), "of four answers nothing is claimed");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound) when the population is a customer that there is
    /// not.
    pub fn nps(&self, query: impl Into<NpsQuery>) -> Result<NpsReport> {
        let query = query.into();
        if let NpsPopulation::Customer(id) = query.population {
            self.customer(id)?;
        }
        let mut found = tallies(query.clone());
        let (start, end) = reading(&found);
        self.each_response(&query.population, start, end, |response| {
            found.add(&response);
            Ok(())
        })?;
        Ok(report(found, &self.surveyed(&query)?))
    }

    /// Hands the answers of a period (or of an [`NpsQuery`]), oldest first, to `take`: the records
    /// behind every figure of [`nps`](Self::nps), read a page at a time. [`NpsResponse::csv`] makes
    /// lines of them, under [`NpsResponse::csv_header`].
    ///
    /// ```
    /// use tenure::domain::period::Period;
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, NpsResponse, NpsResponseDraft, Tenure};
    /// use time::Duration;
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let mut lines = vec![NpsResponse::csv_header()];
    /// tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.record_nps_response(&NpsResponseDraft::of(acme, 9).feedback("Quick, and kind"))?;
    ///     let today = Period::new(tx.now() - Duration::DAY, tx.now() + Duration::DAY);
    ///     tx.view().each_nps_response(today.expect("two days"), |it| {
    ///         lines.push(it.csv());
    ///         Ok(())
    ///     })
    /// })?;
    /// assert!(lines[1].contains("\"Quick, and kind\""));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own, and whatever `take` answers.
    pub fn each_nps_response(
        &self,
        query: impl Into<NpsQuery>,
        take: impl FnMut(NpsResponse) -> Result<()>,
    ) -> Result<()> {
        let query = query.into();
        self.each_response(&query.population, query.period.start(), query.period.end(), take)
    }

    /// Whether a score differs from that of an earlier period by more than chance explains: a test
    /// of pairs if the same people answered both times, each once, else of independent samples. With
    /// fewer than 30 answers on either side nothing is claimed.
    ///
    /// Two months, quarters or years of the calendar (UTC) count as equally long.
    ///
    /// ```
    /// use tenure::domain::period::Period;
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Error, NpsResponseDraft, NpsVerdict, Tenure};
    /// use time::{Duration, macros::datetime};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let days = |start, days| Period::new(start, start + Duration::days(days)).expect("not empty");
    /// let (may, june) = (datetime!(2025-05-01 0:00 UTC), datetime!(2025-06-01 0:00 UTC));
    /// let compared = tenure.read(|view| view.compare_nps(days(may, 30), days(june, 30)))?;
    /// assert_eq!(compared.verdict, NpsVerdict::Insufficient);
    /// let unlike = tenure.read(|view| view.compare_nps(days(may, 30), days(june, 7)));
    /// assert_eq!(unlike.unwrap_err().faults()[0].field, "period");
    /// # Ok::<_, Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`](crate::Error::Invalid) when the periods are not equally long, the later one
    /// does not follow the earlier, or the populations differ: it says which;
    /// [`Error::NotFound`](crate::Error::NotFound).
    pub fn compare_nps(
        &self,
        before: impl Into<NpsQuery>,
        after: impl Into<NpsQuery>,
    ) -> Result<NpsComparison> {
        let (before, after) = (before.into(), after.into());
        check_comparable(&before, &after)?;
        if let NpsPopulation::Customer(id) = before.population {
            self.customer(id)?;
        }
        let (first, second) = (self.answers(&before)?, self.answers(&after)?);
        Ok(compared((before, &first), (after, &second)))
    }

    fn answers(&self, query: &NpsQuery) -> Result<Tally> {
        let (mut tally, period) = (Tally::default(), query.period);
        self.each_response(&query.population, period.start(), period.end(), |response| {
            tally.add(&response);
            Ok(())
        })?;
        Ok(tally)
    }

    fn each_response(
        &self,
        population: &NpsPopulation,
        start: OffsetDateTime,
        end: OffsetDateTime,
        take: impl FnMut(NpsResponse) -> Result<()>,
    ) -> Result<()> {
        let query = Query::all().filter(SUBMITTED_AT, Op::Ge, &start);
        let query = query.filter(SUBMITTED_AT, Op::Lt, &end).oldest_by(SUBMITTED_AT);
        let query = match population {
            NpsPopulation::Everyone => query,
            NpsPopulation::Plan(plan) => query.eq(PLAN, plan),
            NpsPopulation::Customer(id) => query.eq(CUSTOMER, id),
        };
        self.each(query, take)
    }

    /// The surveys that were sent in a period.
    fn surveyed(&self, query: &NpsQuery) -> Result<Surveyed> {
        let (period, population) = (query.period, &query.population);
        let sent = Query::all().filter(SENT_AT, Op::Ge, &period.start());
        let sent = sent.filter(SENT_AT, Op::Lt, &period.end()).oldest_by(SENT_AT);
        let sent = match population {
            NpsPopulation::Customer(id) => sent.eq(SURVEYED, id),
            NpsPopulation::Everyone | NpsPopulation::Plan(_) => sent,
        };
        let mut surveyed = Surveyed::default();
        self.each(sent, |survey: NpsSurvey| {
            if !matches!(population, NpsPopulation::Plan(plan) if *plan != survey.metadata.plan) {
                surveyed.add(&survey);
            }
            Ok(())
        })?;
        Ok(surveyed)
    }
}
