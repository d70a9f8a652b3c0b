//! A kept answer's features, given to another version.

use anyhow::Context as _;
use streamflow_model::{Answer, FeatureValue, Model, largest};

use super::record::{Cell, Record, column_of};

/// What a model says of the features of a row: the score as the log has it, and the class.
///
/// # Errors
/// A feature that the row lacks, or a value that the model does not take.
pub fn score_again(model: &Model, row: &Record) -> anyhow::Result<(f64, Option<String>)> {
    let value = |name: &str| {
        let place =
            row.shape.features.iter().position(|(known, _)| *known == name || *known == column_of(name));
        let place = place.with_context(|| format!("version {} was not given {name}", row.shape.version))?;
        anyhow::Ok(match row.values.get(place) {
            None | Some(Cell::Missing) => FeatureValue::Missing,
            Some(Cell::Number(number)) => FeatureValue::Number(*number),
            Some(Cell::Text(text)) => match &**text {
                "true" => FeatureValue::Boolean(true),
                "false" => FeatureValue::Boolean(false),
                text => FeatureValue::Text(text),
            },
        })
    };
    let features = model.schema().features.iter();
    let values = features.map(|feature| value(&feature.name)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(match model.answer(&values)? {
        Answer::Probability(score) => {
            (score, Some(if score >= model.threshold() { "1" } else { "0" }.to_owned()))
        }
        Answer::Probabilities(all) => {
            let class = largest(&all);
            (all.get(class).copied().unwrap_or(f64::NAN), model.classes().get(class).cloned())
        }
        Answer::Value(value) => (value, None),
    })
}
