//! Any bytes as a chunk of samples: nothing, or columns of one length with the histograms that they name
//! and no or as many start timestamps.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(samples) = streamflow_tsdb::fuzzing::chunk(bytes) {
        assert_eq!(samples.timestamps.len(), samples.values.len());
        assert!(samples.starts.is_empty() || samples.starts.len() == samples.values.len());
        let named = samples.values.iter().filter(|value| samples.histogram(**value).is_some());
        assert_eq!(named.count(), samples.histograms.len());
    }
});
