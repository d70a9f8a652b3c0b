//! How far a realised metric may lie from its estimate when the estimate's assumption holds.

use std::collections::BTreeMap;

use streamflow_stats::Random;

use crate::bootstrap::{GROUPS, percentile_intervals};
use crate::confusion::{Confusion, ValueMatrix};
use crate::interval::Interval;
use crate::measured::of_counts;
use crate::metric::Metric;
use crate::ranking::{self, Step};

/// A row without a label: its raw score, its probability and its predicted class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unlabelled {
    pub score: f64,
    pub probability: f64,
    pub predicted: Option<bool>,
}

/// Standard deviations of what is linear in the labels, these being independent draws with the rows' probabilities: Σp(1 −
/// p) over the rows predicted positive for TP and FP, over the others for FN and TN, over both for accuracy. Exact; no
/// reference is needed.
pub(crate) fn standard_deviations(
    rows: &[Unlabelled],
    values: Option<&ValueMatrix>,
) -> BTreeMap<Metric, f64> {
    let (mut counts, mut variances) = ([0.0; 2], [0.0; 2]);
    for row in rows {
        if let Some(predicted) = row.predicted {
            counts[usize::from(predicted)] += 1.0;
            variances[usize::from(predicted)] += row.probability * (1.0 - row.probability);
        }
    }
    let [of_negative, of_positive] = variances;
    let mut found = BTreeMap::from([
        (Metric::TruePositive, of_positive.sqrt()),
        (Metric::FalsePositive, of_positive.sqrt()),
        (Metric::FalseNegative, of_negative.sqrt()),
        (Metric::TrueNegative, of_negative.sqrt()),
    ]);
    if counts[0] + counts[1] > 0.0 {
        found.insert(Metric::Accuracy, (of_negative + of_positive).sqrt() / (counts[0] + counts[1]));
    }
    if counts[1] > 0.0 {
        found.insert(Metric::Precision, of_positive.sqrt() / counts[1]);
    }
    if let Some([[tn, fp], [fn_, tp]]) = values {
        let variance = (tp - fp).powi(2) * of_positive + (fn_ - tn).powi(2) * of_negative;
        found.insert(Metric::BusinessValue, variance.sqrt());
    }
    found
}

/// The metrics whose bands are drawn.
const DRAWN: [Metric; 3] = [Metric::F1, Metric::Recall, Metric::Specificity];

/// Rows of neighbouring scores and one predicted class, whose labels are drawn together.
struct Cell {
    group: usize,
    predicted: Option<bool>,
    rows: u64,
    probability: f64,
}

/// Bands of F1, recall, specificity and average precision: labels are drawn 1,000 times from the rows' probabilities, and
/// the ends are the 2.5 % and 97.5 % quantiles of what they give.
///
/// Rows of one score have one probability, so that their positive labels are one binomial draw; above 512 distinct
/// scores, neighbours are drawn together with their mean probability, and the band of average precision is moved by what
/// joining them changes of `average_precision`, its estimate.
pub(crate) fn drawn(
    rows: &[Unlabelled],
    average_precision: Option<f64>,
    seed: u64,
) -> BTreeMap<Metric, Interval> {
    let (cells, groups) = cells(rows);
    let no_steps = vec![Step { score: 0.0, positives: 0.0, negatives: 0.0 }; groups];
    let mut expected = no_steps.clone();
    for cell in &cells {
        expected[cell.group].positives += cell.rows as f64 * cell.probability;
        expected[cell.group].negatives += cell.rows as f64 * (1.0 - cell.probability);
    }
    let shift =
        average_precision.zip(ranking::average_precision(&expected)).map_or(0.0, |(own, of)| own - of);
    let draw = |random: &mut Random| {
        let mut counts = [[0.0; 2]; 2];
        let mut steps = no_steps.clone();
        for cell in &cells {
            let positives = match cell.rows {
                1 => f64::from(u8::from(random.uniform() < cell.probability)),
                rows => random.binomial(rows, cell.probability) as f64,
            };
            let negatives = cell.rows as f64 - positives;
            steps[cell.group].positives += positives;
            steps[cell.group].negatives += negatives;
            if let Some(predicted) = cell.predicted {
                counts[1][usize::from(predicted)] += positives;
                counts[0][usize::from(predicted)] += negatives;
            }
        }
        let counts = Confusion::from_matrix(counts);
        let [f1, recall, specificity] = DRAWN.map(|metric| of_counts(metric, &counts, None));
        let moved = ranking::average_precision(&steps).map(|drawn| (drawn + shift).clamp(0.0, 1.0));
        [f1, recall, specificity, moved]
    };
    let metrics = DRAWN.into_iter().chain([Metric::AveragePrecision]);
    let bands = percentile_intervals(seed, draw);
    metrics.zip(bands).filter_map(|(metric, band)| Some((metric, band?))).collect()
}

/// The cells, and the number of groups of scores, by ascending score.
fn cells(rows: &[Unlabelled]) -> (Vec<Cell>, usize) {
    let mut ascending = rows.to_vec();
    ascending.sort_unstable_by(|a, b| a.score.total_cmp(&b.score).then(a.predicted.cmp(&b.predicted)));
    let distinct = ascending.chunk_by(|a, b| a.score == b.score).count();
    let positives: f64 = rows.iter().map(|row| row.probability).sum();
    let negatives = rows.len() as f64 - positives;
    let (mut cells, mut seen, mut group, mut last) = (Vec::new(), 0.0, 0, usize::MAX);
    for equal in ascending.chunk_by(|a, b| a.score == b.score) {
        // As in `ranking::grouped`: a group has at most its share of either class.
        let share = if distinct <= GROUPS { usize::MAX } else { (0.5 * GROUPS as f64 * seen) as usize };
        group += usize::from(share == usize::MAX || share != last);
        last = share;
        for same in equal.chunk_by(|a, b| a.predicted == b.predicted) {
            let sum: f64 = same.iter().map(|row| row.probability).sum();
            add(&mut cells, group - 1, same[0].predicted, (same.len() as u64, sum));
        }
        let sum: f64 = equal.iter().map(|row| row.probability).sum();
        seen += sum / positives.max(1.0) + (equal.len() as f64 - sum) / negatives.max(1.0);
    }
    for cell in &mut cells {
        cell.probability = (cell.probability / cell.rows as f64).clamp(0.0, 1.0);
    }
    (cells, group)
}

/// Adds rows to the group's cell of this predicted class; `probability` is their sum until all are there.
fn add(cells: &mut Vec<Cell>, group: usize, predicted: Option<bool>, (rows, sum): (u64, f64)) {
    let open = cells.iter_mut().rev().take_while(|cell| cell.group == group);
    match open.into_iter().find(|cell| cell.predicted == predicted) {
        Some(cell) => {
            cell.rows += rows;
            cell.probability += sum;
        }
        None => cells.push(Cell { group, predicted, rows, probability: sum }),
    }
}
