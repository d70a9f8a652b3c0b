//! OTLP's metrics: an `ExportMetricsServiceRequest` in protobuf or JSON, told as series of Prometheus.
//!
//! [`decode`] reads a body, [`translate`] makes series of it by the rules of Prometheus 3.5. Deltas become no
//! series; [`Translated::refused`] counts them by reason.
//!
//! Source: `opentelemetry/proto/metrics/v1/metrics.proto` 1.7 and its JSON; names and labels as the page "Prometheus and
//! OpenMetrics Compatibility" of OpenTelemetry and Prometheus's receiver have them.

mod exemplar;
mod json;
mod message;
mod names;
mod native;
mod translate;
mod value;

use prost::Message;

use crate::error::Error;
use crate::remote_write::{Limits, count_messages, within};

pub use message::{
    AnyValue, Exemplar, ExponentialBuckets, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge,
    Histogram, HistogramDataPoint, KeyValue, Metric, NumberDataPoint, Quantile, Request, Resource,
    ResourceMetrics, Scope, ScopeMetrics, Sum, Summary, SummaryDataPoint,
};
pub use names::Translation;
pub use translate::{Refused, Settings, Translated, translate};

/// Messages within one another, from a request down to the value of an exemplar's attribute.
const LEVELS: u8 = 10;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

/// Reads a body that is unpacked already; takes memory only as `limits` allow.
///
/// # Errors
/// When the body is no request in this encoding, or one of the limits is passed.
pub fn decode(body: &[u8], encoding: Encoding, limits: &Limits) -> Result<Request, Error> {
    within("bytes after decompression", body.len() as u64, limits.decoded_bytes)?;
    let mut messages = 0;
    match encoding {
        Encoding::Protobuf => drop(count_messages(body, LEVELS, &mut messages)),
        // Braces in texts are counted too, which only makes the count higher.
        Encoding::Json => messages = body.iter().filter(|byte| **byte == b'{').count() as u64,
    }
    within("messages in the request", messages, limits.messages)?;
    match encoding {
        // A list would be taken for the fields of the message in their order.
        Encoding::Json if body.trim_ascii_start().first() != Some(&b'{') => {
            let reason = "expected an object with resourceMetrics".to_owned();
            Err(Error::Otlp { encoding: "JSON", reason })
        }
        Encoding::Protobuf => Request::decode(body)
            .map_err(|error| Error::Otlp { encoding: "protobuf", reason: error.to_string() }),
        Encoding::Json => serde_json::from_slice(body)
            .map_err(|error| Error::Otlp { encoding: "JSON", reason: error.to_string() }),
    }
}

/// What a sender is answered whose request was not taken whole: `ExportMetricsServiceResponse`.
#[must_use]
pub fn partial_success(encoding: Encoding, rejected: u64, message: &str) -> Vec<u8> {
    let rejected = i64::try_from(rejected).unwrap_or(i64::MAX);
    match encoding {
        Encoding::Protobuf => {
            let partial =
                message::PartialSuccess { rejected_data_points: rejected, error_message: message.to_owned() };
            message::Response { partial_success: Some(partial) }.encode_to_vec()
        }
        Encoding::Json => {
            let partial =
                serde_json::json!({ "rejectedDataPoints": rejected.to_string(), "errorMessage": message });
            serde_json::json!({ "partialSuccess": partial }).to_string().into_bytes()
        }
    }
}
