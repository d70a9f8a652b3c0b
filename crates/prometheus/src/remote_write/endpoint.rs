//! A receiver of remote write, and one request to it.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use streamflow_outbound::{Receiver, failure};
use streamflow_prometheus_yml::{Relabel, WriteMessage};
use streamflow_tsdb::Labels;

/// Most characters of an answer that are quoted.
const QUOTE_MAX: usize = 300;

/// A receiver of remote write.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Unique: the position in the log is kept under it.
    pub name: String,
    /// Where requests are posted.
    pub receiver: Receiver,
    /// Headers of every request, such as a tenant's; those of remote write itself win.
    pub headers: HeaderMap,
    /// The version of the protocol.
    pub message: WriteMessage,
    /// Whether native histograms are sent.
    pub send_native_histograms: bool,
    /// Whether exemplars are sent.
    pub send_exemplars: bool,
    /// Whether it is told what families mean: in version 1 as often as this says, in version 2 beside the samples.
    pub metadata_every: Option<Duration>,
    /// Families in one request of version 1, at least 1.
    pub max_metadata_per_send: usize,
    /// Labels that are added to every series that lacks them.
    pub external_labels: Labels,
    /// What is done to the labels after that.
    pub relabel: Vec<Relabel>,
    /// The fewest connections that send at a time, at least 1.
    pub min_shards: usize,
    /// The most of them.
    pub max_shards: usize,
    /// Samples that may wait for one of them.
    pub capacity: usize,
    /// Between two looks at how many there should be.
    pub reshard_every: Duration,
    /// Samples in one request, at least 1.
    pub max_samples_per_send: usize,
    /// How long a request waits to be full.
    pub batch_send_deadline: Duration,
    /// Before the second try; it doubles from try to try.
    pub min_backoff: Duration,
    /// The longest wait between tries.
    pub max_backoff: Duration,
    /// Whether an answer of 429 is tried again.
    pub retry_on_http_429: bool,
    /// How old a sample that is still to be sent may be.
    pub sample_age_limit: Option<Duration>,
}

impl Endpoint {
    /// An endpoint with Prometheus's defaults.
    pub fn new(name: impl Into<String>, receiver: Receiver) -> Self {
        Self {
            name: name.into(),
            receiver,
            headers: HeaderMap::new(),
            message: WriteMessage::V1,
            send_native_histograms: false,
            send_exemplars: false,
            metadata_every: Some(Duration::from_secs(60)),
            max_metadata_per_send: 500,
            external_labels: Labels::default(),
            relabel: Vec::new(),
            min_shards: 1,
            max_shards: 50,
            capacity: 10_000,
            reshard_every: Duration::from_secs(10),
            max_samples_per_send: 2000,
            batch_send_deadline: Duration::from_secs(5),
            min_backoff: Duration::from_millis(30),
            max_backoff: Duration::from_secs(5),
            retry_on_http_429: false,
            sample_age_limit: None,
        }
    }
}

/// Why a request was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another try may work, not before the time given.
    Retry { after: Option<Duration>, message: String },
    /// The receiver will never take it.
    Final { message: String },
}

/// Posts one body.
pub async fn post(endpoint: &Endpoint, body: Vec<u8>) -> Result<(), Refusal> {
    let later = |message: String| Refusal::Retry { after: None, message };
    let request = endpoint.receiver.post().await.map_err(|error| later(error.to_string()))?;
    let (content_type, version) = match endpoint.message {
        WriteMessage::V1 => ("application/x-protobuf", "0.1.0"),
        WriteMessage::V2 => ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"),
    };
    let request = request
        .headers(endpoint.headers.clone())
        .header(CONTENT_TYPE, content_type)
        .header(CONTENT_ENCODING, "snappy")
        .header("X-Prometheus-Remote-Write-Version", version);
    let answer = request.body(body).send().await.map_err(|error| later(failure(&error).to_owned()))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let said: String = answer.text().await.unwrap_or_default().chars().take(QUOTE_MAX).collect();
    let message = format!("answered {status}: {}", said.trim());
    if status.is_server_error() || (endpoint.retry_on_http_429 && status == StatusCode::TOO_MANY_REQUESTS) {
        return Err(Refusal::Retry { after: after.map(Duration::from_secs), message });
    }
    Err(Refusal::Final { message })
}
