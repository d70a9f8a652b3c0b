//! What this server is, how it is configured and how much it stores.

use std::path::Path;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{ResourceError, Resources};
use crate::config::Config;

/// What this server is, how it is configured and how much it stores.
#[derive(Serialize, ToSchema)]
pub struct Status {
    version: &'static str,
    build: Build,
    uptime_seconds: u64,
    /// The effective configuration, without secrets.
    #[schema(value_type = Object)]
    config: Value,
    /// The same as TOML.
    config_text: String,
    storage: Vec<Stored>,
    tsdb: SampleStore,
    /// What is damaged in the sample store.
    damage: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct Build {
    target: &'static str,
    os: &'static str,
}

/// A part of what is stored.
#[derive(Clone, Serialize, ToSchema)]
struct Stored {
    name: &'static str,
    path: String,
    bytes: u64,
}

impl Stored {
    fn of(name: &'static str, path: &Path) -> Self {
        Self { name, path: path.display().to_string(), bytes: size_bytes(path) }
    }
}

/// The size of the sample store.
#[derive(Serialize, ToSchema)]
struct SampleStore {
    head_series: u64,
    head_samples: u64,
    head_chunks: u64,
    wal_bytes: u64,
    blocks: u64,
    block_bytes: u64,
}

/// What this server is, how it is configured and how much it stores.
#[utoipa::path(get, path = "/api/streamflow/status", tag = "status", responses((status = 200, body = Status)))]
pub async fn status(State(resources): State<Resources>) -> Result<Json<Status>, ResourceError> {
    let answer = tokio::task::spawn_blocking(move || {
        let parts = &resources.0.parts;
        let workspace = &parts.workspace;
        let config = without_secrets(&workspace.config);
        let parts_stored = ["snapshots", "models", "metrics", "streamflow.db"];
        let mut storage = parts_stored.map(|name| Stored::of(name, &workspace.data_dir.join(name))).to_vec();
        storage.push(Stored::of("reports", workspace.reports.path()));
        let stats = parts.metrics.db().stats();
        let damage = stats.damage.iter().map(|damage| format!("{}: {}", damage.file.display(), damage.what));
        Status {
            version: env!("CARGO_PKG_VERSION"),
            build: Build { target: std::env::consts::ARCH, os: std::env::consts::OS },
            uptime_seconds: resources.0.started.elapsed().as_secs(),
            config_text: toml::to_string_pretty(&set(&config)).unwrap_or_default(),
            config,
            storage,
            tsdb: SampleStore {
                head_series: stats.head_series,
                head_samples: stats.head_samples,
                head_chunks: stats.head_chunks,
                wal_bytes: stats.wal_bytes,
                blocks: stats.blocks,
                block_bytes: stats.block_bytes,
            },
            damage: damage.collect(),
            warnings: parts.metrics.warnings(),
        }
    });
    Ok(Json(answer.await?))
}

/// The effective configuration. Password hashes and digests of keys are nobody's business.
fn without_secrets(config: &Config) -> Value {
    let mut value = serde_json::to_value(config).unwrap_or_default();
    if let Some(users) = value["console"]["users"].as_object_mut() {
        users.values_mut().for_each(|user| user["password"] = json!("(hidden)"));
    }
    if let Some(keys) = value["api"]["keys"].as_object_mut() {
        keys.values_mut().for_each(|key| key["sha256"] = json!("(hidden)"));
    }
    value
}

/// Without the keys that have no value: TOML has no word for them.
fn set(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(name, value)| (name.clone(), set(value))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(values) => values.iter().map(set).collect(),
        other => other.clone(),
    }
}

/// Bytes of a file, or of all files below a folder; what cannot be read counts nothing.
fn size_bytes(path: &Path) -> u64 {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return 0 };
    if !meta.is_dir() {
        return meta.len();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size_bytes(&entry.path())).sum()
}
