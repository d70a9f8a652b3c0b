//! Which of several servers runs schedules and triggers. There is one row: its epoch rises when another one takes over,
//! its beat while the leader lives. Nobody compares clocks: a server takes over from one whose beat it has not seen to
//! rise for a while, by its own clock, or whose process it can see to be gone.

use std::time::{Duration, Instant};

use sqlx::{FromRow, Row as _};

use super::change::Change as _;
use super::fence::Fence;
use super::{Store, process};

/// How often the leader says that it lives, and how often the others look.
pub const BEAT: Duration = Duration::from_secs(2);
/// How long the others wait for a beat. A takeover takes no longer than this and a look.
const SILENT_FOR: Duration = Duration::from_secs(10);

/// The row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    pub epoch: i64,
    beat: i64,
    /// Its process; empty once it has given the place up.
    pub holder: String,
}

impl FromRow<'_, sqlx::any::AnyRow> for Leader {
    fn from_row(row: &sqlx::any::AnyRow) -> sqlx::Result<Self> {
        Ok(Self { epoch: row.try_get("epoch")?, beat: row.try_get("beat")?, holder: row.try_get("holder")? })
    }
}

/// What a server that would lead has seen of the leader.
#[derive(Debug, Default)]
pub struct Candidate {
    /// The leader as it was last seen, and since when it has looked the same.
    seen: Option<(Leader, Instant)>,
}

impl Candidate {
    /// Looks at the leader and takes its place where it is free; the epoch, where this server leads now.
    pub async fn stand(&mut self, store: &Store, now: Instant) -> sqlx::Result<Option<i64>> {
        let found = match store.leader().await {
            Ok(found) => found,
            Err(error) => {
                // Nobody can be seen to live while the database is away.
                self.seen = None;
                return Err(error);
            }
        };
        let Some(found) = found else { return store.lead_first().await };
        let since = match &self.seen {
            Some((before, since)) if *before == found => *since,
            _ => now,
        };
        let is_silent = now.duration_since(since) >= SILENT_FOR;
        let is_gone = found.holder.is_empty() || process::fate(&found.holder) == process::Fate::Gone;
        let taken = match is_gone || is_silent {
            true => store.take_over(&found).await?,
            false => None,
        };
        self.seen = Some((found, since));
        Ok(taken)
    }
}

impl Store {
    /// Who leads; none before the first.
    pub async fn leader(&self) -> sqlx::Result<Option<Leader>> {
        sqlx::query_as("SELECT epoch, beat, holder FROM leader WHERE id = 1").fetch_optional(&self.pool).await
    }

    async fn lead_first(&self) -> sqlx::Result<Option<i64>> {
        let insert =
            "INSERT INTO leader (id, epoch, beat, holder) VALUES (1, 1, 0, $1) ON CONFLICT DO NOTHING";
        let mut transaction = self.write_durably().await?;
        let added =
            sqlx::query(insert).bind(process::own().unwrap_or_default()).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok((added.rows_affected() > 0).then_some(1))
    }

    /// Begins the next epoch, where the leader is still as it was found.
    async fn take_over(&self, found: &Leader) -> sqlx::Result<Option<i64>> {
        let mut transaction = self.write_durably().await?;
        let taken = sqlx::query(
            "UPDATE leader SET epoch = epoch + 1, beat = 0, holder = $1 WHERE id = 1 AND epoch = $2 AND beat = $3",
        )
        .bind(process::own().unwrap_or_default())
        .bind(found.epoch)
        .bind(found.beat)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok((taken.rows_affected() > 0).then_some(found.epoch + 1))
    }

    /// Says that the leader of this epoch lives; false where another one leads.
    pub async fn beat(&self, epoch: i64) -> sqlx::Result<bool> {
        match sqlx::query("UPDATE leader SET beat = beat + 1 WHERE id = 1 AND epoch = $1")
            .bind(epoch)
            .change(&self.of_leader(epoch))
            .await
        {
            Ok(beaten) => Ok(beaten.rows_affected() > 0),
            Err(error) if error.to_string() == (Fence::Leader { epoch }).lost().to_string() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives the place up, so that another server takes it at once.
    pub async fn abdicate(&self, epoch: i64) -> sqlx::Result<()> {
        sqlx::query("UPDATE leader SET holder = '' WHERE id = 1 AND epoch = $1")
            .bind(epoch)
            .change_durably(self)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::each;

    #[tokio::test]
    async fn one_server_leads_and_another_takes_over_from_a_silent_one_that_then_writes_nothing() {
        each(async |store| {
            let start = Instant::now();
            let (mut first, mut second) = (Candidate::default(), Candidate::default());
            assert_eq!(first.stand(&store, start).await.unwrap(), Some(1));
            assert_eq!(second.stand(&store, start).await.unwrap(), None);
            assert!(store.beat(1).await.unwrap());
            assert_eq!(second.stand(&store, start + SILENT_FOR).await.unwrap(), None, "it was seen to live");
            let silent = start + SILENT_FOR + SILENT_FOR;
            assert_eq!(second.stand(&store, silent).await.unwrap(), Some(2));
            assert!(!store.beat(1).await.unwrap());

            let stale = store.of_leader(1);
            let refused = stale.set_watermark("drops", "stale").await.unwrap_err();
            assert!(refused.to_string().contains("another server runs the schedules"), "{refused}");
            stale.set_handled("monthly", "2024-01-31T00:00:00Z", &[]).await.unwrap_err();
            let leading = store.of_leader(2);
            leading.set_watermark("drops", "fresh").await.unwrap();
            assert_eq!(store.watermark("drops").await.unwrap().as_deref(), Some("fresh"));
            assert_eq!(store.handled("monthly").await.unwrap().to, None);

            store.abdicate(1).await.unwrap();
            assert_eq!(first.stand(&store, silent).await.unwrap(), None, "an old leader has nothing to give");
            store.abdicate(2).await.unwrap();
            assert_eq!(first.stand(&store, silent).await.unwrap(), Some(3), "a free place is taken at once");
        })
        .await;
    }

    #[tokio::test]
    async fn a_leader_whose_process_is_gone_is_followed_at_once() {
        each(async |store| {
            let mut candidate = Candidate::default();
            candidate.stand(&store, Instant::now()).await.unwrap();
            let own = process::own().unwrap();
            let gone = own.replace(&format!(" {} ", std::process::id()), " 4194305 ");
            sqlx::query("UPDATE leader SET holder = $1").bind(gone).execute(&store.pool).await.unwrap();
            assert_eq!(Candidate::default().stand(&store, Instant::now()).await.unwrap(), Some(2));
        })
        .await;
    }
}
