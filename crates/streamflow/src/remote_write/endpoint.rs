//! A receiver of remote write, and one request to it.

use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, StatusCode, Url};
use streamflow_tsdb::Labels;

pub use crate::rules::notify::{Authorize, Relabel};

/// Of an answer that is quoted.
const QUOTE_MAX: usize = 300;

/// A receiver of remote write.
#[derive(Clone)]
pub struct Endpoint {
    /// Unique: the position in the log is kept under it.
    pub name: String,
    /// Where requests are posted. User and password in it are not shown.
    pub url: Url,
    /// Follows no redirect; TLS is its affair.
    pub client: Client,
    /// Of every request, such as a tenant's; those of remote write itself win.
    pub headers: HeaderMap,
    /// Its credentials.
    pub authorize: Option<Authorize>,
    /// Of one request.
    pub timeout: Duration,
    /// Labels that are added to every series that has them not.
    pub external_labels: Labels,
    /// What is done to the labels after that.
    pub relabel: Option<Relabel>,
    /// Samples in one request, at least 1.
    pub max_samples_per_send: usize,
    /// How long a request waits to be full.
    pub batch_send_deadline: Duration,
    /// Before the second try; it doubles from try to try.
    pub min_backoff: Duration,
    /// The longest wait between tries.
    pub max_backoff: Duration,
}

impl Endpoint {
    /// With Prometheus's defaults.
    pub fn new(name: impl Into<String>, url: Url, client: Client) -> Self {
        Self {
            name: name.into(),
            url,
            client,
            headers: HeaderMap::new(),
            authorize: None,
            timeout: Duration::from_secs(30),
            external_labels: Labels::default(),
            relabel: None,
            max_samples_per_send: 2000,
            batch_send_deadline: Duration::from_secs(5),
            min_backoff: Duration::from_millis(30),
            max_backoff: Duration::from_secs(5),
        }
    }

    /// Its URL without user and password.
    pub fn shown_url(&self) -> String {
        let mut url = self.url.clone();
        // A URL that cannot have them has none.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.to_string()
    }
}

impl Debug for Endpoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("name", &self.name)
            .field("url", &self.shown_url())
            .finish_non_exhaustive()
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
    let mut request = endpoint
        .client
        .post(endpoint.url.clone())
        .timeout(endpoint.timeout)
        .headers(endpoint.headers.clone())
        .header(CONTENT_TYPE, "application/x-protobuf")
        .header(CONTENT_ENCODING, "snappy")
        .header(USER_AGENT, concat!("streamflow/", env!("CARGO_PKG_VERSION")))
        .header("X-Prometheus-Remote-Write-Version", "0.1.0");
    if let Some(authorize) = &endpoint.authorize {
        request = authorize(request).await.map_err(|message| Refusal::Retry { after: None, message })?;
    }
    let answer = match request.body(body).send().await {
        Ok(answer) => answer,
        // The error's own text holds the URL, which may hold a password.
        Err(error) => {
            let message = match (error.is_timeout(), error.is_connect()) {
                (true, _) => "no answer in time",
                (_, true) => "cannot connect",
                _ => "the request failed",
            };
            return Err(Refusal::Retry { after: None, message: message.to_owned() });
        }
    };
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let said: String = answer.text().await.unwrap_or_default().chars().take(QUOTE_MAX).collect();
    let message = format!("answered {status}: {}", said.trim());
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Refusal::Retry { after: after.map(Duration::from_secs), message });
    }
    Err(Refusal::Final { message })
}
