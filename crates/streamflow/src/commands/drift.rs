//! `streamflow drift`: the drift report on any two files, or on many against one.

mod documents;
mod sql;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use streamflow_compare::{Engine, Given, Input, Names, Options, compare, essentials};
use streamflow_dataset::{CsvOptions, Period};
use streamflow_drift::{
    ColumnType, Decision, DriftSettings, History, Method, Report, RuleSet, Share, SqlDialect, Status,
    Untested,
};

use self::documents::{Document, outputs, text, write};
use super::monitor::LAST_US;
use super::performance::span_us;
use super::{Context, CsvArgs, EngineArgs, Usage, check_outputs, date, share};
use crate::config::{ColumnRules, drift_method};
use crate::drift::{Rules, months};
use crate::flows::monitor_live;
use crate::terminal::stderr;
use crate::workspace::snapshots;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the model learned from: a CSV, Parquet or Arrow file, a folder of parts (Hive's too), a glob in quotes, or a
    /// profile; it may lie in a bucket (s3://BUCKET/KEY, gs://, az://)
    #[arg(required_unless_present = "history")]
    reference: Option<PathBuf>,
    /// What it sees now: the same; with --history any number of them
    #[arg(required_unless_present_any = ["history", "live"])]
    current: Vec<PathBuf>,
    /// What it sees now, without a file: `live`, the features of the answers that [log] keeps, an entity once
    #[arg(long = "current", id = "live", value_name = "live", value_parser = ["live"], conflicts_with_all = ["current", "history", "engine"])]
    live: Option<String>,
    /// With --current live: answers of the last such as 24h or 7d [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = span_us)]
    last: Option<i64>,
    /// Compare many with one reference: the files named, ordered by name, or else every ingested month after the
    /// reference month
    #[arg(long, conflicts_with = "evidently_json")]
    history: bool,
    /// The reference month of --history without files [default: the first ingested]
    #[arg(long = "reference", id = "reference_date", value_name = "YYYY-MM-DD[THH:MM]", value_parser = date, requires = "history", conflicts_with_all = ["reference", "current"])]
    reference_date: Option<Period>,
    /// How a column is judged: calibrated (significant and large) or evidently (Evidently 0.7's defaults)
    /// [default: calibrated; with --history from the configuration]
    #[arg(long, value_parser = profile)]
    profile: Option<RuleSet>,
    /// Share of drifted columns at or over which the decision is RETRAINING_TRIGGERED
    /// [default: 0.30; with --history from the configuration]
    #[arg(long, value_parser = share, value_name = "SHARE")]
    threshold: Option<Share>,
    /// Whether a column that can be tested in the reference and not in the current table is drifted or ignored
    /// [default: drifted; with --history from the configuration]
    #[arg(long, value_parser = untested, value_name = "WORD")]
    untested: Option<Untested>,
    /// Exit with 3 when the decision is RETRAINING_TRIGGERED (with --history: in any month)
    #[arg(long)]
    fail_on_drift: bool,
    /// Method for numerical columns, such as ks or psi; docs/drift.md lists them
    #[arg(long, value_parser = drift_method, value_name = "METHOD")]
    num_method: Option<&'static Method>,
    /// Method for categorical columns, such as chisquare or psi
    #[arg(long, value_parser = drift_method, value_name = "METHOD")]
    cat_method: Option<&'static Method>,
    /// Method for one column; may be repeated
    #[arg(long, value_parser = |text: &str| assignment(text, drift_method), value_name = "COLUMN=METHOD")]
    method: Vec<(String, &'static Method)>,
    /// Bound of the size of a difference in one column (of the score in the evidently profile); may be repeated
    #[arg(long, value_parser = |text: &str| assignment(text, bound), value_name = "COLUMN=NUMBER")]
    column_threshold: Vec<(String, f64)>,
    /// Type of one column: numerical, categorical, text or ignore; may be repeated
    #[arg(long = "type", value_parser = |text: &str| assignment(text, str::parse::<ColumnType>), value_name = "COLUMN=TYPE")]
    types: Vec<(String, ColumnType)>,
    /// The column that names a row's entity: it is no feature, and the calibrated profile leaves it out; may be repeated
    #[arg(long, value_name = "COLUMN")]
    entity: Vec<String>,
    /// The label column, for the target drift
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    #[command(flatten)]
    csv: CsvArgs,
    /// What separates the fields of the reference, where --separator does not hold for it
    #[arg(long, value_name = "CHARACTER")]
    reference_separator: Option<String>,
    /// What separates the fields of the current files, where --separator does not hold for them
    #[arg(long, value_name = "CHARACTER")]
    current_separator: Option<String>,
    /// The encoding of the reference, where --encoding does not hold for it
    #[arg(long, value_name = "NAME")]
    reference_encoding: Option<String>,
    /// The encoding of the current files, where --encoding does not hold for them
    #[arg(long, value_name = "NAME")]
    current_encoding: Option<String>,
    #[command(flatten)]
    engine: EngineArgs,
    /// Compare nothing, and print the queries that count two Parquet tables: for datafusion (Ballista too), spark or trino
    #[arg(long, value_name = "DIALECT", num_args = 0..=1, require_equals = true, default_missing_value = "datafusion", conflicts_with_all = ["history", "live", "engine", "html", "json", "evidently_json", "markdown"])]
    print_sql: Option<SqlDialect>,
    /// Write the report as one HTML file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the report as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write JSON in Evidently's shape; `-` is standard output
    #[arg(long, value_name = "FILE")]
    evidently_json: Option<PathBuf>,
    /// Write a Markdown summary; `-` is standard output
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Parses `--profile`.
pub fn profile(text: &str) -> Result<RuleSet, String> {
    text.parse()
}

/// Parses `--untested`.
fn untested(text: &str) -> Result<Untested, String> {
    text.parse()
}

/// Status of `--fail-on-drift` when retraining is due. 1 is an error and 2 a wrong command line.
const RETRAINING_EXIT: u8 = 3;

/// How a comparison ends.
pub fn exit_code(fail_on_drift: bool, retraining_due: bool) -> ExitCode {
    if fail_on_drift && retraining_due { ExitCode::from(RETRAINING_EXIT) } else { ExitCode::SUCCESS }
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    if args.last.is_some() && args.live.is_none() {
        return Err(Usage::error("--last is of live traffic; name it by --current live"));
    }
    if let (Some(dialect), Some(reference), [current]) =
        (args.print_sql, &args.reference, args.current.as_slice())
    {
        return sql::print(args, dialect, [reference, current], context);
    }
    let outputs = outputs(args, context.terminal.format)?;
    let inputs: Vec<&Path> = args.reference.iter().chain(&args.current).map(PathBuf::as_path).collect();
    check_outputs(&outputs.iter().map(|(path, _)| *path).collect::<Vec<_>>(), &inputs)?;
    let retraining_due = if args.history {
        let history = match &args.reference {
            Some(reference) => args.engine.with(|engine| compare_many(args, reference, engine, context))?,
            None => compare_months(args, context)?,
        };
        let render = |document| match document {
            Document::Html => history.to_html(),
            Document::Markdown => history.to_markdown(),
            // The command line refuses Evidently's JSON here: it has no shape for many months.
            Document::Json | Document::EvidentlyJson => history.to_json(),
        };
        write(&outputs, render, || months::text(&history), context)?;
        history.triggered().next().is_some()
    } else {
        let report = match (&args.reference, args.current.as_slice()) {
            (Some(reference), []) if args.live.is_some() => compare_live(args, reference, context)?,
            (Some(reference), [current]) => {
                args.engine.with(|engine| compare_files(args, [reference, current], engine, context))?
            }
            _ => {
                return Err(Usage::error(format!(
                    "drift compares two files and {} are named; --history compares many with the first",
                    args.current.len() + 1
                )));
            }
        };
        let render = |document| match document {
            Document::Html => report.to_html(),
            Document::Json => report.to_json(),
            Document::EvidentlyJson => report.to_evidently_json(),
            Document::Markdown => report.to_markdown(),
        };
        write(&outputs, render, || text(&report), context)?;
        refuse_no_verdict(&report)?;
        report.decision == Decision::RetrainingTriggered
    };
    Ok(exit_code(args.fail_on_drift, retraining_due))
}

fn compare_files(
    args: &Args,
    [reference, current]: [&Path; 2],
    engine: Option<&dyn Engine>,
    context: &Context,
) -> anyhow::Result<Report> {
    let [reference_csv, current_csv] = args.csv_options()?;
    let tables = [context.input(reference)?, context.input(current)?];
    let files = [(&tables[0], reference_csv), (&tables[1], current_csv)]
        .map(|(table, csv)| Given::Files(Input { table, csv }));
    let progress = context.reading("reading and comparing");
    // A history says nothing of repeated rows.
    let options = Options { whole_rows: !args.history, engine, progress: Some(&progress) };
    let settings = args.settings(reference, current.display().to_string());
    let configured = context.config_if_any()?.map(|config| config.monitor.columns).unwrap_or_default();
    let complete = |settings: &mut DriftSettings, names: &Names<'_>| complete(settings, names, &configured);
    let report = compare(files, settings, options, complete)?;
    tell_configured(&configured, &report);
    refuse_unfit_methods(args, &report)?;
    Ok(report)
}

/// Compares the answers that the log keeps with a file.
fn compare_live(args: &Args, reference: &Path, context: &Context) -> anyhow::Result<Report> {
    let config = context.config()?;
    let data_dir = context.data_dir(&config);
    context.check_data_dir(&data_dir)?;
    let (asked, live) = monitor_live::read(&config, &data_dir, args.last.unwrap_or(LAST_US))?;
    stderr(&live.words());
    let [csv, _] = args.csv_options()?;
    let settings = args.settings(reference, live.name());
    let features = asked.frame(|_| true);
    let known: Vec<String> = features.columns.iter().map(|column| column.name.clone()).collect();
    // The answers have features alone: what else the file has is listed and counts for nothing.
    let complete = |settings: &mut DriftSettings, names: &Names<'_>| {
        let others = names.compared.iter().filter(|name| !known.contains(name));
        settings.types.extend(others.map(|name| (name.clone(), ColumnType::Ignore)));
        complete(settings, names, &config.monitor.columns)
    };
    let table = context.input(reference)?;
    let reference = Given::Files(Input { table: &table, csv });
    let progress = context.reading("reading and comparing");
    let options = Options { progress: Some(&progress), ..Options::default() };
    let report = compare([reference, Given::Frame(features)], settings, options, complete)?;
    tell_configured(&config.monitor.columns, &report);
    refuse_unfit_methods(args, &report)?;
    Ok(report)
}

/// Adds what the configuration says of columns; what the command line says of a column goes before it.
fn complete(
    settings: &mut DriftSettings,
    names: &Names<'_>,
    configured: &BTreeMap<String, ColumnRules>,
) -> anyhow::Result<()> {
    names.check(settings)?;
    let flags = settings.clone();
    for (name, column) in configured.iter().filter(|(name, _)| names.compared.contains(name)) {
        column.apply(name, settings);
    }
    settings.types.extend(flags.types);
    settings.methods.extend(flags.methods);
    settings.thresholds.extend(flags.thresholds);
    Ok(())
}

fn tell_configured(configured: &BTreeMap<String, ColumnRules>, report: &Report) {
    let named: Vec<&str> =
        configured.keys().map(String::as_str).filter(|name| report.column(name).is_some()).collect();
    if !named.is_empty() {
        stderr(&format!("judged as monitor.columns of the configuration says: {}", named.join(", ")));
    }
}

/// Nothing that was looked at is no verdict, whatever the report's decision says.
fn refuse_no_verdict(report: &Report) -> anyhow::Result<()> {
    match report.nothing_tested() {
        Some(reasons) => bail!(
            "no column of {} and {} could be tested, so there is no verdict: {reasons}",
            report.reference.name,
            report.current.name
        ),
        None => Ok(()),
    }
}

/// Refuses a method of the command line that is not for its column's type: the column would drop out of the verdict.
fn refuse_unfit_methods(args: &Args, report: &Report) -> anyhow::Result<()> {
    for (name, method) in &args.method {
        let Some(column) = report.column(name) else { continue };
        if column.status != Status::Tested && !method.columns.contains(&column.column_type) {
            let reason = column.reason.as_deref().unwrap_or("it cannot be tested");
            bail!("--method {name}={} leaves {name} without a test: {reason}", method.name);
        }
    }
    Ok(())
}

/// Compares each of the current files with the reference.
fn compare_many(
    args: &Args,
    reference: &Path,
    engine: Option<&dyn Engine>,
    context: &Context,
) -> anyhow::Result<History> {
    let report = |current: &PathBuf| {
        let report = compare_files(args, [reference, current], engine, context)?;
        refuse_no_verdict(&report)?;
        Ok(essentials(report))
    };
    if args.current.is_empty() {
        let reference = reference.display();
        return Err(Usage::error(format!(
            "--history names the reference {reference} and nothing to compare with it; name files after it"
        )));
    }
    let reports = args.current.iter().map(report).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(History::new(&reports)?)
}

fn compare_months(args: &Args, context: &Context) -> anyhow::Result<History> {
    if args.has_flags_of_files() {
        return Err(Usage::error(
            "methods, types, thresholds, entity and target of ingested months stand in the configuration ([monitor.columns] and [dataset]), their files are no CSV, and no engine counts them; on the command line all these are for files",
        ));
    }
    let config = context.config()?;
    let request = months::HistoryRequest {
        reference: args.reference_date,
        rules: Rules {
            profile: args.profile.unwrap_or(config.monitor.profile),
            threshold: args.threshold.unwrap_or(config.monitor.threshold),
            untested: args.untested.unwrap_or(config.monitor.untested),
        },
        columns: config.monitor.columns.clone(),
    };
    let snapshots = snapshots(&context.data_dir_now(&config)?, config.dataset)?;
    months::compare(&snapshots, &request, &context.terminal.progress(0, "comparing"))
}

impl Args {
    /// How the CSV files of the reference and the current ones are written.
    fn csv_options(&self) -> anyhow::Result<[CsvOptions; 2]> {
        let of = |separator: &Option<String>, encoding: &Option<String>| {
            self.csv.options_with(separator.as_deref(), encoding.as_deref())
        };
        Ok([
            of(&self.reference_separator, &self.reference_encoding)?,
            of(&self.current_separator, &self.current_encoding)?,
        ])
    }

    /// Whether there are flags that say nothing of ingested months.
    fn has_flags_of_files(&self) -> bool {
        let texts = [&self.csv.separator, &self.csv.encoding, &self.target];
        let sides = [
            &self.reference_separator,
            &self.current_separator,
            &self.reference_encoding,
            &self.current_encoding,
        ];
        !self.method.is_empty()
            || !self.entity.is_empty()
            || !self.types.is_empty()
            || !self.column_threshold.is_empty()
            || self.engine.engine.is_some()
            || [self.num_method, self.cat_method].iter().any(Option::is_some)
            || texts.into_iter().chain(sides).any(Option::is_some)
    }

    fn settings(&self, reference: &Path, current_name: String) -> DriftSettings {
        let default = DriftSettings::default();
        DriftSettings {
            profile: self.profile.unwrap_or(default.profile),
            drift_share_threshold: self.threshold.unwrap_or(default.drift_share_threshold),
            untested: self.untested.unwrap_or(default.untested),
            num_method: self.num_method,
            cat_method: self.cat_method,
            methods: self.method.iter().cloned().collect(),
            thresholds: self.column_threshold.iter().cloned().collect(),
            types: self.types.iter().cloned().collect(),
            entity: self.entity.clone(),
            target: self.target.clone(),
            reference_name: reference.display().to_string(),
            current_name,
            ..default
        }
    }
}

fn bound(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|value: &f64| value.is_finite() && *value > 0.0);
    number.ok_or_else(|| "expected a number over 0".to_owned())
}

/// Parses `COLUMN=VALUE`. The column's name may hold `=`; the value may not.
fn assignment<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<(String, T), String> {
    let (column, value) = text.rsplit_once('=').ok_or("it lacks a '='; expected COLUMN=VALUE")?;
    Ok((column.to_owned(), parse(value)?))
}
