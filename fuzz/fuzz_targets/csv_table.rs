//! Any bytes as a table: an error or a frame whose columns are as long as it says.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = streamflow_dataset::read_bytes("fuzz", bytes.to_vec()) {
        assert!(frame.columns.iter().all(|column| column.values.len() == frame.rows));
    }
});
