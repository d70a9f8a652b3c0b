//! The `[monitor]` section of the configuration.

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use streamflow_drift::{DRIFT_SHARE_THRESHOLD, RuleSet, Share, Untested};

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
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            profile: RuleSet::Calibrated,
            threshold: DRIFT_SHARE_THRESHOLD,
            untested: Untested::Drifted,
            report_dir: "reports/drift".into(),
        }
    }
}

fn threshold<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
    Share::new("monitor.threshold", f64::deserialize(deserializer)?).map_err(D::Error::custom)
}
