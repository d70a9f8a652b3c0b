//! Features that another server knows: asked for by entity when a prediction is, kept for a while where that is wanted.
//!
//! One request asks for all entities that are not kept. What is kept and grows old is used while the store is asked again,
//! for as long as the configuration says.

mod cache;
mod counts;
mod feast;
mod found;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use streamflow_dataset::{EntityKey, KeyPart};
use streamflow_outbound::{Credentials, Receiver, Secret, client_of};

use crate::config::{FeatureSource, FeaturesConfig};
use cache::{Cache, Kept};
pub use counts::{Counts, Outcome};
use feast::Feast;
pub use found::{Failure, Found, Known, Value};

/// A feature store. Cloning is cheap.
#[derive(Clone)]
pub struct FeatureStore(Arc<Parts>);

struct Parts {
    feast: Feast,
    settings: FeaturesConfig,
    key: EntityKey,
    cache: Option<Mutex<Cache>>,
    /// The entities that are being asked for again.
    renewed: Mutex<HashSet<String>>,
    counts: Counts,
}

/// What names an entity: a part for each column of the key.
pub type Name = Vec<KeyPart<'static>>;

impl FeatureStore {
    /// The store of the configuration; none where features are in memory. Relative paths start from `base`.
    ///
    /// # Errors
    /// An address that no client can ask.
    pub fn of(config: &FeaturesConfig, base: &Path, key: &EntityKey) -> anyhow::Result<Option<Self>> {
        if config.source == FeatureSource::Memory {
            if config.url.is_some() {
                tracing::warn!(
                    "features.url is set, and nobody is asked there: features.source is \"memory\"; did you mean \"feast\"?"
                );
            }
            return Ok(None);
        }
        let url = config.address()?;
        let client = client_of(&url).build()?;
        let credentials = match &config.token_file {
            None => Credentials::None,
            Some(file) => {
                Credentials::Token { scheme: "Bearer".to_owned(), token: Secret::File(base.join(file)) }
            }
        };
        let timeout = Duration::from_millis(config.timeout_ms.get());
        let feast = Feast::new(Receiver { url, client, credentials, timeout }, config, key);
        let is_kept = config.cache_seconds > 0 || config.stale_seconds > 0;
        let cache = is_kept.then(|| Mutex::new(Cache::new(config)));
        let renewed = Mutex::default();
        let counts = Counts::default();
        Ok(Some(Self(Arc::new(Parts {
            feast,
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
        self.0.feast.shown_url()
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
        let asked = self.0.feast.ask(names).await;
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
