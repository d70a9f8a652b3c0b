//! The settings tree of `streamflow.toml`: every default stands beside its field, unknown keys are refused.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use reqwest::Url;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use streamflow_dataset::DatasetSpec;
use streamflow_drift::{DRIFT_SHARE_THRESHOLD, RuleSet, Share};

use crate::{api, console, templates};

/// The file read when `--config` is not given.
pub const DEFAULT_FILE: &str = "streamflow.toml";

/// The whole of `streamflow.toml`. A component gets its own section by value.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where snapshots, models and the database lie; relative to the configuration file.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    pub dataset: DatasetSpec,
    #[serde(default)]
    pub model: Model,
    #[serde(default)]
    pub api: api::Settings,
    #[serde(default)]
    pub monitor: Monitor,
    #[serde(default)]
    pub console: console::Settings,
    #[serde(default)]
    pub metrics: Metrics,
    /// Folder of the configuration file: what relative paths in it start from.
    #[serde(skip)]
    pub base: PathBuf,
}

/// `[model]`: what is trained and under which name it is registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// Name in the registry and in `model_info`.
    pub name: String,
    /// Seed of the fit and of the validation split.
    pub seed: u64,
    /// Share of the entities held out for validation, above 0 and below 1.
    pub validation_share: f64,
}

impl Default for Model {
    fn default() -> Self {
        Self { name: "model".into(), seed: 42, validation_share: 0.25 }
    }
}

/// `[monitor]`: how two months are compared and when to retrain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Monitor {
    pub profile: RuleSet,
    /// Share of drifted columns at or over which retraining is triggered.
    #[serde(deserialize_with = "threshold")]
    pub threshold: Share,
    /// Where reports are written; relative to the configuration file.
    pub report_dir: PathBuf,
}

impl Default for Monitor {
    fn default() -> Self {
        Self {
            profile: RuleSet::Calibrated,
            threshold: DRIFT_SHARE_THRESHOLD,
            report_dir: "reports/drift".into(),
        }
    }
}

fn threshold<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
    Share::new("monitor.threshold", f64::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// `[metrics]`: what is scraped, how long samples are kept, what a query may cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// A `prometheus.yml` with what to scrape, rules, Alertmanagers and remote write; relative to the configuration
    /// file. Without one, the API and this process are scraped and the shipped rules hold.
    pub prometheus_config: Option<PathBuf>,
    /// Between scrapes and between evaluations of rules, where no `prometheus.yml` says.
    pub scrape_interval_seconds: NonZeroU32,
    /// Age after which samples are deleted.
    pub retention_days: NonZeroU32,
    /// Size over which the oldest samples are deleted; none: no limit.
    pub retention_bytes: Option<u64>,
    /// How much older than the newest sample of its series a sample may be.
    pub out_of_order_seconds: u32,
    /// Longest evaluation of a query.
    pub query_timeout_seconds: NonZeroU32,
    /// Most samples a query may hold in memory.
    pub query_max_samples: NonZeroU64,
    /// Where alerts are posted as JSON, beside the Alertmanagers of `prometheus.yml`.
    pub alert_webhook: Option<String>,
}

impl Metrics {
    /// Where alerts are posted, if anywhere.
    pub fn alert_webhook(&self) -> anyhow::Result<Option<Url>> {
        let Some(text) = &self.alert_webhook else { return Ok(None) };
        let url = text.parse().ok().filter(|url: &Url| matches!(url.scheme(), "http" | "https"));
        let url = url.with_context(|| {
            format!("metrics.alert_webhook is {text:?}; expected a URL such as \"https://chat.example/hook\"")
        })?;
        Ok(Some(url))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let positive = |value| NonZeroU32::new(value).expect("a default is not zero");
        Self {
            prometheus_config: None,
            scrape_interval_seconds: positive(10),
            retention_days: positive(15),
            retention_bytes: None,
            out_of_order_seconds: 0,
            query_timeout_seconds: positive(120),
            query_max_samples: NonZeroU64::new(50_000_000).expect("a default is not zero"),
            alert_webhook: None,
        }
    }
}

fn default_data_dir() -> PathBuf {
    "data".into()
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// `path` is what the user named. Without it `streamflow.toml` of the current folder is read, and where there
    /// is none the built-in churn example serves, so that the product runs with nothing configured.
    pub fn load(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path.or_else(|| Some(Path::new(DEFAULT_FILE)).filter(|file| file.exists())) else {
            return Self::parse(templates::STREAMFLOW_TOML, Path::new("the built-in example"));
        };
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "cannot read the configuration {}: write one with `streamflow init` or name it with --config",
                path.display()
            )
        })?;
        let mut config = Self::parse(&text, path)?;
        config.base = path.parent().unwrap_or(Path::new("")).to_path_buf();
        Ok(config)
    }

    fn parse(text: &str, origin: &Path) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let hint = suggestion(error.message()).map(|hint| format!("\n{hint}")).unwrap_or_default();
            anyhow::anyhow!(
                "{} is not a valid configuration: {}{hint}",
                origin.display(),
                error.to_string().trim_end()
            )
        })?;
        config.check().with_context(|| format!("{} is not a valid configuration", origin.display()))?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        self.dataset.validate()?;
        let share = self.model.validation_share;
        if !(share > 0.0 && share < 1.0) {
            bail!("model.validation_share is {share}; expected a share above 0 and below 1, such as 0.25");
        }
        self.console.check().map_err(anyhow::Error::msg)?;
        self.metrics.alert_webhook()?;
        let name = &self.model.name;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            bail!(
                "model.name is {name:?}; expected letters, digits, '-', '_' and '.', not starting with '.': it names a folder"
            );
        }
        Ok(())
    }

    /// The data directory: the flag or environment variable as given, else the configured one beside the file.
    pub fn data_dir(&self, flag: Option<&Path>) -> PathBuf {
        flag.map_or_else(|| self.base.join(&self.data_dir), Path::to_path_buf)
    }

    /// The report folder: the flag or environment variable as given, else the configured one beside the file.
    pub fn report_dir(&self, flag: Option<&Path>) -> PathBuf {
        flag.map_or_else(|| self.base.join(&self.monitor.report_dir), Path::to_path_buf)
    }
}

/// `did you mean …` for serde's "unknown field `x`, expected one of `a`, `b`".
fn suggestion(message: &str) -> Option<String> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (unknown, known) = quoted.split_first()?;
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return None;
    }
    nearest(unknown, known.iter().copied()).map(|near| format!("did you mean `{near}`?"))
}

/// The candidate most like `word`, when one is alike enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(replace: (&str, &str)) -> String {
        let text = templates::STREAMFLOW_TOML.replacen(replace.0, replace.1, 1);
        assert_ne!(text, templates::STREAMFLOW_TOML, "the template no longer holds {:?}", replace.0);
        format!("{:#}", Config::parse(&text, Path::new("streamflow.toml")).unwrap_err())
    }

    #[test]
    fn the_template_is_valid() {
        let config = Config::load(None).unwrap();
        assert_eq!(config.dataset.features.len(), 14);
        assert_eq!(config.monitor.threshold.get(), 0.30);
    }

    #[test]
    fn bad_values_name_the_key_and_the_remedy() {
        for (replace, expected) in [
            (("threshold = 0.30", "treshold = 0.30"), "did you mean `threshold`?"),
            (("threshold = 0.30", "threshold = 30"), "monitor.threshold is 30; expected a share from 0 to 1"),
            (("profile = \"calibrated\"", "profile = \"calibrate\""), "did you mean `calibrated`?"),
            (
                ("retention_days = 15", "retention_days = 15\nalert_webhook = \"chat\""),
                "metrics.alert_webhook is \"chat\"",
            ),
            (("read_only = false", "path_prefix = \"ops/\""), "console.path_prefix is \"ops/\""),
            (
                ("read_only = false", "users = { ada = \"secret\" }"),
                "console.users.ada is not an argon2 hash",
            ),
            (("name = \"churn\"", "name = \"a/b\""), "model.name is \"a/b\""),
            (("validation_share = 0.25", "validation_share = 1"), "model.validation_share is 1; expected"),
        ] {
            let message = error(replace);
            assert!(message.contains(expected), "{message}\nshould contain: {expected}");
        }
    }
}
