//! The `[model]` section of the configuration.

use std::num::NonZeroU32;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::ModelSource;

/// `[model]`: what is trained and under which name it is registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Name in the registry and in `model_info`.
    pub name: String,
    /// Seed of the fit and of the validation split.
    pub seed: u64,
    /// Share of the entities held out for validation, above 0 and below 1.
    pub validation_share: f64,
    /// Where the model that is served comes from.
    pub source: ModelSource,
    /// Age after which a version is deleted; none: at no age.
    pub keep_days: Option<NonZeroU32>,
    /// Versions over which the oldest are deleted; none: any number is kept.
    pub keep_versions: Option<NonZeroU32>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        let (source, keep_days, keep_versions) = (ModelSource::Local, None, None);
        Self { name: "model".into(), seed: 42, validation_share: 0.25, source, keep_days, keep_versions }
    }
}

impl ModelConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Self { name, validation_share: share, .. } = self;
        if !(*share > 0.0 && *share < 1.0) {
            bail!("model.validation_share is {share}; expected a share above 0 and below 1, such as 0.25");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            bail!(
                "model.name is {name:?}; expected letters, digits, '-', '_' and '.', not starting with '.': it names a folder"
            );
        }
        Ok(())
    }
}
