//! Any bytes as OpenMetrics: an error, or samples and exemplars whose labels can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_exposition::{Event, Format, Parser};

fuzz_target!(|bytes: &[u8]| {
    for event in Parser::new(Format::OpenMetrics, bytes) {
        if let Ok(Event::Sample(sample)) = event {
            assert_eq!(sample.labels().next().map(|(name, _)| name).as_deref(), Some("__name__"));
            let exemplar = sample.exemplars.iter().map(|exemplar| exemplar.labels().count()).sum::<usize>();
            assert!(sample.labels().count() + exemplar <= bytes.len());
        }
    }
});
