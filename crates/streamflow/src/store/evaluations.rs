//! How right versions of models were on periods.

use serde::Serialize;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};
use utoipa::ToSchema;

use super::change::Change as _;
use super::{Store, json_of, now};

/// One measurement of a version on a period.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StoredEvaluation {
    pub id: i64,
    pub model: String,
    pub version: i64,
    pub period: String,
    /// `realised` from labels, `estimated` without.
    pub kind: String,
    pub at: String,
    pub run_id: Option<i64>,
    #[schema(value_type = Object)]
    pub evaluation: Value,
}

impl FromRow<'_, AnyRow> for StoredEvaluation {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            model: row.try_get("model")?,
            version: row.try_get("version")?,
            period: row.try_get("period")?,
            kind: row.try_get("kind")?,
            at: row.try_get("at")?,
            run_id: row.try_get("run_id")?,
            evaluation: json_of(row, "evaluation")?,
        })
    }
}

/// A measurement to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct NewEvaluation<'a> {
    pub model: &'a str,
    pub version: i64,
    pub period: &'a str,
    pub kind: &'a str,
    pub run: Option<i64>,
    pub evaluation: &'a Value,
}

/// The JSON of a text is asked for in other words by each database.
const REALISED_BEFORE: &str = "\
    SELECT evaluation -> ('$.realised.measured.metrics.' || $1 || '.value') FROM evaluations WHERE id IN
    (SELECT MAX(id) FROM evaluations WHERE model = $2 AND version = $3 AND kind = 'realised' GROUP BY period)
    AND period || iif(length(period) = 10, 'T24', '') < $4 || iif(length($4) = 10, 'T24', '')
    AND period <> evaluation ->> '$.trained_on' ORDER BY period || iif(length(period) = 10, 'T24', '')";
const REALISED_BEFORE_POSTGRES: &str = "\
    SELECT evaluation::json #>> ARRAY['realised', 'measured', 'metrics', $1, 'value'] FROM evaluations WHERE id IN
    (SELECT MAX(id) FROM evaluations WHERE model = $2 AND version = $3 AND kind = 'realised' GROUP BY period)
    AND period || CASE WHEN length(period) = 10 THEN 'T24' ELSE '' END
        < $4 || CASE WHEN length($4) = 10 THEN 'T24' ELSE '' END
    AND period <> evaluation::json ->> 'trained_on'
    ORDER BY period || CASE WHEN length(period) = 10 THEN 'T24' ELSE '' END";

impl Store {
    /// Records a measurement. Earlier ones of the same period stay; one that says the same is not repeated.
    pub async fn add_evaluation(&self, new: &NewEvaluation<'_>) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO evaluations (model, version, period, kind, at, run_id, evaluation)
             SELECT $1, $2, $3, $4, $5, $6, $7 WHERE $7 IS DISTINCT FROM
             (SELECT evaluation FROM evaluations WHERE model = $1 AND version = $2 AND period = $3 AND kind = $4
              ORDER BY id DESC LIMIT 1)",
        )
        .bind(new.model)
        .bind(new.version)
        .bind(new.period)
        .bind(new.kind)
        .bind(now())
        .bind(new.run)
        .bind(new.evaluation.to_string())
        .change(self)
        .await?;
        Ok(())
    }

    /// Number of the last measurement; 0 before the first.
    pub async fn last_evaluation(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM evaluations").fetch_one(&self.pool).await
    }

    /// A metric of the newest realised measurement of each period before one, oldest first; none where it is undefined.
    /// The month that the version was trained on is left out.
    pub async fn realised_before(
        &self,
        model: &str,
        version: i64,
        period: &str,
        metric: &str,
    ) -> sqlx::Result<Vec<Option<f64>>> {
        // A date comes after the times of its day. As the JSON has it: a measurement is read by one parser, to the last digit.
        let values: Vec<Option<String>> =
            sqlx::query_scalar(self.spelled(REALISED_BEFORE, REALISED_BEFORE_POSTGRES))
                .bind(metric)
                .bind(model)
                .bind(version)
                .bind(period)
                .fetch_all(&self.pool)
                .await?;
        Ok(values.into_iter().map(|value| value?.parse().ok()).collect())
    }

    /// The newest measurement of each version, period and kind of a model, oldest period first.
    pub async fn evaluations(&self, model: &str) -> sqlx::Result<Vec<StoredEvaluation>> {
        sqlx::query_as(
            "SELECT * FROM evaluations WHERE id IN
             (SELECT MAX(id) FROM evaluations WHERE model = $1 GROUP BY version, period, kind)
             ORDER BY period || CASE WHEN length(period) = 10 THEN 'T24' ELSE '' END, version, kind",
        )
        .bind(model)
        .fetch_all(&self.pool)
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::each;

    #[tokio::test]
    async fn the_newest_measurement_of_a_period_counts() {
        each(async |store| {
            for (version, period, kind, auc) in [
                (1, "2024-02-29", "realised", 0.495),
                (1, "2024-02-29", "realised", 0.495),
                (1, "2024-02-29", "realised", 0.501),
                (1, "2024-02-29", "estimated", 0.85),
                (1, "2024-01-31", "realised", 0.84),
            ] {
                let evaluation = json!({ "auc": auc });
                let new = NewEvaluation {
                    model: "churn",
                    version,
                    period,
                    kind,
                    run: None,
                    evaluation: &evaluation,
                };
                store.add_evaluation(&new).await.unwrap();
            }
            let found = store.evaluations("churn").await.unwrap();
            let found: Vec<(i64, &str, &str, f64)> = found
                .iter()
                .map(|e| (e.id, e.period.as_str(), e.kind.as_str(), e.evaluation["auc"].as_f64().unwrap()))
                .collect();
            assert_eq!(
                found,
                [
                    (4, "2024-01-31", "realised", 0.84),
                    (3, "2024-02-29", "estimated", 0.85),
                    (2, "2024-02-29", "realised", 0.501)
                ]
            );
        })
        .await;
    }

    #[tokio::test]
    async fn the_values_before_a_period_are_those_of_its_version_and_other_months() {
        each(async |store| {
            for (version, period, kind, auc) in [
                (1, "2024-01-31", "realised", json!(0.84)),
                (1, "2024-02-29", "realised", json!(0.7)),
                (1, "2024-02-29", "realised", json!(0.8125000000000001)),
                (1, "2024-03-31", "realised", json!(null)),
                (1, "2024-04-30", "estimated", json!(0.9)),
                (2, "2024-04-30", "realised", json!(0.6)),
                (1, "2024-05-31", "realised", json!(0.5)),
            ] {
                let realised = json!({ "measured": { "metrics": { "roc_auc": { "value": auc } } } });
                let evaluation = json!({ "trained_on": "2024-01-31", "realised": realised });
                let new = NewEvaluation {
                    model: "churn",
                    version,
                    period,
                    kind,
                    run: None,
                    evaluation: &evaluation,
                };
                store.add_evaluation(&new).await.unwrap();
            }
            let before = async |period| store.realised_before("churn", 1, period, "roc_auc").await.unwrap();
            assert_eq!(before("2024-05-31").await, [Some(0.8125000000000001), None]);
            assert_eq!(before("2024-02-29").await, []);
            // A date comes after the times of its day.
            assert_eq!(before("2024-02-29T13:00").await, []);
            assert_eq!(before("2024-03-01T00:00").await, [Some(0.8125000000000001)]);
        })
        .await;
    }
}
