//! Both backends against the kit that authors of others use.

mod memory {
    tenure::conformance!(tenure::store::memory::MemoryStore::new());
}

#[cfg(feature = "sqlite")]
mod sqlite_in_memory {
    tenure::conformance!(tenure::store::sqlite::SqliteStore::in_memory().unwrap());
}

#[cfg(feature = "sqlite")]
mod sqlite_on_disk {
    use tenure::store::sqlite::{Durability, SqliteStore};

    tenure::conformance!(durable: |dir| {
        let options = SqliteStore::options().durability(Durability::Normal);
        options.open_or_create(dir.join("store.db")).unwrap()
    });
}
