//! What holds for every input: bounds, symmetries, and that the row order does not matter.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use streamflow_performance::*;

/// Rows of which some lack label, prediction or score, and of which some share a score.
fn rows() -> impl Strategy<Value = Rows> {
    let score = prop_oneof![
        3 => (0_u8..=20).prop_map(|v| f64::from(v) / 20.0),
        3 => 0.0..=1.0_f64,
        1 => Just(f64::NAN),
    ];
    let class = || prop_oneof![4 => any::<bool>().prop_map(Some), 1 => Just(None)];
    prop::collection::vec((class(), class(), score), 0..80).prop_map(|rows| {
        let (labels, (predicted, scores)): (Vec<_>, (Vec<_>, Vec<_>)) =
            rows.into_iter().map(|(label, predicted, score)| (label, (predicted, score))).unzip();
        Rows::new(labels, predicted, scores).unwrap()
    })
}

fn turned(rows: &Rows, by: usize) -> Rows {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    if !order.is_empty() {
        order.rotate_left(by % rows.len());
        order.reverse();
    }
    rows.select(&order).unwrap()
}

const VALUES: ValueMatrix = [[0.0, -1.0], [-5.0, 10.0]];

fn near(left: Option<f64>, right: Option<f64>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => (left - right).abs() <= 1e-12 * left.abs().max(1.0),
        (left, right) => left == right,
    }
}

fn folds(rows: &Rows) -> Vec<u32> {
    (0..rows.len() as u32).map(|row| row % 10).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn metrics_stay_in_their_range(rows in rows()) {
        let measured = Labelled::new(&rows).measure(Some(&VALUES), 1);
        for (metric, found) in &measured.metrics {
            let (low, high) = metric.about().range;
            for value in [found.value, found.interval.map(|i| i.low), found.interval.map(|i| i.high)].into_iter().flatten() {
                prop_assert!(low <= value && value <= high, "{metric:?} {found:?}");
            }
            if let Some(interval) = found.interval {
                prop_assert!(found.value.is_some() && interval.low <= interval.high, "{metric:?} {found:?}");
            }
        }
        // No NaN and no infinity stands in it: both would read back as null.
        let json = serde_json::to_string(&measured).unwrap();
        prop_assert_eq!(serde_json::from_str::<Measured>(&json).unwrap().metrics.len(), binary_metrics().len());
    }

    #[test]
    fn formula_intervals_hold_their_value(rows in rows()) {
        let measured = Labelled::new(&rows).measure(None, 1);
        for metric in [
            Metric::RocAuc, Metric::Gini, Metric::LogLoss, Metric::Brier, Metric::Precision, Metric::Recall,
            Metric::Specificity, Metric::Accuracy, Metric::PositiveRate, Metric::PredictedPositiveRate,
        ] {
            let found = measured.metrics[&metric];
            if let (Some(value), Some(interval)) = (found.value, found.interval) {
                prop_assert!(interval.low <= value + 1e-12 && value <= interval.high + 1e-12, "{metric:?} {found:?}");
            }
        }
    }

    #[test]
    fn the_row_order_does_not_matter(rows in rows(), by in 0_usize..80) {
        let (first, second) = (Labelled::new(&rows), Labelled::new(&turned(&rows, by)));
        // Bit for bit, the drawn intervals too.
        prop_assert_eq!(first.measure(Some(&VALUES), 7), second.measure(Some(&VALUES), 7));
        prop_assert_eq!(first.operating_points(20), second.operating_points(20));
        prop_assert_eq!(first.score_histogram(7), second.score_histogram(7));
    }

    #[test]
    fn flipped_labels_mirror_the_ranking(rows in rows()) {
        let labels = rows.labels().iter().map(|label| label.map(|label| !label)).collect();
        let flipped = Rows::new(labels, rows.predicted().to_vec(), rows.scores().to_vec()).unwrap();
        let (first, second) = (Labelled::new(&rows).auc(), Labelled::new(&flipped).auc());
        prop_assert_eq!(first.is_some(), second.is_some());
        if let (Some(first), Some(second)) = (first, second) {
            prop_assert!((first.value + second.value - 1.0).abs() < 1e-12);
            prop_assert!(near(first.standard_error, second.standard_error), "{first:?} {second:?}");
        }
    }

    #[test]
    fn swapped_models_change_the_sign_alone(rows in rows(), by in 1_usize..80) {
        let other = turned(&rows, by);
        let compare = |production: &Rows, candidate: &Rows| {
            let rows = PairedRows { labels: rows.labels(), production: production.scores(), candidate: candidate.scores() };
            PromotionRule { margin: 0.0, ..PromotionRule::default() }.compare(&rows).unwrap()
        };
        let (first, second) = (compare(&rows, &other), compare(&other, &rows));
        let opposite = match first.promotion {
            Promotion::Better => Promotion::Worse,
            Promotion::Worse => Promotion::Better,
            same => same,
        };
        prop_assert_eq!(second.promotion, opposite);
        prop_assert_eq!(first.rows_needed, second.rows_needed);
        prop_assert_eq!(first.mcnemar.map(|test| test.p_value), second.mcnemar.map(|test| test.p_value));
        prop_assert!(near(first.log_loss.map(|l| l.difference), second.log_loss.map(|l| -l.difference)));
        if let (Some(first), Some(second)) = (first.auc, second.auc) {
            prop_assert!((first.difference + second.difference).abs() < 1e-12);
            if let Some(interval) = first.interval {
                prop_assert!(interval.contains(first.difference));
            }
        }
        // A model is never better or worse than itself, nor undecided with a number of rows.
        let same = compare(&rows, &rows);
        prop_assert_eq!((same.promotion, same.rows_needed), (Promotion::Undecided, None));
    }

    #[test]
    fn estimates_stay_in_range_and_ignore_labels(rows in rows(), chunk in rows(), by in 0_usize..80) {
        for bands in [Bands::Honest, Bands::Nannyml] {
            let settings = CbpeSettings { business_value: Some(VALUES), bands, min_of_each_class: 0.0, seed: 3 };
            let cbpe = Cbpe::fit(&rows, &folds(&rows), settings).unwrap();
            let found = cbpe.estimate(&chunk);
            for (metric, found) in &found.metrics {
                let (low, high) = metric.about().range;
                for value in [found.value, found.band.map(|b| b.low), found.band.map(|b| b.high)].into_iter().flatten() {
                    prop_assert!(low <= value && value <= high, "{metric:?} {found:?}");
                }
                prop_assert_eq!(found.value.is_none(), found.reason.is_some());
            }
            let unlabelled = Rows::new(vec![None; chunk.len()], chunk.predicted().to_vec(), chunk.scores().to_vec()).unwrap();
            prop_assert_eq!(&cbpe.estimate(&unlabelled), &found);
            let other = cbpe.estimate(&turned(&chunk, by));
            for metric in Metric::ESTIMATED {
                let values = (found.metrics[&metric].value, other.metrics[&metric].value);
                prop_assert!(near(values.0, values.1), "{metric:?} {values:?}");
            }
        }
    }

    #[test]
    fn certain_scores_estimate_what_is_realised(rows in rows()) {
        // Scores of 0 and 1 that are the labels: the estimate must be the measurement.
        let scores: Vec<f64> = rows.labels().iter().map(|label| label.map_or(f64::NAN, |label| f64::from(u8::from(label)))).collect();
        let certain = Rows::new(rows.labels().to_vec(), rows.predicted().to_vec(), scores).unwrap();
        let settings = CbpeSettings { business_value: Some(VALUES), min_of_each_class: 0.0, ..CbpeSettings::default() };
        let calibration = Calibration { calibrator: Calibrator::None, ece_before: None, ece_after: None, reason: String::new() };
        let found = Cbpe::with_calibration(&certain, calibration, settings).estimate(&certain);
        let labelled = Labelled::new(&certain);
        for metric in Metric::ESTIMATED {
            let (estimated, realised) = (found.metrics[&metric].value, labelled.value(metric, Some(&VALUES)));
            prop_assert!(near(estimated, realised), "{metric:?} {estimated:?} {realised:?}");
        }
    }

    #[test]
    fn calibration_keeps_the_order_of_scores(rows in rows(), first in 0.0..=1.0_f64, second in 0.0..=1.0_f64) {
        let calibrator = Calibrator::isotonic(&rows);
        let [low, high] = [first.min(second), first.max(second)].map(|score| calibrator.probability(score));
        prop_assert!((0.0..=1.0).contains(&low) && low <= high && high <= 1.0, "{low} {high}");
        let platt = Calibrator::platt(&rows).probability(first);
        prop_assert!((0.0..=1.0).contains(&platt));
    }

    #[test]
    fn parts_of_a_change_sum_to_it(
        reference in prop::collection::vec((0.0..5.0_f64, 0.0..=1.0_f64, any::<bool>()), 0..80),
        current in prop::collection::vec((0.0..5.0_f64, 0.0..=1.0_f64, any::<bool>()), 0..80),
    ) {
        let columns = |rows: &[(f64, f64, bool)]| -> (Vec<f64>, Vec<f64>, Vec<bool>) {
            (rows.iter().map(|r| r.0).collect(), rows.iter().map(|r| r.1).collect(), rows.iter().map(|r| r.2).collect())
        };
        let (a, b) = (columns(&reference), columns(&current));
        let of = |side: &(Vec<f64>, Vec<f64>, Vec<bool>)| -> (Vec<f64>, Vec<f64>, Vec<bool>) { side.clone() };
        let (a, b) = (of(&a), of(&b));
        let found = DecompositionSettings::default().decompose(
            &LabelledPeriod { losses: &a.0, current_probability: &a.1, labels: &a.2 },
            &LabelledPeriod { losses: &b.0, current_probability: &b.1, labels: &b.2 },
        ).unwrap();
        if let (Some(change), Some(parts)) = (found.change, found.parts) {
            let sum = parts.frequent_inputs.value + parts.relation.value + parts.new_inputs.value;
            prop_assert!((sum - change.value).abs() < 1e-12);
        }
        prop_assert!(found.sentence.ends_with('.') && !found.sentence.contains("NaN"), "{}", found.sentence);
    }

    #[test]
    fn chunks_hold_every_row_once(rows in 0_usize..500, size in 1_usize..60, number in 1_usize..20) {
        for chunks in [chunks_of_size(rows, size, Incomplete::Keep), chunks_of_size(rows, size, Incomplete::Append), chunks_by_number(rows, number)] {
            let all: Vec<usize> = chunks.unwrap().into_iter().flat_map(|chunk| chunk.rows).collect();
            prop_assert_eq!(all, (0..rows).collect::<Vec<usize>>());
        }
    }

    #[test]
    fn regression_metrics_ignore_the_row_order(rows in prop::collection::vec((-1e6..1e6_f64, -1e6..1e6_f64), 0..60)) {
        let (truth, prediction): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
        let (turned_truth, turned_prediction): (Vec<f64>, Vec<f64>) = rows.iter().rev().copied().unzip();
        let found = RegressionMetrics::measure(&truth, &prediction).unwrap();
        let again = RegressionMetrics::measure(&turned_truth, &turned_prediction).unwrap();
        let all = |m: &RegressionMetrics| BTreeMap::from([
            ("mae", m.mae), ("mse", m.mse), ("medae", m.medae), ("max", m.max_error), ("r2", m.r2), ("me", m.mean_error),
        ]);
        for (name, value) in all(&found) {
            prop_assert!(near(value, all(&again)[name]), "{name} {value:?}");
        }
        prop_assert!(found.r2.is_none_or(|r2| r2 <= 1.0));
        prop_assert!(found.mae.is_none_or(|mae| mae <= found.rmse.unwrap() * (1.0 + 1e-12)));
    }
}
