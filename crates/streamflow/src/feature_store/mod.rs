//! Features that another server knows: asked for by entity when a prediction is, kept for a while where that is wanted.
//!
//! One request asks for all entities that are not kept. What is kept and grows old is used while the store is asked again,
//! for as long as the configuration says. `source.rs` has who can be asked, a file each; features that callers push to this server
//! are in `pushed.rs`.

mod cache;
mod comparison;
mod counts;
mod feast;
pub mod feast_bytes;
mod feast_postgres;
mod feast_redis;
mod found;
mod number;
pub mod own_layout;
mod own_redis;
mod push;
mod pushed;
mod redis_server;
mod references;
mod source;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use streamflow_dataset::{EntityKey, KeyPart};

use crate::config::{FeatureSource, FeaturesConfig};
use cache::{Cache, Kept};
pub use comparison::Compared;
pub use counts::{Counts, Outcome};
pub use found::{Failure, Found, Known, Value};
pub use own_redis::{LastPush, OwnRedis};
pub use push::{Manner, Month};
pub use pushed::{Change, PushedFeatures, PushedValue, Row};
use source::Source;

/// A feature store. Cloning is cheap.
#[derive(Clone)]
pub struct FeatureStore(Arc<Parts>);

struct Parts {
    source: Source,
    settings: FeaturesConfig,
    key: EntityKey,
    cache: Option<Mutex<Cache>>,
    /// The entities that are being asked for again.
    renewed: Mutex<HashSet<String>>,
    counts: Counts,
}

/// What names an entity: a part for each column of the key.
pub type Name = Vec<KeyPart<'static>>;

/// The Redis of our own layout that features are pushed into, whatever the source of the configuration is.
///
/// # Errors
/// No address of a Redis; a file that cannot be read.
pub fn own_redis(
    config: &FeaturesConfig,
    base: &Path,
    key: &EntityKey,
    timeout: Duration,
) -> anyhow::Result<OwnRedis> {
    source::own(config, base, key, timeout)
}

impl FeatureStore {
    /// The store of the configuration; none where features are in memory. Relative paths start from `base`.
    ///
    /// # Errors
    /// An address that no client can ask.
    pub fn of(config: &FeaturesConfig, base: &Path, key: &EntityKey) -> anyhow::Result<Option<Self>> {
        if config.source == FeatureSource::Memory {
            let addresses = [("url", &config.url), ("store", &config.store)];
            if let Some((key, _)) = addresses.iter().find(|(_, address)| address.is_some()) {
                tracing::warn!(
                    "features.{key} is set, and nobody is asked there: features.source is \"memory\"; did you mean \"feast\" or \"redis\"?"
                );
            }
            return Ok(None);
        }
        let source = Source::of(config, base, key)?;
        let is_kept = config.cache_seconds > 0 || config.stale_seconds > 0;
        let cache = is_kept.then(|| Mutex::new(Cache::new(config)));
        let renewed = Mutex::default();
        let counts = Counts::default();
        Ok(Some(Self(Arc::new(Parts {
            source,
            settings: config.clone(),
            key: key.clone(),
            cache,
            renewed,
            counts,
        }))))
    }

    /// How the store is configured.
    #[must_use]
    pub fn settings(&self) -> &FeaturesConfig {
        &self.0.settings
    }

    /// What was asked and what came of it.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// The address, without its secrets.
    #[must_use]
    pub fn shown_url(&self) -> String {
        self.0.source.shown()
    }

    /// The word of the configuration for where the features are from.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.settings.source.name()
    }

    /// The Redis of our own layout, where that is the source.
    #[must_use]
    pub fn own(&self) -> Option<&OwnRedis> {
        if let Source::Own(redis) = &self.0.source { Some(redis) } else { None }
    }

    /// Compares what is read of Feast's tables with what its feature server says of these entities, where both are
    /// configured. Relative paths start from `base`.
    ///
    /// # Errors
    /// A difference; an address that no client can ask.
    pub async fn compare(&self, base: &Path, names: &[Name]) -> anyhow::Result<Option<Compared>> {
        let settings = self.settings();
        let is_direct = matches!(self.0.source, Source::FeastRedis(_) | Source::FeastPostgres(_));
        if !is_direct || settings.url.is_none() {
            return Ok(None);
        }
        let server = source::server(settings, base, &self.0.key)?;
        let compared = comparison::compare(&self.0.source, &server, (&self.0.key, names)).await?;
        let same = if let Compared::Same(entities) = compared { entities } else { 0 };
        self.0.counts.compared(same);
        Ok(Some(compared))
    }

    /// What the store knows of each entity, in their order.
    ///
    /// # Errors
    /// The store does not answer in time, or not with features. Nothing is known then of any entity.
    pub async fn look_up(&self, names: &[Name]) -> Result<Vec<Arc<Found>>, Failure> {
        let Some(cache) = &self.0.cache else { return self.ask(names).await };
        let (mut found, mut unknown, mut old) = (Vec::with_capacity(names.len()), Vec::new(), Vec::new());
        {
            let now = Instant::now();
            let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
            for name in names {
                found.push(match cache.get(&self.0.key.text(name), now) {
                    Kept::Fresh(kept) => Some(kept),
                    Kept::Stale(kept) => {
                        old.push(name.clone());
                        Some(kept)
                    }
                    Kept::No => {
                        unknown.push(name.clone());
                        None
                    }
                });
            }
        }
        self.0.counts.add(Outcome::Cached, names.len() - unknown.len() - old.len());
        self.0.counts.add(Outcome::Stale, old.len());
        self.renew(old);
        let asked = if unknown.is_empty() { Vec::new() } else { self.ask(&unknown).await? };
        let mut asked = asked.into_iter();
        Ok(found.into_iter().filter_map(|kept| kept.or_else(|| asked.next())).collect())
    }

    /// As [`FeatureStore::look_up`], for a thread on which it is allowed to wait.
    ///
    /// # Errors
    /// As [`FeatureStore::look_up`].
    pub fn look_up_now(&self, names: &[Name]) -> Result<Vec<Arc<Found>>, Failure> {
        tokio::runtime::Handle::current().block_on(self.look_up(names))
    }

    async fn ask(&self, names: &[Name]) -> Result<Vec<Arc<Found>>, Failure> {
        let start = Instant::now();
        let asked = self.0.source.ask(names).await;
        self.0.counts.waited(start.elapsed());
        let found = asked.inspect_err(|_| self.0.counts.add(Outcome::Failed, names.len()))?;
        let unknown = found.iter().filter(|found| found.known == Known::Nothing).count();
        self.0.counts.add(Outcome::Found, found.len() - unknown);
        self.0.counts.add(Outcome::Unknown, unknown);
        if let Some(cache) = &self.0.cache {
            let now = Instant::now();
            let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
            for (name, found) in names.iter().zip(&found) {
                cache.put(self.0.key.text(name), found.clone(), now);
            }
        }
        Ok(found)
    }

    /// Asks again for entities, without anybody waiting; those that are being asked for already are not asked twice.
    fn renew(&self, names: Vec<Name>) {
        if names.is_empty() {
            return;
        }
        let mut renewed = self.0.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<Name> =
            names.into_iter().filter(|name| renewed.insert(self.0.key.text(name))).collect();
        drop(renewed);
        if names.is_empty() {
            return;
        }
        let store = self.clone();
        tokio::spawn(async move {
            if let Err(error) = store.ask(&names).await {
                tracing::debug!("the features of {} entities were not renewed: {error}", names.len());
            }
            let mut renewed = store.0.renewed.lock().unwrap_or_else(PoisonError::into_inner);
            names.iter().for_each(|name| {
                renewed.remove(&store.0.key.text(name));
            });
        });
    }
}

#[cfg(test)]
mod tests;
