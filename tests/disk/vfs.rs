//! A [`Disk`] as SQLite and the store see it.
//!
//! SQLite calls through pointers, so this file, and it alone, needs `unsafe`. Each function turns what
//! it is given into safe types and leaves the rest to the disk.

#![allow(unsafe_code, unsafe_op_in_unsafe_fn, reason = "SQLite calls through pointers")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "sizes of small files"
)]

use crate::disk::{Answer, Code, Disk, Handle, REGION};
use ffi::{sqlite3_file, sqlite3_vfs};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use tenure::store::sqlite::rusqlite::ffi;
use tenure::store::sqlite::{Files, WriteAt};

/// What SQLite keeps of an open file.
#[repr(C)]
struct Open {
    base: sqlite3_file,
    handle: *mut Handle,
}

fn code(answer: Answer<()>) -> Code {
    answer.err().unwrap_or(ffi::SQLITE_OK)
}

unsafe fn disk<'a>(vfs: *mut sqlite3_vfs) -> &'a Disk {
    &*(*vfs).pAppData.cast::<Disk>()
}

unsafe fn handle<'a>(file: *mut sqlite3_file) -> &'a mut Handle {
    &mut *(*file.cast::<Open>()).handle
}

unsafe fn text(name: *const c_char) -> String {
    CStr::from_ptr(name).to_string_lossy().into_owned()
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    (*file).pMethods = std::ptr::null();
    let name = (!name.is_null()).then(|| text(name));
    let has = |flag| flags & flag != 0;
    let log = has(ffi::SQLITE_OPEN_WAL) || has(ffi::SQLITE_OPEN_MAIN_JOURNAL);
    let (create, goes) = (has(ffi::SQLITE_OPEN_CREATE), has(ffi::SQLITE_OPEN_DELETEONCLOSE));
    match disk(vfs).open(name.as_deref(), create, log, goes) {
        Err(code) => code,
        Ok(handle) => {
            if !out.is_null() {
                *out = flags;
            }
            (*file.cast::<Open>()).handle = Box::into_raw(Box::new(handle));
            (*file).pMethods = &raw const METHODS;
            ffi::SQLITE_OK
        }
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    drop(Box::from_raw((*file.cast::<Open>()).handle));
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut sqlite3_file, to: *mut c_void, n: c_int, at: i64) -> c_int {
    let to = std::slice::from_raw_parts_mut(to.cast::<u8>(), n as usize);
    match handle(file).read(to, at as usize) {
        Ok(length) if length == to.len() => ffi::SQLITE_OK,
        Ok(length) => {
            to[length..].fill(0);
            ffi::SQLITE_IOERR_SHORT_READ
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    n: c_int,
    at: i64,
) -> c_int {
    let from = std::slice::from_raw_parts(from.cast::<u8>(), n as usize);
    code(handle(file).write(from, at as usize))
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: i64) -> c_int {
    code(handle(file).truncate(length as usize))
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    code(handle(file).sync())
}

unsafe extern "C" fn size(file: *mut sqlite3_file, out: *mut i64) -> c_int {
    code(handle(file).length().map(|length| *out = length as i64))
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    code(handle(file).lock(level))
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    handle(file).unlock(level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn is_reserved(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    code(handle(file).is_reserved().map(|reserved| *out = c_int::from(reserved)))
}

unsafe extern "C" fn control(_: *mut sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector(_: *mut sqlite3_file) -> c_int {
    512
}

unsafe extern "C" fn traits(_: *mut sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn share(
    file: *mut sqlite3_file,
    number: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    assert_eq!(size as usize, REGION);
    *out = std::ptr::null_mut();
    code(handle(file).share(number as usize, extend != 0).map(|region| {
        if let Some(region) = region {
            *out = region.as_ptr().cast_mut().cast();
        }
    }))
}

unsafe extern "C" fn share_lock(
    file: *mut sqlite3_file,
    from: c_int,
    n: c_int,
    flags: c_int,
) -> c_int {
    let range = from as usize..(from + n) as usize;
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        handle(file).unlock_shared(range);
        return ffi::SQLITE_OK;
    }
    code(handle(file).lock_shared(range, flags & ffi::SQLITE_SHM_EXCLUSIVE != 0))
}

unsafe extern "C" fn barrier(_: *mut sqlite3_file) {
    std::sync::atomic::fence(Ordering::SeqCst);
}

unsafe extern "C" fn unshare(file: *mut sqlite3_file, _: c_int) -> c_int {
    handle(file).unshare();
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    code(disk(vfs).delete(&text(name), sync != 0))
}

unsafe extern "C" fn access(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    _: c_int,
    out: *mut c_int,
) -> c_int {
    code(disk(vfs).find(&text(name)).map(|found| *out = c_int::from(found.is_some())))
}

unsafe extern "C" fn full_name(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    n: c_int,
    out: *mut c_char,
) -> c_int {
    let name = CStr::from_ptr(name).to_bytes_with_nul();
    if name.len() > n as usize {
        return ffi::SQLITE_CANTOPEN;
    }
    std::ptr::copy_nonoverlapping(name.as_ptr().cast(), out, name.len());
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(vfs: *mut sqlite3_vfs, n: c_int, out: *mut c_char) -> c_int {
    let to = std::slice::from_raw_parts_mut(out.cast::<u8>(), n as usize);
    to.fill_with(|| disk(vfs).random().to_le_bytes()[0]);
    n
}

unsafe extern "C" fn sleep(_: *mut sqlite3_vfs, micros: c_int) -> c_int {
    micros
}

unsafe extern "C" fn time(_: *mut sqlite3_vfs, out: *mut i64) -> c_int {
    *out = 212_000_000_000_000;
    ffi::SQLITE_OK
}

unsafe extern "C" fn last_error(_: *mut sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(is_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector),
    xDeviceCharacteristics: Some(traits),
    xShmMap: Some(share),
    xShmLock: Some(share_lock),
    xShmBarrier: Some(barrier),
    xShmUnmap: Some(unshare),
    xFetch: None,
    xUnfetch: None,
};

/// Makes a disk known to SQLite, for as long as the program runs. Returns the name of its VFS.
pub fn register(disk: &Disk) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("disk-{}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let vfs = Box::new(sqlite3_vfs {
        iVersion: 2,
        szOsFile: size_of::<Open>() as c_int,
        mxPathname: 512,
        pNext: std::ptr::null_mut(),
        zName: CString::new(name.as_str()).unwrap().into_raw(),
        pAppData: Box::into_raw(Box::new(disk.clone())).cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_name),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: None,
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(time),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    });
    // SAFETY: the VFS is never freed, and neither is what it points to.
    let registered = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(vfs), 0) };
    assert_eq!(registered, ffi::SQLITE_OK);
    name
}

fn failed(code: Code) -> Error {
    let kind = if code == ffi::SQLITE_FULL { ErrorKind::StorageFull } else { ErrorKind::Other };
    Error::new(kind, format!("the disk answered {code}"))
}

impl Files for Disk {
    fn length(&self, path: &Path) -> std::io::Result<Option<u64>> {
        let found = self.find(&path.to_string_lossy()).map_err(failed)?;
        Ok(found.map(|length| length as u64))
    }

    fn name(&self, draft: &Path, path: &Path) -> std::io::Result<()> {
        match self.link(&draft.to_string_lossy(), &path.to_string_lossy()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(ErrorKind::AlreadyExists.into()),
            Err(code) => Err(failed(code)),
        }
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.delete(&path.to_string_lossy(), false).map_err(failed)
    }

    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        match self.find(&path.to_string_lossy()).map_err(failed)? {
            None => Ok(Vec::new()),
            Some(length) => {
                let mut bytes = vec![0; length];
                let file = self.open(Some(&path.to_string_lossy()), false, false, false);
                file.and_then(|file| file.read(&mut bytes, 0)).map_err(failed)?;
                Ok(bytes)
            }
        }
    }

    fn write(&self, path: &Path, _: &Path) -> std::io::Result<Box<dyn WriteAt>> {
        let file = self.open(Some(&path.to_string_lossy()), true, true, false).map_err(failed)?;
        Ok(Box::new(file))
    }
}

impl WriteAt for Handle {
    fn write_at(&self, bytes: &[u8], at: u64) -> std::io::Result<()> {
        self.write(bytes, at as usize).map_err(failed)
    }

    fn sync(&self) -> std::io::Result<()> {
        Self::sync(self).map_err(failed)
    }
}
