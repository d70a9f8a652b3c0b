//! `streamflow drift`: the drift report on any two files, or on many against one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use streamflow_drift::{
    ColumnType, Decision, DriftSettings, History, Method, NotTested, Report, RuleSet, Share, Status, Untested,
};

use super::{Context, CsvArgs, check_outputs, date, share};
use crate::config::{drift_method, nearest};
use crate::drift::{Rules, files, months};
use crate::files::write_aside;
use crate::terminal::{OutputFormat, stderr, table};
use crate::workspace::snapshots;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the model learned from: a CSV, Parquet or Arrow file, a folder of parts, or a profile
    #[arg(required_unless_present = "history")]
    reference: Option<PathBuf>,
    /// What it sees now: the same; with --history any number of them
    #[arg(required_unless_present = "history")]
    current: Vec<PathBuf>,
    /// Compare many with one reference: the files named, ordered by name, or else every ingested month after the
    /// reference month
    #[arg(long, conflicts_with = "evidently_json")]
    history: bool,
    /// The reference month of --history without files [default: the first ingested]
    #[arg(long = "reference", id = "reference_date", value_name = "DATE", requires = "history", conflicts_with_all = ["reference", "current"])]
    reference_date: Option<String>,
    /// How a column is judged: calibrated (significant and large) or evidently (Evidently 0.7's defaults)
    /// [default: calibrated; with --history from the configuration]
    #[arg(long, value_parser = profile)]
    profile: Option<RuleSet>,
    /// Share of drifted columns at or over which the decision is RETRAINING_TRIGGERED
    /// [default: 0.30; with --history from the configuration]
    #[arg(long, value_name = "SHARE")]
    threshold: Option<f64>,
    /// Whether a column that can be tested in the reference and not in the current table is drifted or ignored
    /// [default: drifted; with --history from the configuration]
    #[arg(long, value_parser = untested, value_name = "WORD")]
    untested: Option<Untested>,
    /// Exit with 3 when the decision is RETRAINING_TRIGGERED (with --history: in any month)
    #[arg(long)]
    fail_on_drift: bool,
    /// Method for numerical columns
    #[arg(long, value_parser = drift_method, value_name = "METHOD")]
    num_method: Option<&'static Method>,
    /// Method for categorical columns
    #[arg(long, value_parser = drift_method, value_name = "METHOD")]
    cat_method: Option<&'static Method>,
    /// Method for one column; may be repeated
    #[arg(long, value_name = "COLUMN=METHOD")]
    method: Vec<String>,
    /// Bound of the size of a difference in one column (of the score in the evidently profile); may be repeated
    #[arg(long, value_name = "COLUMN=NUMBER")]
    column_threshold: Vec<String>,
    /// Type of one column: numerical, categorical, text or ignore; may be repeated
    #[arg(long = "type", value_name = "COLUMN=TYPE")]
    types: Vec<String>,
    /// The key column: no feature, left out by the calibrated profile
    #[arg(long, value_name = "COLUMN")]
    entity: Option<String>,
    /// The label column, for the target drift
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    #[command(flatten)]
    csv: CsvArgs,
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
    let outputs = outputs(args, context.terminal.format)?;
    let inputs: Vec<&Path> = args.reference.iter().chain(&args.current).map(PathBuf::as_path).collect();
    check_outputs(&outputs.iter().map(|(path, _)| *path).collect::<Vec<_>>(), &inputs)?;
    let threshold = args.threshold.map(|value| share("--threshold", value)).transpose()?;
    let retraining_due = if args.history {
        let history = match &args.reference {
            Some(reference) => compare_many(args, threshold, reference, context)?,
            None => compare_months(args, threshold, context)?,
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
        let (Some(reference), [current]) = (&args.reference, args.current.as_slice()) else {
            bail!(
                "drift compares two files and {} are named; --history compares many with the first",
                args.current.len() + 1
            );
        };
        let report = compare_files(args, threshold, reference, current, context)?;
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
    threshold: Option<Share>,
    reference: &Path,
    current: &Path,
    context: &Context,
) -> anyhow::Result<Report> {
    let files = files::Files { reference, current, csv: args.csv.options()? };
    let settings = settings(args, threshold, reference, current)?;
    let configured = context.config_if_any()?.map(|config| config.monitor.columns).unwrap_or_default();
    let complete = |settings: &mut DriftSettings, names: &[String]| {
        check_names(settings, names)?;
        let flags = settings.clone();
        for (name, column) in configured.iter().filter(|(name, _)| names.contains(name)) {
            column.apply(name, settings);
        }
        // What the command line says of a column goes before the configuration.
        settings.types.extend(flags.types);
        settings.methods.extend(flags.methods);
        settings.thresholds.extend(flags.thresholds);
        Ok(())
    };
    let report = files::compare(files, settings, complete, &context.terminal)?;
    let named: Vec<&str> =
        configured.keys().map(String::as_str).filter(|name| report.column(name).is_some()).collect();
    if !named.is_empty() {
        stderr(&format!("judged as monitor.columns of the configuration says: {}", named.join(", ")));
    }
    refuse_unfit_methods(args, &report)?;
    Ok(report)
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
    for (name, method) in assignments("--method", &args.method, drift_method)? {
        let Some(column) = report.column(&name) else { continue };
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
    threshold: Option<Share>,
    reference: &Path,
    context: &Context,
) -> anyhow::Result<History> {
    let report = |current: &PathBuf| {
        let report = compare_files(args, threshold, reference, current, context)?;
        refuse_no_verdict(&report)?;
        Ok(months::essentials(report))
    };
    if args.current.is_empty() {
        bail!("--history names the reference {} and nothing to compare with it", reference.display());
    }
    let reports = args.current.iter().map(report).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(History::new(&reports)?)
}

#[derive(Debug, Clone, Copy)]
enum Document {
    Html,
    Json,
    EvidentlyJson,
    Markdown,
}

/// What to write where. Standard output holds one document only.
fn outputs(args: &Args, format: OutputFormat) -> anyhow::Result<Vec<(&Path, Document)>> {
    let rows = [
        (&args.html, Document::Html),
        (&args.json, Document::Json),
        (&args.evidently_json, Document::EvidentlyJson),
        (&args.markdown, Document::Markdown),
    ];
    let outputs: Vec<(&Path, Document)> = rows
        .into_iter()
        .filter_map(|(path, document)| path.as_deref().map(|path| (path, document)))
        .collect();
    if outputs.iter().filter(|(path, _)| *path == Path::new("-")).count() > 1 {
        bail!("only one of --html, --json, --evidently-json and --markdown can go to standard output (-)");
    }
    let is_json = |document: &Document| matches!(document, Document::Json | Document::EvidentlyJson);
    let to_stdout = outputs.iter().find(|(path, _)| *path == Path::new("-"));
    if format == OutputFormat::Json && to_stdout.is_some_and(|(_, document)| !is_json(document)) {
        bail!(
            "--format json has JSON on standard output and nothing else; give --html and --markdown a file"
        );
    }
    Ok(outputs)
}

fn write(
    outputs: &[(&Path, Document)],
    render: impl Fn(Document) -> String,
    text: impl FnOnce() -> String,
    context: &Context,
) -> anyhow::Result<()> {
    let mut to_stdout = false;
    for &(path, document) in outputs {
        let contents = render(document);
        if path == Path::new("-") {
            to_stdout = true;
            context.terminal.stdout(&contents)?;
        } else {
            write_aside(path, contents.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    match context.terminal.format {
        _ if to_stdout => Ok(()),
        OutputFormat::Json => context.terminal.stdout(&render(Document::Json)),
        OutputFormat::Text => context.terminal.text(&text()),
    }
}

fn compare_months(args: &Args, threshold: Option<Share>, context: &Context) -> anyhow::Result<History> {
    let named = [&args.method, &args.types, &args.column_threshold].iter().any(|pairs| !pairs.is_empty());
    if named
        || [args.num_method, args.cat_method].iter().any(Option::is_some)
        || args.entity.is_some()
        || args.target.is_some()
    {
        bail!(
            "methods, types, thresholds, entity and target of ingested months stand in the configuration ([monitor.columns] and [dataset]); on the command line they are for files"
        );
    }
    let config = context.config()?;
    let request = months::HistoryRequest {
        reference: args.reference_date.as_deref().map(|text| date("--reference", text)).transpose()?,
        rules: Rules {
            profile: args.profile.unwrap_or(config.monitor.profile),
            threshold: threshold.unwrap_or(config.monitor.threshold),
            untested: args.untested.unwrap_or(config.monitor.untested),
        },
        columns: config.monitor.columns.clone(),
    };
    let snapshots = snapshots(&context.data_dir(&config), config.dataset)?;
    months::compare(&snapshots, &request, &context.terminal.progress(0, "comparing"))
}

/// A column that was named on the command line must be on one side at least.
fn check_names(settings: &DriftSettings, names: &[String]) -> anyhow::Result<()> {
    let named = settings
        .methods
        .keys()
        .chain(settings.types.keys())
        .chain(settings.thresholds.keys())
        .chain(&settings.entity)
        .chain(&settings.target);
    for name in named {
        if !names.contains(name) {
            let near = nearest(name, names.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            bail!("neither file has a column {name:?}{hint}");
        }
    }
    Ok(())
}

fn settings(
    args: &Args,
    threshold: Option<Share>,
    reference: &Path,
    current: &Path,
) -> anyhow::Result<DriftSettings> {
    let default = DriftSettings::default();
    Ok(DriftSettings {
        profile: args.profile.unwrap_or(default.profile),
        drift_share_threshold: threshold.unwrap_or(default.drift_share_threshold),
        untested: args.untested.unwrap_or(default.untested),
        num_method: args.num_method,
        cat_method: args.cat_method,
        methods: assignments("--method", &args.method, drift_method)?,
        thresholds: assignments("--column-threshold", &args.column_threshold, bound)?,
        types: assignments("--type", &args.types, str::parse::<ColumnType>)?,
        entity: args.entity.clone(),
        target: args.target.clone(),
        reference_name: reference.display().to_string(),
        current_name: current.display().to_string(),
        ..default
    })
}

fn bound(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|value: &f64| value.is_finite() && *value > 0.0);
    number.ok_or_else(|| "expected a number over 0".to_owned())
}

/// `COLUMN=VALUE` pairs. The column's name may hold `=`; the value may not.
fn assignments<T>(
    flag: &str,
    pairs: &[String],
    parse: impl Fn(&str) -> Result<T, String>,
) -> anyhow::Result<BTreeMap<String, T>> {
    let mut values = BTreeMap::new();
    for pair in pairs {
        let (column, value) = pair
            .rsplit_once('=')
            .with_context(|| format!("{flag} {pair:?} lacks a '='; expected COLUMN=VALUE"))?;
        let value = parse(value).map_err(|reason| anyhow::anyhow!("{flag} {pair}: {reason}"))?;
        values.insert(column.to_owned(), value);
    }
    Ok(values)
}

fn text(report: &Report) -> String {
    let mut table = table(["COLUMN", "TYPE", "METHOD", "SCORE", "EFFECT", "ADJUSTED P", "DRIFTED"]);
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    for column in &report.columns {
        table.add_row([
            column.name.clone(),
            column.column_type.as_str().to_owned(),
            column.method.clone().unwrap_or_else(|| "-".to_owned()),
            number(column.score),
            number(column.effect_size.as_ref().and_then(|effect| effect.value)),
            number(column.adjusted_p_value),
            match (column.status, column.drifted) {
                (Status::Tested, true) => "yes".to_owned(),
                (Status::Tested, false) => "no".to_owned(),
                (Status::NotComputable | Status::Ignored, true) => "yes, not tested".to_owned(),
                (Status::NotComputable | Status::Ignored, false) => "not tested".to_owned(),
            },
        ]);
    }
    let untested: Vec<String> = report.not_tested.iter().map(not_tested).collect();
    format!(
        "{table}\n\n{}drift_share={:.2} -> {} (threshold {:.2})",
        untested.concat(),
        report.drift_share,
        report.decision.as_str(),
        report.drift_share_threshold
    )
}

fn not_tested(column: &NotTested) -> String {
    let counted = if column.counted { ", counts as drifted" } else { "" };
    format!("not tested{counted}: {} ({})\n", column.column, column.reason)
}
