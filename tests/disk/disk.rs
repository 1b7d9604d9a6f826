//! A disk that is simulated: files in memory, of which only what was synced is sure to outlive a
//! loss of power. What was not is kept, lost, torn or garbled by sectors, as a seed has it. Any single
//! call can be made to fail, and the power to go at any call that changes something.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::c_int;
use std::sync::{Arc, Mutex, MutexGuard};
use tenure::store::sqlite::rusqlite::ffi;

/// A result code of SQLite.
pub type Code = c_int;
pub type Answer<T> = Result<T, Code>;

/// What is written at once or not at all.
const SECTOR: usize = 512;
/// What SQLite asks to be shared between connections at a time.
pub const REGION: usize = 32_768;

/// The kinds of calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Open,
    Read,
    Write,
    Sync,
    Share,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The `nth` call of its kind fails with this code, and, if it lasts, all after it.
    Error { call: Call, nth: usize, code: Code, lasts: bool },
    /// The power goes at the `nth` call that changes something.
    PowerCut { nth: usize },
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

#[derive(Debug, Clone, Default)]
struct File {
    /// As everybody sees it.
    seen: Vec<u8>,
    /// As it was when it was synced.
    synced: Vec<u8>,
    /// What happened since.
    since: Vec<Change>,
    /// Whether syncing it syncs its name as well, as SQLite does with a new log.
    names: bool,
}

/// Memory that connections share. It lives as long as any of them.
pub type Region = Arc<[std::sync::atomic::AtomicU64]>;

#[derive(Debug, Default)]
struct Shared {
    regions: Vec<Region>,
    /// For each of the eight locks, who has it, and whether alone.
    locks: [BTreeMap<u64, bool>; 8],
}

#[derive(Debug, Default)]
struct State {
    files: HashMap<u64, File>,
    names: BTreeMap<String, u64>,
    synced_names: BTreeMap<String, u64>,
    shared: HashMap<u64, Shared>,
    /// What level of lock each handle has on its file.
    levels: HashMap<u64, BTreeMap<u64, c_int>>,
    next: u64,
    /// Counts the losses of power: what was open before one is of no use after it.
    life: u64,
    is_dead: bool,
    fault: Option<Fault>,
    was_hit: bool,
    calls: [usize; 5],
    changes: usize,
    seed: u64,
    lies: bool,
}

/// One disk. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

/// An open file.
#[derive(Debug)]
pub struct Handle {
    disk: Disk,
    file: u64,
    id: u64,
    life: u64,
    /// The regions that it was shown, so that they outlive the power.
    regions: Vec<Region>,
    /// Its name, if it goes with the handle.
    goes: Option<String>,
}

/// What a disk holds, by name.
pub type Image = BTreeMap<String, Vec<u8>>;

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The disk now holds `image`, all of it synced, and nothing goes wrong.
    pub fn load(&self, image: &Image, seed: u64) {
        let mut state = self.state();
        let (life, next) = (state.life + 1, state.next);
        *state = State { next, life, seed, ..State::default() };
        for (name, bytes) in image {
            let file = state.number();
            let bytes = bytes.clone();
            state
                .files
                .insert(file, File { synced: bytes.clone(), seen: bytes, ..File::default() });
            state.names.insert(name.clone(), file);
        }
        state.synced_names = state.names.clone();
    }

    /// What everybody sees.
    pub fn image(&self) -> Image {
        let state = self.state();
        let bytes = |file| state.files[file].seen.clone();
        state.names.iter().map(|(name, file)| (name.clone(), bytes(file))).collect()
    }

    /// Takes over what `other` holds, with what is not synced: as if its process had been killed.
    pub fn copy(&self, other: &Self) {
        let other = other.state();
        let (files, names) = (other.files.clone(), other.names.clone());
        let (synced_names, next, seed) = (other.synced_names.clone(), other.next, other.seed);
        drop(other);
        let mut state = self.state();
        let life = state.life + 1;
        let next = next.max(state.next);
        *state = State { files, names, synced_names, next, life, seed, ..State::default() };
    }

    /// From now on this goes wrong, counted from here.
    pub fn fail(&self, fault: Fault) {
        let mut state = self.state();
        state.calls = [0; 5];
        (state.changes, state.fault, state.was_hit) = (0, Some(fault), false);
    }

    /// Nothing goes wrong any more. Returns whether it did.
    pub fn heal(&self) -> bool {
        let mut state = self.state();
        state.fault = None;
        std::mem::take(&mut state.was_hit)
    }

    /// From now on it says that it has synced, and has not.
    pub fn lie(&self) {
        self.state().lies = true;
    }

    /// The power is gone, and comes back.
    pub fn lose_power(&self) {
        self.state().lose_power();
    }

    /// Opens the file called `name`, or one without a name.
    pub fn open(&self, name: Option<&str>, create: bool, log: bool, goes: bool) -> Answer<Handle> {
        let mut state = self.state();
        state.pass(Call::Open)?;
        let known = name.and_then(|name| state.names.get(name).copied());
        let file = match known {
            Some(file) => file,
            None if !create && name.is_some() => return Err(ffi::SQLITE_CANTOPEN),
            None => {
                let file = state.number();
                state.files.insert(file, File { names: log, ..File::default() });
                if let Some(name) = name {
                    state.names.insert(name.to_owned(), file);
                }
                file
            }
        };
        let goes = name.filter(|_| goes).map(str::to_owned);
        let (id, life) = (state.number(), state.life);
        Ok(Handle { disk: self.clone(), file, id, life, regions: Vec::new(), goes })
    }

    pub fn delete(&self, name: &str, sync: bool) -> Answer<()> {
        let mut state = self.state();
        let goes_out = state.change(Call::Write)?;
        if state.names.remove(name).is_none() {
            return Err(ffi::SQLITE_IOERR_DELETE_NOENT);
        }
        if goes_out {
            return Err(ffi::SQLITE_IOERR_DELETE);
        }
        if sync {
            state.synced_names = state.names.clone();
        }
        Ok(())
    }

    /// The length of the file called `name`.
    pub fn find(&self, name: &str) -> Answer<Option<usize>> {
        let mut state = self.state();
        state.pass(Call::Open)?;
        Ok(state.names.get(name).map(|file| state.files[file].seen.len()))
    }

    /// Gives a file a second name, durably, unless that is taken: then it says so.
    pub fn link(&self, from: &str, to: &str) -> Answer<bool> {
        let mut state = self.state();
        let goes_out = state.change(Call::Write)?;
        if state.names.contains_key(to) {
            return Ok(false);
        }
        let file = *state.names.get(from).ok_or(ffi::SQLITE_CANTOPEN)?;
        state.names.insert(to.to_owned(), file);
        if goes_out {
            return Err(ffi::SQLITE_IOERR);
        }
        state.synced_names = state.names.clone();
        Ok(true)
    }

    /// A number from the seed.
    pub fn random(&self) -> u64 {
        self.state().random()
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.random().is_multiple_of(many)
    }

    /// Lets a call through, unless it is to fail.
    fn pass(&mut self, call: Call) -> Answer<()> {
        if self.is_dead {
            return Err(ffi::SQLITE_IOERR);
        }
        let count = &mut self.calls[call as usize];
        *count += 1;
        let count = *count;
        match self.fault {
            Some(Fault::Error { call: which, nth, code, lasts })
                if which == call && (count == nth || lasts && count > nth) =>
            {
                self.was_hit = true;
                Err(code)
            }
            _ => Ok(()),
        }
    }

    /// As [`pass`](Self::pass), for a call that changes something. Returns whether the power goes
    /// with it: then what it changes may have been changed.
    fn change(&mut self, call: Call) -> Answer<bool> {
        self.pass(call)?;
        self.changes += 1;
        let goes_out = self.fault == Some(Fault::PowerCut { nth: self.changes });
        self.was_hit |= goes_out;
        self.is_dead = goes_out;
        Ok(goes_out)
    }

    /// Nothing is open any more.
    fn forget(&mut self) {
        self.life += 1;
        self.is_dead = false;
        self.fault = None;
        self.shared.clear();
        self.levels.clear();
        let names: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|file, _| names.contains(file));
    }

    fn lose_power(&mut self) {
        // 0: what was not synced is lost; 1: it is kept; else each sector has its own fate.
        let way = self.random() % 4;
        let mut files: Vec<u64> = self.files.keys().copied().collect();
        files.sort_unstable();
        for file in files {
            let Some(mut it) = self.files.remove(&file) else { continue };
            for change in std::mem::take(&mut it.since) {
                match change {
                    _ if way == 0 => {}
                    Change::Cut(length) if way == 1 || self.one_in(2) => {
                        it.synced.resize(length, 0);
                    }
                    Change::Cut(_) => {}
                    Change::Write(at, bytes) => self.tear(&mut it.synced, at, &bytes, way),
                }
            }
            it.seen.clone_from(&it.synced);
            self.files.insert(file, it);
        }
        let all: BTreeSet<String> =
            self.names.keys().chain(self.synced_names.keys()).cloned().collect();
        for name in all {
            let (seen, synced) = (self.names.get(&name), self.synced_names.get(&name).copied());
            let keeps = seen.copied() == synced || way == 1 || way > 1 && self.one_in(2);
            match synced {
                _ if keeps => {}
                Some(file) => drop(self.names.insert(name, file)),
                None => drop(self.names.remove(&name)),
            }
        }
        self.synced_names = self.names.clone();
        self.forget();
    }

    /// Lets some sectors of a write come to be.
    fn tear(&mut self, to: &mut Vec<u8>, at: usize, bytes: &[u8], way: u64) {
        let keeps = way == 1 || self.one_in(3);
        let mut from = at;
        while from < at + bytes.len() {
            let until = ((from / SECTOR + 1) * SECTOR).min(at + bytes.len());
            let fate = if keeps { 0 } else { self.random() % 8 };
            if fate < 5 && to.len() < until {
                to.resize(until, 0);
            }
            match fate {
                0..4 => to[from..until].copy_from_slice(&bytes[from - at..until - at]),
                4 => to[from..until].fill_with(|| self.random().to_le_bytes()[0]),
                _ => {}
            }
            from = until;
        }
    }
}

impl Handle {
    /// The disk, if the power has not been gone since the file was opened.
    fn state(&self) -> Answer<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.life == self.life { Ok(state) } else { Err(ffi::SQLITE_IOERR) }
    }

    /// Reads as much as there is. Returns how much.
    pub fn read(&self, to: &mut [u8], at: usize) -> Answer<usize> {
        let mut state = self.state()?;
        state.pass(Call::Read)?;
        let seen = state.files.get(&self.file).map_or(&[][..], |file| &file.seen);
        let from = seen.get(at..).unwrap_or_default();
        let length = from.len().min(to.len());
        to[..length].copy_from_slice(&from[..length]);
        Ok(length)
    }

    pub fn write(&self, bytes: &[u8], at: usize) -> Answer<()> {
        let mut state = self.state()?;
        let change = state.change(Call::Write);
        // One that fails may have been done in part.
        let part = match change {
            Ok(_) => bytes.len(),
            Err(_) if state.is_dead => 0,
            Err(_) => {
                usize::try_from(state.random()).unwrap() % (bytes.len() + 1) / SECTOR * SECTOR
            }
        };
        if let Some(file) = state.files.get_mut(&self.file) {
            let end = at + part;
            if file.seen.len() < end {
                file.seen.resize(end, 0);
            }
            file.seen[at..end].copy_from_slice(&bytes[..part]);
            file.since.push(Change::Write(at, bytes[..part].to_vec()));
        }
        if change? { Err(ffi::SQLITE_IOERR_WRITE) } else { Ok(()) }
    }

    pub fn truncate(&self, length: usize) -> Answer<()> {
        let mut state = self.state()?;
        let goes_out = state.change(Call::Write)?;
        if let Some(file) = state.files.get_mut(&self.file) {
            file.seen.resize(length, 0);
            file.since.push(Change::Cut(length));
        }
        if goes_out { Err(ffi::SQLITE_IOERR_TRUNCATE) } else { Ok(()) }
    }

    pub fn sync(&self) -> Answer<()> {
        let mut state = self.state()?;
        let goes_out = state.change(Call::Sync)?;
        if goes_out || state.lies {
            return if goes_out { Err(ffi::SQLITE_IOERR_FSYNC) } else { Ok(()) };
        }
        let Some(file) = state.files.get_mut(&self.file) else { return Ok(()) };
        for change in std::mem::take(&mut file.since) {
            match change {
                Change::Cut(length) => file.synced.resize(length, 0),
                Change::Write(at, bytes) => {
                    let end = at + bytes.len();
                    if file.synced.len() < end {
                        file.synced.resize(end, 0);
                    }
                    file.synced[at..end].copy_from_slice(&bytes);
                }
            }
        }
        if std::mem::take(&mut file.names) {
            state.synced_names = state.names.clone();
        }
        Ok(())
    }

    pub fn length(&self) -> Answer<usize> {
        let mut state = self.state()?;
        state.pass(Call::Read)?;
        Ok(state.files.get(&self.file).map_or(0, |file| file.seen.len()))
    }

    /// Raises the lock on the file: 1 shared, 2 reserved, 3 pending, 4 exclusive.
    pub fn lock(&self, level: c_int) -> Answer<()> {
        let mut state = self.state()?;
        let levels = state.levels.entry(self.file).or_default();
        let own = levels.get(&self.id).copied().unwrap_or(0);
        let most = levels.iter().filter(|(id, _)| **id != self.id).map(|(_, level)| *level).max();
        let (others, busy) = (most.unwrap_or(0), Err(ffi::SQLITE_BUSY));
        let reached = match level {
            _ if own >= level => return Ok(()),
            1 if others >= 3 => return busy,
            2.. if others >= 2 => return busy,
            4 if others == 1 => 3,
            level => level,
        };
        levels.insert(self.id, reached);
        if reached == level { Ok(()) } else { busy }
    }

    /// Lowers the lock on the file.
    pub fn unlock(&self, level: c_int) {
        let Ok(mut state) = self.state() else { return };
        let levels = state.levels.entry(self.file).or_default();
        match levels.get_mut(&self.id) {
            Some(own) if *own > level && level > 0 => *own = level,
            Some(_) if level == 0 => drop(levels.remove(&self.id)),
            _ => {}
        }
    }

    pub fn is_reserved(&self) -> Answer<bool> {
        let mut state = self.state()?;
        Ok(state.levels.entry(self.file).or_default().values().any(|level| *level >= 2))
    }

    /// The memory that all who have the file open share.
    pub fn share(&mut self, number: usize, extend: bool) -> Answer<Option<Region>> {
        let mut state = self.state()?;
        state.pass(Call::Share)?;
        let regions = &mut state.shared.entry(self.file).or_default().regions;
        while extend && regions.len() <= number {
            regions.push((0..REGION / 8).map(|_| std::sync::atomic::AtomicU64::new(0)).collect());
        }
        let region = regions.get(number).cloned();
        drop(state);
        self.regions.extend(region.clone());
        Ok(region)
    }

    pub fn lock_shared(&self, range: std::ops::Range<usize>, alone: bool) -> Answer<()> {
        let mut state = self.state()?;
        state.pass(Call::Share)?;
        let locks = &mut state.shared.entry(self.file).or_default().locks[range];
        let clash = |others: &BTreeMap<u64, bool>| {
            others.iter().any(|(id, other)| *id != self.id && (alone || *other))
        };
        if locks.iter().any(clash) {
            return Err(ffi::SQLITE_BUSY);
        }
        for lock in locks {
            lock.insert(self.id, alone);
        }
        Ok(())
    }

    pub fn unlock_shared(&self, range: std::ops::Range<usize>) {
        if let Ok(mut state) = self.state() {
            for lock in &mut state.shared.entry(self.file).or_default().locks[range] {
                lock.remove(&self.id);
            }
        }
    }

    /// Gives up the shared memory; the last one takes it along.
    pub fn unshare(&self) {
        self.unlock_shared(0..8);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.unlock(0);
        self.unlock_shared(0..8);
        if let (Ok(mut state), Some(name)) = (self.state(), &self.goes) {
            state.names.remove(name);
        }
    }
}
