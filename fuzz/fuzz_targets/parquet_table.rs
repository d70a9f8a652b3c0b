//! Any bytes between the magic words of a Parquet file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_dataset::TableFile;

const MAGIC: &[u8] = b"PAR1";

fuzz_target!(init: streamflow_fuzz::let_decoders_panic(), |bytes: &[u8]| {
    let mut file = if bytes.starts_with(MAGIC) { Vec::new() } else { MAGIC.to_vec() };
    file.extend_from_slice(bytes);
    if !file[MAGIC.len()..].ends_with(MAGIC) {
        file.extend_from_slice(MAGIC);
    }
    if streamflow_fuzz::has_many_rows(&file) {
        return;
    }
    if let Ok(table) = TableFile::from_bytes("fuzz", file) {
        streamflow_fuzz::count(table);
    }
});
