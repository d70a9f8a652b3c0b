//! The `[model]` section of the configuration.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use streamflow_model::{Calibration, ClassWeight, Direction, TrainSettings, Validation};

use super::ModelSource;
use super::training::{ClassWeightConfig, SearchConfig};

/// Most bytes of the name of a model: some file systems take 255 for that of a folder.
const NAME_BYTES_MAX: usize = 200;

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
    /// What judges a version: a share of the entities, or the newest month.
    pub validation: Validation,
    /// How much the rows of a class weigh; none: as much as any other.
    pub class_weight: Option<ClassWeightConfig>,
    /// How the answer may change with a numerical feature; none: in any way.
    pub monotone: Option<BTreeMap<String, Direction>>,
    /// How probabilities are corrected by those of rows that were held out.
    pub calibration: Calibration,
    /// How long better settings of the trees are searched for; none: only their depth is chosen.
    pub search: Option<SearchConfig>,
    /// Where the model that is served comes from.
    pub source: ModelSource,
    /// Age after which a version is deleted; none: at no age.
    pub keep_days: Option<NonZeroU32>,
    /// Versions over which the oldest are deleted; none: any number is kept.
    pub keep_versions: Option<NonZeroU32>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            name: "model".into(),
            seed: 42,
            validation_share: 0.25,
            validation: Validation::Entity,
            class_weight: None,
            monotone: None,
            calibration: Calibration::None,
            search: None,
            source: ModelSource::Local,
            keep_days: None,
            keep_versions: None,
        }
    }
}

/// Checks that a text may name a model, and so a folder of the data directory; `what` is what the text is.
///
/// # Errors
/// A text that may not, with what is expected.
pub fn check_model_name(what: &str, name: &str) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.starts_with('.') || !name.chars().all(plain) {
        bail!(
            "{what} is {name:?}; expected at most {NAME_BYTES_MAX} letters, digits, '-', '_' and '.', not \
             starting with '.': it names a folder"
        );
    }
    Ok(())
}

impl ModelConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Self { name, validation_share: share, .. } = self;
        if !(*share > 0.0 && *share < 1.0) {
            bail!("model.validation_share is {share}; expected a share above 0 and below 1, such as 0.25");
        }
        check_model_name("model.name", name)?;
        self.training(self.seed).map(drop)
    }

    /// How a model is trained with a seed, and when a search ends.
    ///
    /// # Errors
    /// A value out of range, by its key.
    pub fn training(&self, seed: u64) -> anyhow::Result<(TrainSettings, Option<Duration>)> {
        let class_weight = self.class_weight.as_ref().map(ClassWeightConfig::read).transpose()?;
        let search = self.search.as_ref().map(SearchConfig::read).transpose()?;
        let settings = TrainSettings {
            seed,
            validation_share: self.validation_share,
            validation: self.validation,
            class_weight: class_weight.unwrap_or(ClassWeight::Equal),
            monotone: self.monotone.clone().unwrap_or_default(),
            calibration: self.calibration,
            search: search.map(|(search, _)| search),
            ..TrainSettings::default()
        };
        Ok((settings, search.and_then(|(_, budget)| budget)))
    }
}
