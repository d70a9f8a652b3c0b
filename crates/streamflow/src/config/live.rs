//! The `[live]` section of the configuration.

use std::collections::BTreeMap;

use anyhow::bail;
use serde::{Deserialize, Serialize};
use streamflow_dataset::DatasetSpec;
use streamflow_live::{Gates, Limits};

use super::nearest;

/// `[live]`: drift of the requests themselves, looked at every minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiveConfig {
    /// Whether requests are looked at.
    pub enabled: bool,
    /// False alarms in 30 days that are expected at most, over all features and windows.
    pub false_alarms_per_month: f64,
    /// Distinct entities from which on a window is judged.
    pub min_entities: u64,
    /// From which difference on one feature has drifted, where it has a measure of its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<String, LiveGates>,
}

/// The gates of one feature; what is left out is as for all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiveGates {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<f64>,
}

impl Default for LiveConfig {
    fn default() -> Self {
        let Limits { false_alarms_per_month, min_entities, .. } = Limits::default();
        Self { enabled: true, false_alarms_per_month, min_entities, gates: BTreeMap::new() }
    }
}

impl LiveConfig {
    pub(super) fn check(&self, dataset: &DatasetSpec) -> anyhow::Result<()> {
        let budget = self.false_alarms_per_month;
        if !(budget > 0.0 && budget <= 100.0) {
            bail!(
                "live.false_alarms_per_month is {budget}; expected a number over 0 and up to 100, such as 0.5"
            );
        }
        if !(50..=8192).contains(&self.min_entities) {
            bail!(
                "live.min_entities is {}; expected 50 to 8192: fewer say nothing, and a window keeps no more",
                self.min_entities
            );
        }
        for (name, gates) in &self.gates {
            let features = dataset.features.iter().map(String::as_str);
            if !features.clone().any(|feature| feature == name) {
                let hint = nearest(name, features).map(|near| format!("; did you mean {near}?"));
                bail!("live.gates.{name} is of no feature in dataset.features{}", hint.unwrap_or_default());
            }
            for (key, value) in gates.named() {
                if value.is_some_and(|value| !(value > 0.0 && value < 1.0)) {
                    bail!(
                        "live.gates.{name}.{key} is {}; expected a number between 0 and 1, such as 0.05",
                        value.unwrap_or_default()
                    );
                }
            }
        }
        Ok(())
    }

    /// What the thresholds are made from.
    pub fn limits(&self) -> Limits {
        let gates = self.gates.iter().map(|(name, gates)| (name.clone(), gates.complete()));
        Limits {
            false_alarms_per_month: self.false_alarms_per_month,
            min_entities: self.min_entities,
            gates: gates.collect(),
        }
    }
}

impl LiveGates {
    fn named(&self) -> [(&'static str, Option<f64>); 4] {
        [
            ("location", self.location),
            ("spread", self.spread),
            ("categories", self.categories),
            ("missing", self.missing),
        ]
    }

    fn complete(self) -> Gates {
        let Gates { location, spread, categories, missing } = Gates::default();
        Gates {
            location: self.location.unwrap_or(location),
            spread: self.spread.unwrap_or(spread),
            categories: self.categories.unwrap_or(categories),
            missing: self.missing.unwrap_or(missing),
        }
    }
}
