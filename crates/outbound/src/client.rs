//! HTTP clients with the product's defaults.

use std::path::{Path, PathBuf};

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Identity, Url};

use crate::Error;

/// The name that every request carries in `User-Agent`.
pub const USER_AGENT: &str = concat!("streamflow/", env!("CARGO_PKG_VERSION"));

const REDIRECTS_MAX: usize = 10;

/// A client for one server, whose timeouts the caller sets.
pub fn client_of(url: &Url) -> ClientBuilder {
    // A redirected POST would become a GET, so a redirect is an error that shows the wrong URL.
    let builder = builder(Policy::none());
    // Plain HTTP needs no CA certificates; small container images have none.
    if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder }
}

fn builder(redirects: Policy) -> ClientBuilder {
    // An error says that a provider is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(redirects).user_agent(USER_AGENT)
}

/// Certificates of a client, each a PEM file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFiles {
    /// The only authorities that are trusted; none: those of the machine.
    pub ca: Option<PathBuf>,
    /// The client's own certificate.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
    /// Whether any certificate of the server is accepted.
    pub insecure_skip_verify: bool,
}

/// A client as `prometheus.yml` describes it: no proxy, redirects unless they are refused, certificates of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// Whether up to ten redirects are followed.
    pub follow_redirects: bool,
    /// None where nothing about TLS is said.
    pub tls: Option<TlsFiles>,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self { follow_redirects: true, tls: None }
    }
}

impl ClientSettings {
    /// A client; timeouts are set request by request. Reads the certificate files, so it blocks.
    ///
    /// # Errors
    /// A file that cannot be read or holds no certificate.
    pub fn client(&self) -> Result<Client, Error> {
        let built = match &self.tls {
            Some(tls) => return with_certificates(self.builder(), tls)?.build().map_err(Error::Client),
            None => self.builder().build(),
        };
        // A machine without CA certificates, such as a small container, still talks plain HTTP.
        built.or_else(|_| self.builder().tls_certs_only([]).build()).map_err(Error::Client)
    }

    fn builder(&self) -> ClientBuilder {
        builder(if self.follow_redirects { Policy::limited(REDIRECTS_MAX) } else { Policy::none() })
            .no_proxy()
    }
}

fn with_certificates(mut builder: ClientBuilder, tls: &TlsFiles) -> Result<ClientBuilder, Error> {
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Certificate { path, source }
    };
    if let Some(path) = &tls.ca {
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&read(path)?).map_err(refused(path))?);
    }
    if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) {
        let pem = [read(certificate)?, b"\n".to_vec(), read(key)?].concat();
        builder = builder.identity(Identity::from_pem(&pem).map_err(refused(certificate))?);
    }
    Ok(builder.tls_danger_accept_invalid_certs(tls.insecure_skip_verify))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n").unwrap();
        let missing = dir.path().join("missing.pem");
        let own = |certificate: &Path| TlsFiles {
            certificate: Some(certificate.to_owned()),
            key: Some(file.clone()),
            ..TlsFiles::default()
        };
        for (tls, expected) in [
            (TlsFiles { ca: Some(file.clone()), ..TlsFiles::default() }, "ca.pem: "),
            (TlsFiles { ca: Some(missing.clone()), ..TlsFiles::default() }, "missing.pem: "),
            (own(&file), "ca.pem: "),
            (own(&missing), "missing.pem: "),
        ] {
            let settings = ClientSettings { tls: Some(tls.clone()), ..ClientSettings::default() };
            let error = settings.client().unwrap_err().to_string();
            assert!(error.contains(expected), "{tls:?}: {error}");
        }
        assert!(ClientSettings::default().client().is_ok());
    }
}
