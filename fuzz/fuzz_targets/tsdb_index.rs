//! Any bytes as the index of a block, and as its sections behind their checksums.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = streamflow_tsdb::fuzzing::index(bytes);
});
