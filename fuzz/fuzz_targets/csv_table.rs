//! Any bytes as a table: an error, or columns of as many rows each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_dataset::{Reading, TableFile};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut table) = TableFile::from_bytes("fuzz", bytes.to_vec()) else { return };
    let names = table.names().to_vec();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let reading = Reading { memory_bytes: 1 << 20, threads: 1, whole_rows: false, progress: &|_| {} };
    if let Ok(counted) = table.count(&names, &reading) {
        assert!(counted.columns.windows(2).all(|pair| pair[0].rows() == pair[1].rows()));
    }
});
