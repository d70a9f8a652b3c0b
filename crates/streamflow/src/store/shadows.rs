//! The version of each model that answers beside the one in production and is not heard.

use super::{Store, now};

impl Store {
    /// The version that is a model's shadow.
    pub async fn shadow(&self, model: &str) -> sqlx::Result<Option<i64>> {
        let query = sqlx::query_scalar("SELECT version FROM shadows WHERE model = ?").bind(model);
        query.fetch_optional(&self.pool).await
    }

    /// Makes a version the shadow of its model, in the place of another; none ends it.
    pub async fn set_shadow(&self, model: &str, version: Option<i64>, actor: &str) -> sqlx::Result<()> {
        let Some(version) = version else {
            let query = sqlx::query("DELETE FROM shadows WHERE model = ?").bind(model);
            return query.execute(&self.durable).await.map(|_| ());
        };
        sqlx::query("INSERT OR REPLACE INTO shadows (model, version, at, actor) VALUES (?, ?, ?, ?)")
            .bind(model)
            .bind(version)
            .bind(now())
            .bind(actor)
            .execute(&self.durable)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::store::temporary;

    #[tokio::test]
    async fn one_version_is_the_shadow_until_it_ends() {
        let (_dir, store) = temporary().await;
        assert_eq!(store.shadow("churn").await.unwrap(), None);
        for version in [2, 3] {
            store.set_shadow("churn", Some(version), "ana").await.unwrap();
            assert_eq!(store.shadow("churn").await.unwrap(), Some(version));
        }
        assert_eq!(store.shadow("other").await.unwrap(), None);
        store.set_shadow("churn", None, "ana").await.unwrap();
        assert_eq!(store.shadow("churn").await.unwrap(), None);
    }
}
