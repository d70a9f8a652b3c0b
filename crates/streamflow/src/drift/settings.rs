//! What the configuration says about comparing two of its tables.

use streamflow_dataset::{DatasetSpec, Frame, Values};
use streamflow_drift::{ColumnType, DriftSettings, RuleSet, Share};

/// The configured types are declared; the entity is left to inference, which under the evidently profile makes it text.
pub fn settings(spec: &DatasetSpec, table: &Frame, profile: RuleSet, threshold: Share) -> DriftSettings {
    let declared = table.columns.iter().filter(|column| column.name != spec.entity.column()).map(|column| {
        let kind = match column.values {
            Values::Integer(_) | Values::Float(_) => ColumnType::Numerical,
            Values::Boolean(_) | Values::Text { .. } => ColumnType::Categorical,
            Values::Date(_) => ColumnType::Ignore,
        };
        (column.name.clone(), kind)
    });
    DriftSettings {
        profile,
        drift_share_threshold: threshold,
        types: declared.collect(),
        entity: Some(spec.entity.to_string()),
        target: Some(spec.label.column.clone()),
        ..DriftSettings::default()
    }
}
