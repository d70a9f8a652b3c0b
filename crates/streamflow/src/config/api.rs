//! The `[api]` section of the configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[api]`: the address of the prediction API and what it refuses. A limit of zero is refused when it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Largest body of `POST /predict`; more is answered 413.
    pub body_limit_bytes: NonZeroUsize,
    /// Largest body of `POST /predict/batch`; more is answered 413.
    pub batch_body_limit_bytes: NonZeroUsize,
    /// Most entities in one `POST /predict/batch`; more is answered 422.
    pub batch_limit: NonZeroUsize,
    /// Longest wait for a request's body (then 408) and for a batch's answer (then 503).
    pub timeout_ms: NonZeroU64,
    /// Longest wait for a request's headers, and so the longest an idle connection is kept.
    pub idle_timeout_ms: NonZeroU64,
    /// Longest wait for a client that does not read its answer; then its connection is closed.
    pub write_timeout_ms: NonZeroU64,
    /// Predictions being made at once; one more is answered 503 with `Retry-After`.
    pub max_in_flight: NonZeroUsize,
    /// Open connections. One more takes the place of the one that has kept the server waiting longest, from a second on;
    /// where there is none it waits in the kernel's queue, whose length is bounded.
    pub max_connections: NonZeroUsize,
    /// Longest wait for requests in flight when the process is asked to stop.
    pub drain_timeout_ms: NonZeroU64,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            body_limit_bytes: size(64 << 10),
            batch_body_limit_bytes: size(1 << 20),
            batch_limit: size(1000),
            timeout_ms: milliseconds(5_000),
            idle_timeout_ms: milliseconds(75_000),
            write_timeout_ms: milliseconds(30_000),
            max_in_flight: size(1024),
            max_connections: size(8192),
            drain_timeout_ms: milliseconds(10_000),
        }
    }
}

impl ApiConfig {
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.get())
    }
}

const fn size(value: usize) -> NonZeroUsize {
    NonZeroUsize::new(value).expect("defaults are not zero")
}

const fn milliseconds(value: u64) -> NonZeroU64 {
    NonZeroU64::new(value).expect("defaults are not zero")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_configured_is_the_default() {
        assert_eq!(toml::from_str::<ApiConfig>("").unwrap(), ApiConfig::default());
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for bad in [
            "max_in_flight = 0",
            "timeout_ms = 0",
            "listen = 8000",
            "batch_limits = 5",
            "body_limit_bytes = -1",
        ] {
            assert!(toml::from_str::<ApiConfig>(bad).is_err(), "{bad}");
        }
    }
}
