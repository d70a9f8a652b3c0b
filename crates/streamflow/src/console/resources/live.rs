//! Drift of live traffic.

use axum::Json;
use axum::extract::State;

use super::Resources;
use crate::live::LiveDocument;

/// What live traffic looks like against what the model was trained on, as of the last minute.
#[utoipa::path(get, path = "/api/streamflow/live", tag = "models", responses((status = 200, body = LiveDocument)))]
pub async fn live(State(resources): State<Resources>) -> Json<LiveDocument> {
    Json(LiveDocument::of(&resources.0.parts.live.status()))
}
