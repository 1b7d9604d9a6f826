//! Batches: usage ingested at the speed of an append-only ledger, with the rules of single tracks.

use super::counting::{repeated, room};
use super::metering::Target;
use crate::domain::access::CustomerRef;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::feature::Feature;
use crate::domain::meter::{Meter, MeterId};
use crate::domain::metering::{Asked, BATCH_MAX, Track, UsageResult};
use crate::domain::quantity::Quantity;
use crate::domain::text::{Code, IdempotencyKey};
use crate::domain::usage::{UsageEvent, UsageEventId, UsageSource};
use crate::domain::usage_page::{Entry, Series};
use crate::error::{Error, Result};
use crate::ops::settlements::Settled;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tenure::Tenure;
use crate::tx::Tx;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

const USED: Col = <Meter as Stored>::TABLE.col("used");
const EVENT_METER: Col = <UsageEvent as Stored>::TABLE.col("meter_id");

/// A page of fewer events is not worth its columns: they stand by themselves.
const PAGE_MIN: usize = 8;

/// What one event of a batch comes to.
type Answer = Result<UsageResult>;

/// What the events of a batch name, and what that stands for.
type Known<'a> = HashMap<(&'a CustomerRef, &'a str), (CustomerId, Code, MeterId)>;

/// An event of a batch whose meter and key are known.
struct Wanted<'a> {
    place: usize,
    id: UsageEventId,
    target: Target,
    asked: Asked<'a>,
}

impl Tenure {
    /// Counts many events in one transaction, each as [`Tx::track`] would: the answers are in their
    /// order, and an event that is refused refuses no other. Up to 10,000 at a time, at bulk speed
    /// when several are for the same meter.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there are none or too many; the store's own, and then nothing was
    /// counted or ([`Error::outcome`]) nobody knows: a retry with the same keys is right.
    pub fn track_batch(&self, tracks: &[Track]) -> Result<Vec<Result<UsageResult>>> {
        self.write(|tx| tx.track_batch(tracks))
    }

    /// As [`track_batch`](Self::track_batch), but all or none: the first event that is refused
    /// refuses the batch. Events that were counted before are no refusals.
    ///
    /// # Errors
    ///
    /// [`Error::Batch`] with the event and why it was refused; as [`Tenure::track_batch`].
    pub fn track_batch_whole(&self, tracks: &[Track]) -> Result<Vec<UsageResult>> {
        self.write(|tx| tx.track_batch_whole(tracks))
    }
}

impl Tx<'_> {
    /// As [`track_batch`](Self::track_batch), all or none.
    ///
    /// # Errors
    ///
    /// As [`Tenure::track_batch_whole`].
    pub fn track_batch_whole(&mut self, tracks: &[Track]) -> Result<Vec<UsageResult>> {
        self.whole(|tx| {
            let answers = tx.track_batch(tracks)?.into_iter().zip(0..);
            let whole = answers.map(|(answer, index)| {
                answer.map_err(|source| Error::Batch { index, source: Box::new(source) })
            });
            whole.collect()
        })
    }

    /// Counts many events, each as [`track`](Self::track) would. An event whose key came earlier in
    /// the batch is a retry of that one. Without a time of their own they took place now.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there are none or more than 10,000; the store's own.
    pub fn track_batch(&mut self, tracks: &[Track]) -> Result<Vec<Answer>> {
        if tracks.is_empty() || tracks.len() > BATCH_MAX {
            let rule = "must be 1–10,000";
            return Err(Error::invalid("tracks", &tracks.len().to_string(), rule));
        }
        let mut answers: Vec<Option<Answer>> = Vec::new();
        answers.resize_with(tracks.len(), || None);
        let mut again: Vec<usize> = Vec::new();
        let groups = self.sorted(tracks, &mut answers, &mut again)?;
        self.whole(|tx| {
            let mut series = Vec::new();
            for group in groups {
                tx.count_group(group, &mut answers, &mut series)?;
            }
            tx.seal_usage(&series)
        })?;
        // By now the events that they repeat are in the ledger, or were refused and left the key.
        let again = again.into_iter().filter_map(|place| Some((place, tracks.get(place)?)));
        for (place, track) in again {
            match self.track(track) {
                Err(error @ Error::Store(_)) => return Err(error),
                answer => set(&mut answers, place, answer),
            }
        }
        let unanswered = || Err(Error::rule("an event of the batch was not answered"));
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect())
    }

    /// The events by meter, in their order; those that cannot be counted are answered.
    fn sorted<'a>(
        &self,
        tracks: &'a [Track],
        answers: &mut [Option<Answer>],
        again: &mut Vec<usize>,
    ) -> Result<Vec<Vec<Wanted<'a>>>> {
        let mut groups: Vec<Vec<Wanted<'a>>> = Vec::new();
        let mut places: HashMap<MeterId, usize> = HashMap::new();
        let mut ids: HashSet<UsageEventId> = HashSet::with_capacity(tracks.len());
        let mut known = Known::new();
        for (place, track) in tracks.iter().enumerate() {
            let mut target = match self.batch_target(track, &mut known) {
                Ok(target) => target,
                Err(error @ Error::Store(_)) => return Err(error),
                Err(error) => {
                    set(answers, place, Err(error));
                    continue;
                }
            };
            if target.source == UsageSource::Api {
                target.source = UsageSource::Batch;
            }
            let id = UsageEventId::of(target.meter, &target.key);
            if !ids.insert(id) {
                again.push(place);
                continue;
            }
            let group = *places.entry(target.meter).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len().saturating_sub(1)
            });
            if let Some(group) = groups.get_mut(group) {
                group.push(Wanted { place, id, target, asked: Asked::increment(track) });
            }
        }
        Ok(groups)
    }

    /// Whose meter an event is about; each customer and feature is looked up once.
    fn batch_target<'a>(&self, track: &'a Track, known: &mut Known<'a>) -> Result<Target> {
        let place = (&track.customer, track.feature.as_str());
        match (known.get(&place), track.idempotency_key.as_deref()) {
            (Some((customer, feature, meter)), Some(key)) if track.quantity.is_positive() => {
                let key = IdempotencyKey::parse(key).map_err(Error::malformed("idempotencyKey"))?;
                let (customer, feature, meter) = (*customer, feature.clone(), *meter);
                let (keyed, source, performed_by) = (true, track.source, None);
                Ok(Target { customer, feature, meter, key, keyed, source, performed_by })
            }
            _ => {
                let target = self.track_target(track)?;
                known.insert(place, (target.customer, target.feature.clone(), target.meter));
                Ok(target)
            }
        }
    }

    /// Counts the events of one meter: those of its running window in bulk, others one by one.
    fn count_group<'a>(
        &mut self,
        mut group: Vec<Wanted<'a>>,
        answers: &mut [Option<Answer>],
        series: &mut Vec<Series>,
    ) -> Result<()> {
        let Some(open) = self.open_bulk(&group)? else {
            return self.count_singly(group, answers);
        };
        let (now, meter) = (self.now(), &open.meter);
        let is_timed = group.iter().any(|wanted| wanted.asked.event_time.is_some());
        let thawed = if is_timed { self.view().thawed_since(meter.customer_id)? } else { None };
        let since = meter.steady_since.max(meter.window_start);
        let since = thawed.map_or(since, |thawed| since.max(thawed));
        let since = since.max(now.saturating_sub(self.config().late_usage_max));
        // Usage in other windows, in frozen periods, too long ago, or before the present right began
        // is judged one by one.
        let in_bulk = |wanted: &Wanted<'a>| {
            let at = wanted.asked.event_time.unwrap_or(now);
            (wanted.asked.event_time.is_none() || at >= since)
                && at <= now.saturating_add(self.config().early_usage_max)
                && meter.window_end.is_none_or(|end| at < end)
        };
        let singly: Vec<Wanted<'a>> = group.extract_if(.., |wanted| !in_bulk(wanted)).collect();
        if group.len() < PAGE_MIN {
            group.extend(singly);
            group.sort_unstable_by_key(|wanted| wanted.place);
            return self.count_singly(group, answers);
        }
        self.count_in_bulk(open, group, answers, series)?;
        self.count_singly(singly, answers)
    }

    fn count_singly(
        &mut self,
        group: Vec<Wanted<'_>>,
        answers: &mut [Option<Answer>],
    ) -> Result<()> {
        for Wanted { place, target, asked, .. } in group {
            match self.count(&target, &asked) {
                Err(error @ Error::Store(_)) => return Err(error),
                answer => set(answers, place, answer),
            }
        }
        Ok(())
    }

    /// The meter of a group, up to date, if its events can be counted in bulk.
    fn open_bulk(&self, group: &[Wanted<'_>]) -> Result<Option<Bulk>> {
        let Some(first) = group.first().filter(|_| group.len() >= PAGE_MIN) else {
            return Ok(None);
        };
        let view = self.view();
        let feature = view.cached_feature(first.target.feature.as_str())?;
        let Some(feature) = feature.filter(|it| it.billing_meter.is_none()) else {
            return Ok(None);
        };
        let Some(stored) = self.get::<Meter>(first.target.meter)? else { return Ok(None) };
        let now = self.now().max(stored.window_start);
        let settled = if stored.is_fresh(now) {
            None
        } else {
            let barred = self.require::<Customer>(stored.customer_id)?.barred();
            Some(view.settled(stored.clone(), barred, now)?)
        };
        let meter = settled.as_ref().map_or(&stored, |settled| &settled.books.meter).clone();
        if meter.opens || meter.denial.is_some() {
            return Ok(None);
        }
        Ok(Some(Bulk { meter, stored, settled, feature }))
    }

    fn count_in_bulk(
        &mut self,
        open: Bulk,
        group: Vec<Wanted<'_>>,
        answers: &mut [Option<Answer>],
        series: &mut Vec<Series>,
    ) -> Result<()> {
        let Bulk { mut meter, stored, settled, feature } = open;
        let known = self.known(&meter, &group)?;
        let before = meter.used;
        let mut pages: Vec<Series> = Vec::new();
        for Wanted { place, id, target, asked } in group {
            if let Some(first) = known.get(&id) {
                set(answers, place, repeated(first, &target, &asked));
                continue;
            }
            let delta = match room(&meter, &feature, meter.used, asked.quantity) {
                Ok(delta) => delta,
                Err(refusal) => {
                    set(answers, place, Err(refusal));
                    continue;
                }
            };
            let entry = Entry {
                id,
                key: target.key,
                quantity: delta,
                requested: (delta != asked.quantity).then_some(asked.quantity),
                event_time: asked.event_time.unwrap_or(self.now()),
                is_timed: asked.event_time.is_some(),
                metadata: asked.metadata.cloned(),
            };
            set(answers, place, Ok(UsageResult::of_entry(&meter, &entry)));
            // Another source begins another page.
            match pages.last_mut().filter(|page| page.source == target.source) {
                Some(page) => page.entries.push(entry),
                None => pages.push(series_of(&meter, target.source, entry)),
            }
            meter.used = meter.used.checked_add(delta).ok_or(Error::Overflow("usage"))?;
        }
        let events: usize = pages.iter().map(|page| page.entries.len()).sum();
        if events == 0 {
            return Ok(());
        }
        series.extend(pages);
        self.keep_bulk(&meter, &stored, settled, before)?;
        let used = meter.used.checked_sub(before).ok_or(Error::Overflow("usage"))?;
        let data = json!({
            "feature": meter.feature_code, "quantity": used, "used": meter.used, "events": events,
        });
        self.announce("entitlement.consumed", meter.id, meter.customer_id, data);
        self.tell_thresholds(&meter, &feature, before, meter.used);
        Ok(())
    }

    /// Of the events of a group, those that were counted before.
    fn known(
        &self,
        meter: &Meter,
        group: &[Wanted<'_>],
    ) -> Result<HashMap<UsageEventId, UsageEvent>> {
        let mut known = HashMap::new();
        let keyed = || group.iter().filter(|wanted| wanted.target.keyed);
        if meter.has_pages {
            let asked: Vec<_> = keyed().map(|it| (meter.id, it.id, &it.target.key)).collect();
            known = self.view().sealed_usage(&asked)?;
        }
        let single = Query::all().eq(EVENT_METER, &meter.id);
        if self.view().first::<UsageEvent>(single)?.is_some() {
            for wanted in keyed() {
                if let Some(first) = self.get::<UsageEvent>(wanted.id)? {
                    known.insert(wanted.id, first);
                }
            }
        }
        Ok(known)
    }

    fn keep_bulk(
        &mut self,
        meter: &Meter,
        stored: &Meter,
        settled: Option<Settled>,
        before: Quantity,
    ) -> Result<()> {
        let mut meter = meter.clone();
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

/// A meter whose events are counted in bulk.
struct Bulk {
    meter: Meter,
    stored: Meter,
    settled: Option<Settled>,
    feature: Arc<Feature>,
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

fn set(answers: &mut [Option<Answer>], place: usize, answer: Answer) {
    if let Some(slot) = answers.get_mut(place) {
        *slot = Some(answer);
    }
}
