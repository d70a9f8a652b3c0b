//! Features that come with the request for an entity: in its answer they take the place of the stored ones.

use std::borrow::Cow;

use serde_json::{Value, json};
use streamflow_model::{Feature, FeatureValue, Kind, Level};

use super::error::{ApiError, Invalid};
use super::json::{Json, shortened};
use crate::serving::{InPlace, Serving};

/// The field of a request that holds them.
pub const FIELD: &str = "features";

/// The field of an answer that names them.
pub const NAMES_FIELD: &str = "features_sent";

/// The names and values of an object of features.
pub type Members<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

/// The features of a request for one entity.
///
/// # Errors
/// 422: neither an object nor null.
pub fn of_one(features: Option<Box<Json<'_>>>) -> Result<Members<'_>, ApiError> {
    features.map_or_else(|| Ok(Vec::new()), |features| members(*features, None))
}

/// The features of a request for this many entities: for each of them, or none at all.
///
/// # Errors
/// 422: neither a list nor null, a list of another length, or a value in it that is neither an object nor null.
pub fn of_many(features: Option<Box<Json<'_>>>, entities: usize) -> Result<Vec<Members<'_>>, ApiError> {
    match features.map(|features| *features) {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::List(list)) if list.len() == entities => {
            list.into_iter().enumerate().map(|(index, features)| members(features, Some(index))).collect()
        }
        Some(Json::List(list)) => {
            let message = format!(
                "expected an object or null for each of the {entities} entities, got {} values",
                list.len()
            );
            Err(invalid("value_error", None, None, message))
        }
        Some(other) => {
            let message =
                format!("expected a list with an object or null for each entity, got {}", other.shown());
            Err(invalid("list_type", None, None, message))
        }
    }
}

fn members(features: Json<'_>, index: Option<usize>) -> Result<Members<'_>, ApiError> {
    match features {
        Json::Null => Ok(Vec::new()),
        Json::Object(members) => Ok(members),
        other => {
            let message = format!("expected an object of features, got {}", other.shown());
            Err(invalid("dict_type", None, index, message))
        }
    }
}

/// The values as the version that answers takes them. Those of features that it lacks are left out where the version in
/// production or its canary has them, so that the same request fits both; `index` is the place in a batch.
///
/// # Errors
/// 422 with the feature at fault: one that neither version has, one that occurs twice, and a value of another type than the
/// feature is stored in, with a level that training did not have, or between the numbers that 64-bit floats hold.
pub fn values<'a>(
    members: &'a [(Cow<'a, str>, Json<'a>)],
    index: Option<usize>,
    serving: &'a Serving,
    production: &Serving,
) -> Result<InPlace<'a>, ApiError> {
    let mut sent = Vec::with_capacity(members.len());
    for (name, value) in members {
        match serving.features.place(name) {
            Some(place) => {
                let feature = &serving.model.schema().features[place];
                let value = value_of(value, feature, serving.features.example(place));
                let value = value.map_err(|message| invalid("value_error", Some(name), index, message))?;
                sent.push((place, value));
            }
            None if is_known(name, production) => {}
            None => {
                let message =
                    format!("the model has no such feature; it takes {}", listed(serving.features.names()));
                return Err(invalid("extra_forbidden", Some(name), index, message));
            }
        }
    }
    sent.sort_unstable_by_key(|(place, _)| *place);
    match sent.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        None => Ok(sent),
        Some(pair) => {
            let name = &serving.features.names()[pair[0].0];
            let message = "the name occurs twice; expected one value".to_owned();
            Err(invalid("value_error", Some(name), index, message))
        }
    }
}

/// Whether the version in production or its canary has the feature.
fn is_known(name: &str, production: &Serving) -> bool {
    let canary = production.canary.load();
    let candidate = canary.as_ref().and_then(|canary| canary.loaded.as_ref().ok());
    production.features.place(name).is_some()
        || candidate.is_some_and(|loaded| loaded.candidate.features.place(name).is_some())
}

/// The value as the model takes it; `stored` is one of the type that the feature is stored in.
fn value_of<'a>(
    sent: &'a Json<'a>,
    feature: &Feature,
    stored: FeatureValue<'_>,
) -> Result<FeatureValue<'a>, String> {
    let refused = || format!("expected {}, got {}", accepted(feature, stored), sent.shown());
    let value = match (sent, stored) {
        (Json::Null, _) => return Ok(FeatureValue::Missing),
        (Json::Number(number), FeatureValue::Number(_)) => FeatureValue::Number(*number),
        (Json::Integer(number), FeatureValue::Number(_)) => exact(i128::from(*number))?,
        (Json::Large(number), FeatureValue::Number(_)) => exact(i128::from(*number))?,
        (Json::Bool(truth), FeatureValue::Boolean(_)) => FeatureValue::Boolean(*truth),
        (Json::Text(text), FeatureValue::Text(_)) => FeatureValue::Text(text),
        _ => return Err(refused()),
    };
    if has_level(feature, value) { Ok(value) } else { Err(refused()) }
}

/// An integer as a 64-bit float.
fn exact<'a>(integer: i128) -> Result<FeatureValue<'a>, String> {
    let number = integer as f64;
    if number as i128 == integer {
        return Ok(FeatureValue::Number(number));
    }
    Err(format!(
        "expected a number that a 64-bit float holds exactly, got the integer {integer}; the nearest one is {}",
        number as i128
    ))
}

/// Whether a value is a level of the feature. True of numerical features, and where a model does not name its levels.
fn has_level(feature: &Feature, value: FeatureValue<'_>) -> bool {
    let Kind::Categorical { levels } = &feature.kind else { return true };
    let name: Cow<'_, str> = match value {
        FeatureValue::Missing => return true,
        FeatureValue::Text(text) => text.into(),
        FeatureValue::Boolean(truth) => if truth { "true" } else { "false" }.into(),
        // 0 and -0 are one level.
        FeatureValue::Number(number) => (number + 0.0).to_string().into(),
    };
    let is_it = |level: &Level| level.name == name;
    // Trained models have their levels sorted, imported ones in the order of their codes.
    levels.is_empty()
        || levels.binary_search_by(|level| level.name.as_str().cmp(&name)).is_ok()
        || levels.iter().any(is_it)
}

/// What is accepted, as the end of a sentence.
fn accepted(feature: &Feature, stored: FeatureValue<'_>) -> String {
    const SHOWN: usize = 5;
    let is_text = matches!(stored, FeatureValue::Text(_));
    match (&feature.kind, stored) {
        (Kind::Categorical { levels }, FeatureValue::Boolean(_)) if levels.len() == 2 => {
            "true or false".to_owned()
        }
        (Kind::Categorical { levels }, _) if !levels.is_empty() => {
            let name = |level: &Level| match is_text {
                true => format!("{:?}", shortened(&level.name)),
                false => level.name.clone(),
            };
            let shown: Vec<String> = levels.iter().take(SHOWN).map(name).collect();
            let more = if levels.len() > SHOWN { ", …" } else { "" };
            format!("one of its {} levels ({}{more})", levels.len(), shown.join(", "))
        }
        (_, FeatureValue::Text(_)) => "a text".to_owned(),
        (_, FeatureValue::Boolean(_)) => "true or false".to_owned(),
        (_, FeatureValue::Number(_) | FeatureValue::Missing) => "a number".to_owned(),
    }
}

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", "))
}

/// The fields in the OpenAPI document; a column of the entity's key that bears the name of one of them goes before it.
pub fn describe(document: &mut Value) {
    let of_entity = json!({
        "type": ["object", "null"],
        "additionalProperties": { "type": ["number", "string", "boolean", "null"] },
        "description": "Features that take the place of the stored ones in the answer; null is a missing value. Where nothing is stored of the entity, every feature of the model is needed.",
    });
    let of_batch = json!({
        "type": ["array", "null"], "items": of_entity, "description": "One for each entity, in their order.",
    });
    let names = json!({
        "type": "array", "items": { "type": "string" },
        "description": "The features whose values came with the request; absent where none did.",
    });
    let mut add = |schema: &str, field: &str, described: Value| {
        let properties = document.pointer_mut(&format!("/components/schemas/{schema}/properties"));
        if let Some(properties) = properties.and_then(Value::as_object_mut) {
            properties.entry(field).or_insert(described);
        }
    };
    add("PredictRequest", FIELD, of_entity);
    add("BatchRequest", FIELD, of_batch);
    add("Prediction", NAMES_FIELD, names);
}

fn invalid(kind: &'static str, name: Option<&str>, index: Option<usize>, message: String) -> ApiError {
    let name = name.map(shortened);
    let (field, part) = match (name, index) {
        (Some(name), None) => (format!("{FIELD}.{name}"), None),
        (name, _) => (FIELD.to_owned(), name.map(Cow::into_owned)),
    };
    Invalid { kind, field: Some(field), index, part, message }.into()
}

#[cfg(test)]
mod tests {
    use FeatureValue::{Boolean, Missing, Number, Text};

    use super::*;

    fn categorical(names: &[&str]) -> Kind {
        let level = |(at, name): (usize, &&str)| Level { name: (*name).into(), rows: 1, position: at as u32 };
        Kind::Categorical { levels: names.iter().enumerate().map(level).collect() }
    }

    #[test]
    fn a_value_is_of_the_stored_type_and_a_known_level() {
        let (number, text, truth) = (Number(0.0), Text(""), Boolean(false));
        let plans = || categorical(&["yearly", "monthly"]);
        let truths = || categorical(&["false", "true"]);
        let codes = || categorical(&["7", "-3", "0", "2.5"]);
        let free = || categorical(&[]);
        for (kind, stored, sent, expected) in [
            (Kind::Numerical, number, "12.5", Ok(Number(12.5))),
            (Kind::Numerical, number, "-0", Ok(Number(-0.0))),
            (Kind::Numerical, number, "9007199254740994", Ok(Number(9_007_199_254_740_994.0))),
            (Kind::Numerical, number, "-9223372036854775808", Ok(Number(-9_223_372_036_854_775_808.0))),
            (
                Kind::Numerical,
                number,
                "9223372036854775807",
                Err(
                    "expected a number that a 64-bit float holds exactly, got the integer 9223372036854775807; the nearest one is 9223372036854775808",
                ),
            ),
            (Kind::Numerical, number, "null", Ok(Missing)),
            (Kind::Numerical, number, "{}", Err("expected a number, got an object")),
            // An imported model takes a stored truth value as a number.
            (Kind::Numerical, truth, "true", Ok(Boolean(true))),
            (Kind::Numerical, truth, "1", Err("expected true or false, got the integer 1")),
            (plans(), text, "\"monthly\"", Ok(Text("monthly"))),
            (plans(), text, "null", Ok(Missing)),
            (
                plans(),
                text,
                "\"\"",
                Err("expected one of its 2 levels (\"yearly\", \"monthly\"), got the text \"\""),
            ),
            (plans(), text, "true", Err("expected one of its 2 levels (\"yearly\", \"monthly\"), got true")),
            (truths(), truth, "false", Ok(Boolean(false))),
            (truths(), truth, "\"false\"", Err("expected true or false, got the text \"false\"")),
            (categorical(&["false"]), truth, "true", Err("expected one of its 1 levels (false), got true")),
            (codes(), number, "7.0", Ok(Number(7.0))),
            (codes(), number, "-3", Ok(Number(-3.0))),
            (codes(), number, "-0.0", Ok(Number(-0.0))),
            (codes(), number, "2.5", Ok(Number(2.5))),
            (codes(), number, "8", Err("expected one of its 4 levels (7, -3, 0, 2.5), got the integer 8")),
            (free(), text, "\"anything\"", Ok(Text("anything"))),
            (free(), text, "5", Err("expected a text, got the integer 5")),
        ] {
            let feature = Feature { name: "x".into(), kind, missing_share: 0.0 };
            let json = Json::read(sent.as_bytes()).unwrap().unwrap();
            assert_eq!(value_of(&json, &feature, stored), expected.map_err(str::to_owned), "{sent}");
        }
    }

    #[test]
    fn long_names_are_not_repeated_whole() {
        let error = invalid("extra_forbidden", Some(&"x".repeat(1000)), None, "unknown".into()).to_string();
        assert_eq!(error, format!("features.{}…: unknown", "x".repeat(60)));
    }
}
