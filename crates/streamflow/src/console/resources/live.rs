//! Drift of live traffic.

use axum::Json;
use axum::extract::State;

use super::{ResourceError, Resources};
use crate::live::{LiveDocument, add_certificates};

/// What live traffic looks like against what the model was trained on, as of the last minute.
#[utoipa::path(get, path = "/api/streamflow/live", tag = "models", responses((status = 200, body = LiveDocument)))]
pub async fn live(State(resources): State<Resources>) -> Result<Json<LiveDocument>, ResourceError> {
    let mut document = LiveDocument::of(&resources.0.parts.live.status());
    add_certificates(resources.workspace(), &mut document).await?;
    Ok(Json(document))
}
