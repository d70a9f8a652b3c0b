//! `streamflow promql`: what `promtool` does with expressions, rules and configurations, without a server.

mod checks;
mod rule_tests;
mod scripts;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use super::Context;

#[derive(Debug, Subcommand)]
pub enum Args {
    /// Run promqltest scripts and say what passes
    Test {
        /// Scripts: `load`, `eval instant`, `eval range`, `clear`
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Run unit tests of rules, in the files of `promtool test rules`
    TestRules(rule_tests::Args),
    /// Check rule files or configurations as `promtool check` does; ends with 1 where one is refused
    Check {
        #[command(subcommand)]
        what: checks::Args,
    },
    /// Print an expression over several lines, as `promtool promql format` does
    Format {
        /// The expression, in quotes
        #[arg(value_name = "EXPRESSION")]
        expression: String,
    },
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    match args {
        Args::Test { files } => scripts::run(&files, context),
        Args::TestRules(args) => rule_tests::run(&args, context),
        Args::Check { what } => checks::run(what, context),
        Args::Format { expression } => format(&expression, context),
    }
}

fn format(expression: &str, context: &Context) -> anyhow::Result<ExitCode> {
    let parsed = streamflow_promql::parse(expression);
    let parsed = parsed.with_context(|| format!("{expression:?} is no PromQL"))?;
    let formatted = streamflow_promql::format(&parsed);
    context.terminal.result(&formatted, || formatted.clone())?;
    Ok(ExitCode::SUCCESS)
}
