//! The `[monitor]` section of the configuration.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::bail;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use streamflow_dataset::{ColumnType as Declared, DatasetSpec};
use streamflow_drift::{ColumnType, DRIFT_SHARE_THRESHOLD, METHODS, Method, RuleSet, Share, Untested};

use super::{PerformanceConfig, nearest};

/// `[monitor]`: how two months are compared and when to retrain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MonitorConfig {
    pub profile: RuleSet,
    /// Share of drifted columns at or over which retraining is triggered.
    #[serde(deserialize_with = "threshold")]
    pub threshold: Share,
    /// Whether a column that the current table no longer lets be tested counts as drifted.
    pub untested: Untested,
    /// Folder of the reports; relative to the configuration file.
    pub report_dir: PathBuf,
    /// Age after which a report is deleted; none: at no age.
    pub keep_report_days: Option<NonZeroU32>,
    /// Reports over which the oldest are deleted; none: any number is kept.
    pub keep_reports: Option<NonZeroU32>,
    /// When the model counts as wrong.
    pub performance: PerformanceConfig,
    /// Columns that are judged otherwise.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnRules>,
}

/// `monitor.columns.NAME`: how one column is judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnRules {
    /// The column is not compared.
    pub ignore: bool,
    /// How it is tested, in place of what its values suggest.
    #[serde(rename = "type")]
    pub column_type: Option<ColumnType>,
    /// The name of a drift method.
    #[serde(deserialize_with = "method")]
    pub method: Option<String>,
    /// The bound of the size of a difference; of the score in the evidently profile.
    pub threshold: Option<f64>,
}

impl MonitorConfig {
    /// Refuses rules for columns that no month has, and thresholds that are no bounds.
    pub fn check(&self, dataset: &DatasetSpec) -> anyhow::Result<()> {
        self.performance.check()?;
        let known = || dataset.features.iter().chain([&dataset.label.column]).map(String::as_str);
        for (name, rules) in &self.columns {
            if known().all(|column| column != name) {
                let hint =
                    nearest(name, known()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                bail!("monitor.columns names {name:?}, which is neither a feature nor the label{hint}");
            }
            rules.check_method(name, dataset)?;
            if let Some(threshold) = rules.threshold.filter(|value| !(value.is_finite() && *value > 0.0)) {
                bail!("monitor.columns.{name}.threshold is {threshold}; expected a number over 0");
            }
        }
        Ok(())
    }
}

impl ColumnRules {
    /// Refuses a type or a method that the column's declared values have no use for: it would drop out of the verdict.
    fn check_method(&self, name: &str, dataset: &DatasetSpec) -> anyhow::Result<()> {
        let declared = dataset.tables.keys().find_map(|table| dataset.column_type(table, name));
        let is_number = matches!(declared, Some(Declared::Integer | Declared::Float));
        let column_type = match (self.column_type, is_number) {
            (Some(ColumnType::Numerical), false) => {
                bail!("monitor.columns.{name}.type is numerical, and the values of {name} are no numbers")
            }
            (Some(chosen), _) => chosen,
            (None, true) => ColumnType::Numerical,
            (None, false) => ColumnType::Categorical,
        };
        let method = self.method.as_deref().and_then(|method| drift_method(method).ok());
        match method.filter(|method| !self.ignore && !method.columns.contains(&column_type)) {
            Some(method) => bail!(
                "monitor.columns.{name}.method is {}, which is not for {} columns",
                method.name,
                column_type.as_str()
            ),
            None => Ok(()),
        }
    }
}

/// The drift method of that name.
///
/// # Errors
/// Words that name the nearest method.
pub fn drift_method(name: &str) -> Result<&'static Method, String> {
    Method::find(name).map_err(|error| {
        let near = nearest(name, METHODS.iter().map(|method| method.name));
        near.map_or_else(|| error.to_string(), |near| format!("{error}; did you mean {near}?"))
    })
}

fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    drift_method(&name).map(|_| Some(name)).map_err(D::Error::custom)
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            profile: RuleSet::Calibrated,
            threshold: DRIFT_SHARE_THRESHOLD,
            untested: Untested::Drifted,
            report_dir: "reports/drift".into(),
            keep_report_days: None,
            keep_reports: None,
            performance: PerformanceConfig::default(),
            columns: BTreeMap::new(),
        }
    }
}

fn threshold<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
    Share::new("monitor.threshold", f64::deserialize(deserializer)?).map_err(D::Error::custom)
}
