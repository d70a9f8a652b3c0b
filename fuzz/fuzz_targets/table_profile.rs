//! Any text as a profile: an error or a profile that is written, read, merged and compared.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_drift::{DriftSettings, TableProfile, compare};

fuzz_target!(|text: &str| {
    let Ok(profile) = TableProfile::from_json(text) else { return };
    let written = profile.to_json();
    let read = TableProfile::from_json(&written).expect("what was written can be read");
    assert_eq!(read, profile);
    // Twice the rows may be too many.
    let _ = profile.clone().merge(read);
    let columns = profile.into_columns();
    compare(&columns, &columns, &DriftSettings::default()).expect("names are different and rows equal");
});
