//! One request to a target, bounded in time and bytes.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING,
};
use streamflow_outbound::{Client, causes, is_unannounced_close};
use streamflow_prometheus_yml::{ScrapeConfig, ScrapeProtocol};

use super::target::Target;
use crate::clients::credentials;

/// What is taken of an answer at most, compressed or not, where `body_size_limit` does not say less.
pub const BODY_BYTES_MAX: u64 = 128 << 20;

/// What is asked for, the most wanted first.
fn accepted(config: &ScrapeConfig) -> String {
    let escaping = config.escaping.as_str();
    let media = |protocol: &ScrapeProtocol| match protocol {
        ScrapeProtocol::PrometheusProto => {
            let family = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily";
            format!("{family};encoding=delimited")
        }
        ScrapeProtocol::PrometheusText004 => "text/plain;version=0.0.4".to_owned(),
        ScrapeProtocol::PrometheusText100 => format!("text/plain;version=1.0.0;escaping={escaping}"),
        ScrapeProtocol::OpenMetricsText001 => "application/openmetrics-text;version=0.0.1".to_owned(),
        ScrapeProtocol::OpenMetricsText100 => {
            format!("application/openmetrics-text;version=1.0.0;escaping={escaping}")
        }
    };
    let asked = config.scrape_protocols.iter().map(media).chain(["*/*".to_owned()]);
    let weighed = asked.zip((1..=6).rev()).map(|(media, weight)| format!("{media};q=0.{weight}"));
    weighed.collect::<Vec<_>>().join(",")
}

/// An answer as it came over the wire.
pub(super) struct Answer {
    pub bytes: Vec<u8>,
    pub gzip: bool,
    pub content_type: String,
}

/// Why there is no body.
#[derive(Debug)]
pub(super) enum FetchError {
    TooLarge(u64),
    Other(String),
}

impl std::fmt::Display for FetchError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FetchError::TooLarge(limit) => {
                write!(formatter, "body size limit exceeded: more than {limit} bytes")
            }
            FetchError::Other(message) => formatter.write_str(message),
        }
    }
}

/// The bytes a body of this job may have.
pub(super) fn body_limit(config: &ScrapeConfig) -> u64 {
    if config.body_size_limit == 0 { BODY_BYTES_MAX } else { config.body_size_limit.min(BODY_BYTES_MAX) }
}

/// Asks the target, until its timeout.
pub(super) async fn fetch(
    client: &Client,
    target: &Target,
    config: &ScrapeConfig,
) -> Result<Answer, FetchError> {
    let answer = tokio::time::timeout(target.timeout, ask(client, target, config)).await;
    let late = || FetchError::Other(format!("no complete answer within the timeout of {:?}", target.timeout));
    answer.unwrap_or_else(|_| Err(late()))
}

async fn ask(client: &Client, target: &Target, config: &ScrapeConfig) -> Result<Answer, FetchError> {
    let request = client
        .get(target.url.clone())
        .header(ACCEPT, accepted(config))
        .header(ACCEPT_ENCODING, if config.enable_compression { "gzip" } else { "identity" })
        .header("X-Prometheus-Scrape-Timeout-Seconds", target.timeout.as_secs_f64().to_string());
    let request = credentials(&config.http).authorize(request).await;
    let request = request.map_err(|error| FetchError::Other(error.to_string()))?;
    let mut response = request.send().await.map_err(failed)?;
    if response.status() != 200 {
        return Err(FetchError::Other(format!("server returned HTTP status {}", response.status())));
    }
    let header =
        |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let gzip = header(CONTENT_ENCODING).eq_ignore_ascii_case("gzip");
    let content_type = header(CONTENT_TYPE).to_owned();
    let limit = body_limit(config);
    let mut bytes = Vec::new();
    let is_framed =
        [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| response.headers().contains_key(name));
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            // A body that lasts until the connection ends is whole for Go also where TLS was not told of the end.
            Err(error) if !is_framed && is_unannounced_close(&error) => break,
            Err(error) => return Err(failed(error)),
        };
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(FetchError::TooLarge(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Answer { bytes, gzip, content_type })
}

impl Answer {
    /// The body, decompressed up to the limit.
    pub fn body(self, limit: u64) -> Result<Vec<u8>, FetchError> {
        if !self.gzip {
            return Ok(self.bytes);
        }
        let mut body = Vec::new();
        let read = MultiGzDecoder::new(&*self.bytes).take(limit + 1).read_to_end(&mut body);
        read.map_err(|error| FetchError::Other(format!("the body is no gzip: {error}")))?;
        if body.len() as u64 > limit { Err(FetchError::TooLarge(limit)) } else { Ok(body) }
    }
}

/// The URL is known to who reads this.
fn failed(error: reqwest::Error) -> FetchError {
    FetchError::Other(causes(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        let check = |yaml: &str, expected: &str| {
            let text = format!("scrape_configs: [{{job_name: j, {yaml}}}]");
            let (config, _) = streamflow_prometheus_yml::parse(&text, std::path::Path::new("")).unwrap();
            assert_eq!(accepted(&config.scrape_configs[0]), expected);
        };
        // What Prometheus 3.5 sends, without and with its feature native-histograms.
        check(
            "honor_labels: false",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        );
        check(
            "scrape_protocols: [PrometheusProto, PrometheusText1.0.0], metric_name_escaping_scheme: dots",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             text/plain;version=1.0.0;escaping=dots;q=0.5,*/*;q=0.4",
        );
        check(
            "scrape_native_histograms: true",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        );
    }
}
