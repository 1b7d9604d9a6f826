//! Engagement: of one customer in a period, and of those whom one user looks after.

use crate::domain::activity::{DailyActivity, first_of_month};
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::engagement::{
    Engagement, EngagementLevel, EngagementMetrics, EngagementPortfolio, MEAN_SCORE, days_before,
};
use crate::domain::measured::{Measured, Severity, Unit};
use crate::domain::period::Period;
use crate::domain::pulse::{day_of, midnight};
use crate::domain::ticket::SupportTicket;
use crate::domain::user::{User, UserId};
use crate::error::{Error, Result};
use crate::ops::cohorts::Counted;
use crate::ops::retention::DAY_CUSTOMER;
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use time::{Duration, OffsetDateTime};

const TICKET_CUSTOMER: Col = <SupportTicket as Stored>::TABLE.col("customer_id");
const OPENED_AT: Col = <SupportTicket as Stored>::TABLE.col("opened_at");
const DAY: Col = <DailyActivity as Stored>::TABLE.col("day");
const CSM: Col = <Customer as Stored>::TABLE.col("csm_id");
const DELETED_AT: Col = <Customer as Stored>::TABLE.col("deleted_at");

impl View<'_> {
    /// What a customer's people did on the UTC days that begin in `period`, against as many days
    /// before, and how much that is: 0–100. Days that are to come are empty.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::domain::period::Period;
    /// use tenure::{CustomerDraft, EngagementLevel, NewActivity, Tenure};
    /// use time::macros::datetime;
    ///
    /// let noon = datetime!(2026-01-31 12:00 UTC);
    /// let tenure = Tenure::builder(MemoryStore::new()).clock(move || noon).open()?;
    /// let january = Period::new(datetime!(2026-01-01 0:00 UTC), datetime!(2026-02-01 0:00 UTC));
    /// let january = january.expect("it ends later");
    /// let engagement = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
    ///     tx.record_activity(acme, &NewActivity::login("u_1"))?;
    ///     tx.view().engagement(acme, january)
    /// })?;
    /// assert_eq!((engagement.metrics.logins, engagement.metrics.active_users), (1, 1));
    /// assert_eq!(engagement.level, Some(EngagementLevel::Low));
    /// assert_eq!(engagement.change.logins, None, "there is nothing to compare with");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when no UTC day begins in `period`, or as many days
    /// before it are beyond the calendar.
    pub fn engagement(&self, customer: CustomerId, period: Period) -> Result<Engagement> {
        self.customer(customer)?;
        let before = days_before(period).map_err(Error::malformed("period"))?;
        Ok(self.engagement_of(customer, period, before)?.0)
    }

    /// Also which days of the period there are.
    fn engagement_of(
        &self,
        customer: CustomerId,
        period: Period,
        before: Period,
    ) -> Result<(Engagement, Counted)> {
        let both = Period::new(before.start(), period.end());
        let both = both.map_err(Error::malformed("period"))?;
        let (days, users) = self.activity_in(customer, both)?;
        let tickets = Query::all().eq(TICKET_CUSTOMER, &customer).oldest_by(OPENED_AT);
        let tickets = tickets.filter(OPENED_AT, Op::Ge, &both.start());
        let tickets = self.all(tickets.filter(OPENED_AT, Op::Lt, &both.end()))?;
        let of = |period| EngagementMetrics::of(period, &days, &users, &tickets);
        let is_known = !days.is_empty() || self.pulse(customer)?.last_activity_at.is_some();
        let mut counted = Counted::default();
        for day in days.iter().filter(|it| period.contains(it.day)) {
            counted.add(day.day);
        }
        Ok((Engagement::new(customer, period, (of(period), of(before)), is_known), counted))
    }

    /// How much the customers of a user, whose success it looks after, do with the product in the
    /// month so far (UTC): how many at each level, their mean score beside that of as many days
    /// before, and who is at risk because of low engagement. Customers are read one after the other.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{Tenure, UserDraft};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// let portfolio = tenure.write(|tx| {
    ///     let mia = tx.register_user("mia", &UserDraft::default().name("Mia"))?;
    ///     tx.view().engagement_portfolio(mia.id)
    /// })?;
    /// assert_eq!(portfolio.average.value, None, "of nobody there is no mean");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for a user that is not registered.
    pub fn engagement_portfolio(&self, csm: UserId) -> Result<EngagementPortfolio> {
        self.require::<User>(csm)?;
        let month = midnight(first_of_month(day_of(self.now())));
        let end = self.now().max(month.saturating_add(Duration::MICROSECOND));
        let period = Period::new(month, end).map_err(Error::malformed("period"))?;
        let before = days_before(period).map_err(Error::malformed("period"))?;
        let (mut levels, mut unknown, mut sum) = ([0_u64; 3], 0_u64, 0_u64);
        let (mut at_risk, mut all) = (Vec::new(), Counted::default());
        let (mut sum_before, mut known_before) = (0_u64, 0_u64);
        let customers = Query::all().filter(CSM, Op::Eq, &Some(csm));
        self.each(customers.eq(DELETED_AT, &None::<OffsetDateTime>), |customer: Customer| {
            let (engagement, days) = self.engagement_of(customer.id, period, before)?;
            all.merge(&days);
            let first = Query::all().eq(DAY_CUSTOMER, &customer.id).oldest_by(DAY);
            let first = self.first::<DailyActivity>(first)?;
            if first.is_some_and(|first| first.day < period.start()) {
                known_before = known_before.saturating_add(1);
                sum_before = sum_before.saturating_add(engagement.previous.score().into());
            }
            let (Some(score), Some(level)) = (engagement.score, engagement.level) else {
                unknown = unknown.saturating_add(1);
                return Ok(());
            };
            let of_level = match level {
                EngagementLevel::High => levels.first_mut(),
                EngagementLevel::Medium => levels.get_mut(1),
                EngagementLevel::Low => {
                    at_risk.push(customer.id);
                    levels.last_mut()
                }
            };
            if let Some(count) = of_level {
                *count = count.saturating_add(1);
            }
            sum = sum.saturating_add(score.into());
            Ok(())
        })?;
        let [high, medium, low] = levels;
        let scored = high.saturating_add(medium).saturating_add(low);
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let mean = (scored > 0).then(|| sum as f64 / scored as f64);
        let average = Measured::new(mean, Unit::Points, MEAN_SCORE, scored).over(period);
        let mut average = average
            .from_records("customers", scored.saturating_add(unknown), None)
            .from_records("daily activities", all.records, all.latest);
        if unknown > 0 {
            let message = format!("of {unknown} customers no activity was ever recorded");
            average = average.warned("not_scored", Severity::Warning, message);
        }
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let mean = (known_before > 0).then(|| sum_before as f64 / known_before as f64);
        let average_before = Measured::new(mean, Unit::Points, MEAN_SCORE, known_before);
        let average_before =
            average_before.over(before).from_records("customers", known_before, None);
        Ok(EngagementPortfolio {
            period,
            high,
            medium,
            low,
            unknown,
            at_risk,
            average,
            average_before,
        })
    }
}
