//! Who is asked for features.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use streamflow_dataset::EntityKey;
use streamflow_outbound::{Credentials, Receiver, Secret, client_of};

use super::Name;
use super::feast::Feast;
use super::feast_postgres::{FeastPostgres, Tables};
use super::feast_redis::FeastRedis;
use super::found::{Failure, Found};
use super::own_redis::OwnRedis;
use super::redis_server::RedisServer;
use crate::config::{Database, FeatureSource, FeaturesConfig, PASSWORD_VARIABLE};

/// One of those whom features can be asked of.
pub enum Source {
    /// Feast's feature server.
    Server(Feast),
    /// Feast's online store in a Redis.
    FeastRedis(FeastRedis),
    /// Feast's online store in a Postgres.
    FeastPostgres(Box<FeastPostgres>),
    /// A Redis of our own layout.
    Own(OwnRedis),
}

impl Source {
    /// The source of the configuration. Relative paths start from `base`.
    ///
    /// # Errors
    /// An address that no client can ask; a file that cannot be read.
    pub fn of(config: &FeaturesConfig, base: &Path, key: &EntityKey) -> anyhow::Result<Self> {
        if config.source == FeatureSource::Redis {
            return Ok(Self::Own(own(config, base, key, timeout(config))?));
        }
        if config.store.is_none() {
            return Ok(Self::Server(server(config, base, key)?));
        }
        let (url, database) = config.database()?;
        let (project, references) =
            (config.project.as_deref().unwrap_or_default(), config.references.as_slice());
        Ok(match database {
            Database::Redis => Self::FeastRedis(FeastRedis::new(
                redis(config, base, timeout(config))?,
                project,
                references,
                key,
            )),
            Database::Postgres => {
                let ca_file = config.store_ca_file.as_ref().map(|file| base.join(file));
                let tables = Tables { project, references, ca_file };
                let connection = (password(config, base), timeout(config));
                Self::FeastPostgres(Box::new(FeastPostgres::new(&url, tables, key, connection)?))
            }
        })
    }

    /// What it knows of each entity, in their order.
    pub async fn ask(&self, names: &[Name]) -> Result<Vec<Arc<Found>>, Failure> {
        match self {
            Self::Server(feast) => feast.ask(names).await,
            Self::FeastRedis(redis) => redis.ask(names).await,
            Self::FeastPostgres(postgres) => postgres.ask(names).await,
            Self::Own(redis) => redis.ask(names).await,
        }
    }

    /// Its address, without secrets.
    pub fn shown(&self) -> String {
        match self {
            Self::Server(feast) => feast.shown_url(),
            Self::FeastRedis(redis) => redis.shown().to_owned(),
            Self::FeastPostgres(postgres) => postgres.shown().to_owned(),
            Self::Own(redis) => redis.shown().to_owned(),
        }
    }
}

fn timeout(config: &FeaturesConfig) -> Duration {
    Duration::from_millis(config.timeout_ms.get())
}

/// Feast's feature server.
pub fn server(config: &FeaturesConfig, base: &Path, key: &EntityKey) -> anyhow::Result<Feast> {
    let url = config.address()?;
    let client = client_of(&url).build()?.into();
    let credentials = match &config.token_file {
        None => Credentials::None,
        Some(file) => {
            Credentials::Token { scheme: "Bearer".to_owned(), token: Secret::File(base.join(file)) }
        }
    };
    Ok(Feast::new(Receiver { url, client, credentials, timeout: timeout(config) }, config, key))
}

/// The Redis of our own layout, which a push gives more time than a prediction does.
pub fn own(
    config: &FeaturesConfig,
    base: &Path,
    key: &EntityKey,
    timeout: Duration,
) -> anyhow::Result<OwnRedis> {
    Ok(OwnRedis::new(redis(config, base, timeout)?, &config.prefix, key))
}

fn redis(config: &FeaturesConfig, base: &Path, timeout: Duration) -> anyhow::Result<RedisServer> {
    let (url, database) = config.database()?;
    if database != Database::Redis {
        bail!("features.store is no Redis; expected an address that begins with redis:// or rediss://");
    }
    let ca_file = config.store_ca_file.as_ref().map(|file| base.join(file));
    RedisServer::new(&url, password(config, base), ca_file.as_deref(), timeout)
}

/// The password of the database: of the file, else of the variable.
fn password(config: &FeaturesConfig, base: &Path) -> Option<Secret> {
    let of_file = config.store_password_file.as_ref().map(|file| Secret::File(base.join(file)));
    of_file.or_else(|| std::env::var(PASSWORD_VARIABLE).ok().map(Secret::Text))
}
