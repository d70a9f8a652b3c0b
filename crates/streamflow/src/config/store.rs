//! The `[store]` section of the configuration.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::postgres_url::Place;

/// Where the URL of a Postgres server is looked for when nothing else is said.
const URL_ENV: &str = "STREAMFLOW_DATABASE_URL";
/// Longest name that Postgres tells from another.
const SCHEMA_BYTES: usize = 63;

/// `[store]`: where runs, the registry, the audit trail, schedules and logins are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// A file of the data directory, or a Postgres server that several servers share.
    pub kind: StoreKind,
    /// The environment variable that holds the URL of the server.
    pub url_env: String,
    /// A file that holds the URL, in the place of the variable; relative to the configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// The schema of the database, which is made where it is missing.
    pub schema: String,
    /// Most connections of one process.
    pub connections: NonZeroU32,
    /// Longest time that a connection is waited for, also while the server is started again.
    pub timeout_seconds: NonZeroU32,
    /// Not a setting: it says where the URL belongs.
    #[serde(skip_serializing)]
    url: Option<String>,
}

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    Sqlite,
    Postgres,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            kind: StoreKind::Sqlite,
            url_env: URL_ENV.to_owned(),
            url_file: None,
            schema: "streamflow".to_owned(),
            connections: const { NonZeroU32::new(10).expect("10 is not 0") },
            timeout_seconds: const { NonZeroU32::new(10).expect("10 is not 0") },
            url: None,
        }
    }
}

impl StoreConfig {
    /// A schema of the server with this URL, which is put into a file of `dir`.
    #[cfg(test)]
    pub fn at(url: &str, schema: &str, dir: &Path) -> Self {
        let file = dir.join("url");
        std::fs::write(&file, url).unwrap();
        let kind = StoreKind::Postgres;
        let connections = const { NonZeroU32::new(3).expect("3 is not 0") };
        Self { kind, url_file: Some(file), schema: schema.to_owned(), connections, ..Self::default() }
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.url.is_none(),
            "store.url is not read: a URL holds a password, and this file is no place for one. Put the URL into the \
             environment variable {URL_ENV} (store.url_env names another), or into a file that store.url_file names"
        );
        let is_variable = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        ensure!(
            is_variable(&self.url_env),
            "store.url_env is not the name of an environment variable; expected one such as {URL_ENV}, which holds the \
             URL of the Postgres server"
        );
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(
            !self.schema.is_empty()
                && self.schema.len() <= SCHEMA_BYTES
                && self.schema.chars().all(is_plain)
                && !self.schema.starts_with(|c: char| c.is_ascii_digit())
                && !self.schema.starts_with("pg_")
                && self.schema != "information_schema",
            "store.schema is {:?}; expected lower-case letters, digits and _, at most {SCHEMA_BYTES}, that begin with a \
             letter and not with pg_, and no schema of Postgres itself, such as streamflow",
            self.schema
        );
        Ok(())
    }

    pub(super) fn resolve(&mut self, base: &Path) {
        if let Some(file) = &mut self.url_file {
            *file = base.join(&*file);
        }
    }

    /// The URL of the server, from the file or the environment.
    ///
    /// # Errors
    /// There is none, or it is none of a Postgres server. What it holds is never told.
    pub fn url(&self) -> anyhow::Result<Url> {
        let file_key = "store.url_file";
        Place { file: self.url_file.as_deref(), file_key, variable: &self.url_env, of: "server" }.url()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let settings: StoreConfig = toml::from_str(text).unwrap();
        format!("{:#}", settings.check().unwrap_err())
    }

    #[test]
    fn a_bad_setting_names_the_remedy_and_no_secret() {
        for (text, expected) in [
            ("url = 'postgres://ana:secret@db/x'", "environment variable STREAMFLOW_DATABASE_URL"),
            ("url_env = 'postgres://ana:secret@db/x'", "not the name of an environment variable"),
            ("url_env = ''", "not the name of an environment variable"),
            ("schema = ''", "store.schema is \"\""),
            ("schema = 'a\"b'", "such as streamflow"),
            ("schema = 'pg_catalog'", "such as streamflow"),
            ("schema = 'information_schema'", "such as streamflow"),
            ("schema = '1a'", "such as streamflow"),
        ] {
            let said = refusal(text);
            assert!(said.contains(expected) && !said.contains("secret"), "{said}");
        }
        for text in ["connections = 0", "timeout_seconds = 0", "kind = 'mysql'", "ur = 'x'"] {
            assert!(toml::from_str::<StoreConfig>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_url_is_read_from_a_file_and_never_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("url");
        let settings = StoreConfig { url_file: Some(file.clone()), ..StoreConfig::default() };
        let refusal = |written: &str| {
            std::fs::write(&file, written).unwrap();
            format!("{:#}", settings.url().unwrap_err())
        };
        assert!(refusal(" \n").contains("holds no URL of a Postgres server"));
        for written in ["mysql://ana:secret@db/x", "ana:secret@db", "postgres//secret"] {
            let said = refusal(written);
            assert!(said.contains("is no URL of a Postgres server") && !said.contains("secret"), "{said}");
        }
        let said = refusal("postgres://ana@db/x?sslmode=require&sslpassword=secret");
        assert!(said.contains("\"sslpassword\", which is not known") && !said.contains("secret"), "{said}");
        std::fs::write(&file, "postgres://ana:secret@db/x?sslmode=require&options[geqo]=off\n").unwrap();
        assert_eq!(settings.url().unwrap().host_str(), Some("db"));
    }
}
