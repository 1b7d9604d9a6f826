//! Sealed pages of the ledger: written by batches, read with the events that stand by themselves.

use super::runs::damaged;
use crate::domain::key_run::{KeyManifest, hash_of};
use crate::domain::meter::MeterId;
use crate::domain::metering::HistoryFilter;
use crate::domain::packing::Damaged;
use crate::domain::run::Entry;
use crate::domain::text::IdempotencyKey;
use crate::domain::usage::{UsageEvent, UsageEventId, UsageEventType};
use crate::domain::usage_page::{Recorded, SPAN_MAX, Series, UsagePage, UsagePageId, section_of};
use crate::error::{Error, Result};
use crate::store::StoreError;
use crate::store::query::{After, Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use crate::value::{Field, Value};
use std::collections::HashMap;
use time::{Duration, OffsetDateTime};

const SECTION: Col = <UsagePage as Stored>::TABLE.col("section");
const METER: Col = <UsagePage as Stored>::TABLE.col("meter_id");
const IS_WIDE: Col = <UsagePage as Stored>::TABLE.col("is_wide");
const FIRST_TIME: Col = <UsagePage as Stored>::TABLE.col("first_time");
const LAST_TIME: Col = <UsagePage as Stored>::TABLE.col("last_time");

/// How many pages are read at once: at most some 300 KB.
const AT_ONCE: usize = 32;

/// What a key was used for is asked by this: the meter, the id that follows from both, and the key.
pub(crate) type Asked<'k> = (MeterId, UsageEventId, &'k IdempotencyKey);

/// Which events of a meter are read: those at or after `from`, before `to`, and after `after` in the
/// order of a history.
#[derive(Debug, Clone, Copy, Default)]
struct Range {
    from: Option<OffsetDateTime>,
    to: Option<OffsetDateTime>,
    after: Option<(OffsetDateTime, UsageEventId)>,
}

impl Range {
    fn holds(&self, event: &UsageEvent) -> bool {
        let at = event.event_time;
        self.from.is_none_or(|from| from <= at)
            && self.to.is_none_or(|to| at < to)
            && self.after.is_none_or(|after| (at, event.id) < after)
    }

    /// The latest instant at which an event of it can lie.
    fn last(&self) -> Option<OffsetDateTime> {
        let before = |to: OffsetDateTime| to.saturating_sub(Duration::MICROSECOND);
        [self.to.map(before), self.after.map(|(at, _)| at)].into_iter().flatten().min()
    }

    /// The pages of `meter` in a section that may hold events of it.
    fn pages(&self, section: u32, meter: MeterId, is_wide: bool) -> Query {
        let query = Query::all().eq(SECTION, &section).eq(METER, &meter).eq(IS_WIDE, &is_wide);
        let mut query = query.limit(AT_ONCE);
        if let Some(from) = self.from {
            query = query.filter(LAST_TIME, Op::Ge, &from);
        }
        if let Some(last) = self.last() {
            query = query.filter(FIRST_TIME, Op::Le, &last);
            if !is_wide {
                // What ends later begins later too: the index need not go there.
                query = query.filter(LAST_TIME, Op::Le, &last.saturating_add(SPAN_MAX));
            }
        }
        query
    }
}

impl View<'_> {
    /// Of what is asked for, the events that are sealed, by id. A look-up in bulk: in memory for
    /// nearly every key that is new, and one page for each that is not.
    #[doc(hidden)]
    pub fn sealed_usage(&self, asked: &[Asked<'_>]) -> Result<HashMap<UsageEventId, UsageEvent>> {
        let mut found = HashMap::new();
        let Some(manifest) = self.key_manifest()? else { return Ok(found) };
        let mut places: Vec<(u64, usize)> =
            asked.iter().map(|(_, id, _)| hash_of(*id)).zip(0..).collect();
        places.sort_unstable();
        let hashes: Vec<u64> = places.iter().map(|(hash, _)| *hash).collect();
        let mut candidates: Vec<(u64, Asked<'_>)> = Vec::new();
        self.pages_with(&manifest, &hashes, |place, page| {
            let asked = places.get(place).and_then(|(_, place)| asked.get(*place));
            candidates.extend(asked.map(|asked| (page, *asked)));
        })?;
        candidates.sort_unstable_by_key(|(page, _)| *page);
        for same in candidates.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((number, _)) = same.first() else { continue };
            let page = self.page_numbered(*number)?;
            let keys = same.iter().filter(|(_, (meter, _, _))| *meter == page.meter_id);
            let keys: Vec<&IdempotencyKey> = keys.map(|(_, (_, _, key))| *key).collect();
            let events = page.holding(&keys).map_err(damaged::<UsagePage>)?;
            found.extend(events.into_iter().map(|event| (event.id, event)));
        }
        Ok(found)
    }

    /// The sealed event with this id, if there is one.
    pub(crate) fn sealed_event(&self, id: UsageEventId) -> Result<Option<UsageEvent>> {
        let Some(manifest) = self.key_manifest()? else { return Ok(None) };
        let mut numbers = Vec::new();
        self.pages_with(&manifest, &[hash_of(id)], |_, page| numbers.push(page))?;
        for number in numbers {
            let events = self.page_numbered(number)?.unpacked().map_err(damaged::<UsagePage>)?;
            if let Some(event) = events.into_iter().find(|event| event.id == id) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn page_numbered(&self, number: u64) -> Result<UsagePage> {
        let page = self.get(UsagePageId::of(self.org().uuid(), number))?;
        page.ok_or(Damaged).map_err(damaged::<UsagePage>)
    }

    /// Hands every page of a meter to `take` that may hold usage from `from` on and before `to`.
    pub(crate) fn each_page(
        &self,
        meter: MeterId,
        from: Option<OffsetDateTime>,
        to: Option<OffsetDateTime>,
        mut take: impl FnMut(UsagePage) -> Result<()>,
    ) -> Result<()> {
        let range = Range { from, to, after: None };
        for (section, is_wide) in self.sections()? {
            let mut query = range.pages(section, meter, is_wide).oldest_by(LAST_TIME);
            while let Some(last) = self.some_pages(&query, &mut take)? {
                query.after = Some(last);
            }
        }
        Ok(())
    }

    /// The parts of the index, the newest first: each section, and in it the pages that span more
    /// than a day apart from the others.
    fn sections(&self) -> Result<impl Iterator<Item = (u32, bool)>> {
        let manifest = self.key_manifest()?;
        let pages = manifest.map_or(0, |manifest| manifest.pages.unsigned_abs());
        let sections = if pages == 0 { 0 } else { section_of(pages).saturating_add(1) };
        Ok((0..sections).rev().flat_map(|section| [false, true].map(|wide| (section, wide))))
    }

    /// Hands every page of the org to `take`, in the order in which they were written.
    pub(crate) fn every_page(&self, mut take: impl FnMut(UsagePage) -> Result<()>) -> Result<()> {
        let mut query = Query::all().limit(AT_ONCE);
        loop {
            let pages = self.find::<UsagePage>(&query)?;
            let last = pages.last().filter(|_| pages.len() == AT_ONCE);
            let after = last.map(|page| After { value: Value::Null, key: page.id.uuid() });
            pages.into_iter().try_for_each(&mut take)?;
            if after.is_none() {
                return Ok(());
            }
            query.after = after;
        }
    }

    /// Hands some pages of `query` to `take`. Returns where to go on, if there may be more.
    fn some_pages(
        &self,
        query: &Query,
        take: &mut dyn FnMut(UsagePage) -> Result<()>,
    ) -> Result<Option<After>> {
        let pages = self.find::<UsagePage>(query)?;
        let full = pages.len() == query.limit;
        let last = pages.last().filter(|_| full);
        let after =
            last.map(|page| After { value: page.last_time.to_value(), key: page.id.uuid() });
        pages.into_iter().try_for_each(take)?;
        Ok(after)
    }

    /// Hands every sealed event of a meter to `take`, in no order that matters.
    pub(crate) fn each_sealed(
        &self,
        meter: MeterId,
        from: Option<OffsetDateTime>,
        to: Option<OffsetDateTime>,
        mut take: impl FnMut(UsageEvent) -> Result<()>,
    ) -> Result<()> {
        let range = Range { from, to, after: None };
        self.each_page(meter, from, to, |page| {
            let events = page.unpacked().map_err(damaged::<UsagePage>)?;
            events.into_iter().filter(|event| range.holds(event)).try_for_each(&mut take)
        })
    }

    /// The newest sealed events of a meter that `filter` lets pass, after `after`, at most `limit`.
    ///
    /// Pages are read from the newest on until what is left cannot be among them. Those that span
    /// more than a day are asked for apart, so that among the others no page needs to be read that
    /// ends more than a day later than what is sought.
    pub(crate) fn newest_sealed(
        &self,
        meter: MeterId,
        filter: &HistoryFilter,
        after: Option<(OffsetDateTime, UsageEventId)>,
        limit: usize,
    ) -> Result<Vec<UsageEvent>> {
        let mut newest: Vec<UsageEvent> = Vec::new();
        if filter.event_type.is_some_and(|only| only != UsageEventType::Increment) {
            return Ok(newest);
        }
        let range = Range { from: filter.from, to: filter.to, after };
        for (section, is_wide) in self.sections()? {
            let mut query = range.pages(section, meter, is_wide).newest_by(LAST_TIME);
            if let Some(last) = newest.last().filter(|_| newest.len() == limit) {
                query = query.filter(LAST_TIME, Op::Ge, &last.event_time);
            }
            loop {
                let next = self.some_pages(&query, &mut |page| {
                    let events = page.unpacked().map_err(damaged::<UsagePage>)?;
                    newest.extend(events.into_iter().filter(|event| range.holds(event)));
                    Ok(())
                })?;
                newest
                    .sort_unstable_by_key(|event| std::cmp::Reverse((event.event_time, event.id)));
                newest.truncate(limit);
                let Some(next) = next else { break };
                let end = OffsetDateTime::from_value(next.value.clone());
                let last = newest.last().filter(|_| newest.len() == limit);
                if last.zip(end).is_some_and(|(last, end)| end < last.event_time) {
                    break;
                }
                query.after = Some(next);
            }
        }
        Ok(newest)
    }
}

impl Tx<'_> {
    /// Writes events into sealed pages, and their keys into a run. Whether they may be counted was
    /// decided before, and that none of their keys was used: nothing is checked here, no counter is
    /// changed and nothing is announced.
    #[doc(hidden)]
    pub fn seal_usage(&mut self, series: &[Series]) -> Result<()> {
        let mut manifest = self.view().key_manifest()?.unwrap_or_else(KeyManifest::empty);
        let recorded = Recorded {
            product_id: self.product().clone(),
            performed_by: Some(self.actor().to_owned()).filter(|actor| actor != "system"),
            created_at: self.now(),
        };
        let mut series: Vec<&Series> = series.iter().collect();
        // The index is by meter: going through it in order writes each of its pages once.
        series.sort_by_key(|it| (it.meter_id, it.window_start));
        let mut keys = Vec::with_capacity(series.iter().map(|it| it.entries.len()).sum());
        for series in series {
            let pages = series.pages(&recorded).ok_or(Error::Overflow("usage"))?;
            let mut entries = series.entries.iter();
            for page in pages {
                manifest.pages = manifest.pages.saturating_add(1);
                let number = manifest.pages.unsigned_abs();
                let page = page.numbered(self.view().org().uuid(), number);
                let here = usize::try_from(page.events).unwrap_or(usize::MAX);
                let hashes = entries.by_ref().take(here).map(|entry| hash_of(entry.id));
                keys.extend(hashes.map(|hash| Entry { hash, number }));
                if !self.insert(&page)? {
                    let (table, columns) = (UsagePage::TABLE.name, &["id"]);
                    return Err(Error::Store(StoreError::Conflict { table, columns }));
                }
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        let events = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        manifest.events = manifest.events.saturating_add(events);
        self.add_keys(&mut manifest, &mut keys)?;
        self.put(&manifest)
    }
}
