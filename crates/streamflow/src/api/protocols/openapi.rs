//! The routes of the protocols in the OpenAPI document, those alone that are on.

use serde_json::{Map, Value, json};

use crate::config::Protocol;

/// A route as it is described.
struct Route {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// What a body is, where there is one.
    body: Option<&'static str>,
    /// Media types of a good answer.
    answer: &'static str,
    /// Statuses beside 200, whose bodies have `error`.
    fails: &'static [u16],
}

const JSON: &str = "application/json";
/// What a request for predictions may be answered with.
const OF_PREDICTIONS: &[u16] = &[400, 401, 403, 404, 408, 413, 415, 422, 429, 503];
const OF_MODELS: &[u16] = &[404, 503];
const OF_REPOSITORY: &[u16] = &[400, 401, 403, 404, 408, 413, 422, 429, 503];

const V2: &[Route] = &[
    get("/v2", "The server", JSON, &[]),
    get("/v2/health/live", "The process lives", JSON, &[]),
    get("/v2/health/ready", "Requests are answered", JSON, &[503]),
    get("/v2/models/{model}", "A model: its inputs, which are its features, and outputs", JSON, OF_MODELS),
    get("/v2/models/{model}/versions/{version}", "A version of a model", JSON, OF_MODELS),
    get("/v2/models/{model}/ready", "The model is loaded", "", OF_MODELS),
    get("/v2/models/{model}/versions/{version}/ready", "The version is loaded", "", OF_MODELS),
    post("/v2/models/{model}/infer", "Predict from tensors", OF_PREDICTIONS),
    post("/v2/models/{model}/versions/{version}/infer", "Predict by a version from tensors", OF_PREDICTIONS),
    post("/v2/repository/index", "The models, loaded or not", OF_REPOSITORY),
    empty("/v2/repository/models/{model}/load", "Read the model's file and serve it"),
    empty("/v2/repository/models/{model}/unload", "Take the model out of service"),
];

const KSERVE: &[Route] = &[
    get("/", "The process lives", JSON, &[]),
    get("/v1/models", "The names of the models", JSON, &[]),
    get("/v1/models/{model}", "A model is loaded", JSON, OF_MODELS),
    post("/v1/models/{model}:predict", "Predict from rows", OF_PREDICTIONS),
];

const MLFLOW: &[Route] = &[
    get("/ping", "The model is loaded", "text/plain", OF_MODELS),
    get("/version", "The version of the server", "text/plain", &[]),
    post("/invocations", "Predict from JSON or CSV", OF_PREDICTIONS),
];

const fn get(
    path: &'static str,
    summary: &'static str,
    answer: &'static str,
    fails: &'static [u16],
) -> Route {
    Route { method: "get", path, summary, body: None, answer, fails }
}

const fn post(path: &'static str, summary: &'static str, fails: &'static [u16]) -> Route {
    Route { method: "post", path, summary, body: Some(JSON), answer: JSON, fails }
}

const fn empty(path: &'static str, summary: &'static str) -> Route {
    Route { method: "post", path, summary, body: None, answer: "", fails: OF_REPOSITORY }
}

/// Adds the routes of these protocols.
pub fn add_routes(document: &mut Value, protocols: &[Protocol]) {
    let Some(Value::Object(paths)) = document.pointer_mut("/paths") else { return };
    for protocol in protocols {
        let (tag, routes) = match protocol {
            Protocol::V2 => ("Open Inference Protocol (v2)", V2),
            Protocol::Kserve => ("KServe version 1", KSERVE),
            Protocol::Mlflow => ("MLflow and SageMaker", MLFLOW),
        };
        for route in routes {
            paths.insert(route.path.to_owned(), json!({ route.method: described(route, tag) }));
        }
    }
}

fn described(route: &Route, tag: &str) -> Value {
    let names = route.path.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0));
    let parameter =
        |name: &str| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
    let mut responses = Map::new();
    let content = match route.answer {
        "" => json!({}),
        "text/plain" => json!({ "text/plain": { "schema": { "type": "string" } } }),
        media => json!({ media: { "schema": {} } }),
    };
    let mut good = json!({ "description": "The answer" });
    if content != json!({}) {
        good["content"] = content;
    }
    responses.insert("200".to_owned(), good);
    for status in route.fails {
        let schema = json!({ "type": "object" });
        let mut content = json!({ JSON: { "schema": schema } });
        // MLflow says this one in plain text.
        if *status == 415 {
            content["text/plain"] = json!({ "schema": { "type": "string" } });
        }
        responses.insert(status.to_string(), json!({ "description": "The reason", "content": content }));
    }
    let id = format!("{}{}", route.method, route.path.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    let mut operation = json!({
        "tags": [tag], "summary": route.summary, "operationId": id, "responses": responses,
        "parameters": names.map(parameter).collect::<Vec<_>>(),
    });
    if let Some(media) = route.body {
        operation["requestBody"] = json!({ "content": { media: { "schema": { "type": "object" } } } });
    }
    operation
}
