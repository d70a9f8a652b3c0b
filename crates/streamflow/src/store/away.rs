//! Whether the database answers. A Postgres server may be away for a while: connections are made again by themselves, and
//! meanwhile the service says so.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::{Kind, Store, now};

/// How often it is asked, and for how long an answer is waited for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// A database that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DatabaseAway)]
pub struct Away {
    /// Since when, RFC 3339.
    pub since: String,
    /// What came instead of an answer.
    pub trouble: String,
}

/// What was found at the last look; shared by all clones of a store.
#[derive(Debug, Clone, Default)]
pub(super) struct Answering(Arc<ArcSwapOption<Away>>);

impl Store {
    /// Since when the database does not answer; none where it does.
    pub fn away(&self) -> Option<Arc<Away>> {
        self.away.0.load_full()
    }

    /// Asks the database now and then until `shutdown`, and says when it is away and when it is back. A file is never
    /// away.
    pub async fn look_after(self, mut shutdown: watch::Receiver<bool>) {
        if self.kind == Kind::Sqlite {
            return;
        }
        loop {
            let asked = tokio::time::timeout(ANSWERS_WITHIN, self.ping()).await;
            self.note(match asked {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("no answer within {ANSWERS_WITHIN:?}")),
            });
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn ping(&self) -> sqlx::Result<()> {
        sqlx::query_scalar::<_, i64>("SELECT 1").fetch_one(&self.pool).await.map(drop)
    }

    fn note(&self, trouble: Option<String>) {
        let before = self.away();
        match (trouble, before) {
            (Some(trouble), None) => {
                tracing::error!(
                    "the database is away; predictions go on, flows and the registry wait: {trouble}"
                );
                self.away.0.store(Some(Arc::new(Away { since: now(), trouble })));
            }
            (None, Some(away)) => {
                tracing::info!("the database is back; it was away since {}", away.since);
                self.away.0.store(None);
            }
            (Some(trouble), Some(away)) if trouble != away.trouble => {
                self.away.0.store(Some(Arc::new(Away { since: away.since.clone(), trouble })));
            }
            _ => {}
        }
    }
}
