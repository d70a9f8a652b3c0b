//! The `[features]` section of the configuration.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use reqwest::Url;
use serde::{Deserialize, Serialize};

/// `[features]`: where the features of the entities that are asked for come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeaturesConfig {
    /// Who is asked.
    pub source: FeatureSource,
    /// Where the feature store answers, as `http://HOST:PORT`.
    pub url: Option<String>,
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
}

/// Who is asked for features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureSource {
    /// The newest snapshot, which is in memory.
    #[default]
    Memory,
    /// A feature server of Feast.
    Feast,
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
        }
    }
}

impl FeaturesConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.source == FeatureSource::Memory {
            return Ok(());
        }
        self.address()?;
        match (&self.service, self.references.as_slice()) {
            (Some(_), []) => {}
            (None, references @ [_, ..]) => {
                let is_reference = |text: &str| {
                    text.split_once(':').is_some_and(|(view, name)| !view.is_empty() && !name.is_empty())
                };
                if let Some(wrong) = references.iter().find(|text| !is_reference(text)) {
                    bail!(
                        "features.references has {wrong:?}; expected VIEW:FEATURE, such as \"user_profile:tenure_months\""
                    );
                }
            }
            (None, []) => bail!(
                "features.source is \"feast\" and nothing is asked for; set features.service to a feature service, or features.references to a list of VIEW:FEATURE"
            ),
            (Some(_), _) => {
                bail!("features.service and features.references are both set; leave one of them out")
            }
        }
        if self.on_late != OnLate::Use && self.late_seconds.is_none() {
            bail!(
                "features.on_late is set without features.late_seconds; give the age over which features are late"
            );
        }
        Ok(())
    }

    /// Where the store answers.
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
