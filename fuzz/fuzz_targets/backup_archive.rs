//! Any bytes as a backup in one file: an error, or a manifest whose files all have their place in a data directory.
#![no_main]

use std::fs;
use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use streamflow::keep::restore::Backup;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for files");
    let path = folder.path().join("backup.tar");
    fs::write(&path, bytes).expect("a file");
    let backup = match Backup::open(&path) {
        Ok(backup) => backup,
        Err(error) => return assert!(!format!("{error:#}").is_empty()),
    };
    for path in backup.manifest.files.keys() {
        assert!(Path::new(path).components().all(|part| matches!(part, Component::Normal(_))), "{path:?}");
    }
    let _ = backup.manifest.size_bytes();
    let _ = backup.config();
});
