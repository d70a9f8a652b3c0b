//! Remote write 2.0: `io.prometheus.write.v2.Request`, whose texts stand once in a table of symbols.

use std::collections::HashMap;

use prost::Message;

use super::{
    Label, Limits, MetricMetadata, NativeHistogram, Sample, TimeSeries, WriteRequest, compressed, family_of,
    unpacked,
};
use crate::error::Error;

/// What one request carries.
#[derive(Clone, PartialEq, Message)]
pub struct Request {
    /// Every text of the request; the first is empty.
    #[prost(string, repeated, tag = "4")]
    pub symbols: Vec<String>,
    /// Series with their samples.
    #[prost(message, repeated, tag = "5")]
    pub timeseries: Vec<Series>,
}

/// Samples of one series.
#[derive(Clone, PartialEq, Message)]
pub struct Series {
    /// Places of names and values in the table of symbols, in turn.
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: Vec<u32>,
    /// Sorted by time; a receiver checks.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    /// Sorted by time; a receiver checks.
    #[prost(message, repeated, tag = "3")]
    pub histograms: Vec<NativeHistogram>,
    /// Examples behind values.
    #[prost(message, repeated, tag = "4")]
    pub exemplars: Vec<Exemplar>,
    /// What the series' family means.
    #[prost(message, optional, tag = "5")]
    pub metadata: Option<Metadata>,
    /// When the counter began, milliseconds since 1970; 0 where that is not known.
    #[prost(int64, tag = "6")]
    pub created_timestamp: i64,
}

/// What a family means; its texts are places in the table of symbols.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Metadata {
    /// As [`MetricMetadata::kind`](super::MetricMetadata).
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// The help's place.
    #[prost(uint32, tag = "3")]
    pub help_ref: u32,
    /// The unit's place.
    #[prost(uint32, tag = "4")]
    pub unit_ref: u32,
}

/// An example behind a value.
#[derive(Clone, PartialEq, Message)]
pub struct Exemplar {
    /// As those of a series.
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: Vec<u32>,
    /// The example's value.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "3")]
    pub timestamp: i64,
}

/// Reads the body of a request, which the caller has bounded, as messages that own their texts; a receiver reads it as
/// [`Received`](super::Received).
///
/// # Errors
/// When the body is no snappy block, its content no `Request`, or one of the limits is passed.
pub fn decode(body: &[u8], limits: &Limits) -> Result<Request, Error> {
    let bytes = unpacked(body, limits)?;
    Request::decode(&*bytes).map_err(|error| Error::Protobuf(error.to_string()))
}

/// The body of a request with the samples and exemplars of one of version 1, what that says of their families, and the start
/// timestamps of their samples. A start that all samples of a series have stands beside them too, where Prometheus 3.5 reads it.
#[must_use]
pub fn encode(request: &WriteRequest) -> Vec<u8> {
    let mut table = Table::default();
    table.place("");
    let families: HashMap<&str, &MetricMetadata> =
        request.metadata.iter().map(|family| (family.metric_family_name.as_str(), family)).collect();
    let timeseries = request.timeseries.iter().map(|series| table.series(series, &families)).collect();
    compressed(&Request { symbols: table.texts, timeseries })
}

/// The start that all samples of a series have; 0 where they have none, or several.
fn created(series: &TimeSeries) -> i64 {
    let numbers = series.samples.iter().map(|sample| sample.start_timestamp);
    let mut starts = numbers.chain(series.histograms.iter().map(|histogram| histogram.start_timestamp));
    let first = starts.next().unwrap_or(0);
    if starts.all(|start| start == first) { first } else { 0 }
}

#[derive(Default)]
struct Table<'a> {
    texts: Vec<String>,
    places: HashMap<&'a str, u32>,
}

impl<'a> Table<'a> {
    fn series(&mut self, series: &'a TimeSeries, families: &HashMap<&str, &'a MetricMetadata>) -> Series {
        let name = series.labels.iter().find(|label| label.name == "__name__");
        let family = name.and_then(|name| family_of(&name.value, |family| families.get(family).copied()));
        Series {
            labels_refs: self.labels(&series.labels),
            samples: series.samples.clone(),
            histograms: series.histograms.clone(),
            exemplars: series
                .exemplars
                .iter()
                .map(|exemplar| Exemplar {
                    labels_refs: self.labels(&exemplar.labels),
                    value: exemplar.value,
                    timestamp: exemplar.timestamp,
                })
                .collect(),
            metadata: family.map(|family| Metadata {
                kind: family.kind,
                help_ref: self.place(&family.help),
                unit_ref: self.place(&family.unit),
            }),
            created_timestamp: created(series),
        }
    }

    fn labels(&mut self, labels: &'a [Label]) -> Vec<u32> {
        labels.iter().flat_map(|label| [&label.name, &label.value]).map(|text| self.place(text)).collect()
    }

    fn place(&mut self, text: &'a str) -> u32 {
        let next = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        *self.places.entry(text).or_insert_with(|| {
            self.texts.push(text.to_owned());
            next
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> WriteRequest {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        let series = |value: &str| TimeSeries {
            labels: vec![label("__name__", "up"), label("job", value)],
            samples: vec![Sample::new(5, 1.5), Sample::new(-1, 0.0)],
            ..TimeSeries::default()
        };
        WriteRequest { timeseries: vec![series("up"), series("ü")], ..WriteRequest::default() }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let limits = Limits::default();
        let decoded = decode(&encode(&request()), &limits).unwrap();
        assert_eq!(decoded.symbols, ["", "__name__", "up", "job", "ü"]);
        assert_eq!(
            decoded.timeseries.iter().map(|series| &series.labels_refs[..]).collect::<Vec<_>>(),
            [[1, 2, 3, 2], [1, 2, 3, 4]]
        );
        assert!(decoded.timeseries.iter().all(|series| series.samples == request().timeseries[0].samples));
    }

    #[test]
    fn exemplars_metadata_and_starts_go_along() {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        let sample = |timestamp, start_timestamp| Sample { value: 1.0, timestamp, start_timestamp };
        let exemplar = super::super::Exemplar { labels: vec![label("trace", "x")], value: 0.5, timestamp: 9 };
        let series = |name: &str, samples: Vec<Sample>| TimeSeries {
            labels: vec![label("__name__", name)],
            samples,
            exemplars: vec![exemplar.clone()],
            ..TimeSeries::default()
        };
        let family = MetricMetadata {
            kind: 1,
            metric_family_name: "sent".into(),
            help: "Texts.".into(),
            unit: String::new(),
        };
        let timeseries = vec![
            series("sent_total", vec![sample(5, 3), sample(6, 3)]),
            series("other", vec![sample(5, 3), sample(6, 4)]),
        ];
        let body = encode(&WriteRequest { timeseries, metadata: vec![family] });
        let limits = Limits::default();
        let decoded = decode(&body, &limits).unwrap();
        let text = |place: u32| decoded.symbols[place as usize].as_str();
        let [sent, other] = &decoded.timeseries[..] else { panic!("{decoded:?}") };
        assert_eq!((sent.created_timestamp, other.created_timestamp), (3, 0));
        assert_eq!(other.samples[1].start_timestamp, 4);
        let metadata = sent.metadata.unwrap();
        let texts = (text(metadata.help_ref), text(metadata.unit_ref));
        assert_eq!((metadata.kind, texts, other.metadata), (1, ("Texts.", ""), None));
        let [name, value] = sent.exemplars[0].labels_refs[..] else { panic!("{sent:?}") };
        assert_eq!((text(name), text(value)), ("trace", "x"));
        assert_eq!((sent.exemplars[0].value, sent.exemplars[0].timestamp), (0.5, 9));
    }

    /// Written out by hand from `types.proto` of the second version.
    #[test]
    fn the_wire_format_is_prometheus_s() {
        let sample = [&[0x09][..], &1.5_f64.to_le_bytes(), &[0x10, 0x05]].concat();
        let series = [&[0x0a, 2, 1, 2, 0x12, sample.len() as u8][..], &sample].concat();
        let bytes =
            [&[0x22, 0, 0x22, 1, b'a', 0x22, 1, b'b', 0x2a, series.len() as u8][..], &series].concat();
        let body = snap::raw::Encoder::new().compress_vec(&bytes).unwrap();
        let request = decode(&body, &Limits::default()).unwrap();
        assert_eq!(request.symbols, ["", "a", "b"]);
        assert_eq!(request.timeseries[0].labels_refs, [1, 2]);
        assert_eq!(request.timeseries[0].samples, [Sample::new(5, 1.5)]);
        assert_eq!(request.encode_to_vec(), bytes);
    }
}
