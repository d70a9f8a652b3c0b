//! Feast's online store in a Postgres, read without its feature server.
//!
//! The table `PROJECT_VIEW` has a row for each feature of each entity, by [`feast_bytes::entity_key`] and the feature's name, with
//! the value as a message and the time at which it was true.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Url;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, Row as _};
use streamflow_dataset::EntityKey;
use streamflow_outbound::Secret;
use tokio::sync::OnceCell;

use super::Name;
use super::feast_bytes as bytes;
use super::found::{Failure, Found, Known, Value};
use super::references::{View, names, views};
use crate::config::encryption_fault;

/// Connections at most: one answers thousands of look-ups a second.
const CONNECTIONS: u32 = 8;

/// Feast's tables in a Postgres.
pub struct FeastPostgres {
    options: PgConnectOptions,
    password: Option<Secret>,
    timeout: Duration,
    shown: String,
    key: EntityKey,
    views: Vec<View>,
    names: Vec<Arc<str>>,
    /// Gives the rows of all views: the place of the view, the entity, the feature, its value and its time.
    sql: String,
    pool: OnceCell<PgPool>,
}

/// How its tables are found.
pub struct Tables<'a> {
    pub project: &'a str,
    pub references: &'a [String],
    /// Authorities that are trusted beside those of the machine.
    pub ca_file: Option<std::path::PathBuf>,
}

impl FeastPostgres {
    /// # Errors
    /// An address with a part that Postgres does not know.
    pub fn new(
        url: &Url,
        tables: Tables<'_>,
        key: &EntityKey,
        (password, timeout): (Option<Secret>, Duration),
    ) -> anyhow::Result<Self> {
        let shown = streamflow_outbound::shown_address(url.as_str()).unwrap_or_default();
        let mut options = PgConnectOptions::from_str(url.as_str()).with_context(|| {
            format!("features.store is {shown:?}, which is no address of a Postgres database")
        })?;
        if let Some(file) = tables.ca_file {
            options = options.ssl_root_cert(file);
            // Without a word about it a certificate would be looked at by nobody.
            if !matches!(options.get_ssl_mode(), PgSslMode::VerifyCa) {
                options = options.ssl_mode(PgSslMode::VerifyFull);
            }
        }
        let views = views(tables.references);
        let sql = sql(tables.project, &views);
        let (names, pool) = (names(tables.references), OnceCell::new());
        Ok(Self { options, password, timeout, shown, key: key.clone(), views, names, sql, pool })
    }

    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// What is known of each entity, in their order.
    pub async fn ask(&self, names: &[Name]) -> Result<Vec<Arc<Found>>, Failure> {
        let keys: Vec<Vec<u8>> = names.iter().map(|name| bytes::entity_key(&self.key, name)).collect();
        match tokio::time::timeout(self.timeout, self.fetch(&keys)).await {
            Ok(Ok(rows)) => self.read(&keys, &rows),
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_) => {
                let ms = self.timeout.as_millis().try_into().unwrap_or(u64::MAX);
                Err(Failure::Timeout { url: self.shown.clone(), ms })
            }
        }
    }

    /// The rows of these keys. A connection that the server has ended meanwhile is seen when it is asked: then another one
    /// is, until all are of the server as it is.
    async fn fetch(&self, keys: &[Vec<u8>]) -> sqlx::Result<Vec<PgRow>> {
        let pool = self.pool.get_or_try_init(|| self.connect()).await?;
        let mut left = CONNECTIONS;
        loop {
            let mut query = sqlx::query(AssertSqlSafe(self.sql.as_str())).bind(keys);
            for view in &self.views {
                query =
                    query.bind(view.features.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>());
            }
            match query.fetch_all(pool).await {
                Err(error) if left > 0 && has_ended(&error) => left -= 1,
                answered => return answered,
            }
        }
    }

    /// A pool with the password as it is now; a file is read once, as connections are made later too.
    async fn connect(&self) -> sqlx::Result<PgPool> {
        let mut options = self.options.clone();
        if let Some(password) = &self.password {
            let password = password.read().await.map_err(|error| sqlx::Error::Configuration(error.into()))?;
            options = options.password(&password);
        }
        // Whoever asks measures the time; what waits for a connection in vain gives up a little later. To test a connection
        // before it is used would take as long as the question.
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(self.timeout * 2)
            .test_before_acquire(false);
        Ok(pool.connect_lazy_with(options))
    }

    fn read(&self, keys: &[Vec<u8>], rows: &[PgRow]) -> Result<Vec<Arc<Found>>, Failure> {
        let nothing: Vec<(Arc<str>, Value)> =
            self.names.iter().map(|name| (name.clone(), Value::Missing)).collect();
        let found = |_: &Vec<u8>| Found { known: Known::Nothing, values: nothing.clone(), newest_ms: None };
        let mut found: Vec<Found> = keys.iter().map(found).collect();
        let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
        keys.iter().enumerate().for_each(|(place, key)| places.entry(key).or_default().push(place));
        for row in rows {
            let (key, feature, value) = self.value(row)?;
            let at_ms = row.try_get::<Option<i64>, _>("at_ms").map_err(|error| self.failure(&error))?;
            for place in places.get(key.as_slice()).into_iter().flatten() {
                let found = &mut found[*place];
                found.known = Known::Something;
                found.newest_ms = found.newest_ms.max(at_ms);
                found.values[feature].1 = value.clone();
            }
        }
        Ok(found.into_iter().map(Arc::new).collect())
    }

    /// The entity of a row, the place of its feature, and its value.
    fn value(&self, row: &PgRow) -> Result<(Vec<u8>, usize, Value), Failure> {
        let failed = |error| self.failure(&error);
        let view: i32 = row.try_get("view").map_err(failed)?;
        let (key, name): (Vec<u8>, String) =
            (row.try_get("entity_key").map_err(failed)?, row.try_get("feature_name").map_err(failed)?);
        let stored: Option<Vec<u8>> = row.try_get("value").map_err(failed)?;
        let view = usize::try_from(view).ok().and_then(|view| self.views.get(view));
        let place = view.and_then(|view| view.features.iter().find(|(known, _)| **known == *name));
        let Some((_, place)) = place else {
            return Err(self.unreadable(format!("expected a feature that was asked for, got {name:?}")));
        };
        let value = bytes::value(&stored.unwrap_or_default());
        let value = value.map_err(|expected| self.unreadable(format!("{name}: expected {expected}")))?;
        Ok((key, *place, value))
    }

    fn failure(&self, error: &sqlx::Error) -> Failure {
        let url = self.shown.clone();
        match error {
            sqlx::Error::Database(said) => Failure::Said {
                url,
                said: match said.code().as_deref() {
                    Some("42P01") => {
                        format!("{said}; do features.project and features.references name it as Feast does?")
                    }
                    _ => said.to_string(),
                },
            },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::Decode(_) => {
                self.unreadable(error.to_string())
            }
            other => {
                let reason = encryption_fault(other).unwrap_or_else(|| other.to_string());
                Failure::Unreachable { url, reason }
            }
        }
    }

    fn unreadable(&self, reason: String) -> Failure {
        Failure::Answer { url: self.shown.clone(), reason }
    }
}

/// Whether the connection is there no more: it broke, or the server says that it ends it.
fn has_ended(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(said) => matches!(said.code().as_deref(), Some("57P01" | "57P02")),
        _ => false,
    }
}

/// One question for all views: a round trip, however many there are.
fn sql(project: &str, views: &[View]) -> String {
    let of_view = |(place, view): (usize, &View)| {
        // A name stands between quotes, and one in it is doubled.
        let table = format!("{project}_{}", view.name).replace('"', "\"\"");
        let names = place + 2;
        format!(
            "SELECT {place}::int4 AS view, entity_key, feature_name, value, \
             (extract(epoch FROM event_ts) * 1000)::int8 AS at_ms \
             FROM \"{table}\" WHERE entity_key = ANY($1) AND feature_name = ANY(${names})"
        )
    };
    views.iter().enumerate().map(of_view).collect::<Vec<_>>().join(" UNION ALL ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        let views = views(&["v\"; DROP TABLE x; --:a".to_owned(), "w:b".to_owned()]);
        let sql = sql("p", &views);
        assert!(sql.contains("FROM \"p_v\"\"; DROP TABLE x; --\" WHERE"), "{sql}");
        assert!(sql.contains("FROM \"p_w\" WHERE entity_key = ANY($1) AND feature_name = ANY($3)"), "{sql}");
    }
}
