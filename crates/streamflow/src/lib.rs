//! StreamFlow in one binary: everything that waits, listens, schedules or talks.
//!
//! The libraries below it compute; this crate reads the command line and the configuration, runs one command and
//! turns errors into a line on standard error and an exit code: 0 ok, 1 failed, 2 usage.
#![cfg_attr(test, allow(clippy::unwrap_used))]
// Public for the tests and benches of this package only.
#![allow(missing_docs)]

pub mod api;
mod cli;
mod columns;
mod commands;
mod config;
pub mod console;
mod drift_files;
mod files;
pub mod flows;
mod metrics_engine;
pub mod monitoring;
mod panels;
mod registry;
mod reports;
mod run;
mod sample;
pub mod server;
pub mod serving;
mod store;
mod templates;
mod terminal;
mod traffic;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use config::Config;
use terminal::Terminal;

/// What every command is given.
struct Context {
    config_file: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    terminal: Terminal,
}

impl Context {
    fn config(&self) -> anyhow::Result<Config> {
        Config::load(self.config_file.as_deref())
    }
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let context = Context {
        config_file: cli.config,
        data_dir: cli.data_dir,
        terminal: Terminal { format: cli.format },
    };
    start_logging(&cli.command);
    match run_command(cli.command, &context) {
        Ok(code) => code,
        Err(error) => {
            terminal::stderr(&format!("error: {}", terminal::told_once(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run_command(command: Command, context: &Context) -> anyhow::Result<ExitCode> {
    use commands::{
        check, dashboards, demo, drift, flows, hash_password, ingest, init, models, monitor, profile, promql,
        query, sample, serve, train, tsdb, up,
    };
    match command {
        Command::Demo(args) => demo::run(args, context),
        Command::Init(args) => init::run(&args, context),
        Command::Sample(args) => sample::run(args, context),
        Command::Ingest(args) => ingest::run(&args, context),
        Command::Train(args) => train::run(args, context),
        Command::Serve(args) => serve::run(args, context),
        Command::Monitor(args) => monitor::run(args, context),
        Command::Drift(args) => drift::run(&args, context),
        Command::Profile(args) => profile::run(&args, context),
        Command::Flows(args) => flows::run(args, context),
        Command::Models(args) => models::run(args, context),
        Command::Query(args) => query::run(&args, context),
        Command::Promql(args) => promql::run(args, context),
        Command::Tsdb(args) => tsdb::run(args, context),
        Command::Up(args) => up::run(args, context),
        Command::Dashboards(args) => dashboards::run(args, context),
        Command::HashPassword => hash_password::run(context),
        Command::Check(args) => check::run(&args, context),
    }
}

/// Logs go to standard error: from `info` where a server runs, from `warn` elsewhere, or as `RUST_LOG` says.
fn start_logging(command: &Command) {
    let level = if matches!(command, Command::Serve(_) | Command::Up(_)) { "info" } else { "warn" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
