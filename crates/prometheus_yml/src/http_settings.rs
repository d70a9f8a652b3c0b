//! What every HTTP client of `prometheus.yml` shares: who we are, whom we trust.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::or_default;

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
    /// Of receivers alone.
    pub sigv4: Option<serde::de::IgnoredAny>,
    pub tls_config: Option<TlsConfig>,
    pub follow_redirects: bool,
    /// Headers of every request.
    #[serde(deserialize_with = "or_default")]
    pub http_headers: BTreeMap<String, Header>,
}

/// The values of one header, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Header {
    /// Values as they are.
    #[serde(deserialize_with = "or_default")]
    pub values: Vec<String>,
    /// Values that are not shown.
    #[serde(deserialize_with = "or_default")]
    pub secrets: Vec<Secret>,
    /// Files that hold a value each.
    #[serde(deserialize_with = "or_default")]
    pub files: Vec<PathBuf>,
}

/// Headers that requests set otherwise, in lower case.
const RESERVED_HEADERS: [&str; 12] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "proxy-authorization",
    "user-agent",
    "x-prometheus-remote-read-version",
    "x-prometheus-remote-write-version",
    "x-prometheus-scrape-timeout-seconds",
];

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            basic_auth: None,
            authorization: None,
            bearer_token: None,
            bearer_token_file: None,
            oauth2: None,
            sigv4: None,
            tls_config: None,
            follow_redirects: true,
            http_headers: BTreeMap::new(),
        }
    }
}

/// A text that no output shows.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret that is not read from a file.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for a request's header.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

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
    /// Certificates in PEM, as `ca_file` holds them.
    pub ca: String,
    /// A certificate in PEM, as `cert_file` holds it.
    pub cert: String,
    /// Its key in PEM, as `key_file` holds it.
    pub key: Secret,
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate is held against; that of the address where it is not set.
    pub server_name: Option<String>,
    pub insecure_skip_verify: bool,
    /// The oldest version that is spoken.
    pub min_version: Option<TlsVersion>,
    /// The newest version that is spoken.
    pub max_version: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[allow(missing_docs)]
pub enum TlsVersion {
    V1_0,
    V1_1,
    V1_2,
    V1_3,
}

impl TryFrom<String> for TlsVersion {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "TLS10" => Ok(Self::V1_0),
            "TLS11" => Ok(Self::V1_1),
            "TLS12" => Ok(Self::V1_2),
            "TLS13" => Ok(Self::V1_3),
            _ => Err(format!("the TLS version {name:?} is not known, expected TLS10, TLS11, TLS12 or TLS13")),
        }
    }
}

impl TlsConfig {
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let is_file = |file: &Option<PathBuf>| file.as_ref().is_some_and(|file| !file.as_os_str().is_empty());
        let has_key = *self.key.reveal() != *"";
        for (is_text, file, both) in [
            (!self.ca.is_empty(), &self.ca_file, "set ca or ca_file, not both"),
            (!self.cert.is_empty(), &self.cert_file, "set cert or cert_file, not both"),
            (has_key, &self.key_file, "set key or key_file, not both"),
        ] {
            if is_text && is_file(file) {
                return Err(("tls_config", both));
            }
        }
        let has_certificate = !self.cert.is_empty() || is_file(&self.cert_file);
        if has_certificate == (has_key || is_file(&self.key_file)) {
            return Ok(());
        }
        Err(("tls_config", "set both of cert_file and key_file (or cert and key), or none"))
    }
}

impl HttpSettings {
    /// What Prometheus refuses, with the key it is about.
    pub(crate) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let authorization = self.authorization.is_some();
        let token = self.bearer_token.as_ref().is_some_and(|token| *token != Secret::default());
        let token_file = self.bearer_token_file.as_ref().is_some_and(|file| !file.as_os_str().is_empty());
        let bearer = token || token_file;
        if token && token_file {
            return Err(("bearer_token", "set bearer_token or bearer_token_file, not both"));
        }
        let kinds =
            [self.basic_auth.is_some(), authorization, bearer, self.oauth2.is_some(), self.sigv4.is_some()];
        if kinds.iter().filter(|set| **set).count() > 1 {
            return Err((
                if authorization { "authorization" } else { "basic_auth" },
                "set only one of basic_auth, authorization, bearer_token, oauth2 and sigv4",
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
        let reserved = |name: &&String| RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str());
        if self.http_headers.keys().any(|name| reserved(&name)) {
            return Err(("http_headers", "a header is set by every request itself, remove it"));
        }
        self.tls_config.as_ref().map_or(Ok(()), TlsConfig::check)
    }

    /// Makes paths relative to the directory absolute.
    pub(crate) fn resolve(&mut self, directory: &Path) {
        let basic =
            self.basic_auth.iter_mut().flat_map(|basic| [&mut basic.username_file, &mut basic.password_file]);
        let tls = self.tls_config.iter_mut();
        let tls = tls.flat_map(|tls| [&mut tls.ca_file, &mut tls.cert_file, &mut tls.key_file]);
        let authorization =
            self.authorization.iter_mut().map(|authorization| &mut authorization.credentials_file);
        let files = basic.chain(tls).chain(authorization).chain([&mut self.bearer_token_file]);
        let headers = self.http_headers.values_mut().flat_map(|header| &mut header.files);
        for file in files.flatten().chain(headers).filter(|file| !file.as_os_str().is_empty()) {
            *file = directory.join(&*file);
        }
    }
}
