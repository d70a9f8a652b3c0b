//! What every HTTP client of `prometheus.yml` shares: who we are, whom we trust.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, RequestBuilder};
use serde::Deserialize;

const USER_AGENT: &str = concat!("streamflow/", env!("CARGO_PKG_VERSION"));

/// Credentials, TLS and redirects of one client. At most one kind of credentials is set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct HttpSettings {
    pub basic_auth: Option<BasicAuth>,
    pub authorization: Option<Authorization>,
    pub bearer_token: Option<Secret>,
    pub bearer_token_file: Option<PathBuf>,
    pub oauth2: Option<serde::de::IgnoredAny>,
    pub tls_config: Option<TlsConfig>,
    pub follow_redirects: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            basic_auth: None,
            authorization: None,
            bearer_token: None,
            bearer_token_file: None,
            oauth2: None,
            tls_config: None,
            follow_redirects: true,
        }
    }
}

/// A text that no output shows.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<secret>")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BasicAuth {
    pub username: String,
    pub username_file: Option<PathBuf>,
    pub password: Secret,
    pub password_file: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Authorization {
    #[serde(rename = "type")]
    pub kind: String,
    pub credentials: Secret,
    pub credentials_file: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct TlsConfig {
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub insecure_skip_verify: bool,
}

impl HttpSettings {
    /// What Prometheus refuses, with the key it is about.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let authorization = self.authorization.is_some();
        let bearer = self.bearer_token.is_some() || self.bearer_token_file.is_some();
        if self.bearer_token.is_some() && self.bearer_token_file.is_some() {
            return Err(("bearer_token", "set bearer_token or bearer_token_file, not both"));
        }
        let kinds = [self.basic_auth.is_some(), authorization, bearer, self.oauth2.is_some()];
        if kinds.iter().filter(|set| **set).count() > 1 {
            return Err((
                if authorization { "authorization" } else { "basic_auth" },
                "set only one of basic_auth, authorization, bearer_token and oauth2",
            ));
        }
        if let Some(basic) = &self.basic_auth {
            if basic.password_file.is_some() && basic.password != Secret::default() {
                return Err(("basic_auth", "set password or password_file, not both"));
            }
            if basic.username_file.is_some() && !basic.username.is_empty() {
                return Err(("basic_auth", "set username or username_file, not both"));
            }
        }
        if let Some(authorization) = &self.authorization {
            if authorization.credentials_file.is_some() && authorization.credentials != Secret::default() {
                return Err(("authorization", "set credentials or credentials_file, not both"));
            }
            if authorization.kind.trim().eq_ignore_ascii_case("basic") {
                return Err(("authorization", "type cannot be basic, use basic_auth"));
            }
        }
        match &self.tls_config {
            Some(tls) if tls.cert_file.is_some() != tls.key_file.is_some() => {
                Err(("tls_config", "set both of cert_file and key_file, or none"))
            }
            _ => Ok(()),
        }
    }

    /// Makes paths relative to the directory absolute.
    pub(super) fn resolve(&mut self, directory: &Path) {
        let basic =
            self.basic_auth.iter_mut().flat_map(|basic| [&mut basic.username_file, &mut basic.password_file]);
        let tls = self.tls_config.iter_mut();
        let tls = tls.flat_map(|tls| [&mut tls.ca_file, &mut tls.cert_file, &mut tls.key_file]);
        let authorization =
            self.authorization.iter_mut().map(|authorization| &mut authorization.credentials_file);
        let files = basic.chain(tls).chain(authorization).chain([&mut self.bearer_token_file]);
        for file in files.flatten() {
            *file = directory.join(&*file);
        }
    }

    /// A client; timeouts are set request by request.
    ///
    /// # Errors
    /// When a file of `tls_config` cannot be read or holds no certificate.
    pub fn client(&self) -> Result<Client, String> {
        // An error says that a provider is installed already, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let redirects = || if self.follow_redirects { Policy::limited(10) } else { Policy::none() };
        let mut builder = Client::builder().redirect(redirects()).user_agent(USER_AGENT).no_proxy();
        let read =
            |path: &PathBuf| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        if let Some(tls) = &self.tls_config {
            if let Some(path) = &tls.ca_file {
                let certificates = Certificate::from_pem_bundle(&read(path)?);
                let certificates = certificates.map_err(|error| format!("{}: {error}", path.display()))?;
                builder = builder.tls_certs_only(certificates);
            }
            if let (Some(certificate), Some(key)) = (&tls.cert_file, &tls.key_file) {
                let pem = [read(certificate)?, b"\n".to_vec(), read(key)?].concat();
                let identity = Identity::from_pem(&pem);
                builder = builder
                    .identity(identity.map_err(|error| format!("{}: {error}", certificate.display()))?);
            }
            builder = builder.tls_danger_accept_invalid_certs(tls.insecure_skip_verify);
        }
        match builder.build() {
            Ok(client) => Ok(client),
            // A machine without CA certificates, such as a small container, still scrapes plain HTTP.
            Err(_) if self.tls_config.is_none() => {
                let bare = Client::builder()
                    .redirect(redirects())
                    .user_agent(USER_AGENT)
                    .no_proxy()
                    .tls_certs_only([]);
                bare.build().map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Adds the credentials; files are read anew, so that what rotates them need not tell us.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub async fn authorize(&self, request: RequestBuilder) -> Result<RequestBuilder, String> {
        if let Some(basic) = &self.basic_auth {
            let username = secret(&basic.username, basic.username_file.as_ref()).await?;
            return Ok(request
                .basic_auth(username, Some(secret(&basic.password.0, basic.password_file.as_ref()).await?)));
        }
        let (kind, credentials) = match (&self.authorization, &self.bearer_token, &self.bearer_token_file) {
            (Some(given), ..) => {
                let kind = given.kind.trim();
                let kind = if kind.is_empty() { "Bearer" } else { kind };
                (kind, secret(&given.credentials.0, given.credentials_file.as_ref()).await?)
            }
            (None, Some(token), _) => ("Bearer", token.0.clone()),
            (None, None, Some(file)) => ("Bearer", secret("", Some(file)).await?),
            (None, None, None) => return Ok(request),
        };
        let value = HeaderValue::from_str(&format!("{kind} {credentials}"));
        let mut value =
            value.map_err(|_| "the credentials hold characters that no header takes".to_owned())?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }
}

/// The text, or the content of the file without blanks around it.
async fn secret(text: &str, file: Option<&PathBuf>) -> Result<String, String> {
    let Some(file) = file else { return Ok(text.to_owned()) };
    let content = tokio::fs::read_to_string(file).await;
    Ok(content.map_err(|error| format!("{}: {error}", file.display()))?.trim().to_owned())
}
