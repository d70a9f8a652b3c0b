//! Any bytes as a chunk of aggregates.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The first byte says what a chunk holds.
    let bytes = [&[17], bytes].concat();
    let _ = streamflow_tsdb::fuzzing::aggregates(&bytes);
});
