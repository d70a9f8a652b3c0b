//! Prometheus's HTTP API as OpenAPI: a row for each route.

use serde_json::{Map, Value, json};

/// A route: its path, how it is asked, its parameters, what it answers.
struct Row(&'static str, Asked, &'static [Parameter], Answer);

/// A parameter: its name, and what it is.
type Parameter = (&'static str, Kind);

/// How a route is asked.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Get,
    /// By GET, or by POST with the parameters as a form.
    GetOrForm,
    /// By POST with a remote write.
    Write,
    /// By POST with metrics of OpenTelemetry.
    Otlp,
    /// By POST with a remote read.
    Read,
    /// By POST or PUT, with parameters in the address or as a form.
    Command,
}

/// What a parameter is.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// Without it there is no answer.
    Needed,
    /// May be there more than once.
    Many,
    /// Once at least.
    SomeNeeded,
    /// Part of the path.
    Path,
}

/// What a route answers with 200.
#[derive(Clone, Copy)]
enum Answer {
    /// `{"status":"success","data":…}` whose data have this type of JSON.
    Data(&'static str),
    /// A value of a query.
    Value,
    Text,
    Nothing,
    /// 204, or why not as the API answers it.
    Done,
}

use Answer::{Data, Done, Nothing, Text};
use Asked::{Command, Get, GetOrForm, Otlp, Read, Write};
use Kind::{Many, Needed, SomeNeeded};

const TIME: Parameter = ("time", Kind::Text);
const START: Parameter = ("start", Kind::Text);
const END: Parameter = ("end", Kind::Text);
const LIMIT: Parameter = ("limit", Kind::Text);
const TIMEOUT: Parameter = ("timeout", Kind::Text);
const STATS: Parameter = ("stats", Kind::Text);
const LOOKBACK: Parameter = ("lookback_delta", Kind::Text);
const RESOLUTION: Parameter = ("max_source_resolution", Kind::Text);
const QUERY: Parameter = ("query", Needed);
const MATCH: Parameter = ("match[]", Many);

static ROWS: &[Row] = &[
    Row(
        "/api/v1/query",
        GetOrForm,
        &[QUERY, TIME, TIMEOUT, LIMIT, STATS, LOOKBACK, RESOLUTION],
        Answer::Value,
    ),
    Row(
        "/api/v1/query_range",
        GetOrForm,
        &[
            QUERY,
            ("start", Needed),
            ("end", Needed),
            ("step", Needed),
            TIMEOUT,
            LIMIT,
            STATS,
            LOOKBACK,
            RESOLUTION,
        ],
        Answer::Value,
    ),
    Row("/api/v1/query_exemplars", GetOrForm, &[QUERY, START, END], Data("array")),
    Row("/api/v1/format_query", GetOrForm, &[QUERY], Data("string")),
    Row("/api/v1/parse_query", GetOrForm, &[QUERY], Data("object")),
    Row("/api/v1/scrape_pools", Get, &[], Data("object")),
    Row("/api/v1/series", GetOrForm, &[("match[]", SomeNeeded), START, END, LIMIT], Data("array")),
    Row("/api/v1/labels", GetOrForm, &[MATCH, START, END, LIMIT], Data("array")),
    Row("/api/v1/label/{name}/values", Get, &[("name", Kind::Path), MATCH, START, END, LIMIT], Data("array")),
    Row(
        "/api/v1/metadata",
        Get,
        &[("metric", Kind::Text), LIMIT, ("limit_per_metric", Kind::Text)],
        Data("object"),
    ),
    Row("/api/v1/targets", Get, &[("state", Kind::Text), ("scrapePool", Kind::Text)], Data("object")),
    Row(
        "/api/v1/targets/metadata",
        Get,
        &[("match_target", Kind::Text), ("metric", Kind::Text), LIMIT],
        Data("array"),
    ),
    Row("/api/v1/alertmanagers", Get, &[], Data("object")),
    Row(
        "/api/v1/rules",
        Get,
        &[
            ("type", Kind::Text),
            ("rule_name[]", Many),
            ("rule_group[]", Many),
            ("file[]", Many),
            MATCH,
            ("exclude_alerts", Kind::Text),
        ],
        Data("object"),
    ),
    Row("/api/v1/alerts", Get, &[], Data("object")),
    Row("/api/v1/status/buildinfo", Get, &[], Data("object")),
    Row("/api/v1/status/runtimeinfo", Get, &[], Data("object")),
    Row("/api/v1/status/flags", Get, &[], Data("object")),
    Row("/api/v1/status/config", Get, &[], Data("object")),
    Row("/api/v1/status/tsdb", Get, &[LIMIT], Data("object")),
    Row("/api/v1/status/walreplay", Get, &[], Data("object")),
    Row("/api/v1/notifications", Get, &[], Data("array")),
    Row("/api/v1/notifications/live", Get, &[], Text),
    Row("/api/v1/read", Read, &[], Nothing),
    Row("/api/v1/write", Write, &[], Nothing),
    Row("/api/v1/otlp/v1/metrics", Otlp, &[], Nothing),
    Row("/api/v1/admin/tsdb/delete_series", Command, &[("match[]", SomeNeeded), START, END], Done),
    Row("/api/v1/admin/tsdb/clean_tombstones", Command, &[], Done),
    Row("/api/v1/admin/tsdb/snapshot", Command, &[("skip_head", Kind::Text)], Data("object")),
    Row("/federate", Get, &[MATCH], Text),
    Row("/metrics", Get, &[], Text),
    Row("/-/healthy", Get, &[], Text),
    Row("/-/ready", Get, &[], Text),
    Row("/-/reload", Command, &[], Nothing),
];

/// The paths with their operations.
pub fn paths() -> impl Iterator<Item = (&'static str, Value)> {
    ROWS.iter().map(|row| (row.0, operations(row)))
}

fn operations(Row(_, asked, parameters, answer): &Row) -> Value {
    let methods: &[&str] = match asked {
        Get => &["get"],
        GetOrForm => &["get", "post"],
        Write | Otlp | Read => &["post"],
        Command => &["post", "put"],
    };
    let operation = |method: &&str| {
        let mut operation = json!({ "tags": ["prometheus"], "responses": responses(*asked, *answer) });
        let commands = *asked == Command && !parameters.is_empty();
        let is_form = commands || (*method == "post" && *asked == GetOrForm);
        let of_address: Vec<Value> = parameters
            .iter()
            .filter(|(_, kind)| matches!(kind, Kind::Path) || !is_form)
            .map(parameter)
            .collect();
        operation["parameters"] = of_address.into();
        if is_form {
            let schema = form(parameters);
            operation["requestBody"] =
                json!({ "content": { "application/x-www-form-urlencoded": { "schema": schema } } });
        }
        if matches!(asked, Write | Otlp | Read) {
            let schema = json!({ "type": "string", "format": "binary" });
            let mut content = json!({ "application/x-protobuf": { "schema": schema } });
            if *asked == Otlp {
                content["application/json"] = json!({ "schema": { "type": "object" } });
            }
            operation["requestBody"] = json!({ "content": content });
        }
        ((*method).to_owned(), operation)
    };
    methods.iter().map(operation).collect::<Map<_, _>>().into()
}

fn parameter((name, kind): &Parameter) -> Value {
    json!({
        "name": name,
        "in": if matches!(kind, Kind::Path) { "path" } else { "query" },
        "required": matches!(kind, Needed | SomeNeeded | Kind::Path),
        "schema": schema(*kind),
    })
}

fn form(parameters: &[Parameter]) -> Value {
    let properties: Map<String, Value> =
        parameters.iter().map(|(name, kind)| ((*name).to_owned(), schema(*kind))).collect();
    let needed = parameters.iter().filter(|(_, kind)| matches!(kind, Needed | SomeNeeded));
    json!({ "type": "object", "properties": properties, "required": needed.map(|(name, _)| name).collect::<Vec<_>>() })
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Text | Needed | Kind::Path => json!({ "type": "string" }),
        Many => json!({ "type": "array", "items": { "type": "string" } }),
        SomeNeeded => json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }),
    }
}

fn responses(asked: Asked, answer: Answer) -> Value {
    let text = json!({ "text/plain": { "schema": { "type": "string" } } });
    let mut responses = match answer {
        Data(kind) => json!({ "200": answered(success(json!({ "type": kind }))) }),
        Answer::Value => json!({ "200": answered(success(value())) }),
        Text => json!({ "200": { "description": "The answer.", "content": text } }),
        Done => json!({ "204": { "description": "It is done." } }),
        Nothing if asked == Write => json!({ "204": { "description": "The samples are kept." } }),
        Nothing => json!({ "200": { "description": "It is done." } }),
    };
    let (statuses, content): (&[&str], _) = match answer {
        Data(_) | Answer::Value | Done => {
            (&["400", "422", "503", "500"], json!({ "application/json": { "schema": error() } }))
        }
        Text | Nothing => (&["400", "413", "415", "500"], text),
    };
    for status in statuses {
        responses[status] = json!({ "description": "Why there is none.", "content": content });
    }
    responses
}

fn answered(schema: Value) -> Value {
    json!({ "description": "The answer.", "content": { "application/json": { "schema": schema } } })
}

/// What a good answer has around its data.
fn success(data: Value) -> Value {
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    json!({
        "type": "object",
        "required": ["status", "data"],
        "properties": {
            "status": { "const": "success" }, "data": data, "warnings": texts, "infos": texts,
        },
    })
}

/// The value of an expression.
fn value() -> Value {
    json!({
        "type": "object",
        "required": ["resultType", "result"],
        "properties": {
            "resultType": { "enum": ["vector", "matrix", "scalar", "string"] },
            "result": { "type": "array" },
            "stats": { "type": "object" },
        },
    })
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["status", "errorType", "error"],
        "properties": {
            "status": { "const": "error" }, "errorType": { "type": "string" }, "error": { "type": "string" },
        },
    })
}
