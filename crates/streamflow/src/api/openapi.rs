//! `GET /openapi.json`, from the handlers' own annotations, and `GET /docs`, Swagger UI out of the binary.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use streamflow_dataset::EntityKey;
use streamflow_model::Task;
use utoipa::{OpenApi, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::models::Models;
use super::protocols::openapi::add_routes;
use super::{
    ApiState, answer, explained, features, health, labels, looked_up, metrics, predict, pushed, sent,
};
use crate::config::Protocol;

/// What the annotations call the entity's field, whose name is known only once the configuration is read.
const PLACEHOLDER: &str = "entity";

/// The entity to predict for.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents a body that request.rs reads")]
pub struct PredictRequest {
    /// The entity: a field for each column of its key; an integer where the column holds integers.
    entity: String,
}

/// The prediction API.
#[derive(OpenApi)]
#[openapi(
    info(title = "StreamFlow predictions", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    paths(predict::predict, predict::predict_batch, labels::labels, pushed::features, health::health, health::ready, metrics::metrics),
    tags((name = "predictions", description = "Ask the served model"), (name = "labels", description = "Say what came true"), (name = "features", description = "Push features that are newer than the snapshot"), (name = "service", description = "Health and metrics")),
)]
struct Document;

/// The OpenAPI document with the entity's fields under the names of its key's columns, or with the features of a model file, and
/// with the routes of the protocols that are on.
pub fn document(key: &EntityKey, models: &Models, protocols: &[Protocol]) -> Bytes {
    let mut document = serde_json::to_value(Document::openapi()).expect("the document is plain data");
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        for schema in schemas.values_mut() {
            name_entity(schema, key);
        }
        if key.single().is_none()
            && let Some(listed) = schemas.get("PredictRequest").cloned()
            && let Some(items) = schemas
                .get_mut("BatchRequest")
                .and_then(|batch| batch.pointer_mut("/properties/entities/items"))
        {
            *items = listed;
        }
        // Forms are told apart by the fields that they have; one that has more is also the one that has fewer.
        if let Some(Value::Object(result)) = schemas.get_mut("BatchResult")
            && let Some(forms) = result.remove("oneOf")
        {
            result.insert("anyOf".to_owned(), forms);
        }
    }
    sent::describe(&mut document);
    looked_up::describe(&mut document);
    if models.are_files() {
        let files = models.loaded();
        features::document(&mut document, if let [one] = &files[..] { Some(one) } else { None });
    }
    explained::describe(&mut document);
    name_models(&mut document);
    add_routes(&mut document, protocols);
    serde_json::to_vec(&document).expect("a JSON value can be written").into()
}

/// Adds the same predictions by the model's name.
fn name_models(document: &mut Value) {
    let Some(Value::Object(paths)) = document.pointer_mut("/paths") else { return };
    for (path, named) in [("/predict", "/predict/{model}"), ("/predict/batch", "/predict/{model}/batch")] {
        let Some(mut route) = paths.get(path).cloned() else { continue };
        let id = format!("{}_named", route["post"]["operationId"].as_str().unwrap_or_default());
        route["post"]["operationId"] = id.into();
        let model =
            json!({ "name": "model", "in": "path", "required": true, "schema": { "type": "string" } });
        if let Value::Array(parameters) = &mut route["post"]["parameters"] {
            parameters.insert(0, model);
        }
        let error = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/ErrorBody" } } });
        route["post"]["responses"]["404"] =
            json!({ "description": "No such model; or nothing is known about the entity", "content": error });
        paths.insert(named.to_owned(), route);
    }
}

/// Puts a field for each column of the key in the place of the entity's.
fn name_entity(schema: &mut Value, key: &EntityKey) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        let mut named = Map::new();
        for (name, value) in std::mem::take(properties) {
            match name == PLACEHOLDER {
                true => named.extend(key.columns().iter().map(|column| (column.clone(), value.clone()))),
                false => drop(named.insert(name, value)),
            }
        }
        *properties = named;
    }
    if let Some(Value::Array(required)) = schema.get_mut("required")
        && let Some(place) = required.iter().position(|name| name == PLACEHOLDER)
    {
        required.splice(place..=place, key.columns().iter().map(|column| column.as_str().into()));
    }
}

/// The OpenAPI document, with the answers of the model that is served.
pub async fn openapi(State(state): State<ApiState>) -> impl IntoResponse {
    let mut body = state.0.openapi.clone();
    if let Some(serving) = state.0.served.load().as_deref().filter(|found| found.model.task() != Task::Binary)
    {
        let mut document = serde_json::from_slice(&body).unwrap_or_default();
        answer::describe(&mut document, serving);
        body = serde_json::to_vec(&document).expect("a JSON value can be written").into();
    }
    ([(header::CONTENT_TYPE, "application/json")], body)
}

/// Swagger UI for that document. No file of it comes from another host, and no validator is asked.
pub fn docs() -> SwaggerUi {
    SwaggerUi::new("/docs").config(Config::from("/openapi.json").validator_url("none"))
}
