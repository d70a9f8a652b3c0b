//! `POST /predict` and `POST /predict/batch`.
//!
//! A single prediction takes microseconds and is made on the thread that read the request; a batch large
//! enough to hold that thread up is made on a blocking one.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::ser::{Serialize, SerializeMap, Serializer};
use streamflow_dataset::Period;
use streamflow_model::{Answer, FeatureValue};
use utoipa::ToSchema;

use super::ApiState;
use super::answer::Said;
use super::error::{ApiError, ErrorBody, InvalidBody, MissingFeaturesBody};
use super::exchange::{self, catch_panic};
use super::explained::{self, Explained};
use super::looked_up::{self, Origin};
use super::observed::{Asked, ObservedRow};
use super::request;
use super::sent;
use super::tables;
use crate::serving::{Entity, FeaturesUsed, InPlace, Serving};

/// A model by its place in the registry.
#[derive(serde::Serialize, ToSchema)]
pub struct ServedModel<'a> {
    /// Name in the registry.
    pub name: &'a str,
    /// Version in the registry.
    pub version: &'a str,
}

/// A prediction for one entity.
#[derive(ToSchema)]
#[schema(as = Prediction)]
#[allow(
    dead_code,
    reason = "documents what is written of a model of two classes; `answer::describe` has the others"
)]
pub struct PredictionOfTwoClasses<'a> {
    /// The entity asked for: a field for each column of its key, under the column's name.
    #[schema(value_type = String)]
    entity: Entity<'a>,
    /// 1 when the probability is at or over the model's decision threshold.
    #[schema(minimum = 0, maximum = 1)]
    prediction: u8,
    /// Probability of the positive class.
    #[schema(minimum = 0, maximum = 1)]
    probability: f64,
    /// The features the prediction was made from; null where missing.
    #[schema(value_type = Object)]
    features_used: FeaturesUsed<'a>,
    /// The snapshot the features were read from: its date, or its time in UTC, `YYYY-MM-DDTHH:MM`.
    #[schema(value_type = String)]
    as_of: Period,
    /// The model that made the prediction.
    model: ServedModel<'a>,
}

/// A prediction for one entity.
pub struct Prediction<'a> {
    entity: Entity<'a>,
    said: Said<'a>,
    features_used: FeaturesUsed<'a>,
    /// The names of those that came with the request.
    sent: Box<[&'a str]>,
    /// The names of those that were pushed, and are newer than the snapshot.
    pushed: Box<[&'a str]>,
    origin: &'a Origin,
    as_of: Period,
    model: ServedModel<'a>,
    explained: Option<Explained<'a>>,
}

/// The entities to predict for.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents a body that request.rs reads")]
pub struct BatchRequest {
    /// Entities, in any order, as objects where the key has several columns; their number is limited by the
    /// configuration.
    entities: Vec<String>,
}

/// Predictions in the order of the request, all by one model from one snapshot.
#[derive(serde::Serialize, ToSchema)]
pub struct BatchPredictions<'a> {
    /// One result for each entity.
    predictions: Vec<BatchResult<'a>>,
    /// The snapshot the features were read from: its date, or its time in UTC, `YYYY-MM-DDTHH:MM`.
    #[schema(value_type = String)]
    as_of: Period,
    /// The model that made the predictions.
    model: ServedModel<'a>,
}

/// The result for one entity of a batch.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "most results are predictions, and a box for each costs more")]
pub enum BatchResult<'a> {
    /// A prediction.
    #[schema(value_type = PredictionOfTwoClasses)]
    Predicted(Prediction<'a>),
    /// An entity without features.
    Unknown(UnknownEntity<'a>),
    /// An entity with features that the model does not take.
    Unpredictable(UnpredictableEntity<'a>),
}

/// An entity of a batch without features.
#[derive(ToSchema)]
pub struct UnknownEntity<'a> {
    /// The entity asked for: a field for each column of its key, under the column's name.
    #[schema(value_type = String)]
    entity: Entity<'a>,
    /// What is missing.
    error: String,
    /// Names of the features that are not known for the entity.
    missing_features: Vec<&'a str>,
}

/// An entity of a batch whose features an imported model does not take.
#[derive(ToSchema)]
pub struct UnpredictableEntity<'a> {
    /// The entity asked for: a field for each column of its key, under the column's name.
    #[schema(value_type = String)]
    entity: Entity<'a>,
    /// Which feature it is, and what the model takes.
    error: String,
}

impl<'a> UnknownEntity<'a> {
    fn new(serving: &'a Serving, entity: Entity<'a>, sent: &InPlace) -> Self {
        let error = format!("Missing features for {entity}");
        let is_sent = |place: usize| sent.binary_search_by_key(&place, |(of, _)| *of).is_ok();
        let names = serving.features.names().iter().enumerate().filter(|(place, _)| !is_sent(*place));
        Self { entity, error, missing_features: names.map(|(_, name)| name.as_str()).collect() }
    }
}

impl Serialize for UnpredictableEntity<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.entity.write(&mut map)?;
        map.serialize_entry("error", &self.error)?;
        map.end()
    }
}

impl Serialize for Prediction<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.entity.write(&mut map)?;
        self.said.write(&mut map)?;
        map.serialize_entry("features_used", &self.features_used)?;
        if !self.sent.is_empty() {
            map.serialize_entry(sent::NAMES_FIELD, &self.sent)?;
        }
        if !self.pushed.is_empty() {
            map.serialize_entry(looked_up::PUSHED_FIELD, &self.pushed)?;
        }
        if let Some(from) = self.origin.said() {
            map.serialize_entry(looked_up::FROM_FIELD, from)?;
        }
        let says_at = !matches!(self.origin, Origin::Pushed { .. }) || !self.pushed.is_empty();
        if let Some(at) = self.origin.at().filter(|_| says_at) {
            map.serialize_entry(looked_up::AT_FIELD, &at)?;
        }
        map.serialize_entry("as_of", &self.as_of)?;
        map.serialize_entry("model", &self.model)?;
        if let Some(explained) = &self.explained {
            explained.write(&mut map)?;
        }
        map.end()
    }
}

impl Serialize for UnknownEntity<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.entity.write(&mut map)?;
        map.serialize_entry("error", &self.error)?;
        map.serialize_entry("missing_features", &self.missing_features)?;
        map.end()
    }
}

/// Predict for one entity.
///
/// A feature that is missing for a known entity is given to the model as missing. Features that come with the request take
/// the place of the stored ones in its answer.
#[utoipa::path(post, path = "/predict", tag = "predictions", request_body = crate::api::openapi::PredictRequest, responses(
    (status = 200, body = PredictionOfTwoClasses),
    (status = 400, body = ErrorBody, description = "The body breaks off, or is not the gzip it is declared as"),
    (status = 401, body = ErrorBody, description = "Keys are configured, and the request has none of them"),
    (status = 404, body = MissingFeaturesBody, description = "Nothing is known about the entity, and the request does not send every feature"),
    (status = 408, body = ErrorBody, description = "The body did not arrive in time"),
    (status = 413, body = ErrorBody, description = "The body is too large"),
    (status = 415, body = ErrorBody, description = "The body is not declared as JSON, or in an encoding beside gzip"),
    (status = 422, body = InvalidBody, description = "The body is malformed, or sends a feature that the model does not have or take so; or, with error alone, the entity's features are not such as an imported model takes"),
    (status = 429, body = ErrorBody, description = "The key has had its requests of this second: then with Retry-After"),
    (status = 503, body = ErrorBody, description = "Nothing is loaded yet; overload, or a feature store that fails: then with Retry-After"),
))]
pub async fn predict(State(state): State<ApiState>, request: Request) -> Response {
    predicted(&state, None, request).await
}

/// As [`predict`], of the model of this name.
pub async fn predict_named(
    State(state): State<ApiState>,
    Path(model): Path<String>,
    request: Request,
) -> Response {
    predicted(&state, Some(&model), request).await
}

async fn predicted(state: &ApiState, model: Option<&str>, request: Request) -> Response {
    let mut observation = state.0.metrics.observe_request();
    let asked = Asked::of(&request, "predict", &state.0.served);
    let (key, admitted) = state.admit(request.headers());
    let answer = match admitted {
        Ok(()) => answer_one(state, model, request, &asked).await,
        Err(error) => Err(error),
    };
    let response = answer.map_or_else(ApiError::into_response, json);
    observation.code = response.status().as_u16();
    state.count(key.as_ref(), observation.code);
    state.tell_of_request(&asked, observation.code);
    response
}

async fn answer_one(
    state: &ApiState,
    model: Option<&str>,
    request: Request,
    asked: &Asked,
) -> Result<Vec<u8>, ApiError> {
    request::check_content_type(request.headers())?;
    let explains = explained::asked_for(request.uri().query())?;
    let is_packed = request::is_packed(request.headers())?;
    let limit = state.0.settings.body_limit_bytes.get();
    let mut body = state.0.bodies.read(request.into_body(), limit).await?;
    let slot = state.slot()?;
    if is_packed {
        body = request::unpack(&body, limit)?;
    }
    let origin = looked_up::of_request(state, model, &body).await?;
    if !explains {
        return catch_panic(|| one(state, model, &body, asked, origin, false));
    }
    // Contributions take longer than a thread that reads requests may be kept.
    let (state, model, asked) = (state.clone(), model.map(str::to_owned), asked.clone());
    let work = tokio::task::spawn_blocking(move || {
        let _slot = slot;
        catch_panic(|| one(&state, model.as_deref(), &body, &asked, origin, true))
    });
    work.await.map_err(|_| ApiError::Internal)?
}

fn one(
    state: &ApiState,
    model: Option<&str>,
    body: &Bytes,
    asked: &Asked,
    origin: Origin,
    explains: bool,
) -> Result<Vec<u8>, ApiError> {
    if let Some(file) = state.0.models.file(model)? {
        return Ok(written(&file.answer(body, &state.0.metrics, explains)?, 1024));
    }
    let parsed = request::parse_predict(body, &state.0.key)?;
    let served = state.0.served.load();
    let production = served.as_deref().ok_or(ApiError::NotReady)?;
    let entity = request::entity(parsed.values, production)?;
    let candidate = asked.route(production, || entity.text().into_bytes().into());
    let serving = candidate.as_deref().unwrap_or(production);
    let sent = sent::values(&parsed.features, None, serving, production)?;
    let origin = match origin {
        Origin::Snapshot => looked_up::with_pushed(state, serving, &entity)?,
        other => other,
    };
    match result(serving, state, Sought { entity, sent, origin: &origin }, asked, explains)? {
        BatchResult::Predicted(prediction) => Ok(written(&prediction, 1024)),
        BatchResult::Unknown(unknown) => Err(ApiError::MissingFeatures {
            error: unknown.error,
            missing_features: unknown.missing_features.into_iter().map(str::to_owned).collect(),
        }),
        BatchResult::Unpredictable(found) => Err(ApiError::Unpredictable(found.error)),
    }
}

/// Predict for many entities.
///
/// All predictions come from one model and one snapshot. An unknown entity is an error in its place. Features that come with
/// the request take the place of the stored ones in the answer of their entity.
#[utoipa::path(post, path = "/predict/batch", tag = "predictions", request_body = BatchRequest, responses(
    (status = 200, body = BatchPredictions),
    (status = 400, body = ErrorBody, description = "The body breaks off, or is not the gzip it is declared as"),
    (status = 401, body = ErrorBody, description = "Keys are configured, and the request has none of them"),
    (status = 408, body = ErrorBody, description = "The body did not arrive in time"),
    (status = 413, body = ErrorBody, description = "The body is too large"),
    (status = 415, body = ErrorBody, description = "The body is not declared as JSON, or in an encoding beside gzip"),
    (status = 422, body = InvalidBody, description = "The body is malformed, has too many entities, or sends a feature that the model does not have or take so"),
    (status = 429, body = ErrorBody, description = "The key has had its requests of this second: then with Retry-After"),
    (status = 503, body = ErrorBody, description = "Nothing is loaded yet; overload, or a feature store that fails: then with Retry-After"),
))]
pub async fn predict_batch(State(state): State<ApiState>, request: Request) -> Response {
    predicted_batch(&state, None, request).await
}

/// As [`predict_batch`], of the model of this name.
pub async fn predict_batch_named(
    State(state): State<ApiState>,
    Path(model): Path<String>,
    request: Request,
) -> Response {
    predicted_batch(&state, Some(model), request).await
}

async fn predicted_batch(state: &ApiState, model: Option<String>, request: Request) -> Response {
    let asked = Asked::of(&request, "batch", &state.0.served);
    let (key, admitted) = state.admit(request.headers());
    let answer = match admitted {
        Ok(()) => answer_many(state, model, request, asked.clone()).await,
        Err(error) => Err(error),
    };
    let response = answer.unwrap_or_else(ApiError::into_response);
    let code = response.status().as_u16();
    state.0.metrics.count_batch(code);
    state.count(key.as_ref(), code);
    state.tell_of_request(&asked, code);
    response
}

async fn answer_many(
    state: &ApiState,
    model: Option<String>,
    request: Request,
    asked: Asked,
) -> Result<Response, ApiError> {
    if let Some(format) = tables::declared(request.headers()) {
        if explained::asked_for(request.uri().query())? {
            return Err(ApiError::Unpredictable(explained::NOT_OF_TABLES.to_owned()));
        }
        let work = move |state: &ApiState, body: &Bytes| {
            let target = state.0.models.answering(model.as_deref(), None, &asked, body)?;
            tables::answer(&target, body, format, state, &asked)
        };
        let body = exchange::of_many(state, request, work).await?;
        return Ok(answered(body, tables::content_type(format)));
    }
    request::check_content_type(request.headers())?;
    let explains = explained::asked_for(request.uri().query())?;
    let work = move |state: &ApiState, body: &Bytes| match state.0.models.file(model.as_deref())? {
        Some(file) => file.answer_rows(body, state, explains),
        None => batch(state, body, &asked, explains),
    };
    exchange::of_many(state, request, work).await.map(json)
}

fn batch(state: &ApiState, body: &Bytes, asked: &Asked, explains: bool) -> Result<Vec<u8>, ApiError> {
    let parsed = request::parse_batch(body, &state.0.key, state.0.settings.batch_limit.get())?;
    let served = state.0.served.load();
    let production = served.as_deref().ok_or(ApiError::NotReady)?;
    let entities = parsed
        .values
        .into_iter()
        .enumerate()
        .map(|(index, value)| request::listed_entity(value, production, index))
        .collect::<Result<Vec<_>, _>>()?;
    let candidate = asked.route(production, || key_of_all(&entities));
    let serving = candidate.as_deref().unwrap_or(production);
    let sent = parsed.features.iter().enumerate();
    let sent = sent.map(|(index, members)| sent::values(members, Some(index), serving, production));
    let mut sent = sent.collect::<Result<Vec<_>, _>>()?.into_iter();
    let origins = looked_up::of_many(state, serving, &entities)?;
    let sought = entities.into_iter().zip(&origins);
    let sought =
        sought.map(|(entity, origin)| Sought { entity, sent: sent.next().unwrap_or_default(), origin });
    let results = sought.map(|sought| result(serving, state, sought, asked, explains));
    let results = results.collect::<Result<Vec<_>, _>>()?;
    let size_bytes = 256 + 768 * results.len();
    let body = BatchPredictions { predictions: results, as_of: serving.as_of, model: served_model(serving) };
    Ok(written(&body, size_bytes))
}

/// What a batch is routed by: it is answered whole by one version. One with a single entity goes where that entity goes.
fn key_of_all(entities: &[Entity<'_>]) -> Cow<'static, [u8]> {
    let texts: Vec<_> = entities.iter().map(Entity::text).collect();
    texts.join("\n").into_bytes().into()
}

/// What a prediction is made for.
struct Sought<'a> {
    entity: Entity<'a>,
    /// The features that came with the request.
    sent: InPlace<'a>,
    /// Where the others come from.
    origin: &'a Origin,
}

/// # Errors
/// Contributions are asked for, and the version has none to give; a feature store's value that the model does not take.
fn result<'a>(
    serving: &'a Serving,
    state: &ApiState,
    Sought { entity, sent, origin }: Sought<'a>,
    asked: &Asked,
    explains: bool,
) -> Result<BatchResult<'a>, ApiError> {
    let features_sent = sent.len();
    let tell = |entity: &Entity, features: Option<&[FeatureValue]>, answer: Option<&Answer>, status: u16| {
        if let Some(observers) = state.observers() {
            let entity = Some(entity);
            observers.row(&ObservedRow { asked, serving, entity, features, features_sent, answer, status });
        }
    };
    let names_sent = sent.iter().map(|(place, _)| serving.features.names()[*place].as_str()).collect();
    let is_sent = |place: usize| sent.binary_search_by_key(&place, |(of, _)| *of).is_ok();
    let in_place = origin.in_place(serving, is_sent)?;
    let pushed = origin.pushed(serving, is_sent);
    let in_place = looked_up::over(sent, in_place);
    let row = if origin.is_nothing() { None } else { serving.features.find(&entity) };
    let has_all = !in_place.is_empty() && in_place.len() == serving.features.names().len();
    if row.is_none() && !has_all {
        tell(&entity, None, None, 404);
        return Ok(BatchResult::Unknown(UnknownEntity::new(serving, entity, &in_place)));
    }
    let features = serving.features.merged(row, &in_place);
    let unpredictable = |entity: Entity<'a>, error: String| {
        tell(&entity, Some(&features), None, 422);
        Ok(BatchResult::Unpredictable(UnpredictableEntity { entity, error }))
    };
    let answer = match serving.model.answer(&features) {
        Ok(answer) => answer,
        Err(error) => {
            let error = format!("The features of {entity} do not fit the model: {error}");
            return unpredictable(entity, error);
        }
    };
    let Some(said) = Said::of(serving, &answer, &state.0.metrics) else {
        let error = format!("The model says no finite number for {entity}");
        return unpredictable(entity, error);
    };
    let explained = if explains { Some(Explained::of(serving, &features)?) } else { None };
    tell(&entity, Some(&features), Some(&answer), 200);
    if !pushed.is_empty() {
        state.count_pushed();
    }
    Ok(BatchResult::Predicted(Prediction {
        entity,
        said,
        features_used: serving.features.used(row, in_place),
        sent: names_sent,
        pushed,
        origin,
        as_of: serving.as_of,
        model: served_model(serving),
        explained,
    }))
}

/// The model that answers.
pub fn served_model(serving: &Serving) -> ServedModel<'_> {
    ServedModel { name: &serving.model_name, version: &serving.model_version }
}

fn written(body: &impl Serialize, size_bytes: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(size_bytes);
    serde_json::to_writer(&mut text, body).expect("names are strings, and a vector takes all bytes");
    text
}

fn json(body: Vec<u8>) -> Response {
    answered(body, "application/json")
}

fn answered(body: Vec<u8>, content_type: &'static str) -> Response {
    let mut response = (StatusCode::OK, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
