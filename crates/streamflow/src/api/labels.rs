//! `POST /labels`: what came true of answers that were given before.
//!
//! A label can make a candidate the production version, so that a key with `may_label` is needed even where everybody may
//! ask for predictions.

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use streamflow_dataset::{EntityKey, KeyPart, Snapshots};
use streamflow_model::Task;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody, Invalid, InvalidBody};
use super::json::{Json, NAME, shortened};
use super::keys::Key;
use super::{ApiState, exchange, request, request_id};
use crate::predictions::Naming;
use crate::store::Store;
use crate::store::labels::{Added, Label, Truth};

/// Most labels of one request; more come in several.
const MOST_LABELS: usize = 20_000;
/// Most bytes of the name of a class.
const MOST_CLASS_BYTES: usize = 256;
/// Most bytes of the name of an entity: Postgres finds a label by it and the request, in an entry of at most 2,704 bytes.
const MOST_ENTITY_BYTES: usize = 1024;
/// How far the clock of who sends labels may be ahead.
const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
const LABELS: &str = "labels";
const KNOWN: [&str; 3] = ["request_id", "time", "label"];

/// Where labels go, and how they are read.
pub struct Desk {
    pub store: Store,
    pub task: Task,
    /// The classes that the configuration names; none where it names none, and any is taken.
    pub classes: Vec<String>,
    pub naming: Naming,
    /// Where it is known who is forgotten.
    pub snapshots: Arc<Snapshots>,
}

/// A label, and the entity as the request named it.
#[derive(Debug, PartialEq)]
struct Given {
    label: Label,
    entity: Option<String>,
}

/// The labels of a request.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents a body that is read here")]
pub struct LabelsRequest {
    /// All are taken, or none.
    #[schema(max_items = 20_000)]
    labels: Vec<LabelSent>,
}

/// A label of the request `request_id`, with the entity too where the request was a batch; or of the newest answer about the
/// entity up to `time`. The entity stands beside these fields, in those that name it in a prediction.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents a body that is read here")]
pub struct LabelSent {
    /// The `X-Request-ID` of the answer.
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    request_id: Option<String>,
    /// From 1970 until ten minutes after now.
    #[schema(format = DateTime)]
    time: Option<String>,
    /// True, false, 1 or 0; a number where the model predicts one; the name of one of several classes.
    label: serde_json::Value,
}

/// What became of the labels of a request.
#[derive(Serialize, ToSchema)]
pub struct LabelsTaken {
    /// Labels of requests or entities that had none.
    new: u64,
    /// Labels that say otherwise than the one before, which is kept with its time.
    corrected: u64,
    /// Labels that say the same.
    unchanged: u64,
    /// Labels of entities that `streamflow forget` has taken out, which are not kept. Left out where there are none.
    #[serde(skip_serializing_if = "is_none")]
    forgotten: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Take labels of earlier answers, all or none.
#[utoipa::path(post, path = "/labels", tag = "labels", request_body = LabelsRequest, responses(
    (status = 200, body = LabelsTaken),
    (status = 400, body = ErrorBody, description = "The body breaks off, or is not the gzip it is declared as"),
    (status = 401, body = ErrorBody, description = "Keys are configured, and the request has none of them"),
    (status = 403, body = ErrorBody, description = "The key may not label, or no keys are configured"),
    (status = 404, body = ErrorBody, description = "Answers are not kept here, so that labels are of nothing"),
    (status = 408, body = ErrorBody, description = "The body did not arrive in time"),
    (status = 413, body = ErrorBody, description = "The body is too large: send labels in several requests"),
    (status = 415, body = ErrorBody, description = "The body is not declared as JSON, or in an encoding beside gzip"),
    (status = 422, body = InvalidBody, description = "A label is malformed; none was taken"),
    (status = 429, body = ErrorBody, description = "The key has had its requests of this second: then with Retry-After"),
    (status = 503, body = ErrorBody, description = "Overload, or a database that is away: then with Retry-After"),
))]
pub async fn labels(State(state): State<ApiState>, request: Request) -> Response {
    let (key, admitted) = state.admit(request.headers());
    let taken = match admitted {
        Ok(()) => take(&state, key.as_deref(), request).await,
        Err(error) => Err(error),
    };
    let response = taken.map_or_else(ApiError::into_response, |taken| Body(taken).into_response());
    state.count(key.as_ref(), response.status().as_u16());
    response
}

async fn take(state: &ApiState, key: Option<&Key>, request: Request) -> Result<LabelsTaken, ApiError> {
    let key = allowed(key)?;
    let Some(desk) = state.0.desk.get() else {
        return Err(ApiError::NoSuchPath("/labels; answers are not kept here, see [log] enabled".to_owned()));
    };
    request::check_content_type(request.headers())?;
    let read = |state: &ApiState, body: &axum::body::Bytes| {
        let desk = state.0.desk.get().ok_or(ApiError::Internal)?;
        desk.read(body, &state.0.key)
    };
    let given = exchange::of_many(state, request, read).await?;
    ApiError::check_database(&desk.store)?;
    let kept = desk.keep(given, &format!("key {}", key.name)).await;
    let (added, forgotten) =
        kept.map_err(|error| ApiError::of_store(&desk.store, "labels cannot be kept", &error))?;
    state.0.metrics.count_labels(&added, forgotten);
    let Added { new, corrected, unchanged } = added;
    Ok(LabelsTaken { new, corrected, unchanged, forgotten })
}

/// The time of a label as it was given.
fn time(given: &Json) -> Result<Option<String>, String> {
    match given.get("time") {
        None | Some(Json::Null) => Ok(None),
        Some(given) => match given.name() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(format!("time is {}; expected {TIME}", given.shown())),
        },
    }
}

/// What a time has to be.
const TIME: &str = "a time with its offset, such as 2024-03-01T12:00:00Z";

/// The time of a label, which answers of later are not to be given; none was given before 1970.
fn past(time: &str, now: jiff::Timestamp) -> Result<jiff::Timestamp, String> {
    let at =
        request::timestamp(time).ok_or_else(|| format!("time is {:?}; expected {TIME}", shortened(time)))?;
    if at.duration_since(now) > AHEAD {
        return Err(format!(
            "time is {time:?}; expected a time that has come: it is {now:.0} here, and ten minutes more are taken"
        ));
    }
    if at < jiff::Timestamp::UNIX_EPOCH {
        return Err(format!("time is {time:?}; expected a time of an answer, from 1970-01-01T00:00:00Z on"));
    }
    Ok(at)
}

fn allowed(key: Option<&Key>) -> Result<&Key, ApiError> {
    match key {
        Some(key) if key.may_label() => Ok(key),
        Some(key) => Err(ApiError::Forbidden(format!(
            "the key {} may not label; may_label = true beside it in [api.keys] lets it",
            key.name
        ))),
        None => Err(ApiError::Forbidden(
            "labels need a key, since they decide which version is served: `streamflow api-key new NAME` makes one, and \
             may_label = true beside it in [api.keys] lets it label"
                .to_owned(),
        )),
    }
}

impl Desk {
    /// Keeps the labels of entities that are not forgotten; what became of them, and how many were left out.
    async fn keep(&self, given: Vec<Given>, actor: &str) -> anyhow::Result<(Added, u64)> {
        let named: Vec<Option<String>> = given.iter().map(|given| given.entity.clone()).collect();
        let forgotten = self.forgotten(named.clone()).await?;
        let kept = given.into_iter().zip(&forgotten).filter(|(_, is_forgotten)| !**is_forgotten);
        let labels: Vec<Label> = kept.map(|(given, _)| given.label).collect();
        let added = self.store.add_labels(&labels, actor).await?;
        // Who was forgotten meanwhile is on the list before their labels are deleted: one of both sees these.
        for (name, is_forgotten) in named.iter().zip(self.forgotten(named.clone()).await?) {
            if let Some(name) = name.as_deref().filter(|_| is_forgotten) {
                let stored = self.naming.of_entity(name).map(String::from);
                self.store.forget_labels(&stored.into_iter().collect::<Vec<_>>()).await?;
            }
        }
        let left_out = forgotten.into_iter().filter(|is_forgotten| *is_forgotten).count();
        Ok((added, left_out as u64))
    }

    /// Whether each of these is forgotten; a request alone names nobody.
    async fn forgotten(&self, named: Vec<Option<String>>) -> anyhow::Result<Vec<bool>> {
        if named.iter().all(Option::is_none) {
            return Ok(vec![false; named.len()]);
        }
        let snapshots = self.snapshots.clone();
        let look = move || {
            let named: Vec<&str> = named.iter().map(|name| name.as_deref().unwrap_or_default()).collect();
            snapshots.forgotten_of(&named)
        };
        Ok(tokio::task::spawn_blocking(look).await??)
    }

    /// The labels of a body, all or none.
    fn read(&self, body: &[u8], key: &EntityKey) -> Result<Vec<Given>, ApiError> {
        let read = Json::read(body)?;
        let given = read.as_ref().and_then(|body| body.get(LABELS));
        let list = match given {
            Some(Json::List(list)) => list,
            Some(other) => {
                return Err(invalid("list_type", None, format!("expected a list, got {}", other.shown())));
            }
            None => return Err(invalid("missing", None, "field required".to_owned())),
        };
        if list.len() > MOST_LABELS {
            let message = format!("expected at most {MOST_LABELS} labels in a request, got {}", list.len());
            return Err(invalid("too_long", None, message));
        }
        let one = |(place, label): (usize, &Json)| {
            self.label(label, key).map_err(|message| invalid("value_error", Some(place), message))
        };
        list.iter().enumerate().map(one).collect()
    }

    fn label(&self, given: &Json, key: &EntityKey) -> Result<Given, String> {
        let columns = key.columns().join(", ");
        let members = given.object().ok_or_else(|| format!("expected an object, got {}", given.shown()))?;
        if let Some((name, _)) = members.iter().find(|(name, _)| !key.has(name) && !KNOWN.contains(&&**name))
        {
            return Err(format!("{name:?} is no field; expected request_id, {columns}, time and label"));
        }
        let (request_id, named, time) = (request_id(given)?, named(given, key)?, time(given)?);
        let truth = self.truth(given.get("label"))?;
        let stored = named.as_deref().map(|name| {
            let kept = self.naming.of_entity(name);
            kept.ok_or(
                "entities are not kept (log.entity is \"none\"), so that a label needs a request_id alone",
            )
        });
        let stored: Option<String> = stored.transpose()?.map(Into::into);
        let label = match (request_id, stored, time) {
            (Some(request_id), stored, None) => {
                Ok(Label { request_id, entity: stored.unwrap_or_default(), time_us: 0, truth })
            }
            (None, Some(stored), Some(time)) => {
                let at = past(&time, jiff::Timestamp::now())?;
                Ok(Label { request_id: String::new(), entity: stored, time_us: at.as_microsecond(), truth })
            }
            _ => Err(format!("expected either request_id, or {columns} and time")),
        };
        label.map(|label| Given { label, entity: named })
    }

    fn truth(&self, given: Option<&Json>) -> Result<Truth, String> {
        let expected = match self.task {
            Task::Binary => "true, false, 1 or 0".to_owned(),
            Task::Regression => "a finite number".to_owned(),
            Task::Multiclass if self.classes.is_empty() => {
                format!(
                    "the name of a class, of at most {MOST_CLASS_BYTES} bytes and without a NUL character"
                )
            }
            Task::Multiclass => format!("one of {}", self.classes.join(", ")),
        };
        match (self.task, given) {
            (_, None) => Err("label is missing".to_owned()),
            (Task::Binary, Some(Json::Bool(value))) => Ok(Truth::Number(f64::from(u8::from(*value)))),
            (Task::Binary, Some(Json::Integer(0))) => Ok(Truth::Number(0.0)),
            (Task::Binary, Some(Json::Integer(1))) => Ok(Truth::Number(1.0)),
            (Task::Binary, Some(Json::Number(number))) if *number == 0.0 || *number == 1.0 => {
                Ok(Truth::Number(*number))
            }
            (Task::Regression, Some(Json::Integer(number))) => Ok(Truth::Number(*number as f64)),
            (Task::Regression, Some(Json::Number(number))) if number.is_finite() => {
                Ok(Truth::Number(*number))
            }
            (Task::Multiclass, Some(given)) => {
                let class = self.class(given);
                class
                    .map(Truth::Class)
                    .ok_or_else(|| format!("label is {}; expected {expected}", given.shown()))
            }
            (_, Some(other)) => Err(format!("label is {}; expected {expected}", other.shown())),
        }
    }

    /// The class of a label; classes that are numbers may be sent as such.
    fn class(&self, given: &Json) -> Option<String> {
        let name = match given {
            Json::Integer(number) => number.to_string(),
            other => other.name()?.to_owned(),
        };
        let is_known = self.classes.is_empty() || self.classes.contains(&name);
        (is_known && name.len() <= MOST_CLASS_BYTES).then_some(name)
    }
}

/// The name of the request of a label, which is one that an answer may bear; none where it has none.
fn request_id(given: &Json) -> Result<Option<String>, String> {
    let given = match given.get("request_id") {
        None | Some(Json::Null) => return Ok(None),
        Some(given) => given,
    };
    match given.text().filter(|text| request_id::is_name(text.as_bytes())) {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(format!(
            "request_id is {}{}; expected the X-Request-ID of an answer, 1 to {} visible ASCII characters",
            given.shown(),
            sized(given),
            request_id::LONGEST_BYTES
        )),
    }
}

/// How long a text is whose end is not shown.
fn sized(given: &Json) -> String {
    match given.text() {
        Some(text) if text.len() > request_id::LONGEST_BYTES => format!(" of {} bytes", text.len()),
        _ => String::new(),
    }
}

/// The text that names the entity of a label; none where it has no column of the key.
fn named(given: &Json, key: &EntityKey) -> Result<Option<String>, String> {
    let mut parts = Vec::new();
    for column in key.columns() {
        parts.push(match given.get(column) {
            None | Some(Json::Null) => continue,
            Some(Json::Integer(number)) => KeyPart::Integer(*number),
            Some(given) => match given.name() {
                Some(text) => KeyPart::Text(text.into()),
                None => return Err(format!("{column} is {}; expected {NAME}, or an integer", given.shown())),
            },
        });
    }
    match parts.len() {
        0 => Ok(None),
        given if given == key.columns().len() => match key.text(&parts) {
            long if long.len() > MOST_ENTITY_BYTES => Err(format!(
                "{} is {:?} of {} bytes; expected at most {MOST_ENTITY_BYTES}, and the request_id alone names a label too",
                key.columns().join(", "),
                shortened(&long),
                long.len()
            )),
            text => Ok(Some(text)),
        },
        _ => Err(format!("expected all of {}", key.columns().join(", "))),
    }
}

fn invalid(kind: &'static str, index: Option<usize>, message: String) -> ApiError {
    Invalid { kind, field: Some(LABELS.to_owned()), index, message, ..Invalid::default() }.into()
}

#[cfg(test)]
mod tests;
