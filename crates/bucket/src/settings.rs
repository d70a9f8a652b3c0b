//! How a store is reached, where the environment does not say it.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// Settings of a store; what the environment says under the names of the store's own tools holds where these say nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The URL of a store that is not the provider's own, such as `http://127.0.0.1:9000`.
    pub endpoint: Option<String>,
    /// The region of an S3 bucket.
    pub region: Option<String>,
    /// Whether an endpoint without TLS is spoken to that is not this machine.
    pub allow_http: bool,
    /// Whether requests are not signed: a public bucket.
    pub anonymous: bool,
    /// Longest wait for a connection.
    pub connect_timeout_seconds: NonZeroU64,
    /// Longest wait for an answer, and between two pieces of one.
    pub timeout_seconds: NonZeroU64,
    /// How often a request is made again that failed for a reason that may pass.
    pub retries: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            allow_http: false,
            anonymous: false,
            connect_timeout_seconds: const { NonZeroU64::new(5).expect("5 is not 0") },
            timeout_seconds: const { NonZeroU64::new(30).expect("30 is not 0") },
            retries: 4,
        }
    }
}
