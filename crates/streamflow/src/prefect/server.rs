//! The conversation with a Prefect server: one request after the other, each bounded in time and size.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Method, Url};
use serde_json::Value;
use streamflow_outbound::{Credentials, Receiver, Secret, causes, client_of};
use tokio::time::timeout;

/// Longest answer that is read; Prefect's are a few kilobytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Time between two tries of a server that is busy.
const BUSY_RETRY: Duration = Duration::from_millis(200);

/// The address of a Prefect server, who we are there, and how long it may keep us waiting.
#[derive(Clone)]
pub struct Connection {
    /// `http(s)://HOST[:PORT]/api`, as in `PREFECT_API_URL`.
    pub api_url: Url,
    /// The run that a Prefect worker started this process for; without it a run is created.
    pub flow_run_id: Option<String>,
    /// Added to every request.
    pub credentials: Credentials,
    /// Bounds in time.
    pub limits: Limits,
}

/// How long the server may take.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Timeout of making a connection.
    pub connect: Duration,
    /// Timeout of one request, from connecting to the last byte of the answer.
    pub request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let [connect, request] = [1, 3].map(Duration::from_secs);
        Self { connect, request }
    }
}

/// Why a request was not answered as hoped.
#[derive(Debug)]
pub enum CallError {
    /// The server did not take this one item; the next may fare better.
    Refused(String),
    /// What the request is about is not there.
    Missing(String),
    /// The time of the run has not come by the server's clock.
    Early(String),
    /// The server has too much to do at the moment; it is asked again for as long as the request may take.
    Busy(String),
    /// Nothing more is to be expected of the server, or it wants to hear nothing more.
    Lost(String),
}

/// A Prefect server.
pub struct Server {
    receiver: Receiver,
    limits: Limits,
}

impl Connection {
    /// Reads Prefect's own variables, as `lookup` gives them; `None` when `PREFECT_API_URL` is unset or empty.
    ///
    /// # Errors
    /// A URL that is not HTTP(S), a run id that is not a UUID, an auth string without a colon. No message repeats a secret.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<Self>> {
        let set =
            |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let Some(url) = set("PREFECT_API_URL") else { return Ok(None) };
        // The URL may hold a password, so the message does not repeat it.
        let api_url =
            Url::parse(&url).context("PREFECT_API_URL is not a URL, expected http://HOST:PORT/api")?;
        if !matches!(api_url.scheme(), "http" | "https") || !api_url.has_host() {
            bail!("PREFECT_API_URL has scheme {}, expected http://HOST:PORT/api", api_url.scheme());
        }
        let flow_run_id = set("PREFECT__FLOW_RUN_ID");
        if let Some(id) = flow_run_id.as_deref().filter(|id| !is_uuid(id)) {
            bail!("PREFECT__FLOW_RUN_ID is {id:?}, expected a UUID");
        }
        // The order of Prefect's own client: the auth string of a server of one's own wins over the key of its cloud.
        let credentials = match (set("PREFECT_API_AUTH_STRING"), set("PREFECT_API_KEY")) {
            (Some(pair), _) => {
                let (user, password) = pair
                    .split_once(':')
                    .context("PREFECT_API_AUTH_STRING has no colon, expected user:password")?;
                Credentials::Basic {
                    user: Secret::Text(user.to_owned()),
                    password: Secret::Text(password.to_owned()),
                }
            }
            (None, Some(key)) => Credentials::Token { scheme: "Bearer".to_owned(), token: Secret::Text(key) },
            (None, None) => Credentials::None,
        };
        Ok(Some(Self { api_url, flow_run_id, credentials, limits: Limits::default() }))
    }
}

impl Server {
    /// A client of `connection`; nothing is sent.
    ///
    /// # Errors
    /// When the HTTP client cannot be made: `https` on a machine without any CA certificate.
    pub fn new(connection: &Connection) -> anyhow::Result<Self> {
        let limits = connection.limits;
        let builder = client_of(&connection.api_url).connect_timeout(limits.connect);
        let receiver = Receiver {
            url: connection.api_url.clone(),
            client: builder.build().context("no HTTP client for PREFECT_API_URL")?.into(),
            credentials: connection.credentials.clone(),
            // A call has a shorter limit of its own.
            timeout: limits.request * 2,
        };
        Ok(Self { receiver, limits })
    }

    /// One request within its limit. The answer is `null` when it has no JSON.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CallError> {
        let limit = self.limits.request;
        let answered = timeout(limit, async {
            loop {
                match self.exchange(method.clone(), path, body).await {
                    // A busy server whose database is locked says so and has done nothing.
                    Err(CallError::Busy(_)) => tokio::time::sleep(BUSY_RETRY).await,
                    other => return other,
                }
            }
        });
        let late = |_| Err(CallError::Lost(format!("{path} did not answer within {limit:?}")));
        answered.await.unwrap_or_else(late)
    }

    /// Posts a document.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Reads a document.
    pub async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.call(Method::GET, path, None).await
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CallError> {
        let lost = |error: reqwest::Error| CallError::Lost(format!("{path}: {}", causes(error)));
        let url = format!("{}/{path}", self.receiver.url.as_str().trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|error| CallError::Lost(format!("{path}: {error}")))?;
        let request = self.receiver.request(method, url).await;
        let mut request = request.map_err(|error| CallError::Lost(format!("{path}: {error}")))?;
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(CallError::Lost(format!("{path} answered more than {ANSWER_BYTES_MAX} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            // An answer without content (204) is null.
            return Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null));
        }
        let reason =
            format!("{path} answered {status}: {}", shortened(&String::from_utf8_lossy(&bytes), 300));
        // Of the client errors, these are about one item; the others would meet every request alike.
        Err(match status.as_u16() {
            404 => CallError::Missing(reason),
            409 | 413 | 422 => CallError::Refused(reason),
            503 => CallError::Busy(reason),
            _ => CallError::Lost(reason),
        })
    }
}

impl CallError {
    pub fn reason(&self) -> &str {
        match self {
            Self::Refused(reason) | Self::Missing(reason) | Self::Early(reason) => reason,
            Self::Busy(reason) | Self::Lost(reason) => reason,
        }
    }
}

/// 8-4-4-4-12 hexadecimal digits, so that an id is safe inside a path.
pub fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// At most `bytes_max` bytes of `text`, cut between characters and marked when cut.
pub fn shortened(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes_max)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], expected: Result<Option<&str>, &str>) {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let found = Connection::from_variables(lookup);
        match (found, expected) {
            (Ok(connection), Ok(url)) => {
                assert_eq!(connection.map(|found| found.api_url.to_string()).as_deref(), url)
            }
            (Err(error), Err(part)) => {
                assert!(format!("{error:#}").contains(part), "{error:#}");
                assert!(!format!("{error:#}").contains("secret"), "{error:#}");
            }
            (found, _) => {
                panic!("{variables:?} gave {:?}", found.map(|found| found.map(|found| found.api_url)))
            }
        }
    }

    #[test]
    fn the_environment_is_read_as_prefect_reads_it() {
        let url = ("PREFECT_API_URL", "http://prefect:4200/api");
        check(&[], Ok(None));
        check(&[("PREFECT_API_URL", " ")], Ok(None));
        check(&[url, ("PREFECT_API_KEY", "")], Ok(Some("http://prefect:4200/api")));
        check(&[("PREFECT_API_URL", "prefect:4200")], Err("expected http://HOST:PORT/api"));
        check(&[("PREFECT_API_URL", "http://user:secret@[/api")], Err("PREFECT_API_URL is not a URL"));
        check(&[url, ("PREFECT__FLOW_RUN_ID", "../flows")], Err("\"../flows\", expected a UUID"));
        check(&[url, ("PREFECT__FLOW_RUN_ID", "d689ca4e-d232-46f4-a1d7-c2121f136c36")], Ok(Some(url.1)));
        check(&[url, ("PREFECT_API_AUTH_STRING", "secret")], Err("expected user:password"));
    }
}
