//! What every HTTP client of `prometheus.yml` shares: who we are, whom we trust.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

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
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub insecure_skip_verify: bool,
}

impl HttpSettings {
    /// What Prometheus refuses, with the key it is about.
    pub(crate) fn check(&self) -> Result<(), (&'static str, &'static str)> {
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
    pub(crate) fn resolve(&mut self, directory: &Path) {
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
}
