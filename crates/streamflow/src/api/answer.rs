//! What a prediction says, by the task of the model that is served.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};
use streamflow_model::{Answer, Task, largest};

use super::metrics::Metrics;
use crate::serving::Serving;

/// The fields of an answer that depend on the task.
pub enum Said<'a> {
    /// Whether it is positive, and how probably.
    Binary { prediction: u8, probability: f64 },
    /// The most probable class, and the probability of each.
    Multiclass { prediction: &'a str, probabilities: Named<'a> },
    /// The number.
    Regression { value: f64 },
}

/// The probability of each class, by its name.
pub struct Named<'a> {
    classes: &'a [String],
    probabilities: Vec<f64>,
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.classes.iter().zip(&self.probabilities))
    }
}

impl<'a> Said<'a> {
    /// What the model says, counted. None where it is no finite number, which an imported model may say.
    pub fn of(serving: &'a Serving, answer: &Answer, metrics: &Metrics) -> Option<Self> {
        Some(match answer {
            &Answer::Probability(probability) => {
                let is_positive = serving.is_positive(probability);
                metrics.count_prediction(probability, is_positive);
                Self::Binary { prediction: u8::from(is_positive), probability }
            }
            Answer::Probabilities(probabilities) => {
                let classes = serving.model.classes();
                if probabilities.len() != classes.len() || probabilities.iter().any(|p| !p.is_finite()) {
                    return None;
                }
                let prediction = classes.get(largest(probabilities))?;
                metrics.count_class(prediction);
                Self::Multiclass {
                    prediction,
                    probabilities: Named { classes, probabilities: probabilities.clone() },
                }
            }
            Answer::Value(value) if !value.is_finite() => return None,
            &Answer::Value(value) => {
                metrics.count_value(value);
                Self::Regression { value }
            }
        })
    }

    /// Writes the fields into an object.
    pub fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match self {
            Self::Binary { prediction, probability } => {
                map.serialize_entry("prediction", prediction)?;
                map.serialize_entry("probability", probability)
            }
            Self::Multiclass { prediction, probabilities } => {
                map.serialize_entry("prediction", prediction)?;
                map.serialize_entry("probabilities", probabilities)
            }
            Self::Regression { value } => map.serialize_entry("value", value),
        }
    }
}

/// Makes the document of two classes that of the served model.
pub fn describe(document: &mut Value, serving: &Serving) {
    let fields = match serving.model.task() {
        Task::Binary => return,
        Task::Multiclass => {
            let probability = json!({ "type": "number", "format": "double", "minimum": 0, "maximum": 1 });
            vec![
                (
                    "prediction",
                    json!({
                        "type": "string", "enum": serving.model.classes(),
                        "description": "The class with the largest probability, the first of several.",
                    }),
                ),
                (
                    "probabilities",
                    json!({
                        "type": "object", "additionalProperties": probability,
                        "description": "The probability of each class; they sum to 1.",
                    }),
                ),
            ]
        }
        Task::Regression => vec![(
            "value",
            json!({ "type": "number", "format": "double", "description": "The number that is predicted, in units of the label." }),
        )],
    };
    let Some(schema) = document.pointer_mut("/components/schemas/Prediction") else { return };
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.retain(|name, _| name != "prediction" && name != "probability");
        properties.extend(fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())));
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| name != "prediction" && name != "probability");
        required.extend(fields.iter().map(|(name, _)| Value::from(*name)));
    }
}
