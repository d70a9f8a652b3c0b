//! `streamflow predict`: a table of any size, scored with a model file or a version of the registry.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use streamflow_dataset::{Batch, Cell, OutputColumn, OutputFormat, OutputType, TableRows, TableWriter};
use streamflow_inference::{Columns, Labels, ReadOptions};
use streamflow_model::ImportedFeature;

use super::models::import::mapping;
use super::{Context, CsvArgs, Usage, block_on, check_outputs, named_version};
use crate::model_file::ModelFile;
use crate::scoring::{Answers, Numbers, Scorer};
use crate::terminal::{OutputFormat as Printed, counted_with, stderr};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A CSV, Parquet or Arrow file whose rows are scored; it may lie in a bucket (s3://BUCKET/KEY, gs://, az://)
    table: PathBuf,
    /// A model file, or a version of the registry as NAME or NAME:VERSION [default: the version in production]
    #[arg(long, value_name = "FILE|NAME[:VERSION]")]
    model: Option<String>,
    /// A file that ends in .parquet, .arrow or .csv, or - for standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A column of the table that is written beside the answers, such as a key
    ///
    /// Integers, other numbers, booleans, dates and texts of Parquet and Arrow keep their type, in 64 bits; a timestamp is
    /// written as its date. The values of CSV are texts, and unsigned integers of 64 bits become texts.
    #[arg(long, value_name = "COLUMN")]
    keep: Vec<String>,
    /// A feature of the model and the column of the table that it is taken from, where they have different names
    #[arg(long, value_name = "FEATURE=COLUMN", value_parser = mapping)]
    map: Vec<ImportedFeature>,
    /// All trees of a model that XGBoost stopped early, as its Booster.predict uses them [default: up to the best]
    #[arg(long)]
    all_trees: bool,
    #[command(flatten)]
    csv: CsvArgs,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let to_stdout = args.out == Path::new("-");
    let format = OutputFormat::of(&args.out);
    if format.is_none() && !to_stdout {
        let out = args.out.display();
        return Err(Usage::error(format!(
            "{out} ends in no known way; expected .parquet, .arrow, .csv, or - for standard output"
        )));
    }
    check_outputs(&[&args.out], &[&args.table])?;
    let scorer = scorer(args, context)?;
    let input = context.input(&args.table)?;
    let Some(file) = input.file() else {
        bail!("{} leads to several files; predict scores one at a time", args.table.display());
    };
    let rows = TableRows::open(file, args.csv.options()?)?;
    let mut columns =
        scorer.columns(rows.header(), &args.map).with_context(|| args.table.display().to_string())?;
    let features = columns.len();
    columns.extend(kept(args, rows.header())?);
    let keep = args.keep.iter().zip(&columns[features..]);
    let keep: Vec<Kept> = keep.map(|(name, at)| (name.clone(), rows.output_type(*at))).collect();
    let out = match (to_stdout, context.terminal.format) {
        (true, Printed::Json) => Out::Json(Map::new()),
        _ => Out::Table { args, format, writer: None },
    };
    let mut scoring = Scoring { scorer: &scorer, keep: &keep, features, out, unseen: vec![0; features] };
    let bar = context.terminal.progress(rows.size_bytes(), "scoring");
    let total = rows.read(&columns, |batch, bytes| {
        bar.inc(bytes);
        scoring.batch(batch).with_context(|| args.table.display().to_string())
    })?;
    bar.finish_and_clear();
    if total == 0 {
        bail!("{} has no rows to score", args.table.display());
    }
    scoring.end(total, context)?;
    Ok(ExitCode::SUCCESS)
}

/// The model file or the version that `--model` names.
fn scorer(args: &Args, context: &Context) -> anyhow::Result<Scorer> {
    let named = args.model.as_deref();
    if let Some(path) = named.map(Path::new).filter(|path| is_file(path)) {
        let model = ModelFile::read(path)?.model(ReadOptions { all_trees: args.all_trees })?;
        return Ok(Scorer::File(Box::new(model)));
    }
    let config = context.config()?;
    let (name, version) = match named {
        None => (config.model.name.clone(), None),
        Some(named) => named_version(named)?,
    };
    block_on(async {
        let registry = context.registry(&config).await?;
        let version = registry.resolve(&name, version).await?;
        Ok(Scorer::Version(Box::new(registry.load(&name, version).await?)))
    })
}

/// Whether a word names a file rather than a model of the registry.
fn is_file(path: &Path) -> bool {
    path.exists() || path.extension().is_some() || path.components().count() > 1
}

/// The places of the columns that are kept.
fn kept(args: &Args, header: &[String]) -> anyhow::Result<Vec<usize>> {
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    let by_name = Columns::new(&names);
    let find = |name: &String| {
        let found = by_name.find(name).with_context(|| args.table.display().to_string())?;
        found.with_context(|| {
            format!(
                "--keep {name}: {} has no such column; it has {}",
                args.table.display(),
                header.join(", ")
            )
        })
    };
    args.keep.iter().map(find).collect()
}

/// A column that is kept: its name and the type that it is written with.
type Kept = (String, OutputType);

/// A table on its way through a model.
struct Scoring<'a> {
    scorer: &'a Scorer,
    keep: &'a [Kept],
    features: usize,
    out: Out<'a>,
    unseen: Vec<u64>,
}

/// Where answers go.
enum Out<'a> {
    /// One document, which is in memory.
    Json(Map<String, Value>),
    /// A file or standard output, begun with the first batch.
    Table { args: &'a Args, format: Option<OutputFormat>, writer: Option<TableWriter> },
}

impl Scoring<'_> {
    fn batch(&mut self, batch: &Batch) -> anyhow::Result<()> {
        let answers = self.scorer.score(batch)?;
        self.unseen.iter_mut().zip(&answers.unseen).for_each(|(sum, rows)| *sum += rows);
        let kept = (self.features..).zip(self.keep);
        match &mut self.out {
            Out::Json(outputs) => {
                for (column, (name, _)) in kept {
                    extend(outputs, name, (0..batch.rows()).map(|row| cell(batch.cell(column, row))));
                }
                into_json(outputs, &answers);
                Ok(())
            }
            Out::Table { args, format, writer } => {
                let kept = kept.map(|(column, (name, kind))| (name.clone(), batch.output(column, *kind)));
                let mut columns: Vec<(String, OutputColumn)> = kept.collect();
                columns.extend(answers.into_columns(self.scorer.classes().as_ref()));
                if writer.is_none() {
                    *writer = Some(begin(args, *format, &columns)?);
                }
                let columns = columns.into_iter().map(|(_, column)| column).collect();
                writer.as_mut().map_or(Ok(()), |writer| writer.write(columns))?;
                Ok(())
            }
        }
    }

    fn end(self, total: u64, context: &Context) -> anyhow::Result<()> {
        for (feature, rows) in self.scorer.features().iter().zip(&self.unseen).filter(|(_, rows)| **rows > 0)
        {
            stderr(&format!(
                "{} a level of {feature} that the model was not trained with, which is scored as missing",
                counted_with(*rows, "row", ["has", "have"])
            ));
        }
        match self.out {
            Out::Json(outputs) => {
                let document = json!({ "rows": total, "outputs": outputs });
                context.terminal.stdout(&serde_json::to_string(&document)?)
            }
            Out::Table { args, writer, .. } => {
                writer.map_or(Ok(()), TableWriter::finish)?;
                if args.out == Path::new("-") {
                    return Ok(());
                }
                let out = args.out.display().to_string();
                let value = json!({ "rows": total, "out": out });
                context.terminal.result(&value, || format!("Scored {total} rows into {out}."))
            }
        }
    }
}

fn begin(
    args: &Args,
    format: Option<OutputFormat>,
    columns: &[(String, OutputColumn)],
) -> anyhow::Result<TableWriter> {
    let types: Vec<(String, OutputType)> =
        columns.iter().map(|(name, column)| (name.clone(), column.output_type())).collect();
    let mut names: Vec<&str> = types.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("--keep {}: the answers have a column of that name; rename it in the table", twice[0]);
    }
    Ok(match format {
        Some(format) => TableWriter::create(&args.out, format, &types)?,
        None => TableWriter::open(io::stdout(), "standard output", OutputFormat::Csv, &types)?,
    })
}

/// Answers as lists of rows: a number, or a list of them where there are several.
fn into_json(outputs: &mut Map<String, Value>, answers: &Answers) {
    let parts =
        [("probability", &answers.probability), ("value", &answers.value), ("margin", &answers.margin)];
    for (name, numbers) in parts {
        let Some(Numbers { columns, is_single }) = numbers else { continue };
        let rows = columns.first().map_or(0, Vec::len);
        let row = |row: usize| match &columns[..] {
            [one] => number(one[row], *is_single),
            several => several.iter().map(|column| number(column[row], *is_single)).collect(),
        };
        extend(outputs, name, (0..rows).map(row));
    }
    match &answers.label {
        Some(Labels::Integers(labels)) => {
            extend(outputs, "label", labels.iter().map(|label| (*label).into()))
        }
        Some(Labels::Texts(labels)) => {
            extend(outputs, "label", labels.iter().map(|label| label.as_str().into()));
        }
        None => {}
    }
}

fn extend(outputs: &mut Map<String, Value>, name: &str, rows: impl Iterator<Item = Value>) {
    let list = outputs.entry(name).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = list {
        list.extend(rows);
    }
}

/// A value of the table; a date as its text.
fn cell(cell: Cell) -> Value {
    match cell {
        Cell::Boolean(value) => value.into(),
        Cell::Integer(value) => value.into(),
        Cell::Float(value) => number(value, false),
        Cell::Missing | Cell::Text(_) | Cell::Date(_) => cell.text().into(),
    }
}

/// A number at its own width; JSON has no infinity and no NaN, so they are texts.
fn number(value: f64, is_single: bool) -> Value {
    let number = if is_single {
        serde_json::Number::from_f64(shortest(value))
    } else {
        serde_json::Number::from_f64(value)
    };
    number.map_or_else(
        || {
            let text = if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            text.into()
        },
        Value::Number,
    )
}

/// The double whose shortest text is that of a 32-bit number.
fn shortest(value: f64) -> f64 {
    (value as f32).to_string().parse().unwrap_or(value)
}
