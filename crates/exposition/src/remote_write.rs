//! Remote write: a message in protobuf, compressed as one snappy block. Here is version 1.0, a `WriteRequest`; [`v2`]
//! has the other.
//!
//! The messages are the part of Prometheus's `prompb` that samples need.

mod fields;
mod histogram;
mod received;
pub mod v2;

pub use histogram::NativeHistogram;
pub use received::{Meaning, Pair, Received, Series};

use prost::Message;

use crate::error::Error;

/// What one request carries.
#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    /// Series with their samples.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
    /// What families mean.
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<MetricMetadata>,
}

/// Samples of one series.
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    /// Sorted by name, `__name__` among them; a receiver checks.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Sorted by time; a receiver checks.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    /// Examples behind values.
    #[prost(message, repeated, tag = "3")]
    pub exemplars: Vec<Exemplar>,
    /// Sorted by time; a receiver checks.
    #[prost(message, repeated, tag = "4")]
    pub histograms: Vec<NativeHistogram>,
}

/// A label.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Label {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A value at a time.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Sample {
    /// All bits count: a stale marker is a NaN of its own.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
    /// When the counter began, milliseconds since 1970; 0 where that is not known, and always in version 1.
    #[prost(int64, tag = "3")]
    pub start_timestamp: i64,
}

impl Sample {
    /// A value at a time, of which no start is known.
    #[must_use]
    pub fn new(timestamp: i64, value: f64) -> Self {
        Self { value, timestamp, start_timestamp: 0 }
    }
}

/// An example behind a value.
#[derive(Clone, PartialEq, Message)]
pub struct Exemplar {
    /// The example's labels.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// The example's value.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "3")]
    pub timestamp: i64,
}

/// What a family means.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct MetricMetadata {
    /// 0 unknown, 1 counter, 2 gauge, 3 histogram, 4 gaugehistogram, 5 summary, 6 info, 7 stateset.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// The family's name.
    #[prost(string, tag = "2")]
    pub metric_family_name: String,
    /// Its help.
    #[prost(string, tag = "4")]
    pub help: String,
    /// Its unit.
    #[prost(string, tag = "5")]
    pub unit: String,
}

/// What is known of the family of a series: that of its name, or of what its name begins with.
pub fn family_of<'k, T: ?Sized>(name: &str, known: impl Fn(&str) -> Option<&'k T>) -> Option<&'k T> {
    const SUFFIXES: [&str; 6] = ["_total", "_bucket", "_count", "_sum", "_created", "_info"];
    let stems = SUFFIXES.iter().filter_map(|suffix| name.strip_suffix(suffix));
    known(name).or_else(|| stems.into_iter().find_map(known))
}

/// How much one request may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the message after decompression.
    pub decoded_bytes: u64,
    /// Messages within the message: series, labels, samples, exemplars, metadata. Each takes more memory than bytes on
    /// the wire, so they are counted before any is made.
    pub messages: u64,
    /// Bytes of texts that the labels of version 2 name in all. They are held one series at a time.
    pub named_bytes: u64,
}

impl Default for Limits {
    /// Room for twenty times what Prometheus sends at most by default (2,000 samples a request); about 300 MB of
    /// memory at worst.
    fn default() -> Self {
        Limits { decoded_bytes: 32 << 20, messages: 2_000_000, named_bytes: 512 << 20 }
    }
}

/// Reads the body of a request, which the caller has bounded; takes memory only as `limits` allow.
///
/// # Errors
/// When the body is no snappy block, its content no `WriteRequest`, or one of the limits is passed.
pub fn decode(body: &[u8], limits: &Limits) -> Result<WriteRequest, Error> {
    let bytes = unpacked(body, limits)?;
    WriteRequest::decode(&*bytes).map_err(|error| Error::Protobuf(error.to_string()))
}

/// The message in a body, which the caller has bounded, for [`Received`].
///
/// # Errors
/// When the body is no snappy block, or its content larger than `limits` allow.
pub fn unpack(body: &[u8], limits: &Limits) -> Result<Vec<u8>, Error> {
    let snappy = |error: snap::Error| Error::Snappy(error.to_string());
    let length = snap::raw::decompress_len(body).map_err(snappy)? as u64;
    within("bytes after decompression", length, limits.decoded_bytes)?;
    snap::raw::Decoder::new().decompress_vec(body).map_err(snappy)
}

/// The message in a body, within the limits, those of its messages too.
pub(crate) fn unpacked(body: &[u8], limits: &Limits) -> Result<Vec<u8>, Error> {
    let bytes = unpack(body, limits)?;
    let mut messages = 0;
    count_messages(&bytes, LEVELS, &mut messages);
    within("messages in the request", messages, limits.messages)?;
    Ok(bytes)
}

/// The body of a request.
#[must_use]
pub fn encode(request: &WriteRequest) -> Vec<u8> {
    compressed(request)
}

pub(crate) fn compressed(message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    snap::raw::Encoder::new().compress_vec(&bytes).expect("a request is far below snappy's 4 GiB")
}

pub(crate) fn within(what: &'static str, found: u64, limit: u64) -> Result<(), Error> {
    if found > limit { Err(Error::TooLarge { what, found, limit }) } else { Ok(()) }
}

/// Down to the labels of exemplars.
const LEVELS: u8 = 3;

/// Counts the messages so many levels down. Ends quietly where the wire format does: the decoder then names the fault.
pub(crate) fn count_messages(bytes: &[u8], levels: u8, messages: &mut u64) -> Option<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        match key & 7 {
            0 => drop(varint(&mut rest)?),
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (content, behind) = rest.split_at_checked(length)?;
                *messages += 1;
                // Strings can look like messages: these are counted too, which only makes the count higher.
                if levels > 1 {
                    count_messages(content, levels - 1, messages);
                }
                rest = behind;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(())
}

pub(crate) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> WriteRequest {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        let stale = f64::from_bits(0x7ff0_0000_0000_0002);
        let samples = vec![Sample::new(1_700_000_000_000, 1.5), Sample::new(-1, stale)];
        let exemplars = vec![Exemplar { labels: vec![label("trace", "x")], value: 2.0, timestamp: 3 }];
        let labels = vec![label("__name__", "up"), label("job", "ü")];
        let series = TimeSeries { labels, samples, exemplars, histograms: vec![NativeHistogram::default()] };
        let metadata = MetricMetadata {
            kind: 1,
            metric_family_name: "up".into(),
            help: "h".into(),
            unit: String::new(),
        };
        WriteRequest { timeseries: vec![series], metadata: vec![metadata] }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for request in [request(), WriteRequest::default()] {
            let decoded = decode(&encode(&request), &Limits::default()).unwrap();
            // Bytes, because a NaN equals nothing.
            assert_eq!(decoded.encode_to_vec(), request.encode_to_vec());
        }
        let stale = decode(&encode(&request()), &Limits::default()).unwrap().timeseries[0].samples[1].value;
        assert_eq!(stale.to_bits(), 0x7ff0_0000_0000_0002);
    }

    /// Written out by hand from `types.proto`, so that tags and wire types are checked against the definition and not
    /// against our own encoder.
    #[test]
    fn the_wire_format_is_prometheus_s() {
        let sample = [&[0x09][..], &1.5_f64.to_le_bytes(), &[0x10, 0x05]].concat();
        let label = [&[0x0a, 0x08][..], b"__name__", &[0x12, 0x02], b"up"].concat();
        let series = [&[0x0a, label.len() as u8][..], &label, &[0x12, sample.len() as u8], &sample].concat();
        let metadata =
            [&[0x08, 0x02, 0x12, 0x02][..], b"up", &[0x22, 0x01], b"h", &[0x2a, 0x01], b"s"].concat();
        let bytes =
            [&[0x0a, series.len() as u8][..], &series, &[0x1a, metadata.len() as u8], &metadata].concat();
        let body = snap::raw::Encoder::new().compress_vec(&bytes).unwrap();
        let request = decode(&body, &Limits::default()).unwrap();
        assert_eq!(request.timeseries[0].labels, [Label { name: "__name__".into(), value: "up".into() }]);
        assert_eq!(request.timeseries[0].samples, [Sample::new(5, 1.5)]);
        let expected =
            MetricMetadata { kind: 2, metric_family_name: "up".into(), help: "h".into(), unit: "s".into() };
        assert_eq!(request.metadata, [expected]);
        assert_eq!(request.encode_to_vec(), bytes);
    }

    #[test]
    fn limits_come_before_memory() {
        let body = encode(&request());
        let check = |limits: Limits, expected: &str| {
            assert_eq!(decode(&body, &limits).unwrap_err().to_string(), expected);
        };
        let roomy = Limits::default();
        check(
            Limits { decoded_bytes: 10, ..roomy },
            "bytes after decompression are 107, expected at most 10",
        );
        check(Limits { messages: 3, ..roomy }, "messages in the request are 15, expected at most 3");
        // Two bytes a series, a hundred bytes of memory each.
        let empty_series = [0x0a, 0x00].repeat(3_000_000);
        let bomb = snap::raw::Encoder::new().compress_vec(&empty_series).unwrap();
        let error = decode(&bomb, &roomy).unwrap_err();
        assert_eq!(
            error,
            Error::TooLarge { what: "messages in the request", found: 3_000_000, limit: 2_000_000 }
        );
        // A header that claims four gigabytes.
        let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
        assert!(matches!(decode(&claim, &roomy), Err(Error::TooLarge { found: 4_294_967_295, .. })));
    }

    #[test]
    fn garbage_is_refused() {
        for body in [&b""[..], b"\xff\xff", b"text"] {
            assert!(matches!(decode(body, &Limits::default()), Err(Error::Snappy(_))), "{body:?}");
        }
        let not_protobuf = snap::raw::Encoder::new().compress_vec(b"not protobuf").unwrap();
        assert!(matches!(decode(&not_protobuf, &Limits::default()), Err(Error::Protobuf(_))));
    }
}
