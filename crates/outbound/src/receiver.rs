//! One server that requests are sent to.

use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use reqwest::{Client, IntoUrl, Method, RequestBuilder, Url};

use crate::{Credentials, Error};

/// A server, how it is reached and who we are to it.
#[derive(Clone)]
pub struct Receiver {
    /// Where requests go. User and password in it are not shown.
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
    pub async fn request(&self, method: Method, url: impl IntoUrl) -> Result<RequestBuilder, Error> {
        self.credentials.authorize(self.client.request(method, url).timeout(self.timeout)).await
    }

    /// The URL without user and password.
    pub fn shown_url(&self) -> String {
        let mut url = self.url.clone();
        // A URL that cannot have them has none.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.to_string()
    }
}

impl Debug for Receiver {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("url", &self.shown_url())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
