//! The `[console]` section of the configuration.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::server::ConnectionLimits;

/// Where the operator plane listens, who may use it and what it refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Path under which a proxy serves the console, such as `/streamflow`; empty at the root.
    pub path_prefix: String,
    /// Nothing can be changed through the console.
    pub read_only: bool,
    /// Users that may log in and the argon2 hashes of their passwords (`streamflow hash-password` makes one).
    pub users: BTreeMap<String, String>,
    /// Idle time after which a login ends.
    pub session_minutes: NonZeroU64,
    /// Queries being evaluated at once; others wait their turn until their timeout.
    pub max_concurrent_queries: NonZeroUsize,
    /// Open connections; more wait in the kernel's queue, whose length is bounded.
    pub max_connections: NonZeroUsize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            path_prefix: String::new(),
            read_only: false,
            users: BTreeMap::new(),
            session_minutes: NonZeroU64::new(720).expect("a default is not zero"),
            max_concurrent_queries: NonZeroUsize::new(20).expect("a default is not zero"),
            max_connections: NonZeroUsize::new(1024).expect("a default is not zero"),
        }
    }
}

impl Settings {
    /// Of the listener. A query may be answered for as long as it may run, so only its idle time is bounded.
    pub fn limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            max_connections: self.max_connections.get(),
            idle_timeout: Duration::from_secs(120),
            drain_timeout: Duration::from_secs(5),
        }
    }

    /// What can be checked without opening anything.
    ///
    /// # Errors
    /// The key, its value and what was expected.
    pub fn check(&self) -> Result<(), String> {
        let prefix = &self.path_prefix;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
        if !prefix.is_empty()
            && (!prefix.starts_with('/') || prefix.ends_with('/') || !prefix.chars().all(plain))
        {
            return Err(format!(
                "console.path_prefix is {prefix:?}; expected a path such as \"/streamflow\", without a slash at its end"
            ));
        }
        for (user, hash) in &self.users {
            if argon2::PasswordHash::new(hash).is_err() {
                return Err(format!(
                    "console.users.{user} is not an argon2 hash; make one with `streamflow hash-password`"
                ));
            }
        }
        Ok(())
    }
}
