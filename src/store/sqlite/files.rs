//! What is done with a store's files besides SQL: where they are looked for, named and removed.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// A place where files are, the file system as a rule. A VFS of the host whose files are elsewhere
/// has one of its own.
#[doc(hidden)]
pub trait Files: Debug + Send + Sync {
    /// The length of the file at `path` in bytes, or `None` where one could be.
    fn length(&self, path: &Path) -> Result<Option<u64>>;
    /// Names the file at `draft` `path` as well, durably, if no file is called so.
    fn name(&self, draft: &Path, path: &Path) -> Result<()>;
    /// Removes a file, if there is one.
    fn remove(&self, path: &Path) -> Result<()>;
    /// What the file at `path` holds, nothing if there is none.
    fn read(&self, path: &Path) -> Result<Vec<u8>>;
    /// A file that can be written at any place, made if there is none, for those who may write
    /// `like`.
    fn write(&self, path: &Path, like: &Path) -> Result<Box<dyn WriteAt>>;
}

/// A file that is open for writing.
#[doc(hidden)]
pub trait WriteAt: Debug + Send {
    /// Hands `bytes` to the operating system, without waiting for the disk.
    fn write_at(&self, bytes: &[u8], at: u64) -> Result<()>;
    /// Waits until the disk has it, its name included.
    fn sync(&self) -> Result<()>;
}

/// The file system.
#[derive(Debug)]
pub(super) struct FileSystem;

impl Files for FileSystem {
    fn length(&self, path: &Path) -> Result<Option<u64>> {
        match fs::metadata(path) {
            Ok(it) if it.is_file() => Ok(Some(it.len())),
            Ok(_) => Err(Error::new(ErrorKind::InvalidInput, "it is not a file")),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                path.parent().map_or(Ok(None), |it| fs::metadata(it).map(|_| None))
            }
            Err(error) => Err(error),
        }
    }

    fn name(&self, draft: &Path, path: &Path) -> Result<()> {
        match fs::hard_link(draft, path) {
            // Not every file system has hard links.
            Err(error) if error.kind() != ErrorKind::AlreadyExists && !path.exists() => {
                fs::rename(draft, path)?;
            }
            other => other?,
        }
        sync_names(path);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        fs::remove_file(path)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }

    fn write(&self, path: &Path, like: &Path) -> Result<Box<dyn WriteAt>> {
        let made = OpenOptions::new().write(true).create_new(true).open(path);
        if let (Ok(file), Ok(like)) = (&made, fs::metadata(like)) {
            // As SQLite does with its log: whoever may write the one may write the other.
            let _ = file.set_permissions(like.permissions());
        }
        match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Ok(Box::new(OpenOptions::new().write(true).open(path)?))
            }
            made => {
                sync_names(path);
                Ok(Box::new(made?))
            }
        }
    }
}

/// Makes a name as durable as its file. Where a folder cannot be synced it need not be.
fn sync_names(path: &Path) {
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        let _ = folder.sync_all();
    }
}

impl WriteAt for File {
    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], at: u64) -> Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, at)
    }

    #[cfg(not(unix))]
    fn write_at(&self, bytes: &[u8], at: u64) -> Result<()> {
        use std::io::{Seek as _, SeekFrom, Write as _};
        let mut file = self;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }

    fn sync(&self) -> Result<()> {
        self.sync_data()
    }
}
