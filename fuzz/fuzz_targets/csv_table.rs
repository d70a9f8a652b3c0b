//! Any bytes as a table: an error, or columns of as many rows each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_dataset::TableFile;

fuzz_target!(init: streamflow_fuzz::let_decoders_panic(), |bytes: &[u8]| {
    if let Ok(table) = TableFile::from_bytes("fuzz", bytes.to_vec()) {
        streamflow_fuzz::count(table);
    }
});
