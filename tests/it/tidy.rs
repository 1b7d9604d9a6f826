//! The layers stay apart: read from the sources themselves.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs")
                && path.file_name().is_none_or(|it| it != "tests.rs")
            {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// The lines of code of a source, without its comments and without its tests.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let body = text.split("#[cfg(test)]").next().unwrap_or_default();
    body.lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn assert_absent(folder: &str, words: &[&str]) {
    for (path, text) in sources(folder) {
        for line in code(&text) {
            for word in words {
                assert!(!line.contains(word), "{} has `{word}`: {line}", path.display());
            }
        }
    }
}

#[test]
fn the_domain_sees_no_store_no_clock_and_no_randomness() {
    let forbidden = [
        "crate::ops",
        "crate::tx",
        "crate::tenure",
        "crate::tables",
        "crate::store",
        "rusqlite",
        "std::fs",
        "std::net",
        "now_utc",
        "SystemTime",
        "Instant::now",
        "now_v7",
        "new_v4",
    ];
    assert_absent("src/domain", &forbidden);
}

#[test]
fn the_store_sees_no_domain() {
    assert_absent("src/store", &["crate::domain", "crate::ops", "crate::tx", "crate::tables"]);
}

#[test]
fn operations_speak_to_records_and_never_to_a_backend() {
    assert_absent("src/ops", &["rusqlite", "store::sqlite", "store::memory", "&mut dyn Writer"]);
}
