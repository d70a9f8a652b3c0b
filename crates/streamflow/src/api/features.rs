//! `POST /predict` of a model file: the features come with the request, and nothing is known of entities.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};
use streamflow_inference::{self as inference, Labels, Model, Predictions, Value};
use streamflow_model::largest;

use super::error::{ApiError, Invalid};
use super::explained;
use super::json_fault::fault;
use super::metrics::Metrics;

/// The field of a request that holds the features.
const FIELD: &str = "features";

/// What the version of a model without a registry is called.
pub const VERSION: &str = "file";

/// A model file that is served as it is.
#[derive(Debug)]
pub struct FileModel {
    pub name: String,
    model: Model,
    /// The place of each feature in a row.
    pub places: HashMap<String, usize>,
}

impl FileModel {
    /// A model under a name of its own.
    #[must_use]
    pub fn new(name: String, model: Model) -> FileModel {
        let places = model.inputs().iter().enumerate().map(|(place, input)| (input.name.clone(), place));
        FileModel { name, places: places.collect(), model }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Answers a body.
    pub fn answer(&self, body: &[u8], metrics: &Metrics, explains: bool) -> Result<Json, ApiError> {
        let features = features(body)?;
        let values = self.values(&features)?;
        let predictions = self.model.predict(&values).map_err(|error| match error {
            inference::Error::Value { feature, given, expected } => {
                invalid("value_error", Some(&feature), format!("expected {expected}, got {given}"))
            }
            other => ApiError::Unpredictable(other.to_string()),
        })?;
        let explained = if explains { Some(self.explain(&values)?) } else { None };
        let mut answer = self.row(&predictions, 0, metrics);
        if let Some(found) = &explained {
            explained::add(&mut answer, &self.model, found, 0);
        }
        let unseen = self.unseen(&predictions).map(|(name, _)| name);
        let unseen: Vec<&str> = unseen.collect();
        if !unseen.is_empty() {
            answer.insert("unseen_levels".to_owned(), json!(unseen));
        }
        answer.insert("features_used".to_owned(), Json::Object(features));
        answer.insert("model".to_owned(), json!({ "name": self.name, "version": VERSION }));
        Ok(Json::Object(answer))
    }

    /// What each feature adds to the margins of values that the model takes.
    pub fn explain(&self, values: &[Value]) -> Result<inference::Explanations, ApiError> {
        self.model.explain(values).map_err(|error| {
            ApiError::Unpredictable(format!("Model {} gives no contributions: {error}", self.name))
        })
    }

    /// The features with levels that training did not have, and in how many rows.
    pub fn unseen<'a>(&'a self, predictions: &'a Predictions) -> impl Iterator<Item = (&'a str, u64)> {
        let unseen = self.model.inputs().iter().zip(&predictions.unseen).filter(|(_, rows)| **rows > 0);
        unseen.map(|(input, rows)| (input.name.as_str(), *rows))
    }

    /// The values in the order of the model. Every feature must be named, since a name with a typing error would be a
    /// missing value; null is one.
    fn values<'a>(&self, features: &'a Map<String, Json>) -> Result<Vec<Value<'a>>, ApiError> {
        if let Some(name) = features.keys().find(|name| !self.places.contains_key(*name)) {
            let message = format!("the model has no such feature; it takes {}", self.listed());
            return Err(invalid("extra_forbidden", Some(name), message));
        }
        let value = |input: &inference::Input| {
            let field = Some(input.name.as_str());
            match features.get(&input.name) {
                None => Err(invalid("missing", field, "field required; null is a missing value".to_owned())),
                Some(Json::Null) => Ok(Value::Missing),
                Some(Json::Bool(value)) => Ok(Value::Boolean(*value)),
                Some(Json::String(text)) => Ok(Value::Text(text)),
                Some(Json::Number(number)) => Ok(match number.as_i64() {
                    Some(integer) => Value::Integer(integer),
                    None => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
                }),
                Some(other) => {
                    let given = if other.is_array() { "a list" } else { "an object" };
                    let message = format!("expected {}, got {given}", input.kind.accepts());
                    Err(invalid("value_error", field, message))
                }
            }
        };
        self.model.inputs().iter().map(value).collect()
    }

    /// The names of the features, as the end of a sentence.
    pub fn listed(&self) -> String {
        const SHOWN: usize = 20;
        let names: Vec<&str> =
            self.model.inputs().iter().take(SHOWN).map(|input| input.name.as_str()).collect();
        let more = if self.model.inputs().len() > SHOWN { ", …" } else { "" };
        format!("{}{more}", names.join(", "))
    }

    /// What is answered to a row, and counted.
    pub fn row(&self, predictions: &Predictions, row: usize, metrics: &Metrics) -> Map<String, Json> {
        let mut answer = Map::new();
        let values = |matrix: &inference::Matrix| -> Vec<f64> {
            matrix.rows().nth(row).into_iter().flatten().map(|&value| matrix.shortest(value)).collect()
        };
        if let Some(label) = &predictions.label {
            let label = match label {
                Labels::Integers(labels) => labels.get(row).map(|label| json!(label)),
                Labels::Texts(labels) => labels.get(row).map(|label| json!(label)),
            };
            answer.insert("prediction".to_owned(), label.unwrap_or_default());
        }
        if let Some(matrix) = &predictions.probability {
            let probabilities = values(matrix);
            if let [_, positive] = probabilities[..] {
                answer.insert("probability".to_owned(), json!(positive));
                metrics.count_prediction(positive, positive > 0.5);
            } else {
                let classes = self.model.classes();
                let name = |class: usize| {
                    classes.and_then(|classes| classes.text(class)).unwrap_or_else(|| class.to_string())
                };
                metrics.count_class_of_file(&name(largest(&probabilities)));
                let named =
                    probabilities.iter().enumerate().map(|(class, value)| (name(class), json!(value)));
                answer.insert("probabilities".to_owned(), Json::Object(named.collect()));
            }
        }
        for (name, matrix) in [("value", &predictions.value), ("margin", &predictions.margin)] {
            let Some(matrix) = matrix else { continue };
            let values = values(matrix);
            if let ("value", [one], None) = (name, &values[..], &predictions.probability) {
                metrics.count_value(*one);
            }
            answer.insert(name.to_owned(), if let [one] = values[..] { json!(one) } else { json!(values) });
        }
        answer
    }
}

/// Puts the features of model files in the place of entities in the OpenAPI document; of several files they are any.
pub fn document(document: &mut Json, file: Option<&FileModel>) {
    let inputs = file.map(|file| file.model.inputs()).unwrap_or_default();
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let kind = |kind: &inference::Kind| match kind {
        inference::Kind::Number | inference::Kind::Code => json!(["number", "boolean", "null"]),
        inference::Kind::Integer => json!(["integer", "boolean"]),
        inference::Kind::Boolean => json!("boolean"),
        _ => json!(["string", "integer", "boolean", "number", "null"]),
    };
    let described =
        |input: &inference::Input| json!({ "type": kind(&input.kind), "description": input.kind.accepts() });
    let row: Map<_, _> = inputs.iter().map(|input| (input.name.clone(), described(input))).collect();
    let of = |properties: Map<String, Json>| {
        json!({
            "type": "object", "required": names, "additionalProperties": file.is_none(), "properties": properties,
        })
    };
    let lists = inputs
        .iter()
        .map(|input| (input.name.clone(), json!({ "type": "array", "items": described(input) })));
    let rows = json!({ "type": "array", "items": of(row.clone()) });
    let request = |field: &str, schema: Json| json!({ "type": "object", "required": [field], "properties": { field: schema } });
    let batch = json!({ "oneOf": [request(FIELD, rows), request("columns", of(lists.collect()))] });
    let answers = json!({ "type": "array", "items": { "type": "object" } });
    for (pointer, schema) in [
        ("/components/schemas/PredictRequest", request(FIELD, of(row))),
        ("/components/schemas/Prediction", json!({ "type": "object" })),
        ("/components/schemas/BatchRequest", batch),
        ("/components/schemas/BatchPredictions", request("predictions", answers)),
        ("/components/schemas/Ready", json!({ "type": "object", "required": ["status"] })),
        // No entity is unknown here; a model may be.
        ("/components/schemas/MissingFeaturesBody", request("error", json!({ "type": "string" }))),
    ] {
        if let Some(place) = document.pointer_mut(pointer) {
            *place = schema;
        }
    }
    let unknown = "/paths/~1predict~1batch/post/responses";
    let of_one = document.pointer("/paths/~1predict/post/responses/404").cloned();
    if let (Some(responses), Some(mut unknown)) = (document.pointer_mut(unknown), of_one) {
        unknown["description"] = "The model is not loaded, or there are several".into();
        responses["404"] = unknown;
    }
}

fn invalid(kind: &'static str, feature: Option<&str>, message: String) -> ApiError {
    let field = Some(feature.map_or_else(|| FIELD.to_owned(), |feature| format!("{FIELD}.{feature}")));
    Invalid { kind, field, message, ..Invalid::default() }.into()
}

/// The features of a body.
fn features(body: &[u8]) -> Result<Map<String, Json>, ApiError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let whole = |kind, index, message| ApiError::from(Invalid { kind, index, message, ..Invalid::default() });
    let value: Json = serde_json::from_slice(body).map_err(|error| {
        let (at, message) = fault(body, &error);
        whole("json_invalid", Some(at), message)
    })?;
    let Json::Object(mut fields) = value else {
        return Err(whole("model_attributes_type", None, "expected an object".to_owned()));
    };
    match fields.remove(FIELD) {
        Some(Json::Object(features)) => Ok(features),
        Some(_) => Err(invalid("dict_type", None, "expected an object of features".to_owned())),
        None => Err(invalid("missing", None, "field required".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "tree\nversion=v4\nnum_tree_per_iteration=1\nobjective=OBJECTIVE\nfeature_names=hours plan\n\
        feature_infos=[0:50] 0:1\n\nTree=0\nnum_leaves=2\nsplit_feature=0\nthreshold=30\ndecision_type=8\n\
        left_child=-1\nright_child=-2\nleaf_value=1 -1\n\nend of trees\n\
        pandas_categorical:[[\"monthly\", \"yearly\"]]\n";

    fn answer(objective: &str, body: &str) -> Result<Json, String> {
        let model = Model::read(FILE.replace("OBJECTIVE", objective).as_bytes()).unwrap();
        let file = FileModel::new("churn".to_owned(), model);
        file.answer(body.as_bytes(), &Metrics::default(), false).map_err(|error| error.to_string())
    }

    #[test]
    fn a_binary_model_and_a_regression_answer_what_they_are() {
        let body = r#"{"features": {"plan": "yearly", "hours": 12}}"#;
        let binary = answer("binary sigmoid:1", body).unwrap();
        assert_eq!((&binary["prediction"], &binary["margin"]), (&json!(1), &json!(1.0)));
        assert_eq!(binary["probability"], json!(1.0 / (1.0 + (-1.0_f64).exp())));
        assert_eq!(binary["model"], json!({ "name": "churn", "version": "file" }));
        let regression = answer("regression", body).unwrap();
        assert_eq!((&regression["value"], &regression["prediction"]), (&json!(1.0), &Json::Null));
        let unseen = answer("regression", r#"{"features": {"plan": "weekly", "hours": null}}"#).unwrap();
        assert_eq!((&unseen["unseen_levels"], &unseen["value"]), (&json!(["plan"]), &json!(-1.0)));
    }

    #[test]
    fn what_a_model_does_not_take_is_named() {
        let cases = [
            (
                r#"{"features": {"plan": "yearly"}}"#,
                "features.hours: field required; null is a missing value",
            ),
            (
                r#"{"features": {"plan": null, "hours": 1, "hour": 2}}"#,
                "features.hour: the model has no such feature; it takes hours, plan",
            ),
            (
                r#"{"features": {"plan": null, "hours": "12"}}"#,
                "features.hours: expected a number, got the text \"12\"",
            ),
            (
                r#"{"features": {"plan": null, "hours": [12]}}"#,
                "features.hours: expected a number, got a list",
            ),
            (
                r#"{"features": {"plan": 9007199254740993, "hours": 1}}"#,
                "features.plan: expected one of its 2 levels (\"monthly\", \"yearly\"), got the integer 9007199254740993",
            ),
            (r#"{"features": {"plan": null, "hours": NaN}}"#, "body: expected a value, found 'N' at byte 37"),
            (
                r#"{"features": {"plan": null, "hours": 1e999}}"#,
                "body: number out of range, found '9' at byte 41",
            ),
            (r#"{"user_id": "x"}"#, "features: field required"),
            (r#"{"features": []}"#, "features: expected an object of features"),
            ("[]", "body: expected an object"),
        ];
        for (body, expected) in cases {
            assert_eq!(answer("regression", body).unwrap_err(), expected, "{body}");
        }
    }
}
