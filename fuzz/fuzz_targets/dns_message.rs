//! Any bytes as the answer to a question of DNS: records, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let records = streamflow_prometheus::fuzzing::dns(bytes);
    // A record takes eleven bytes at least, and every byte is looked at for five types.
    assert!(records <= bytes.len() / 11 * 5);
});
