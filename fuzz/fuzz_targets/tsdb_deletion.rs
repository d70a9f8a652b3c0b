//! Any bytes as the tombstones of a block, and as a deletion that is being done.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = streamflow_tsdb::fuzzing::deletion(bytes);
});
