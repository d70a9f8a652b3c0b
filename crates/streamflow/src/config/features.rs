//! The `[features]` section of the configuration.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use reqwest::Url;
use serde::{Deserialize, Serialize};

/// The variable with the password of a database that features are read from.
pub const PASSWORD_VARIABLE: &str = "STREAMFLOW_FEATURES_PASSWORD";

/// `[features]`: where the features of the entities that are asked for come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeaturesConfig {
    /// Who is asked.
    pub source: FeatureSource,
    /// Where Feast's feature server answers, as `http://HOST:PORT`.
    pub url: Option<String>,
    /// The database that is read directly: a Redis with features that `streamflow features push` has put there, or an
    /// online store of Feast, which is then not asked of its feature server.
    pub store: Option<String>,
    /// A file with the password of that database, relative to the configuration file.
    pub store_password_file: Option<PathBuf>,
    /// A PEM file with authorities that may have signed the certificate of that database: of a Redis they are the only
    /// ones, of a Postgres those of the machine may have too.
    pub store_ca_file: Option<PathBuf>,
    /// The project of Feast whose online store is read directly.
    pub project: Option<String>,
    /// What the names of our own keys in a Redis begin with.
    pub prefix: String,
    /// For how long features that are pushed into a Redis stay there; none: until the next push.
    pub ttl_seconds: Option<NonZeroU64>,
    /// The feature service that is asked for.
    pub service: Option<String>,
    /// The features that are asked for, as `view:feature`.
    pub references: Vec<String>,
    /// A file with a token that is sent as `Authorization: Bearer`, relative to the configuration file.
    pub token_file: Option<PathBuf>,
    /// Longest wait for the store.
    pub timeout_ms: NonZeroU64,
    /// What becomes of a prediction when the store fails.
    pub on_failure: Instead,
    /// What becomes of a prediction when the store knows nothing of the entity.
    pub on_unknown: Instead,
    /// Age of an entity's newest feature, by the store's own times, over which its features are late; none: they are never.
    pub late_seconds: Option<NonZeroU64>,
    /// What becomes of a prediction from late features.
    pub on_late: OnLate,
    /// For how long an answer of the store is used again.
    pub cache_seconds: u32,
    /// For how much longer it is, while the store is asked again.
    pub stale_seconds: u32,
    /// Most entities whose features are kept.
    pub cache_entities: NonZeroUsize,
    /// Most entities with features that `POST /features` has brought.
    pub pushed_entities: NonZeroUsize,
}

/// Who is asked for features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureSource {
    /// The newest snapshot, which is in memory.
    #[default]
    Memory,
    /// Feast: its feature server, or its online store.
    Feast,
    /// A Redis with features that were pushed there.
    Redis,
}

impl FeatureSource {
    /// The word of the configuration for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Feast => "feast",
            Self::Redis => "redis",
        }
    }
}

/// A database that is read directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A Redis, or what speaks its protocol.
    Redis,
    /// A Postgres.
    Postgres,
}

/// What stands in for features that did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Instead {
    /// Nothing: the request is answered with an error.
    Refuse,
    /// Those of the newest snapshot.
    Snapshot,
}

/// What becomes of late features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLate {
    /// They are used and counted.
    Use,
    /// The request is answered with an error.
    Refuse,
    /// Those of the newest snapshot are used.
    Snapshot,
}

impl Default for FeaturesConfig {
    fn default() -> Self {
        Self {
            source: FeatureSource::Memory,
            url: None,
            store: None,
            store_password_file: None,
            store_ca_file: None,
            project: None,
            prefix: "streamflow".to_owned(),
            ttl_seconds: None,
            service: None,
            references: Vec::new(),
            token_file: None,
            timeout_ms: const { NonZeroU64::new(500).expect("500 is not 0") },
            on_failure: Instead::Refuse,
            on_unknown: Instead::Refuse,
            late_seconds: None,
            on_late: OnLate::Use,
            cache_seconds: 0,
            stale_seconds: 0,
            cache_entities: const { NonZeroUsize::new(100_000).expect("it is not 0") },
            pushed_entities: const { NonZeroUsize::new(100_000).expect("it is not 0") },
        }
    }
}

impl FeaturesConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.check_prefix()?;
        match self.source {
            FeatureSource::Memory => return self.check_late(),
            FeatureSource::Redis => self.check_redis()?,
            FeatureSource::Feast if self.store.is_some() => self.check_direct()?,
            FeatureSource::Feast => {
                self.address()?;
                self.check_asked_for()?;
            }
        }
        self.check_late()
    }

    fn check_late(&self) -> anyhow::Result<()> {
        if self.on_late != OnLate::Use && self.late_seconds.is_none() {
            bail!(
                "features.on_late is set without features.late_seconds; give the age over which features are late"
            );
        }
        Ok(())
    }

    fn check_prefix(&self) -> anyhow::Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        if self.prefix.is_empty() || !self.prefix.chars().all(plain) {
            bail!(
                "features.prefix is {:?}; expected letters, digits, and any of . _ : -, such as \"streamflow\"",
                self.prefix
            );
        }
        Ok(())
    }

    /// Our own layout in a Redis.
    fn check_redis(&self) -> anyhow::Result<()> {
        if self.database()?.1 != Database::Redis {
            bail!(
                "features.source is \"redis\"; expected features.store to begin with redis:// or rediss://"
            );
        }
        let others = [
            ("url", self.url.is_some()),
            ("service", self.service.is_some()),
            ("references", !self.references.is_empty()),
            ("project", self.project.is_some()),
        ];
        match others.iter().find(|(_, is_set)| *is_set) {
            None => Ok(()),
            Some((key, _)) => bail!(
                "features.{key} is set, and it is of Feast; features.source is \"redis\": leave it out, or set the source to \"feast\""
            ),
        }
    }

    /// An online store of Feast.
    fn check_direct(&self) -> anyhow::Result<()> {
        self.database()?;
        if self.url.is_some() {
            self.address()?;
        }
        if self.service.is_some() {
            bail!(
                "features.service is set beside features.store: Feast's own tables know no services; name what is read in features.references"
            );
        }
        if self.project.as_deref().is_none_or(|project| project.is_empty() || project.contains('\0')) {
            bail!(
                "features.store is set and features.project is not; expected the `project` of Feast's feature_store.yaml"
            );
        }
        self.check_asked_for()
    }

    fn check_asked_for(&self) -> anyhow::Result<()> {
        match (&self.service, self.references.as_slice()) {
            (Some(_), []) => Ok(()),
            (None, references @ [_, ..]) => {
                let is_reference = |text: &str| {
                    text.split_once(':').is_some_and(|(view, name)| !view.is_empty() && !name.is_empty())
                };
                if let Some(wrong) = references.iter().find(|text| !is_reference(text)) {
                    bail!(
                        "features.references has {wrong:?}; expected VIEW:FEATURE, such as \"user_profile:tenure_months\""
                    );
                }
                Ok(())
            }
            (None, []) => bail!(
                "features.source is \"feast\" and nothing is asked for; set features.service to a feature service, or features.references to a list of VIEW:FEATURE"
            ),
            (Some(_), _) => {
                bail!("features.service and features.references are both set; leave one of them out")
            }
        }
    }

    /// Whether every feature of the model is to come from the source; else the newest snapshot has those that it is not
    /// asked for.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.service.is_some() || self.source == FeatureSource::Redis
    }

    /// The database that is read directly, and of which kind it is.
    ///
    /// # Errors
    /// No address, one of another kind, and one with a password.
    pub fn database(&self) -> anyhow::Result<(Url, Database)> {
        let Some(text) = &self.store else {
            bail!(
                "features.source is \"{}\" and features.store is not set; expected the address of a database, such as \"redis://127.0.0.1:6379/0\"",
                self.source.name()
            );
        };
        let shown = streamflow_outbound::shown_address(text).unwrap_or_else(|| text.clone());
        let expected = || {
            format!(
                "features.store is {shown:?}; expected the address of a database, such as \"redis://127.0.0.1:6379/0\" or \"postgresql://feast@127.0.0.1/feast\""
            )
        };
        let url: Url = text.parse().with_context(expected)?;
        let database = match url.scheme() {
            "redis" | "rediss" => Database::Redis,
            "postgres" | "postgresql" => Database::Postgres,
            _ => bail!(expected()),
        };
        if url.host().is_none() {
            bail!(expected());
        }
        let is_secret = |(name, _): (std::borrow::Cow<'_, str>, _)| name == "password";
        if url.password().is_some() || url.query_pairs().any(is_secret) {
            bail!(
                "features.store holds a password; write it to a file and name it in features.store_password_file, or set {PASSWORD_VARIABLE}"
            );
        }
        self.check_encryption(&url)?;
        Ok((url, database))
    }

    /// Refuses authorities that nobody would ask: those of a connection in clear, or of one that checks no certificate.
    fn check_encryption(&self, url: &Url) -> anyhow::Result<()> {
        if self.store_ca_file.is_none() {
            return Ok(());
        }
        if url.scheme() == "redis" {
            bail!(
                "features.store_ca_file is set, and a connection to redis:// is not encrypted; write rediss:// in features.store"
            );
        }
        let mode = url.query_pairs().find(|(name, _)| matches!(&**name, "sslmode" | "ssl-mode"));
        match mode {
            Some((name, mode)) if !matches!(&*mode, "verify-full" | "verify-ca") => bail!(
                "features.store_ca_file is set, and {name}={mode} in features.store checks no certificate; expected {name}=verify-full"
            ),
            _ => Ok(()),
        }
    }

    /// Where Feast's feature server answers.
    ///
    /// # Errors
    /// No address, and one that no client can ask.
    pub fn address(&self) -> anyhow::Result<Url> {
        let Some(text) = &self.url else {
            bail!(
                "features.source is \"feast\" and features.url is not set; expected the address of its feature server, such as \"http://127.0.0.1:6566\""
            );
        };
        let shown = streamflow_outbound::shown_address(text).unwrap_or_else(|| text.clone());
        let expected = || {
            format!(
                "features.url is {shown:?}; expected the address of a feature server, such as \"http://127.0.0.1:6566\""
            )
        };
        let url: Url = text.parse().with_context(expected)?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            bail!(expected());
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for (text, expected) in [
            ("", None),
            ("source = \"feast\"", Some("features.url is not set")),
            ("source = \"feast\"\nurl = \"http://x:1\"", Some("nothing is asked for")),
            ("source = \"feast\"\nurl = \"http://x:1\"\nservice = \"s\"", None),
            ("source = \"feast\"\nurl = \"http://x:1\"\nreferences = [\"v:a\"]", None),
            ("source = \"feast\"\nurl = \"http://x:1\"\nreferences = [\"a\"]", Some("expected VIEW:FEATURE")),
            (
                "source = \"feast\"\nurl = \"http://x:1\"\nservice = \"s\"\nreferences = [\"v:a\"]",
                Some("are both set"),
            ),
            ("source = \"feast\"\nurl = \"x\"\nservice = \"s\"", Some("features.url is \"x\"")),
            ("source = \"feast\"\nurl = \"redis://x\"\nservice = \"s\"", Some("features.url is")),
            (
                "source = \"feast\"\nurl = \"http://x:1\"\nservice = \"s\"\non_late = \"refuse\"",
                Some("without features.late_seconds"),
            ),
            ("on_late = \"snapshot\"", Some("without features.late_seconds")),
            ("prefix = \"a*\"", Some("features.prefix is \"a*\"")),
            ("source = \"redis\"", Some("features.source is \"redis\" and features.store is not set")),
            ("source = \"redis\"\nstore = \"redis://127.0.0.1\"", None),
            ("source = \"redis\"\nstore = \"rediss://ada@x:1/2\"", None),
            ("source = \"redis\"\nstore = \"rediss://x\"\nstore_ca_file = \"ca.pem\"", None),
            (
                "source = \"redis\"\nstore = \"redis://x\"\nstore_ca_file = \"ca.pem\"",
                Some("write rediss://"),
            ),
            (
                "source = \"feast\"\nstore = \"postgresql://x/f?sslmode=require\"\nproject = \"p\"\nreferences = [\"v:a\"]\nstore_ca_file = \"ca.pem\"",
                Some("sslmode=require in features.store checks no certificate; expected sslmode=verify-full"),
            ),
            ("source = \"redis\"\nstore = \"postgresql://x/y\"", Some("to begin with redis://")),
            ("source = \"redis\"\nstore = \"http://x\"", Some("expected the address of a database")),
            ("source = \"redis\"\nstore = \"redis://:word@x\"", Some("features.store holds a password")),
            ("source = \"redis\"\nstore = \"redis://x\"\nservice = \"s\"", Some("features.service is set")),
            ("source = \"feast\"\nstore = \"redis://x\"\nservice = \"s\"", Some("know no services")),
            (
                "source = \"feast\"\nstore = \"redis://x\"\nreferences = [\"v:a\"]",
                Some("features.project is not"),
            ),
            (
                "source = \"feast\"\nstore = \"postgresql://x/f?password=w\"\nproject = \"p\"\nreferences = [\"v:a\"]",
                Some("features.store holds a password"),
            ),
            ("source = \"feast\"\nstore = \"redis://x\"\nproject = \"p\"", Some("nothing is asked for")),
            (
                "source = \"feast\"\nstore = \"postgresql://x/f\"\nproject = \"p\"\nreferences = [\"v:a\"]",
                None,
            ),
            (
                "source = \"feast\"\nurl = \"x\"\nstore = \"redis://x\"\nproject = \"p\"\nreferences = [\"v:a\"]",
                Some("features.url is \"x\""),
            ),
        ] {
            let config: FeaturesConfig = toml::from_str(text).unwrap();
            let found = config.check().map_err(|error| format!("{error:#}"));
            match expected {
                None => assert_eq!(found, Ok(()), "{text}"),
                Some(expected) => assert!(found.clone().unwrap_err().contains(expected), "{text}: {found:?}"),
            }
        }
    }
}
