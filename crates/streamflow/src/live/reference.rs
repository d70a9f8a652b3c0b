//! What the traffic of a version is compared with: the snapshot that it was trained on, and what it says of its rows.
//!
//! A model is surer of its own training rows than of others. Those who ask are the entities of the training snapshot, as
//! long as they are few new ones, so all of its rows are the reference: rows held out alone would differ from traffic in
//! which nothing has changed.

use std::collections::BTreeMap;

use anyhow::Context as _;
use streamflow_dataset::{Frame, Period, PointInTime};
use streamflow_live::{FeatureReference, Reference, Value};
use streamflow_model::{FeatureValue, Kind, Model, Task};

use super::outputs_of;
use crate::serving::OnlineFeatures;
use crate::store::live::StoredReference;
use crate::store::models::ModelVersion;
use crate::workspace::Workspace;

/// The columns that follow the features.
const OUTPUT_SCORE: &str = "score";
const OUTPUT_CLASS: &str = "class";
const OUTPUT_VALUE: &str = "value";

/// The reference of a version as it is stored; made and stored where it is not there yet.
pub async fn of_version(workspace: &Workspace, version: i64) -> anyhow::Result<StoredReference> {
    let name = &workspace.config.model.name;
    if let Some(stored) = workspace.store.live_reference(name, version).await? {
        return Ok(stored);
    }
    let versions = workspace.registry.versions().await?;
    let found = versions.into_iter().find(|found| found.name == *name && found.version == version);
    let found = found.with_context(|| format!("{name} has no version {version}"))?;
    let model = workspace.registry.load(name, version).await?;
    let of = workspace.clone();
    let (source, reference) = tokio::task::spawn_blocking(move || made(&of, &model, &found)).await??;
    let reference = serde_json::to_value(&reference)?;
    workspace.store.add_live_reference(name, version, &source, &reference).await?;
    let stored = workspace.store.live_reference(name, version).await?;
    stored.with_context(|| format!("the reference of {name} {version} was stored and is not there"))
}

fn made(workspace: &Workspace, model: &Model, version: &ModelVersion) -> anyhow::Result<(String, Reference)> {
    let (source, table) = table(workspace, &version.as_of)?;
    let rows = OnlineFeatures::for_model(model, table, &workspace.config.dataset.entity)?;
    Ok((source, of_rows(model, &rows)))
}

/// The snapshot of the training, or the newest where it is not there: of imported models nobody may have it.
fn table(workspace: &Workspace, as_of: &str) -> anyhow::Result<(String, Frame)> {
    let snapshots = &workspace.snapshots;
    let trained: Option<Period> = as_of.parse().ok();
    let exact = PointInTime { labels: false, exact: true };
    if let Some(Ok(table)) = trained.map(|period| snapshots.point_in_time(period, exact)) {
        return Ok((format!("the training snapshot {as_of}"), table));
    }
    let newest = snapshots.online_features()?;
    let (newest, table) = newest.context("no month was ingested")?;
    Ok((
        format!(
            "the snapshot {newest}, the newest when this version was first served: that of {as_of} is not there"
        ),
        table,
    ))
}

pub(super) fn of_rows(model: &Model, rows: &OnlineFeatures) -> Reference {
    let schema = &model.schema().features;
    let mut columns: Vec<Column> =
        schema.iter().map(|feature| Column::new(matches!(feature.kind, Kind::Numerical))).collect();
    let mut outputs = [Column::new(true), Column::new(false)];
    for row in rows.rows() {
        let values = rows.values(row);
        columns.iter_mut().zip(&values).for_each(|(column, value)| column.add(*value));
        if let Ok(answer) = model.answer(&values) {
            for (column, value) in outputs.iter_mut().zip(outputs_of(model, &answer)) {
                column.add(match value {
                    Value::Number(number) => FeatureValue::Number(number),
                    Value::Text(text) => FeatureValue::Text(text),
                    Value::Missing | Value::Boolean(_) => FeatureValue::Missing,
                });
            }
        }
    }
    let features = schema.iter().zip(columns).map(|(feature, column)| column.finish(&feature.name));
    let [number, class] = outputs;
    let outputs = match model.task() {
        Task::Regression => vec![number.finish(OUTPUT_VALUE)],
        Task::Binary | Task::Multiclass => vec![number.finish(OUTPUT_SCORE), class.finish(OUTPUT_CLASS)],
    };
    Reference::new(features.collect(), outputs)
}

/// The values of a column as they are read.
enum Column {
    Numbers(Vec<f64>),
    Categories { rows: BTreeMap<String, u64>, missing: u64 },
}

impl Column {
    fn new(is_numerical: bool) -> Self {
        if is_numerical {
            Column::Numbers(Vec::new())
        } else {
            Column::Categories { rows: BTreeMap::new(), missing: 0 }
        }
    }

    fn add(&mut self, value: FeatureValue<'_>) {
        match (self, value) {
            (Column::Numbers(numbers), FeatureValue::Number(number)) => numbers.push(number),
            (Column::Numbers(numbers), _) => numbers.push(f64::NAN),
            (Column::Categories { rows, .. }, FeatureValue::Text(text)) => match rows.get_mut(text) {
                Some(count) => *count += 1,
                None => {
                    rows.insert(text.to_owned(), 1);
                }
            },
            (Column::Categories { rows, .. }, FeatureValue::Boolean(truth)) => {
                *rows.entry(truth.to_string()).or_default() += 1;
            }
            (Column::Categories { missing, .. }, _) => *missing += 1,
        }
    }

    fn finish(self, name: &str) -> FeatureReference {
        match self {
            Column::Numbers(numbers) => FeatureReference::numerical(name, numbers),
            Column::Categories { rows, missing } => {
                let rows = rows.iter().map(|(level, rows)| (level.as_str(), *rows));
                FeatureReference::categorical(name, rows, missing)
            }
        }
    }
}
