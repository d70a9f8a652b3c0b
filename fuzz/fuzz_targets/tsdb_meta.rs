//! Any text as the facts of a block, its checksum set right.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = streamflow_tsdb::fuzzing::meta(text);
});
