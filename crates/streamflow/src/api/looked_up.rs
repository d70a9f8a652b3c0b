//! Features that a feature store knows of the entities that are asked for, and those that were pushed to this server. They take
//! the place of the snapshot's in the answer; those that come with the request go before them.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use streamflow_dataset::KeyPart;
use streamflow_model::FeatureValue;

use super::ApiState;
use super::error::ApiError;
use super::request;
use crate::config::{Instead, OnLate};
use crate::feature_store::{Failure, FeatureStore, Found, Known, Name, Row, Value};
use crate::serving::{Entity, InPlace, Serving};

/// The field of an answer that says where its features are from, where a feature store is asked.
pub const FROM_FIELD: &str = "features_from";
/// The field of an answer that says when the newest of the store's features, or of the pushed ones, was true.
pub const AT_FIELD: &str = "features_at";
/// The field of an answer that names the features that were pushed and are newer than the snapshot.
pub const PUSHED_FIELD: &str = "features_pushed";

/// Where the features of an entity come from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The snapshot, since no feature store is asked.
    Snapshot,
    /// The snapshot, in the place of a feature store.
    Instead,
    /// The snapshot, and pushed features that are newer.
    Pushed {
        /// What was pushed.
        row: Arc<Row>,
        /// The time of the snapshot: what was true no later than it is not used.
        as_of_us: i64,
    },
    /// A feature store.
    Store {
        /// What it knows.
        found: Arc<Found>,
        /// The word of the configuration for it.
        name: &'static str,
        /// Every feature has to come from it; else those that it is not asked for come from the snapshot.
        whole: bool,
    },
}

impl Origin {
    /// What the answer says of it.
    pub fn said(&self) -> Option<&'static str> {
        match self {
            Self::Snapshot | Self::Pushed { .. } => None,
            Self::Instead => Some("snapshot"),
            Self::Store { name, .. } => Some(name),
        }
    }

    /// Whether a feature store knows nothing of the entity, and nothing is to be taken in its place.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Store { found, .. } if found.known == Known::Nothing)
    }

    /// When the newest feature was true, in RFC 3339.
    pub fn at(&self) -> Option<String> {
        let at = match self {
            Self::Store { found, .. } => jiff::Timestamp::from_millisecond(found.newest_ms?),
            Self::Pushed { row, as_of_us } => jiff::Timestamp::from_microsecond(newest_us(row, *as_of_us)?),
            Self::Snapshot | Self::Instead => return None,
        };
        at.ok().map(|at| at.to_string())
    }

    /// The names of the pushed features that go into the answer: those that the model has and the request does not send.
    pub fn pushed<'a>(&self, serving: &'a Serving, is_sent: impl Fn(usize) -> bool) -> Box<[&'a str]> {
        let Self::Pushed { row, as_of_us } = self else { return Box::default() };
        let places = row.after(*as_of_us).filter_map(|value| serving.features.place(&value.feature));
        let used = places.filter(|place| !is_sent(*place));
        used.map(|place| serving.features.names()[place].as_str()).collect()
    }

    /// The values that take the place of those of the snapshot, which has nothing to do with an entity that only the store
    /// knows.
    ///
    /// # Errors
    /// 503: a value of another type than the model learned from; a feature that neither the store gives nor the request
    /// sends, where all are asked of the store.
    pub fn in_place<'a>(
        &'a self,
        serving: &'a Serving,
        is_sent: impl Fn(usize) -> bool,
    ) -> Result<InPlace<'a>, ApiError> {
        let (found, whole) = match self {
            Self::Snapshot | Self::Instead => return Ok(InPlace::new()),
            Self::Pushed { row, as_of_us } => {
                return placed(serving, row.after(*as_of_us).map(|of| (&*of.feature, &of.value)));
            }
            Self::Store { .. } if self.is_nothing() => return Ok(InPlace::new()),
            Self::Store { found, whole, .. } => (found, whole),
        };
        let values = placed(serving, found.values.iter().map(|(name, value)| (&**name, value)))?;
        let names = serving.features.names().iter().enumerate();
        let is_given =
            |place: &usize| values.binary_search_by_key(place, |(of, _)| *of).is_ok() || is_sent(*place);
        let lacking: Vec<&str> =
            names.filter(|(place, _)| !is_given(place)).map(|(_, name)| name.as_str()).collect();
        if *whole && !lacking.is_empty() {
            return Err(ApiError::FeatureStore(format!(
                "the feature store does not give {}; {}",
                lacking.join(", "),
                match self.said() {
                    Some("redis") =>
                        "push again with `streamflow features push`, which brings every feature of dataset.features",
                    _ =>
                        "add to the feature service what it lacks, or name in features.references what is to come from the feature store",
                }
            )));
        }
        Ok(values)
    }
}

/// When the newest value after a time was true.
fn newest_us(row: &Row, as_of_us: i64) -> Option<i64> {
    row.after(as_of_us).map(|value| value.time_us).max()
}

/// The values of the features that the model has, at their places.
fn placed<'a>(
    serving: &'a Serving,
    named: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Result<InPlace<'a>, ApiError> {
    let mut values = Vec::new();
    for (name, value) in named {
        let Some(place) = serving.features.place(name) else { continue };
        values.push((place, value_of(value, serving.features.example(place), name)?));
    }
    values.sort_unstable_by_key(|(place, _)| *place);
    values.dedup_by_key(|(place, _)| *place);
    Ok(values)
}

/// The last moment that the snapshot speaks of, in microseconds since 1970: one of a date speaks of all of its day.
pub fn as_of_us(serving: &Serving) -> Option<i64> {
    const DAY_US: i64 = 86_400_000_000;
    let time_us = serving.as_of.timestamp()?.as_microsecond();
    Some(if serving.as_of.day().is_some() { time_us + DAY_US - 1 } else { time_us })
}

/// Those that were sent, and of the others those that were looked up.
pub fn over<'a>(sent: InPlace<'a>, looked_up: InPlace<'a>) -> InPlace<'a> {
    if sent.is_empty() || looked_up.is_empty() {
        return if sent.is_empty() { looked_up } else { sent };
    }
    let is_sent = |place: usize| sent.binary_search_by_key(&place, |(of, _)| *of).is_ok();
    let mut values: InPlace = looked_up.into_iter().filter(|(place, _)| !is_sent(*place)).collect();
    values.extend(sent);
    values.sort_unstable_by_key(|(place, _)| *place);
    values
}

fn value_of<'a>(
    value: &'a Value,
    stored: FeatureValue<'_>,
    name: &str,
) -> Result<FeatureValue<'a>, ApiError> {
    let (expected, found) = match (value, stored) {
        (Value::Missing, _) => return Ok(FeatureValue::Missing),
        (Value::Number(number), FeatureValue::Number(_)) => return Ok(FeatureValue::Number(*number)),
        (Value::Boolean(truth), FeatureValue::Boolean(_)) => return Ok(FeatureValue::Boolean(*truth)),
        (Value::Text(text), FeatureValue::Text(_)) => return Ok(FeatureValue::Text(text)),
        (found, FeatureValue::Boolean(_)) => ("true or false", found),
        (found, FeatureValue::Text(_)) => ("a text", found),
        (found, _) => ("a number", found),
    };
    Err(ApiError::FeatureStore(format!(
        "the feature store's {name} is {}; the model takes {expected}",
        match found {
            Value::Missing => "missing",
            Value::Boolean(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
        }
    )))
}

/// The features of the entity of a `POST /predict`, looked up before a thread is kept with it. A body that is at fault is
/// looked up for nothing: whoever answers it says so.
///
/// # Errors
/// 503: the store fails, and the configuration has nothing in its place.
pub async fn of_request(state: &ApiState, model: Option<&str>, body: &[u8]) -> Result<Origin, ApiError> {
    let Some(store) = state.feature_store() else { return Ok(Origin::Snapshot) };
    let Some(name) = name_of_request(state, model, body) else { return Ok(Origin::Snapshot) };
    let found = store.look_up(&[name]).await;
    settled(store, found, 1)?.pop().ok_or(ApiError::Internal)
}

fn name_of_request(state: &ApiState, model: Option<&str>, body: &[u8]) -> Option<Name> {
    if state.0.models.file(model).ok()?.is_some() {
        return None;
    }
    let parsed = request::parse_predict(body, &state.0.key).ok()?;
    let served = state.0.served.load();
    let entity = request::entity(parsed.values, served.as_deref()?).ok()?;
    Some(name_of(&entity))
}

/// The features of some entities, in their order, on a thread that may wait.
///
/// # Errors
/// As [`of_request`].
pub fn of_many(
    state: &ApiState,
    serving: &Serving,
    entities: &[Entity<'_>],
) -> Result<Vec<Origin>, ApiError> {
    let Some(store) = state.feature_store() else {
        return entities.iter().map(|entity| with_pushed(state, serving, entity)).collect();
    };
    if entities.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<Name> = entities.iter().map(name_of).collect();
    let found = store.look_up_now(&names);
    settled(store, found, names.len())
}

/// Where the features of an entity are from where no feature store is asked: the snapshot, and what was pushed after it.
///
/// # Errors
/// 503: what was pushed is late, and the configuration refuses that.
pub fn with_pushed(state: &ApiState, serving: &Serving, entity: &Entity<'_>) -> Result<Origin, ApiError> {
    let Some(intake) = state.0.intake.get() else { return Ok(Origin::Snapshot) };
    let pushed = &intake.features;
    let (Some(row), Some(as_of_us)) = (pushed.get(|| entity.text()), as_of_us(serving)) else {
        return Ok(Origin::Snapshot);
    };
    let Some(newest_us) = newest_us(&row, as_of_us) else { return Ok(Origin::Snapshot) };
    let (late_seconds, on_late) = intake.late;
    let Some(age) =
        age_if_late(Some(newest_us / 1000), late_seconds, jiff::Timestamp::now().as_millisecond())
    else {
        return Ok(Origin::Pushed { row, as_of_us });
    };
    pushed.late.inc();
    match on_late {
        OnLate::Use => Ok(Origin::Pushed { row, as_of_us }),
        OnLate::Snapshot => Ok(Origin::Snapshot),
        OnLate::Refuse => Err(too_late(age, late_seconds)),
    }
}

/// The fields of an answer in the OpenAPI document; a column of the entity's key that bears the name of one of them goes before
/// it.
pub fn describe(document: &mut Json) {
    let Some(properties) =
        document.pointer_mut("/components/schemas/Prediction/properties").and_then(Json::as_object_mut)
    else {
        return;
    };
    let fields = [
        (
            FROM_FIELD,
            json!({ "type": "string", "enum": ["feast", "redis", "snapshot"],
                "description": "Where the features are from, where they are not in memory: the feature store, or the newest snapshot in its place." }),
        ),
        (
            AT_FIELD,
            json!({ "type": "string", "format": "date-time",
                "description": "When the newest feature of the feature store, or the newest pushed one, was true." }),
        ),
        (
            PUSHED_FIELD,
            json!({ "type": "array", "items": { "type": "string" },
                "description": "The features that were pushed and are newer than the snapshot; absent where there are none." }),
        ),
    ];
    for (name, field) in fields {
        properties.entry(name).or_insert(field);
    }
}

fn name_of(entity: &Entity<'_>) -> Name {
    let owned = |part: &KeyPart<'_>| match part {
        KeyPart::Text(text) => KeyPart::Text(Cow::Owned(text.as_ref().to_owned())),
        KeyPart::Integer(number) => KeyPart::Integer(*number),
    };
    entity.parts.iter().map(owned).collect()
}

/// Where the features of each entity are from, after what the configuration says of a store that fails, that knows nothing
/// and that is late.
fn settled(
    store: &FeatureStore,
    found: Result<Vec<Arc<Found>>, Failure>,
    entities: usize,
) -> Result<Vec<Origin>, ApiError> {
    let settings = store.settings();
    let counts = store.counts();
    let instead = || {
        counts.from_snapshot.inc();
        Origin::Instead
    };
    let found = match found {
        Ok(found) => found,
        Err(error) if settings.on_failure == Instead::Refuse => {
            return Err(ApiError::FeatureStore(error.to_string()));
        }
        Err(error) => {
            tracing::debug!("the newest snapshot answers: {error}");
            return Ok((0..entities).map(|_| instead()).collect());
        }
    };
    let (whole, name) = (settings.is_whole(), store.name());
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let origin = |found: Arc<Found>| {
        if found.known == Known::Nothing && settings.on_unknown == Instead::Snapshot {
            return Ok(instead());
        }
        let Some(age) = age_if_late(found.newest_ms, settings.late_seconds, now_ms) else {
            return Ok(Origin::Store { found, name, whole });
        };
        counts.late.inc();
        match settings.on_late {
            OnLate::Use => Ok(Origin::Store { found, name, whole }),
            OnLate::Snapshot => Ok(instead()),
            OnLate::Refuse => Err(too_late(age, settings.late_seconds)),
        }
    };
    found.into_iter().map(origin).collect()
}

fn too_late(age: i64, late: Option<NonZeroU64>) -> ApiError {
    ApiError::FeatureStore(format!(
        "the newest feature of the entity is {age} s old; features.late_seconds allows {}",
        late.map_or(0, NonZeroU64::get)
    ))
}

/// The age in seconds of features that are late; features without a time are of no age.
fn age_if_late(newest_ms: Option<i64>, late: Option<NonZeroU64>, now_ms: i64) -> Option<i64> {
    let age = now_ms.saturating_sub(newest_ms?) / 1000;
    let late = i64::try_from(late?.get()).unwrap_or(i64::MAX);
    (age > late).then_some(age)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use streamflow_dataset::EntityKey;

    use super::*;
    use crate::config::FeaturesConfig;

    fn store(settings: &str) -> FeatureStore {
        let text = format!("source = \"feast\"\nurl = \"http://127.0.0.1:1\"\nservice = \"s\"\n{settings}");
        let config: FeaturesConfig = toml::from_str(&text).unwrap();
        FeatureStore::of(&config, Path::new(""), &EntityKey::new("user_id")).unwrap().unwrap()
    }

    fn found(known: Known, age_s: i64) -> Arc<Found> {
        let newest = jiff::Timestamp::now().as_millisecond() - 1000 * age_s;
        let newest_ms = (known == Known::Something).then_some(newest);
        Arc::new(Found { known, values: Vec::new(), newest_ms })
    }

    fn said(
        settings: &str,
        found: Result<Arc<Found>, Failure>,
    ) -> Result<(Option<&'static str>, bool), String> {
        let store = store(settings);
        let settled = settled(&store, found.map(|found| vec![found]), 1);
        let origin = settled.map_err(|error| error.to_string())?.remove(0);
        assert_eq!(store.counts().from_snapshot.get(), u64::from(matches!(origin, Origin::Instead)));
        Ok((origin.said(), origin.is_nothing()))
    }

    #[test]
    fn what_the_configuration_says_of_a_store_that_fails_knows_nothing_or_is_late() {
        let failure = || Failure::Timeout { url: "http://x".into(), ms: 5 };
        let failed =
            "the feature store at http://x did not answer within 5 ms (features.timeout_ms)".to_owned();
        let (feast, snapshot) = (Ok((Some("feast"), false)), Ok((Some("snapshot"), false)));
        for (settings, given, expected) in [
            ("", Err(failure()), Err(failed)),
            ("on_failure = \"snapshot\"", Err(failure()), snapshot.clone()),
            ("", Ok(found(Known::Nothing, 0)), Ok((Some("feast"), true))),
            ("on_unknown = \"snapshot\"", Ok(found(Known::Nothing, 0)), snapshot.clone()),
            ("", Ok(found(Known::Something, 1_000_000)), feast.clone()),
            ("late_seconds = 60", Ok(found(Known::Something, 100)), feast.clone()),
            ("late_seconds = 60\non_late = \"snapshot\"", Ok(found(Known::Something, 100)), snapshot),
            ("late_seconds = 60\non_late = \"refuse\"", Ok(found(Known::Something, 50)), feast),
        ] {
            assert_eq!(said(settings, given), expected, "{settings}");
        }
        let late =
            said("late_seconds = 60\non_late = \"refuse\"", Ok(found(Known::Something, 100))).unwrap_err();
        assert_eq!(late, "the newest feature of the entity is 100 s old; features.late_seconds allows 60");
    }

    #[test]
    fn what_was_sent_goes_before_what_was_looked_up() {
        let number = FeatureValue::Number;
        let looked_up = vec![(0, number(1.0)), (2, number(3.0)), (3, FeatureValue::Missing)];
        let sent = vec![(1, number(20.0)), (2, number(30.0))];
        let expected =
            vec![(0, number(1.0)), (1, number(20.0)), (2, number(30.0)), (3, FeatureValue::Missing)];
        assert_eq!(over(sent.clone(), looked_up.clone()), expected);
        assert_eq!(over(Vec::new(), looked_up.clone()), looked_up);
        assert_eq!(over(sent.clone(), Vec::new()), sent);
    }

    #[test]
    fn values_of_another_type_are_refused_by_name() {
        let (number, truth, text) =
            (FeatureValue::Number(0.0), FeatureValue::Boolean(false), FeatureValue::Text(""));
        let given = [Value::Number(2.0), Value::Boolean(true), Value::Text("x".into())];
        for (at, stored) in [number, truth, text].into_iter().enumerate() {
            for (of, value) in given.iter().enumerate() {
                assert_eq!(value_of(value, stored, "fee").is_ok(), at == of, "{value:?} as {stored:?}");
            }
            assert_eq!(value_of(&Value::Missing, stored, "fee").unwrap(), FeatureValue::Missing);
        }
        let error = value_of(&given[2], number, "fee").unwrap_err();
        assert_eq!(error.to_string(), "the feature store's fee is a text; the model takes a number");
        assert_eq!((error.status().as_u16(), error.retry_after().is_some()), (503, true));
    }
}
