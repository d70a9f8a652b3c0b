//! The report in the JSON shape of Evidently 0.7, for programs that read that.
//!
//! Each metric carries its name under `metric_id` (to 0.7.15) and `metric_name` (from 0.7.16). `value` of
//! `ValueDrift` is the score; in the calibrated profile it is the effect size. Columns without a score are left out, and
//! so are Evidently's counts that need whole rows or pairs of columns in memory: duplicated rows, empty rows, duplicated,
//! almost duplicated and almost constant columns.

use serde_json::{Map, Value, json};

use crate::column::ColumnType;
use crate::report::{ColumnReport, Report, SideSummary, Status};
use crate::settings::RuleSet;

/// Evidently's own default, under which `DriftedColumnsCount` is looked for.
const DATASET_DRIFT_SHARE: f64 = 0.5;

impl Report {
    /// The report as Evidently's JSON: `{"metrics": [{"id", "metric_id", "metric_name", "value"}, …], "tests": []}`.
    #[must_use]
    pub fn to_evidently_json(&self) -> String {
        let mut metrics = dataset(self);
        for column in &self.columns {
            if let Some(side) = &column.current {
                of_column(&mut metrics, column, side);
            }
        }
        let count = json!({"count": self.drifted_columns as f64, "share": self.drift_share});
        metrics.push((format!("DriftedColumnsCount(drift_share={DATASET_DRIFT_SHARE})"), count));
        let mut metrics: Vec<Value> = metrics
            .into_iter()
            .map(|(name, value)| json!({"id": id(&name), "metric_id": name, "metric_name": name, "value": value}))
            .collect();
        metrics.extend(self.columns.iter().filter_map(|column| value_drift(column, self.profile)));
        json!({"metrics": metrics, "tests": []}).to_string()
    }
}

/// The score of a column; none where it has none. `metric_id` is the name that versions before 0.7.16 gave.
fn value_drift(column: &ColumnReport, profile: RuleSet) -> Option<Value> {
    if column.status != Status::Tested {
        return None;
    }
    let effect = column.effect_size.as_ref();
    let (method, score, threshold) = match profile {
        RuleSet::Evidently => (column.method.as_deref()?, column.score?, column.threshold?),
        RuleSet::Calibrated => (effect?.name.as_str(), effect?.value?, effect?.threshold),
    };
    let (name, method) = (&column.name, display_name(method));
    let full = format!("ValueDrift(column={name},method={method},threshold={threshold})");
    Some(json!({
        "id": id(&full),
        "metric_id": format!("ValueDrift(column={name})"),
        "metric_name": full,
        "config": {
            "type": "evidently:metric_v2:ValueDrift",
            "column": name,
            "method": method,
            "threshold": threshold,
        },
        "value": score,
    }))
}

/// What Evidently calls a method that it chose itself; another keeps the name by which it is asked for.
fn display_name(method: &str) -> &str {
    match method {
        "ks" => "K-S p_value",
        "chisquare" => "chi-square p_value",
        "z" => "Z-test p_value",
        "wasserstein" => "Wasserstein distance (normed)",
        "jensenshannon" => "Jensen-Shannon distance",
        "perc_text_content_drift" => "Percentile text content drift",
        "abs_text_content_drift" => "Absolute text content drift",
        asked => asked,
    }
}

fn dataset(report: &Report) -> Vec<(String, Value)> {
    let here = report.columns.iter().filter(|column| column.current.is_some());
    let of_type = |kind| here.clone().filter(|column| column.column_type == kind).count() as f64;
    let sides: Vec<&SideSummary> =
        report.columns.iter().filter_map(|column| column.current.as_ref()).collect();
    let missing: usize = sides.iter().map(|side| side.missing).sum();
    let cells: usize = sides.iter().map(|side| side.rows).sum();
    let empty = sides.iter().filter(|side| side.rows > 0 && side.missing == side.rows).count();
    // An empty column is constant there too.
    let constant =
        |side: &&&SideSummary| side.rows > 0 && (side.missing == side.rows || side.distinct == Some(1));
    let constant = sides.iter().filter(constant).count();
    let share = if cells == 0 { 0.0 } else { missing as f64 / cells as f64 };
    vec![
        ("RowCount()".into(), json!(report.current.rows as f64)),
        ("ColumnCount()".into(), json!(report.current.columns as f64)),
        ("ColumnCount(column_type=ColumnType.Numerical)".into(), json!(of_type(ColumnType::Numerical))),
        ("ColumnCount(column_type=ColumnType.Categorical)".into(), json!(of_type(ColumnType::Categorical))),
        ("ColumnCount(column_type=ColumnType.Text)".into(), json!(of_type(ColumnType::Text))),
        ("EmptyColumnsCount()".into(), json!(empty as f64)),
        ("ConstantColumnsCount()".into(), json!(constant as f64)),
        ("DatasetMissingValueCount()".into(), json!({"count": missing as f64, "share": share})),
    ]
}

fn of_column(metrics: &mut Vec<(String, Value)>, column: &ColumnReport, side: &SideSummary) {
    let name = &column.name;
    let share = if side.rows == 0 { 0.0 } else { side.missing as f64 / side.rows as f64 };
    let missing = json!({"count": side.missing as f64, "share": share});
    metrics.push((format!("MissingValueCount(column={name})"), missing));
    if let Some(numeric) = &side.numeric {
        for (metric, value) in [
            ("MinValue", numeric.min),
            ("MaxValue", numeric.max),
            ("MeanValue", numeric.mean),
            ("StdValue", numeric.std),
        ] {
            metrics.push((format!("{metric}(column={name})"), json!(value)));
        }
        for (quantile, value) in [("0.25", numeric.q25), ("0.5", numeric.q50), ("0.75", numeric.q75)] {
            metrics.push((format!("QuantileValue(column={name},quantile={quantile})"), json!(value)));
        }
    } else if !side.top.is_empty() {
        let present = (side.rows - side.missing) as f64;
        let of = |value: &dyn Fn(u64) -> f64| -> Map<String, Value> {
            side.top.iter().map(|top| (top.label.clone(), json!(value(top.count)))).collect()
        };
        let value = json!({"counts": of(&|n| n as f64), "shares": of(&|n| n as f64 / present)});
        metrics.push((format!("UniqueValueCount(column={name})"), value));
    }
}

/// 128 bits of the metric's name (FNV-1a), so that equal reports have equal ids.
fn id(name: &str) -> String {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
    let start = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D_u128;
    let hash = name.bytes().fold(start, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{Column, DriftSettings, RuleSet, compare};

    #[test]
    fn existing_readers_find_share_and_scores() {
        let reference = Column::float("x", (0..200).map(f64::from).collect());
        let current = Column::float("x", (100..300).map(f64::from).collect());
        let settings = DriftSettings { profile: RuleSet::Evidently, ..DriftSettings::default() };
        let report = compare(&[reference], &[current], &settings).unwrap();
        let json: Value = serde_json::from_str(&report.to_evidently_json()).unwrap();
        let metrics = json["metrics"].as_array().unwrap();
        let find =
            |part: &str, key: &str| metrics.iter().find(|m| m[key].as_str().unwrap().contains(part)).unwrap();
        for key in ["metric_id", "metric_name"] {
            let count = find("DriftedColumnsCount", key);
            assert_eq!(count[key], "DriftedColumnsCount(drift_share=0.5)");
            assert_eq!((&count["value"]["count"], &count["value"]["share"]), (&1.0.into(), &1.0.into()));
            assert!(find("ValueDrift(column=x", key)["value"].as_f64().unwrap() < 1e-20);
        }
        let drift = find("ValueDrift", "metric_name");
        assert_eq!(drift["metric_name"], "ValueDrift(column=x,method=K-S p_value,threshold=0.05)");
        let config = serde_json::json!({
            "type": "evidently:metric_v2:ValueDrift",
            "column": "x",
            "method": "K-S p_value",
            "threshold": 0.05,
        });
        assert_eq!(drift["config"], config);
        assert_eq!(find("RowCount()", "metric_id")["value"], 200.0);
        assert_eq!(json["tests"], serde_json::json!([]));
    }

    #[test]
    fn constant_and_empty_columns_are_counted_as_evidently_counts_them() {
        // evidently 0.7.23: DataSummaryPreset on columns of these four shapes gives 3.0 and 1.0.
        let columns = [
            Column::float("constant", vec![1.0; 40]),
            Column::float("constant where present", [vec![2.0; 30], vec![f64::NAN; 10]].concat()),
            Column::float("empty", vec![f64::NAN; 40]),
            Column::float("varied", (0..40).map(f64::from).collect()),
        ];
        let report = compare(&columns, &columns, &DriftSettings::default()).unwrap();
        let json: Value = serde_json::from_str(&report.to_evidently_json()).unwrap();
        let value = |name: &str| {
            json["metrics"].as_array().unwrap().iter().find(|m| m["metric_name"] == name).unwrap()["value"]
                .as_f64()
        };
        assert_eq!(value("ConstantColumnsCount()"), Some(3.0));
        assert_eq!(value("EmptyColumnsCount()"), Some(1.0));
    }
}
