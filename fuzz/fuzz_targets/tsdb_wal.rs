//! Any bytes as records of a write-ahead log or a checkpoint.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = streamflow_tsdb::fuzzing::wal(bytes);
});
