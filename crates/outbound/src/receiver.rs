//! One server that requests are sent to.

use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Url};

use crate::{Client, Credentials, Error};

/// What stands in the place of a secret in an address, as in Go.
const HIDDEN: &str = "xxxxx";

/// A server, how it is reached and who we are to it.
#[derive(Clone)]
pub struct Receiver {
    /// Where requests go. The password in it and the values of its parameters are not shown.
    pub url: Url,
    /// Redirects and TLS are decided here.
    pub client: Client,
    /// Added to every request.
    pub credentials: Credentials,
    /// Longest time of one request, from connecting to the last byte of the answer.
    pub timeout: Duration,
}

impl Receiver {
    /// A POST to the URL.
    ///
    /// # Errors
    /// Credentials that cannot be read or sent.
    pub async fn post(&self) -> Result<RequestBuilder, Error> {
        self.request(Method::POST, self.url.clone()).await
    }

    /// A request to a URL of the same server, with the credentials and the timeout.
    ///
    /// # Errors
    /// Credentials that cannot be read or sent.
    pub async fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, Error> {
        self.credentials.authorize(self.client.request(method, url).timeout(self.timeout)).await
    }

    /// The URL as [`shown_address`] shows it.
    pub fn shown_url(&self) -> String {
        shown_address(self.url.as_str()).unwrap_or_default()
    }
}

/// An address without its password and the values of its parameters; none when the text is no address.
pub fn shown_address(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:{HIDDEN}@{host}"),
            None => format!("{HIDDEN}@{host}"),
        },
        None => authority.to_owned(),
    };
    let path = match path.split_once('?') {
        Some((path, query)) => {
            let hidden = query.split('&').map(|pair| match pair.split_once('=') {
                Some((name, _)) => format!("{name}={HIDDEN}"),
                None => HIDDEN.to_owned(),
            });
            format!("{path}?{}", hidden.collect::<Vec<_>>().join("&"))
        }
        None => path.to_owned(),
    };
    Some(format!("{scheme}://{authority}{path}"))
}

impl Debug for Receiver {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("url", &self.shown_url())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::shown_address;

    #[test]
    fn addresses_are_shown_without_their_secrets() {
        for (text, expected) in [
            ("http://host:9090/path", Some("http://host:9090/path")),
            (
                "https://bob:s3cret@host/push?key=s3cret&flag",
                Some("https://bob:xxxxx@host/push?key=xxxxx&xxxxx"),
            ),
            ("http://s3cret@host", Some("http://xxxxx@host")),
            ("http://a:b:c@d@host?x=1", Some("http://a:xxxxx@host?x=xxxxx")),
            ("host:9090", None),
            ("a b://host", None),
            ("", None),
        ] {
            assert_eq!(shown_address(text).as_deref(), expected, "{text}");
        }
    }
}
