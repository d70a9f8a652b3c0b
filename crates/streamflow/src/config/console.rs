//! The `[console]` section of the configuration.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU64, NonZeroUsize};

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::{ConsoleUser, Network, ProxyLogin, TlsConfig};

/// `[console]`: the address of the operator plane, who may use it and what it refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Path under which a proxy serves the console, such as `/streamflow`; empty at the root.
    pub path_prefix: String,
    /// The URL under which people reach the console, for links in notifications; none: that of `listen`.
    pub public_url: Option<String>,
    /// Nothing can be changed through this plane, by people or programs.
    pub read_only: bool,
    /// Names under which the console is reached, beside IP addresses, names without a dot and `localhost`.
    pub hosts: Vec<String>,
    /// Proxies before the console whose `X-Forwarded-*` and `Forwarded` headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Every cookie is for encrypted connections alone, also where no trusted proxy says that this one is.
    pub secure_cookies: bool,
    /// Files that encrypt the connections; none: they are not encrypted.
    pub tls: Option<TlsConfig>,
    /// Users that may log in, with the argon2 hashes of their passwords (`streamflow hash-password` makes one) and their
    /// roles.
    pub users: BTreeMap<String, ConsoleUser>,
    /// Users whom a trusted proxy names; none: no proxy does.
    pub proxy_login: Option<ProxyLogin>,
    /// Idle time after which a login ends.
    pub session_minutes: NonZeroU64,
    /// Queries being evaluated at once; others wait their turn until their timeout.
    pub max_concurrent_queries: NonZeroUsize,
    /// Open connections. One more takes the place of the one that has kept the server waiting longest, from a second on;
    /// where there is none it waits in the kernel's queue, whose length is bounded.
    pub max_connections: NonZeroUsize,
    /// Longest wait for a request's body; then it is answered 408.
    pub timeout_ms: NonZeroU64,
    /// Longest wait for a request's headers, and so the longest an idle connection is kept.
    pub idle_timeout_ms: NonZeroU64,
    /// Longest wait for a client that does not read its answer; then its connection is closed.
    pub write_timeout_ms: NonZeroU64,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        let number = |value| NonZeroU64::new(value).expect("a default is not zero");
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            path_prefix: String::new(),
            public_url: None,
            read_only: false,
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            secure_cookies: false,
            tls: None,
            users: BTreeMap::new(),
            proxy_login: None,
            session_minutes: number(720),
            max_concurrent_queries: NonZeroUsize::new(20).expect("a default is not zero"),
            max_connections: NonZeroUsize::new(1024).expect("a default is not zero"),
            timeout_ms: number(10_000),
            idle_timeout_ms: number(75_000),
            write_timeout_ms: number(30_000),
        }
    }
}

impl ConsoleConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let prefix = &self.path_prefix;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
        if !prefix.is_empty()
            && (!prefix.starts_with('/') || prefix.ends_with('/') || !prefix.chars().all(plain))
        {
            bail!(
                "console.path_prefix is {prefix:?}; expected a path such as \"/streamflow\", without a slash at its end"
            );
        }
        if let Some(url) = self.public_url.as_ref().filter(|url| !is_web_address(url)) {
            bail!(
                "console.public_url is {url:?}; expected a URL such as \"https://ops.example.com/streamflow\""
            );
        }
        if let Some(host) = self.hosts.iter().find(|host| host.is_empty() || host.contains([':', '/', ' '])) {
            bail!("console.hosts names {host:?}; expected names such as \"ops.example.com\", without a port");
        }
        for (name, user) in &self.users {
            if argon2::PasswordHash::new(&user.password).is_err() {
                bail!("console.users.{name} is not an argon2 hash; make one with `streamflow hash-password`");
            }
        }
        self.proxy_login.as_ref().map_or(Ok(()), ProxyLogin::check)
    }

    /// Refuses a login by proxies where no proxy is trusted.
    ///
    /// # Errors
    /// Nobody's word would be taken.
    pub fn check_proxy_login(&self) -> anyhow::Result<()> {
        if self.proxy_login.is_some() && self.trusted_proxies.is_empty() {
            bail!(
                "console.proxy_login needs console.trusted_proxies: the addresses of the proxies that may name users"
            );
        }
        Ok(())
    }

    /// The URL under which people reach the console, without a slash at its end.
    pub fn url(&self) -> String {
        let here = || format!("http://{}{}", self.listen, self.path_prefix);
        self.public_url.as_ref().map_or_else(here, |url| url.trim_end_matches('/').to_owned())
    }
}

fn is_web_address(text: &str) -> bool {
    text.parse().is_ok_and(|url: reqwest::Url| matches!(url.scheme(), "http" | "https"))
}
