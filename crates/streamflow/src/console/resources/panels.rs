//! What the overview draws.

use axum::Json;
use serde_json::{Value, json};

use crate::panels::dashboards;

/// `GET /api/streamflow/panels`.
pub async fn panels() -> Json<Value> {
    Json(json!({ "dashboards": dashboards() }))
}
