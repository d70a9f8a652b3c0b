//! HTTP clients with the product's defaults.

use std::path::PathBuf;
use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Identity, Url, tls};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};

use crate::named::Client;
use crate::verifier::Verifier;
use crate::{Error, Secret};

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
    reqwest::Client::builder().redirect(redirects).user_agent(USER_AGENT)
}

/// Certificates of a client, each in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFiles {
    /// The only authorities that are trusted; none: those of the machine.
    pub ca: Option<Secret>,
    /// The client's own certificate.
    pub certificate: Option<Secret>,
    /// The key of that certificate.
    pub key: Option<Secret>,
    /// The name that the handshake asks for and that the server's certificate is held against; none: that of the
    /// address.
    pub server_name: Option<String>,
    /// Whether any certificate of the server is accepted.
    pub insecure_skip_verify: bool,
    /// The oldest version of TLS that is spoken; none: 1.2.
    pub min_version: Option<TlsVersion>,
    /// The newest version of TLS that is spoken; none: 1.3.
    pub max_version: Option<TlsVersion>,
}

/// A version of TLS, of which 1.2 and 1.3 are spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum TlsVersion {
    V1_0,
    V1_1,
    V1_2,
    V1_3,
}

impl TlsFiles {
    /// The versions that are spoken, at least one.
    fn versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
        let known = [(TlsVersion::V1_2, &TLS12), (TlsVersion::V1_3, &TLS13)];
        let is_spoken = |version: TlsVersion| {
            self.min_version.is_none_or(|min| min <= version)
                && self.max_version.is_none_or(|max| version <= max)
        };
        let spoken: Vec<_> =
            known.into_iter().filter(|(version, _)| is_spoken(*version)).map(|(_, known)| known).collect();
        if spoken.is_empty() { Err(Error::TlsVersions) } else { Ok(spoken) }
    }
}

/// A client as `prometheus.yml` describes it: no proxy, redirects unless they are refused, certificates of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// Whether up to ten redirects are followed.
    pub follow_redirects: bool,
    /// None where nothing about TLS is said.
    pub tls: Option<TlsFiles>,
    /// Headers of every request with their values. Files of values are read when the client is made.
    pub headers: Vec<(String, Vec<Secret>)>,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self { follow_redirects: true, tls: None, headers: Vec::new() }
    }
}

impl ClientSettings {
    /// A client; timeouts are set request by request. Reads the files of certificates and headers, so it blocks.
    ///
    /// # Errors
    /// A file that cannot be read or holds no certificate; a header that is none.
    pub fn client(&self) -> Result<Client, Error> {
        let headers = self.header_map()?;
        let Some(files) = &self.tls else {
            let parts = Parts { headers, redirects: self.redirects(), tls: Tls::OfTheMachine };
            // A machine without CA certificates, such as a small container, still talks plain HTTP.
            let built = parts.builder().build();
            let built = built.or_else(|_| parts.builder().tls_certs_only([]).build());
            return built.map(Client::from).map_err(Error::Client);
        };
        let name = files.server_name()?;
        let parts = Parts { headers, redirects: self.redirects(), tls: files.read(name.clone())? };
        Client::new(parts, name).map_err(Error::Client)
    }

    fn redirects(&self) -> usize {
        if self.follow_redirects { REDIRECTS_MAX } else { 0 }
    }

    /// Several values of a header are one, with commas between them.
    fn header_map(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        for (name, values) in &self.headers {
            let texts = values.iter().map(Secret::read_now).collect::<Result<Vec<_>, _>>()?;
            let header = HeaderName::from_bytes(name.as_bytes()).ok();
            let value = HeaderValue::from_str(&texts.join(", ")).ok();
            let (header, mut value) = header.zip(value).ok_or_else(|| Error::Header(name.clone()))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(headers)
    }
}

/// What clients are made of; its files are read.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    headers: HeaderMap,
    /// How many redirects are followed.
    pub redirects: usize,
    tls: Tls,
}

/// How the server's certificate is looked at, and which one is shown to it.
#[derive(Debug, Clone)]
enum Tls {
    OfTheMachine,
    Verified(Arc<ClientConfig>),
    /// Any certificate is accepted.
    Unverified {
        identity: Option<Identity>,
        only: Option<tls::Version>,
        sends_name: bool,
    },
}

impl Parts {
    /// A client without a proxy.
    pub fn builder(&self) -> ClientBuilder {
        let redirects = if self.redirects > 0 { Policy::limited(self.redirects) } else { Policy::none() };
        let builder = builder(redirects).no_proxy().default_headers(self.headers.clone());
        match &self.tls {
            Tls::OfTheMachine => builder,
            Tls::Verified(config) => builder.tls_backend_preconfigured(ClientConfig::clone(config)),
            Tls::Unverified { identity, only, sends_name } => {
                let builder = builder.tls_danger_accept_invalid_certs(true).tls_sni(*sends_name);
                let builder = match identity {
                    Some(identity) => builder.identity(identity.clone()),
                    None => builder,
                };
                match *only {
                    Some(only) => builder.tls_version_min(only).tls_version_max(only),
                    None => builder,
                }
            }
        }
    }
}

impl TlsFiles {
    fn server_name(&self) -> Result<Option<ServerName<'static>>, Error> {
        let name = self.server_name.clone().map(ServerName::try_from).transpose();
        name.map_err(|_| Error::ServerName(self.server_name.clone().unwrap_or_default()))
    }

    fn read(&self, name: Option<ServerName<'static>>) -> Result<Tls, Error> {
        let versions = self.versions()?;
        // An address is looked for in the certificate and not sent, as Go does it.
        let sends_name = !matches!(name, Some(ServerName::IpAddress(_)));
        if self.insecure_skip_verify {
            let only = match versions[..] {
                [only] if only.version == TLS13.version => Some(tls::Version::TLS_1_3),
                [_] => Some(tls::Version::TLS_1_2),
                _ => None,
            };
            return Ok(Tls::Unverified { identity: self.identity()?, only, sends_name });
        }
        let mut config = self.verified(name, &versions)?;
        config.enable_sni = sends_name;
        Ok(Tls::Verified(Arc::new(config)))
    }

    fn own(&self) -> Option<(&Secret, &Secret)> {
        self.certificate.as_ref().zip(self.key.as_ref())
    }

    fn identity(&self) -> Result<Option<Identity>, Error> {
        let Some((certificate, key)) = self.own() else { return Ok(None) };
        let pem = [certificate.read_now()?, "\n".to_owned(), key.read_now()?].concat();
        let identity = Identity::from_pem(pem.as_bytes()).map_err(|error| refused(certificate, &error))?;
        Ok(Some(identity))
    }

    fn verified(
        &self,
        name: Option<ServerName<'static>>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<ClientConfig, Error> {
        let provider = CryptoProvider::get_default().cloned();
        let provider = provider.unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
        let named = |error: rustls::Error| match &self.ca {
            Some(ca) => refused(ca, &error),
            None => Error::Certificate { path: PathBuf::from(INLINE), reason: error.to_string() },
        };
        let trusted = self.ca.as_ref().map_or(Ok(Vec::new()), certificates)?;
        let verifier = Verifier::new(trusted, name, &provider).map_err(named)?;
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        let config = config.map_err(named)?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let Some((certificate, key)) = self.own() else { return Ok(config.with_no_client_auth()) };
        let chain = certificates(certificate)?;
        let key_der = PrivateKeyDer::from_pem_slice(key.read_now()?.as_bytes());
        let key_der = key_der.map_err(|error| refused(key, &error))?;
        config.with_client_auth_cert(chain, key_der).map_err(|error| refused(certificate, &error))
    }
}

/// The certificates of a text in PEM, at least one.
fn certificates(pem: &Secret) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = pem.read_now()?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(refused(pem, &"it holds no certificate in PEM")),
        Ok(found) => Ok(found),
        Err(error) => Err(refused(pem, &error)),
    }
}

/// What stands for the file of a text that is in the configuration itself.
const INLINE: &str = "tls_config";

fn refused(pem: &Secret, reason: &dyn std::fmt::Display) -> Error {
    let path = match pem {
        Secret::File(path) => path.clone(),
        Secret::Text(_) => PathBuf::from(INLINE),
    };
    Error::Certificate { path, reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_file_that_is_no_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n").unwrap();
        let missing = dir.path().join("missing.pem");
        let own = |certificate: &Path| TlsFiles {
            certificate: Some(Secret::File(certificate.to_owned())),
            key: Some(Secret::File(file.clone())),
            ..TlsFiles::default()
        };
        let authority = |ca| TlsFiles { ca: Some(ca), ..TlsFiles::default() };
        for (tls, expected) in [
            (authority(Secret::File(file.clone())), "ca.pem: "),
            (authority(Secret::File(missing.clone())), "missing.pem: "),
            (
                authority(Secret::Text("no certificate".to_owned())),
                "tls_config: it holds no certificate in PEM",
            ),
            (own(&file), "ca.pem: "),
            (own(&missing), "missing.pem: "),
        ] {
            let settings = ClientSettings { tls: Some(tls.clone()), ..ClientSettings::default() };
            let error = settings.client().unwrap_err().to_string();
            assert!(error.contains(expected), "{tls:?}: {error}");
        }
        assert!(ClientSettings::default().client().is_ok());
        let inline = include_str!("verifier/certificates/authority.pem").to_owned();
        let tls = Some(authority(Secret::Text(inline)));
        assert!(ClientSettings { tls, ..ClientSettings::default() }.client().is_ok());
    }

    #[test]
    fn versions_are_those_between_both() {
        use TlsVersion::{V1_0, V1_1, V1_2, V1_3};
        for (min_version, max_version, expected) in [
            (None, None, Some(vec![&TLS12, &TLS13])),
            (Some(V1_0), Some(V1_3), Some(vec![&TLS12, &TLS13])),
            (Some(V1_3), None, Some(vec![&TLS13])),
            (None, Some(V1_2), Some(vec![&TLS12])),
            (None, Some(V1_1), None),
            (Some(V1_3), Some(V1_2), None),
        ] {
            let tls = TlsFiles { min_version, max_version, ..TlsFiles::default() };
            assert_eq!(tls.versions().ok(), expected);
            for insecure_skip_verify in [false, true] {
                let tls = Some(TlsFiles { insecure_skip_verify, ..tls.clone() });
                match (ClientSettings { tls, ..ClientSettings::default() }.client(), &expected) {
                    (Ok(_), Some(_)) => (),
                    (Err(error), None) => assert!(error.to_string().contains("TLS12 or TLS13"), "{error}"),
                    (built, _) => panic!("{built:?}, expected {expected:?}"),
                }
            }
        }
    }
}
