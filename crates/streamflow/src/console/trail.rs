//! Requests that change something, told to the audit trail: before they are handed on, and what came of them.

use axum::body::Bytes;
use axum::http::{Method, Uri};
use axum::response::Response;
use reqwest::Url;
use serde_json::Value;

use super::auth::Caller;
use super::sender::Sender;
use crate::store::Store;
use crate::store::audit::{DONE, NewEntry, Secrets};

/// Larger bodies are told by their size.
const PARAMETERS_BYTES: usize = 64 << 10;

/// Why a request was not answered as it asked; answers carry it beside their body.
#[derive(Debug, Clone)]
pub struct Reason(pub String);

/// A change that is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    actor: String,
    address: String,
    proxy: Option<String>,
    method: String,
    path: String,
    /// Those of its path.
    secrets: Secrets,
}

/// A change that was told to the trail, whose outcome is not known yet.
#[derive(Debug)]
pub struct Begun {
    entry: i64,
    secrets: Secrets,
}

impl Asked {
    pub fn new(sender: &Sender, method: &Method, uri: &Uri) -> Self {
        let mut secrets = Secrets::default();
        Self {
            actor: String::new(),
            address: sender.address.to_string(),
            proxy: sender.proxy.map(|proxy| proxy.to_string()),
            method: method.to_string(),
            path: path_of(uri, &mut secrets),
            secrets,
        }
    }

    /// Asked by this caller.
    pub fn by(self, caller: &Caller) -> Self {
        Self { actor: caller.name.clone(), ..self }
    }

    fn entry<'a>(&'a self, detail: &'a str) -> NewEntry<'a> {
        NewEntry {
            actor: &self.actor,
            address: Some(&self.address),
            proxy: self.proxy.as_deref(),
            action: &self.method,
            subject: &self.path,
            detail,
            run: None,
        }
    }

    /// Tells that it was refused.
    pub async fn refuse(&self, store: &Store, message: &str) {
        let outcome = self.secrets.hide_again(&format!("refused: {message}"));
        if let Err(error) = store.audit(&self.entry(""), &outcome).await {
            tracing::error!("a refused change is missing in the audit trail: {error}");
        }
    }

    /// Tells that it is about to be made.
    ///
    /// # Errors
    /// The database cannot be written to; then the change must not be made.
    pub async fn begin(&self, store: &Store, body: &Bytes) -> sqlx::Result<Begun> {
        let mut secrets = self.secrets.clone();
        let entry = store.begin_change(&self.entry(&parameters(body, &mut secrets))).await?;
        Ok(Begun { entry, secrets })
    }
}

/// What an answer says came of a change.
pub fn outcome(response: &Response) -> String {
    let status = response.status();
    match response.extensions().get::<Reason>() {
        _ if status.is_success() => DONE.to_owned(),
        Some(Reason(message)) => format!("failed: {} {message}", status.as_u16()),
        None => format!("failed: {}", status.as_u16()),
    }
}

/// Tells what came of a change.
pub async fn end(store: &Store, Begun { entry, secrets }: Begun, outcome: &str) {
    if let Err(error) = store.end_change(entry, &secrets.hide_again(outcome)).await {
        tracing::error!("the outcome of a change is missing in the audit trail: {error}");
    }
}

/// The path with its query, whose secrets are hidden.
fn path_of(uri: &Uri, secrets: &mut Secrets) -> String {
    let Some(query) = uri.query() else { return uri.path().to_owned() };
    format!("{}?{}", uri.path(), pairs_of(query, secrets).unwrap_or_default())
}

/// The names and values of a query or a form, whose secrets are hidden.
fn pairs_of(query: &str, secrets: &mut Secrets) -> Option<String> {
    let mut url = Url::parse("http://localhost").ok()?;
    url.set_query(Some(query));
    let pairs = url.query_pairs();
    let pairs = pairs.map(|(name, value)| format!("{name}={}", secrets.hide_named(&name, &value)));
    Some(pairs.collect::<Vec<_>>().join("&"))
}

/// A body that is a form as browsers and curl write one.
fn form_of(body: &Bytes) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    (text.contains('=') && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
}

/// A body as the trail shows it: JSON and forms without their secrets, anything else by its size.
fn parameters(body: &Bytes, secrets: &mut Secrets) -> String {
    let shown = serde_json::from_slice(body).map(|value: Value| secrets.hide(value));
    match shown {
        _ if body.is_empty() => String::new(),
        Ok(value) if body.len() <= PARAMETERS_BYTES => value.to_string(),
        Err(_) if body.len() <= PARAMETERS_BYTES => form_of(body)
            .and_then(|form| pairs_of(form, secrets))
            .unwrap_or_else(|| format!("({} bytes)", body.len())),
        _ => format!("({} bytes)", body.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_shown_without_secrets() {
        for (body, expected) in [
            (&b""[..], ""),
            (b"{\"version\":2}", "{\"version\":2}"),
            (b"{\"parameters\":{\"token\":\"x\"}}", "{\"parameters\":{\"token\":\"(hidden)\"}}"),
            (b"no JSON", "(7 bytes)"),
            (b"match%5B%5D=up&start=5&token=x", "match[]=up&start=5&token=(hidden)"),
            (b"no=JSON or form", "(15 bytes)"),
            (&[b' '; 70_000], "(70000 bytes)"),
        ] {
            let found = parameters(&Bytes::copy_from_slice(body), &mut Secrets::default());
            assert_eq!(found, expected);
        }
        for (uri, expected) in [
            ("/-/reload", "/-/reload"),
            ("/x?match[]=up&token=x%20y", "/x?match[]=up&token=(hidden)"),
            ("/x?a=%0A", "/x?a=\n"),
        ] {
            assert_eq!(path_of(&uri.parse().unwrap(), &mut Secrets::default()), expected);
        }
    }
}
