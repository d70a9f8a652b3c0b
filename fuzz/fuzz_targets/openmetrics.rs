//! Any bytes as OpenMetrics: an error, or samples and exemplars whose labels can be read, and `_created` lines that leave every
//! other sample as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_exposition::{Created, Event, Format, MetricType, Parser};

fuzz_target!(|bytes: &[u8]| {
    let created = Created::of_text(bytes);
    let mut family = (String::new(), MetricType::Unknown);
    for event in Parser::new(Format::OpenMetrics, bytes) {
        if let Ok(Event::Type { family: name, kind }) = &event {
            family = (name.to_string(), *kind);
        }
        if let Ok(Event::Sample(sample)) = event {
            if let Some(started) = created.started(&family, sample.clone()) {
                assert_eq!(started.series, sample.series);
                assert!(started.start_ms.is_none() || Created::line(&family, &sample).is_none());
            }
            assert_eq!(sample.labels().next().map(|(name, _)| name).as_deref(), Some("__name__"));
            let exemplar = sample.exemplars.iter().map(|exemplar| exemplar.labels().count()).sum::<usize>();
            assert!(sample.labels().count() + exemplar <= bytes.len());
        }
    }
});
