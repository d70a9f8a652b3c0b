//! A connection to a Redis server: made when it is first needed, shared by all requests, and made anew after it broke.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, FromRedisValue, IntoConnectionInfo as _, Pipeline,
    RedisError, RedisResult, TlsCertificates,
};
use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use streamflow_outbound::Secret;

use super::found::Failure;

/// A Redis server.
pub struct RedisServer {
    info: ConnectionInfo,
    /// The only authorities that are trusted, in PEM; none: those of the machine.
    authorities: Option<Vec<u8>>,
    password: Option<Secret>,
    timeout: Duration,
    shown: String,
    open: Mutex<Open>,
    /// Held by the one who connects; the others wait for the connection.
    connecting: tokio::sync::Mutex<()>,
}

/// The connection in use, and how many there were before it.
#[derive(Default)]
struct Open {
    connection: Option<MultiplexedConnection>,
    number: u64,
}

/// The authorities in a file, of which there is at least one.
fn authorities(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = || format!("cannot read features.store_ca_file {}", path.display());
    let pem = std::fs::read(path).with_context(shown)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let count = certificates.with_context(shown)?.len();
    ensure!(count > 0, "features.store_ca_file {} holds no certificate in PEM", path.display());
    Ok(pem)
}

impl RedisServer {
    /// The server at an address, which is not asked anything yet.
    ///
    /// # Errors
    /// An address with a part that Redis does not know; a file of authorities that cannot be read.
    pub fn new(
        url: &Url,
        password: Option<Secret>,
        ca_file: Option<&Path>,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let shown = streamflow_outbound::shown_address(url.as_str()).unwrap_or_default();
        let info = url.as_str().into_connection_info().with_context(|| {
            format!("features.store is {shown:?}, which is no address of a Redis database")
        })?;
        let authorities = ca_file.map(authorities).transpose()?;
        // An error says that a provider is installed already, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            info,
            authorities,
            password,
            timeout,
            shown,
            open: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    /// The address, without secrets.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Sends commands at once and gives their answers.
    ///
    /// # Errors
    /// No connection, no answer in time, or an error in the place of an answer.
    pub async fn query<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, Failure> {
        let mut used = None;
        let work = async {
            let (mut connection, number) = self.connection().await?;
            used = Some(number);
            match commands.query_async(&mut connection).await {
                // The server may have been started anew since it was asked last: that is seen when it is asked.
                Err(error) if error.is_unrecoverable_error() => {
                    self.leave(used);
                    let (mut connection, number) = self.connection().await?;
                    used = Some(number);
                    commands.query_async(&mut connection).await
                }
                answer => answer,
            }
        };
        let answered = tokio::time::timeout(self.timeout, work).await;
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                // What the server answered says nothing against the connection.
                if error.is_unrecoverable_error() || error.is_io_error() {
                    self.leave(used);
                }
                Err(self.failure(&error))
            }
            Err(_) => {
                // Answers that are late would have to be waited for by whoever asks next.
                self.leave(used);
                let ms = self.timeout.as_millis().try_into().unwrap_or(u64::MAX);
                Err(Failure::Timeout { url: self.shown.clone(), ms })
            }
        }
    }

    async fn connection(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        if let Some(open) = self.open() {
            return Ok(open);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(open) = self.open() {
            return Ok(open);
        }
        let client = self.client().await?;
        // The time is measured by whoever asks.
        let settings = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connection = client.get_multiplexed_async_connection_with_config(&settings).await?;
        let mut open = self.lock();
        open.number += 1;
        open.connection = Some(connection.clone());
        Ok((connection, open.number))
    }

    /// The connection in use, and its number.
    fn open(&self) -> Option<(MultiplexedConnection, u64)> {
        let open = self.lock();
        open.connection.clone().map(|connection| (connection, open.number))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client with the password as it is now.
    async fn client(&self) -> RedisResult<Client> {
        let mut info = self.info.clone();
        if let Some(password) = &self.password {
            let password = password.read().await.map_err(|error| std::io::Error::other(error.to_string()))?;
            let settings = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(settings);
        }
        let root_cert = self.authorities.clone();
        match info.addr() {
            redis::ConnectionAddr::TcpTls { .. } => {
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
            }
            _ => Client::open(info),
        }
    }

    /// Uses this connection no more; a later one stays.
    fn leave(&self, number: Option<u64>) {
        let mut open = self.lock();
        if number == Some(open.number) {
            open.connection = None;
        }
    }

    fn failure(&self, error: &RedisError) -> Failure {
        let url = self.shown.clone();
        let is_said = error.clone().into_server_errors().is_some();
        let reason = error.to_string();
        if is_said { Failure::Said { url, said: reason } } else { Failure::Unreachable { url, reason } }
    }
}
