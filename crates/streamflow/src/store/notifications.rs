//! What channels are to be told, until they were: an outbox that any process fills and empties, each row once.

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{Any, FromRow, Row as _, Transaction};

use super::change::Change as _;
use super::{State, Store, json_of, now, text};

/// Watermark of the transitions that were looked at.
const RUNS: &str = "notified transitions";
/// Watermark of the log of what is in production.
const CHANGES: &str = "notified changes";
/// Watermark with the name of the server that sends.
const SENDER: &str = "notifier";
/// Days after which a notification that was sent is forgotten, and with it that it was told.
const KEPT_DAYS: i64 = 90;

/// How far the logs of runs and of what is in production were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    pub transition: i64,
    pub change: i64,
}

/// A state that a run came to.
#[derive(Debug, Clone)]
pub struct Reached {
    pub transition: i64,
    pub run: i64,
    pub flow: String,
    pub period: Option<String>,
    pub state: State,
    pub state_name: String,
    pub message: String,
    pub at: String,
}

impl FromRow<'_, AnyRow> for Reached {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            transition: row.try_get("id")?,
            run: row.try_get("run_id")?,
            flow: row.try_get("flow")?,
            period: row.try_get("period")?,
            state: State::of(row, "state")?,
            state_name: row.try_get("state_name")?,
            message: row.try_get("message")?,
            at: row.try_get("at")?,
        })
    }
}

/// A notification to be kept until it is sent.
#[derive(Debug, Clone)]
pub struct NewNotification<'a> {
    pub channel: &'a str,
    pub what: &'a str,
    pub flow: &'a str,
    pub period: Option<&'a str>,
    pub subject: &'a str,
    pub body: &'a Value,
    pub at: &'a str,
    /// Whether this is over only when a run of the same period shows it, not any of the flow.
    pub is_of_period: bool,
    pub kind: Kind,
}

/// Whether something begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is told unless the channel knows it and it was not over since.
    News,
    /// It is told where the channel knows what is over now.
    Over {
        /// Otherwise it is only remembered.
        is_told: bool,
    },
}

/// A notification that this process is to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub id: i64,
    pub body: Value,
    /// 1 at the first try.
    pub tries: i64,
}

impl FromRow<'_, AnyRow> for Outgoing {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self { id: row.try_get("id")?, body: json_of(row, "body")?, tries: row.try_get("tries")? })
    }
}

impl Store {
    /// How far was looked; at the first look, everything so far counts as told.
    pub async fn looked_for_news(&self) -> sqlx::Result<Looked> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO watermarks (name, position)
             SELECT $1, CAST(COALESCE(MAX(id), 0) AS TEXT) FROM transitions WHERE TRUE
             UNION ALL SELECT $2, CAST(COALESCE(MAX(id), 0) AS TEXT) FROM production_log WHERE TRUE
             ON CONFLICT DO NOTHING",
        )
        .bind(RUNS)
        .bind(CHANGES)
        .execute(&mut *transaction)
        .await?;
        let looked = looked_in(&mut transaction).await?;
        transaction.commit().await?;
        Ok(looked)
    }

    /// The ends and pauses of runs after a line of the log that are not older than `since`.
    pub async fn reached_after(&self, transition: i64, since: &str) -> sqlx::Result<Vec<Reached>> {
        sqlx::query_as(
            "SELECT t.id, t.run_id, r.flow, r.period, t.state, t.state_name, t.message, t.at
             FROM transitions t JOIN runs r ON r.id = t.run_id
             WHERE t.id > $1 AND t.at >= $2 AND t.task_id IS NULL
             AND t.state IN ('completed', 'failed', 'crashed', 'paused') ORDER BY t.id",
        )
        .bind(transition)
        .bind(since)
        .fetch_all(&self.pool)
        .await
    }

    /// Keeps what is to be told of the time from `from` to `to`; false, and nothing is kept, where another process was
    /// faster.
    pub async fn keep_news(
        &self,
        from: Looked,
        to: Looked,
        news: &[NewNotification<'_>],
    ) -> sqlx::Result<bool> {
        let mut transaction = self.write_durably().await?;
        if looked_in(&mut transaction).await? != from {
            return Ok(false);
        }
        for notification in news {
            keep(&mut transaction, notification).await?;
        }
        for (name, position) in [(RUNS, to.transition), (CHANGES, to.change)] {
            sqlx::query("UPDATE watermarks SET position = $1 WHERE name = $2")
                .bind(position.to_string())
                .bind(name)
                .execute(&mut *transaction)
                .await?;
        }
        let forgotten =
            format!("{:.3}", jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * KEPT_DAYS));
        sqlx::query("DELETE FROM notifications WHERE ended_at < $1")
            .bind(forgotten)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Takes the oldest notification of a channel whose time has come, for this process alone until `until`.
    pub async fn take_notification(&self, channel: &str, until: &str) -> sqlx::Result<Option<Outgoing>> {
        sqlx::query_as(
            "UPDATE notifications SET tries = tries + 1, next_try_at = $1 WHERE id = (
                SELECT MIN(id) FROM notifications WHERE channel = $2 AND ended_at IS NULL AND next_try_at <= $3
             ) AND ended_at IS NULL AND next_try_at <= $3 RETURNING id, body, tries",
        )
        .bind(until)
        .bind(channel)
        .bind(now())
        .fetch_optional(&self.pool)
        .await
    }

    /// Records that a notification was sent.
    pub async fn end_notification(&self, id: i64, outcome: &str) -> sqlx::Result<()> {
        sqlx::query("UPDATE notifications SET ended_at = $1, outcome = $2 WHERE id = $3")
            .bind(now())
            .bind(&*text(outcome))
            .bind(id)
            .change(self)
            .await
            .map(drop)
    }

    /// Records that a notification could not be sent, and when it is tried again.
    pub async fn postpone_notification(&self, id: i64, until: &str, error: &str) -> sqlx::Result<()> {
        sqlx::query("UPDATE notifications SET next_try_at = $1, outcome = $2 WHERE id = $3")
            .bind(until)
            .bind(&*text(error))
            .bind(id)
            .change(self)
            .await
            .map(drop)
    }

    /// Ends what could not be sent since `before`: the channel, what it was about, and why.
    pub async fn give_up_notifications(&self, before: &str) -> sqlx::Result<Vec<(String, String, String)>> {
        sqlx::query_as(
            "UPDATE notifications SET ended_at = $1, outcome = 'given up: ' || outcome
             WHERE ended_at IS NULL AND at < $2 RETURNING channel, what || ' ' || flow, outcome",
        )
        .bind(now())
        .bind(before)
        .fetch_all(&self.pool)
        .await
    }

    /// Says that this process sends notifications until it ends.
    pub async fn become_notifier(&self) -> sqlx::Result<()> {
        self.set_watermark(SENDER, &super::process::own().unwrap_or_default()).await
    }

    /// True while a process of this machine sends notifications.
    pub async fn has_notifier(&self) -> sqlx::Result<bool> {
        let sender = self.watermark(SENDER).await?;
        Ok(sender.is_some_and(|process| super::process::fate(&process) == super::process::Fate::Alive))
    }
}

async fn looked_in(transaction: &mut Transaction<'_, Any>) -> sqlx::Result<Looked> {
    let [transition, change] = {
        let mut found = [0; 2];
        for (place, name) in [RUNS, CHANGES].into_iter().enumerate() {
            found[place] =
                sqlx::query_scalar("SELECT CAST(position AS BIGINT) FROM watermarks WHERE name = $1")
                    .bind(name)
                    .fetch_optional(&mut **transaction)
                    .await?
                    .unwrap_or(0);
        }
        found
    };
    Ok(Looked { transition, change })
}

/// What a channel knows and what was not over since.
const KNOWN: &str = "\
    EXISTS (SELECT 1 FROM notifications told WHERE told.channel = $1 AND told.flow = $3
        AND ($12 OR told.period IS NOT DISTINCT FROM $4) AND told.what = $10 AND ($11 OR told.subject = $5)
        AND told.id > COALESCE((
            SELECT MAX(past.id) FROM notifications past WHERE past.channel = $1 AND past.flow = $3
            AND (NOT $9 OR past.period IS NOT DISTINCT FROM $4) AND past.what = 'resolved' AND past.subject = $10), 0))";

/// Keeps a notification as its kind says.
async fn keep(transaction: &mut Transaction<'_, Any>, new: &NewNotification<'_>) -> sqlx::Result<()> {
    let (is_over, is_told) = match new.kind {
        Kind::News => (false, true),
        Kind::Over { is_told } => (true, is_told),
    };
    let sql = format!(
        "INSERT INTO notifications (channel, what, flow, period, subject, body, at, next_try_at, ended_at, outcome)
         SELECT $1, $2, $3, $4, $5, $6, $7, $7, CASE WHEN $8 THEN NULL ELSE $7 END,
                CASE WHEN $8 THEN '' ELSE 'the channel is not told of this' END
         WHERE {} {KNOWN}",
        if is_over { "" } else { "NOT" }
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(new.channel)
        .bind(new.what)
        .bind(new.flow)
        .bind(new.period)
        .bind(new.subject)
        .bind(new.body.to_string())
        .bind(new.at)
        .bind(is_told)
        .bind(new.is_of_period)
        .bind(if is_over { new.subject } else { new.what })
        .bind(is_over)
        .bind(is_over && !new.is_of_period)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::each;

    /// What a channel is told of: (what, period, what begins or is over, whether it is told).
    type Event<'a> = (&'a str, Option<&'a str>, &'a str, bool);

    #[tokio::test]
    async fn a_problem_is_told_once_until_it_is_over() {
        each(async |store| {
            let (feb, mar) = (Some("2024-02-29"), Some("2024-03-31"));
            let steps: [Event; 14] = [
                ("resolved", feb, "decision", false),
                ("decision", feb, "RETRAINING_TRIGGERED", true),
                ("decision", feb, "RETRAINING_TRIGGERED", false),
                ("decision", mar, "RETRAINING_TRIGGERED", true),
                ("resolved", mar, "decision", true),
                ("resolved", mar, "decision", false),
                ("decision", feb, "RETRAINING_TRIGGERED", true),
                ("failure", feb, "Failed", true),
                ("failure", mar, "Failed", true),
                ("resolved", mar, "failure", true),
                ("failure", feb, "Failed", false),
                ("failure", mar, "Failed", true),
                ("failure", None, "Failed", true),
                ("resolved", None, "failure", true),
            ];
            for (place, (what, period, subject, expected)) in steps.into_iter().enumerate() {
                let body = serde_json::json!(place);
                let new = NewNotification {
                    channel: "ops",
                    what,
                    flow: "monitor_month",
                    period,
                    subject,
                    body: &body,
                    at: "2024-04-01T00:00:00.000Z",
                    is_of_period: what == "failure" || subject == "failure",
                    kind: if what == "resolved" { Kind::Over { is_told: true } } else { Kind::News },
                };
                let looked = store.looked_for_news().await.unwrap();
                assert!(store.keep_news(looked, looked, &[new]).await.unwrap());
                let taken = store.take_notification("ops", "2100-01-01T00:00:00.000Z").await.unwrap();
                assert_eq!(taken.map(|found| found.body), expected.then_some(body), "step {place}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn only_the_process_that_looked_last_keeps_and_only_one_sends() {
        each(async |store| {
            let looked = store.looked_for_news().await.unwrap();
            let body = serde_json::json!({});
            let new = NewNotification {
                channel: "ops",
                what: "promotion",
                flow: "",
                period: None,
                subject: "1",
                body: &body,
                at: "2024-04-01T00:00:00.000Z",
                is_of_period: false,
                kind: Kind::News,
            };
            let later = Looked { transition: looked.transition + 5, change: looked.change + 1 };
            assert!(store.keep_news(looked, later, std::slice::from_ref(&new)).await.unwrap());
            assert!(!store.keep_news(looked, later, &[new]).await.unwrap(), "another process was faster");
            assert_eq!(store.looked_for_news().await.unwrap(), later);
            let past = "2024-01-01T00:00:00.000Z";
            let first = store.take_notification("ops", "2100-01-01T00:00:00.000Z").await.unwrap().unwrap();
            assert!(store.take_notification("ops", past).await.unwrap().is_none(), "it is taken");
            store.postpone_notification(first.id, past, "no answer").await.unwrap();
            let again = store.take_notification("ops", past).await.unwrap().unwrap();
            assert_eq!((again.id, again.tries), (first.id, 2));
            let given_up = store.give_up_notifications("2024-04-02T00:00:00.000Z").await.unwrap();
            assert_eq!(given_up, [("ops".into(), "promotion ".into(), "given up: no answer".into())]);
            assert!(store.take_notification("ops", past).await.unwrap().is_none());
        })
        .await;
    }
}
