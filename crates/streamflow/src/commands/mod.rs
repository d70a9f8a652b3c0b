//! One file per subcommand: its arguments and what it does.

pub mod check;
pub mod dashboards;
pub mod data;
pub mod demo;
pub mod drift;
pub mod evaluate;
pub mod flows;
pub mod hash_password;
pub mod ingest;
pub mod init;
pub mod models;
pub mod monitor;
pub mod notify;
pub mod prefect;
pub mod profile;
pub mod promql;
pub mod query;
pub mod sample;
pub mod serve;
pub mod train;
pub mod tsdb;
pub mod up;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use streamflow_dataset::{CsvOptions, Period};
use streamflow_drift::Share;

use crate::config::Config;
use crate::terminal::Terminal;
use crate::workspace::Workspace;

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

    /// Opens the workspace of `config`; `report_dir` is the flag's report folder.
    async fn workspace(&self, config: Config, report_dir: Option<&Path>) -> anyhow::Result<Workspace> {
        let (data_dir, report_dir) = (self.data_dir(&config), config.report_dir(report_dir));
        Workspace::open(Arc::new(config), data_dir, report_dir).await
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
        CsvOptions::parse(self.separator.as_deref(), self.encoding.as_deref()).map_err(anyhow::Error::msg)
    }
}

/// Refuses outputs that would overwrite an input or each other, or become a part of an input that is a folder. `-` is
/// standard output.
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
        // A folder that is not there yet holds nothing that could be lost.
        let Ok(resolved) = resolve(output) else { continue };
        if let Some((_, other)) = taken.iter().find(|(path, _)| *path == resolved) {
            bail!("{} would be written over {}; name another file", output.display(), other.display());
        }
        if let Some((folder, _)) = taken.iter().find(|(path, _)| path.is_dir() && resolved.starts_with(path))
        {
            bail!(
                "{} would become a part of the table in {}; name a file elsewhere",
                output.display(),
                folder.display()
            );
        }
        taken.push((resolved, output));
    }
    Ok(())
}

/// Reads a date of the command line.
fn date(flag: &str, text: &str) -> anyhow::Result<Period> {
    text.parse()
        .ok()
        .with_context(|| format!("{flag} {text:?} is not a date; expected YYYY-MM-DD, such as 2024-01-31"))
}

fn share(flag: &str, value: f64) -> anyhow::Result<Share> {
    Share::new(flag, value)
        .ok()
        .with_context(|| format!("{flag} {value} is not a share; expected 0 to 1, such as 0.30"))
}

/// Runs a command that talks to the database or the network and then ends.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

/// Who gives a command.
fn actor() -> String {
    std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "command line".to_owned())
}
