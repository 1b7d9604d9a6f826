//! The anchor: how a store that lost its last commits is told from one that never had them.
//!
//! SQLite takes a write-ahead log that is missing, cut, or damaged for a shorter one, and opens what
//! is left as if nothing had happened. The file itself cannot know better. So the number of commits
//! that are durable is kept a second time, in a small file beside it, `customers.db-anchor`; a file
//! with fewer commits than its anchor is not opened.
//!
//! # Never a false alarm
//!
//! A commit is written to the anchor only after the disk has it, and is read from the anchor before
//! the file is. So an anchor is behind the file, or level with it, whatever is cut off when: a kill, a
//! loss of power, another process in between. It is not synced itself, which a commit would pay for:
//! after a loss of power it may be older than the file, and then shows less. A commit that the host
//! makes through its own connection, or that need not wait for the disk, is anchored by the next one
//! that does.
//!
//! # What is in it
//!
//! [`SLOTS`] slots of 32 bytes: the id of the store, the number of commits, a checksum. Commit n is in
//! slot n modulo [`SLOTS`], so that processes which write at the same time, in whatever order, leave
//! each other's alone; the highest number counts. A slot that is empty or torn says nothing. The first
//! is written, and synced, when a store is opened that has no anchor yet.

use super::errors::cannot_open;
use super::files::{Files, WriteAt};
use super::open::{beside, refused};
use crate::hash::fnv1a;
use crate::store::{Refusal, Result};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// How many numbers of commits are kept.
const SLOTS: usize = 8;
const SLOT: usize = 32;

/// The open anchor of a store.
#[derive(Debug)]
pub(super) struct Anchor {
    file: Box<dyn WriteAt>,
    id: Uuid,
}

/// What an anchor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchored {
    pub(super) id: Uuid,
    commits: u64,
}

impl Anchored {
    /// What is said of the file at `path`, if anything is.
    pub(super) fn read(files: &dyn Files, path: &Path) -> Result<Option<Self>> {
        let bytes = files.read(&place(path)).map_err(cannot_open)?;
        let slots = bytes.as_chunks::<SLOT>().0.iter().take(SLOTS).filter_map(parsed);
        Ok(slots.max_by_key(|it| it.commits))
    }

    /// Refuses the file with so many commits if it had more.
    pub(super) fn check(&self, path: &Path, commits: u64) -> Result<()> {
        if commits < self.commits {
            let (found, expected) = (commits, self.commits);
            return Err(refused(path, Refusal::Behind { found, expected }));
        }
        Ok(())
    }
}

impl Anchor {
    /// The anchor of the store `id` at `path`.
    pub(super) fn open(files: &dyn Files, path: &Path, id: Uuid) -> Result<Self> {
        let file = files.write(&place(path), path).map_err(cannot_open)?;
        Ok(Self { file, id })
    }

    /// Notes that so many commits are durable. A failure is nobody's: the commit is kept, and the
    /// next one is noted again.
    pub(super) fn note(&self, commits: u64) {
        let slots = SLOTS as u64;
        let at = commits.checked_rem(slots).unwrap_or(0).saturating_mul(SLOT as u64);
        let _ = self.file.write_at(&slot(self.id, commits), at);
    }

    /// Forgets every number, and says durably which store is here.
    pub(super) fn begin(&self) -> std::io::Result<()> {
        self.file.write_at(&[0; SLOTS * SLOT], 0)?;
        self.file.write_at(&slot(self.id, 0), 0)?;
        self.file.sync()
    }
}

/// Where the anchor of the file at `path` is: where SQLite has its log, links followed.
pub(super) fn place(path: &Path) -> PathBuf {
    let real = std::fs::canonicalize(path);
    beside(real.as_deref().unwrap_or(path), "-anchor")
}

fn slot(id: Uuid, commits: u64) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    let check = check(id, commits).to_le_bytes();
    let bytes = id.into_bytes().into_iter().chain(commits.to_le_bytes()).chain(check);
    slot.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    slot
}

fn parsed(slot: &[u8; SLOT]) -> Option<Anchored> {
    let (id, numbers) = slot.split_first_chunk::<16>()?;
    let (commits, check_) = numbers.split_first_chunk::<8>()?;
    let (id, commits) = (Uuid::from_bytes(*id), u64::from_le_bytes(*commits));
    let sound = !id.is_nil() && *check_ == check(id, commits).to_le_bytes();
    sound.then_some(Anchored { id, commits })
}

/// FNV-1a, with a last step that brings every bit everywhere.
fn check(id: Uuid, commits: u64) -> u64 {
    let bytes = id.into_bytes().into_iter().chain(commits.to_le_bytes());
    let sum = fnv1a(bytes);
    (sum ^ (sum >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::files::FileSystem;

    #[test]
    fn the_highest_number_counts_in_whatever_order_they_come() {
        let folder = tempfile::tempdir().unwrap();
        let (path, id) = (folder.path().join("a.db"), Uuid::from_u128(7));
        let said = || Anchored::read(&FileSystem, &path).unwrap();
        assert_eq!(said(), None);
        let (one, two) = (
            Anchor::open(&FileSystem, &path, id).unwrap(),
            Anchor::open(&FileSystem, &path, id).unwrap(),
        );
        assert_eq!(said(), None, "there is nothing in it yet");
        one.begin().unwrap();
        assert_eq!(said(), Some(Anchored { id, commits: 0 }));
        for commits in 1..40 {
            one.note(commits + 1);
            two.note(commits);
            assert_eq!(said(), Some(Anchored { id, commits: commits + 1 }));
        }
        // A process that slept for long takes one slot of eight with it.
        two.note(8);
        assert_eq!(said().unwrap().commits, 39);
        one.begin().unwrap();
        assert_eq!(said().unwrap().commits, 0);
    }

    #[test]
    fn a_slot_with_a_flipped_bit_says_nothing() {
        let sound = slot(Uuid::from_u128(7), 99);
        assert_eq!(parsed(&sound), Some(Anchored { id: Uuid::from_u128(7), commits: 99 }));
        for bit in 0..SLOT * 8 {
            let mut flipped = sound;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parsed(&flipped), None, "{bit}");
        }
        assert_eq!(parsed(&[0; SLOT]), None);
    }

    #[test]
    fn fewer_commits_are_refused() {
        let anchored = Anchored { id: Uuid::from_u128(7), commits: 5 };
        let why = |commits| match anchored.check(Path::new("a.db"), commits) {
            Err(crate::store::StoreError::Refused { why, .. }) => Some(why),
            _ => None,
        };
        assert_eq!(why(4), Some(Refusal::Behind { found: 4, expected: 5 }));
        assert_eq!((why(5), why(6)), (None, None));
    }
}
