//! What the overview draws.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::panels::{Dashboard, dashboards};

/// The dashboards of the overview.
#[derive(Serialize, ToSchema)]
pub struct Panels {
    dashboards: Vec<Dashboard>,
}

/// What the overview draws.
#[utoipa::path(get, path = "/api/streamflow/panels", tag = "panels", responses((status = 200, body = Panels)))]
pub async fn panels() -> Json<Panels> {
    Json(Panels { dashboards: dashboards() })
}
