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
/// SQLSTATE of a server that ends its connections, or takes none for the moment.
const TAKES_NONE: [&str; 4] = ["57P01", "57P02", "57P03", "53300"];

/// A database that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DatabaseAway)]
pub struct Away {
    /// Since when, RFC 3339.
    pub since: String,
    /// What came instead of an answer.
    pub trouble: String,
}

impl std::fmt::Display for Away {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the database is away since {}: {}; try again", self.since, self.trouble)
    }
}

/// What a database that gives no connection, or breaks one off, says in place of an answer; none for an error of another
/// kind.
pub fn unanswered(error: &anyhow::Error) -> Option<String> {
    let error = error.chain().find_map(|cause| cause.downcast_ref::<sqlx::Error>())?;
    let is_unanswered = match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
        sqlx::Error::Database(said) => said.code().is_some_and(|code| {
            // Class 08 is that of connections.
            TAKES_NONE.contains(&&*code) || code.len() == 5 && code.starts_with("08")
        }),
        _ => false,
    };
    is_unanswered.then(|| format!("the database does not answer: {error}; try again"))
}

/// What was found at the last look; shared by all clones of a store.
#[derive(Debug, Clone, Default)]
pub(super) struct Answering(Arc<ArcSwapOption<Away>>);

impl Store {
    /// Since when the database does not answer; none where it does.
    pub fn away(&self) -> Option<Arc<Away>> {
        self.away.0.load_full()
    }

    /// What to say of an error that comes of a database which does not answer; none for an error of another kind.
    pub fn unanswered(&self, error: &anyhow::Error) -> Option<String> {
        let said = unanswered(error)?;
        Some(self.away().map_or(said, |away| away.to_string()))
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

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;
    use crate::store::temporary;

    #[tokio::test]
    async fn an_error_tells_a_database_that_is_away_from_other_faults() {
        let (_dir, store) = temporary().await;
        let waited = || Err::<(), _>(sqlx::Error::PoolTimedOut).context("cannot list runs").unwrap_err();
        let said = store.unanswered(&waited()).unwrap();
        assert!(said.starts_with("the database does not answer: pool timed out"), "{said}");
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(unanswered(&sqlx::Error::Io(refused).into()).unwrap().contains("connection refused"));

        store.note(Some("no answer within 3s".to_owned()));
        let since = store.away().unwrap().since.clone();
        let expected = format!("the database is away since {since}: no answer within 3s; try again");
        assert_eq!(store.unanswered(&waited()), Some(expected));

        let wrong = sqlx::query("SELECT nothing").execute(&store.pool).await.unwrap_err();
        for other in [wrong, sqlx::Error::RowNotFound] {
            assert_eq!(store.unanswered(&other.into()), None);
        }
        assert_eq!(store.unanswered(&anyhow::anyhow!("no such run")), None);
    }
}
