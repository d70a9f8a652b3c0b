//! Metrics of labelled rows, and two models on the same rows.

use serde_json::Value;
use streamflow_performance::{
    Labelled, METRICS, PairedLoss, PairedRows, Promotion, PromotionReport, PromotionRule, Rows,
};

use super::{Comparison, cases, classes, golden, numbers};

#[test]
fn binary_metrics_are_the_oracles() {
    let Some(document) = golden("classification/metrics.json") else { return };
    let mut comparison = Comparison::default();
    for case in cases(&document).iter().filter(|case| case["kind"] == "binary") {
        let threshold = case["threshold"].as_f64().unwrap();
        let rows = Rows::at_threshold(classes(&case["y"]), numbers(&case["p"]), threshold).unwrap();
        let labelled = Labelled::new(&rows);
        let (name, expected) = (case["name"].as_str().unwrap(), &case["expected"]);
        let tolerance = case["tolerance"].as_f64().unwrap();
        for about in METRICS.iter().filter(|about| expected.get(about.name).is_some()) {
            let found = labelled.value(about.metric, None);
            comparison.near(&format!("{name}: {}", about.name), found, &expected[about.name], tolerance);
        }
        let counts = labelled.confusion().unwrap();
        let found =
            [counts.true_positive, counts.false_positive, counts.false_negative, counts.true_negative];
        for (found, key) in found.into_iter().zip(["tp", "fp", "fn", "tn"]) {
            comparison.near(&format!("{name}: {key}"), Some(found), &expected[key], 0.0);
        }
    }
    comparison.finish(11 * 20);
}

fn compare(case: &Value, labels: &[Option<bool>], production: &[f64], candidate: &[f64]) -> PromotionReport {
    let rule = PromotionRule {
        production_threshold: case["threshold_production"].as_f64().unwrap(),
        candidate_threshold: case["threshold_candidate"].as_f64().unwrap(),
        ..PromotionRule::default()
    };
    rule.compare(&PairedRows { labels, production, candidate }).unwrap()
}

fn check_paired(comparison: &mut Comparison, case: &Value, report: &PromotionReport) {
    let name = case["name"].as_str().unwrap();
    let tolerance = case["tolerance"].as_f64().unwrap();
    let mut near = |what: &str, found: Option<f64>, expected: &Value| {
        comparison.near(&format!("{name}: {what}"), found, expected, tolerance);
    };
    let (expected, auc) = (&case["expected"]["delong"], report.auc);
    near("auc of production", auc.map(|auc| auc.production), &expected["auc"][0]);
    near("auc of the candidate", auc.map(|auc| auc.candidate), &expected["auc"][1]);
    if expected.get("se_difference").is_some() {
        near("difference", auc.map(|auc| auc.difference), &expected["difference"]);
        near("covariance", auc.and_then(|auc| auc.covariance), &expected["covariance"]);
        near("error", auc.and_then(|auc| auc.standard_error), &expected["se_difference"]);
        near("z", auc.and_then(|auc| auc.z), &expected["z"]);
        near("p", auc.and_then(|auc| auc.p_two_sided), &expected["p_two_sided"]);
        near("p better", auc.and_then(|auc| auc.p_candidate_better), &expected["p_candidate_better"]);
        let interval = auc.and_then(|auc| auc.interval);
        near("low", interval.map(|interval| interval.low), &expected["ci95_difference"][0]);
        near("high", interval.map(|interval| interval.high), &expected["ci95_difference"][1]);
    } else {
        near("error", auc.and_then(|auc| auc.standard_error), &Value::Null);
    }
    let (expected, test) = (&case["expected"]["mcnemar"], &report.mcnemar.expect("classes are compared"));
    for (key, count) in [
        ("both_right", test.both_right),
        ("only_production", test.only_production),
        ("only_candidate", test.only_candidate),
        ("none_right", test.none_right),
    ] {
        near(key, Some(count as f64), &expected[key]);
    }
    near("p_exact", Some(test.p_exact), &expected["p_exact"]);
    near("p_mid", test.p_mid, &expected["p_mid"]);
    near("accuracy", test.accuracy_difference, &expected["accuracy_difference"]);
    near("accuracy error", test.standard_error, &expected["se_wald"]);
    near("accuracy low", test.interval.map(|interval| interval.low), &expected["ci95_wald"][0]);
    near("accuracy high", test.interval.map(|interval| interval.high), &expected["ci95_wald"][1]);
    for (key, loss) in [("log_loss", report.log_loss), ("brier", report.brier)] {
        let expected = &case["expected"]["paired_loss"][key];
        let mut near = |what: &str, found: fn(PairedLoss) -> Option<f64>| {
            if let Some(expected) = expected.get(what) {
                near(&format!("{key} {what}"), loss.and_then(found), expected);
            }
        };
        near("difference", |loss| Some(loss.difference));
        near("se", |loss| loss.standard_error);
        near("t", |loss| loss.t);
        near("p_two_sided", |loss| loss.p_two_sided);
        near("p_candidate_better", |loss| loss.p_candidate_better);
    }
}

#[test]
fn paired_comparisons_are_the_oracles() {
    let Some(document) = golden("classification/metrics.json") else { return };
    let mut comparison = Comparison::default();
    for case in cases(&document).iter().filter(|case| case["kind"] == "paired") {
        let (production, candidate) = (numbers(&case["production"]), numbers(&case["candidate"]));
        let labels = classes(&case["y"]);
        check_paired(&mut comparison, case, &compare(case, &labels, &production, &candidate));
        for (place, scores) in [production, candidate].into_iter().enumerate() {
            check_area(
                &mut comparison,
                case,
                place,
                Rows::at_threshold(labels.clone(), scores, 0.5).unwrap(),
            );
        }
    }
    comparison.finish(8 * 20);
}

/// One model's area with both of its intervals.
fn check_area(comparison: &mut Comparison, case: &Value, place: usize, rows: Rows) {
    let expected = &case["expected"]["delong"];
    let auc = Labelled::new(&rows).auc();
    let name = format!("{}: {place}", case["name"]);
    comparison.near(&name, auc.map(|auc| auc.value), &expected["auc"][place], 1e-10);
    if expected.get("se").is_none() {
        return;
    }
    let ends = |interval: Option<streamflow_performance::Interval>| {
        interval.map_or([None, None], |ends| [Some(ends.low), Some(ends.high)])
    };
    comparison.near(
        &format!("{name} se"),
        auc.and_then(|auc| auc.standard_error),
        &expected["se"][place],
        1e-10,
    );
    let found = [ends(auc.and_then(|auc| auc.interval)), ends(auc.and_then(|auc| auc.logit_interval))];
    for (key, found) in ["ci95", "ci95_logit"].into_iter().zip(found) {
        for (end, found) in found.into_iter().enumerate() {
            comparison.near(&format!("{name} {key}"), found, &expected[key][place][end], 1e-10);
        }
    }
}

#[test]
fn the_candidate_of_the_course_is_better() {
    let Some(document) = golden("classification/course.json") else { return };
    let Some(table) = super::path("classification/course_candidate.csv") else { return };
    let text = std::fs::read_to_string(table).unwrap();
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect();
    let labels: Vec<Option<bool>> = rows.iter().map(|row| Some(row[0] == 1.0)).collect();
    let column = |index: usize| -> Vec<f64> { rows.iter().map(|row| row[index]).collect() };
    let (production, candidate) = (column(1), column(2));
    let case = &cases(&document)[0];
    let report = compare(case, &labels, &production, &candidate);
    let mut comparison = Comparison::default();
    check_paired(&mut comparison, case, &report);
    comparison.finish(25);
    assert_eq!(report.promotion, Promotion::Better, "{}", report.reason);
    assert_eq!(
        report.reason,
        "The AUC changes from 0.495 to 0.663, by +0.168 (95 % from +0.135 to +0.200): the candidate is better."
    );
}
