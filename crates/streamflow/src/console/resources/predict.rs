//! A prediction with its features beside what the model learned from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use streamflow_dataset::{ColumnType, EntityKey, Frame, MISSING, PointInTime, Values};
use utoipa::ToSchema;

use super::{ResourceError, Resources};
use crate::workspace::Workspace;

/// Bins of a numerical feature.
const BINS: usize = 24;
/// Levels of a categorical feature that are listed; the rest counts together.
const LEVELS: usize = 12;

/// The distributions of the version that was used last.
pub type Cache = Mutex<Option<(i64, Arc<Distributions>)>>;

type Distributions = BTreeMap<String, Distribution>;

/// How a feature was distributed in the snapshot that the model was trained on.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Distribution {
    /// Rows between neighbouring edges; values beyond the outer ones are in the outer bins.
    Numerical { edges: Vec<f64>, counts: Vec<u64>, missing: u64 },
    /// Rows of each level, most frequent first.
    Categorical { levels: Vec<String>, counts: Vec<u64>, missing: u64 },
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictBody {
    /// A value of the entity's column; `store=s1 sku=17` where the entity has several columns.
    entity: String,
}

/// What the prediction API answered, and how each feature was distributed where the model learned.
#[derive(Serialize, ToSchema)]
pub struct Prediction {
    status: u16,
    #[schema(value_type = Object)]
    response: Value,
    #[schema(value_type = BTreeMap<String, Distribution>)]
    distributions: Arc<Distributions>,
}

/// Asks the prediction API as any client would, so it is counted there.
#[utoipa::path(post, path = "/api/streamflow/predict", tag = "models", request_body = PredictBody,
    responses((status = 200, body = Prediction)))]
pub async fn predict(
    State(resources): State<Resources>,
    body: Result<Json<PredictBody>, JsonRejection>,
) -> Result<Json<Prediction>, ResourceError> {
    let Json(PredictBody { entity }) = body?;
    let parts = &resources.0.parts;
    let spec = &parts.workspace.config.dataset;
    let named = request_of(&spec.entity, &entity, &spec.key_types())?;
    let url = parts.api_url.join("predict").context("the prediction API's address is no URL")?;
    let request = resources.0.client.post(url).bearer_auth(parts.own_key);
    let answer = request.json(&named).send().await;
    let answer = answer.context("the prediction API of this server does not answer")?;
    let status = answer.status().as_u16();
    let response: Value = answer.json().await.context("the prediction API's answer is not JSON")?;
    let distributions = distributions(&resources).await?;
    Ok(Json(Prediction { status, response, distributions }))
}

/// The body of a request about the entity that a text names. What is no value of a key of one column is for the prediction
/// API to refuse.
fn request_of(key: &EntityKey, entity: &str, types: &[ColumnType]) -> Result<Value, ResourceError> {
    match (key.parts(entity, types), key.single()) {
        (Ok(parts), _) => {
            let fields = key.columns().iter().zip(parts);
            Ok(fields.map(|(column, part)| (column.clone(), json!(part))).collect::<Map<_, _>>().into())
        }
        (Err(_), Some(column)) => Ok(json!({ column: entity })),
        (Err(error), None) => Err(ResourceError::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())),
    }
}

/// The distributions of the production version; empty before there is one.
async fn distributions(resources: &Resources) -> anyhow::Result<Arc<Distributions>> {
    let Workspace { config, registry, snapshots, .. } = resources.workspace();
    let Some(production) = registry.production(&config.model.name).await? else {
        return Ok(Arc::default());
    };
    let cache = || resources.0.distributions.lock().expect("no panic while held");
    if let Some((_, distributions)) = cache().as_ref().filter(|(version, _)| *version == production.version) {
        return Ok(distributions.clone());
    }
    let as_of = production.as_of.parse().context("the registry's date")?;
    let snapshots = snapshots.clone();
    let distributions = tokio::task::spawn_blocking(move || {
        let frame = snapshots.point_in_time(as_of, PointInTime { labels: false, exact: false })?;
        anyhow::Ok(Arc::new(of_features(&frame, &snapshots.spec().features)))
    });
    let distributions = distributions.await??;
    *cache() = Some((production.version, distributions.clone()));
    Ok(distributions)
}

fn of_features(frame: &Frame, features: &[String]) -> Distributions {
    let of = |name: &String| Some((name.clone(), distribution(&frame.column(name)?.values)?));
    features.iter().filter_map(of).collect()
}

/// The distribution of a column; none of dates, which are no features.
fn distribution(values: &Values) -> Option<Distribution> {
    let missing = values.missing() as u64;
    Some(match values {
        Values::Float(values) => numerical(values.iter().copied(), missing),
        Values::Integer(values) => numerical(values.iter().flatten().map(|value| *value as f64), missing),
        Values::Boolean(values) => {
            let rows = |wanted| values.iter().flatten().filter(|value| **value == wanted).count() as u64;
            categorical(vec![("false".to_owned(), rows(false)), ("true".to_owned(), rows(true))], missing)
        }
        Values::Text { codes, levels } => {
            let mut counts = vec![0; levels.len()];
            for code in codes.iter().filter(|code| **code != MISSING) {
                counts[*code as usize] += 1;
            }
            categorical(levels.iter().cloned().zip(counts).collect(), missing)
        }
        Values::Date(_) => return None,
    })
}

/// Counts in equal bins over the middle 98 %, since a single huge value would leave one bin for all others.
fn numerical(values: impl Iterator<Item = f64>, missing: u64) -> Distribution {
    let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
    let (low, high) = if sorted.is_empty() { (0.0, 1.0) } else { (at(0.01), at(0.99)) };
    let high = if high > low { high } else { low + 1.0 };
    let width = (high - low) / BINS as f64;
    let mut counts = vec![0; BINS];
    for value in sorted {
        counts[(((value - low) / width).max(0.0) as usize).min(BINS - 1)] += 1;
    }
    let edges = (0..=BINS).map(|edge| low + width * edge as f64).collect();
    Distribution::Numerical { edges, counts, missing }
}

fn categorical(mut counted: Vec<(String, u64)>, missing: u64) -> Distribution {
    counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    if counted.len() > LEVELS {
        let rest = counted.split_off(LEVELS - 1);
        let rows = rest.iter().map(|(_, rows)| rows).sum();
        counted.push((format!("{} others", rest.len()), rows));
    }
    let (levels, counts) = counted.into_iter().unzip();
    Distribution::Categorical { levels, counts, missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_a_bin_or_missing() {
        let values: Vec<f64> = (0..1000).map(f64::from).chain([1e12, f64::NAN]).collect();
        let Some(Distribution::Numerical { edges, counts, missing }) = distribution(&Values::Float(values))
        else {
            panic!("numbers are numerical")
        };
        assert_eq!((edges.len(), counts.len(), missing), (BINS + 1, BINS, 1));
        assert_eq!(counts.iter().sum::<u64>(), 1001);
        assert!(edges[BINS] < 1000.0, "one huge value does not stretch the bins: {edges:?}");
    }

    #[test]
    fn few_levels_are_told_and_the_rest_together() {
        let levels: Vec<String> = (0..40).map(|level| format!("l{level:02}")).collect();
        let codes = (0..40).chain([7, 7, MISSING]).collect();
        let Some(Distribution::Categorical { levels, counts, missing }) =
            distribution(&Values::Text { codes, levels })
        else {
            panic!("text is categorical")
        };
        assert_eq!((levels.len(), missing, counts[0], levels[0].as_str()), (LEVELS, 1, 3, "l07"));
        assert_eq!((levels[LEVELS - 1].as_str(), counts.iter().sum::<u64>()), ("29 others", 42));
    }

    #[test]
    fn nothing_and_one_value_have_a_distribution() {
        for values in [vec![], vec![5.0], vec![f64::INFINITY]] {
            assert!(distribution(&Values::Float(values)).is_some());
        }
    }
}
