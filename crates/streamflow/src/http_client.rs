//! The HTTP client of everything that talks to another server.

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Url};

/// A client for one server, whose timeouts the caller sets.
pub fn http_client(url: &Url) -> ClientBuilder {
    // An error says that a provider is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A redirected POST would become a GET, so a redirect is an error that shows the wrong URL.
    let builder = Client::builder()
        .redirect(Policy::none())
        .user_agent(concat!("streamflow/", env!("CARGO_PKG_VERSION")));
    // Plain HTTP needs no CA certificates; small container images have none.
    if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder }
}
