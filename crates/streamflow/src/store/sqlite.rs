//! SQLite in a file of the data directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use sqlx::AnyPool;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _, Executor as _};

use super::steps::{self, Newer, refuse_newer};
use super::{BUSY, DATABASE, Kind, Store, away};

/// How often, and after which pause, what another process keeps from the database is tried again.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// When a commit is on the disk.
#[derive(Debug, Clone, Copy)]
enum Synchronous {
    /// When it returns.
    Full,
    /// Soon afterwards.
    Normal,
}

/// Opens the database of a data directory, creating both where they are missing, and brings it up to date.
pub(super) async fn open(data_dir: &Path) -> anyhow::Result<Store> {
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("cannot create the data directory {}", data_dir.display()))?;
    let path = data_dir.join(DATABASE);
    connect(data_dir, &path).await.map_err(|error| {
        let hint = if error.is::<Newer>() { "" } else { ": is the folder writable, the file intact?" };
        error.context(format!("cannot open the database {}{hint}", path.display()))
    })
}

async fn connect(data_dir: &Path, path: &PathBuf) -> anyhow::Result<Store> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(BUSY);
    // The first connection makes a new file a write-ahead log, which SQLite refuses at once, whatever the busy timeout,
    // while another process does the same.
    let mut first = until_free(|| options.connect(), is_busy).await?;
    migrate(&mut first).await?;
    first.close().await?;
    let address = address(data_dir, "rw")?;
    Ok(Store {
        kind: Kind::Sqlite,
        durable: pool(&address, Synchronous::Full, 1).await?,
        pool: pool(&address, Synchronous::Normal, 2).await?,
        fence: None,
        away: away::Answering::default(),
    })
}

async fn pool(
    address: &AnyConnectOptions,
    synchronous: Synchronous,
    connections: u32,
) -> sqlx::Result<AnyPool> {
    let synchronous = match synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    // What is deleted or changed is overwritten: somebody may have asked for that.
    let settings = format!(
        "PRAGMA busy_timeout = {}; PRAGMA foreign_keys = ON; PRAGMA synchronous = {synchronous}; \
         PRAGMA secure_delete = ON",
        BUSY.as_millis()
    );
    let pool = AnyPoolOptions::new().max_connections(connections).after_connect(move |connection, _| {
        let settings = sqlx::AssertSqlSafe(settings.clone());
        Box::pin(async move { connection.execute(sqlx::raw_sql(settings)).await.map(drop) })
    });
    pool.connect_with(address.clone()).await
}

/// The database of a data directory as a URL; `mode` says what may be done to it.
fn address(data_dir: &Path, mode: &str) -> anyhow::Result<AnyConnectOptions> {
    super::install_drivers();
    // A URL would take the parts .. and . out of a path by itself, whatever links lead where.
    let folder = data_dir.canonicalize().with_context(|| format!("cannot find {}", data_dir.display()))?;
    let path = folder.join(DATABASE);
    let path = path.to_str().context("its path is not UTF-8")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    let encoded: String = path
        .bytes()
        .map(|byte| match is_plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect();
    Ok(format!("sqlite://{encoded}?mode={mode}").parse()?)
}

/// One connection to the database of a data directory, which is neither made nor brought up to date.
pub(super) async fn look(data_dir: &Path) -> anyhow::Result<AnyConnection> {
    let mut connection = address(data_dir, "rw")?.connect().await?;
    let settings = format!("PRAGMA busy_timeout = {}", BUSY.as_millis());
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(settings))).await?;
    Ok(connection)
}

/// Tries again what another process keeps from the database, as `is_kept` tells by the error.
async fn until_free<T, E, F: Future<Output = Result<T, E>>>(
    attempt: impl Fn() -> F,
    is_kept: impl Fn(&E) -> bool,
) -> Result<T, E> {
    for _ in 1..TRIES {
        match attempt().await {
            Err(error) if is_kept(&error) => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
    attempt().await
}

/// Whether SQLite answered `SQLITE_BUSY` or one of its extended codes, whose low byte it is.
fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: u32 = 5;
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

/// Brings the database up to date. Another process may do the same at the same moment, and then one of both fails at a
/// step that the other has taken: it looks again.
async fn migrate(connection: &mut SqliteConnection) -> anyhow::Result<()> {
    let is_new = "SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'";
    if sqlx::query(is_new).fetch_optional(&mut *connection).await?.is_some() {
        let version = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
        refuse_newer(sqlx::query_scalar(version).fetch_one(&mut *connection).await?)?;
    }
    let is_taken =
        |error: &MigrateError| matches!(error, MigrateError::ExecuteMigration(..) | MigrateError::Execute(_));
    let migrator = steps::sqlite();
    for _ in 1..TRIES {
        match migrator.run(&mut *connection).await {
            Err(error) if is_taken(&error) => tokio::time::sleep(PAUSE).await,
            done => return Ok(done?),
        }
    }
    Ok(migrator.run(connection).await?)
}
