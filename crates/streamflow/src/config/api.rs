//! The `[api]` section of the configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::TlsConfig;
use super::api_key::{self, ApiKeys};

/// `[api]`: the address of the prediction API and what it refuses. A limit of zero is refused when it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Longest that a request may have waited for a thread, where more than `max_in_flight` connections are open; one that
    /// waited longer is answered 503 with `Retry-After`.
    pub max_wait_ms: NonZeroU64,
    /// Predictions being made at once; one more is answered 503 with `Retry-After`.
    pub max_in_flight: NonZeroUsize,
    /// Open connections. One more takes the place of the one that has kept the server waiting longest, from a second on;
    /// where there is none it waits in the kernel's queue, whose length is bounded.
    pub max_connections: NonZeroUsize,
    /// Longest wait for requests in flight when the process is asked to stop.
    pub drain_timeout_ms: NonZeroU64,
    /// `stdout` or a file, relative to the configuration file, to which requests are logged as lines of JSON; none: no log.
    pub access_log: Option<PathBuf>,
    /// Share of the requests that are logged.
    pub access_log_share: f64,
    /// Origins whose pages may ask for predictions, such as `https://shop.example`; `*` for all.
    pub cors_origins: Vec<String>,
    /// Keys of which a request for a prediction must carry one; without any, everybody may ask.
    pub keys: ApiKeys,
    /// A file with more keys, relative to the configuration file.
    pub key_file: Option<PathBuf>,
    /// The keys of that file when it was read last.
    #[serde(skip)]
    pub file_keys: ApiKeys,
    /// Files that encrypt the connections; none: they are not encrypted.
    pub tls: Option<TlsConfig>,
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
            max_wait_ms: milliseconds(10),
            max_in_flight: size(1024),
            max_connections: size(16_384),
            drain_timeout_ms: milliseconds(10_000),
            access_log: None,
            access_log_share: 1.0,
            cors_origins: Vec::new(),
            keys: ApiKeys::new(),
            key_file: None,
            file_keys: ApiKeys::new(),
            tls: None,
        }
    }
}

impl ApiConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if !(0.0..=1.0).contains(&self.access_log_share) {
            bail!("api.access_log_share is {}; expected a share from 0 to 1", self.access_log_share);
        }
        let is_origin = |origin: &str| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._:[]".contains(c);
            origin == "*" || host.is_some_and(|host| !host.is_empty() && host.chars().all(plain))
        };
        if let Some(origin) = self.cors_origins.iter().find(|origin| !is_origin(origin)) {
            bail!(
                "api.cors_origins names {origin:?}; expected origins as browsers write them, such as \
                 \"https://shop.example\" or \"http://localhost:3000\", or \"*\""
            );
        }
        api_key::check(&self.keys)
    }

    /// Takes paths from `base` on.
    pub(super) fn resolve(&mut self, base: &Path) {
        if let Some(file) = &mut self.key_file {
            *file = base.join(&*file);
        }
        if let Some(tls) = &mut self.tls {
            tls.resolve(base);
        }
        if let Some(file) = self.access_log.as_mut().filter(|file| *file != Path::new("stdout")) {
            *file = base.join(&*file);
        }
    }

    /// Reads the key file: for what serves predictions, and for checks. Nothing else needs it.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds no keys.
    pub fn read_key_file(&mut self) -> anyhow::Result<()> {
        if let Some(file) = &self.key_file {
            self.file_keys = api_key::read(file, &self.keys)?;
        }
        Ok(())
    }

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
