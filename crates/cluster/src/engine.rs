//! Where queries run.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ballista::extension::SessionConfigExt as _;
use ballista::prelude::SessionContextExt as _;
use datafusion::arrow::array::RecordBatch;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures_util::TryStreamExt as _;
use streamflow_dataset::StoredTable;
use tokio::net::TcpStream;

use crate::canary;
use crate::error::Error;
use crate::jobs::Jobs;

const DEFAULT_PORT: u16 = 50_050;
/// How long the scheduler may take to accept a connection.
const CONNECT_S: u64 = 5;
/// How long the canary may take: executors that are being started have as long to register.
const CANARY: Duration = Duration::from_secs(60);
/// How long it may take to tell a scheduler that nobody waits for its answers.
const CANCEL: Duration = Duration::from_secs(5);

/// An engine by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// DataFusion in this process.
    DataFusion,
    /// The Ballista scheduler at this HOST:PORT.
    Ballista(String),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "datafusion" {
            return Ok(Self::DataFusion);
        }
        let no_engine = || Error::NoEngine { given: text.to_owned() };
        let authority = text.strip_prefix("ballista://").ok_or_else(no_engine)?;
        let url = url::Url::parse(&format!("http://{authority}")).map_err(|_| no_engine())?;
        let plain = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        let host = url.host_str().filter(|_| plain && url.password().is_none()).ok_or_else(no_engine)?;
        // The scheme's own port is not in the URL.
        let port = if authority.ends_with(":80") { 80 } else { url.port().unwrap_or(DEFAULT_PORT) };
        Ok(Self::Ballista(format!("{host}:{port}")))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataFusion => f.write_str("DataFusion"),
            Self::Ballista(address) => write!(f, "Ballista at {address}"),
        }
    }
}

/// An engine that answers queries.
pub struct Engine {
    pub(crate) target: Target,
    pub(crate) context: SessionContext,
    tables: AtomicUsize,
    /// How long each query may take.
    limit: Duration,
    jobs: Jobs,
}

impl Engine {
    /// Connects, and holds the engine's counts of a small table against this machine's. Each query may take as long as the
    /// `limit`.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Idle`] and [`Error::Differs`].
    pub async fn start(target: &Target, limit: Duration) -> Result<Self, Error> {
        let (context, tables) = (context(target).await?, AtomicUsize::new(0));
        let engine = Self { target: target.clone(), context, tables, limit, jobs: Jobs::default() };
        let checked = match target {
            Target::DataFusion => canary::check(&engine).await,
            Target::Ballista(address) => {
                let limit = CANARY.min(limit);
                let idle = || Error::Idle { address: address.clone(), seconds: limit.as_secs_f64() };
                let checked = tokio::time::timeout(limit, canary::check(&engine)).await;
                checked.unwrap_or_else(|_| Err(idle()))
            }
        };
        if let Err(error) = checked {
            engine.cancel().await;
            return Err(error);
        }
        Ok(engine)
    }

    /// Tells a cluster to end the queries that it works on. DataFusion has ended those that were dropped.
    pub(crate) async fn cancel(&self) {
        if let Target::Ballista(address) = &self.target {
            // Whoever does not listen is not waited for: an error has its own reason already.
            let _ = tokio::time::timeout(CANCEL, self.jobs.cancel(address)).await;
        }
    }

    /// Columns that are asked for at the same time: a cluster has executors that would wait, and in this process one query
    /// has all processors.
    pub(crate) fn at_once(&self) -> usize {
        match self.target {
            Target::DataFusion => 1,
            Target::Ballista(_) => 4,
        }
    }

    /// Makes the files of a table known under a name, which is returned.
    pub(crate) async fn register(&self, table: &StoredTable) -> Result<String, Error> {
        let name = format!("table_{}", self.tables.fetch_add(1, Ordering::Relaxed));
        let registered = self
            .listing(table)
            .await
            .and_then(|listing| self.context.register_table(name.as_str(), Arc::new(listing)).map(|_| ()));
        match registered {
            Ok(()) => Ok(name),
            Err(error) => Err(self.failed(&table.name, &error).await),
        }
    }

    /// Folders in Hive's layout are no columns here: they are not compared.
    async fn listing(&self, table: &StoredTable) -> DataFusionResult<ListingTable> {
        let urls = table.files.iter().map(|file| {
            let file = std::path::absolute(file)?;
            let url = url::Url::from_file_path(&file);
            let url = url.map_err(|()| DataFusionError::Execution(format!("no path: {}", file.display())))?;
            ListingTableUrl::try_new(url, None)
        });
        let urls = urls.collect::<DataFusionResult<Vec<_>>>()?;
        let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension("");
        let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options);
        ListingTable::try_new(config.infer_schema(&self.context.state()).await?)
    }

    /// The answer to a query; `None` when `take` has had enough of it. `subject` is for the error.
    pub(crate) async fn query(
        &self,
        sql: &str,
        subject: &str,
        mut take: impl FnMut(&RecordBatch) -> DataFusionResult<bool> + Send,
    ) -> Result<Option<()>, Error> {
        let run = async {
            let frame = self.context.sql(sql).await?;
            let task = Arc::new(frame.task_ctx());
            let plan = frame.create_physical_plan().await?;
            self.jobs.add(&plan);
            let mut batches = execute_stream(Arc::clone(&plan), task)?;
            let mut answer = Some(());
            while let Some(batch) = batches.try_next().await? {
                if !take(&batch)? {
                    answer = None;
                    break;
                }
            }
            self.jobs.remove(&plan);
            Ok(answer)
        };
        match tokio::time::timeout(self.limit, run).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failed(subject, &error).await),
            Err(_) => Err(Error::TimedOut {
                engine: self.target.to_string(),
                subject: subject.to_owned(),
                seconds: self.limit.as_secs_f64(),
            }),
        }
    }

    /// The error of a query that failed: its own, unless the scheduler has gone.
    pub(crate) async fn failed(&self, subject: &str, error: &DataFusionError) -> Error {
        let reason = error.strip_backtrace();
        if let Target::Ballista(address) = &self.target
            && reachable(address).await.is_err()
        {
            return Error::Gone { address: address.clone(), reason };
        }
        Error::Query { engine: self.target.to_string(), subject: subject.to_owned(), reason }
    }
}

/// Plans adapt to nothing at run time, which is Ballista's default: releases of it have dropped rows when they did. Footers
/// are not looked at for statistics: their least and greatest numbers leave out NaN, and DataFusion takes a column for
/// constant in which these are equal.
async fn context(target: &Target) -> Result<SessionContext, Error> {
    let Target::Ballista(address) = target else {
        return Ok(SessionContext::new_with_config(SessionConfig::new().with_collect_statistics(false)));
    };
    let unreachable = |reason: String| Error::Unreachable { address: address.clone(), reason };
    reachable(address).await.map_err(unreachable)?;
    let config = SessionConfig::new_with_ballista()
        .with_ballista_adaptive_query_planner(false)
        .with_collect_statistics(false)
        .with_ballista_job_name("streamflow")
        // A client that is told how a job goes learns the job's name too late to cancel it; one that asks knows it at once.
        .set_bool("ballista.client.pull", true);
    let state = SessionStateBuilder::new().with_default_features().with_config(config).build();
    let context = SessionContext::remote_with_state(&format!("df://{address}"), state).await;
    context.map_err(|error| unreachable(error.strip_backtrace()))
}

async fn reachable(address: &str) -> Result<(), String> {
    match tokio::time::timeout(Duration::from_secs(CONNECT_S), TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no connection within {CONNECT_S} s")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use datafusion::arrow::array::{ArrayRef, Int64Array};
    use datafusion::parquet::arrow::ArrowWriter;
    use streamflow_dataset::TableFile;

    use super::*;

    #[test]
    fn an_engine_is_named_by_its_word_or_its_address() {
        let ballista = |address: &str| Ok(Target::Ballista(address.to_owned()));
        for (text, expected) in [
            ("datafusion", Ok(Target::DataFusion)),
            ("ballista://10.0.0.7:50051", ballista("10.0.0.7:50051")),
            ("ballista://scheduler", ballista("scheduler:50050")),
            ("ballista://scheduler:80", ballista("scheduler:80")),
            ("ballista://[::1]:1", ballista("[::1]:1")),
            ("ballista://", Err(())),
            ("ballista://host/path", Err(())),
            ("ballista://user@host", Err(())),
            ("ballista://host:port", Err(())),
            ("spark", Err(())),
            ("", Err(())),
        ] {
            assert_eq!(text.parse::<Target>().map_err(|_| ()), expected, "{text}");
        }
        let error = "spark://h".parse::<Target>().unwrap_err().to_string();
        assert_eq!(
            error,
            "\"spark://h\" is no engine, expected datafusion or ballista://HOST:PORT such as ballista://127.0.0.1:50050"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_beyond_its_limit_ends_with_what_to_do() {
        let engine = Engine::start(&Target::DataFusion, Duration::from_secs(600)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.parquet");
        let hours = Arc::new(Int64Array::from_iter_values(0..500_000)) as ArrayRef;
        let batch = RecordBatch::try_from_iter([("hours", hours)]).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let name = engine.register(&TableFile::open(&path).unwrap().stored().unwrap()).await.unwrap();
        // The smallest limit is a tick of the clock, in which nobody groups half a million values.
        let engine = Engine { limit: Duration::ZERO, ..engine };
        let sql = format!("SELECT hours AS x, COUNT(*) AS n FROM {name} GROUP BY x");
        let error = engine.query(&sql, "column \"hours\" of usage", |_| Ok(true)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "DataFusion has not answered the query for column \"hours\" of usage within 0 s; look whether its executors \
             are running and repeat the command, or give it longer with --engine-timeout"
        );
        // The engine answers what it can answer in time.
        let engine = Engine { limit: Duration::from_secs(600), ..engine };
        assert_eq!(engine.query(&sql, "hours", |_| Ok(true)).await.unwrap(), Some(()));
    }
}
