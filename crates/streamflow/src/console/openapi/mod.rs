//! The OpenAPI description of the operator plane: our own resources from their annotations, Prometheus's API from a table,
//! and of both what the guard answers before them, by the rights that the routes are declared with.

mod prometheus;

use axum::http::Method;
use serde_json::{Map, Value, json};
use utoipa::OpenApi as _;

use super::auth::is_safe;
use super::resources::{self, Document};
use super::rights::{self, Access, Client, Right};

/// The key under which an operation tells the role that it needs.
const ROLE_KEY: &str = "x-streamflow-role";

/// The description, for a console below this path prefix.
pub fn document(prefix: &str) -> Value {
    let mut document = serde_json::to_value(Document::openapi()).expect("the description is plain data");
    document["servers"] = json!([{ "url": if prefix.is_empty() { "/" } else { prefix } }]);
    document["components"]["securitySchemes"] = json!({
        "token": { "type": "http", "scheme": "bearer" },
        "password": { "type": "http", "scheme": "basic" },
        "session": { "type": "apiKey", "in": "cookie", "name": "streamflow_session" },
    });
    let shared = ANSWERS.map(|(status, description)| (status.to_owned(), failure(description)));
    document["components"]["responses"] = shared.into_iter().collect::<Map<_, _>>().into();
    let paths = document["paths"].as_object_mut().expect("a description has paths");
    for (path, operations) in paths.iter_mut() {
        let route = resources::routes().into_iter().find(|route| route.path == path.as_str());
        let access = route.map_or_else(|| rights::unrouted(path), |route| route.access);
        add_answers_of_the_guard(path, operations, access);
        for (_, operation) in operations.as_object_mut().into_iter().flatten() {
            let responses = operation["responses"].as_object_mut().expect("an operation has responses");
            add_answer(responses, "503");
        }
    }
    for (path, mut operations) in prometheus::paths() {
        add_answers_of_the_guard(path, &mut operations, rights::prometheus(path));
        paths.insert(path.to_owned(), operations);
    }
    document
}

/// Adds to each operation of a path what is answered before its handler is asked.
fn add_answers_of_the_guard(path: &str, operations: &mut Value, access: Access) {
    for (name, operation) in operations.as_object_mut().into_iter().flatten() {
        let method: Method = name.to_uppercase().parse().unwrap_or(Method::GET);
        operation["operationId"] = format!("{name} {path}").into();
        let responses = operation["responses"].as_object_mut().expect("an operation has responses");
        for status in statuses(access, &method) {
            add_answer(responses, status);
        }
        operation["security"] = match access.right {
            Right::Open => json!([]),
            _ => json!([{ "token": [] }, { "password": [] }, { "session": [] }]),
        };
        let role = if is_safe(&method) { None } else { access.right.role() };
        if let Some(role) = role {
            operation[ROLE_KEY] = json!(role);
        }
        if !is_safe(&method) && access.client == Client::Console {
            add_token(operation);
        }
    }
}

/// What is answered before a handler is asked, or in its place.
const ANSWERS: [(&str, &str); 12] = [
    ("400", "A parameter or the body cannot be read."),
    ("401", "Nobody is logged in."),
    ("403", "The role does not allow it, the token is missing, or it comes from another site's page."),
    ("404", "There is no such thing."),
    ("408", "The body did not arrive in time."),
    ("413", "The body is too large."),
    ("415", "The body is of another media type."),
    ("421", "Nobody gave the server the name it was asked for."),
    ("422", "The body is not what is expected, or it cannot be done."),
    ("429", "Too many wrong passwords."),
    ("500", "What fails without the caller's doing."),
    ("503", "The database does not answer, or too many bodies are arriving: then with Retry-After."),
];

/// The statuses of those that a request can come to.
fn statuses(access: Access, method: &Method) -> Vec<&'static str> {
    let mut statuses = vec!["400", "500"];
    if access.right != Right::Open {
        statuses.extend(["401", "403", "429"]);
    }
    if access.client == Client::Console || !is_safe(method) {
        statuses.push("421");
    }
    if !is_safe(method) {
        statuses.extend(["403", "408", "413", "415", "422", "503"]);
    }
    statuses
}

/// A failure with its body.
fn failure(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/ErrorBody" });
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

/// Adds an answer of the guard, beside the one that the operation itself describes for the status, if any.
fn add_answer(responses: &mut Map<String, Value>, status: &str) {
    let shared = json!({ "$ref": format!("#/components/responses/{status}") });
    let answer = responses.entry(status).or_insert_with(|| shared.clone());
    if *answer == shared {
        return;
    }
    let body = json!({ "$ref": "#/components/schemas/ErrorBody" });
    match answer["content"].get_mut("application/json") {
        Some(own) if own["schema"] == body => *answer = shared,
        Some(own) => {
            let schema = own["schema"].take();
            own["schema"] = json!({ "anyOf": [schema, body] });
        }
        None => answer["content"]["application/json"] = json!({ "schema": body }),
    }
}

/// Adds the header that carries the caller's token.
fn add_token(operation: &mut Value) {
    let header = json!({
        "name": "X-StreamFlow-Token", "in": "header", "required": false, "schema": { "type": "string" },
        "description": "The token of GET /api/streamflow/session; programs with credentials of their own need none.",
    });
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(header),
        None => operation["parameters"] = json!([header]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::Role;

    /// Where the web console's types are made from.
    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../console/openapi.json");

    #[test]
    fn every_route_is_described_and_everything_described_is_a_route() {
        let document = document("");
        let described: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
        let own = resources::routes().map(|route| route.path.to_owned());
        let routes: BTreeSet<String> = own.into_iter().chain(streamflow_prometheus::paths()).collect();
        assert_eq!(described, routes);
    }

    #[test]
    fn an_operation_tells_the_role_it_needs() {
        let document = document("/ops");
        assert_eq!(document["servers"][0]["url"], "/ops");
        for (path, method, expected) in [
            ("/api/streamflow/models/promote", "post", Some(Role::Operator)),
            ("/api/streamflow/models", "get", None),
            ("/api/streamflow/predict", "post", None),
            ("/api/v1/query", "post", None),
            ("/api/v1/write", "post", Some(Role::Admin)),
            ("/api/v1/admin/tsdb/snapshot", "put", Some(Role::Operator)),
            ("/-/reload", "put", Some(Role::Operator)),
        ] {
            let operation = &document["paths"][path][method];
            assert!(operation["responses"].is_object(), "{method} {path} is described");
            assert_eq!(operation.get(ROLE_KEY), expected.map(|role| json!(role)).as_ref(), "{method} {path}");
        }
    }

    /// `STREAMFLOW_WRITE_GOLDEN=1` writes the file anew.
    #[test]
    fn the_console_knows_this_description() {
        let text = serde_json::to_string_pretty(&document("")).unwrap() + "\n";
        if std::env::var_os("STREAMFLOW_WRITE_GOLDEN").is_some() {
            std::fs::write(GOLDEN, &text).unwrap();
        }
        let golden = std::fs::read_to_string(GOLDEN).unwrap();
        assert!(
            golden == text,
            "console/openapi.json is not what the server answers: run this test with STREAMFLOW_WRITE_GOLDEN=1, then \
             `npm run types` in console/"
        );
    }
}
