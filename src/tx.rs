//! Transactions as operations see them: typed records, the instant, and the events that follow.

use crate::config::Config;
use crate::denials::Denied;
use crate::domain::customer::CustomerId;
use crate::domain::event::{Counter, CounterId, Event, EventId};
use crate::domain::link::ProductId;
use crate::domain::text::Code;
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::ops::filters::Filters;
use crate::ops::link_index::cache::LinkCache;
use crate::ops::link_index::{LinkState, Waiting};
use crate::ops::offer::Offer;
use crate::page::{Cursor, PAGE_MAX, Page, check_limit};
use crate::record::Record as _;
use crate::store::query::{After, Op, Query};
use crate::store::schema::{Col, Table};
use crate::store::{OrgId, Reader, StoreError, Writer};
use crate::tables::Stored;
use crate::value::{Row, Value, to_json};
use crate::warm::Changes;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

const SEQUENCE: Col = <Event as Stored>::TABLE.col("sequence");
const DATA: Col = <Event as Stored>::TABLE.col("data");

/// What an operation knows of the handle that it was called on.
pub(crate) struct Scope {
    pub(crate) org: OrgId,
    pub(crate) product: ProductId,
    pub(crate) actor: Arc<str>,
    pub(crate) now: OffsetDateTime,
    pub(crate) config: Arc<Config>,
    pub(crate) ids: Ids,
    pub(crate) filters: Arc<Filters>,
    pub(crate) link_cache: Arc<LinkCache>,
    /// Whether somebody wants to know what a transaction changes.
    pub(crate) is_watched: bool,
    /// Whether the handle can speak with customers.
    pub(crate) has_channel: bool,
    offer: Offer,
    /// The index of smart linking as read in this transaction: a snapshot does not change under it.
    links: RefCell<Option<Arc<LinkState>>>,
    /// What was denied so far.
    denied: RefCell<Denied>,
}

impl Scope {
    #[expect(clippy::too_many_arguments, reason = "each is another thing of the handle")]
    pub(crate) fn new(
        org: OrgId,
        product: ProductId,
        actor: Arc<str>,
        now: OffsetDateTime,
        config: Arc<Config>,
        ids: Ids,
        filters: Arc<Filters>,
        link_cache: Arc<LinkCache>,
        is_watched: bool,
        has_channel: bool,
    ) -> Self {
        let (offer, links, denied) = Default::default();
        Self {
            org,
            product,
            actor,
            now,
            config,
            ids,
            filters,
            link_cache,
            is_watched,
            has_channel,
            offer,
            links,
            denied,
        }
    }

    /// What was denied, to be counted once the transaction is over.
    pub(crate) fn denied(&self) -> Denied {
        self.denied.take()
    }

    /// Forgets what was read: a store may run a body again, on another snapshot.
    fn forget(&self) {
        self.offer.forget();
        self.links.borrow_mut().take();
        self.denied.take();
    }

    /// Notes that what the transaction wrote is kept.
    pub(crate) fn commit(&self) {
        if let Some(links) = &*self.links.borrow() {
            links.commit();
        }
    }
}

/// A read transaction: one consistent snapshot of what an org holds.
///
/// Operations that read are its methods; [`Tenure::read`](crate::Tenure::read) opens one.
pub struct View<'t> {
    reader: &'t dyn Reader,
    scope: &'t Scope,
    /// What a write transaction has not written yet of the index of smart linking.
    waiting: Option<&'t Waiting>,
}

impl<'t> View<'t> {
    pub(crate) fn new(reader: &'t dyn Reader, scope: &'t Scope) -> Self {
        scope.forget();
        Self { reader, scope, waiting: None }
    }

    /// The instant at which everything in this transaction happens.
    #[must_use]
    pub const fn now(&self) -> OffsetDateTime {
        self.scope.now
    }

    pub(crate) fn product(&self) -> &ProductId {
        &self.scope.product
    }

    pub(crate) fn org(&self) -> OrgId {
        self.scope.org
    }

    pub(crate) fn filters(&self) -> &Filters {
        &self.scope.filters
    }

    pub(crate) fn offer(&self) -> &Offer {
        &self.scope.offer
    }

    pub(crate) fn link_cache(&self) -> &LinkCache {
        &self.scope.link_cache
    }

    pub(crate) const fn waiting(&self) -> Option<&Waiting> {
        self.waiting
    }

    /// The index of smart linking, if it was read in this transaction.
    pub(crate) fn known_links(&self) -> Option<Arc<LinkState>> {
        self.scope.links.borrow().clone()
    }

    pub(crate) fn know_links(&self, state: Arc<LinkState>) {
        self.scope.links.replace(Some(state));
    }

    pub(crate) fn config(&self) -> &Config {
        &self.scope.config
    }

    /// Whether the handle can speak with customers.
    pub(crate) fn has_channel(&self) -> bool {
        self.scope.has_channel
    }

    /// Notes that a customer was denied a feature.
    pub(crate) fn deny(&self, customer: CustomerId, feature: &Code) {
        let mut denied = self.scope.denied.borrow_mut();
        let count = denied.entry((customer, feature.clone())).or_default();
        *count = count.saturating_add(1);
    }

    pub(crate) fn get<R: Stored>(&self, id: R::Id) -> Result<Option<R>> {
        let row = self.reader.get(R::TABLE, id.into())?;
        row.map(|row| typed(R::TABLE, R::from_row(row))).transpose()
    }

    /// The record, or an error that says that there is none.
    pub(crate) fn require<R: Stored>(&self, id: R::Id) -> Result<R> {
        let missing = || Error::not_found(R::NOUN.singular, Into::<Uuid>::into(id));
        self.get(id)?.ok_or_else(missing)
    }

    pub(crate) fn find<R: Stored>(&self, query: &Query) -> Result<Vec<R>> {
        let rows = self.reader.query(R::TABLE, query)?;
        // Room at once: records are large, and growing would copy them again and again.
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            found.push(typed(R::TABLE, R::from_row(row))?);
        }
        Ok(found)
    }

    pub(crate) fn first<R: Stored>(&self, query: Query) -> Result<Option<R>> {
        Ok(self.find(&query.limit(1))?.pop())
    }

    /// Every record that `query` selects, whose number is bounded by what it belongs to.
    pub(crate) fn all<R: Stored>(&self, query: Query) -> Result<Vec<R>> {
        let mut all = Vec::new();
        self.each_rows::<R>(query, |rows| {
            all.reserve(rows.len());
            for row in rows {
                all.push(typed(R::TABLE, R::from_row(row))?);
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// Hands every record that `query` selects to `take`, read a page at a time.
    pub(crate) fn each<R: Stored>(
        &self,
        query: Query,
        mut take: impl FnMut(R) -> Result<()>,
    ) -> Result<()> {
        self.each_rows::<R>(query, |rows| {
            rows.into_iter().try_for_each(|row| take(typed(R::TABLE, R::from_row(row))?))
        })
    }

    /// Hands the rows that `query` selects to `take`, a page at a time.
    fn each_rows<R: Stored>(
        &self,
        query: Query,
        mut take: impl FnMut(Vec<Row>) -> Result<()>,
    ) -> Result<()> {
        let mut query = query.limit(PAGE_MAX);
        loop {
            let rows = self.reader.query(R::TABLE, &query)?;
            let full = rows.len() == PAGE_MAX;
            query.after = rows.last().map(|row| query.cursor(row));
            // The bound at which the order began holds for all that follows the cursor. Asked for
            // again, it might be taken to find the rows by: then each page would begin at the first.
            let begun = if query.order.descending { [Op::Lt, Op::Le] } else { [Op::Gt, Op::Ge] };
            let ordered = query.order.col;
            query.filters.retain(|it| Some(it.col) != ordered || !begun.contains(&it.op));
            take(rows)?;
            if !full {
                return Ok(());
            }
        }
    }

    /// Every record whose `col` names one of the customers from `first` to `last`, in their order.
    pub(crate) fn of_customers<R: Stored>(
        &self,
        col: Col,
        first: CustomerId,
        last: CustomerId,
    ) -> Result<Vec<R>> {
        let (first, last) = (first.uuid(), last.uuid());
        self.all(Query::all().filter(col, Op::Ge, &first).filter(col, Op::Le, &last).oldest_by(col))
    }

    /// One page of what `query` selects, from `cursor` on.
    pub(crate) fn page<R: Stored>(
        &self,
        query: Query,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<R>> {
        check_limit(limit)?;
        let query =
            query.after(cursor.map(|cursor| cursor.after().clone())).limit(limit.saturating_add(1));
        let mut rows: Vec<Row> = self.reader.query(R::TABLE, &query)?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).map(|row| Cursor::new(query.cursor(row)));
        let items = rows.into_iter().map(|row| typed(R::TABLE, R::from_row(row)));
        Ok(Page { items: items.collect::<Result<_>>()?, next: last })
    }
}

/// What an operation returned, or which column of which table held something else than it can.
fn typed<R>(table: &'static Table, parsed: Result<R, &'static str>) -> Result<R> {
    parsed.map_err(|column| Error::Store(StoreError::Corrupt { table: table.name, column }))
}

/// A write transaction: what its operations change is kept together or not at all.
///
/// Operations that change something are its methods; [`Tenure::write`](crate::Tenure::write) opens
/// one. Every change leaves its domain event in the same transaction.
pub struct Tx<'t> {
    writer: &'t mut dyn Writer,
    scope: &'t Scope,
    /// What happened so far, numbered and written when the body is done.
    events: Vec<Announced>,
    /// Changes made so far.
    changes: usize,
    /// The operation that failed after it had changed something.
    spoiled: Option<String>,
    /// What of it a check may depend on, if that is watched.
    noted: Changes,
    /// What of the index of smart linking is written when the body is done.
    waiting: Waiting,
}

/// What happened, in as little room as it can wait in: a transaction may bring ten thousand.
struct Announced {
    name: Cow<'static, str>,
    subject: Uuid,
    customer: Option<CustomerId>,
    /// JSON.
    data: String,
}

impl<'t> Tx<'t> {
    pub(crate) fn new(writer: &'t mut dyn Writer, scope: &'t Scope) -> Self {
        scope.forget();
        let (events, changes, spoiled, noted, waiting) = Default::default();
        Self { writer, scope, events, changes, spoiled, noted, waiting }
    }

    /// The instant at which everything in this transaction happens.
    #[must_use]
    pub const fn now(&self) -> OffsetDateTime {
        self.scope.now
    }

    /// What this transaction sees, its own changes included.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { reader: &*self.writer, scope: self.scope, waiting: Some(&self.waiting) }
    }

    pub(crate) fn product(&self) -> &ProductId {
        &self.scope.product
    }

    pub(crate) fn config(&self) -> &Config {
        &self.scope.config
    }

    pub(crate) const fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// What waits of the index of smart linking, to be changed.
    pub(crate) const fn waiting_mut(&mut self) -> &mut Waiting {
        self.changes = self.changes.saturating_add(1);
        &mut self.waiting
    }

    pub(crate) fn actor(&self) -> &str {
        &self.scope.actor
    }

    /// A new id of a noun.
    pub(crate) fn fresh<I: From<Uuid>>(&self) -> I {
        I::from(self.scope.ids.next(self.scope.now))
    }

    /// A random number.
    pub(crate) fn random(&self) -> u128 {
        self.scope.ids.random()
    }

    pub(crate) fn get<R: Stored>(&self, id: R::Id) -> Result<Option<R>> {
        self.view().get(id)
    }

    pub(crate) fn require<R: Stored>(&self, id: R::Id) -> Result<R> {
        self.view().require(id)
    }

    /// Adds a record unless its id is taken. Returns whether it was added.
    pub(crate) fn insert<R: Stored>(&mut self, record: &R) -> Result<bool> {
        let row = record.to_row();
        self.note(R::TABLE, row.key(), Some(&row));
        let added = self.writer.insert(R::TABLE, row)?;
        self.changes = self.changes.saturating_add(usize::from(added));
        Ok(added)
    }

    pub(crate) fn put<R: Stored>(&mut self, record: &R) -> Result<()> {
        let row = record.to_row();
        self.note(R::TABLE, row.key(), Some(&row));
        self.writer.put(R::TABLE, row)?;
        self.changes = self.changes.saturating_add(1);
        Ok(())
    }

    pub(crate) fn delete<R: Stored>(&mut self, id: R::Id) -> Result<bool> {
        self.note(R::TABLE, id.into(), None);
        let existed = self.writer.delete(R::TABLE, id.into())?;
        self.changes = self.changes.saturating_add(usize::from(existed));
        Ok(existed)
    }

    pub(crate) fn add<R: Stored>(&mut self, id: R::Id, col: Col, by: i64) -> Result<Option<i64>> {
        self.note(R::TABLE, id.into(), None);
        let sum = self.writer.add(R::TABLE, id.into(), col, by)?;
        self.changes = self.changes.saturating_add(usize::from(sum.is_some()));
        Ok(sum)
    }

    fn note(&mut self, table: &Table, id: Uuid, row: Option<&Row>) {
        if self.scope.is_watched {
            self.noted.note(table, id, row);
        }
    }

    /// What of the changes a check may depend on, if that is watched.
    pub(crate) fn noted(&mut self) -> Changes {
        std::mem::take(&mut self.noted)
    }

    pub(crate) fn offer(&self) -> &Offer {
        &self.scope.offer
    }

    /// Notes what happened, to be written with the change.
    #[expect(clippy::needless_pass_by_value, reason = "it is made for this, where it happens")]
    pub(crate) fn announce(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        subject: impl Into<Uuid>,
        customer: impl Into<Option<CustomerId>>,
        data: Json,
    ) {
        let (name, subject, customer) = (name.into(), subject.into(), customer.into());
        self.events.push(Announced { name, subject, customer, data: to_json(&data) });
    }

    /// How many changes were made so far.
    pub(crate) const fn changes(&self) -> usize {
        self.changes
    }

    /// Runs an operation that makes several changes. If it fails after the first of them, the whole
    /// transaction can no longer be kept, whatever its body makes of the error.
    pub(crate) fn whole<T>(&mut self, operation: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = (self.changes, self.events.len());
        let outcome = operation(self);
        if let Err(error) = &outcome
            && before != (self.changes, self.events.len())
            && self.spoiled.is_none()
        {
            self.spoiled = Some(error.to_string());
        }
        outcome
    }

    /// The number of the last event. Those that are still in the outbox carry it; acknowledging
    /// writes it down, so that it is not written with every change.
    fn last_sequence(&self) -> Result<i64> {
        let newest = self.writer.query(Event::TABLE, &Query::all().newest().limit(1))?;
        let kept = match newest.first().map(|row| row.at(SEQUENCE.index)) {
            Some(Value::Int(sequence)) => *sequence,
            _ => 0,
        };
        let gone = self.get::<Counter>(CounterId::events())?;
        Ok(gone.map_or(kept, |counter| counter.value.max(kept)))
    }

    /// Writes what waits, then numbers and writes the events: the last thing that a transaction does.
    pub(crate) fn finish(&mut self) -> Result<()> {
        if let Some(error) = self.spoiled.take() {
            let rule = format!(
                "an operation of this transaction failed half-way, so none is kept: {error}"
            );
            return Err(Error::rule(rule));
        }
        self.write_link_index()?;
        let events = std::mem::take(&mut self.events);
        if events.is_empty() {
            return Ok(());
        }
        let first = self.last_sequence()?.saturating_add(1);
        for (announced, sequence) in events.into_iter().zip(first..) {
            let row = self.event_row(announced, sequence);
            if !self.writer.insert(Event::TABLE, row)? {
                let (table, columns) = (Event::TABLE.name, &["id"]);
                return Err(Error::Store(StoreError::Conflict { table, columns }));
            }
        }
        Ok(())
    }

    /// Does what [`finish`](Self::finish) does, and returns the events that it wrote.
    pub(crate) fn finish_and_tell(&mut self) -> Result<Vec<Event>> {
        let last = EventId::of(self.scope.org.uuid(), self.last_sequence()?);
        self.finish()?;
        let after = After { value: Value::Null, key: last.into() };
        self.view().all(Query::all().after(Some(after)))
    }

    /// The row of what happened.
    fn event_row(&self, announced: Announced, sequence: i64) -> Row {
        let event = Event {
            id: EventId::of(self.scope.org.uuid(), sequence),
            sequence,
            name: announced.name.into_owned(),
            subject: announced.subject,
            customer_id: announced.customer,
            performed_by: self.scope.actor.to_string(),
            data: Json::Null,
            occurred_at: self.scope.now,
        };
        let mut row = event.to_row();
        if let Some(data) = row.0.get_mut(DATA.index) {
            *data = Value::Json(announced.data);
        }
        row
    }
}
