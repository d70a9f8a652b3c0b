//! Samples of the log as requests of remote write.

use std::collections::{BTreeMap, HashMap};

use streamflow_exposition::remote_write::{
    Exemplar, Label, MetricMetadata, NativeHistogram, Sample, TimeSeries, WriteRequest, family_of,
};
use streamflow_tsdb::{Labels, Value};

use super::endpoint::Endpoint;
use super::shards::{Item, Queued};
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

/// One request: the samples of a series together, in their order. Start timestamps are in version 2 alone, and are left out
/// unless `starts` is set.
pub fn request(queued: &[&Queued], starts: bool) -> WriteRequest {
    let mut places: HashMap<&Labels, usize> = HashMap::with_capacity(queued.len());
    let mut timeseries: Vec<TimeSeries> = Vec::with_capacity(queued.len());
    for Queued { labels, item, .. } in queued {
        let place = *places.entry(labels).or_insert_with(|| {
            timeseries.push(TimeSeries { labels: pairs(labels), ..TimeSeries::default() });
            timeseries.len() - 1
        });
        let series = &mut timeseries[place];
        match item {
            Item::Sample(sample) => {
                let start_timestamp = if starts { sample.start } else { 0 };
                let timestamp = sample.timestamp;
                match &sample.value {
                    Value::Float(value) => {
                        series.samples.push(Sample { value: *value, timestamp, start_timestamp });
                    }
                    Value::Histogram(histogram) => {
                        let message = NativeHistogram::of(histogram, timestamp);
                        series.histograms.push(NativeHistogram { start_timestamp, ..message });
                    }
                }
            }
            Item::Exemplar(exemplar) => series.exemplars.push(Exemplar {
                labels: pairs(&exemplar.labels),
                value: exemplar.value,
                timestamp: exemplar.timestamp_ms,
            }),
        }
    }
    WriteRequest { timeseries, ..WriteRequest::default() }
}

fn pairs(labels: &Labels) -> Vec<Label> {
    labels.iter().map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() }).collect()
}

/// What of the known families the series of a request are of, each once.
pub fn meanings(request: &WriteRequest, known: &HashMap<String, MetricMetadata>) -> Vec<MetricMetadata> {
    let mut found: BTreeMap<&str, &MetricMetadata> = BTreeMap::new();
    for series in &request.timeseries {
        let name = series.labels.iter().find(|label| label.name == "__name__");
        if let Some(metadata) = name.and_then(|name| family_of(&name.value, |family| known.get(family))) {
            found.insert(&metadata.metric_family_name, metadata);
        }
    }
    found.into_values().cloned().collect()
}
