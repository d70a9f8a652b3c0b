//! Minutes that have ended and are not in the store yet: they wait there while the database is away, so that other servers
//! and the next start have them too.

use std::collections::VecDeque;

use streamflow_live::Minute;

use crate::store::Store;

/// Minutes that wait at most: eight hours of one version, ten megabytes of 16 features.
const MOST: usize = 480;

/// What waits, oldest first.
pub struct Pending {
    /// The name of this process in the store.
    origin: String,
    waiting: VecDeque<Waiting>,
    /// Minutes that have ended since the start.
    ended: u64,
    /// Minutes that had to give way since the last one was stored.
    lost: usize,
}

struct Waiting {
    version: i64,
    /// The name under which it is stored: it is told from all others, so that one is stored once however often its storing
    /// is tried, and a clock that was set back adds a minute and changes none.
    origin: String,
    minute: Minute,
}

impl Pending {
    pub fn new(origin: String) -> Self {
        Self { origin, waiting: VecDeque::new(), ended: 0, lost: 0 }
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Minutes that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Those of a version.
    pub fn of_version(&self, version: i64) -> impl Iterator<Item = &Minute> {
        self.waiting.iter().filter(move |waiting| waiting.version == version).map(|waiting| &waiting.minute)
    }

    /// Takes a minute that has ended; of more than can wait the oldest gives way.
    pub fn push(&mut self, version: i64, minute: Minute) {
        if self.waiting.len() == MOST {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.ended += 1;
        let origin = format!("{}.{}", self.origin, self.ended);
        self.waiting.push_back(Waiting { version, origin, minute });
    }

    /// Stores what waits, oldest first, as far as the store takes it.
    pub async fn store(&mut self, store: &Store, model: &str) -> sqlx::Result<()> {
        while let Some(Waiting { version, origin, minute }) = self.waiting.front() {
            store.add_live_minute(model, *version, origin, minute).await?;
            self.waiting.pop_front();
        }
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            tracing::error!(
                "the store was away for so long that {lost} minutes of live traffic of this server are not in it"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use streamflow_live::{FeatureReference, Reference, Value};

    use super::*;
    use crate::store::each;

    #[tokio::test]
    async fn minutes_that_waited_are_stored_once_and_the_newest_of_too_many() {
        each(async |store| {
            store.add_live_reference("churn", 1, "training", &json!({})).await.unwrap();
            let reference = Reference::new(vec![FeatureReference::numerical("x", vec![1.0, 2.0])], vec![]);
            let minute = |start: i64| {
                let mut open = reference.open_minute();
                open.add(&reference, start.unsigned_abs(), 0, &[Value::Number(1.0)]);
                open.close(start)
            };
            let mut pending = Pending::new("a".to_owned());
            (0..5 + MOST as i64).for_each(|start| pending.push(1, minute(start)));
            assert_eq!((pending.len(), pending.of_version(1).next().unwrap().start), (MOST, 5));
            // The clock was set back: the same minute again.
            pending.push(1, minute(7));
            // Its storing was not acknowledged, and had succeeded.
            let first = pending.waiting.front().unwrap();
            store.add_live_minute("churn", 1, &first.origin, &first.minute).await.unwrap();
            pending.store(&store, "churn").await.unwrap();
            assert_eq!((pending.len(), pending.lost), (0, 0));
            let stored = store.live_minutes("churn", 1).await.unwrap();
            let starts = stored.iter().map(|stored| Minute::decode(&stored.body).unwrap().start);
            let expected: Vec<i64> = (6..8).chain(7..5 + MOST as i64).collect();
            assert_eq!(starts.collect::<Vec<_>>(), expected);
            assert_eq!(store.live_minutes_of_others("churn", 1, "a", 0).await.unwrap(), []);
            assert_eq!(store.live_minutes_of_others("churn", 1, "b", 0).await.unwrap().len(), MOST);
        })
        .await;
    }
}
