//! Remote read: samples of the series that matchers select, as whole messages or as a stream of chunks.
//!
//! Source: Prometheus's `prompb/remote.proto`, and `storage/remote` for the frames of a stream.

mod bits;
mod histograms;
mod xor;

use prost::Message;
use streamflow_histogram::Histogram;

use crate::error::Error;
use crate::remote_write::{Label, Limits, Sample, TimeSeries, compressed, unpacked};

/// `ReadRequest.ResponseType`: a `ReadResponse` in one snappy block.
pub const SAMPLES: i32 = 0;
/// `ReadRequest.ResponseType`: frames of a `ChunkedReadResponse` each.
pub const STREAMED_XOR_CHUNKS: i32 = 1;
/// Samples of one chunk, as Prometheus has them.
pub const CHUNK_SAMPLES: usize = 120;
/// `Chunk.Encoding.XOR`
const XOR: i32 = 1;
/// `Chunk.Encoding.FLOAT_HISTOGRAM`
const FLOAT_HISTOGRAM: i32 = 3;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ReadRequest {
    /// Each has its own result.
    #[prost(message, repeated, tag = "1")]
    pub queries: Vec<Query>,
    /// The most wanted first; none is samples.
    #[prost(int32, repeated, tag = "2")]
    pub accepted_response_types: Vec<i32>,
}

/// The series of some matchers in a range of time.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Query {
    /// Milliseconds since 1970, the first included.
    #[prost(int64, tag = "1")]
    pub start_timestamp_ms: i64,
    /// Milliseconds since 1970, the last included.
    #[prost(int64, tag = "2")]
    pub end_timestamp_ms: i64,
    /// All have to match.
    #[prost(message, repeated, tag = "3")]
    pub matchers: Vec<LabelMatcher>,
}

/// A condition on a label.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct LabelMatcher {
    /// 0 `=`, 1 `!=`, 2 `=~`, 3 `!~`.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// The label's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// What it is held against.
    #[prost(string, tag = "3")]
    pub value: String,
}

/// The samples that were asked for, a result for each query.
#[derive(Clone, PartialEq, Message)]
pub struct ReadResponse {
    /// In the order of the queries.
    #[prost(message, repeated, tag = "1")]
    pub results: Vec<QueryResult>,
}

/// The series of one query.
#[derive(Clone, PartialEq, Message)]
pub struct QueryResult {
    /// Sorted by their labels.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

/// The content of a frame.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ChunkedReadResponse {
    /// A series may go on in the next frame.
    #[prost(message, repeated, tag = "1")]
    pub chunked_series: Vec<ChunkedSeries>,
    /// Which query this belongs to.
    #[prost(int64, tag = "2")]
    pub query_index: i64,
}

/// Chunks of one series.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ChunkedSeries {
    /// Sorted by name.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// In the order of time.
    #[prost(message, repeated, tag = "2")]
    pub chunks: Vec<Chunk>,
}

/// Samples in Prometheus's encoding.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Chunk {
    /// Milliseconds since 1970 of the first sample.
    #[prost(int64, tag = "1")]
    pub min_time_ms: i64,
    /// Milliseconds since 1970 of the last sample.
    #[prost(int64, tag = "2")]
    pub max_time_ms: i64,
    /// 1 is XOR, of numbers; 3 is of native histograms.
    #[prost(int32, tag = "3")]
    pub kind: i32,
    /// The samples.
    #[prost(bytes = "vec", tag = "4")]
    pub data: Vec<u8>,
}

impl Chunk {
    /// A chunk of some numbers, at least one and at most [`CHUNK_SAMPLES`], in the order of time.
    ///
    /// # Panics
    /// Without a sample.
    #[must_use]
    pub fn of(samples: &[(i64, f64)]) -> Self {
        let (first, last) = samples.first().zip(samples.last()).expect("a chunk has a sample");
        Self { min_time_ms: first.0, max_time_ms: last.0, kind: XOR, data: xor::encode(samples) }
    }

    /// A chunk of one native histogram at a time in milliseconds since 1970.
    #[must_use]
    pub fn of_histogram(timestamp_ms: i64, histogram: &Histogram) -> Self {
        let data = histograms::encode(timestamp_ms, histogram);
        Self { min_time_ms: timestamp_ms, max_time_ms: timestamp_ms, kind: FLOAT_HISTOGRAM, data }
    }
}

/// Reads the body of a request, which the caller has bounded; takes memory only as `limits` allow.
///
/// # Errors
/// When the body is no snappy block, its content no `ReadRequest`, or one of the limits is passed.
pub fn decode(body: &[u8], limits: &Limits) -> Result<ReadRequest, Error> {
    let bytes = unpacked(body, limits)?;
    ReadRequest::decode(&*bytes).map_err(|error| Error::Protobuf(error.to_string()))
}

/// The body of an answer with samples.
#[must_use]
pub fn encode(response: &ReadResponse) -> Vec<u8> {
    compressed(response)
}

/// A frame of a stream: the length of the message, its checksum, the message.
#[must_use]
pub fn frame(response: &ChunkedReadResponse) -> Vec<u8> {
    let message = response.encode_to_vec();
    let mut frame = Vec::with_capacity(message.len() + 9);
    prost::encoding::encode_varint(message.len() as u64, &mut frame);
    frame.extend_from_slice(&crc32c(&message).to_be_bytes());
    frame.extend_from_slice(&message);
    frame
}

/// A sample of a series.
#[must_use]
pub fn sample((timestamp, value): (i64, f64)) -> Sample {
    Sample::new(timestamp, value)
}

/// The checksum of Castagnoli, of which `crc32fast` has the other polynomial alone.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0_u32; 256];
        let mut byte = 0;
        while byte < 256 {
            let (mut rest, mut bit) = (byte as u32, 0);
            while bit < 8 {
                rest = if rest & 1 == 1 { (rest >> 1) ^ 0x82f6_3b78 } else { rest >> 1 };
                bit += 1;
            }
            table[byte] = rest;
            byte += 1;
        }
        table
    };
    let step = |rest: u32, byte: &u8| TABLE[usize::from(rest.to_le_bytes()[0] ^ byte)] ^ (rest >> 8);
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_frame_has_length_and_checksum() {
        let response = ChunkedReadResponse { query_index: 5, ..ChunkedReadResponse::default() };
        let checksum = crc32c(&[0x10, 5]).to_be_bytes();
        assert_eq!(frame(&response), [&[2][..], &checksum, &[0x10, 5]].concat());
    }

    #[test]
    fn requests_are_read() {
        let matcher = LabelMatcher { kind: 2, name: "a".into(), value: "b".into() };
        let query = Query { start_timestamp_ms: -5, end_timestamp_ms: 7, matchers: vec![matcher] };
        let request = ReadRequest { queries: vec![query], accepted_response_types: vec![1, 0] };
        assert_eq!(decode(&compressed(&request), &Limits::default()).unwrap(), request);
        assert!(decode(b"x", &Limits::default()).is_err());
        let few = Limits { messages: 1, ..Limits::default() };
        assert!(decode(&compressed(&request), &few).unwrap_err().to_string().contains("messages"));
    }
}
