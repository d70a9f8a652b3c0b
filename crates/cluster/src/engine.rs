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
use datafusion::prelude::{SessionConfig, SessionContext};
use futures_util::TryStreamExt as _;
use streamflow_dataset::StoredTable;
use tokio::net::TcpStream;

use crate::canary;
use crate::error::Error;

const DEFAULT_PORT: u16 = 50_050;
/// How long the scheduler may take to accept a connection.
const CONNECT_S: u64 = 5;
/// How long the canary may take: executors that are being started have as long to register.
const CANARY_S: u64 = 60;
/// A request of the client waits so long for its answer. The answer to a query is a stream, which ends with the query.
const REQUEST_S: usize = 7 * 24 * 3600;

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
}

impl Engine {
    /// Connects, and holds the engine's counts of a small table against this machine's.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Idle`] and [`Error::Differs`].
    pub async fn start(target: &Target) -> Result<Self, Error> {
        let engine =
            Self { target: target.clone(), context: context(target).await?, tables: AtomicUsize::new(0) };
        match target {
            Target::DataFusion => canary::check(&engine).await?,
            Target::Ballista(address) => {
                tokio::time::timeout(Duration::from_secs(CANARY_S), canary::check(&engine))
                    .await
                    .unwrap_or_else(|_| Err(Error::Idle { address: address.clone(), seconds: CANARY_S }))?
            }
        }
        Ok(engine)
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
            let mut batches = self.context.sql(sql).await?.execute_stream().await?;
            while let Some(batch) = batches.try_next().await? {
                if !take(&batch)? {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        };
        match run.await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.failed(subject, &error).await),
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

/// Plans adapt to nothing at run time, which is Ballista's default: releases of it have dropped rows when they did.
async fn context(target: &Target) -> Result<SessionContext, Error> {
    let Target::Ballista(address) = target else { return Ok(SessionContext::new()) };
    let unreachable = |reason: String| Error::Unreachable { address: address.clone(), reason };
    reachable(address).await.map_err(unreachable)?;
    let config = SessionConfig::new_with_ballista()
        .with_ballista_adaptive_query_planner(false)
        .with_ballista_job_name("streamflow")
        .set_usize("ballista.client.grpc_timeout_seconds", REQUEST_S);
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
}
