//! What the configuration says about comparing two of its tables.

use std::collections::BTreeMap;

use serde::Serialize;
use streamflow_dataset::{DatasetSpec, Frame, Values};
use streamflow_drift::{ColumnType, DriftSettings, RuleSet, Share, Untested};

use crate::config::{ColumnRules, MonitorConfig, drift_method};

/// How two months are judged.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rules {
    pub profile: RuleSet,
    pub threshold: Share,
    pub untested: Untested,
}

impl From<&MonitorConfig> for Rules {
    fn from(config: &MonitorConfig) -> Self {
        Self { profile: config.profile, threshold: config.threshold, untested: config.untested }
    }
}

/// The configured types are declared; the entity is left to inference, which under the evidently profile makes it text.
pub fn settings(
    spec: &DatasetSpec,
    table: &Frame,
    rules: Rules,
    columns: &BTreeMap<String, ColumnRules>,
) -> DriftSettings {
    let declared = table.columns.iter().filter(|column| !spec.entity.has(&column.name));
    let declared = declared.filter_map(|column| {
        let kind = match column.values {
            Values::Integer(_) | Values::Float(_) => ColumnType::Numerical,
            Values::Boolean(_) | Values::Text { .. } => ColumnType::Categorical,
            // Dates are recognised and listed; to declare them ignored would leave them out of the list.
            Values::Date(_) => return None,
        };
        Some((column.name.clone(), kind))
    });
    let mut settings = DriftSettings {
        profile: rules.profile,
        drift_share_threshold: rules.threshold,
        untested: rules.untested,
        types: declared.collect(),
        entity: spec.entity.columns().to_vec(),
        target: Some(spec.label.column.clone()),
        ..DriftSettings::default()
    };
    for (name, column) in columns {
        column.apply(name, &mut settings);
    }
    settings
}

impl ColumnRules {
    /// Sets what is said of the column in place of what was.
    pub fn apply(&self, name: &str, settings: &mut DriftSettings) {
        let column_type = if self.ignore { Some(ColumnType::Ignore) } else { self.column_type };
        if let Some(column_type) = column_type {
            settings.types.insert(name.to_owned(), column_type);
        }
        // The configuration was refused if the name is unknown.
        if let Some(method) = self.method.as_deref().and_then(|name| drift_method(name).ok()) {
            settings.methods.insert(name.to_owned(), method);
        }
        if let Some(threshold) = self.threshold {
            settings.thresholds.insert(name.to_owned(), threshold);
        }
    }
}
