//! Estimates without labels, held against the closed form and against what NannyML printed.

use std::collections::BTreeMap;

use serde_json::Value;
use streamflow_performance::{
    Bands, Calibration, Calibrator, Cbpe, CbpeSettings, EstimatedValue, Incomplete, Labelled, Metric, Period,
    Rows, Thresholds, ValueMatrix, chunks_by_period, chunks_of_size, reference_thresholds,
};

use super::{Comparison, cases, golden, path, rows};

const CLOSED: f64 = 1e-12;
/// Thresholds and sampling errors, as the files say.
const ERRORS: f64 = 1e-9;

struct Case<'a> {
    document: &'a Value,
    reference: Rows,
    analysis: Rows,
    values: ValueMatrix,
    size: usize,
}

impl<'a> Case<'a> {
    fn new(document: &'a Value, course: Option<&[Rows; 2]>) -> Self {
        let (reference, analysis) = match course {
            Some([reference, analysis]) => (reference.clone(), analysis.clone()),
            None => (rows(&document["reference"]), rows(&document["analysis"])),
        };
        let matrix = &document["business_value_matrix"];
        let values = [0, 1].map(|row| [0, 1].map(|column| matrix[row][column].as_f64().unwrap()));
        let size = document["chunk_size"].as_u64().unwrap() as usize;
        Self { document, reference, analysis, values, size }
    }

    fn name(&self) -> &str {
        self.document["name"].as_str().unwrap()
    }

    /// An estimator with the calibration that the case fixes and no minimum of rows.
    fn estimator(&self, bands: Bands) -> Cbpe {
        let isotonic = self.document["calibration"] == "isotonic";
        let calibrator = if isotonic { Calibrator::isotonic(&self.reference) } else { Calibrator::None };
        let calibration = Calibration {
            calibrator,
            ece_before: None,
            ece_after: None,
            reason: "fixed by the case".to_owned(),
        };
        let settings = CbpeSettings {
            business_value: Some(self.values),
            bands,
            min_of_each_class: 0.0,
            ..CbpeSettings::default()
        };
        Cbpe::with_calibration(&self.reference, calibration, settings)
    }

    /// Equal scores in the reference: the library's AUC error depends on the order of an unstable sort then.
    fn has_ties(&self) -> bool {
        let mut scores = self.reference.scores().to_vec();
        scores.sort_unstable_by(f64::total_cmp);
        scores.windows(2).any(|pair| pair[0] == pair[1])
    }

    fn check(&self, comparison: &mut Comparison) {
        let chunks = chunks_of_size(self.analysis.len(), self.size, Incomplete::Keep).unwrap();
        let exact = self.document["exact"].as_array().unwrap();
        assert_eq!(chunks.len(), exact.len(), "{}", self.name());
        let bounds = self.check_thresholds(comparison);
        self.check_calibration(comparison);
        let (nannyml, honest) = (self.estimator(Bands::Nannyml), self.estimator(Bands::Honest));
        for (chunk, expected) in chunks.iter().zip(exact) {
            let rows = self.analysis.select(&chunk.rows).unwrap();
            let labelled = Labelled::new(&rows);
            let found = nannyml.estimate(&rows);
            assert_eq!(Some(found.used as u64), expected["used"].as_u64(), "{}", self.name());
            for metric in Metric::ESTIMATED {
                let expected = &expected["metrics"][metric.name()];
                self.check_value(comparison, metric, &found.metrics[&metric], expected);
                let what = format!("{} {} {}", self.name(), chunk.key, metric.name());
                let realised = labelled.value(metric, Some(&self.values));
                comparison.near(&format!("{what} realised"), realised, &expected["realised"], CLOSED);
                let alert = bounds.get(&metric).copied().unwrap_or_default();
                let alert = alert.alert(found.metrics[&metric].value);
                assert_eq!(alert, expected["alert"].as_bool(), "{what}");
            }
            self.check_honest(comparison, &honest.estimate(&rows).metrics, expected);
        }
    }

    fn check_value(
        &self,
        comparison: &mut Comparison,
        metric: Metric,
        found: &EstimatedValue,
        expected: &Value,
    ) {
        let what = format!("{} {}", self.name(), metric.name());
        comparison.near(&format!("{what} value"), found.value, &expected["value"], CLOSED);
        assert_eq!(found.reason.is_some(), found.value.is_none(), "{what}");
        if expected["value"].is_null() {
            return; // Without a value no error is shown.
        }
        let loose = metric == Metric::RocAuc && self.has_ties();
        let tolerance = if loose { 1e-4 } else { ERRORS };
        comparison.near(
            &format!("{what} error"),
            found.sampling_error,
            &expected["sampling_error"],
            tolerance,
        );
        let band = found.band;
        comparison.near(
            &format!("{what} low"),
            band.map(|band| band.low),
            &expected["lower"],
            3.0 * tolerance,
        );
        comparison.near(
            &format!("{what} high"),
            band.map(|band| band.high),
            &expected["upper"],
            3.0 * tolerance,
        );
    }

    fn check_honest(
        &self,
        comparison: &mut Comparison,
        found: &BTreeMap<Metric, EstimatedValue>,
        expected: &Value,
    ) {
        let error = |metric: Metric| found[&metric].sampling_error;
        if found[&Metric::RocAuc].value.is_some() {
            let what = format!("{} DeLong's error", self.name());
            comparison.near(&what, error(Metric::RocAuc), &expected["roc_auc_se_delong"], ERRORS);
        }
        let Some(expected) = expected["sd_given_scores"].as_object() else { return };
        for metric in [Metric::Accuracy, Metric::TruePositive, Metric::FalseNegative, Metric::Precision] {
            let what = format!("{} deviation of {}", self.name(), metric.name());
            comparison.near(&what, error(metric), &expected[metric.name()], CLOSED);
        }
    }

    fn check_thresholds(&self, comparison: &mut Comparison) -> BTreeMap<Metric, Thresholds> {
        let chunks = chunks_of_size(self.reference.len(), self.size, Incomplete::Keep).unwrap();
        let found = reference_thresholds(&self.reference, &chunks, Some(&self.values), 1).unwrap();
        for metric in Metric::ESTIMATED {
            let expected = &self.document["thresholds_3sd_of_reference_chunks"][metric.name()];
            let bounds = found.get(&metric).copied().unwrap_or_default();
            let what = format!("{} threshold of {}", self.name(), metric.name());
            comparison.near(&what, bounds.lower, &expected[0], ERRORS);
            comparison.near(&what, bounds.upper, &expected[1], ERRORS);
        }
        found
    }

    fn check_calibration(&self, comparison: &mut Comparison) {
        let Some(expected) = self.document.get("isotonic") else { return };
        let Calibrator::Isotonic(isotonic) = Calibrator::isotonic(&self.reference) else {
            panic!("{} has labels", self.name())
        };
        let knots = expected["knots"].as_array().unwrap();
        assert_eq!(isotonic.knots().len(), knots.len(), "{}", self.name());
        for (found, expected) in isotonic.knots().iter().zip(knots) {
            for place in [0, 1] {
                comparison.near(
                    &format!("{} knot", self.name()),
                    Some(found[place]),
                    &expected[place],
                    CLOSED,
                );
            }
        }
        if let Some(expected) = self.document.get("calibrated") {
            let calibrator = Calibrator::Isotonic(isotonic);
            for (&score, expected) in self.analysis.scores().iter().zip(expected.as_array().unwrap()) {
                let found = calibrator.probability(score);
                comparison.near(&format!("{} calibrated", self.name()), Some(found), expected, CLOSED);
            }
        }
    }
}

#[test]
fn estimates_are_the_closed_form() {
    let Some(document) = golden("performance/cbpe.json") else { return };
    let mut comparison = Comparison::default();
    for case in cases(&document) {
        Case::new(case, None).check(&mut comparison);
    }
    comparison.finish(16 * 70);
}

/// The two months of the course: labels, predictions and scores.
fn course() -> Option<[Rows; 2]> {
    let text = std::fs::read_to_string(path("performance/course_scores.csv")?).unwrap();
    let month = |name: &str| {
        let cells = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(','));
        let rows: Vec<Vec<f64>> =
            cells.map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
        let class = |index: usize| rows.iter().map(|row| Some(row[index] == 1.0)).collect();
        Rows::new(class(0), class(1), rows.iter().map(|row| row[2]).collect()).unwrap()
    };
    Some([month("month_000_heldout"), month("month_001_heldout")])
}

#[test]
fn estimates_on_the_course_are_the_closed_form() {
    let Some(document) = golden("performance/course.json") else { return };
    let Some(months) = course() else { return };
    let mut comparison = Comparison::default();
    for case in cases(&document) {
        Case::new(case, Some(&months)).check(&mut comparison);
    }
    comparison.finish(3 * 70);
}

/// Days since 1970-01-01 of a timestamp of 2024, by counting.
fn day_of_2024(timestamp: &str) -> i64 {
    let [month, day] = [5..7, 8..10].map(|range| timestamp[range].parse::<usize>().unwrap());
    assert!(timestamp.starts_with("2024-"));
    let before: usize = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][..month - 1].iter().sum();
    19_723 + (before + day - 1) as i64
}

#[test]
fn realised_performance_by_period_is_the_oracles() {
    let Some(document) = golden("performance/realised_chunks.json") else { return };
    let case = &cases(&document)[0];
    let table = rows(&case["rows"]);
    let days: Vec<i64> = case["rows"]["timestamp"]
        .as_array()
        .unwrap()
        .iter()
        .map(|timestamp| day_of_2024(timestamp.as_str().unwrap()))
        .collect();
    let mut comparison = Comparison::default();
    for period in case["periods"].as_array().unwrap() {
        let (kind, all) = match period["period"].as_str().unwrap() {
            "W" => (Period::Week, true),
            "M" => (Period::Month, true),
            // The file has the first three days alone.
            _ => (Period::Day, false),
        };
        let chunks = chunks_by_period(&days, kind).unwrap();
        let expected = period["chunks"].as_array().unwrap();
        assert!(chunks.len() == expected.len() || !all, "{kind:?}");
        for (chunk, expected) in chunks.iter().zip(expected) {
            assert_eq!(chunk.key, expected["key"].as_str().unwrap());
            let rows = table.select(&chunk.rows).unwrap();
            assert_eq!(Some(rows.len() as u64), expected["rows"].as_u64(), "{}", chunk.key);
            assert_eq!(Some(rows.labelled() as u64), expected["labelled"].as_u64(), "{}", chunk.key);
            let labelled = Labelled::new(&rows);
            for metric in &Metric::ESTIMATED[..7] {
                let what = format!("{} {}", chunk.key, metric.name());
                comparison.near(&what, labelled.value(*metric, None), &expected[metric.name()], 1e-12);
            }
        }
    }
    comparison.finish(15 * 7);
}
