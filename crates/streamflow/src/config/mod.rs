//! The settings tree of `streamflow.toml`, a file for each section: every default stands beside its field, unknown keys
//! are refused. A part is handed its section by value; nothing here knows the parts.

mod api;
mod api_key;
mod console;
mod features;
mod flows;
mod hints;
mod live;
mod log;
mod metrics;
mod mlflow;
mod model;
mod monitor;
mod network;
mod notify;
mod performance;
mod place;
mod postgres_url;
mod proxy_login;
mod retention;
mod role;
mod serve;
mod source;
mod storage;
mod store;
mod tls;
mod training;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use streamflow_dataset::DatasetSpec;

use crate::templates;

pub use api::{ApiConfig, Protocol};
pub use api_key::{
    ApiKey, ApiKeys, KeyDigest, OWN_KEY_NAME, check_name as check_key_name, read as read_keys,
};
pub use console::ConsoleConfig;
pub use features::{Database, FeatureSource, FeaturesConfig, Instead, OnLate, PASSWORD_VARIABLE};
pub use flows::{FlowConfig, Overlap, RunsConfig, StepConfig, Trigger};
pub use live::{LiveConfig, LiveGates};
pub use log::{EntityForm, LogConfig};
pub use metrics::MetricsConfig;
pub use mlflow::{MlflowConfig, ModelSource};
pub use model::{ModelConfig, check_model_name};
pub use monitor::{ColumnRules, MonitorConfig, drift_method};
pub use network::Network;
pub use notify::{ChannelKind, MailTls, News, NotifyConfig};
pub use performance::{PerformanceConfig, Promote};
pub use place::Place;
pub use postgres_url::encryption_fault;
pub use proxy_login::ProxyLogin;
pub use retention::{Keep, SnapshotsConfig};
pub use role::{ConsoleUser, Role};
pub use serve::ServeConfig;
pub use source::{PostgresTables, TableOrigin};
pub use storage::StorageConfig;
pub use store::{StoreConfig, StoreKind};
pub use streamflow_compare::nearest;
pub use tls::TlsConfig;

/// The file read when `--config` is not given.
pub const DEFAULT_FILE: &str = "streamflow.toml";

/// The whole of `streamflow.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of snapshots, models, samples and the database, relative to the configuration file; or a place in a bucket,
    /// `s3://BUCKET/PREFIX`, of which a working copy is kept.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    pub dataset: DatasetSpec,
    #[serde(default)]
    pub model: ModelConfig,
    #[serde(default)]
    pub api: ApiConfig,
    /// Where the features of entities come from.
    #[serde(default)]
    pub features: FeaturesConfig,
    #[serde(default)]
    pub monitor: MonitorConfig,
    #[serde(default)]
    pub live: LiveConfig,
    #[serde(default)]
    pub console: ConsoleConfig,
    #[serde(default)]
    pub metrics: MetricsConfig,
    /// Answers that are kept.
    #[serde(default)]
    pub log: LogConfig,
    /// Where runs, the registry and the audit trail are kept.
    #[serde(default)]
    pub store: StoreConfig,
    /// Versions that answer beside the one in production.
    #[serde(default)]
    pub serve: ServeConfig,
    /// The MLflow server that is told of trainings.
    #[serde(default)]
    pub mlflow: MlflowConfig,
    /// How buckets are reached.
    #[serde(default)]
    pub storage: StorageConfig,
    /// How long ingested months are kept.
    #[serde(default)]
    pub snapshots: SnapshotsConfig,
    /// How long runs are kept.
    #[serde(default)]
    pub runs: RunsConfig,
    /// When flows run by themselves, and flows of one's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flows: BTreeMap<String, FlowConfig>,
    /// Who is told of what runs come to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notify: BTreeMap<String, NotifyConfig>,
    /// Folder of the configuration file: what relative paths in it start from.
    #[serde(skip)]
    pub base: PathBuf,
    /// The configuration file itself; none for the built-in example.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

fn default_data_dir() -> PathBuf {
    "data".into()
}

impl Config {
    /// Reads and checks the configuration that the user named, or `streamflow.toml` of the current folder or the
    /// nearest one above.
    ///
    /// # Errors
    /// No such file; one that is not a configuration.
    pub fn load(path: Option<&Path>) -> anyhow::Result<Self> {
        match path.map(Path::to_path_buf).or_else(nearest_file) {
            Some(path) => Self::read(&path),
            None => bail!(
                "there is no {DEFAULT_FILE} here or in a folder above: run `streamflow init`, or name one with --config"
            ),
        }
    }

    /// The same, for a command that also works outside of a project: `None` there.
    ///
    /// # Errors
    /// As [`Config::load`], but for a missing file that nobody named.
    pub fn load_if_any(path: Option<&Path>) -> anyhow::Result<Option<Self>> {
        path.map(Path::to_path_buf).or_else(nearest_file).map(|path| Self::read(&path)).transpose()
    }

    /// The same, for a command that makes a project: what lies in a folder above is another project's.
    ///
    /// # Errors
    /// As [`Config::load_if_any`].
    pub fn load_here(path: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let here = || Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists());
        path.map(Path::to_path_buf).or_else(here).map(|path| Self::read(&path)).transpose()
    }

    /// The configuration that `streamflow init` writes.
    ///
    /// # Errors
    /// None, as a test holds.
    pub fn example() -> anyhow::Result<Self> {
        Self::parse(templates::STREAMFLOW_TOML, Path::new("the built-in example"))
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "cannot read the configuration {}: write one with `streamflow init` or name it with --config",
                path.display()
            )
        })?;
        let mut config = Self::parse(&text, path)?;
        config.base = path.parent().unwrap_or(Path::new("")).to_path_buf();
        config.file = Some(path.to_path_buf());
        config.storage.cache_dir = config.storage.cache_dir.take().map(|dir| config.base.join(dir));
        config.api.resolve(&config.base);
        config.store.resolve(&config.base);
        if let Some(tls) = &mut config.console.tls {
            tls.resolve(&config.base);
        }
        Ok(config)
    }

    /// The configuration of a text that was found elsewhere, such as in a backup; its paths start from the current folder.
    ///
    /// # Errors
    /// A text that is no configuration.
    pub fn of_text(text: &str, origin: &Path) -> anyhow::Result<Self> {
        Self::parse(text, origin)
    }

    fn parse(text: &str, origin: &Path) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let hint = hints::of(&error, text).map(|hint| format!("\n{hint}")).unwrap_or_default();
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
        PostgresTables::of(&self.dataset)?;
        self.model.check()?;
        self.log.check()?;
        self.serve.check(&self.model.name)?;
        self.store.check()?;
        self.monitor.check(&self.dataset)?;
        self.api.check()?;
        self.storage.check()?;
        Place::parse(&self.data_dir, &self.storage).context("data_dir")?;
        self.features.check()?;
        self.live.check(&self.dataset)?;
        self.console.check()?;
        self.flows.iter().try_for_each(|(name, flow)| flow.check(name))?;
        self.notify.iter().try_for_each(|(name, channel)| channel.check(name))?;
        self.metrics.check()
    }

    /// The data directory, or the working copy of one in a bucket: the flag or environment variable as given, else the configured one beside the file.
    pub fn data_dir(&self, flag: Option<&Path>) -> PathBuf {
        self.place(flag).folder
    }

    /// The same with the bucket that it is the working copy of, where it is one.
    pub fn place(&self, flag: Option<&Path>) -> Place {
        let named = flag.unwrap_or(&self.data_dir);
        // Both were checked when they were read.
        let place = Place::parse(named, &self.storage).unwrap_or_else(|_| Place::folder(named.to_path_buf()));
        let is_beside_file = flag.is_none() && place.location.is_none();
        if is_beside_file { Place::folder(self.base.join(place.folder)) } else { place }
    }

    /// The report folder: the flag or environment variable as given, else the configured one beside the file.
    pub fn report_dir(&self, flag: Option<&Path>) -> PathBuf {
        flag.map_or_else(|| self.base.join(&self.monitor.report_dir), Path::to_path_buf)
    }
}

/// The configuration of the current folder or the nearest folder above. In the current folder its path is relative, as
/// are then the paths that are told of what lies beside it.
fn nearest_file() -> Option<PathBuf> {
    let here = PathBuf::from(DEFAULT_FILE);
    if here.exists() {
        return Some(here);
    }
    let folder = std::env::current_dir().ok()?;
    folder.ancestors().skip(1).map(|above| above.join(DEFAULT_FILE)).find(|file| file.exists())
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
        let config = Config::example().unwrap();
        assert_eq!(config.dataset.features.len(), 14);
        assert_eq!(config.monitor.threshold.get(), 0.30);
    }

    /// The template with its commented keys set, from `[model]` on and above `[dataset]`: the keys there are plain.
    fn with_every_key() -> String {
        let mut is_dataset = false;
        let uncommented = templates::STREAMFLOW_TOML.lines().map(|line| {
            if let Some(section) = line.strip_prefix('[') {
                is_dataset = section.trim_start_matches('[').starts_with("dataset");
            }
            let setting = line.strip_prefix('#').map(str::trim_start).filter(|text| {
                let is_key = |key: &str| key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                let is_section = text.starts_with("[notify.") && text.ends_with(']');
                is_section || text.split_once(" = ").is_some_and(|(key, _)| is_key(key))
            });
            format!("{}\n", setting.filter(|_| !is_dataset).unwrap_or(line))
        });
        uncommented.collect()
    }

    #[test]
    fn every_key_stands_in_the_template_and_a_commented_one_shows_its_default() {
        let set: toml::Table = with_every_key().parse().unwrap();
        // What the template names that the settings lack is refused here.
        let config = Config::parse(&with_every_key(), Path::new("the template")).unwrap();
        let as_written = Config::example().unwrap();
        let as_json = |config: &Config| serde_json::to_value(config).unwrap();
        let (known, as_written) = (as_json(&config), as_json(&as_written));
        for (section, keys) in known.as_object().unwrap() {
            assert!(set.contains_key(section), "{section} is not in the template");
            let Some(keys) = keys.as_object().filter(|_| section != "dataset") else { continue };
            for (key, value) in keys {
                assert!(set[section].get(key).is_some(), "{section}.{key} is not in the template");
                let default = &as_written[section][key];
                assert!(default.is_null() || default == value, "{section}.{key} is {default} when left out");
            }
        }
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
            (
                (
                    "retention_days = 15",
                    "retention = [{ match = \"up\", days = 1 }, { match = \"foo(\", days = 3 }]",
                ),
                "metrics.retention[1].match is \"foo(\"; expected a selector such as",
            ),
            (
                ("retention_days = 15", "retention = [{ match = '{a=~\".*\"}', days = 1 }]"),
                "metrics.retention[0].match is \"{a=~\\\".*\\\"}\", which no label bounds",
            ),
            (
                ("retention_days = 15", "downsampling = { one_hour_days = 15 }"),
                "metrics.downsampling.one_hour_days is 15; expected more than metrics.retention_days, which is 15",
            ),
            (
                ("retention_days = 15", "downsampling = { one_hours_days = 20 }"),
                "did you mean `one_hour_days`?",
            ),
            (("retention_days = 15", "retention = [{ match = \"up\", days = 0 }]"), "nonzero u32"),
            (("[serve]", "[store]\nkind = \"postgres\"\n\n[serve]"), "[store] stands in line "),
            (("seed = 42", "seed = 42\nseed = 43"), "seed stands in line "),
            (("retention_days = 15", "retention = [{ match = \"up\", day = 3 }]"), "did you mean `days`?"),
            (("read_only = false", "path_prefix = \"ops/\""), "console.path_prefix is \"ops/\""),
            (
                ("read_only = false", "users = { ada = \"secret\" }"),
                "console.users.ada is not an argon2 hash",
            ),
            (
                ("read_only = false", "users = { ada = { password = \"x\", role = \"operater\" } }"),
                "did you mean `operator`?",
            ),
            (("read_only = false", "proxy_login = {}"), "console.proxy_login gives nobody a role"),
            (
                ("read_only = false", "proxy_login = { user_header = \"X User\" }"),
                "console.proxy_login.user_header is \"X User\"",
            ),
            (
                ("untested = \"drifted\"", "performance = { min_growth = -0.1 }"),
                "monitor.performance.min_growth is -0.1; expected a share of the validated error",
            ),
            (
                ("# task = \"binary\"", "task = \"ranking\""),
                "unknown variant `ranking`, expected one of `binary`, `multiclass`, `regression`",
            ),
            (("# task = \"binary\"", "task = \"regression\""), "label.column = \"churn_label\" is boolean"),
            (("name = \"churn\"", "name = \"a/b\""), "model.name is \"a/b\""),
            (
                ("batch_limit = 1000", "cors_origins = [\"shop.example\"]"),
                "api.cors_origins names \"shop.example\"",
            ),
            (
                ("batch_limit = 1000", "cors_origins = [\"https://shop.example/\"]"),
                "\"https://shop.example/\"",
            ),
            (("batch_limit = 1000", "access_log_share = 2"), "api.access_log_share is 2"),
            (("batch_limit = 1000", "keys = { shop = { sha256 = \"12\" } }"), "64 hexadecimal digits"),
            (("read_only = false", "trusted_proxies = [\"proxy\"]"), "\"proxy\" is no network"),
            (
                ("untested = \"drifted\"", "columns = { monthly_fee = { method = \"kss\" } }"),
                "unknown drift method \"kss\"",
            ),
            (
                ("untested = \"drifted\"", "columns = { monthly_fees = { ignore = true } }"),
                "did you mean monthly_fee?",
            ),
            (
                ("untested = \"drifted\"", "columns = { net_service = { method = \"ks\" } }"),
                "monitor.columns.net_service.method is ks, which is not for categorical columns",
            ),
            (
                ("untested = \"drifted\"", "columns = { net_service = { type = \"numerical\" } }"),
                "the values of net_service are no numbers",
            ),
            (
                ("untested = \"drifted\"", "columns = { monthly_fee = { threshold = -1 } }"),
                "monitor.columns.monthly_fee.threshold is -1; expected a number over 0",
            ),
            (
                ("listen = \"127.0.0.1:9090\"", "listen = \"127.0.0.1:99999\""),
                "listen takes an address with a port up to",
            ),
            (
                ("[flows]", "[flows.monthly]\nmax_age_of_success = 35\n[flows]"),
                "max_age_of_success takes a length of time in quotes",
            ),
            (("min_entities = 200", "min_entities = 20"), "live.min_entities is 20; expected 50 to 8192"),
            (("min_entities = 200", "false_alarms_per_month = 0"), "live.false_alarms_per_month is 0"),
            (
                ("min_entities = 200", "gates = { monthly_fees = { location = 0.1 } }"),
                "live.gates.monthly_fees is of no feature in dataset.features; did you mean monthly_fee?",
            ),
            (
                ("min_entities = 200", "gates = { monthly_fee = { location = 2 } }"),
                "live.gates.monthly_fee.location is 2",
            ),
            (("validation_share = 0.25", "validation_share = 1"), "model.validation_share is 1; expected"),
            (("seed = 42", "validation = \"tiem\""), "did you mean `time`?"),
            (("seed = 42", "calibration = \"sigmiod\""), "did you mean `sigmoid`?"),
            (
                ("seed = 42", "class_weight = \"balance\""),
                "model.class_weight is \"balance\"; expected \"balanced\"",
            ),
            (("seed = 42", "class_weight = { true = 0 }"), "model.class_weight.true is 0; expected"),
            (
                ("seed = 42", "monotone = { months_active = \"down\" }"),
                "expected `increasing` or `decreasing`",
            ),
            (("seed = 42", "search = { trials = 0 }"), "model.search.trials is 0; expected 1 to 1000"),
            (("seed = 42", "search = { budget = \"soon\" }"), "\"soon\" is no length of time"),
            (("seed = 42", "search = { budget = \"2m\", trials = 3 }"), "model.search takes either trials"),
        ] {
            let message = error(replace);
            assert!(message.contains(expected), "{message}\nshould contain: {expected}");
        }
    }
}
