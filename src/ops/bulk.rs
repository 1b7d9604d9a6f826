//! Counting in bulk: what a batch brings for the running window of a meter, sealed into pages.

use super::batch::{About, Batch, Wanted};
use super::counting::{repeated, room};
use crate::domain::feature::Feature;
use crate::domain::meter::Meter;
use crate::domain::metering::UsageResult;
use crate::domain::quantity::Quantity;
use crate::domain::usage::{UsageEvent, UsageEventId, UsageSource};
use crate::domain::usage_page::{Entry, Series};
use crate::error::{Error, Result};
use crate::ops::settlements::Settled;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::Tx;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use time::OffsetDateTime;

const USED: Col = <Meter as Stored>::TABLE.col("used");

/// A meter whose events are counted in bulk.
pub(super) struct Bulk {
    pub(super) meter: Meter,
    stored: Meter,
    settled: Option<Settled>,
    feature: Arc<Feature>,
}

/// When usage took place that is counted in bulk, if its time is given: in the running window, under
/// the present right, and in no frozen period.
pub(super) struct Present {
    from: OffsetDateTime,
    /// The last instant.
    to: OffsetDateTime,
    end: Option<OffsetDateTime>,
}

impl Present {
    pub(super) fn holds(&self, wanted: &Wanted<'_>) -> bool {
        let at = wanted.asked().event_time;
        at.is_none_or(|at| self.from <= at && at <= self.to && self.end.is_none_or(|end| at < end))
    }
}

impl Tx<'_> {
    /// When usage takes place that the present right of `meter` judges.
    pub(super) fn present(&self, meter: &Meter, events: &[Wanted<'_>]) -> Result<Present> {
        let (now, config) = (self.now(), self.config());
        let is_timed = events.iter().any(|wanted| wanted.track.event_time.is_some());
        let thawed = if is_timed { self.view().thawed_since(meter.customer_id)? } else { None };
        let earliest = now.saturating_sub(config.late_usage_max);
        let steady = meter.steady_since.max(meter.window_start).max(earliest);
        let from = thawed.map_or(steady, |thawed| steady.max(thawed));
        let to = now.saturating_add(config.early_usage_max);
        Ok(Present { from, to, end: meter.window_end })
    }

    /// The meter of so many events, up to date, if they can be counted in bulk.
    pub(super) fn open_bulk(
        &self,
        (_, feature, meter): About<'_>,
        events: usize,
        batch: &Batch<'_>,
    ) -> Result<Option<Bulk>> {
        if events < batch.page_min {
            return Ok(None);
        }
        let view = self.view();
        let feature = view.cached_feature(feature.as_str())?;
        let Some(feature) = feature.filter(|it| it.billing_meter.is_none()) else {
            return Ok(None);
        };
        let Some(stored) = self.get::<Meter>(meter)? else { return Ok(None) };
        let settled = view.overdue(&stored)?;
        let meter = settled.as_ref().map_or(&stored, |settled| &settled.books.meter).clone();
        let bulk = Bulk { meter, stored, settled, feature };
        Ok(Some(bulk).filter(|bulk| bulk.meter.denial.is_none()))
    }

    pub(super) fn count_in_bulk(
        &mut self,
        open: Bulk,
        events: Vec<Wanted<'_>>,
        batch: &mut Batch<'_>,
    ) -> Result<()> {
        let Bulk { mut meter, stored, settled, feature } = open;
        let singles = self.singles(&meter, &events)?;
        let before = meter.used;
        let mut pages: Vec<Series> = Vec::new();
        for wanted in events {
            let asked = wanted.asked();
            let first = batch.sealed.get(&wanted.id).or_else(|| singles.get(&wanted.id));
            let first = first.map(|first| repeated(first, &wanted.key, &asked));
            if let Some(answer) = first.or_else(|| batch.repeated(&wanted)) {
                batch.answer(wanted.place, wanted.id, answer);
                continue;
            }
            let delta = match room(&meter, &feature, meter.used, asked.quantity) {
                Ok(delta) => delta,
                Err(refusal) => {
                    self.note_refusal(meter.customer_id, &meter.feature_code, &refusal);
                    batch.answer(wanted.place, wanted.id, Err(refusal));
                    continue;
                }
            };
            let source = wanted.source();
            let Wanted { place, track, id, key } = wanted;
            let entry = Entry {
                id,
                key,
                quantity: delta,
                requested: (delta != asked.quantity).then_some(asked.quantity),
                event_time: asked.event_time.unwrap_or(self.now()),
                is_timed: asked.event_time.is_some(),
                metadata: track.metadata.clone(),
            };
            batch.answer(place, id, Ok(UsageResult::of_entry(&meter, &entry)));
            // Another source begins another page.
            match pages.last_mut().filter(|page| page.source == source) {
                Some(page) => page.entries.push(entry),
                None => pages.push(series_of(&meter, source, entry)),
            }
            meter.used = meter.used.checked_add(delta).ok_or(Error::Overflow("usage"))?;
        }
        let events: usize = pages.iter().map(|page| page.entries.len()).sum();
        if events == 0 {
            return Ok(());
        }
        batch.series.extend(pages);
        let used = meter.used.checked_sub(before).ok_or(Error::Overflow("usage"))?;
        let data = json!({
            "feature": meter.feature_code, "quantity": used, "used": meter.used, "events": events,
        });
        self.announce("entitlement.consumed", meter.id, meter.customer_id, data);
        self.tell_thresholds(&meter, &feature, before, meter.used);
        self.keep_bulk(meter, &stored, settled, before)
    }

    /// Of the events that stand by themselves, those with the keys of `events`.
    fn singles(
        &self,
        meter: &Meter,
        events: &[Wanted<'_>],
    ) -> Result<HashMap<UsageEventId, UsageEvent>> {
        let mut known = HashMap::new();
        if meter.has_singles {
            for wanted in events.iter().filter(|wanted| wanted.is_keyed()) {
                known.extend(self.get::<UsageEvent>(wanted.id)?.map(|first| (wanted.id, first)));
            }
        }
        Ok(known)
    }

    fn keep_bulk(
        &mut self,
        mut meter: Meter,
        stored: &Meter,
        settled: Option<Settled>,
        before: Quantity,
    ) -> Result<()> {
        let has_pages = std::mem::replace(&mut meter.has_pages, true);
        match settled {
            Some(mut settled) => {
                settled.books.meter = meter;
                self.keep_settled(&mut settled, Some(stored))
            }
            None if has_pages => {
                let by = meter.used.checked_sub(before).ok_or(Error::Overflow("usage"))?;
                self.add::<Meter>(meter.id, USED, by.millionths()).map(drop)
            }
            None => self.put(&meter),
        }
    }
}

/// The first event of a page.
fn series_of(meter: &Meter, source: UsageSource, first: Entry) -> Series {
    Series {
        meter_id: meter.id,
        customer_id: meter.customer_id,
        feature_code: meter.feature_code.clone(),
        window_start: meter.window_start,
        previous_value: meter.used,
        quantity_limit: meter.limit,
        usage_ceiling: meter.free_ceiling(),
        included_quantity: meter.included,
        source,
        entries: vec![first],
    }
}
