//! Samples of the log as requests of remote write.

use std::collections::HashMap;

use streamflow_exposition::remote_write::{Label, NativeHistogram, Sample, TimeSeries, WriteRequest};
use streamflow_tsdb::{Labels, Value};

use super::endpoint::Endpoint;
use crate::relabeling::relabeled;

/// Series whose changed labels are remembered; all are forgotten beyond.
const REMEMBERED_MAX: usize = 100_000;

/// External labels and relabeling, worked out once a series.
#[derive(Debug, Default)]
pub struct Relabeler(HashMap<Labels, Option<Labels>>);

impl Relabeler {
    /// The labels to send, `None` for a series that is not sent.
    pub fn labels(&mut self, endpoint: &Endpoint, labels: &Labels) -> Option<Labels> {
        if let Some(known) = self.0.get(labels) {
            return known.clone();
        }
        if self.0.len() >= REMEMBERED_MAX {
            self.0.clear();
        }
        // Of two pairs with a name the later counts: the series' own.
        let all = Labels::new(endpoint.external_labels.iter().chain(labels.iter()));
        let sent = relabeled(&all, &endpoint.relabel).filter(|labels| !labels.is_empty());
        self.0.insert(labels.clone(), sent.clone());
        sent
    }
}

/// One request: the samples of a series together, in their order.
pub fn request(samples: &[(Labels, i64, Value)]) -> WriteRequest {
    let mut places: HashMap<&Labels, usize> = HashMap::with_capacity(samples.len());
    let mut timeseries: Vec<TimeSeries> = Vec::with_capacity(samples.len());
    for (labels, timestamp, value) in samples {
        let place = *places.entry(labels).or_insert_with(|| {
            let pairs =
                labels.iter().map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() });
            timeseries.push(TimeSeries { labels: pairs.collect(), ..TimeSeries::default() });
            timeseries.len() - 1
        });
        let (series, timestamp) = (&mut timeseries[place], *timestamp);
        match value {
            Value::Float(value) => series.samples.push(Sample { value: *value, timestamp }),
            Value::Histogram(histogram) => {
                series.histograms.push(NativeHistogram::of(histogram, timestamp));
            }
        }
    }
    WriteRequest { timeseries, ..WriteRequest::default() }
}
