//! Any bytes as Prometheus's text format: an error, or samples whose labels begin with the metric's name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_exposition::{Event, Format, Parser};

fuzz_target!(|bytes: &[u8]| {
    for event in Parser::new(Format::Text, bytes) {
        if let Ok(Event::Sample(sample)) = event {
            assert_eq!(sample.labels().next().map(|(name, _)| name).as_deref(), Some("__name__"));
            assert!(sample.labels().count() <= bytes.len());
        }
    }
});
