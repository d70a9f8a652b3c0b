//! The `[storage]` section of the configuration.

use std::num::NonZeroU64;
use std::path::PathBuf;

use anyhow::bail;
use serde::{Deserialize, Serialize};
use streamflow_bucket::Settings;

/// `[storage]`: how buckets are reached, and where what was fetched from them is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// URL of a store that is not the provider's own; none: what the environment says.
    pub endpoint: Option<String>,
    /// Region of an S3 bucket; none: what the environment says.
    pub region: Option<String>,
    /// Whether an endpoint without TLS on another machine is spoken to.
    pub allow_http: bool,
    /// Whether requests go without credentials: a public bucket.
    pub anonymous: bool,
    /// Longest wait for a connection.
    pub connect_timeout_seconds: NonZeroU64,
    /// Longest wait for an answer, and between two pieces of one.
    pub timeout_seconds: NonZeroU64,
    /// How often a request is made again that failed for a reason that may pass.
    pub retries: u32,
    /// How often a server looks in the bucket for something newer.
    pub refresh_seconds: NonZeroU64,
    /// Folder of working copies and fetched tables; none: `streamflow` in the user's cache directory.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of fetched tables over which those that were used longest ago are deleted.
    pub cache_max_bytes: NonZeroU64,
}

impl Default for StorageConfig {
    fn default() -> Self {
        let Settings { connect_timeout_seconds, timeout_seconds, retries, .. } = Settings::default();
        Self {
            endpoint: None,
            region: None,
            allow_http: false,
            anonymous: false,
            connect_timeout_seconds,
            timeout_seconds,
            retries,
            refresh_seconds: const { NonZeroU64::new(10).expect("10 is not 0") },
            cache_dir: None,
            cache_max_bytes: const { NonZeroU64::new(10_000_000_000).expect("it is not 0") },
        }
    }
}

impl StorageConfig {
    /// How a bucket is reached.
    pub fn settings(&self) -> Settings {
        Settings {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            allow_http: self.allow_http,
            anonymous: self.anonymous,
            connect_timeout_seconds: self.connect_timeout_seconds,
            timeout_seconds: self.timeout_seconds,
            retries: self.retries,
        }
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.retries > 20 {
            bail!("storage.retries is {}; expected 0 to 20", self.retries);
        }
        Ok(())
    }

    /// The folder of what was fetched: as configured, else in the user's cache directory.
    pub fn cache_dir(&self) -> PathBuf {
        let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let own = || of("XDG_CACHE_HOME").or_else(|| Some(of("HOME")?.join(".cache")));
        let configured = self.cache_dir.clone();
        configured.unwrap_or_else(|| own().unwrap_or_else(std::env::temp_dir).join("streamflow"))
    }
}
