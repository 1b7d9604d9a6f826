//! The rules of grants as plainly as they can be said: whole units, seconds, every window on its
//! own, every use taken from the grants at once. Nothing here is fast.

/// Seconds since the story began.
pub type At = i64;

/// By how much a running window grows at the most when its boundaries move.
const SHIFT_MAX: At = 26 * 3_600;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Life,
    /// From the anchor, every so many seconds.
    Anchored(At),
    /// From the grant.
    Fixed(At),
    /// From the first use.
    FirstUse(At),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub kind: Kind,
    pub quantity: Option<i64>,
    /// At the most, at the least.
    pub rollover: Option<(i64, i64)>,
}

/// A window of a limit, and what was used in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    start: Option<At>,
    end: Option<At>,
    uses: Vec<i64>,
    carried: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Active,
    Suspended,
    Revoked,
    Expired,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    pub is_base: bool,
    pub priority: i64,
    pub made: At,
    pub anchor: At,
    pub from: Option<At>,
    pub until: Option<At>,
    pub status: Status,
    pub limits: Vec<Limit>,
    runs: Vec<Run>,
    in_use: bool,
}

impl Run {
    pub fn used(&self) -> i64 {
        self.uses.iter().sum()
    }

    fn there(&self, limit: &Limit) -> Option<i64> {
        limit.quantity.map(|quantity| quantity + self.carried)
    }

    fn left(&self, limit: &Limit) -> Option<i64> {
        self.there(limit).map(|there| (there - self.used()).max(0))
    }

    fn over(&self, limit: &Limit) -> i64 {
        self.there(limit).map_or(0, |there| (self.used() - there).max(0))
    }

    fn move_on(&mut self, limit: &Limit, grant: (At, At), now: At, debt: bool) {
        let (length, anchor) = match limit.kind {
            Kind::Life => {
                self.start.get_or_insert(now);
                self.end = None;
                return;
            }
            Kind::FirstUse(_) => {
                if self.end.is_none_or(|end| end <= now) {
                    *self = Self::default();
                }
                return;
            }
            Kind::Anchored(length) => (length, grant.0),
            Kind::Fixed(length) => (length, grant.1),
        };
        let start_at = |at: At| anchor + (at - anchor).div_euclid(length) * length;
        if self.start.is_none() {
            (self.start, self.end) = (Some(start_at(now)), Some(start_at(now) + length));
        }
        if now < self.start.unwrap() {
            return;
        }
        let mut ended = false;
        while let Some(end) = self.end.filter(|end| *end <= now) {
            let (left, over) = (self.left(limit).unwrap_or(0), self.over(limit));
            self.carried = limit.rollover.map_or(0, |(max, min)| left.max(min).min(max));
            self.uses = if debt { vec![over] } else { Vec::new() };
            (self.start, self.end) = (Some(end), Some(start_at(end) + length));
            ended = true;
        }
        // The boundaries may have moved; what was promised is not put off by much.
        let (end, promised) = (start_at(now) + length, self.end.unwrap_or(i64::MAX - SHIFT_MAX));
        if !ended && end <= promised + SHIFT_MAX {
            self.end = Some(end);
        }
    }
}

impl Grant {
    pub fn new(is_base: bool, made: At, anchor: At, limits: Vec<Limit>) -> Self {
        let runs = vec![Run::default(); limits.len()];
        let (from, until, status) = (None, None, Status::Active);
        Self {
            is_base,
            priority: 100,
            made,
            anchor,
            from,
            until,
            status,
            limits,
            runs,
            in_use: false,
        }
    }

    /// With other terms; what was used of it stays.
    pub fn becomes(&mut self, limits: Vec<Limit>) {
        self.runs.resize(limits.len(), Run::default());
        self.limits = limits;
    }

    pub fn holds(&self, now: At) -> bool {
        self.status == Status::Active
            && self.from.is_none_or(|from| from <= now)
            && self.until.is_none_or(|until| now < until)
    }

    pub const fn is_in_use(&self) -> bool {
        self.in_use
    }

    pub fn used(&self) -> i64 {
        self.runs[0].used()
    }

    fn each(&self) -> impl Iterator<Item = (&Limit, &Run)> {
        self.limits.iter().zip(&self.runs)
    }

    /// What its tightest limit leaves; none for any amount.
    pub fn left(&self) -> Option<i64> {
        self.each().filter_map(|(limit, run)| run.left(limit)).min()
    }

    fn over(&self) -> i64 {
        self.runs[0].over(&self.limits[0])
    }

    /// Whether the next use opens one of its windows.
    fn is_unopened(&self) -> bool {
        let is_first_use = |limit: &Limit| matches!(limit.kind, Kind::FirstUse(_));
        self.in_use && self.each().any(|(limit, run)| is_first_use(limit) && run.start.is_none())
    }

    /// Lower priority, earlier end of what is there, earlier grant.
    fn turn(&self) -> (i64, At, At) {
        let end = [self.until, self.runs[0].end].into_iter().flatten().min();
        (self.priority, end.unwrap_or(At::MAX), self.made)
    }

    fn move_on(&mut self, now: At, debt: bool) {
        self.in_use = self.holds(now);
        let begins = self.from.map_or(now, |from| from.max(self.made));
        let instants = match (self.runs[0].start.is_some(), begins <= now) {
            (true, _) => vec![now],
            (false, true) => vec![begins, now],
            (false, false) => Vec::new(),
        };
        for at in instants {
            for (limit, run) in self.limits.iter().zip(&mut self.runs) {
                run.move_on(limit, (self.anchor, self.made), at, debt);
            }
        }
    }

    fn consume(&mut self, quantity: i64, now: At) {
        for (limit, run) in self.limits.iter().zip(&mut self.runs) {
            if let (Kind::FirstUse(length), None) = (limit.kind, run.start) {
                (run.start, run.end) = (Some(now), Some(now + length));
            }
            run.uses.push(quantity);
        }
    }

    fn give_back(&mut self, quantity: i64) -> i64 {
        let given = quantity.min(self.used());
        if given == 0 {
            return 0;
        }
        for run in &mut self.runs {
            run.uses.push(-given.min(run.used()));
        }
        given
    }
}

/// What becomes of usage beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    Refused,
    Clamped,
    Counted,
}

/// What became of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Not,
    Committed(i64),
    Released,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hold {
    pub quantity: i64,
    pub until: At,
    pub is_open: bool,
    pub done: Done,
}

/// A customer's meter.
#[derive(Debug, Clone, PartialEq)]
pub struct Meter {
    pub beyond: Beyond,
    /// Whether what is beyond counts again in the next window.
    pub carries: bool,
    pub grants: Vec<Option<Grant>>,
    pub holds: Vec<Hold>,
    pub exists: bool,
    pub start: At,
    end: Option<At>,
    /// What was used in the running window, use by use.
    uses: Vec<i64>,
    /// What of it no grant gave.
    unclaimed: i64,
    leader: Option<usize>,
    /// What a base that was taken away had used, and until when that counts.
    left_behind: (i64, Option<At>),
    last: At,
}

impl Meter {
    pub fn new(beyond: Beyond, carries: bool) -> Self {
        Self {
            beyond,
            carries,
            grants: Vec::new(),
            holds: Vec::new(),
            exists: false,
            start: 0,
            end: None,
            uses: Vec::new(),
            unclaimed: 0,
            leader: None,
            left_behind: (0, None),
            last: At::MIN,
        }
    }

    pub fn used(&self) -> i64 {
        self.uses.iter().sum()
    }

    pub fn held(&self) -> i64 {
        self.holds.iter().filter(|it| it.is_open).map(|it| it.quantity).sum()
    }

    /// The time of the meter, which never goes back.
    fn time(&self, now: At) -> At {
        if self.exists { now.max(self.start).max(self.last) } else { now }
    }

    /// The places of the grants that can be used, in their order.
    fn order(&self) -> Vec<usize> {
        let usable = |place: &usize| self.grants[*place].as_ref().is_some_and(|it| it.in_use);
        let mut order: Vec<usize> = (0..self.grants.len()).filter(usable).collect();
        order.sort_by_key(|place| self.grants[*place].as_ref().map(|it| it.turn()));
        order
    }

    pub fn is_usable(&self) -> bool {
        self.grants.iter().flatten().any(|it| it.in_use)
    }

    /// How high usage may go; none for as high as it likes.
    fn ceiling(&self) -> Option<i64> {
        let usable = self.grants.iter().flatten().filter(|it| it.in_use);
        usable.map(Grant::left).sum::<Option<i64>>().map(|left| left + self.used())
    }

    pub fn remaining(&self) -> Option<i64> {
        self.ceiling().map(|ceiling| (ceiling - self.held() - self.used()).max(0))
    }

    fn at(&mut self, place: usize) -> &mut Grant {
        self.grants[place].as_mut().unwrap()
    }

    /// Moves everything on to `now`.
    pub fn settle(&mut self, now: At) {
        let clock = now;
        let now = self.time(now);
        self.last = now;
        for grant in self.grants.iter_mut().flatten() {
            grant.move_on(now, self.carries);
        }
        self.lead(now);
        self.cover(now);
        for hold in self.holds.iter_mut().filter(|it| it.until <= clock.max(self.start)) {
            hold.is_open = false;
        }
    }

    /// Moves everything on if that makes a difference.
    pub fn catch_up(&mut self, now: At) {
        let mut next = self.clone();
        next.settle(now);
        let last = std::mem::replace(&mut next.last, self.last);
        if next != *self {
            next.last = last;
            *self = next;
        }
    }

    fn lead(&mut self, now: At) {
        let order = self.order();
        let base = order.iter().find(|place| self.grants[**place].as_ref().unwrap().is_base);
        self.leader = base.or(order.first()).copied();
        let main = self.leader.map(|it| self.at(it).runs[0].clone());
        if let Some(end) = self.end.filter(|end| *end <= now) {
            self.uses.clear();
            self.unclaimed = 0;
            self.left_behind = (0, None);
            self.start = main.as_ref().and_then(|it| it.start).map_or(end, |start| start.max(end));
            self.end = None;
        }
        if let Some(main) = main {
            if !self.exists {
                self.start = main.start.unwrap_or(now);
            }
            self.end = main.end;
        } else if !self.exists {
            self.start = now;
        }
        self.exists = true;
    }

    /// What was used beyond limits is taken from whatever has something left.
    fn cover(&mut self, now: At) {
        let over = self.leader.map_or(0, |it| self.at(it).over());
        let mut left = over + self.unclaimed;
        if !self.carries && self.beyond == Beyond::Counted || left == 0 {
            return;
        }
        let before = left;
        for place in self.order() {
            let part = self.at(place).left().map_or(left, |room| room.min(left));
            if part > 0 {
                self.at(place).consume(part, now);
                left -= part;
            }
        }
        let covered = before - left;
        let back = (covered - self.unclaimed).max(0);
        self.unclaimed = (self.unclaimed - covered).max(0);
        if let Some(leader) = self.leader {
            self.at(leader).give_back(back);
        }
    }

    fn count(&mut self, quantity: i64, now: At) {
        self.uses.push(quantity);
        if quantity < 0 {
            return self.give_back(-quantity);
        }
        let mut left = quantity;
        for place in self.order() {
            let part = self.at(place).left().map_or(left, |room| room.min(left));
            if part > 0 {
                self.at(place).consume(part, now);
                left -= part;
            }
        }
        match self.leader {
            Some(leader) if left > 0 => self.at(leader).consume(left, now),
            _ => self.unclaimed += left,
        }
    }

    fn give_back(&mut self, quantity: i64) {
        let unclaimed = self.unclaimed.min(quantity);
        self.unclaimed -= unclaimed;
        let mut left = quantity - unclaimed;
        if let Some(leader) = self.leader {
            let over = self.at(leader).over();
            left -= self.at(leader).give_back(left.min(over));
        }
        for place in self.order().into_iter().rev() {
            left -= self.at(place).give_back(left);
        }
    }

    /// How much of `quantity` may be used, at a past instant if that is said; `freed` is what was
    /// held for it.
    fn admits(&self, quantity: i64, at: Option<At>, freed: i64) -> Option<i64> {
        let (mut usable, mut ceiling) = (self.is_usable(), self.ceiling());
        if let Some(at) = at {
            let then: Vec<&Grant> =
                self.grants.iter().flatten().filter(|it| it.holds(at)).collect();
            if !usable {
                ceiling = then.iter().map(|it| it.limits[0].quantity).sum();
            }
            usable = !then.is_empty();
        }
        let Some(ceiling) = ceiling.filter(|_| self.beyond != Beyond::Counted) else {
            return Some(quantity).filter(|_| usable);
        };
        let room = (ceiling - (self.held() - freed)).max(0) - self.used();
        match self.beyond {
            _ if !usable => None,
            _ if quantity <= room => Some(quantity),
            Beyond::Clamped => Some(room).filter(|room| *room > 0),
            _ => None,
        }
    }

    /// Counts usage; returns how much was.
    pub fn track(&mut self, quantity: i64, at: Option<At>, now: At) -> Option<i64> {
        if !self.exists {
            return None;
        }
        self.catch_up(now);
        let counted = self.admits(quantity, at, 0)?;
        let opens = self.grants.iter().flatten().any(Grant::is_unopened);
        self.count(counted, self.time(now));
        if opens {
            self.settle(now);
        }
        Some(counted)
    }

    /// Sets usage to a value, or corrects it by a difference.
    pub fn correct(&mut self, to: Option<i64>, by: i64, now: At) -> Option<()> {
        if !self.exists {
            return None;
        }
        self.settle(now);
        let by = to.map_or(by, |to| to - self.used());
        if self.used() + by < 0 {
            return None;
        }
        self.count(by, self.time(now));
        self.settle(now);
        Some(())
    }

    pub fn reserve(&mut self, quantity: i64, ttl: At, now: At) -> Option<()> {
        if !self.exists {
            return None;
        }
        self.catch_up(now);
        self.admits(quantity, None, 0).filter(|it| *it == quantity)?;
        let until = now + ttl;
        self.holds.push(Hold { quantity, until, is_open: true, done: Done::Not });
        Some(())
    }

    pub fn commit(&mut self, place: usize, actual: i64, now: At) -> Option<()> {
        let hold = self.holds[place];
        match hold.done {
            Done::Released => return None,
            Done::Committed(first) => return Some(()).filter(|()| first == actual),
            Done::Not => {}
        }
        let freed =
            if hold.is_open && now.max(self.start) < hold.until { hold.quantity } else { 0 };
        self.catch_up(now);
        let counted = if actual <= freed {
            actual
        } else {
            self.admits(actual, None, if self.holds[place].is_open { freed } else { 0 })?
        };
        if actual > 0 {
            let opens = self.grants.iter().flatten().any(Grant::is_unopened);
            self.count(counted, self.time(now));
            if opens {
                self.settle(now);
            }
        }
        self.holds[place].is_open = false;
        self.holds[place].done = Done::Committed(actual);
        Some(())
    }

    pub fn release(&mut self, place: usize, now: At) -> Option<()> {
        match self.holds[place].done {
            Done::Committed(_) => return None,
            Done::Released => return Some(()),
            Done::Not if !self.holds[place].is_open => return Some(()),
            Done::Not => {}
        }
        self.catch_up(now);
        if self.holds[place].is_open {
            self.holds[place].is_open = false;
            self.holds[place].done = Done::Released;
        }
        Some(())
    }

    pub fn grant(&mut self, grant: Grant, now: At) -> usize {
        if self.exists {
            self.settle(now);
        }
        self.grants.push(Some(grant));
        self.settle(now);
        self.grants.len() - 1
    }

    /// Changes a grant, under the terms of which everything happened until now.
    pub fn edit(&mut self, place: usize, now: At, change: impl FnOnce(&mut Grant)) {
        self.settle(now);
        change(self.at(place));
        self.settle(now);
    }

    /// Gives the base back, which was taken away.
    pub fn restore(&mut self, place: usize, mut base: Grant, now: At) {
        if self.exists {
            self.settle(now);
        }
        let now = self.time(now);
        let (used, until) = std::mem::take(&mut self.left_behind);
        base.move_on(now, self.carries);
        if used > 0 && until.is_none_or(|until| now < until) {
            base.consume(used, now);
        }
        self.grants[place] = Some(base);
        self.settle(now);
    }

    pub fn remove(&mut self, place: usize, now: At) {
        self.settle(now);
        if let Some(base) = self.grants[place].take() {
            self.left_behind = (base.used(), base.runs[0].end);
        }
        self.settle(now);
    }

    pub fn tick(&mut self, now: At) {
        if !self.exists {
            return;
        }
        let is_over =
            |it: &Grant| it.status == Status::Active && it.until.is_some_and(|at| at <= now);
        for place in 0..self.grants.len() {
            if self.grants[place].as_ref().is_some_and(is_over) {
                self.edit(place, now, |grant| grant.status = Status::Expired);
            }
        }
        self.catch_up(now);
    }
}
