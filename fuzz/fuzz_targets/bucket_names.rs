//! Any bytes as a record of a bucket; any text as a location, a glob and a name in Hive's layout: what is taken leads
//! nowhere else, and is read again as it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_bucket::{Glob, Location, Record, partitions};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = Record::of_bytes(bytes) {
        for file in &record.files {
            let leads_elsewhere = |path: &str| path.split('/').any(|part| matches!(part, "" | "." | ".."));
            assert!(!leads_elsewhere(&file.path) && !leads_elsewhere(&file.key), "{file:?}");
        }
        assert_eq!(Record::of_bytes(&record.to_bytes()).as_ref(), Ok(&record));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(location) = Location::parse(text) {
        assert_eq!(Location::parse(&location.to_string()).ok().as_ref(), Some(&location));
    }
    partitions(text);
    let (pattern, path) = text.split_once('\n').unwrap_or((text, text));
    // The work grows with both lengths.
    if pattern.len() < 512 && path.len() < 512 {
        if let Some(glob) = Glob::parse(pattern) {
            glob.matches(path);
        }
    }
});
