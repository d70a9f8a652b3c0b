//! The command line: what `streamflow --help` says, and which command is run.
//!
//! Errors become a line on standard error and an exit code: 2 where the command line contradicts itself or a value of a
//! flag is of no use in itself, 1 where what it names (files, months, servers) does not do.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use streamflow_onnxruntime::OnnxRuntime;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::debug_fn;

use crate::commands::{
    Context, Usage, api_key, audit, backup, check, dashboards, data, demo, doctor, drift, evaluate, feast,
    features, flows, forget, hash_password, ingest, init, live, migrate, models, monitor, notify,
    performance, ping, predict, prefect, profile, promql, query, replay, restore, sample, serve, train, tsdb,
    up,
};
use crate::terminal::{self, Keep, OutputFormat, Terminal};

const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 retraining is due (with --fail-on-drift)";

/// Heading of the options that every command takes.
const GLOBAL: &str = "Options of every command";

/// Serve a tabular model, watch the service, notice when its data drifts.
#[derive(Debug, Parser)]
#[command(name = "streamflow", version, about, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    /// Configuration file [default: streamflow.toml of this folder or the nearest one above]
    #[arg(long, global = true, help_heading = GLOBAL, env = "STREAMFLOW_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Data directory [default: `data_dir` of the configuration, which is data/ beside it]
    #[arg(long, global = true, help_heading = GLOBAL, env = "STREAMFLOW_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Text for people or one JSON document
    #[arg(long, global = true, help_heading = GLOBAL, value_enum, default_value_t)]
    format: OutputFormat,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything from one command: sample months, ingest, train, serve, traffic, drift report
    Demo(demo::Args),
    /// Write a commented streamflow.toml and the files for Docker Compose, or for Kubernetes, around it
    Init(init::Args),
    /// Generate realistic monthly drops in the churn example's six tables
    Sample(sample::Args),
    /// Validate a monthly drop and commit it whole or not at all
    Ingest(ingest::Args),
    /// Check the files of the ingested months; delete what is past the limits of the configuration
    #[command(subcommand)]
    Data(data::Args),
    /// Fit the model on a month, evaluate it on users it never saw, register it
    Train(train::Args),
    /// Serve POST /predict and /metrics
    Serve(serve::Args),
    /// Everything: serve, scrape, store metrics, evaluate rules, answer PromQL, show the web console
    Up(up::Args),
    /// Compare two ingested months: drift report, decision NO_ACTION or RETRAINING_TRIGGERED
    Monitor(monitor::Args),
    /// Tell how right a version of the model was on a month: measured where labels are, estimated where not
    Evaluate(evaluate::Args),
    /// Tell how right answers of the server were, by labels that came after them (POST /labels)
    Performance(performance::Args),
    /// Score kept answers again with another version, and compare
    Replay(replay::Args),
    /// Compare any two CSV, Parquet or Arrow files, or many with one (--history)
    Drift(Box<drift::Args>),
    /// Summarise a table in a small file: drift takes it in place of the table, and those of parts merge
    Profile(profile::Args),
    /// List flows and runs; run, retry, cancel, approve, pause and backfill flows
    #[command(subcommand)]
    Flows(flows::Args),
    /// List and test the channels that are told of decisions, failures, approvals and promotions
    #[command(subcommand)]
    Notify(notify::Args),
    /// Make flows deployments of a Prefect server
    #[command(subcommand)]
    Prefect(prefect::Args),
    /// Write the features of ingested months as a repository of Feast
    #[command(subcommand)]
    Feast(feast::Args),
    /// Put the features of a month into a Redis, where servers ask for them
    #[command(subcommand)]
    Features(features::Args),
    /// Drift of live traffic: what it is now, and what stored traffic says about the rule
    #[command(subcommand)]
    Live(live::Args),
    /// Score a table with a model file of another library or with a version of the registry
    Predict(predict::Args),
    /// List the versions of the model, import one that was trained elsewhere, promote one or roll back
    #[command(subcommand)]
    Models(models::Args),
    /// List who changed what
    #[command(subcommand)]
    Audit(audit::Args),
    /// Ask a running server in PromQL: a table, and a chart for a range
    Query(query::Args),
    /// Test and check PromQL, rules and configurations
    #[command(subcommand)]
    Promql(promql::Args),
    /// Check, copy, export or import the stored metrics
    #[command(subcommand)]
    Tsdb(tsdb::Args),
    /// Write the console's panels as dashboards for Grafana
    #[command(subcommand)]
    Dashboards(dashboards::Args),
    /// Print the argon2 hash of a password read from standard input, for console.users
    HashPassword,
    /// Look at everything around a project: disk, clock, ports, secrets, what is stored; say what to do
    Doctor(doctor::Args),
    /// Copy the data directory, the reports and the configuration elsewhere, also while a server uses them
    Backup(backup::Args),
    /// Make a data directory of a backup, whole or not at all
    Restore(restore::Args),
    /// Bring the database from SQLite into Postgres, or back: whole, checked, into an empty one
    Migrate(migrate::Args),
    /// Remove one entity from snapshots, logs and reports, keep it out of later ones, and give a receipt
    Forget(forget::Args),
    /// Keys of the prediction API: new
    #[command(subcommand)]
    ApiKey(api_key::Args),
    /// Ask a running server whether it answers: exit 0 or 1, as health checks want it
    Ping(ping::Args),
    /// Validate the configuration and say what it means
    Check(check::Args),
}

/// What the parser of the command line ends with too.
const USAGE_EXIT: u8 = 2;

/// Keeps the panics of decoders on damaged files, which become errors, off standard error.
fn quiet_decoders() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !streamflow_dataset::is_decoding() {
            told(panic);
        }
    }));
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    quiet_decoders();
    offer_onnxruntime();
    let context = Context {
        config_file: cli.config,
        data_dir: cli.data_dir,
        terminal: Terminal { format: cli.format },
    };
    start_logging(&cli.command);
    let ran = match cli.command.changes_something() {
        true => audit::audited(&context, &words(), || cli.command.run(&context)),
        false => cli.command.run(&context),
    };
    match ran {
        Ok(code) => code,
        Err(error) => {
            terminal::stderr(&format!("error: {}", terminal::one_line(&error)));
            if error.is::<Usage>() { ExitCode::from(USAGE_EXIT) } else { ExitCode::FAILURE }
        }
    }
}

/// Lets onnxruntime compute graphs with operators that are not evaluated here. It is looked for when there is one.
fn offer_onnxruntime() {
    let library = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    streamflow_inference::offer_runtime(Box::new(OnnxRuntime::new(library)));
}

/// The words of the command line.
fn words() -> Vec<String> {
    let words = std::env::args_os().skip(1);
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

impl Command {
    /// Whether the command changes what a data directory holds or a server does, and so is told to the audit trail. A
    /// server tells of what it is asked itself.
    fn changes_something(&self) -> bool {
        match self {
            Command::Ingest(_) | Command::Train(_) | Command::Monitor(_) | Command::Evaluate(_) => true,
            Command::Data(args) => args.changes_something(),
            Command::Features(args) => args.changes_something(),
            Command::Flows(args) => args.changes_something(),
            Command::Models(args) => args.changes_something(),
            Command::Prefect(args) => args.changes_something(),
            Command::Tsdb(args) => args.changes_something(),
            // Its receipt is its entry: the words of the command name who is forgotten.
            Command::Forget(_) => false,
            // What it makes has the trail of the backup.
            Command::Restore(_) => false,
            // An entry would be written to one side alone.
            Command::Migrate(_) => false,
            Command::Demo(_)
            | Command::Backup(_)
            | Command::Doctor(_)
            | Command::Init(_)
            | Command::Sample(_)
            | Command::Serve(_)
            | Command::Up(_)
            | Command::Drift(_)
            | Command::Profile(_)
            | Command::Notify(_)
            | Command::Performance(_)
            | Command::Replay(_)
            | Command::Feast(_)
            | Command::Live(_)
            | Command::Predict(_)
            | Command::Audit(_)
            | Command::Query(_)
            | Command::Promql(_)
            | Command::Dashboards(_)
            | Command::HashPassword
            | Command::ApiKey(_)
            | Command::Ping(_)
            | Command::Check(_) => false,
        }
    }

    fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Command::Demo(args) => demo::run(args, context),
            Command::Init(args) => init::run(&args, context),
            Command::Sample(args) => sample::run(args, context),
            Command::Ingest(args) => ingest::run(&args, context),
            Command::Data(args) => data::run(&args, context),
            Command::Train(args) => train::run(args, context),
            Command::Serve(args) => serve::run(args, context),
            Command::Monitor(args) => monitor::run(args, context),
            Command::Evaluate(args) => evaluate::run(&args, context),
            Command::Performance(args) => performance::run(&args, context),
            Command::Replay(args) => replay::run(&args, context),
            Command::Drift(args) => drift::run(&args, context),
            Command::Profile(args) => profile::run(&args, context),
            Command::Flows(args) => flows::run(args, context),
            Command::Notify(args) => notify::run(args, context),
            Command::Prefect(args) => prefect::run(args, context),
            Command::Feast(args) => feast::run(&args, context),
            Command::Features(args) => features::run(&args, context),
            Command::Live(args) => live::run(&args, context),
            Command::Predict(args) => predict::run(&args, context),
            Command::Models(args) => models::run(args, context),
            Command::Audit(args) => audit::run(&args, context),
            Command::Query(args) => query::run(&args, context),
            Command::Promql(args) => promql::run(args, context),
            Command::Tsdb(args) => tsdb::run(args, context),
            Command::Up(args) => up::run(args, context),
            Command::Dashboards(args) => dashboards::run(args, context),
            Command::HashPassword => hash_password::run(context),
            Command::ApiKey(args) => api_key::run(&args, context),
            Command::Forget(args) => forget::run(&args, context),
            Command::Doctor(args) => doctor::run(&args, context),
            Command::Backup(args) => backup::run(&args, context),
            Command::Restore(args) => restore::run(&args, context),
            Command::Migrate(args) => migrate::run(&args, context),
            Command::Ping(args) => ping::run(&args, context),
            Command::Check(args) => check::run(&args, context),
        }
    }
}

/// Logs go to standard error: from `info` where a server runs, from `warn` elsewhere, or as `RUST_LOG` says.
fn start_logging(command: &Command) {
    let level = if matches!(command, Command::Serve(_) | Command::Up(_)) { "info" } else { "warn" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    tracing_subscriber::fmt()
        .fmt_fields(fields())
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

/// How the fields of a log line are written. A line is one entry: what clients and files name is spelled out where it could
/// break one or act on a terminal.
fn fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    debug_fn(|writer, field, value| {
        let value = format!("{value:?}");
        let value = terminal::escaped(&value, Keep::Nothing);
        match field.name() {
            "message" => write!(writer, "{value}"),
            name => write!(writer, "{name}={value}"),
        }
    })
    .delimited(" ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_log_line_is_one_line_and_acts_on_no_terminal() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(fields())
            .with_ansi(false)
            .without_time()
            .with_writer(Arc::new(file.reopen().unwrap()))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let name = "ada\u{1b}[2J\n INFO forged";
            tracing::warn!(user = %name, other = name, "refused {name}");
        });
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}') && text.matches("\\u{1b}[2J\\n INFO forged").count() >= 2, "{text}");
    }
}
