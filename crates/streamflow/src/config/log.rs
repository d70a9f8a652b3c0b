//! The `[log]` section of the configuration.

use std::num::{NonZeroU32, NonZeroU64};

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// `[log]`: answers that are kept with the features they were made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Whether answers are kept at all.
    pub enabled: bool,
    /// Share of the answers that is kept, above 0 and up to 1.
    pub share: f64,
    /// How the entity stands in it.
    pub entity: EntityForm,
    /// Longest time that an answer waits to be written.
    pub flush_seconds: NonZeroU32,
    /// Age after which an hour is deleted.
    pub keep_days: NonZeroU32,
    /// Bytes over which the oldest hours are deleted.
    pub max_bytes: NonZeroU64,
}

/// How an entity stands in the log of predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityForm {
    /// As it was asked for.
    Clear,
    /// Its HMAC-SHA-256 by the key in `STREAMFLOW_LOG_KEY`.
    Hashed,
    /// Not at all.
    None,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            share: 1.0,
            entity: EntityForm::Clear,
            flush_seconds: const { NonZeroU32::new(10).expect("10 is not 0") },
            keep_days: const { NonZeroU32::new(30).expect("30 is not 0") },
            max_bytes: const { NonZeroU64::new(5_000_000_000).expect("it is not 0") },
        }
    }
}

impl LogConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if !(self.share > 0.0 && self.share <= 1.0) {
            bail!("log.share is {}; expected a share above 0 and up to 1, such as 0.1", self.share);
        }
        Ok(())
    }
}
