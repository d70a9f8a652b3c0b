//! As what a process writes, and whether it still is that: a process that was stopped for a minute and goes on knows
//! nothing of who took its place, so the database is asked in the transaction that writes.

use sqlx::{Any, Transaction};

use super::Store;

/// What a writer must still be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fence {
    /// The leader of this epoch.
    Leader { epoch: i64 },
    /// The process that has this claim on a run.
    Claim { run: i64, claim: i64 },
}

impl Fence {
    /// Refuses what is written by one whose place was taken. A place is taken by a writer, and writers exclude each
    /// other: what is found here holds until the transaction ends.
    pub(super) async fn hold(self, transaction: &mut Transaction<'_, Any>) -> sqlx::Result<()> {
        let (sql, first, second) = match self {
            Fence::Leader { epoch } => ("SELECT 1 FROM leader WHERE id = $1 AND epoch = $2", 1, epoch),
            Fence::Claim { run, claim } => ("SELECT 1 FROM runs WHERE id = $1 AND claim = $2", run, claim),
        };
        let held: Option<i64> =
            sqlx::query_scalar(sql).bind(first).bind(second).fetch_optional(&mut **transaction).await?;
        match held {
            Some(_) => Ok(()),
            None => Err(self.lost()),
        }
    }

    /// What the process is told whose place was taken.
    pub(super) fn lost(self) -> sqlx::Error {
        sqlx::Error::InvalidArgument(match self {
            Fence::Leader { epoch } => format!(
                "nothing was written: another server runs the schedules since this one, which did in epoch {epoch}, gave \
                 no sign for some seconds"
            ),
            Fence::Claim { run, .. } => format!(
                "nothing was written: run {run} was taken from this process, which gave no sign for some time; \
                 `streamflow flows inspect {run}` says what became of it"
            ),
        })
    }
}

impl Store {
    /// The same database for the process that leads in this epoch: what it writes in a later one is refused.
    pub fn of_leader(&self, epoch: i64) -> Self {
        Self { fence: Some(Fence::Leader { epoch }), ..self.clone() }
    }

    /// The same database for the process that has this claim on a run: what it writes when the run was taken from it is
    /// refused.
    pub fn of_claim(&self, run: i64, claim: i64) -> Self {
        Self { fence: Some(Fence::Claim { run, claim }), ..self.clone() }
    }
}
