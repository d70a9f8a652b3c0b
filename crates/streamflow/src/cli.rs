//! The command line: what `streamflow --help` says.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    check, dashboards, demo, drift, flows, ingest, init, models, monitor, profile, promql, query, sample,
    serve, train, tsdb, up,
};
use crate::terminal::Format;

/// Serve a tabular model, watch the service, notice when its data drifts.
#[derive(Debug, Parser)]
#[command(name = "streamflow", version, about, max_term_width = 100)]
pub struct Cli {
    /// Configuration file [default: streamflow.toml, or the built-in churn example where there is none]
    #[arg(long, global = true, env = "STREAMFLOW_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Data directory [default: `data_dir` of the configuration, which is data/ beside it]
    #[arg(long, global = true, env = "STREAMFLOW_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Text for people or one JSON document
    #[arg(long, global = true, value_enum, default_value_t)]
    pub format: Format,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything from one command: sample months, ingest, train, serve, traffic, drift report
    Demo(demo::Args),
    /// Write a commented streamflow.toml and the Docker Compose, Prometheus and Grafana files
    Init(init::Args),
    /// Generate realistic monthly drops in the churn example's six tables
    Sample(sample::Args),
    /// Validate a monthly drop and commit it whole or not at all
    Ingest(ingest::Args),
    /// Fit the model on a month, evaluate it on users it never saw, register it
    Train(train::Args),
    /// Serve POST /predict and /metrics
    Serve(serve::Args),
    /// Everything: serve, scrape, store metrics, evaluate rules, answer PromQL, show the web console
    Up(up::Args),
    /// Compare two ingested months: drift report, decision NO_ACTION or RETRAINING_TRIGGERED
    Monitor(monitor::Args),
    /// Compare any two CSV or Parquet files, or all ingested months (--history)
    Drift(Box<drift::Args>),
    /// Summarise tables in a small file that merges and that drift takes in place of a table
    Profile(profile::Args),
    /// Past runs of flows, their tasks and logs
    #[command(subcommand)]
    Flows(flows::Args),
    /// Versions of the model: list, promote, roll back
    #[command(subcommand)]
    Models(models::Args),
    /// Ask a running server in PromQL: a table, and a chart for a range
    Query(query::Args),
    /// Run PromQL test scripts
    #[command(subcommand)]
    Promql(promql::Args),
    /// The stored metrics: verify, snapshot
    #[command(subcommand)]
    Tsdb(tsdb::Args),
    /// The console's panels as Grafana reads them
    #[command(subcommand)]
    Dashboards(dashboards::Args),
    /// The argon2 hash of a password read from standard input, for console.users
    HashPassword,
    /// Validate the configuration and say what it means
    Check(check::Args),
}
