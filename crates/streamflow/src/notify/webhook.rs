//! Messages over HTTP: the text alone as chats take it, or all fields, signed.

use anyhow::{Context as _, bail};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use ring::hmac;
use serde_json::json;
use streamflow_outbound::{Credentials, Receiver, causes, client_of};

use super::TRY_MAX;
use super::message::Message;
use super::secret::Place;
use crate::random::hex;

/// `sha256=` and the HMAC-SHA256 of the timestamp, a dot and the body, in hexadecimal digits.
pub const SIGNATURE: &str = "X-StreamFlow-Signature";
/// Seconds since 1970 at which the request was signed: an old one is a replay.
pub const TIMESTAMP: &str = "X-StreamFlow-Timestamp";
/// Bytes of an answer that are shown.
const ANSWER_BYTES_MAX: usize = 200;

/// A webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The checks of the configuration see to it that there is one.
    pub url: Option<Place>,
    pub secret: Option<Place>,
}

impl Webhook {
    /// Posts `{"text": …}`. Slack reads `&`, `<` and `>` as markup, so they are written as it wants them.
    pub async fn post_text(&self, text: &str) -> anyhow::Result<String> {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        self.post(json!({ "text": text }).to_string(), &[]).await
    }

    /// Posts the fields of the message, its text and its number, signed.
    pub async fn post_signed(&self, message: &Message, text: &str, id: i64) -> anyhow::Result<String> {
        let mut body = serde_json::to_value(message)?;
        body["text"] = text.into();
        body["id"] = id.into();
        let body = body.to_string();
        let secret = self.secret.as_ref().context("the channel has no secret")?.read().await?;
        let timestamp = jiff::Timestamp::now().as_second().to_string();
        let signature = signature(&secret, &timestamp, &body);
        self.post(body, &[(SIGNATURE, &signature), (TIMESTAMP, &timestamp)]).await
    }

    async fn post(&self, body: String, headers: &[(&str, &str)]) -> anyhow::Result<String> {
        let url = self.url.as_ref().context("the channel has no URL")?.read().await?;
        // The URL of a webhook is a secret itself.
        let url = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url =
            url.context("its URL is none of http or https; expected such as https://hooks.example.org/…")?;
        let client = client_of(&url).build().context("no HTTP client")?.into();
        let receiver = Receiver { url, client, credentials: Credentials::None, timeout: TRY_MAX };
        let mut request = receiver.post().await?.header(CONTENT_TYPE, "application/json").body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send().await.map_err(|error| anyhow::anyhow!(causes(error)))?;
        let mut answer = Vec::new();
        while answer.len() < ANSWER_BYTES_MAX
            && let Ok(Some(chunk)) = response.chunk().await
        {
            answer.extend_from_slice(&chunk);
        }
        answer.truncate(ANSWER_BYTES_MAX);
        let told = format!("{} {}", response.status(), String::from_utf8_lossy(&answer).trim());
        match response.status().is_success() {
            true => Ok(told.trim().to_owned()),
            false => bail!("it answered {}", told.trim()),
        }
    }
}

/// The value of [`SIGNATURE`].
pub fn signature(secret: &str, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = hmac::sign(&key, format!("{timestamp}.{body}").as_bytes());
    format!("sha256={}", hex(signed.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_openssl() {
        // printf '1709272800.{"run":7}' | openssl dgst -sha256 -hmac s3cret
        let expected = "sha256=18a6d913a4d635776cfaa8f08499cdc923091f163da0975b857609bfdc6c7814";
        assert_eq!(signature("s3cret", "1709272800", "{\"run\":7}"), expected);
    }
}
