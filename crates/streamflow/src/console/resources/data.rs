//! The ingested months.

use std::path::Path;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use streamflow_dataset::Snapshot;
use utoipa::ToSchema;

use super::{ResourceError, Resources};

/// An ingested month.
#[derive(Serialize, ToSchema)]
#[schema(as = Snapshot)]
pub struct SnapshotEntry {
    as_of: String,
    revision: u64,
    rows: u64,
    /// When it was committed.
    ingested: Option<String>,
    tables: Vec<SnapshotTable>,
}

/// A table of a month.
#[derive(Serialize, ToSchema)]
struct SnapshotTable {
    name: String,
    rows: u64,
    bytes: u64,
    /// The file it was read from.
    source: String,
    sha256: String,
    /// Validation results in the form of Great Expectations.
    #[schema(value_type = Vec<Object>)]
    expectations: Vec<Value>,
    passed: usize,
    failed: usize,
}

/// The ingested months, the newest first.
#[utoipa::path(get, path = "/api/streamflow/snapshots", tag = "data", responses((status = 200, body = Vec<SnapshotEntry>)))]
pub async fn snapshots(
    State(resources): State<Resources>,
) -> Result<Json<Vec<SnapshotEntry>>, ResourceError> {
    let workspace = resources.workspace();
    let (store, dir) = (workspace.snapshots.clone(), workspace.data_dir.join("snapshots"));
    let list = tokio::task::spawn_blocking(move || {
        let snapshots = store.snapshots()?;
        anyhow::Ok(snapshots.iter().rev().map(|snapshot| entry(snapshot, &dir)).collect())
    });
    Ok(Json(list.await??))
}

/// Each month with the moment it was ingested, as the database writes moments.
pub async fn ingests(resources: &Resources) -> Result<Vec<(String, String)>, ResourceError> {
    let workspace = resources.workspace();
    let (store, dir) = (workspace.snapshots.clone(), workspace.data_dir.join("snapshots"));
    let list = tokio::task::spawn_blocking(move || {
        let found = store.snapshots()?;
        let of = |snapshot: &Snapshot| {
            Some((snapshot.as_of.to_string(), ingested(&dir.join(&snapshot.validation))?))
        };
        anyhow::Ok(found.iter().filter_map(of).collect())
    });
    Ok(list.await??)
}

fn entry(snapshot: &Snapshot, dir: &Path) -> SnapshotEntry {
    let validation: Value = std::fs::read(dir.join(&snapshot.validation))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let results = validation["results"].as_array().cloned().unwrap_or_default();
    let tables = snapshot.tables.iter().map(|(name, table)| {
        let of_table = |result: &&Value| result["expectation_config"]["kwargs"]["batch_id"] == json!(name);
        let own: Vec<Value> = results.iter().filter(of_table).cloned().collect();
        let passed = own.iter().filter(|result| result["success"] == json!(true)).count();
        SnapshotTable {
            name: name.clone(),
            rows: table.rows,
            bytes: table.size_bytes,
            source: table.source.clone(),
            sha256: table.source_sha256.clone(),
            passed,
            failed: own.len() - passed,
            expectations: own,
        }
    });
    SnapshotEntry {
        as_of: snapshot.as_of.to_string(),
        revision: snapshot.revision,
        rows: snapshot.rows(),
        ingested: ingested(&dir.join(&snapshot.validation)),
        tables: tables.collect(),
    }
}

/// When the month was committed, as its validation result was written then.
fn ingested(validation: &Path) -> Option<String> {
    let written = std::fs::metadata(validation).ok()?.modified().ok()?;
    Some(format!("{:.3}", jiff::Timestamp::try_from(written).ok()?))
}
