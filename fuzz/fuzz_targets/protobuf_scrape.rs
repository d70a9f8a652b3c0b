//! Any bytes as a body of Prometheus's protobuf format: an error, or families whose samples can be read like those of a
//! text and whose histograms the store takes.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use streamflow_exposition::Event;
use streamflow_exposition::protobuf::{Families, Take};
use streamflow_tsdb::{Db, Labels, Options};

fuzz_target!(|input: (bool, bool, bool, &[u8])| {
    let (native, classic, convert, bytes) = input;
    let db = Db::in_memory(Options::default());
    let mut batch = db.batch();
    let mut samples = 0;
    for family in Families::new(bytes, Take { native, classic, convert }) {
        let Ok(family) = family else { break };
        for event in family.events() {
            let Event::Sample(sample) = event else { continue };
            let labels: Vec<_> = sample.labels().collect();
            assert_eq!(labels.first().map(|(name, _)| &**name), Some("__name__"), "{}", sample.series);
            for exemplar in &sample.exemplars {
                exemplar.labels().for_each(drop);
            }
            if let Some(histogram) = sample.histogram {
                assert!(native && histogram.check().is_ok());
                samples += 1;
                let series = Labels::new([("__name__", "h"), ("n", &samples.to_string())]);
                batch.add_histogram(&series, 1, Arc::clone(&histogram)).expect("it was checked");
            }
        }
    }
    assert_eq!(batch.commit().expect("there is memory").samples, samples);
});
