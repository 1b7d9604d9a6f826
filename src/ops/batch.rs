//! Batches: usage ingested at the speed of an append-only ledger, with the rules of single tracks.

use super::bulk::Bulk;
use super::metering::Target;
use crate::domain::access::CustomerRef;
use crate::domain::customer::CustomerId;
use crate::domain::meter::MeterId;
use crate::domain::metering::{Asked, BATCH_MAX, Track, UsageResult};
use crate::domain::text::{Code, IdempotencyKey};
use crate::domain::usage::{UsageEvent, UsageEventId, UsageSource};
use crate::domain::usage_page::Series;
use crate::error::{Error, Result};
use crate::tenure::Tenure;
use crate::tx::Tx;
use std::collections::{HashMap, HashSet};

/// A batch of fewer events is no bulk: of those for one meter fewer than eight stand by themselves.
/// In a greater one all are sealed, even if there is one for each meter, because a page is written
/// behind the others, and an event by itself wherever its key happens to lie.
const BULK_MIN: usize = 64;
const PAGE_MIN: usize = 8;

/// What one event of a batch comes to.
type Answer = Result<UsageResult>;

/// A batch that is being counted.
pub(super) struct Batch<'a> {
    tracks: &'a [Track],
    /// How few events for one meter are counted in bulk.
    pub(super) page_min: usize,
    answers: Vec<Option<Answer>>,
    /// The ids that several of its events have, because they name the same key.
    twice: HashSet<UsageEventId>,
    /// Of those, the place of the event that holds the key.
    holders: HashMap<UsageEventId, usize>,
    /// What was sealed before under keys that it names.
    pub(super) sealed: HashMap<UsageEventId, UsageEvent>,
    /// What it seals.
    pub(super) series: Vec<Series>,
}

/// The events of a batch that are about one meter, in their order.
struct Group<'a> {
    customer: CustomerId,
    feature: Code,
    meter: MeterId,
    events: Vec<Wanted<'a>>,
}

/// An event of a batch whose meter and key are known.
pub(super) struct Wanted<'a> {
    pub(super) place: usize,
    pub(super) track: &'a Track,
    pub(super) id: UsageEventId,
    pub(super) key: IdempotencyKey,
}

impl<'a> Batch<'a> {
    fn of(tracks: &'a [Track]) -> Self {
        let mut answers = Vec::new();
        answers.resize_with(tracks.len(), || None);
        let (twice, holders, sealed, series) = Default::default();
        let page_min = if tracks.len() < BULK_MIN { PAGE_MIN } else { 1 };
        Self { tracks, page_min, answers, twice, holders, sealed, series }
    }

    /// What is answered to an event whose key an earlier one of the batch holds.
    pub(super) fn repeated(&self, wanted: &Wanted<'_>) -> Option<Answer> {
        let holder = *self.holders.get(&wanted.id)?;
        let first = self.answers.get(holder)?.as_ref()?.as_ref().ok()?;
        let counted = Asked::increment(self.tracks.get(holder)?);
        Some(match counted.differs_from(&wanted.asked()) {
            None => Ok(UsageResult { duplicate: true, ..first.clone() }),
            Some(field) => {
                let event_id = wanted.id.uuid();
                Err(Error::KeyReused { key: wanted.key.to_string(), field, event_id })
            }
        })
    }

    pub(super) fn answer(&mut self, place: usize, id: UsageEventId, answer: Answer) {
        if answer.is_ok() && self.twice.contains(&id) {
            self.holders.entry(id).or_insert(place);
        }
        if let Some(slot) = self.answers.get_mut(place) {
            *slot = Some(answer);
        }
    }
}

impl<'a> Wanted<'a> {
    pub(super) fn asked(&self) -> Asked<'a> {
        Asked::increment(self.track)
    }

    pub(super) const fn is_keyed(&self) -> bool {
        self.track.idempotency_key.is_some()
    }

    pub(super) fn source(&self) -> UsageSource {
        match self.track.source {
            UsageSource::Api => UsageSource::Batch,
            other => other,
        }
    }
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
    /// As [`track_batch`](Self::track_batch), all or none: if it fails after the first event, the
    /// whole transaction can no longer be kept.
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

    /// Counts many events, each as [`track`](Self::track) would, one after the other: an event whose
    /// key came earlier in the batch is a retry of that one. What is consumed of a meter is announced
    /// together.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there are none or more than 10,000; the store's own.
    pub fn track_batch(&mut self, tracks: &[Track]) -> Result<Vec<Result<UsageResult>>> {
        if tracks.is_empty() || tracks.len() > BATCH_MAX {
            let rule = "must be 1–10,000";
            return Err(Error::invalid("tracks", &tracks.len().to_string(), rule));
        }
        let mut batch = Batch::of(tracks);
        let groups = self.grouped(&mut batch)?;
        batch.sealed = self.sealed_before(&groups, batch.page_min)?;
        self.whole(|tx| {
            for group in groups {
                tx.count_group(group, &mut batch)?;
            }
            if batch.series.is_empty() { Ok(()) } else { tx.seal_usage(&batch.series) }
        })?;
        let unanswered = || Err(Error::rule("an event of the batch was not answered"));
        Ok(batch.answers.into_iter().map(|it| it.unwrap_or_else(unanswered)).collect())
    }

    /// The events by meter; those that cannot be counted are answered.
    fn grouped<'a>(&self, batch: &mut Batch<'a>) -> Result<Vec<Group<'a>>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut named: HashMap<(&CustomerRef, &str), usize> = HashMap::new();
        let mut meters: HashMap<MeterId, usize> = HashMap::new();
        let mut ids: HashSet<UsageEventId> = HashSet::with_capacity(batch.tracks.len());
        for (place, track) in batch.tracks.iter().enumerate() {
            let name = (&track.customer, track.feature.as_str());
            let known = named.get(&name).copied();
            let (group, key) = match (known, usable_key(track)) {
                (Some(group), Some(key)) => (group, key),
                _ => match self.track_target(track) {
                    Ok(Target { customer, feature, meter, key, .. }) => {
                        let group = *meters.entry(meter).or_insert_with(|| {
                            let events = Vec::new();
                            groups.push(Group { customer, feature, meter, events });
                            groups.len().saturating_sub(1)
                        });
                        named.insert(name, group);
                        (group, key)
                    }
                    Err(error @ Error::Store(_)) => return Err(error),
                    Err(error) => {
                        batch.answer(place, UsageEventId::from(uuid::Uuid::nil()), Err(error));
                        continue;
                    }
                },
            };
            if let Some(group) = groups.get_mut(group) {
                let id = UsageEventId::of(group.meter, &key);
                if !ids.insert(id) {
                    batch.twice.insert(id);
                }
                group.events.push(Wanted { place, track, id, key });
            }
        }
        // In the order of the meters' table, so that each of its pages is read and written once.
        groups.sort_unstable_by_key(|group| group.meter);
        Ok(groups)
    }

    /// Of what may be counted in bulk, the events that were sealed before.
    fn sealed_before(
        &self,
        groups: &[Group<'_>],
        page_min: usize,
    ) -> Result<HashMap<UsageEventId, UsageEvent>> {
        let many = groups.iter().filter(|group| group.events.len() >= page_min);
        let asked: Vec<_> = many
            .flat_map(|group| {
                let keyed = group.events.iter().filter(|wanted| wanted.is_keyed());
                keyed.map(|wanted| (group.meter, wanted.id, &wanted.key))
            })
            .collect();
        if asked.is_empty() { Ok(HashMap::new()) } else { self.view().sealed_usage(&asked) }
    }

    /// Counts the events of one meter.
    fn count_group(&mut self, group: Group<'_>, batch: &mut Batch<'_>) -> Result<()> {
        let Group { customer, feature, meter, mut events } = group;
        let about = (customer, &feature, meter);
        loop {
            match self.open_bulk(about, events.len(), batch)? {
                Some(open) if open.meter.opens => {
                    // The first use opens a window. What follows counts in it.
                    let mut rest = events.into_iter();
                    while let Some(wanted) = rest.next()
                        && !self.count_one(about, wanted, batch)?
                    {}
                    events = rest.collect();
                }
                Some(open) => return self.count_runs(about, open, events, batch),
                None => return self.count_singly(about, events, batch),
            }
        }
    }

    /// Counts the events of one meter in their order: those that can be in bulk, and between them
    /// the others one by one.
    fn count_runs(
        &mut self,
        about: About<'_>,
        open: Bulk,
        events: Vec<Wanted<'_>>,
        batch: &mut Batch<'_>,
    ) -> Result<()> {
        let present = self.present(&open.meter, &events)?;
        if events.iter().all(|wanted| present.holds(wanted)) {
            return self.count_in_bulk(open, events, batch);
        }
        let mut run = Vec::new();
        for wanted in events {
            if present.holds(&wanted) {
                run.push(wanted);
                continue;
            }
            self.count_run(about, std::mem::take(&mut run), batch)?;
            self.count_one(about, wanted, batch)?;
        }
        self.count_run(about, run, batch)
    }

    fn count_run(
        &mut self,
        about: About<'_>,
        events: Vec<Wanted<'_>>,
        batch: &mut Batch<'_>,
    ) -> Result<()> {
        match self.open_bulk(about, events.len(), batch)? {
            Some(open) => self.count_in_bulk(open, events, batch),
            None => self.count_singly(about, events, batch),
        }
    }

    fn count_singly(
        &mut self,
        about: About<'_>,
        events: Vec<Wanted<'_>>,
        batch: &mut Batch<'_>,
    ) -> Result<()> {
        for wanted in events {
            self.count_one(about, wanted, batch)?;
        }
        Ok(())
    }

    /// Counts one event as a track. Returns whether it was counted now.
    fn count_one(
        &mut self,
        (customer, feature, meter): About<'_>,
        wanted: Wanted<'_>,
        batch: &mut Batch<'_>,
    ) -> Result<bool> {
        if let Some(answer) = batch.repeated(&wanted) {
            batch.answer(wanted.place, wanted.id, answer);
            return Ok(false);
        }
        let (keyed, source) = (wanted.is_keyed(), wanted.source());
        let Wanted { place, track, id, key } = wanted;
        let (feature, performed_by) = (feature.clone(), None);
        let target = Target { customer, feature, meter, key, keyed, source, performed_by };
        let answer = match self.count(&target, &Asked::increment(track)) {
            Err(error @ Error::Store(_)) => return Err(error),
            answer => answer,
        };
        let is_new = answer.as_ref().is_ok_and(|it| !it.duplicate);
        batch.answer(place, id, answer);
        Ok(is_new)
    }
}

/// Whose meter of what.
pub(super) type About<'a> = (CustomerId, &'a Code, MeterId);

/// The key of an event that is at fault in nothing and has one.
fn usable_key(track: &Track) -> Option<IdempotencyKey> {
    let key = track.idempotency_key.as_deref().filter(|_| track.quantity.is_positive())?;
    IdempotencyKey::parse(key).ok()
}
