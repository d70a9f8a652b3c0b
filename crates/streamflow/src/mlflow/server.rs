//! The conversation with an MLflow server: its REST API and its proxy for artefacts, each answer bounded in time and size.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::Value;
use streamflow_outbound::{Receiver, causes, client_of};

use super::Connection;

/// Longest answer that is no artefact.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// Most of an answer that a message repeats.
const SHOWN_BYTES_MAX: usize = 300;

/// Why a request was not answered as hoped; each says what helps.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// What the request is about is not there.
    #[error("{0}")]
    Missing(String),
    /// What was to be made is there already.
    #[error("{0}")]
    Exists(String),
    /// The server does not take this request, now or later.
    #[error("{0}")]
    Refused(String),
    /// The server did not answer, or takes no request of ours at present.
    #[error("{0}")]
    Lost(String),
}

/// An MLflow server.
pub struct Server {
    receiver: Receiver,
    file: Duration,
}

/// One entry of a folder of artefacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name within the folder: one safe part of a path.
    pub name: String,
    pub is_folder: bool,
    /// None where the server does not say it.
    pub size_bytes: Option<u64>,
}

impl Server {
    /// A client; nothing is sent.
    ///
    /// # Errors
    /// When the HTTP client cannot be made: `https` on a machine without any CA certificate.
    pub fn new(connection: &Connection) -> anyhow::Result<Self> {
        let limits = connection.limits;
        let client = client_of(&connection.url).connect_timeout(limits.connect).build();
        let receiver = Receiver {
            url: connection.url.clone(),
            client: client.context("no HTTP client for the MLflow server")?.into(),
            credentials: connection.credentials.clone(),
            timeout: limits.request,
        };
        Ok(Self { receiver, file: limits.file })
    }

    /// The address without its secrets.
    pub fn shown(&self) -> String {
        self.receiver.shown_url()
    }

    /// Asks `GET api/2.0/mlflow/PATH?QUERY`.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, CallError> {
        let mut url = self.url("mlflow", path);
        url.query_pairs_mut().extend_pairs(query);
        let request = self.request(Method::GET, url).await?;
        self.json(path, request).await
    }

    /// Posts a document to `api/2.0/mlflow/PATH`.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        let request = self.request(Method::POST, self.url("mlflow", path)).await?;
        self.json(path, request.json(body)).await
    }

    /// Puts an artefact in the place of an address such as `mlflow-artifacts:/1/RUN/artifacts`.
    pub async fn upload(&self, root: &str, path: &str, bytes: Vec<u8>) -> Result<(), CallError> {
        let url = self.url("mlflow-artifacts/artifacts", &format!("{}/{path}", of_proxy(root)?));
        let request = self.request(Method::PUT, url).await?.timeout(self.file);
        let answer = send(path, request.body(bytes)).await?;
        self.checked(path, answer).await.map(drop)
    }

    /// What a folder of artefacts holds; nothing where there is no such folder.
    ///
    /// # Errors
    /// A name that leaves the folder.
    pub async fn list(&self, root: &str, path: &str) -> Result<Vec<Entry>, CallError> {
        let folder = [of_proxy(root)?, path].join("/");
        let mut url = self.url("mlflow-artifacts/artifacts", "");
        url.query_pairs_mut().append_pair("path", folder.trim_end_matches('/'));
        let request = self.request(Method::GET, url).await?;
        let answer = match self.json(&folder, request).await {
            Err(CallError::Missing(_)) => return Ok(Vec::new()),
            answer => answer?,
        };
        answer["files"].as_array().into_iter().flatten().map(entry).collect()
    }

    /// Reads an artefact of at most `limit` bytes.
    pub async fn download(&self, root: &str, path: &str, limit: u64) -> Result<Vec<u8>, CallError> {
        let url = self.url("mlflow-artifacts/artifacts", &format!("{}/{path}", of_proxy(root)?));
        let request = self.request(Method::GET, url).await?.timeout(self.file);
        let answer = send(path, request).await?;
        let answer = self.checked(path, answer).await?;
        bounded(path, answer, limit).await
    }

    /// The URL of a path below the API's; each part is escaped.
    fn url(&self, api: &str, path: &str) -> Url {
        let mut url = self.receiver.url.clone();
        let parts = api.split('/').chain(path.split('/')).filter(|part| !part.is_empty());
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "2.0"]).extend(parts);
        }
        url
    }

    async fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, CallError> {
        self.receiver.request(method, url).await.map_err(|error| CallError::Lost(error.to_string()))
    }

    async fn json(&self, path: &str, request: RequestBuilder) -> Result<Value, CallError> {
        let answer = self.checked(path, send(path, request).await?).await?;
        let bytes = bounded(path, answer, ANSWER_BYTES_MAX).await?;
        serde_json::from_slice(&bytes).map_err(|_| {
            CallError::Lost(format!(
                "{} answered {path} with something else than JSON; is it an MLflow tracking server?",
                self.shown()
            ))
        })
    }

    /// An answer of success; any other as an error that says what helps.
    async fn checked(&self, path: &str, answer: Response) -> Result<Response, CallError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = bounded(path, answer, ANSWER_BYTES_MAX).await.unwrap_or_default();
        Err(refusal(path, status.as_u16(), &String::from_utf8_lossy(&bytes)))
    }
}

/// The error of an answer.
fn refusal(path: &str, status: u16, body: &str) -> CallError {
    let document: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let code = document["error_code"].as_str().unwrap_or_default();
    let said = document["message"].as_str().unwrap_or(body.trim());
    let said = &said[..said.floor_char_boundary(SHOWN_BYTES_MAX)];
    let told = format!("MLflow answered {path} with {status}: {said}");
    match (status, code) {
        _ if said.contains("Invalid Host header") => CallError::Lost(format!(
            "{told}; start it with --allowed-hosts and the host of the tracking URI, such as --allowed-hosts 'mlflow:5000,localhost:*'"
        )),
        (401, _) => CallError::Lost(format!(
            "{told}; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )),
        (403, _) => {
            CallError::Lost(format!("{told}; give the user of MLFLOW_TRACKING_USERNAME the right to do that"))
        }
        (_, "RESOURCE_ALREADY_EXISTS") => CallError::Exists(told),
        (_, "RESOURCE_DOES_NOT_EXIST") => CallError::Missing(told),
        // An answer without MLflow's document is of another server, or of a path that an old one does not have.
        (404, "") => CallError::Missing(format!("{told}; is the tracking URI that of an MLflow server?")),
        (404, _) => CallError::Missing(told),
        (400 | 409 | 413 | 422, _) => CallError::Refused(told),
        _ => CallError::Lost(told),
    }
}

async fn send(path: &str, request: RequestBuilder) -> Result<Response, CallError> {
    let lost = |error| CallError::Lost(format!("MLflow did not answer {path}: {}", causes(error)));
    request.send().await.map_err(lost)
}

/// All bytes of an answer, unless they are more than `limit`.
async fn bounded(path: &str, mut answer: Response, limit: u64) -> Result<Vec<u8>, CallError> {
    let too_large =
        || CallError::Refused(format!("{path} has more than {limit} bytes, which is the limit for it"));
    if answer.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let lost = |error| CallError::Lost(format!("MLflow did not send all of {path}: {}", causes(error)));
    while let Some(chunk) = answer.chunk().await.map_err(lost)? {
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The path of an address of artefacts within the server's proxy.
fn of_proxy(root: &str) -> Result<&str, CallError> {
    let refused = || {
        let place = root.split_once(':').map_or("a folder", |(scheme, _)| scheme);
        CallError::Refused(format!(
            "the server keeps artefacts where clients go themselves ({place}); start it with --serve-artifacts and --artifacts-destination, and use an experiment that was made since"
        ))
    };
    let path = root.strip_prefix("mlflow-artifacts:").ok_or_else(refused)?;
    let path = match path.strip_prefix("//") {
        Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
        None => path,
    };
    let path = path.trim_matches('/');
    if path.split('/').all(is_safe) { Ok(path) } else { Err(refused()) }
}

fn entry(file: &Value) -> Result<Entry, CallError> {
    let path = file["path"].as_str().unwrap_or_default();
    if !is_safe(path) {
        return Err(CallError::Refused(format!(
            "the server lists an artefact with the name {path:?}, which leaves its folder; nothing of it is downloaded"
        )));
    }
    Ok(Entry {
        name: path.to_owned(),
        is_folder: file["is_dir"].as_bool().unwrap_or(false),
        // The proxy writes sizes as numbers, protobuf's JSON as texts.
        size_bytes: file["file_size"].as_u64().or_else(|| file["file_size"].as_str()?.parse().ok()),
    })
}

/// Whether a text is one part of a path that stays in its folder.
pub fn is_safe(part: &str) -> bool {
    !part.is_empty() && part != "." && part != ".." && !part.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_say_what_helps() {
        let body = |code: &str, message: &str| json!({ "error_code": code, "message": message }).to_string();
        for (status, body, expected) in [
            (
                403,
                "Invalid Host header - possible DNS rebinding attack detected".to_owned(),
                "--allowed-hosts",
            ),
            (401, "You are not authenticated".to_owned(), "MLFLOW_TRACKING_TOKEN"),
            (403, body("PERMISSION_DENIED", "no"), "the right to do that"),
            (404, "<html>Not Found</html>".to_owned(), "is the tracking URI that of an MLflow server?"),
            (500, String::new(), "with 500: "),
        ] {
            let error = refusal("runs/create", status, &body).to_string();
            assert!(error.contains(expected) && error.contains("runs/create"), "{error}");
        }
        assert!(matches!(refusal("p", 400, &body("RESOURCE_ALREADY_EXISTS", "")), CallError::Exists(_)));
        assert!(matches!(refusal("p", 400, &body("INVALID_PARAMETER_VALUE", "")), CallError::Refused(_)));
        assert!(matches!(refusal("p", 404, &body("RESOURCE_DOES_NOT_EXIST", "")), CallError::Missing(_)));
        assert!(matches!(refusal("p", 503, "busy"), CallError::Lost(_)));
        // A long answer is cut between characters.
        let long = refusal("p", 500, &"é".repeat(1000)).to_string();
        assert!(long.len() < 400, "{long}");
    }

    #[test]
    fn addresses_of_artefacts_stay_within_the_proxy() {
        assert_eq!(of_proxy("mlflow-artifacts:/1/a/artifacts").unwrap(), "1/a/artifacts");
        assert_eq!(of_proxy("mlflow-artifacts://host:5000/1/a").unwrap(), "1/a");
        for root in ["s3://bucket/1", "/mlruns/1", "file:///mlruns", "mlflow-artifacts:/1/../2", ""] {
            let error = of_proxy(root).unwrap_err().to_string();
            assert!(error.contains("--serve-artifacts"), "{root}: {error}");
        }
    }

    #[test]
    fn names_that_leave_their_folder_are_refused() {
        let file = json!({ "path": "model.onnx", "is_dir": false, "file_size": "12" });
        let found = entry(&file).unwrap();
        assert_eq!((found.name.as_str(), found.size_bytes), ("model.onnx", Some(12)));
        for path in ["../model.onnx", "..", "/etc/passwd", "a/b", "a\\b", ""] {
            let error = entry(&json!({ "path": path })).unwrap_err().to_string();
            assert!(error.contains("leaves its folder"), "{path}: {error}");
        }
    }
}
