//! Any text as `streamflow.toml`: an error that names it, or settings.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use streamflow::config::Config;

fuzz_target!(|text: &str| {
    let folder = tempfile::tempdir().expect("a folder for files");
    let path = folder.path().join("streamflow.toml");
    fs::write(&path, text).expect("a file");
    if let Err(error) = Config::load(Some(&path)) {
        assert!(format!("{error:#}").contains("streamflow.toml"));
    }
});
