//! Any bytes as a chunk of samples: nothing, or columns of one length.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(samples) = streamflow_tsdb::fuzzing::chunk(bytes) {
        assert_eq!(samples.timestamps.len(), samples.values.len());
    }
});
