//! The outbox: what happened, read and acknowledged by whoever passes it on.

use crate::domain::event::{Counter, CounterId, Event, EventId};
use crate::error::Result;
use crate::page::check_limit;
use crate::store::query::{After, Query};
use crate::tx::{Tx, View};
use crate::value::Value;

impl View<'_> {
    /// The oldest events that were not acknowledged, in the order of their commits: those after
    /// `after`, at most `limit`. Reading takes nothing away, so every event is seen at least once.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?;
    /// loop {
    ///     let events = tenure.read(|view| view.events(None, 100))?;
    ///     if events.is_empty() {
    ///         break;
    ///     }
    ///     for event in &events {
    ///         println!("{} {} {}", event.sequence, event.name, event.data);
    ///     }
    ///     tenure.write(|tx| tx.acknowledge(events.iter().map(|event| event.id)))?;
    /// }
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`](crate::Error::Invalid) when `limit` is not 1–1,000.
    pub fn events(&self, after: Option<EventId>, limit: usize) -> Result<Vec<Event>> {
        check_limit(limit)?;
        let after = after.map(|id| After { value: Value::Null, key: id.into() });
        self.find(&Query::all().after(after).limit(limit))
    }
}

impl Tx<'_> {
    /// Takes events out of the outbox, because they were passed on. Returns how many there were;
    /// those that are gone already do no harm.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn acknowledge(&mut self, events: impl IntoIterator<Item = EventId>) -> Result<usize> {
        let (mut gone, mut last) = (0_usize, 0);
        for id in events {
            if self.delete::<Event>(id)? {
                gone = gone.saturating_add(1);
                last = last.max(id.sequence());
            }
        }
        let id = CounterId::events();
        if self.get::<Counter>(id)?.map_or(0, |counter| counter.value) < last {
            self.put(&Counter { id, value: last })?;
        }
        Ok(gone)
    }
}
