//! Versions of the model and which of them is served.

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ResourceError, Resources};
use crate::console::guard::Actor;
use crate::store::models::By;
use crate::workspace::Workspace;

#[derive(Serialize)]
pub struct Models {
    name: String,
    production: Option<i64>,
    versions: Vec<Version>,
}

#[derive(Serialize)]
struct Version {
    version: i64,
    created: String,
    /// The snapshot it was trained on.
    trained_on: String,
    seed: i64,
    metrics: Value,
    production: bool,
    /// The run that trained it, where one did.
    run_id: Option<i64>,
}

/// `GET /api/streamflow/models`: newest version first.
pub async fn list(State(resources): State<Resources>) -> Result<Json<Models>, ResourceError> {
    let Workspace { config, registry, .. } = resources.workspace();
    let name = config.model.name.clone();
    let versions: Vec<Version> = registry
        .versions()
        .await?
        .into_iter()
        .filter(|version| version.name == name)
        .map(|version| Version {
            version: version.version,
            created: version.created_at,
            trained_on: version.as_of,
            seed: version.seed,
            metrics: version.metrics,
            production: version.production,
            run_id: version.run_id,
        })
        .collect();
    let production = versions.iter().find(|version| version.production).map(|version| version.version);
    Ok(Json(Models { name, production, versions }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    version: i64,
}

/// `POST /api/streamflow/models/promote`.
pub async fn promote(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    body: Result<Json<Promotion>, JsonRejection>,
) -> Result<Json<Models>, ResourceError> {
    let Json(Promotion { version }) = body?;
    let Workspace { config, registry, .. } = resources.workspace();
    let promoted = registry.promote(&config.model.name, version, By { actor: &actor.0, run: None }).await;
    promoted.map_err(|error| ResourceError::refused(&error))?;
    tracing::info!(version, "promoted from the console");
    list(State(resources)).await
}

/// `POST /api/streamflow/models/rollback`.
pub async fn rollback(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Models>, ResourceError> {
    let Workspace { config, registry, .. } = resources.workspace();
    let returned = registry.rollback(&config.model.name, By { actor: &actor.0, run: None }).await;
    let version = returned.map_err(|error| ResourceError::refused(&error))?;
    tracing::info!(version, "rolled back from the console");
    list(State(resources)).await
}
