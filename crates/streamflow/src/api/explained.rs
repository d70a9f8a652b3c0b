//! `?explain=true`: what each feature adds to an answer, beside the answer.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value as Json, json};
use streamflow_inference::{Explanations, Model};
use streamflow_model::{Contributions, Explanation, FeatureValue};

use super::error::{ApiError, Detail};
use super::json::shortened;
use crate::serving::Serving;

const PARAMETER: &str = "explain";

/// Why a table is not answered with contributions.
pub const NOT_OF_TABLES: &str =
    "a table has no contributions in its answer; leave explain=true out, or send the rows as JSON";

/// Whether a request asks for contributions.
///
/// # Errors
/// 422: the parameter is neither `true` nor `false`.
pub fn asked_for(query: Option<&str>) -> Result<bool, ApiError> {
    let pairs = query.unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let given = pairs.filter(|(name, _)| *name == PARAMETER).map(|(_, value)| value).next_back();
    match given {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(other) => Err(ApiError::Fields(vec![Detail {
            kind: "bool_parsing",
            loc: vec![json!("query"), json!(PARAMETER)],
            msg: format!("expected true or false, got {:?}", shortened(other)),
        }])),
    }
}

/// The contributions to one answer.
pub struct Explained<'a> {
    names: &'a [String],
    classes: &'a [String],
    explanation: Explanation,
}

impl<'a> Explained<'a> {
    /// Of values in the order of the model.
    ///
    /// # Errors
    /// 422 with the reason: the served version cannot be explained.
    pub fn of(serving: &'a Serving, values: &[FeatureValue]) -> Result<Self, ApiError> {
        let explanation = serving.model.explain(values);
        let explanation = explanation.map_err(|error| {
            let (name, version) = (&serving.model_name, &serving.model_version);
            ApiError::Unpredictable(format!("Version {version} of {name} gives no contributions: {error}"))
        })?;
        Ok(Self { names: serving.features.names(), classes: serving.model.classes(), explanation })
    }

    /// Writes the fields into an object.
    pub fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let outputs = &self.explanation.outputs;
        match &outputs[..] {
            [one] if self.classes.is_empty() => {
                map.serialize_entry("contributions", &OfFeatures { names: self.names, of: one })?;
                map.serialize_entry("base_value", &one.base)?;
            }
            outputs => {
                map.serialize_entry("contributions", &OfClasses { explained: self, outputs })?;
                let bases: Map<String, Json> =
                    self.classes.iter().cloned().zip(outputs.iter().map(|found| json!(found.base))).collect();
                map.serialize_entry("base_value", &bases)?;
            }
        }
        map.serialize_entry("contributions_scale", self.explanation.scale)
    }
}

struct OfFeatures<'a> {
    names: &'a [String],
    of: &'a Contributions,
}

impl Serialize for OfFeatures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.names.iter().zip(&self.of.of_features))
    }
}

struct OfClasses<'a> {
    explained: &'a Explained<'a>,
    outputs: &'a [Contributions],
}

impl Serialize for OfClasses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of_class = |of| OfFeatures { names: self.explained.names, of };
        serializer.collect_map(self.explained.classes.iter().zip(self.outputs.iter().map(of_class)))
    }
}

/// Adds the contributions to one row of a model file; of several outputs those of each, by the name of its class or in a
/// list.
pub fn add(answer: &mut Map<String, Json>, model: &Model, found: &Explanations, row: usize) {
    let Some(contributions) = found.rows().nth(row) else { return };
    let names = || model.inputs().iter().map(|input| input.name.clone());
    let outputs: Vec<Json> = contributions
        .chunks_exact(found.features.max(1))
        .map(|of| Json::Object(names().zip(of.iter().map(|value| json!(value))).collect()))
        .collect();
    let bases: Vec<Json> = found.base.iter().map(|base| json!(base)).collect();
    answer.insert("contributions".to_owned(), by_class(model, outputs));
    answer.insert("base_value".to_owned(), by_class(model, bases));
    answer.insert("contributions_scale".to_owned(), json!(model.margin_scale()));
}

fn by_class(model: &Model, mut outputs: Vec<Json>) -> Json {
    if outputs.len() == 1 {
        return outputs.pop().unwrap_or_default();
    }
    let classes = model.classes().filter(|classes| classes.len() == outputs.len());
    match classes {
        None => Json::Array(outputs),
        Some(classes) => {
            let name = |class: usize| classes.text(class).unwrap_or_else(|| class.to_string());
            Json::Object(outputs.into_iter().enumerate().map(|(class, of)| (name(class), of)).collect())
        }
    }
}

/// The parameter and the fields in the OpenAPI document.
pub fn describe(document: &mut Json) {
    let parameter = json!({
        "name": PARAMETER, "in": "query", "required": false, "schema": { "type": "boolean", "default": false },
        "description": "Adds what each feature adds to the answer (path-dependent TreeSHAP), the base value, and their scale.",
    });
    for path in ["/paths/~1predict/post", "/paths/~1predict~1batch/post"] {
        if let Some(route) = document.pointer_mut(path) {
            route["parameters"] = json!([parameter]);
        }
    }
    let number = json!({ "type": "number", "format": "double" });
    let of_features = json!({ "type": "object", "additionalProperties": number });
    let by_class = |one: &Json| json!({ "oneOf": [one, { "type": "object", "additionalProperties": one }] });
    let fields = json!({
        "contributions": {
            "anyOf": [of_features, { "type": "object", "additionalProperties": of_features }],
            "description": "What each feature adds to the base value, with `?explain=true`; of several classes by class.",
        },
        "base_value": by_class(&number),
        "contributions_scale": { "type": "string", "enum": ["log_odds", "log", "value", "margin"] },
    });
    let properties = document.pointer_mut("/components/schemas/Prediction/properties");
    if let (Some(Json::Object(properties)), Json::Object(fields)) = (properties, fields) {
        properties.extend(fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_is_true_or_false() {
        for (query, expected) in [
            (None, false),
            (Some(""), false),
            (Some("other=true"), false),
            (Some("explain=false"), false),
            (Some("a=b&explain=true"), true),
            (Some("explain=false&explain=1"), true),
        ] {
            assert_eq!(asked_for(query).unwrap(), expected, "{query:?}");
        }
        for query in ["explain", "explain=", "explain=yes", "explain=TRUE"] {
            let error = asked_for(Some(query)).unwrap_err().to_string();
            assert!(error.starts_with("query.explain: expected true or false, got "), "{error}");
        }
    }
}
