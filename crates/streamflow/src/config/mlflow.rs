//! The `[mlflow]` section of the configuration.

use serde::{Deserialize, Serialize};

/// `[mlflow]`: the MLflow server that is told of trainings, and of which models may be served.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MlflowConfig {
    /// The tracking server, as `http://HOST:PORT`; `MLFLOW_TRACKING_URI` comes first.
    pub tracking_uri: Option<String>,
    /// The experiment of trainings; `MLFLOW_EXPERIMENT_NAME` comes first. None: the model's name.
    pub experiment: Option<String>,
    /// The name of the registered model; none: `streamflow_NAME`.
    pub registered_model: Option<String>,
    /// What is served where `model.source` is `mlflow`; none: `models:/REGISTERED_MODEL@champion`.
    pub serve: Option<String>,
}

/// Where the model that is served comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelSource {
    /// The production version of the own registry.
    #[default]
    Local,
    /// The production version of an MLflow server, which becomes that of the own registry.
    Mlflow,
}
