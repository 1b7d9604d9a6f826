//! How consumption is taken from entitlements: in which order, how much of each, and how what is
//! given back returns.

use super::entitlement::{Entitlement, EntitlementStatus};
use super::quantity::Quantity;
use super::tally::{Tally, whole};
use super::window::{Frame, LimitWindow};
use std::fmt::Write as _;
use time::OffsetDateTime;

impl Entitlement {
    /// Its limits: that of its period first, then those over windows of their own.
    fn limits(&self) -> impl Iterator<Item = LimitWindow> {
        let cycle = self.reset_period.cycle();
        let main = LimitWindow::resetting(cycle, self.limit, self.rollover);
        std::iter::once(main).chain(self.windows.iter().cloned())
    }

    /// Calls `each` with every limit and its tally, of which there is then one for each.
    fn for_each(&mut self, mut each: impl FnMut(&LimitWindow, &mut Tally, Frame<'_>)) {
        let limits: Vec<LimitWindow> = self.limits().collect();
        self.tallies.resize_with(limits.len(), Tally::default);
        let (anchor, granted_at, zone) = (self.anchor, self.created_at, &self.time_zone);
        for (limit, tally) in limits.iter().zip(&mut self.tallies) {
            each(limit, tally, Frame { anchor, granted_at, zone });
        }
    }

    /// Takes over what was used of `was`, limit by limit: of the same windows wherever they are named
    /// now, else of what was named in the same place.
    pub(crate) fn inherit(&mut self, was: &Self) {
        let known = was.with_tallies().skip(1);
        let mut known: Vec<_> = known.map(|(limit, tally)| (limit, Some(tally.clone()))).collect();
        let same = |limit: &LimitWindow| {
            let mut free = known.iter_mut().filter(|(_, tally)| tally.is_some());
            free.find(|(it, _)| it.is_over_the_same(limit))?.1.take()
        };
        let mut found: Vec<Option<Tally>> = self.windows.iter().map(same).collect();
        for (tally, (_, left)) in found.iter_mut().zip(&mut known) {
            *tally = tally.take().or_else(|| left.take());
        }
        let main = was.tallies.first().cloned();
        self.tallies = std::iter::once(main).chain(found).map(Option::unwrap_or_default).collect();
    }

    fn with_tallies(&self) -> impl Iterator<Item = (LimitWindow, &Tally)> {
        self.limits().zip(&self.tallies)
    }

    fn frame(&self) -> Frame<'_> {
        Frame { anchor: self.anchor, granted_at: self.created_at, zone: &self.time_zone }
    }

    /// What is left by its tightest limit; none for any amount.
    fn room(&self) -> Option<Quantity> {
        self.with_tallies().filter_map(|(limit, tally)| tally.room(&limit)).min()
    }

    /// What was used beyond the limit of its period.
    pub(crate) fn over(&self) -> Quantity {
        let main = self.with_tallies().next();
        main.map_or(Quantity::ZERO, |(limit, tally)| tally.over(&limit))
    }

    /// What was used beyond the limit that was passed the furthest.
    pub(crate) fn excess(&self) -> Quantity {
        let over = self.with_tallies().map(|(limit, tally)| tally.over(&limit));
        over.max().unwrap_or_default()
    }

    /// How much can be used of it in its period: the limit and what was carried into it. Without
    /// such a limit, that of the first further window that has one.
    pub(crate) fn offer(&self) -> Option<Quantity> {
        self.with_tallies()
            .find_map(|(limit, tally)| limit.limit().map(|limit| whole(limit, tally.carried)))
    }

    /// Moves its windows on to `now` and works out what that makes of it. `debt` is whether what was
    /// used beyond a limit counts again in the next window.
    pub(crate) fn move_on(&mut self, now: OffsetDateTime, debt: bool) {
        self.in_use = self.is_usable(now);
        let has_begun = self.tallies.first().is_some_and(|main| main.start.is_some());
        match self.valid_from.map(|from| from.max(self.created_at)).filter(|_| !has_begun) {
            // There are no windows of what does not hold yet, from which anything could be left.
            Some(from) if now < from => self.for_each(|_, _, _| {}),
            Some(from) => {
                self.for_each(|limit, tally, frame| tally.advance(limit, frame, from, debt));
                self.for_each(|limit, tally, frame| tally.advance(limit, frame, now, debt));
            }
            None => self.for_each(|limit, tally, frame| tally.advance(limit, frame, now, debt)),
        }
        self.take_stock(now);
    }

    /// Works out what follows from the tallies.
    fn take_stock(&mut self, now: OffsetDateTime) {
        let main = self.tallies.first().cloned().unwrap_or_default();
        self.used_amount = main.used;
        (self.last_reset_at, self.reset_at) = (main.start, main.end);
        self.remaining_amount = self.room();
        self.has_room = self.in_use && self.remaining_amount.is_none_or(Quantity::is_positive);
        self.turn = self.in_use.then(|| self.place());
        let over = matches!(self.status, EntitlementStatus::Revoked | EntitlementStatus::Expired);
        let validity = self.next_validity(now).filter(|_| !over);
        let frame = self.frame();
        let moves =
            self.with_tallies().filter_map(|(limit, tally)| tally.next_change(&limit, frame));
        self.next_change = moves.filter(|_| self.in_use).chain(validity).min();
    }

    /// Its place in the order, as text that sorts: lower priority number, earlier end of what is
    /// there now (never last), earlier grant.
    fn place(&self) -> String {
        const SIGN: u64 = 1 << 63;
        let micros = |at: OffsetDateTime| {
            let micros = at.unix_timestamp_nanos().div_euclid(1_000);
            i64::try_from(micros).unwrap_or(i64::MAX).cast_unsigned() ^ SIGN
        };
        let end = [self.valid_until, self.reset_at].into_iter().flatten().min();
        let end = end.map_or(u64::MAX, micros);
        let mut place = String::with_capacity(48);
        for part in [self.priority.cast_unsigned() ^ SIGN, end, micros(self.created_at)] {
            let _ = write!(place, "{part:016x}");
        }
        place
    }

    /// Whether the next use opens one of its windows.
    pub(crate) fn is_unopened(&self) -> bool {
        self.in_use && self.with_tallies().any(|(limit, tally)| tally.is_unopened(&limit))
    }

    /// When time alone next makes room in its tightest limit.
    pub(crate) fn relief(&self) -> Option<OffsetDateTime> {
        let frame = self.frame();
        let limited = self.with_tallies().filter_map(|(limit, tally)| {
            tally.room(&limit).map(|room| (room, tally.relief(&limit, frame)))
        });
        match limited.min_by_key(|(room, at)| (*room, std::cmp::Reverse(at.is_none()), *at)) {
            Some((_, at)) => at,
            None => self.reset_at,
        }
    }

    /// Counts consumption on each of its limits.
    pub(crate) fn consume(&mut self, quantity: Quantity, now: OffsetDateTime) {
        self.for_each(|limit, tally, frame| tally.count(limit, frame, quantity, now));
        self.take_stock(now);
    }

    /// Takes consumption back from each of its limits. Returns how much there was to take.
    pub(crate) fn give_back(&mut self, quantity: Quantity, now: OffsetDateTime) -> Quantity {
        let given = quantity.min(self.used_amount);
        self.for_each(|_, tally, _| tally.take_back(given));
        self.take_stock(now);
        given
    }
}
