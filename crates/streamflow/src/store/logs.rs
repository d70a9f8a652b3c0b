//! The lines that runs write.

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::{Store, now, text};

/// Bytes of a run's log that are kept: half from its head, half from its tail.
const LOG_BYTES_MAX: i64 = 10 << 20;
/// Longest line in bytes.
const LINE_BYTES_MAX: usize = 64 << 10;

/// One line of a run's log.
#[derive(Debug, Clone, Serialize)]
pub struct Log {
    /// Rises from line to line.
    pub id: i64,
    pub level: String,
    pub message: String,
    pub at: String,
}

impl FromRow<'_, AnyRow> for Log {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            level: row.try_get("level")?,
            message: row.try_get("message")?,
            at: row.try_get("at")?,
        })
    }
}

impl Store {
    /// Adds lines to a run's log. Past ten megabytes the lines in its middle make room, and a line says so.
    pub async fn log(&self, run: i64, level: &str, lines: &[&str]) -> sqlx::Result<()> {
        let mut transaction = self.write().await?;
        add_lines(&mut transaction, run, level, lines, &now()).await?;
        transaction.commit().await
    }

    /// The log of a run after the line `after`, in the order it was written.
    pub async fn logs(&self, run: i64, after: i64) -> sqlx::Result<Vec<Log>> {
        sqlx::query_as("SELECT id, level, message, at FROM logs WHERE run_id = $1 AND id > $2 ORDER BY id")
            .bind(run)
            .bind(after)
            .fetch_all(&self.pool)
            .await
    }
}

/// Adds lines to a run's log within a writer's transaction.
pub(super) async fn add_lines(
    transaction: &mut sqlx::Transaction<'_, sqlx::Any>,
    run: i64,
    level: &str,
    lines: &[&str],
    at: &str,
) -> sqlx::Result<()> {
    let mut bytes = 0;
    for line in lines {
        let line = text(&line[..line.floor_char_boundary(LINE_BYTES_MAX)]);
        bytes += line.len() as i64;
        sqlx::query("INSERT INTO logs (run_id, level, message, at) VALUES ($1, $2, $3, $4)")
            .bind(run)
            .bind(level)
            .bind(&*line)
            .bind(at)
            .execute(&mut **transaction)
            .await?;
    }
    let total: i64 =
        sqlx::query_scalar("UPDATE runs SET log_bytes = log_bytes + $1 WHERE id = $2 RETURNING log_bytes")
            .bind(bytes)
            .bind(run)
            .fetch_one(&mut **transaction)
            .await?;
    if total > LOG_BYTES_MAX {
        let (dropped, kept) = middle(transaction, run).await?;
        sqlx::query("UPDATE runs SET log_bytes = $1 WHERE id = $2")
            .bind(kept)
            .bind(run)
            .execute(&mut **transaction)
            .await?;
        tracing::warn!(run, dropped, "the log of a run is full: lines from its middle were dropped");
    }
    Ok(())
}

/// Drops lines between the first and the last quarter of the bound, and says so in the first of them. How many it were,
/// and the bytes that are left.
async fn middle(transaction: &mut sqlx::Transaction<'_, sqlx::Any>, run: i64) -> sqlx::Result<(i64, i64)> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("SELECT id, octet_length(message) FROM logs WHERE run_id = $1 ORDER BY id")
            .bind(run)
            .fetch_all(&mut **transaction)
            .await?;
    let total: i64 = rows.iter().map(|(_, bytes)| bytes).sum();
    let (mut before, mut kept, mut dropped) = (0, 0, Vec::new());
    for (id, bytes) in rows {
        let is_middle = before > LOG_BYTES_MAX / 2 && total - before > LOG_BYTES_MAX / 4;
        before += bytes;
        if is_middle { dropped.push(id) } else { kept += bytes }
    }
    let (Some(first), Some(last)) = (dropped.first(), dropped.last()) else { return Ok((0, kept)) };
    sqlx::query("DELETE FROM logs WHERE run_id = $1 AND id > $2 AND id <= $3")
        .bind(run)
        .bind(first)
        .bind(last)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("UPDATE logs SET level = 'warning', message = $1 WHERE id = $2")
        .bind("lines were dropped here: a log holds 10 MB, the first and the last of it")
        .bind(first)
        .execute(&mut **transaction)
        .await?;
    Ok((dropped.len() as i64, kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{each, new_run};

    #[tokio::test]
    async fn a_full_log_keeps_its_head_and_its_tail() {
        each(async |store| {
            let run = store.schedule_run(&new_run("f", &serde_json::json!({}))).await.unwrap().unwrap();
            let filling = "x".repeat(60_000);
            for part in 0..30 {
                let lines: Vec<String> =
                    (0..10).map(|line| format!("{} {filling}", part * 10 + line)).collect();
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                store.log(run, "info", &lines).await.unwrap();
            }
            let logs = store.logs(run, 0).await.unwrap();
            let first_word = |log: &Log| log.message.split(' ').next().unwrap_or_default().to_owned();
            assert_eq!((first_word(&logs[0]), first_word(logs.last().unwrap())), ("0".into(), "299".into()));
            assert_eq!(logs.iter().filter(|log| log.level == "warning").count(), 1);
            let bytes: usize = logs.iter().map(|log| log.message.len()).sum();
            assert!(bytes as i64 <= LOG_BYTES_MAX, "{bytes}");
            let after = store.logs(run, logs[1].id).await.unwrap();
            assert_eq!(after.len(), logs.len() - 2);
        })
        .await;
    }
}
