//! `streamflow feast`: the features of ingested months as a repository of Feast.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;
use streamflow_dataset::{
    ColumnType, DatasetSpec, Frame, OutputColumn, OutputFormat, OutputType, Period, PlainColumn, PointInTime,
    Snapshots, TableWriter,
};

use super::{Context, check_folder};
use crate::config::Config;
use crate::files::write_aside;
use crate::workspace;

/// The column of Feast's times.
const TIME: &str = "event_timestamp";
const STORE_FILE: &str = "feature_store.yaml";
const FEATURES_FILE: &str = "features.py";
const DATA_FILE: &str = "data/features.parquet";

#[derive(Debug, Subcommand)]
pub enum Args {
    /// Write a repository of Feast: an entity, a view for each table, a service with the model's features, and their values
    Export {
        /// Folder of the repository; created where it is missing
        dir: PathBuf,
        /// The month whose features are written; repeat for more [default: all that are ingested]
        #[arg(long, value_name = "YYYY-MM-DD")]
        as_of: Vec<Period>,
    },
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let Args::Export { dir, as_of } = args;
    let config = context.config()?;
    let snapshots = workspace::look_at(&context.data_dir_now(&config)?, config.dataset.clone())?;
    check_folder(dir)?;
    let there = [STORE_FILE, FEATURES_FILE, DATA_FILE].into_iter().find(|file| dir.join(file).exists());
    if let Some(file) = there {
        bail!("{} already holds {file}; nothing was written. Choose an empty folder", dir.display());
    }
    let months = months(&snapshots, as_of)?;
    let project = project(&config.model.name);
    let definitions = definitions(&config.dataset, &project)?;
    let rows = write_values(&snapshots, &config.dataset, &months, &dir.join(DATA_FILE))?;
    write(&dir.join(STORE_FILE), &store(&project))?;
    write(&dir.join(FEATURES_FILE), &definitions)?;
    let result = json!({
        "dir": dir, "project": project, "service": project, "months": months, "rows": rows,
        "files": [STORE_FILE, FEATURES_FILE, DATA_FILE],
    });
    context.terminal.result(&result, || said(dir, &project, &config, &months, rows))?;
    Ok(ExitCode::SUCCESS)
}

fn said(dir: &Path, service: &str, config: &Config, months: &[Period], rows: usize) -> String {
    // The times of Feast's rows lie after the start; what is older than a year it would leave out of an incremental one.
    let first = months.first().and_then(|month| month.timestamp());
    let from = first.map_or_else(String::new, |time| {
        (time - jiff::SignedDuration::from_hours(24)).strftime("%Y-%m-%d").to_string()
    });
    let listed: Vec<String> = months.iter().map(Period::to_string).collect();
    format!(
        "Wrote {rows} rows of {} features of {} to {}.\n\nServe them:\n  cd {}\n  feast apply\n  feast materialize {from}T00:00:00 $(date -u +%Y-%m-%dT%H:%M:%S)\n  feast serve\n\n\
         Ask for them, in streamflow.toml:\n  [features]\n  source = \"feast\"\n  url = \"http://127.0.0.1:6566\"\n  service = \"{service}\"",
        config.dataset.features.len(),
        listed.join(", "),
        dir.display(),
        dir.display(),
    )
}

/// The months that are written, the oldest first.
fn months(snapshots: &Snapshots, wanted: &[Period]) -> anyhow::Result<Vec<Period>> {
    let known: Vec<Period> = snapshots.snapshots()?.iter().map(|snapshot| snapshot.as_of).collect();
    if known.is_empty() {
        bail!("no month is ingested yet; ingest one with `streamflow ingest --as-of YYYY-MM-DD DIR`");
    }
    if let Some(other) = wanted.iter().find(|month| !known.contains(month)) {
        let known: Vec<String> = known.iter().map(Period::to_string).collect();
        bail!("--as-of {other} is not ingested; there are {}", known.join(", "));
    }
    Ok(known.into_iter().filter(|month| wanted.is_empty() || wanted.contains(month)).collect())
}

/// A name that Feast takes: letters, digits and underscores.
fn project(model: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = model.chars().map(plain).collect();
    let name = name.trim_start_matches('_');
    if name.is_empty() { "streamflow".to_owned() } else { name.to_owned() }
}

fn store(project: &str) -> String {
    format!(
        "project: {project}\nprovider: local\nregistry: data/registry.db\nonline_store:\n  type: sqlite\n  path: data/online_store.db\n\
         offline_store:\n  type: file\nentity_key_serialization_version: 3\n"
    )
}

/// The Python file that Feast reads.
fn definitions(dataset: &DatasetSpec, service: &str) -> anyhow::Result<String> {
    let mut text = format!(
        "\"\"\"The features of the model as Feast has them: a view for each table, and the service {service} with all.\"\"\"\n\n\
         from datetime import timedelta\n\nfrom feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType\n\
         from feast.types import Bool, Float64, Int64, String\n\n\
         source = FileSource(name=\"features\", path=\"{DATA_FILE}\", timestamp_field=\"{TIME}\")\n"
    );
    let keys = dataset.entity.columns().iter().zip(dataset.key_types());
    for (at, (column, column_type)) in keys.enumerate() {
        let value_type = if column_type == ColumnType::Integer { "INT64" } else { "STRING" };
        let column = json!(column);
        writeln!(
            text,
            "entity_{at} = Entity(name={column}, join_keys=[{column}], value_type=ValueType.{value_type})"
        )?;
    }
    let entities: Vec<String> =
        (0..dataset.entity.columns().len()).map(|at| format!("entity_{at}")).collect();
    let mut views = Vec::new();
    for table in dataset.tables.keys() {
        let mut fields = String::new();
        for feature in &dataset.features {
            if let Some(column_type) = dataset.column_type(table, feature) {
                let dtype = dtype(feature, column_type)?;
                writeln!(fields, "        Field(name={}, dtype={dtype}),", json!(feature))?;
            }
        }
        if fields.is_empty() {
            continue;
        }
        let view = format!("view_{}", views.len());
        writeln!(
            text,
            "\n{view} = FeatureView(\n    name={},\n    entities=[{}],\n    ttl=timedelta(0),\n    schema=[\n{fields}    ],\n    source=source,\n)",
            json!(table),
            entities.join(", "),
        )?;
        views.push(view);
    }
    writeln!(text, "\nservice = FeatureService(name=\"{service}\", features=[{}])", views.join(", "))?;
    Ok(text)
}

fn dtype(feature: &str, column_type: ColumnType) -> anyhow::Result<&'static str> {
    Ok(match column_type {
        ColumnType::Boolean => "Bool",
        ColumnType::Integer => "Int64",
        ColumnType::Float => "Float64",
        ColumnType::String => "String",
        ColumnType::Date => {
            bail!("the feature {feature} is a date, which no model takes; leave it out of dataset.features")
        }
    })
}

/// Writes what was known of each entity at each month, and gives the number of rows.
fn write_values(
    snapshots: &Snapshots,
    dataset: &DatasetSpec,
    months: &[Period],
    path: &Path,
) -> anyhow::Result<usize> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut names: Vec<(String, OutputType)> = dataset
        .entity
        .columns()
        .iter()
        .zip(dataset.key_types())
        .map(|(column, column_type)| (column.clone(), OutputType::Plain(column_type)))
        .collect();
    for feature in &dataset.features {
        let mut types = dataset.tables.keys().filter_map(|table| dataset.column_type(table, feature));
        let column_type = types.next().with_context(|| format!("no table has the feature {feature}"))?;
        names.push((feature.clone(), OutputType::Plain(column_type)));
    }
    names.push((TIME.to_owned(), OutputType::Time));
    let mut writer = TableWriter::create(path, OutputFormat::Parquet, &names)?;
    let mut rows = 0;
    for &month in months {
        let frame = snapshots.point_in_time(month, PointInTime { labels: false, exact: true })?;
        rows += frame.rows;
        writer.write(columns(&frame, &names, month)?)?;
    }
    writer.finish()?;
    Ok(rows)
}

fn columns(
    frame: &Frame,
    names: &[(String, OutputType)],
    month: Period,
) -> anyhow::Result<Vec<OutputColumn>> {
    let at = month.timestamp().with_context(|| format!("{month} has no time in UTC"))?.as_microsecond();
    let column = |(name, kind): &(String, OutputType)| match kind {
        OutputType::Time => Ok(OutputColumn::Time(vec![at; frame.rows])),
        _ => {
            let found =
                frame.column(name).with_context(|| format!("the month {month} lacks the column {name}"))?;
            Ok(OutputColumn::Plain(PlainColumn::of(&found.values)))
        }
    };
    names.iter().map(column).collect()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    write_aside(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_feast_takes() {
        for (model, expected) in
            [("churn", "churn"), ("Churn-2.eu", "churn_2_eu"), ("__x", "x"), ("—", "streamflow")]
        {
            assert_eq!(project(model), expected);
        }
    }

    #[test]
    fn a_view_for_each_table_with_features() {
        let config = Config::example().unwrap();
        let text = definitions(&config.dataset, "churn").unwrap();
        assert_eq!(text.matches("FeatureView(\n").count(), 4, "{text}");
        assert_eq!(text.matches("Field(name=").count(), config.dataset.features.len(), "{text}");
        assert!(text.contains("Field(name=\"monthly_fee\", dtype=Float64)"), "{text}");
        assert!(!text.contains("churn_label"), "{text}");
    }
}
