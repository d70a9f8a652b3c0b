//! Features that were asked for lately. Bounded: of two halves the older is forgotten when the younger is full.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::found::Found;
use crate::config::FeaturesConfig;

/// What is kept of an entity.
pub enum Kept {
    /// Young enough.
    Fresh(Arc<Found>),
    /// To be used while it is asked for again.
    Stale(Arc<Found>),
    /// Nothing that may be used.
    No,
}

type Half = HashMap<String, (Instant, Arc<Found>)>;

/// Features by the entity's name.
pub struct Cache {
    young: Half,
    old: Half,
    /// Most entities of a half.
    half: usize,
    fresh: Duration,
    stale: Duration,
}

impl Cache {
    /// An empty one.
    pub fn new(config: &FeaturesConfig) -> Self {
        let fresh = Duration::from_secs(config.cache_seconds.into());
        Self {
            young: Half::new(),
            old: Half::new(),
            half: config.cache_entities.get().div_ceil(2),
            fresh,
            stale: fresh + Duration::from_secs(config.stale_seconds.into()),
        }
    }

    /// What is kept of the entity.
    pub fn get(&mut self, name: &str, now: Instant) -> Kept {
        let Some((at, found)) = self.young.get(name).or_else(|| self.old.get(name)) else { return Kept::No };
        match now.saturating_duration_since(*at) {
            age if age < self.fresh => Kept::Fresh(found.clone()),
            age if age < self.stale => Kept::Stale(found.clone()),
            _ => Kept::No,
        }
    }

    /// Keeps what was said of the entity at this time.
    pub fn put(&mut self, name: String, found: Arc<Found>, now: Instant) {
        if self.young.len() >= self.half && !self.young.contains_key(&name) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, (now, found));
    }
}

#[cfg(test)]
mod tests {
    use super::super::found::Known;
    use super::*;

    fn found(at: i64) -> Arc<Found> {
        Arc::new(Found { known: Known::Something, values: Vec::new(), newest_ms: Some(at) })
    }

    fn cache(entities: usize) -> Cache {
        let config = FeaturesConfig {
            cache_seconds: 10,
            stale_seconds: 20,
            cache_entities: entities.try_into().unwrap(),
            ..FeaturesConfig::default()
        };
        Cache::new(&config)
    }

    #[test]
    fn ages() {
        let (mut cache, start) = (cache(10), Instant::now());
        cache.put("a".into(), found(1), start);
        let at = |seconds| start + Duration::from_secs(seconds);
        for (seconds, expected) in [(0, "fresh"), (9, "fresh"), (10, "stale"), (29, "stale"), (30, "no")] {
            let kept = match cache.get("a", at(seconds)) {
                Kept::Fresh(_) => "fresh",
                Kept::Stale(_) => "stale",
                Kept::No => "no",
            };
            assert_eq!(kept, expected, "after {seconds} s");
        }
        cache.put("a".into(), found(2), at(30));
        assert!(matches!(cache.get("a", at(31)), Kept::Fresh(kept) if kept.newest_ms == Some(2)));
        assert!(matches!(cache.get("b", at(31)), Kept::No));
    }

    #[test]
    fn never_more_than_allowed_and_the_newest_half_stays() {
        let (mut cache, now) = (cache(100), Instant::now());
        for entity in 0..1000 {
            cache.put(entity.to_string(), found(entity), now);
            assert!(cache.young.len() + cache.old.len() <= 100);
        }
        for entity in 950..1000 {
            assert!(matches!(cache.get(&entity.to_string(), now), Kept::Fresh(_)), "{entity}");
        }
        assert!(matches!(cache.get("0", now), Kept::No));
    }
}
