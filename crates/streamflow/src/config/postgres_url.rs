//! The URL of a Postgres server, which holds a password: it stands in a file or in the environment, never in the configuration.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use reqwest::Url;

/// What became of the encryption of a connection, with what to do; none where the error is another one.
#[must_use]
pub fn encryption_fault(error: &sqlx::Error) -> Option<String> {
    let source = match error {
        sqlx::Error::Tls(source) => source.to_string(),
        sqlx::Error::Io(source) => source.get_ref()?.downcast_ref::<rustls::Error>()?.to_string(),
        _ => return None,
    };
    Some(format!(
        "the connection cannot be encrypted: {source}; sslrootcert=FILE in the URL names the certificate of its issuer, and \
         sslmode=verify-full needs the host of the URL in the server's certificate"
    ))
}

const EXAMPLE: &str = "postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full";

/// The parameters that a URL may have.
const KEYS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Where a URL stands.
pub(super) struct Place<'a> {
    /// A file, in the place of the variable.
    pub file: Option<&'a Path>,
    /// The key of the configuration that names the file.
    pub file_key: &'static str,
    /// An environment variable.
    pub variable: &'a str,
    /// What the URL is of, in messages: a server, or a database.
    pub of: &'static str,
}

impl Place<'_> {
    /// The URL.
    ///
    /// # Errors
    /// There is none, or it is none of Postgres. What stands there is never told.
    pub fn url(&self) -> anyhow::Result<Url> {
        let (text, place) = match self.file {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| {
                    format!("cannot read {}, which {} names", file.display(), self.file_key)
                })?;
                (text, format!("the file {}", file.display()))
            }
            None => {
                let text = std::env::var(self.variable).unwrap_or_default();
                (text, format!("the environment variable {}", self.variable))
            }
        };
        let (text, of) = (text.trim(), self.of);
        ensure!(
            !text.is_empty(),
            "{place} holds no URL of a Postgres {of}; put one there, such as {EXAMPLE}"
        );
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "postgres" | "postgresql"));
        let url = url.with_context(|| {
            format!(
                "what {place} holds is no URL of a Postgres {of}; expected one such as {EXAMPLE}, with what is special in the \
                 password written as %40 for @"
            )
        })?;
        // The client passes over what it does not know, and logs its value, which may be a password.
        let unknown =
            url.query_pairs().find(|(key, _)| !KEYS.contains(&&**key) && !key.starts_with("options["));
        if let Some((key, _)) = unknown {
            bail!(
                "the URL that {place} holds has the parameter {key:?}, which is not known; expected {}",
                KEYS.join(", ")
            );
        }
        Ok(url)
    }
}
