//! What this server is, how it is configured and how much it stores.

use std::path::Path;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{ResourceError, Resources};
use crate::config::Config;

/// `GET /api/streamflow/status`.
pub async fn status(State(resources): State<Resources>) -> Result<Json<Value>, ResourceError> {
    let answer = tokio::task::spawn_blocking(move || {
        let parts = &resources.0.parts;
        let workspace = &parts.workspace;
        let config = without_secrets(&workspace.config);
        let storage = ["snapshots", "models", "metrics", "streamflow.db"].map(|name| {
            let path = workspace.data_dir.join(name);
            json!({ "name": name, "path": path, "bytes": size_bytes(&path) })
        });
        let reports = workspace.reports.path();
        let reports = json!({ "name": "reports", "path": reports, "bytes": size_bytes(reports) });
        let stats = parts.metrics.db().stats();
        let damage = stats.damage.iter().map(|damage| format!("{}: {}", damage.file.display(), damage.what));
        let damage: Vec<String> = damage.collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "build": { "target": std::env::consts::ARCH, "os": std::env::consts::OS },
            "uptime_seconds": resources.0.started.elapsed().as_secs(),
            "config": config,
            "config_text": toml::to_string_pretty(&set(&config)).unwrap_or_default(),
            "storage": storage.into_iter().chain([reports]).collect::<Vec<_>>(),
            "tsdb": {
                "head_series": stats.head_series,
                "head_samples": stats.head_samples,
                "head_chunks": stats.head_chunks,
                "wal_bytes": stats.wal_bytes,
                "blocks": stats.blocks,
                "block_bytes": stats.block_bytes,
            },
            "damage": damage,
            "warnings": parts.metrics.warnings(),
        })
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
