//! Any bytes between the magic words of a Parquet file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_dataset::{Reading, TableFile};

fuzz_target!(|bytes: &[u8]| {
    let mut file = b"PAR1".to_vec();
    file.extend_from_slice(bytes);
    if !bytes.ends_with(b"PAR1") {
        file.extend_from_slice(b"PAR1");
    }
    let Ok(mut table) = TableFile::from_bytes("fuzz", file) else { return };
    let names = table.names().to_vec();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let reading = Reading { memory_bytes: 1 << 20, threads: 1, whole_rows: false, progress: &|_| {} };
    let _ = table.count(&names, &reading);
});
