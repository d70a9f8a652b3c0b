//! The `[serve]` section of the configuration.

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// `[serve]`: versions that answer beside the one in production.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeConfig {
    /// The version that answers and is not heard, as `NAME@VERSION`, while nobody has named another.
    pub shadow: Option<String>,
    /// Share of one processor that it may take, above 0 and up to 1.
    pub shadow_cpu_share: f64,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self { shadow: None, shadow_cpu_share: 0.25 }
    }
}

impl ServeConfig {
    /// The number of the shadow's version.
    ///
    /// # Errors
    /// A text that is no version, or one of another model.
    pub fn shadow_version(&self, model: &str) -> anyhow::Result<Option<i64>> {
        let Some(text) = &self.shadow else { return Ok(None) };
        match text.split_once('@').map(|(name, version)| (name, version.parse())) {
            Some((name, Ok(version))) if name == model => Ok(Some(version)),
            _ => bail!("serve.shadow is {text:?}; expected a version of the model, such as {model}@7"),
        }
    }

    pub(super) fn check(&self, model: &str) -> anyhow::Result<()> {
        let share = self.shadow_cpu_share;
        if !(share > 0.0 && share <= 1.0) {
            bail!("serve.shadow_cpu_share is {share}; expected a share of a processor above 0 and up to 1");
        }
        self.shadow_version(model).map(|_| ())
    }
}
