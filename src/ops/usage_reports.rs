//! Usage reports: read from the ledger as it is.

use crate::domain::access::CustomerRef;
use crate::domain::instant;
use crate::domain::meter::{Meter, MeterId};
use crate::domain::text::Code;
use crate::domain::usage_report::{GroupBy, Series, UsageQuery, UsageReport, windows};
use crate::domain::zone::TimeZone;
use crate::error::{Error, Result};
use crate::ops::features::parse_code;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;

const METER_CUSTOMER: Col = <Meter as Stored>::TABLE.col("customer_id");

impl View<'_> {
    /// A customer's usage over calendar windows in its time zone, without gaps, for charts: what its
    /// features counted, by the time at which it took place, corrections included.
    ///
    /// The ledger is read a page at a time; the answer has at most 10,000 windows, 1,000 groups and
    /// 100,000 numbers.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for a feature that is named; [`Error::Invalid`] when it ends before it
    /// begins or has too many windows or groups; [`Error::Overflow`].
    pub fn usage_report(
        &self,
        customer: impl Into<CustomerRef>,
        query: &UsageQuery,
    ) -> Result<UsageReport> {
        let customer = self.resolve_customer(&customer.into())?;
        let time_zone = customer.timezone.clone().unwrap_or(TimeZone::UTC);
        let (from, to) = (instant::utc(query.from), instant::utc(query.to));
        let mut series = Series::over(windows(from, to, query.window, &time_zone)?);
        if query.group_by == GroupBy::Nothing {
            series.group("all".to_owned())?;
        }
        let meters = if query.features.is_empty() {
            let all = self.all::<Meter>(Query::all().eq(METER_CUSTOMER, &customer.id))?;
            all.into_iter().map(|meter| meter.feature_code).collect()
        } else {
            let named = query.features.iter().map(|code| self.defined_feature(code));
            let mut named = named.collect::<Result<Vec<_>>>()?;
            named.sort_unstable();
            named.dedup();
            named
        };
        for feature in meters {
            if query.group_by == GroupBy::Feature {
                series.group(feature.to_string())?;
            }
            let meter = MeterId::of(customer.id, &feature);
            self.each_usage(meter, Some(from), Some(to), |event| {
                series.count(query.group_by.group(&event), event.event_time, event.quantity)
            })?;
        }
        let (rows, totals) = series.finish()?;
        Ok(UsageReport { customer_id: customer.id, window: query.window, time_zone, rows, totals })
    }

    fn defined_feature(&self, code: &str) -> Result<Code> {
        let known = self.cached_feature(code)?;
        known.ok_or_else(|| Error::not_found("feature", code))?;
        parse_code("feature", code)
    }
}
