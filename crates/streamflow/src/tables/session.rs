//! One connection to the database of the tables.

use std::future::poll_fn;
use std::pin::pin;
use std::str::FromStr as _;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use reqwest::Url;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use crate::config::{PostgresTables, encryption_fault};

/// How often it is looked whether the work is to stop, while the server is waited for.
const LOOK: Duration = Duration::from_millis(200);
/// What a sort may take at the server before it goes to its disk.
const WORK_MEM: &str = "64MB";

/// Has the server look, while it works, whether there is still somebody to answer: else it sorts on for whoever is gone, and
/// holds its locks. Servers before 14 do not know the setting, and it changes nothing there.
const NOTICE: &str =
    "SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'";

/// Tells whether the work is to stop.
pub type Stopped = Arc<dyn Fn() -> bool + Send + Sync>;

/// A connection, and how long the server may be silent.
pub(super) struct Session {
    pub(super) connection: PgConnection,
    pub(super) patience: Patience,
}

/// How long the server may be silent, and what ends the wait before.
#[derive(Clone)]
pub(super) struct Patience {
    limit: Duration,
    stopped: Stopped,
}

impl Patience {
    pub(super) fn of(settings: &PostgresTables, stopped: Stopped) -> Self {
        Self { limit: Duration::from_secs(settings.timeout_seconds.get().into()), stopped }
    }

    /// Waits for the server.
    ///
    /// # Errors
    /// Its own, in words; a silence that is too long; somebody who wants the work to stop.
    pub(super) async fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> anyhow::Result<T> {
        let mut work = pin!(work);
        // Most of what is waited for is there already.
        if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
            return done.map_err(said);
        }
        let begun = Instant::now();
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done.map_err(said),
                () = tokio::time::sleep(LOOK) => {}
            }
            self.go_on()?;
            if begun.elapsed() >= self.limit {
                bail!(
                    "the server has said nothing for {} seconds; is it well? dataset.source.postgres.timeout_seconds is how long it may be silent",
                    self.limit.as_secs()
                );
            }
        }
    }
}

impl Patience {
    /// Refuses to go on where somebody wants the work to stop.
    pub(super) fn go_on(&self) -> anyhow::Result<()> {
        if (self.stopped)() { bail!("it was cancelled") } else { Ok(()) }
    }
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// Without the password, whatever was wrong.
    pub(super) async fn open(settings: &PostgresTables, url: &Url, stopped: Stopped) -> anyhow::Result<Self> {
        let patience = Patience::of(settings, stopped);
        let opened = async {
            let options = PgConnectOptions::from_str(url.as_str())
                .map_err(|_| anyhow!("the URL has a parameter that is not understood; expected those of libpq, such as sslmode=verify-full"))?
                .application_name("streamflow")
                .disable_statement_logging();
            let connection = patience.wait(options.connect()).await?;
            let mut session = Self { connection, patience: patience.clone() };
            session.run(NOTICE.to_owned()).await?;
            anyhow::Ok(session)
        };
        opened.await.with_context(|| format!("cannot connect to {}", shown(url)))
    }

    /// Runs one statement; the rows that it changed.
    pub(super) async fn run(&mut self, sql: String) -> anyhow::Result<u64> {
        let done = self.connection.execute(AssertSqlSafe(sql));
        Ok(self.patience.wait(done).await?.rows_affected())
    }

    /// Begins a transaction that reads one moment of the database.
    pub(super) async fn begin_reading(&mut self) -> anyhow::Result<()> {
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY".to_owned()).await?;
        self.run(format!("SET LOCAL work_mem = '{WORK_MEM}'")).await?;
        Ok(())
    }

    /// Ends the transaction, and the connection.
    pub(super) async fn finish(mut self) -> anyhow::Result<()> {
        self.run("COMMIT".to_owned()).await?;
        let patience = self.patience.clone();
        patience.wait(self.connection.close()).await
    }
}

/// Database, host and port: without credentials and parameters.
pub(super) fn shown(url: &Url) -> String {
    let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("localhost");
    let database = url.path().trim_start_matches('/');
    format!("the database {database} at {host}:{}", url.port().unwrap_or(5432))
}

/// What the server said: what is wrong, where, and what to do.
fn said(error: sqlx::Error) -> anyhow::Error {
    let of_server = match &error {
        sqlx::Error::Database(error) => error.try_downcast_ref::<PgDatabaseError>(),
        _ => None,
    };
    let Some(told) = of_server else {
        if let Some(fault) = encryption_fault(&error) {
            return anyhow!(fault);
        }
        return match error {
            sqlx::Error::Io(source) => anyhow!(
                "the connection ended ({source}); does the server run? Nothing was changed: do it again once it does"
            ),
            other => anyhow!(other),
        };
    };
    let mut text = told.message().to_owned();
    // Of a COPY it names table, line, column and value.
    for more in [told.detail(), told.r#where()].into_iter().flatten() {
        text.push_str(&format!(" ({})", more.lines().next().unwrap_or_default()));
    }
    let remedy = match told.code() {
        "28P01" | "28000" | "3D000" => "are the user, the password and the database in its URL right?",
        "42P01" | "3F000" => {
            "is the name right? dataset.source.postgres.tables names the table, and .schema its schema"
        }
        "42501" => {
            "grant the user of the URL what it needs: SELECT to read, and CREATE, INSERT and DELETE to export"
        }
        "57P01" | "57P02" | "57P03" => "do it again once the server is there",
        "57014" => "the server ends statements that take long: raise its statement_timeout for this user",
        "55P03" | "40P01" => "somebody else holds the table: do it again later",
        "22001" => "make the column wide enough",
        "23502" => "give the column a default value, or let it be NULL",
        "22003" | "22P02" | "22008" => "give the column a type that holds the value",
        "22P05" | "22021" => "the database's encoding lacks a character: a database in UTF8 has all",
        _ => "",
    };
    match (told.hint(), remedy) {
        (Some(hint), "") => text.push_str(&format!("; {hint}")),
        (None, "") => {}
        (_, remedy) => text.push_str(&format!("; {remedy}")),
    }
    anyhow!(text)
}
