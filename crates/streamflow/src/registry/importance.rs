//! What the features of a version contribute to its answers, as it was kept when the version was trained or imported.

use serde::Serialize;
use streamflow_model::Stored;
use utoipa::ToSchema;

/// What the features of a version contribute.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct VersionImportance {
    /// What `mean_abs_contribution` is in: `log_odds`, `log`, `value` or `margin`.
    pub scale: String,
    /// Why no mean contributions are known; none where they are.
    pub unexplained: Option<String>,
    /// The features, the one that contributes most first.
    pub features: Vec<FeatureImportance>,
}

/// What one feature contributes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FeatureImportance {
    /// The column that it is taken from.
    pub feature: String,
    /// The mean size of what it adds to an answer, over at most 500 rows: held-out ones of a trained version, those of the
    /// month that an imported one was checked on.
    pub mean_abs_contribution: Option<f64>,
    /// Its share of the loss reduction by all splits; none of an imported version.
    pub gain_share: Option<f64>,
    /// Splits on it; none of an imported version.
    pub splits: Option<u64>,
}

impl VersionImportance {
    /// What is kept with a version.
    pub fn of(stored: &Stored) -> Self {
        let (model, mut features) = match stored {
            Stored::Trained(trained) => {
                let features = trained.record.importance.iter().map(|found| FeatureImportance {
                    feature: found.feature.clone(),
                    mean_abs_contribution: found.mean_abs_contribution,
                    gain_share: Some(found.gain_share),
                    splits: Some(found.splits),
                });
                (&trained.model, features.collect::<Vec<_>>())
            }
            Stored::Imported(import) => {
                let means = import.record.mean_abs_contributions.as_ref();
                let features =
                    import.record.features.iter().enumerate().map(|(place, found)| FeatureImportance {
                        feature: found.column.clone(),
                        mean_abs_contribution: means.and_then(|means| means.get(place).copied()),
                        gain_share: None,
                        splits: None,
                    });
                (&import.model, features.collect())
            }
        };
        features.sort_by(|a, b| {
            let of = |found: &FeatureImportance| found.mean_abs_contribution.unwrap_or(-1.0);
            of(b).total_cmp(&of(a))
        });
        let is_known = features.iter().any(|found| found.mean_abs_contribution.is_some());
        let reason = || match model.check_explained() {
            Err(error) => error.to_string(),
            Ok(()) => "it was registered before they were kept; train or import it again".to_owned(),
        };
        let unexplained = (!is_known).then(reason);
        Self { scale: model.contribution_scale().to_owned(), unexplained, features }
    }
}
