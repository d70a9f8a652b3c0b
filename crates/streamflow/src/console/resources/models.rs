//! Versions of the model and which of them is served.

use anyhow::Context as _;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::{Extension, Json};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::extract::Path;
use super::{ErrorBody, ResourceError, Resources};
use crate::canary::Share;
use crate::console::guard::Actor;
use crate::registry::{CanaryStatus, VersionImportance};
use crate::store::models::{By, Origin};
use crate::workspace::Workspace;

/// Versions of the model, the newest first.
#[derive(Serialize, ToSchema)]
pub struct Models {
    name: String,
    production: Option<i64>,
    /// The version that answers and is not heard, where one was named.
    shadow: Option<i64>,
    /// The version that answers a share of the entities, where there is one.
    canary: Option<CanaryStatus>,
    versions: Vec<Version>,
}

/// A version of the model.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelVersion)]
struct Version {
    version: i64,
    /// What it predicts: `binary`, `multiclass` or `regression`.
    task: String,
    created: String,
    /// How it came to be, in a few words: `trained, 327 trees, sigmoid`, or `imported XGBoost UBJSON`.
    how: String,
    /// The snapshot it was trained on; of an imported one the last date of its training data, where that is known.
    trained_on: Option<String>,
    seed: i64,
    #[schema(value_type = Object)]
    metrics: Value,
    production: bool,
    /// The run that trained it, where one did.
    run_id: Option<i64>,
    /// Where it comes from, if it was imported.
    origin: Option<Origin>,
}

/// Versions of the model, the newest first.
#[utoipa::path(get, path = "/api/streamflow/models", tag = "models", responses((status = 200, body = Models)))]
pub async fn list(State(resources): State<Resources>) -> Result<Json<Models>, ResourceError> {
    let Workspace { config, registry, .. } = resources.workspace();
    let name = config.model.name.clone();
    let mut versions = Vec::new();
    for version in registry.versions().await?.into_iter().filter(|version| version.name == name) {
        versions.push(Version {
            how: registry.how(&version).await,
            version: version.version,
            task: version.task,
            created: version.created_at,
            trained_on: match &version.origin {
                None => Some(version.as_of),
                Some(origin) => origin.trained_until.clone(),
            },
            seed: version.seed,
            metrics: version.metrics,
            production: version.production,
            run_id: version.run_id,
            origin: version.origin,
        });
    }
    let production = versions.iter().find(|version| version.production).map(|version| version.version);
    let shadow =
        resources.store().shadow(&name).await.map_err(anyhow::Error::from)?.map(|shadow| shadow.version);
    let canary = registry.canary(&name).await?;
    Ok(Json(Models { name, production, shadow, canary, versions }))
}

/// What the features of a version contribute to its answers.
#[utoipa::path(get, path = "/api/streamflow/models/{version}/importance", tag = "models",
    responses((status = 200, body = VersionImportance), (status = 404, body = ErrorBody)))]
pub async fn importance(
    State(resources): State<Resources>,
    Path(version): Path<i64>,
) -> Result<Json<VersionImportance>, ResourceError> {
    let Workspace { config, registry, .. } = resources.workspace();
    let name = &config.model.name;
    let known = registry.versions().await?;
    if !known.iter().any(|found| found.name == *name && found.version == version) {
        return Err(ResourceError::not_found(format!("model {name} has no version {version}")));
    }
    let stored = registry.stored(name, version).await?;
    Ok(Json(VersionImportance::of(&stored)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    version: i64,
}

/// Makes a version the production version.
#[utoipa::path(post, path = "/api/streamflow/models/promote", tag = "models", request_body = Promotion,
    responses((status = 200, body = Models)))]
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

/// A field that may be null and may not be left out: a body that forgets it must end nothing.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Option::deserialize(deserializer)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unheard {
    /// The version; null ends it.
    #[serde(deserialize_with = "said")]
    #[schema(required)]
    version: Option<i64>,
}

/// Lets a version answer beside the one in production without being heard, or ends that.
#[utoipa::path(post, path = "/api/streamflow/models/shadow", tag = "models", request_body = Unheard,
    responses((status = 200, body = Models), (status = 422, body = ErrorBody)))]
pub async fn shadow(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    body: Result<Json<Unheard>, JsonRejection>,
) -> Result<Json<Models>, ResourceError> {
    let Json(Unheard { version }) = body?;
    let Workspace { config, registry, .. } = resources.workspace();
    let (name, by) = (&config.model.name, By { actor: &actor.0, run: None });
    let done = match version {
        Some(version) => registry.start_shadow(name, version, by).await,
        None => registry.end_shadow(name, config.serve.shadow_version(name)?).await,
    };
    done.map_err(|error| ResourceError::refused(&error))?;
    list(State(resources)).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryBody {
    /// The version; null ends the canary.
    #[serde(deserialize_with = "said")]
    #[schema(required)]
    version: Option<i64>,
    /// The share of the entities that it answers, above 0 and up to 1; needed with a version, refused with null.
    share: Option<f64>,
}

/// Lets a version answer a share of the entities in the place of the one in production, or ends that.
#[utoipa::path(post, path = "/api/streamflow/models/canary", tag = "models", request_body = CanaryBody,
    responses((status = 200, body = Models), (status = 422, body = ErrorBody)))]
pub async fn canary(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    body: Result<Json<CanaryBody>, JsonRejection>,
) -> Result<Json<Models>, ResourceError> {
    let Json(CanaryBody { version, share }) = body?;
    let Workspace { config, registry, store, .. } = resources.workspace();
    let (name, by) = (&config.model.name, By { actor: &actor.0, run: None });
    match version {
        None if share.is_some() => {
            let message = "share is given and version is null, which ends the canary; name the version, or leave share out";
            return Err(ResourceError::refused(&anyhow::anyhow!(message)));
        }
        None => drop(store.end_canary(name, None, by).await.map_err(anyhow::Error::from)?),
        Some(version) => {
            let share = share.and_then(Share::new).with_context(|| {
                let given = share.map_or_else(|| "missing".to_owned(), |share| share.to_string());
                format!("share is {given}; expected a share of the entities above 0 and up to 1, such as 0.1")
            });
            let share = share.map_err(|error| ResourceError::refused(&error))?;
            let begun = registry.start_canary(name, version, share, by).await;
            begun.map_err(|error| ResourceError::refused(&error))?;
        }
    }
    list(State(resources)).await
}

/// Returns to the version that was in production before.
#[utoipa::path(post, path = "/api/streamflow/models/rollback", tag = "models", responses((status = 200, body = Models)))]
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
