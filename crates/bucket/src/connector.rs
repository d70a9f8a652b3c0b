//! The HTTP client of a store: the product's own, with every request counted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use url::Url;

use crate::counts::Counts;
use crate::error::{Error, Kind};
use crate::settings::Settings;

/// Gives a store the product's client.
#[derive(Debug)]
pub(crate) struct Connector {
    client: reqwest::Client,
    counts: Arc<Counts>,
}

impl Connector {
    /// A client for an endpoint. `authorities` is a file of certificates, the only ones that are trusted then.
    pub fn new(
        endpoint: &Url,
        settings: &Settings,
        authorities: Option<&str>,
        counts: Arc<Counts>,
    ) -> Result<Self, Error> {
        let wrong = |what: String, reason: String| Error::new(Kind::Settings, what, reason, "");
        let mut builder = streamflow_outbound::client_of(endpoint)
            .connect_timeout(Duration::from_secs(settings.connect_timeout_seconds.get()))
            .read_timeout(Duration::from_secs(settings.timeout_seconds.get()));
        if let Some(path) = authorities.filter(|_| endpoint.scheme() == "https") {
            let what = || format!("cannot read the certificates of {path} (AWS_CA_BUNDLE)");
            let pem = std::fs::read(path).map_err(|error| wrong(what(), error.to_string()))?;
            let found = reqwest::Certificate::from_pem_bundle(&pem);
            let found = found.map_err(|error| wrong(what(), error.to_string()))?;
            builder = builder.tls_certs_only(found);
        }
        let client = builder.build();
        let client = client.map_err(|error| wrong("cannot make a client".to_owned(), error.to_string()))?;
        Ok(Self { client, counts })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let (inner, counts) = (HttpClient::new(self.client.clone()), self.counts.clone());
        Ok(HttpClient::new(Counting { inner, counts }))
    }
}

/// A client that counts what becomes of its requests.
#[derive(Debug)]
struct Counting {
    inner: HttpClient,
    counts: Arc<Counts>,
}

#[async_trait]
impl HttpService for Counting {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let operation = operation(request.method().as_str(), request.uri().query().unwrap_or(""));
        let answered = self.inner.execute(request).await;
        let outcome = match &answered {
            Ok(response) => outcome(response.status().as_u16()),
            Err(error) if error.kind() == HttpErrorKind::Timeout => "timeout",
            Err(error) if error.kind() == HttpErrorKind::Connect => "no_connection",
            Err(_) => "cut_off",
        };
        self.counts.request(operation, outcome);
        answered
    }
}

fn operation(method: &str, query: &str) -> &'static str {
    let is_list = query.contains("list-type=") || query.contains("comp=list") || query.starts_with("prefix=");
    match method {
        "GET" if is_list => "list",
        "GET" => "get",
        "HEAD" => "head",
        "PUT" => "put",
        "DELETE" => "delete",
        "POST" if query.split('&').any(|part| part.split('=').next() == Some("delete")) => "delete",
        "POST" => "post",
        _ => "other",
    }
}

fn outcome(status: u16) -> &'static str {
    match status {
        200..=299 => "ok",
        304 | 409 | 412 => "precondition",
        404 => "not_found",
        401 | 403 => "denied",
        429 | 503 => "throttled",
        500..=599 => "server_error",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        for (method, query, expected) in [
            ("GET", "list-type=2&prefix=a", "list"),
            ("GET", "", "get"),
            ("PUT", "partNumber=1&uploadId=x", "put"),
            ("POST", "delete", "delete"),
            ("POST", "delete=", "delete"),
            ("POST", "uploads", "post"),
            ("OPTIONS", "", "other"),
        ] {
            assert_eq!(operation(method, query), expected, "{method} {query}");
        }
        assert_eq!(
            [200, 206, 404, 403, 412, 503, 500, 400].map(outcome),
            ["ok", "ok", "not_found", "denied", "precondition", "throttled", "server_error", "refused"]
        );
    }
}
