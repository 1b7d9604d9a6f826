//! Settlements: bringing a meter in line with its entitlements, its holds and the calendar.

use crate::domain::access::DenialReason;
use crate::domain::allowance::allowance;
use crate::domain::balance::Balance;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::entitlement::{Entitlement, EntitlementId};
use crate::domain::hold::{Hold, HoldStatus};
use crate::domain::meter::Meter;
use crate::domain::quantity::Quantity;
use crate::domain::settlement::{Carry, Settlement};
use crate::domain::tally::whole;
use crate::domain::text::Code;
use crate::domain::usage::{UsageWindow, UsageWindowId};
use crate::error::Result;
use crate::record::Record as _;
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::OffsetDateTime;

const CUSTOMER: Col = <Entitlement as Stored>::TABLE.col("customer_id");
const FEATURE: Col = <Entitlement as Stored>::TABLE.col("feature_code");
const IN_USE: Col = <Entitlement as Stored>::TABLE.col("in_use");
const HAS_ROOM: Col = <Entitlement as Stored>::TABLE.col("has_room");
const TURN: Col = <Entitlement as Stored>::TABLE.col("turn");
const NEXT_CHANGE: Col = <Entitlement as Stored>::TABLE.col("next_change");
const VALID_UNTIL: Col = <Entitlement as Stored>::TABLE.col("valid_until");
const HOLD_METER: Col = <Hold as Stored>::TABLE.col("meter_id");
const HOLD_STATUS: Col = <Hold as Stored>::TABLE.col("status");
const EXPIRES_AT: Col = <Hold as Stored>::TABLE.col("expires_at");

/// How many entitlements are read at a time when consumption is taken from them.
const LINE: usize = 16;
/// From how many entitlements it is told what a customer had, when nothing can be used.
const SHOWN: usize = 200;

/// A settlement, and the holds whose time is over with it.
pub(crate) struct Settled {
    pub(crate) books: Settlement,
    pub(crate) barred: Option<DenialReason>,
    lapsed: Vec<Hold>,
    /// The balance as it is stored.
    kept: Option<Balance>,
}

impl View<'_> {
    /// A meter as it is at `now`, with everything that must be written if it is to be kept.
    pub(crate) fn settled(
        &self,
        meter: Meter,
        barred: Option<DenialReason>,
        now: OffsetDateTime,
    ) -> Result<Settled> {
        let mut settled = self.begin(meter, barred, now)?;
        self.settle(&mut settled)?;
        Ok(settled)
    }

    /// What a stored meter has come to by now, and what must be kept with it; none if its row is
    /// fresh. A clock that was set back does not open a window again.
    pub(crate) fn overdue(&self, stored: &Meter) -> Result<Option<Settled>> {
        if stored.is_fresh(self.now().max(stored.window_start)) {
            return Ok(None);
        }
        self.overdue_of(&self.require(stored.customer_id)?, stored)
    }

    /// The same of a meter of a customer that is known.
    pub(crate) fn overdue_of(
        &self,
        customer: &Customer,
        stored: &Meter,
    ) -> Result<Option<Settled>> {
        let now = self.now().max(stored.window_start);
        if stored.is_fresh(now) {
            return Ok(None);
        }
        self.settled(stored.clone(), customer.barred(), now).map(Some)
    }

    /// The books of a meter, opened.
    pub(crate) fn begin(
        &self,
        meter: Meter,
        barred: Option<DenialReason>,
        now: OffsetDateTime,
    ) -> Result<Settled> {
        let kept = self.get::<Balance>(meter.id)?;
        let balance = kept.clone().unwrap_or_else(|| Balance::new(meter.id));
        let feature = self.cached_feature(meter.feature_code.as_str())?;
        let overage = feature.map_or_else(Carry::default, |it| Carry::of(&it));
        let mut books = Settlement::new(meter, balance, now, overage);
        if let Some(base) = self.get::<Entitlement>(books.base())? {
            books.join(base);
        }
        Ok(Settled { books, barred, lapsed: Vec::new(), kept })
    }

    /// Takes from the entitlements what was used, then moves everything on to the present.
    pub(crate) fn settle(&self, settled: &mut Settled) -> Result<()> {
        self.burn(&mut settled.books)?;
        self.move_on(settled)
    }

    /// Takes the consumption since the last settlement from the entitlements.
    pub(crate) fn burn(&self, books: &mut Settlement) -> Result<()> {
        let change = books.unsettled();
        if change == Quantity::ZERO {
            return Ok(());
        }
        if let Some(leading) = books.balance.leading
            && !books.knows(leading)
            && let Some(leading) = self.get::<Entitlement>(leading)?
        {
            books.join(leading);
        }
        if books.balance.others > 0 {
            // One more page when something is given back: the one that gives at present.
            self.queue(books, change.max(Quantity::ONE))?;
            if change.is_negative() {
                // Those that are used up gave before it; then whoever gave anything at all.
                let used_up = in_line(&books.meter, false).newest_by(TURN);
                self.givers(books, used_up, Quantity::ZERO, change)?;
                let given = books.given();
                self.givers(books, in_line(&books.meter, true).newest_by(TURN), given, change)?;
            }
        }
        books.burn();
        Ok(())
    }

    /// Lets those of a line take part until they gave, on top of `given`, what goes back.
    fn givers(
        &self,
        books: &mut Settlement,
        line: Query,
        given: Quantity,
        change: Quantity,
    ) -> Result<()> {
        let mut query = line.limit(LINE);
        let mut left = change.millionths().saturating_add(given.millionths());
        while left < 0 {
            let next = self.find::<Entitlement>(&query)?;
            let Some(last) = next.last() else { break };
            query.after = Some(query.cursor(&last.to_row()));
            for it in next {
                left = left.saturating_add(it.used_amount.millionths());
                books.join(it);
            }
        }
        Ok(())
    }

    /// Lets those with something left take part, in their order, until they have `quantity`.
    fn queue(&self, books: &mut Settlement, quantity: Quantity) -> Result<()> {
        let mut query = in_line(&books.meter, true).oldest_by(TURN).limit(LINE);
        let mut found = Some(Quantity::ZERO);
        while found.is_some_and(|found| found < quantity) {
            let next = self.find::<Entitlement>(&query)?;
            let Some(last) = next.last() else { break };
            query.after = Some(query.cursor(&last.to_row()));
            for it in next {
                let id = it.id;
                books.join(it);
                let room = match books.get(id) {
                    Some(it) if it.in_use => it.remaining_amount,
                    _ => Some(Quantity::ZERO),
                };
                found = found.zip(room).map(|(found, room)| whole(found, room));
            }
        }
        Ok(())
    }

    /// Moves entitlements, holds and the meter on to the present.
    pub(crate) fn move_on(&self, settled: &mut Settled) -> Result<()> {
        let Settled { books, barred, lapsed, .. } = settled;
        let now = books.now;
        let has_others = books.balance.others > 0;
        if has_others {
            let due = of(&books.meter).filter(NEXT_CHANGE, Op::Le, &now);
            self.each::<Entitlement>(due, |it| {
                books.join(it);
                Ok(())
            })?;
        }
        books.move_on();
        self.lead(books)?;
        let ahead = UsageWindowId::of(books.meter.id, books.meter.window_start);
        if books.closed.is_some()
            && books.meter.used == Quantity::ZERO
            && let Some(ahead) = self.get::<UsageWindow>(ahead)?
        {
            // The new window begins with the usage that was ahead of the clock.
            books.meter.used = ahead.used;
            self.burn(books)?;
            books.move_on();
            self.lead(books)?;
        }
        let uncovered = books.uncovered();
        if uncovered.is_positive() && books.balance.room_is_left() {
            if books.balance.others > 0 {
                self.queue(books, uncovered)?;
            }
            books.cover();
            books.move_on();
        }
        let mut next = Vec::new();
        if books.balance.others > 0 {
            let later = of(&books.meter).filter(NEXT_CHANGE, Op::Gt, &now).oldest_by(NEXT_CHANGE);
            next.extend(self.first::<Entitlement>(later)?.and_then(|it| it.next_change));
        }
        if books.meter.held.is_positive() {
            let open = Query::all().eq(HOLD_METER, &books.meter.id);
            let open = open.eq(HOLD_STATUS, &HoldStatus::Open);
            self.each::<Hold>(open.clone().filter(EXPIRES_AT, Op::Le, &books.clock), |hold| {
                if lapsed.iter().all(|known| known.id != hold.id) {
                    books.meter.held = books.meter.held.beyond(hold.quantity);
                    lapsed.push(hold);
                }
                Ok(())
            })?;
            let later = open.filter(EXPIRES_AT, Op::Gt, &books.clock).oldest_by(EXPIRES_AT);
            next.extend(self.first::<Hold>(later)?.map(|hold| hold.expires_at));
        }
        self.conclude(books, *barred, next.into_iter().min())
    }

    /// Finds the entitlement that leads.
    fn lead(&self, books: &mut Settlement) -> Result<()> {
        let base = books.base();
        let is_based = books.get(base).is_some_and(|it| it.in_use);
        if !is_based && books.balance.others > 0 {
            for has_room in [true, false] {
                let line = in_line(&books.meter, has_room).oldest_by(TURN);
                if let Some(first) = self.first_other(books, line)? {
                    books.join(first);
                }
            }
        }
        let leading = books.first();
        books.lead(leading);
        Ok(())
    }

    /// The first of a line that does not take part: those that do may no longer be what is stored.
    fn first_other(&self, books: &Settlement, line: Query) -> Result<Option<Entitlement>> {
        let mut query = line.limit(LINE);
        loop {
            let page = self.find::<Entitlement>(&query)?;
            let Some(last) = page.last() else { return Ok(None) };
            query.after = Some(query.cursor(&last.to_row()));
            if let Some(other) = page.into_iter().find(|it| !books.knows(it.id)) {
                return Ok(Some(other));
            }
        }
    }

    /// Writes on the meter what checks need.
    fn conclude(
        &self,
        books: &mut Settlement,
        barred: Option<DenialReason>,
        next: Option<OffsetDateTime>,
    ) -> Result<()> {
        if books.balance.usable > 0 {
            books.conclude(barred, None, next);
            let leading = books.balance.leading.and_then(|id| books.get(id));
            books.meter.valid_until = if books.balance.endless > 0 {
                None
            } else if books.balance.others > 0 {
                let last = of(&books.meter).eq(IN_USE, &true).newest_by(VALID_UNTIL);
                let stored = self.first_other(books, last)?.and_then(|it| it.valid_until);
                stored.max(books.valid_until())
            } else {
                leading.and_then(|it| it.valid_until)
            };
            return Ok(());
        }
        // Nothing can be used: what is shown is what there was.
        let query = of(&books.meter).limit(SHOWN);
        let mut grants = self.find::<Entitlement>(&query)?;
        books.overlay(&mut grants);
        let shown = allowance(barred, &grants, books.now);
        books.conclude(barred, shown.denial, next);
        let meter = &mut books.meter;
        (meter.limit, meter.included) = (shown.limit, shown.included);
        meter.ceiling = shown.limit.or(meter.ceiling);
        meter.valid_until = shown.valid_until;
        meter.reset_at = meter.window_end;
        meter.config = Some(shown.config).filter(|config| !config.is_empty());
        Ok(())
    }
}

/// The usable entitlements behind a meter, with or without anything left.
fn in_line(meter: &Meter, has_room: bool) -> Query {
    let query = of(meter).eq(HAS_ROOM, &has_room);
    query.filter(TURN, Op::Ne, &None::<String>)
}

/// The entitlements behind a meter.
fn of(meter: &Meter) -> Query {
    Query::all().eq(CUSTOMER, &meter.customer_id).eq(FEATURE, &meter.feature_code)
}

impl Tx<'_> {
    /// Keeps what a settlement came to. `before` is the meter as it is stored, if it is.
    pub(crate) fn keep_settled(
        &mut self,
        settled: &mut Settled,
        before: Option<&Meter>,
    ) -> Result<()> {
        let Settled { books, lapsed, kept, .. } = settled;
        if before != Some(&books.meter) {
            self.put(&books.meter)?;
        }
        if kept.as_ref() != Some(&books.balance) {
            self.put(&books.balance)?;
            *kept = Some(books.balance.clone());
        }
        let (changed, gone) = books.changed();
        for entitlement in changed {
            self.put(entitlement)?;
        }
        for id in gone {
            self.delete::<Entitlement>(id)?;
        }
        for burn in books.burns(self.now()) {
            self.put(&burn)?;
        }
        for mut hold in std::mem::take(lapsed) {
            hold.status = HoldStatus::Expired;
            self.put(&hold)?;
            let data = json!({ "feature": hold.feature_code, "quantity": hold.quantity });
            self.announce("hold.expired", hold.id, hold.customer_id, data);
        }
        if let Some(closed) = books.closed.take() {
            self.record_closed(&books.meter, closed)?;
        }
        Ok(())
    }

    /// Replaces an entitlement, or takes it away, and brings its meter in line. Returns it as it is
    /// then.
    pub(crate) fn replace_entitlement(
        &mut self,
        customer: CustomerId,
        feature: &Code,
        barred: Option<DenialReason>,
        id: EntitlementId,
        new: Option<Entitlement>,
    ) -> Result<Option<Entitlement>> {
        let before = self.get::<Meter>(crate::domain::meter::MeterId::of(customer, feature))?;
        let now = self.now();
        let meter = before.clone().unwrap_or_else(|| Meter::new(customer, feature.clone(), now));
        // A clock that was set back does not open a window again.
        let now = if before.is_some() { now.max(meter.window_start) } else { now };
        let meter_is_fresh = meter.is_fresh(now);
        let mut settled = self.view().begin(meter, barred, now)?;
        self.view().burn(&mut settled.books)?;
        if !settled.books.knows(id)
            && let Some(known) = self.get::<Entitlement>(id)?
        {
            settled.books.join(known);
        }
        if !meter_is_fresh {
            // Windows that ended did so under what it was until now.
            self.view().move_on(&mut settled)?;
        }
        settled.books.edit(id, new);
        settled.books.is_new = before.is_none();
        self.view().move_on(&mut settled)?;
        let kept = settled.books.get(id).cloned();
        self.keep_settled(&mut settled, before.as_ref())?;
        Ok(kept)
    }
}
