//! Any bytes between the magic words of a Parquet file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = b"PAR1".to_vec();
    file.extend_from_slice(bytes);
    if !bytes.ends_with(b"PAR1") {
        file.extend_from_slice(b"PAR1");
    }
    if let Ok(frame) = streamflow_dataset::read_bytes("fuzz", file) {
        assert!(frame.columns.iter().all(|column| column.values.len() == frame.rows));
    }
});
