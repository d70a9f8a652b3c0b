//! Who is logged in to the console. Every server of the database knows them, also after it was started again.

use sqlx::{FromRow, Row as _};

use super::Store;
use super::change::Change as _;

/// A login as it is kept: its cookie only as a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    pub user: String,
    pub token: String,
    /// A digest that goes with the user's password.
    pub proof: String,
    /// Seconds since 1970.
    pub began_s: i64,
    pub used_s: i64,
}

impl FromRow<'_, sqlx::any::AnyRow> for StoredSession {
    fn from_row(row: &sqlx::any::AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            user: row.try_get("user_name")?,
            token: row.try_get("token")?,
            proof: row.try_get("proof")?,
            began_s: row.try_get("began_s")?,
            used_s: row.try_get("used_s")?,
        })
    }
}

impl Store {
    /// Keeps a login. Those that began or were used before are over, and go; of the others the `most` that were used
    /// last stay.
    pub async fn add_session(
        &self,
        id: &str,
        session: &StoredSession,
        (began_after, used_after): (i64, i64),
        most: i64,
    ) -> sqlx::Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM sessions WHERE began_s <= $1 OR used_s <= $2")
            .bind(began_after)
            .bind(used_after)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "DELETE FROM sessions WHERE id NOT IN (SELECT id FROM sessions ORDER BY used_s DESC, id LIMIT $1)",
        )
        .bind(most - 1)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO sessions (id, user_name, token, proof, began_s, used_s) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id)
        .bind(&session.user)
        .bind(&session.token)
        .bind(&session.proof)
        .bind(session.began_s)
        .bind(session.used_s)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// The login of a cookie's digest.
    pub async fn session(&self, id: &str) -> sqlx::Result<Option<StoredSession>> {
        sqlx::query_as("SELECT user_name, token, proof, began_s, used_s FROM sessions WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
    }

    /// Records that a login was used, on whichever server.
    pub async fn use_session(&self, id: &str, used_s: i64) -> sqlx::Result<()> {
        sqlx::query("UPDATE sessions SET used_s = $1 WHERE id = $2 AND used_s < $1")
            .bind(used_s)
            .bind(id)
            .change(self)
            .await
            .map(drop)
    }

    /// Ends a login on all servers.
    pub async fn end_session(&self, id: &str) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id).change(self).await.map(drop)
    }

    /// Ends all logins: of a data directory that was made of a backup, none goes on.
    pub async fn end_sessions(&self) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM sessions").change(self).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::each;

    #[tokio::test]
    async fn logins_are_kept_up_to_a_bound_and_end() {
        each(async |store| {
            let of = |user: &str, used_s| StoredSession {
                user: user.to_owned(),
                token: "t".to_owned(),
                proof: "p".to_owned(),
                began_s: 100,
                used_s,
            };
            for (id, used_s) in [("a", 100), ("b", 300), ("c", 200)] {
                store.add_session(id, &of(id, used_s), (0, 0), 2).await.unwrap();
            }
            assert_eq!(store.session("a").await.unwrap(), None, "the one idle longest went");
            assert_eq!(store.session("b").await.unwrap(), Some(of("b", 300)));
            store.use_session("b", 250).await.unwrap();
            store.use_session("c", 400).await.unwrap();
            assert_eq!(store.session("b").await.unwrap().unwrap().used_s, 300, "time goes one way");
            store.add_session("d", &of("d", 500), (0, 300), 9).await.unwrap();
            assert_eq!(store.session("b").await.unwrap(), None, "it was idle for too long");
            store.end_session("c").await.unwrap();
            assert_eq!(store.session("c").await.unwrap(), None);
            store.end_sessions().await.unwrap();
            assert_eq!(store.session("d").await.unwrap(), None);
        })
        .await;
    }
}
