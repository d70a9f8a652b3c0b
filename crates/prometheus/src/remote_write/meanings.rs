//! What families mean, for those who are sent their samples.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use streamflow_exposition::remote_write::MetricMetadata;
use tokio::time::Instant;

use crate::scrape::Metadata;

/// What was asked of the scraper is good for so long.
const FRESH: Duration = Duration::from_secs(5);

/// Asks for what is known of all families.
pub type Asked = Arc<dyn Fn() -> Vec<(String, Metadata)> + Send + Sync>;

/// Families with their meanings, asked for now and then.
#[derive(Clone)]
pub struct Meanings {
    ask: Asked,
    known: Arc<Mutex<Option<Answer>>>,
}

type Known = HashMap<String, MetricMetadata>;
/// What was known at a time.
type Answer = (Instant, Arc<Known>);

impl fmt::Debug for Meanings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meanings").finish_non_exhaustive()
    }
}

impl Meanings {
    pub fn new(ask: Asked) -> Self {
        Self { ask, known: Arc::default() }
    }

    /// All families, the first meaning of each.
    pub fn all(&self) -> Arc<Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((asked, found)) = &*known
            && asked.elapsed() < FRESH
        {
            return Arc::clone(found);
        }
        let mut found = Known::new();
        for (family, metadata) in (self.ask)() {
            let Metadata { kind, help, unit } = metadata;
            let kind = streamflow_exposition::MetricType::of_name(kind).code();
            let metadata = MetricMetadata { kind, metric_family_name: family.clone(), help, unit };
            found.entry(family).or_insert(metadata);
        }
        let found = Arc::new(found);
        *known = Some((Instant::now(), Arc::clone(&found)));
        found
    }
}
