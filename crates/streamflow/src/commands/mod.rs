//! One file per subcommand: its arguments and what it does.

pub mod api_key;
pub mod audit;
pub mod backup;
pub mod check;
pub mod dashboards;
pub mod data;
pub mod demo;
pub mod doctor;
pub mod drift;
pub mod evaluate;
pub mod feast;
pub mod features;
pub mod flows;
pub mod forget;
pub mod hash_password;
pub mod ingest;
pub mod init;
pub mod live;
pub mod migrate;
pub mod models;
pub mod monitor;
pub mod notify;
pub mod performance;
pub mod ping;
pub mod predict;
pub mod prefect;
pub mod profile;
pub mod promql;
pub mod query;
pub mod replay;
pub mod restore;
pub mod sample;
pub mod serve;
pub mod train;
pub mod tsdb;
pub mod up;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use jiff::civil::Date;
use reqwest::Url;
use streamflow_compare::{Engine, EngineFailed, Progress};
use streamflow_dataset::{CsvOptions, LabelTask, NamedTable, Period};
use streamflow_drift::Share;

use crate::config::{Config, Place, StorageConfig};
use crate::drift::engine;
use crate::registry::Registry;
use crate::storage::{Inputs, Pulled, Storage};
use crate::store::Store;
use crate::terminal::{Terminal, one_line, stderr};
use crate::workspace::{Workspace, snapshots};

/// What the label of an example is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TaskWord {
    Binary,
    Multiclass,
    Regression,
}

impl From<TaskWord> for LabelTask {
    fn from(word: TaskWord) -> Self {
        match word {
            TaskWord::Binary => Self::Binary,
            TaskWord::Multiclass => Self::Multiclass,
            TaskWord::Regression => Self::Regression,
        }
    }
}

/// What every command is given: the options that stand before its name.
pub struct Context {
    pub config_file: Option<PathBuf>,
    pub data_dir: Option<PathBuf>,
    pub terminal: Terminal,
}

impl Context {
    fn config(&self) -> anyhow::Result<Config> {
        Config::load(self.config_file.as_deref())
    }

    /// The configuration, where there is one.
    fn config_if_any(&self) -> anyhow::Result<Option<Config>> {
        Config::load_if_any(self.config_file.as_deref())
    }

    /// The data directory of the flag, else of the configuration.
    fn data_dir(&self, config: &Config) -> PathBuf {
        config.data_dir(self.data_dir.as_deref())
    }

    /// The same where there may be no configuration: then of the current folder.
    fn data_dir_of(&self, config: Option<&Config>) -> PathBuf {
        match (config, &self.data_dir) {
            (Some(config), flag) => config.data_dir(flag.as_deref()),
            (None, Some(flag)) => Place::parse(flag, &StorageConfig::default())
                .map_or_else(|_| flag.clone(), |place| place.folder),
            (None, None) => "data".into(),
        }
    }

    /// The data directory with the months that a bucket has by now, where it lies in one.
    fn data_dir_now(&self, config: &Config) -> anyhow::Result<PathBuf> {
        let place = config.place(self.data_dir.as_deref());
        let Some(storage) = Storage::open(&place, &config.storage)? else { return Ok(place.folder) };
        let snapshots = Arc::new(snapshots(&place.folder, config.dataset.clone())?);
        block_on(storage.pull_months(&snapshots, &mut Pulled::default()))?;
        Ok(place.folder)
    }

    /// The registry with the versions that a bucket has by now, where the data directory lies in one.
    async fn registry(&self, config: &Config) -> anyhow::Result<Registry> {
        let place = config.place(self.data_dir.as_deref());
        let storage = Storage::open(&place, &config.storage)?;
        let store = Store::of(&config.store, &place.folder).await?;
        let registry = Registry::new(store, &place.folder).in_bucket(storage);
        registry.pull(&mut Pulled::default()).await?;
        Ok(registry)
    }

    /// Refuses a data directory that was named and is not there, for commands that only read: what was mistyped is made
    /// by none of them.
    fn check_data_dir(&self, data_dir: &Path) -> anyhow::Result<()> {
        if self.data_dir.is_some() && !data_dir.is_dir() {
            bail!(
                "there is no data directory {}; is --data-dir (or STREAMFLOW_DATA_DIR) right?",
                data_dir.display()
            );
        }
        Ok(())
    }

    /// Opens the workspace of `config`; `report_dir` is the flag's report folder.
    async fn workspace(&self, config: Config, report_dir: Option<&Path>) -> anyhow::Result<Workspace> {
        let workspace = self.workspace_as_is(config, report_dir).await?;
        workspace.pull().await?;
        Ok(workspace)
    }

    /// The same without asking a bucket for what is new there: for a server, which serves what it has until it answers, and
    /// for what puts things there.
    async fn workspace_as_is(&self, config: Config, report_dir: Option<&Path>) -> anyhow::Result<Workspace> {
        let (place, report_dir) = (config.place(self.data_dir.as_deref()), config.report_dir(report_dir));
        check_folder(&report_dir)?;
        Workspace::open_at(Arc::new(config), place, report_dir).await
    }

    /// Finds the tables that a command is told to read.
    fn inputs(&self) -> anyhow::Result<Inputs<'_>> {
        let config = self.config_if_any()?.map(|config| config.storage).unwrap_or_default();
        Ok(Inputs { config, terminal: &self.terminal })
    }

    /// Finds a table, fetching it where it lies in a bucket.
    fn input(&self, name: &Path) -> anyhow::Result<NamedTable> {
        block_on(self.inputs()?.find(name))
    }

    /// Shows how far the reading of tables is.
    fn reading(&self, what: &str) -> ReadingBar {
        ReadingBar(self.terminal.progress(0, what))
    }
}

/// A bar over the bytes of tables.
#[derive(Debug)]
struct ReadingBar(ProgressBar);

impl Progress for ReadingBar {
    fn expect(&self, bytes: u64) {
        self.0.inc_length(bytes);
    }

    fn done(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for ReadingBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Whether an engine failed, rather than the tables or what was asked.
fn is_of_engine(error: &anyhow::Error) -> bool {
    error.is::<EngineFailed>() || matches!(error.downcast_ref(), Some(streamflow_compare::Error::Engine(_)))
}

/// A name of the registry and perhaps a version, as `NAME` or `NAME:VERSION`.
fn named_version(text: &str) -> anyhow::Result<(String, Option<i64>)> {
    let Some((name, number)) = text.rsplit_once(':') else { return Ok((text.to_owned(), None)) };
    let number = number.parse().ok().with_context(|| {
        format!("{text:?} is no version; expected NAME or NAME:VERSION, see `streamflow models ls`")
    })?;
    Ok((name.to_owned(), Some(number)))
}

/// A command line that contradicts itself in a way that its parser does not see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(String);

impl Usage {
    fn error(message: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self(message.into()))
    }
}

/// Who counts the values of tables.
#[derive(Debug, clap::Args)]
pub struct EngineArgs {
    /// Who counts the values of Parquet tables: ballista://HOST:PORT (a Ballista cluster that finds the files under the
    /// same path) or datafusion (DataFusion in this process) [default: this process, exactly]
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
    /// How long the engine may take for each of its queries, of which a column has one or two: up to 604800, a week
    #[arg(long, value_name = "SECONDS", requires = "engine", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    engine_timeout: u64,
    /// Count in this process where the engine does not answer, and say so
    #[arg(long, requires = "engine")]
    engine_fallback: bool,
}

impl EngineArgs {
    /// Does the work with the engine that was named, and again without one where it fails and that is asked for.
    fn with<T>(&self, work: impl Fn(Option<&dyn Engine>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let Some(name) = &self.engine else { return work(None) };
        let limit = Duration::from_secs(self.engine_timeout);
        let done = engine::start(name, limit).and_then(|engine| work(Some(&*engine)));
        match done {
            Err(error) if self.engine_fallback && is_of_engine(&error) => {
                stderr(&format!("counting on this machine: {}", one_line(&error)));
                work(None)
            }
            done => done,
        }
    }
}

/// How CSV files are written, where they do not say so themselves.
#[derive(Debug, clap::Args)]
pub struct CsvArgs {
    /// What separates the fields of CSV files, such as ';' or the word tab [default: as the header says]
    #[arg(long, value_name = "CHARACTER")]
    separator: Option<String>,
    /// The encoding of CSV files, such as latin1 [default: UTF-8, or what a byte order mark says]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
}

impl CsvArgs {
    fn options(&self) -> anyhow::Result<CsvOptions> {
        self.options_with(None, None)
    }

    /// The options for files that may be written otherwise.
    fn options_with(&self, separator: Option<&str>, encoding: Option<&str>) -> anyhow::Result<CsvOptions> {
        let separator = separator.or(self.separator.as_deref());
        CsvOptions::parse(separator, encoding.or(self.encoding.as_deref())).map_err(Usage::error)
    }
}

/// Refuses outputs that would overwrite an input or each other, become a part of an input that is a folder, or cannot be
/// written: before anything is computed. `-` is standard output.
fn check_outputs(outputs: &[&Path], inputs: &[&Path]) -> anyhow::Result<()> {
    let resolve = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        path.canonicalize().or_else(|_| {
            let name = path.file_name().unwrap_or_default();
            folder.canonicalize().map(|folder| folder.join(name))
        })
    };
    let mut taken: Vec<(PathBuf, &Path)> =
        inputs.iter().filter_map(|input| Some((resolve(input).ok()?, *input))).collect();
    for &output in outputs.iter().filter(|output| **output != Path::new("-")) {
        check_parent(output)?;
        let resolved = resolve(output).with_context(|| format!("cannot write {}", output.display()))?;
        if let Some((_, other)) = taken.iter().find(|(path, _)| *path == resolved) {
            let (output, other) = (output.display(), other.display());
            return Err(Usage::error(format!("{output} would be written over {other}; name another file")));
        }
        if let Some((folder, _)) = taken.iter().find(|(path, _)| path.is_dir() && resolved.starts_with(path))
        {
            let (output, folder) = (output.display(), folder.display());
            return Err(Usage::error(format!(
                "{output} would become a part of the table in {folder}; name a file elsewhere"
            )));
        }
        if output.is_dir() {
            bail!("{} is a folder; name a file in it", output.display());
        }
        taken.push((resolved, output));
    }
    Ok(())
}

/// Refuses a folder to write to that is a file, or that lies where there is no folder.
fn check_output_folder(folder: &Path) -> anyhow::Result<()> {
    check_folder(folder)?;
    check_parent(folder)
}

/// Refuses a file where a folder is expected.
fn check_folder(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() && !folder.is_dir() {
        bail!("{} is a file; name a folder", folder.display());
    }
    Ok(())
}

/// Refuses a path in a folder that is not there: a typing error makes no folders.
fn check_parent(path: &Path) -> anyhow::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    if !folder.is_dir() {
        bail!(
            "cannot write {}: there is no folder {}; make it first, or name another place",
            path.display(),
            folder.display()
        );
    }
    Ok(())
}

/// Parses the date or the time of a snapshot on the command line.
fn date(text: &str) -> Result<Period, String> {
    let is_date = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.parse().map_err(|_| match text.len() == 10 && text.bytes().enumerate().all(is_date) {
        true => format!("there is no day {text} in the calendar"),
        false => {
            "expected YYYY-MM-DD, such as 2024-01-31, or a time in UTC such as 2024-01-31T13:00".to_owned()
        }
    })
}

/// Parses a day of the command line.
fn day(text: &str) -> Result<Date, String> {
    date(text)?.day().ok_or_else(|| "expected a day without a time, such as 2024-01-31".to_owned())
}

/// Parses a share of the command line.
fn share(text: &str) -> Result<Share, String> {
    let share = text.parse().ok().and_then(|value| Share::new("share", value).ok());
    share.ok_or_else(|| "expected a share from 0 to 1, such as 0.30".to_owned())
}

/// Parses the URL of a server.
fn server_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| format!("expected a URL with http:// or https://, such as http://{}", host_of(text)))
}

/// What was probably meant: `localhost:9090` of a URL that lacks its scheme.
fn host_of(text: &str) -> &str {
    let is_host = |text: &str| Url::parse(&format!("http://{text}")).is_ok_and(|url| url.path() == "/");
    if is_host(text) { text } else { "127.0.0.1:9090" }
}

/// Runs a command that talks to the database or the network and then ends.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

/// Who gives a command: the user of this process as the system knows them, whatever the environment says.
fn actor() -> String {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(process) = std::fs::metadata("/proc/self") else {
        return std::env::var("USER").unwrap_or_else(|_| "command line".to_owned());
    };
    let uid = process.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1) == Some(&uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("user {uid}"))
}
