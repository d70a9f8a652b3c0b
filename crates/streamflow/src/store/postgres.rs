//! A schema of a Postgres server, which processes of several machines share.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::Url;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _};

use super::steps::{self, Newer, refuse_newer};
use super::{BUSY, Kind, Store, away};
use crate::config::{StoreConfig, encryption_fault};

/// How long a process may do nothing within a transaction: one that was stopped there keeps the other writers waiting,
/// and is to have lost its place before the others count it as silent.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(5);
/// SQLSTATE of a server that refuses the credentials, and of a database that is not there.
const REFUSED: [&str; 3] = ["28P01", "28000", "3D000"];

/// Opens the schema that the settings name, making it where it is missing, and brings it up to date.
pub(super) async fn open(settings: &StoreConfig) -> anyhow::Result<Store> {
    let url = settings.url()?;
    let shown = shown(&url, settings);
    let opened = async {
        let limit = Duration::from_secs(settings.timeout_seconds.get().into());
        let prepared = tokio::time::timeout(limit + BUSY, prepare(&url, settings));
        prepared.await.context("it did not answer in time")??;
        let pool = AnyPoolOptions::new()
            .max_connections(settings.connections.get())
            .acquire_timeout(limit)
            .connect_with(address(&url, settings)?)
            .await?;
        anyhow::Ok(Store {
            kind: Kind::Postgres,
            durable: pool.clone(),
            pool,
            fence: None,
            away: away::Answering::default(),
        })
    };
    opened.await.map_err(|error| {
        let hint = hint(&error);
        error.context(format!("cannot open the database {shown}{hint}"))
    })
}

/// One connection to the schema, which is neither made nor brought up to date.
pub(super) async fn look(settings: &StoreConfig) -> anyhow::Result<AnyConnection> {
    let url = settings.url()?;
    let limit = Duration::from_secs(settings.timeout_seconds.get().into());
    let connected = async { anyhow::Ok(address(&url, settings)?.connect().await?) };
    let connected = tokio::time::timeout(limit, connected).await.context("it did not answer in time");
    connected.flatten().map_err(|error| {
        let hint = hint(&error);
        error.context(format!("cannot open the database {}{hint}", shown(&url, settings)))
    })
}

/// What to do about it.
fn hint(error: &anyhow::Error) -> &'static str {
    if error.is::<Newer>() {
        return "";
    }
    let error = error.downcast_ref::<sqlx::Error>();
    if error.and_then(encryption_fault).is_some() {
        return ": does sslrootcert=FILE in its URL name the certificate of its issuer, and is the host of the URL in the server's certificate?";
    }
    let code = error.and_then(sqlx::Error::as_database_error);
    match code.and_then(sqlx::error::DatabaseError::code) {
        Some(code) if REFUSED.contains(&&*code) => {
            ": are the user, the password and the name of the database in its URL right?"
        }
        Some(code) if code == "42501" => ": grant its user CREATE on the database, or make the schema for it",
        _ => ": does the server run, and is the URL right?",
    }
}

/// Server and schema, without credentials.
fn shown(url: &Url, settings: &StoreConfig) -> String {
    let (host, port) = (url.host_str().unwrap_or("localhost"), url.port().unwrap_or(5432));
    format!("{} of {host}:{port}{}", settings.schema, url.path())
}

/// The schema as a URL with what holds for every connection.
fn address(url: &Url, settings: &StoreConfig) -> anyhow::Result<AnyConnectOptions> {
    super::install_drivers();
    let mut url = url.clone();
    url.query_pairs_mut()
        .append_pair("options[search_path]", &settings.schema)
        .append_pair("options[lock_timeout]", &BUSY.as_millis().to_string())
        .append_pair(
            "options[idle_in_transaction_session_timeout]",
            &IDLE_IN_TRANSACTION.as_millis().to_string(),
        )
        .append_pair("application_name", "streamflow");
    Ok(AnyConnectOptions::from_url(&url)?)
}

/// Makes the schema and brings it up to date, one process at a time.
async fn prepare(url: &Url, settings: &StoreConfig) -> anyhow::Result<()> {
    let options = PgConnectOptions::from_url(url)?
        .application_name("streamflow")
        .options([("search_path", settings.schema.as_str())]);
    let mut connection = options.connect().await?;
    sqlx::query("SELECT pg_advisory_lock(hashtextextended('streamflow schema ' || $1, 0))")
        .bind(&settings.schema)
        .execute(&mut connection)
        .await?;
    let prepared = up_to_date(&mut connection, &settings.schema).await;
    // The lock goes with the connection.
    connection.close().await?;
    prepared
}

async fn up_to_date(connection: &mut PgConnection, schema: &str) -> anyhow::Result<()> {
    let there: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_namespace WHERE nspname = $1")
        .bind(schema)
        .fetch_optional(&mut *connection)
        .await?;
    if there.is_none() {
        // Its letters were checked with the configuration.
        let create = format!("CREATE SCHEMA \"{schema}\"");
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut *connection).await?;
    }
    let known: Option<String> = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations')::text")
        .fetch_one(&mut *connection)
        .await?;
    if known.is_some() {
        let version = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
        refuse_newer(sqlx::query_scalar(version).fetch_one(&mut *connection).await?)?;
    }
    // The lock of the migrator is of the whole database: schemas of one need not wait for each other.
    Ok(steps::postgres().set_locking(false).run(connection).await?)
}
