//! One statement that changes something. Where its writer might be one no longer, it is a transaction that looks first.

use sqlx::Any;
use sqlx::AnyPool;
use sqlx::any::{AnyArguments, AnyQueryResult};
use sqlx::query::Query;

use super::Store;

/// A statement of its own.
pub(super) trait Change {
    /// Makes a change that survives `kill -9`.
    async fn change(self, store: &Store) -> sqlx::Result<AnyQueryResult>;
    /// Makes a change that survives a power cut too.
    async fn change_durably(self, store: &Store) -> sqlx::Result<AnyQueryResult>;
}

impl Change for Query<'_, Any, AnyArguments> {
    async fn change(self, store: &Store) -> sqlx::Result<AnyQueryResult> {
        made(self, store, &store.pool).await
    }

    async fn change_durably(self, store: &Store) -> sqlx::Result<AnyQueryResult> {
        made(self, store, &store.durable).await
    }
}

async fn made(
    query: Query<'_, Any, AnyArguments>,
    store: &Store,
    pool: &AnyPool,
) -> sqlx::Result<AnyQueryResult> {
    if store.fence.is_none() {
        return query.execute(pool).await;
    }
    let mut transaction = store.begin_alone(pool).await?;
    let done = query.execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(done)
}
