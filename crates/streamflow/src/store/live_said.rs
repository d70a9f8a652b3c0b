//! What was said of live traffic: the last certificate of a version, and when drift began and ended.

use serde_json::Value;
use sqlx::Row as _;

use super::change::Change as _;
use super::{Store, json_of};

/// Days for which changes are kept.
const DAYS: i64 = 400;

/// A certificate, and the settings that it holds for.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCertificate {
    pub settings: Value,
    pub certificate: Value,
}

/// Drift that began or ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveChange {
    pub at: String,
    /// The version whose traffic it was.
    pub version: i64,
    pub text: String,
}

impl Store {
    /// Keeps a certificate in the place of the one before.
    pub async fn keep_live_certificate(
        &self,
        model: &str,
        version: i64,
        StoredCertificate { settings, certificate }: &StoredCertificate,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO live_certificates (model, version, settings, certificate) VALUES ($1, $2, $3, $4)
             ON CONFLICT (model, version) DO UPDATE SET settings = $3, certificate = $4",
        )
        .bind(model)
        .bind(version)
        .bind(settings.to_string())
        .bind(certificate.to_string())
        .change(self)
        .await?;
        Ok(())
    }

    /// The last certificate of a version.
    pub async fn live_certificate(
        &self,
        model: &str,
        version: i64,
    ) -> sqlx::Result<Option<StoredCertificate>> {
        let row = sqlx::query("SELECT * FROM live_certificates WHERE model = $1 AND version = $2")
            .bind(model)
            .bind(version)
            .fetch_optional(&self.pool)
            .await?;
        let read = |row| {
            Ok(StoredCertificate {
                settings: json_of(&row, "settings")?,
                certificate: json_of(&row, "certificate")?,
            })
        };
        row.map(read).transpose()
    }

    /// Keeps that drift began or ended, once however many processes see it, and deletes what is old.
    pub async fn add_live_change(&self, model: &str, change: &LiveChange) -> sqlx::Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO live_changes (model, version, at, text) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
            .bind(model)
            .bind(change.version)
            .bind(&change.at)
            .bind(&change.text)
            .execute(&mut *transaction)
            .await?;
        let oldest = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * DAYS);
        sqlx::query("DELETE FROM live_changes WHERE at < $1")
            .bind(format!("{oldest:.3}"))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// What began and ended from one time to another, the newest first.
    pub async fn live_changes_between(
        &self,
        from: &str,
        to: &str,
        limit: i64,
    ) -> sqlx::Result<Vec<LiveChange>> {
        let rows = sqlx::query(
            "SELECT at, version, text FROM live_changes WHERE at >= $1 AND at <= $2 ORDER BY at DESC, id DESC LIMIT $3",
        )
        .bind(from)
        .bind(to)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok(LiveChange {
                at: row.try_get("at")?,
                version: row.try_get("version")?,
                text: row.try_get("text")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{each, now};

    #[tokio::test]
    async fn the_last_certificate_counts_and_a_change_is_kept_once() {
        each(async |store| {
            assert_eq!(store.live_certificate("churn", 1).await.unwrap(), None);
            for alarms in [1, 0] {
                let kept = StoredCertificate {
                    settings: json!({ "a": 1 }),
                    certificate: json!({ "alarms": alarms }),
                };
                store.keep_live_certificate("churn", 1, &kept).await.unwrap();
                assert_eq!(store.live_certificate("churn", 1).await.unwrap(), Some(kept));
            }
            assert_eq!(store.live_certificate("churn", 2).await.unwrap(), None);
            let of =
                |at: &str, text: &str| LiveChange { at: at.to_owned(), version: 1, text: text.to_owned() };
            let (old, recent) = (of("2001-01-01T00:00:00.000Z", "began"), of(&now(), "ended"));
            store.add_live_change("churn", &recent).await.unwrap();
            store.add_live_change("churn", &recent).await.unwrap();
            store.add_live_change("churn", &old).await.unwrap();
            let found = store.live_changes_between("2000", "9999", 10).await.unwrap();
            assert_eq!(found, std::slice::from_ref(&recent));
            assert_eq!(store.live_changes_between("9998", "9999", 10).await.unwrap(), []);
        })
        .await;
    }
}
