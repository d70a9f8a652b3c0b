//! What the newest evaluations of the version in production say, as numbers for `GET /metrics`.

use serde::Deserialize as _;
use serde_json::Value;
use streamflow_model::Task;

use crate::store::evaluations::StoredEvaluation;

/// How right the version in production is: measured on the newest month that has labels, estimated on the newest that
/// has scores.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewestPerformance {
    pub model: String,
    pub version: String,
    /// The metric that decides about a model of its task.
    pub deciding: &'static str,
    pub realised: Option<Measures>,
    pub estimated: Option<Measures>,
    /// Whether the performance has fallen on the newest month that has labels.
    pub has_fallen: bool,
    /// AUC from which on the newest month that has labels is usual, where enough months before it say so.
    pub usual_lower: Option<f64>,
    /// Error up to which it is usual, of a task that is judged by one.
    pub usual_upper: Option<f64>,
}

/// The metrics of a month by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measures {
    pub period: String,
    pub values: Vec<(String, f64)>,
}

impl NewestPerformance {
    /// Of all evaluations of a model, oldest month first; none where the version was not evaluated.
    pub fn new(evaluations: &[StoredEvaluation], version: i64) -> Option<Self> {
        let own: Vec<&StoredEvaluation> =
            evaluations.iter().filter(|evaluation| evaluation.version == version).collect();
        let newest = |part: &str| {
            own.iter()
                .rev()
                .find(|found| found.evaluation[part].is_object())
                .map(|found| found.evaluation.clone())
        };
        let (realised, estimated) = (newest("realised"), newest("estimated"));
        if realised.is_none() && estimated.is_none() {
            return None;
        }
        let task = realised.as_ref().or(estimated.as_ref()).map(|month| &month["task"]);
        // Evaluations from before there were other tasks say none.
        let task: Task = task.and_then(|task| Task::deserialize(task).ok()).unwrap_or_default();
        Some(Self {
            deciding: task.metric().name(),
            model: own.first()?.model.clone(),
            version: version.to_string(),
            has_fallen: realised.as_ref().is_some_and(|month| month["verdict"]["decision"] == "fallen"),
            usual_lower: realised.as_ref().and_then(|month| month["usual"]["lower"].as_f64()),
            usual_upper: realised.as_ref().and_then(|month| month["usual"]["upper"].as_f64()),
            realised: realised.map(|month| Measures::new(&month, &month["realised"]["measured"]["metrics"])),
            estimated: estimated
                .map(|month| Measures::new(&month, &month["estimated"]["estimated"]["metrics"])),
        })
    }
}

impl Measures {
    fn new(evaluation: &Value, metrics: &Value) -> Self {
        let values = metrics.as_object().into_iter().flatten();
        let values = values.filter_map(|(name, measured)| Some((name.clone(), measured["value"].as_f64()?)));
        Self {
            period: evaluation["period"].as_str().unwrap_or_default().to_owned(),
            values: values.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stored(version: i64, period: &str, realised: Option<f64>, decision: &str) -> StoredEvaluation {
        let auc = |value| json!({ "metrics": { "roc_auc": { "value": value }, "mcc": { "value": null } } });
        let evaluation = json!({
            "period": period,
            "realised": realised.map(|value| json!({ "measured": auc(value) })),
            "estimated": { "estimated": auc(0.85) },
            "verdict": { "decision": decision, "reason": "" },
        });
        let kind = if realised.is_some() { "realised" } else { "estimated" };
        StoredEvaluation {
            id: 1,
            model: "churn".into(),
            version,
            period: period.into(),
            kind: kind.into(),
            at: String::new(),
            run_id: None,
            evaluation,
        }
    }

    #[test]
    fn the_newest_month_with_labels_is_measured_and_the_newest_month_estimated() {
        let all = [
            stored(1, "2024-01-31", Some(0.84), "no_action"),
            stored(1, "2024-02-29", Some(0.5), "fallen"),
            stored(2, "2024-02-29", Some(0.8), "no_action"),
            stored(1, "2024-03-31", None, "undecided"),
        ];
        let measures =
            |period: &str, auc| Measures { period: period.into(), values: vec![("roc_auc".into(), auc)] };
        let found = NewestPerformance::new(&all, 1).unwrap();
        assert_eq!(found.realised, Some(measures("2024-02-29", 0.5)));
        assert_eq!(found.estimated, Some(measures("2024-03-31", 0.85)));
        assert_eq!(found.deciding, "roc_auc");
        assert!(found.has_fallen, "a month without labels takes nothing back");
        assert!(!NewestPerformance::new(&all, 2).unwrap().has_fallen);
        assert_eq!(NewestPerformance::new(&all, 3), None);
        let mut regression = all;
        regression[2].evaluation["task"] = json!("regression");
        assert_eq!(NewestPerformance::new(&regression, 2).unwrap().deciding, "rmse");
    }
}
