//! What the configuration says about comparing two of its tables.

use serde::Serialize;
use streamflow_dataset::{DatasetSpec, Frame, Values};
use streamflow_drift::{ColumnType, DriftSettings, RuleSet, Share, Untested};

use crate::config::MonitorConfig;

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
pub fn settings(spec: &DatasetSpec, table: &Frame, rules: Rules) -> DriftSettings {
    let declared = table.columns.iter().filter(|column| column.name != spec.entity.column());
    let declared = declared.filter_map(|column| {
        let kind = match column.values {
            Values::Integer(_) | Values::Float(_) => ColumnType::Numerical,
            Values::Boolean(_) | Values::Text { .. } => ColumnType::Categorical,
            // Dates are recognised and listed; to declare them ignored would leave them out of the list.
            Values::Date(_) => return None,
        };
        Some((column.name.clone(), kind))
    });
    DriftSettings {
        profile: rules.profile,
        drift_share_threshold: rules.threshold,
        untested: rules.untested,
        types: declared.collect(),
        entity: Some(spec.entity.to_string()),
        target: Some(spec.label.column.clone()),
        ..DriftSettings::default()
    }
}
