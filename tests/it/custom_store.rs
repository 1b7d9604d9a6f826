//! The example of a backend keeps every promise: the kit, as an author of a backend uses it.

#[path = "../../examples/custom_store.rs"]
pub mod custom_store;

use custom_store::CustomStore;

tenure::conformance!(CustomStore::default());

/// The form for backends that can be reopened. What this store keeps is all in its memory, so the
/// same one is handed out again for the same folder.
mod reopened {
    use super::CustomStore;
    use std::collections::HashMap;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, LazyLock, Mutex, PoisonError};

    type Disk = Mutex<HashMap<PathBuf, Arc<CustomStore>>>;
    static DISK: LazyLock<Disk> = LazyLock::new(Disk::default);

    fn open(path: &Path) -> Arc<CustomStore> {
        assert!(path.parent().is_some_and(Path::is_dir), "each test has a folder of its own");
        let mut disk = DISK.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(disk.entry(path.to_owned()).or_default())
    }

    tenure::conformance!(durable: |dir| open(&dir.join("store")));
}
