//! Several classes, and numbers.

use serde_json::Value;
use streamflow_performance::{
    ByClass, Calibration, Calibrator, ClassCbpe, ClassCbpeSettings, ClassReference, ErrorMetric, Incomplete,
    Metric, MulticlassMetrics, RegressionMetrics, Rows, chunks_of_size, mean_pinball_loss,
};

use super::{Comparison, cases, golden, numbers};

#[test]
fn regression_metrics_are_the_oracles() {
    let Some(document) = golden("classification/metrics.json") else { return };
    let mut comparison = Comparison::default();
    for case in cases(&document).iter().filter(|case| case["kind"] == "regression") {
        let (truth, prediction) = (numbers(&case["y"]), numbers(&case["prediction"]));
        let found = RegressionMetrics::measure(&truth, &prediction).unwrap();
        let expected = &case["expected"];
        for (key, found) in [
            ("mae", found.mae),
            ("mse", found.mse),
            ("rmse", found.rmse),
            ("medae", found.medae),
            ("max_error", found.max_error),
            ("r2", found.r2),
            ("mape", found.mape),
            ("mean_error", found.mean_error),
            ("msle", found.msle),
            ("explained_variance", found.explained_variance),
        ] {
            comparison.near(&format!("{} {key}", case["name"]), found, &expected[key], 1e-12);
        }
        for (quantile, expected) in expected["pinball"].as_object().unwrap() {
            let found = mean_pinball_loss(&truth, &prediction, quantile.parse().unwrap()).unwrap();
            comparison.near(&format!("{} pinball {quantile}", case["name"]), found, expected, 1e-12);
        }
    }
    comparison.finish(4 * 13);
}

#[test]
fn multiclass_metrics_are_the_oracles() {
    let Some(document) = golden("classification/metrics.json") else { return };
    let mut comparison = Comparison::default();
    for case in cases(&document).iter().filter(|case| case["kind"] == "multiclass") {
        let actual: Vec<usize> =
            case["y"].as_array().unwrap().iter().map(|class| class.as_u64().unwrap() as usize).collect();
        let probabilities: Vec<Vec<f64>> = case["p"].as_array().unwrap().iter().map(numbers).collect();
        let found = MulticlassMetrics::measure(&actual, &probabilities).unwrap();
        let expected = &case["expected"];
        let mut near = |key: &str, found: Option<f64>, expected: &Value| {
            comparison.near(&format!("{} {key}", case["name"]), found, expected, 1e-12);
        };
        for (key, found) in [
            ("accuracy", found.accuracy),
            ("balanced_accuracy", found.balanced_accuracy),
            ("log_loss", found.log_loss),
            ("mcc", found.mcc),
            ("cohen_kappa", found.cohen_kappa),
            ("precision_micro", found.accuracy),
            ("recall_micro", found.accuracy),
            ("f1_micro", found.accuracy),
            ("roc_auc_ovr_macro", found.roc_auc_ovr.r#macro),
            ("roc_auc_ovr_weighted", found.roc_auc_ovr.weighted),
            ("roc_auc_ovo_macro", found.roc_auc_ovo_macro),
            ("roc_auc_ovo_weighted", found.roc_auc_ovo_weighted),
        ] {
            near(key, found, &expected[key]);
        }
        let mut by_class = |key: &str, found: &ByClass| {
            near(key, found.r#macro, &expected[format!("{key}_macro")]);
            near(key, found.weighted, &expected[format!("{key}_weighted")]);
            for (class, found) in found.classes.iter().enumerate() {
                near(key, *found, &expected[format!("{key}_per_class")][class]);
            }
        };
        by_class("precision", &found.precision);
        by_class("recall", &found.recall);
        by_class("f1", &found.f1);
        assert_eq!(serde_json::to_value(&found.confusion).unwrap(), expected["confusion"]);
    }
    comparison.finish(2 * 27);
}

#[test]
fn direct_losses_are_the_formulas() {
    let Some(document) = golden("performance/dle.json") else { return };
    let mut comparison = Comparison::default();
    let [estimate, errors] = &cases(&document)[0]["formula_cases"].as_array().unwrap()[..] else {
        panic!("two formula cases")
    };
    for (metric, key, losses) in [
        (ErrorMetric::Mae, "mae", "predicted_absolute_error"),
        (ErrorMetric::Mse, "mse", "predicted_squared_error"),
        (ErrorMetric::Rmse, "rmse", "predicted_squared_error"),
    ] {
        comparison.near(key, metric.estimate(&numbers(&estimate[losses])), &estimate[key], 1e-12);
        let losses: Vec<f64> =
            numbers(&errors["errors"]).iter().map(|error| metric.loss(*error, 0.0).unwrap()).collect();
        let found = metric.sampling_error(&losses, 100);
        comparison.near(&format!("error of {key}"), found, &errors[key], 1e-12);
    }
    comparison.finish(6);
}

#[test]
fn chunks_have_the_librarys_borders() {
    let Some(document) = golden("performance/realised_chunks.json") else { return };
    let chunkers = cases(&document)[0]["size_chunkers"].as_array().unwrap();
    assert!(chunkers.len() >= 6);
    for case in chunkers {
        let rows = case["rows"].as_u64().unwrap() as usize;
        let chunks = match case["size"].as_u64() {
            None => streamflow_performance::chunks_by_number(rows, 10),
            Some(size) => {
                let incomplete: Incomplete = serde_json::from_value(case["incomplete"].clone()).unwrap();
                chunks_of_size(rows, size as usize, incomplete)
            }
        };
        let chunks = chunks.unwrap();
        let keys: Vec<&str> = chunks.iter().map(|chunk| chunk.key.as_str()).collect();
        let lengths: Vec<usize> = chunks.iter().map(|chunk| chunk.rows.len()).collect();
        assert_eq!(serde_json::to_value(keys).unwrap(), case["keys"], "{case}");
        assert_eq!(serde_json::to_value(lengths).unwrap(), case["lengths"], "{case}");
    }
}

#[test]
fn multiclass_estimates_are_those_of_nannyml() {
    let document: Value = serde_json::from_str(include_str!("multiclass_estimates.json")).unwrap();
    let classes = ["basic", "plus", "premium"].map(str::to_owned);
    let mut comparison = Comparison::default();
    for case in cases(&document) {
        let table = |side: &Value| side["p"].as_array().unwrap().iter().map(numbers).collect::<Vec<_>>();
        let actual: Vec<usize> = numbers(&case["reference"]["actual"]).iter().map(|&k| k as usize).collect();
        let (reference, analysis) = (table(&case["reference"]), table(&case["analysis"]));
        let calibration = |class: usize| {
            let labels = actual.iter().map(|&actual| Some(actual == class)).collect();
            let scores = reference.iter().map(|row| row[class]).collect();
            let isotonic = case["calibrated"][class] == true;
            let calibrator = match isotonic {
                true => Calibrator::isotonic(&Rows::at_threshold(labels, scores, 0.5).unwrap()),
                false => Calibrator::None,
            };
            Calibration { calibrator, ece_before: None, ece_after: None, reason: String::new() }
        };
        let folds = vec![0; actual.len()];
        let known =
            ClassReference { classes: &classes, actual: &actual, probabilities: &reference, folds: &folds };
        let calibrations = (0..3).map(calibration).collect();
        let cbpe = ClassCbpe::with_calibrations(known, calibrations, ClassCbpeSettings::default()).unwrap();
        let found = cbpe.estimate(&analysis).unwrap().metrics;
        // The library rounds sums of chances to five decimals on the way to an area.
        for (key, metric, tolerance) in [
            ("roc_auc", Metric::RocAucOvr, 5e-7),
            ("f1", Metric::MacroF1, 1e-12),
            ("recall", Metric::BalancedAccuracy, 1e-12),
            ("accuracy", Metric::Accuracy, 1e-12),
        ] {
            let what = format!("{} {key}", case["name"]);
            comparison.near(&what, found[&metric].value, &case["expected"][key], tolerance);
        }
    }
    comparison.finish(3 * 4);
}

#[test]
fn isotonic_calibration_is_that_of_scikit_learn() {
    let document: Value = serde_json::from_str(include_str!("isotonic.json")).unwrap();
    let mut comparison = Comparison::default();
    for case in cases(&document) {
        let labels = numbers(&case["labels"]).iter().map(|&label| Some(label == 1.0)).collect();
        let rows = Rows::at_threshold(labels, numbers(&case["scores"]), 0.5).unwrap();
        let calibrator = Calibrator::isotonic(&rows);
        for (score, expected) in numbers(&case["asked"]).into_iter().zip(case["expected"].as_array().unwrap())
        {
            let what = format!("{} at {score}", case["name"]);
            comparison.near(&what, Some(calibrator.probability(score)), expected, 1e-12);
        }
    }
    comparison.finish(6 * 65);
}
