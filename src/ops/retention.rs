//! Retention of the n-th day, from what was done by day.

use crate::domain::activity::DailyActivity;
use crate::domain::cohort::{CalendarMonth, DayCount, DayRetention};
use crate::domain::measured::{Measured, Method, Unit};
use crate::domain::pulse::{day_of, midnight};
use crate::domain::statistics::proportion::wilson;
use crate::error::Result;
use crate::ops::cohorts::Counted;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use std::collections::BTreeSet;

pub(super) const DAY_CUSTOMER: Col = <DailyActivity as Stored>::TABLE.col("customer_id");

/// The days whose retention is validated.
pub(super) const DAYS: [u32; 2] = [7, 30];

const METHOD: Method = Method {
    name: "retention of the n-th day",
    formula: "customers with activity on the n-th day after that of their first activity ÷ customers \
              for whom that day is over; UTC days; Wilson 95 %",
};

impl View<'_> {
    /// Which share of customers did anything on the `nth` UTC day after that of their first
    /// activity, 0–1, of those for whom that day is over: with 7 and 30, the D7 and D30 retention.
    /// None while there is nobody for whom it is. Customers of whom no activity was recorded are not
    /// known to have begun, and do not count. Every day of every customer is read; memory is that of
    /// the days of one.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, NewActivity, Tenure};
    /// use time::macros::datetime;
    ///
    /// let now = datetime!(2026-01-31 12:00 UTC);
    /// let tenure = Tenure::builder(MemoryStore::new()).clock(move || now).open()?;
    /// let retention = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
    ///     for at in [datetime!(2026-01-10 9:00 UTC), datetime!(2026-01-17 20:00 UTC)] {
    ///         tx.record_activity(acme, &NewActivity::login("u_1").at(at))?;
    ///     }
    ///     Ok::<_, tenure::Error>([tx.view().day_retention(7)?, tx.view().day_retention(30)?])
    /// })?;
    /// assert_eq!(retention.map(|it| it.value), [Some(1.0), None]);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn day_retention(&self, nth: u32) -> Result<Measured> {
        let (mut found, mut all) = (DayRetention::default(), Counted::default());
        self.each_own(
            DAY_CUSTOMER,
            |it: &DailyActivity| it.customer_id,
            |own| {
                for it in own.iter() {
                    all.add(it.day);
                }
                let days: BTreeSet<i32> = own.iter().map(|it| day_of(it.day)).collect();
                if let Some(first) = days.first() {
                    let wanted = i32::try_from(nth).ok().and_then(|nth| first.checked_add(nth));
                    let there = wanted.filter(|it| days.contains(it)).map(midnight);
                    found.add(DayCount::Calendar, nth, midnight(*first), there, self.now());
                }
                Ok(())
            },
        )?;
        let share = Measured::new(found.share(), Unit::Ratio, METHOD, found.of_age);
        let share =
            share.within(wilson(found.active, found.of_age)).of_enough(found.of_age, "customers");
        Ok(share.from_records("daily activities", all.records, all.latest))
    }

    /// Hands the months in which each customer did anything to `take`.
    pub(super) fn each_months(
        &self,
        mut take: impl FnMut(&BTreeSet<CalendarMonth>, &[DailyActivity]) -> Result<()>,
    ) -> Result<()> {
        self.each_own(
            DAY_CUSTOMER,
            |it: &DailyActivity| it.customer_id,
            |own| take(&own.iter().map(|it| CalendarMonth::at(it.day)).collect(), own),
        )
    }
}
