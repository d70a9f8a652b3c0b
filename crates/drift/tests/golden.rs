//! The evidently profile against Evidently 0.7.23 itself: 76 generated cases, every applicable method.
//!
//! The vectors are outside the project: `STREAMFLOW_SHARED`, else the `shared` directory beside it.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use streamflow_drift::{
    Column, ColumnReport, ColumnType, Decision, DriftSettings, Method, Report, RuleSet, Status, Values,
    compare,
};

/// The directory of test data; `None`, loudly, where there is none (an error under `CI`).
fn shared(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("STREAMFLOW_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let dir = root.join(part);
    if dir.exists() {
        return Some(dir);
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{} is missing", dir.display());
    eprintln!("SKIPPED: {} is missing, set STREAMFLOW_SHARED", dir.display());
    None
}

/// A side of a case as pandas would type it.
fn column(cells: &[&str]) -> Column {
    let present = || cells.iter().filter(|cell| !cell.is_empty());
    let values: Vec<f64> = cells
        .iter()
        .map(|cell| if cell.is_empty() { f64::NAN } else { cell.parse().unwrap_or(f64::NAN) })
        .collect();
    let is_number = present().all(|cell| cell.parse::<f64>().is_ok());
    let is_whole = present().count() == cells.len() && cells.iter().all(|cell| cell.parse::<i64>().is_ok());
    if is_number && is_whole {
        return Column::integer("x", cells.iter().map(|cell| Some(cell.parse().unwrap())).collect());
    }
    if is_number {
        return Column::float("x", values);
    }
    Column::text("x", &cells.iter().map(|&cell| (!cell.is_empty()).then_some(cell)).collect::<Vec<_>>())
}

fn sides(file: &Path) -> [Column; 2] {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    ["r", "c"].map(|side| {
        let rows = text.lines().skip(1).filter_map(|line| line.split_once(',')).filter(|(of, _)| *of == side);
        column(&rows.map(|(_, value)| value).collect::<Vec<_>>())
    })
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(word) if word == "NaN" => f64::NAN,
        Value::String(word) if word == "Infinity" => f64::INFINITY,
        other => other.as_f64().unwrap(),
    }
}

/// Evidently computes some p-values as 1 − cdf, whose error is about 1e-16 absolutely.
fn close(found: f64, expected: f64, relative: f64) -> bool {
    found.is_nan() && expected.is_nan()
        || (found - expected).abs() <= relative * expected.abs()
        || (found - expected).abs() <= 2e-15
}

struct Case<'a> {
    name: &'a str,
    sides: &'a [Column; 2],
    kind: ColumnType,
}

impl Case<'_> {
    fn run(&self, method: Option<&'static Method>) -> ColumnReport {
        let mut settings = DriftSettings { profile: RuleSet::Evidently, ..DriftSettings::default() };
        settings.types.insert("x".into(), self.kind);
        settings.methods.extend(method.map(|method| ("x".to_owned(), method)));
        let [reference, current] = self.sides;
        let report =
            compare(std::slice::from_ref(reference), std::slice::from_ref(current), &settings).unwrap();
        report.columns.into_iter().next().unwrap()
    }

    /// What is wrong, if anything.
    fn check(&self, found: &ColumnReport, method: &str, expected: &Value) -> Option<String> {
        let told =
            format!("{} {method}: {:?} {:?}, expected {expected}", self.name, found.score, found.reason);
        if expected.get("error").is_some() {
            // The exact test copes with the sizes that SciPy overflows on.
            let ours_copes = method == "cramer_von_mises";
            return (!ours_copes && found.status != Status::NotComputable).then_some(told);
        }
        let relative = match method {
            "cramer_von_mises" => 1e-5,
            // Evidently multiplies densities by a mean bin width, whose rounding shows on values near 1e9.
            "hellinger" => 1e-8,
            // NumPy's mean of values near 1e9 keeps seven digits of their difference; ours is exact there.
            "t_test" if self.name == "num_offset_1e9_1001" => 1e-6,
            _ => 1e-9,
        };
        let drifted = expected["drifted"].as_bool().unwrap();
        let threshold = found.threshold == Some(expected["threshold"].as_f64().unwrap());
        // The covariance of two-valued numbers is singular: what SciPy then inverts is its own rounding.
        if method == "es"
            && ["num_few2_500", "num_few2_1001", "num_const_diff_500", "num_const_diff_1001"]
                .contains(&self.name)
        {
            return None;
        }
        let random = expected.get("random_p").is_some();
        let score = number(&expected["score"]);
        // A random p has its Monte-Carlo error: five standard errors of 100 draws at p = 0.5.
        let score_met = if random {
            found.score.is_some_and(|found| (found - score).abs() <= 0.25)
        } else {
            close(found.score.unwrap_or(f64::NAN), score, relative)
        };
        let near_bound = random && (score - expected["threshold"].as_f64().unwrap()).abs() < 0.2;
        let met = score_met && threshold && (near_bound || found.drifted == drifted);
        (!met).then_some(told)
    }
}

#[test]
fn every_method_is_evidentlys() {
    let Some(dir) = shared("golden/drift") else { return };
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("expected.json")).unwrap()).unwrap();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for case in golden["cases"].as_array().unwrap() {
        let categorical = case["type"] == "cat";
        let sides = sides(&dir.join(case["file"].as_str().unwrap()));
        let kind = if categorical { ColumnType::Categorical } else { ColumnType::Numerical };
        let case_name = case["name"].as_str().unwrap();
        let runner = Case { name: case_name, sides: &sides, kind };

        let default = case["default_test"].as_str().unwrap();
        let found = runner.run(None);
        if found.method.as_deref() != Some(default) {
            wrong.push(format!("{case_name}: chose {:?}, expected {default}", found.method));
        }
        wrong.extend(runner.check(&found, default, &case["evidently"][default]));
        checked += 1;
        for (name, expected) in case["evidently"].as_object().unwrap() {
            if expected.get("default_only").is_some() {
                continue;
            }
            wrong.extend(runner.check(&runner.run(Some(Method::find(name).unwrap())), name, expected));
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {checked} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked > 900, "only {checked} scores were checked");
}

/// Every column of a month, joined by user.
fn month(dir: &Path) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    let mut order: Vec<String> = Vec::new();
    for table in ["labels", "subscriptions", "usage_agg_30d", "payments_agg_90d", "support_agg_90d"] {
        let mut reader = csv::Reader::from_path(dir.join(format!("{table}.csv"))).unwrap();
        let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let mut rows: std::collections::HashMap<String, Vec<String>> = std::collections::HashMap::new();
        for record in reader.records() {
            let row: Vec<String> = record.unwrap().iter().map(str::to_owned).collect();
            if table == "labels" {
                order.push(row[0].clone());
            }
            rows.insert(row[0].clone(), row);
        }
        for (i, name) in header.iter().enumerate().skip(usize::from(table != "labels")) {
            let cells: Vec<&str> = order.iter().map(|user| rows[user][i].as_str()).collect();
            let mut column = column(&cells);
            if let Values::Text { codes, levels } = &column.values
                && levels.iter().all(|level| matches!(level.as_str(), "True" | "False"))
            {
                let truth = |&code: &u32| levels.get(code as usize).map(|level| level == "True");
                column.values = Values::Boolean(codes.iter().map(truth).collect());
            }
            column.name.clone_from(name);
            columns.push(column);
        }
    }
    columns
}

const FEATURES: [&str; 16] = [
    "months_active",
    "monthly_fee",
    "watch_hours_30d",
    "avg_session_mins_7d",
    "unique_devices_30d",
    "skips_7d",
    "rebuffer_events_7d",
    "failed_payments_90d",
    "support_tickets_90d",
    "ticket_avg_resolution_hrs_90d",
    "paperless_billing",
    "plan_stream_tv",
    "plan_stream_movies",
    "net_service",
    "churn_label",
    "user_id",
];

/// Both months, numbers declared as the course declares them.
fn course(profile: RuleSet) -> Option<Report> {
    let dir = shared("data/course")?;
    let pick = |month: Vec<Column>| -> Vec<Column> {
        FEATURES
            .iter()
            .map(|name| month.iter().find(|column| column.name == *name).unwrap().clone())
            .collect()
    };
    let (reference, current) = (pick(month(&dir.join("month_000"))), pick(month(&dir.join("month_001"))));
    // Truth values of which some are missing have no type in Evidently but the declared one.
    let truths = ["plan_stream_tv", "plan_stream_movies"].map(|name| (name, ColumnType::Categorical));
    let declared = FEATURES[..10].iter().map(|name| (*name, ColumnType::Numerical)).chain(truths);
    let settings = DriftSettings {
        profile,
        types: declared.map(|(name, kind)| (name.to_owned(), kind)).collect(),
        entity: vec!["user_id".into()],
        target: Some("churn_label".into()),
        ..DriftSettings::default()
    };
    Some(compare(&reference, &current, &settings).unwrap())
}

#[test]
fn the_course_is_judged_as_evidently_judges_it() {
    let Some(report) = course(RuleSet::Evidently) else { return };
    for (name, method, expected) in [
        ("watch_hours_30d", "wasserstein", 0.088_743_520_097_097_8),
        ("rebuffer_events_7d", "wasserstein", 0.204_990_961_250_422_02),
        ("failed_payments_90d", "jensenshannon", 0.028_178_156_796_356_456),
        ("support_tickets_90d", "jensenshannon", 0.031_897_586_456_884_06),
        ("churn_label", "jensenshannon", 0.019_390_861_594_178_94),
        ("unique_devices_30d", "jensenshannon", 0.0),
        ("avg_session_mins_7d", "jensenshannon", 0.0),
        ("monthly_fee", "wasserstein", 0.0),
    ] {
        let column = report.column(name).unwrap();
        assert_eq!(column.method.as_deref(), Some(method), "{name}");
        assert!(close(column.score.unwrap(), expected, 1e-9), "{name}: {:?} is not {expected}", column.score);
    }
    // The same ids on both sides: a classifier learns where a text was, and is wrong on the other half.
    let user_id = report.column("user_id").unwrap();
    assert_eq!(
        (user_id.column_type, user_id.method.as_deref()),
        (ColumnType::Text, Some("abs_text_content_drift"))
    );
    assert!(user_id.score.unwrap() < 0.4 && !user_id.drifted, "{:?}", user_id.score);
    assert_eq!(
        report.drifted().map(|column| column.name.as_str()).collect::<Vec<_>>(),
        ["rebuffer_events_7d"]
    );
    assert_eq!(
        (report.tested_columns, report.drift_share, report.decision),
        (16, 0.0625, Decision::NoAction)
    );
}

#[test]
fn the_course_has_one_drifted_column_when_calibrated() {
    let Some(report) = course(RuleSet::Calibrated) else { return };
    assert_eq!(
        report.drifted().map(|column| column.name.as_str()).collect::<Vec<_>>(),
        ["rebuffer_events_7d"]
    );
    assert_eq!((report.tested_columns, report.decision), (15, Decision::NoAction));
    assert_eq!(report.column("user_id").unwrap().status, Status::Ignored);

    let effect = |name: &str| report.column(name).unwrap().effect_size.as_ref().unwrap().value.unwrap();
    assert!(close(effect("rebuffer_events_7d"), 0.204_990_961_250_422_02, 1e-9));
    assert!(close(effect("watch_hours_30d"), 0.088_743_520_097_097_8, 1e-9));
    // Significant and small: no drift.
    let label = report.column("churn_label").unwrap();
    assert!(label.adjusted_p_value.unwrap() < 0.05 && !label.drifted);
    let target = report.target_drift.as_ref().unwrap();
    assert!((target.difference - 0.023_85).abs() < 1e-5, "{target:?}");
    assert!((target.reference_rate - 0.265_37).abs() < 1e-5 && (target.current_rate - 0.241_52).abs() < 1e-5);
}
