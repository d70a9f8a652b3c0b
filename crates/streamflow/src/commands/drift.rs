//! `streamflow drift`: the drift report on any two CSV or Parquet files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use streamflow_drift::{ColumnType, METHODS, Method, Profile, Report, Settings, Status};

use crate::Context;
use crate::columns::drift_columns;
use crate::config::nearest;
use crate::files::write_aside;
use crate::terminal::{Format, table};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the model learned from: a CSV or Parquet file
    reference: PathBuf,
    /// What it sees now: a CSV or Parquet file
    current: PathBuf,
    /// How a column is judged: calibrated (significant and large) or evidently (Evidently 0.7's defaults)
    #[arg(long, value_parser = profile, default_value = "calibrated")]
    profile: Profile,
    /// Share of drifted columns at or over which the decision is RETRAINING_TRIGGERED
    #[arg(long, default_value_t = 0.30, value_name = "SHARE")]
    threshold: f64,
    /// Method for numerical columns
    #[arg(long, value_parser = method, value_name = "METHOD")]
    num_method: Option<&'static Method>,
    /// Method for categorical columns
    #[arg(long, value_parser = method, value_name = "METHOD")]
    cat_method: Option<&'static Method>,
    /// Method for one column; may be repeated
    #[arg(long, value_name = "COLUMN=METHOD")]
    method: Vec<String>,
    /// Type of one column: numerical, categorical, text or ignore; may be repeated
    #[arg(long = "type", value_name = "COLUMN=TYPE")]
    types: Vec<String>,
    /// The key column: no feature, left out by the calibrated profile
    #[arg(long, value_name = "COLUMN")]
    entity: Option<String>,
    /// The label column, for the target drift
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
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
pub fn profile(text: &str) -> Result<Profile, String> {
    text.parse()
}

fn method(text: &str) -> Result<&'static Method, String> {
    Method::find(text).map_err(|error| {
        let near = nearest(text, METHODS.iter().map(|method| method.name));
        near.map_or_else(|| error.to_string(), |near| format!("{error}; did you mean {near}?"))
    })
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let outputs = outputs(&args)?;
    let settings = settings(&args)?;
    let reference = read(&args.reference)?;
    let current = read(&args.current)?;
    let unknown =
        settings.methods.keys().chain(settings.types.keys()).chain(&settings.entity).chain(&settings.target);
    for name in unknown {
        if !reference.iter().chain(&current).any(|column| &column.name == name) {
            let near = nearest(name, reference.iter().map(|column| column.name.as_str()));
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            bail!("neither file has a column {name:?}{hint}");
        }
    }
    let report = streamflow_drift::compare(&reference, &current, &settings)?;
    let mut to_stdout = false;
    for (path, write) in outputs {
        let contents = write(&report);
        if path == Path::new("-") {
            to_stdout = true;
            context.terminal.stdout(&contents)?;
        } else {
            write_aside(path, contents.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    match context.terminal.format {
        _ if to_stdout => {}
        Format::Json => context.terminal.stdout(&report.to_json())?,
        Format::Text => context.terminal.stdout(&text(&report))?,
    }
    Ok(ExitCode::SUCCESS)
}

type Writer = fn(&Report) -> String;

/// What to write where. Standard output holds one document only.
fn outputs(args: &Args) -> anyhow::Result<Vec<(&Path, Writer)>> {
    let rows: [(&Option<PathBuf>, Writer); 4] = [
        (&args.html, Report::to_html),
        (&args.json, Report::to_json),
        (&args.evidently_json, Report::to_evidently_json),
        (&args.markdown, Report::to_markdown),
    ];
    let outputs: Vec<(&Path, Writer)> =
        rows.into_iter().filter_map(|(path, write)| path.as_deref().map(|path| (path, write))).collect();
    if outputs.iter().filter(|(path, _)| *path == Path::new("-")).count() > 1 {
        bail!("only one of --html, --json, --evidently-json and --markdown can go to standard output (-)");
    }
    Ok(outputs)
}

fn settings(args: &Args) -> anyhow::Result<Settings> {
    if !(0.0..=1.0).contains(&args.threshold) {
        bail!("--threshold {} is not a share; expected 0 to 1, such as 0.30", args.threshold);
    }
    Ok(Settings {
        profile: args.profile,
        drift_share_threshold: args.threshold,
        num_method: args.num_method,
        cat_method: args.cat_method,
        methods: assignments("--method", &args.method, method)?,
        types: assignments("--type", &args.types, str::parse::<ColumnType>)?,
        entity: args.entity.clone(),
        target: args.target.clone(),
        reference_name: args.reference.display().to_string(),
        current_name: args.current.display().to_string(),
        ..Settings::default()
    })
}

/// `COLUMN=VALUE` pairs. The column's name may hold `=`; the value may not.
fn assignments<T>(
    flag: &str,
    pairs: &[String],
    parse: impl Fn(&str) -> Result<T, String>,
) -> anyhow::Result<BTreeMap<String, T>> {
    let mut found = BTreeMap::new();
    for pair in pairs {
        let (column, value) = pair
            .rsplit_once('=')
            .with_context(|| format!("{flag} {pair:?} lacks a '='; expected COLUMN=VALUE"))?;
        let value = parse(value).map_err(|reason| anyhow::anyhow!("{flag} {pair}: {reason}"))?;
        found.insert(column.to_owned(), value);
    }
    Ok(found)
}

fn read(path: &Path) -> anyhow::Result<Vec<streamflow_drift::Column>> {
    Ok(drift_columns(streamflow_dataset::read_table(path)?))
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
                (Status::NotComputable | Status::Ignored, _) => "not tested".to_owned(),
            },
        ]);
    }
    format!(
        "{table}\n\ndrift_share={:.2} -> {} (threshold {:.2})",
        report.drift_share,
        report.decision.as_str(),
        report.drift_share_threshold
    )
}
