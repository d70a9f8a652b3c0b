//! Trees held against ones that are grown without bins, sums of integers or differences of histograms.

use super::*;

/// Numbers in [0, 1) that look random and are the same everywhere.
fn noise(n: usize, salt: u64) -> Vec<f64> {
    let number = |i: u64| {
        let mut x = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..n as u64).map(number).collect()
}

/// Two columns with missing values and one without, in hundredths, so that each value has its bin.
fn columns(rows: usize) -> Vec<Vec<f64>> {
    let column = |salt: u64| noise(rows, salt).into_iter().map(|x| (x * 100.0).floor() / 100.0).collect();
    let mut columns: Vec<Vec<f64>> = (1..=3).map(column).collect();
    (0..rows).step_by(3).for_each(|row| columns[0][row] = f64::NAN);
    (0..rows).step_by(7).for_each(|row| columns[2][row] = f64::NAN);
    columns
}

/// What a label follows: the product of the first two, the third where it is there, and chance.
fn signal(columns: &[Vec<f64>], row: usize) -> f64 {
    let value = |column: usize| if columns[column][row].is_nan() { 0.8 } else { columns[column][row] };
    value(0) * value(1) + 0.3 * value(2)
}

fn tree(max_depth: usize) -> TreeSettings {
    TreeSettings { max_depth, learning_rate: 0.3, l2: 1.0, min_leaf_weight: 2.0 }
}

fn fit_columns(columns: &[Vec<f64>], labels: Labels, loss: Loss, tree: &TreeSettings, rounds: usize) -> Fit {
    let bins = BinnedRows::new(columns, 255);
    let data = TrainingData { bins: &bins, labels, n_features: columns.len(), monotone: &[] };
    fit(data, loss, tree, &Rounds::Exactly(rounds))
}

/// A tree that is grown by trying every threshold on every row.
struct Naive<'a> {
    columns: &'a [Vec<f64>],
    gradients: Vec<[f64; 2]>,
    tree: TreeSettings,
}

impl Naive<'_> {
    fn sums(&self, rows: &[usize]) -> [f64; 2] {
        rows.iter().fold([0.0; 2], |[g, h], &row| [g + self.gradients[row][0], h + self.gradients[row][1]])
    }

    fn fall(&self, rows: &[usize]) -> f64 {
        let [gradient, hessian] = self.sums(rows);
        gradient * gradient / (hessian + self.tree.l2)
    }

    fn grow(&self, rows: Vec<usize>, depth: usize, scores: &mut [f64]) {
        let mut best: (f64, Option<[Vec<usize>; 2]>) = (1e-9, None);
        let unsplit = self.fall(&rows);
        for column in self.columns.iter().take(if depth == 0 { 0 } else { usize::MAX }) {
            let mut thresholds: Vec<f64> =
                rows.iter().map(|&row| column[row]).filter(|value| !value.is_nan()).collect();
            thresholds.sort_by(f64::total_cmp);
            thresholds.dedup();
            for threshold in thresholds.into_iter().skip(1).chain([f64::INFINITY]) {
                for missing_left in [false, true] {
                    let goes_left =
                        |row: &usize| column[*row] < threshold || (missing_left && column[*row].is_nan());
                    let sides: (Vec<usize>, Vec<usize>) = rows.iter().copied().partition(goes_left);
                    let sides = [sides.0, sides.1];
                    let is_enough = |side: &Vec<usize>| self.sums(side)[1] >= self.tree.min_leaf_weight;
                    let gain = self.fall(&sides[0]) + self.fall(&sides[1]) - unsplit;
                    if sides.iter().all(is_enough) && gain > best.0 + 1e-9 {
                        best = (gain, Some(sides));
                    }
                }
            }
        }
        let Some([left, right]) = best.1 else {
            let [gradient, hessian] = self.sums(&rows);
            let value = -self.tree.learning_rate * gradient / (hessian + self.tree.l2);
            return rows.into_iter().for_each(|row| scores[row] += value);
        };
        self.grow(left, depth - 1, scores);
        self.grow(right, depth - 1, scores);
    }
}

#[test]
fn trees_are_those_that_trying_every_threshold_finds() {
    let rows = 400;
    let (columns, chance) = (columns(rows), noise(rows, 9));
    let truths: Vec<f64> =
        (0..rows).map(|row| f64::from(u8::from(signal(&columns, row) > 0.2 + 0.5 * chance[row]))).collect();
    let weights: Vec<f64> = truths.iter().map(|truth| 1.0 + truth).collect();
    for weights in [None, Some(weights.as_slice())] {
        let labels = Labels { values: &truths, weights };
        let tree = tree(3);
        let found = fit_columns(&columns, labels, Loss::Log, &tree, 4);
        let mut scores = vec![found.ensembles[0].base_score; rows];
        for _ in 0..4 {
            let derivatives = |row: usize| {
                let p = crate::ensemble::sigmoid(scores[row]);
                [labels.weight(row) * (p - truths[row]), labels.weight(row) * p * (1.0 - p)]
            };
            let gradients = (0..rows).map(derivatives).collect();
            Naive { columns: &columns, gradients, tree }.grow((0..rows).collect(), 3, &mut scores);
        }
        for (row, found) in found.ensembles[0].column_scores(&columns, rows).into_iter().enumerate() {
            assert!((found - scores[row]).abs() < 1e-5, "row {row}: {found} {}", scores[row]);
        }
    }
}

#[test]
fn a_new_low_or_high_is_not_taken_for_missing() {
    // Present values say nothing; only missing ones are positive.
    let column: Vec<f64> = (0..600).map(|i| if i % 3 == 0 { f64::NAN } else { f64::from(i) }).collect();
    let truths: Vec<f64> = (0..600).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
    let labels = Labels { values: &truths, weights: None };
    // The same where all present values are equal.
    let same: Vec<f64> = column.iter().map(|value| if value.is_nan() { *value } else { 7.0 }).collect();
    for column in [column, same] {
        let fit = fit_columns(&[column], labels, Loss::Log, &tree(2), 50);
        let score = |value: f64| fit.ensembles[0].score(&[value]);
        assert!(score(f64::NAN) > 1.0);
        for value in [-1e300, -1.0, 0.0, 7.0, 300.0, 599.0, 600.0, 1e300] {
            assert!(score(value) < -1.0, "{value}: {}", score(value));
        }
    }
}

#[test]
fn missing_values_follow_the_larger_side_where_training_had_none() {
    let column: Vec<f64> = (0..100).map(f64::from).collect();
    for larger_is_right in [true, false] {
        let last_left = if larger_is_right { 30 } else { 70 };
        let truths: Vec<f64> = (0..100).map(|row| f64::from(u8::from(row >= last_left))).collect();
        let labels = Labels { values: &truths, weights: None };
        let fit = fit_columns(std::slice::from_ref(&column), labels, Loss::Log, &tree(1), 1);
        let score = |value: f64| fit.ensembles[0].score(&[value]);
        assert_eq!(score(f64::NAN), score(if larger_is_right { 99.0 } else { 0.0 }));
        assert_ne!(score(0.0), score(99.0));
    }
}

#[test]
fn without_anything_to_learn_the_score_is_the_share_of_positives_or_the_mean() {
    let score = |loss: Loss, column: Vec<f64>, labels: &[f64]| {
        let fit = fit_columns(&[column], Labels { values: labels, weights: None }, loss, &tree(2), 5);
        fit.ensembles[0].score(&[1.0])
    };
    assert_eq!(score(Loss::Log, vec![1.0; 4], &[1.0, 0.0, 1.0, 0.0]), 0.0);
    assert_eq!(score(Loss::Log, vec![f64::NAN; 2], &[1.0, 0.0]), 0.0);
    assert_eq!(score(Loss::Log, vec![1.0, 2.0], &[1.0, 1.0]), 5.0_f64.ln());
    assert_eq!(score(Loss::Log, vec![], &[]), 0.0);
    assert_eq!(score(Loss::Squared, vec![1.0; 3], &[1.0, 2.0, 6.0]), 3.0);
    assert_eq!(score(Loss::Squared, vec![1.0, 2.0], &[7.5, 7.5]), 7.5);
}

#[test]
fn trees_stop_when_the_loss_on_other_rows_has_stopped_falling() {
    let rows = 1000;
    let (columns, chance) = (columns(rows), noise(rows, 9));
    let value = |row: usize| signal(&columns, row) + 2.0 * chance[row];
    let numbers: Vec<f64> = (0..rows).map(value).collect();
    let truths: Vec<f64> = numbers.iter().map(|number| f64::from(u8::from(*number > 1.4))).collect();
    let classes: Vec<f64> = numbers.iter().map(|number| number.floor().min(2.0)).collect();
    let half = rows / 2;
    let part =
        |from: usize| columns.iter().map(|column| column[from..from + half].to_vec()).collect::<Vec<_>>();
    let (training, others) = (part(0), part(half));
    let bins = BinnedRows::new(&training, 255);
    for (loss, labels) in [(Loss::Log, &truths), (Loss::Squared, &numbers), (Loss::Softmax(3), &classes)] {
        let of = |from: usize| Labels { values: &labels[from..from + half], weights: None };
        let data = TrainingData { bins: &bins, labels: of(0), n_features: 3, monotone: &[] };
        let evaluation = Evaluation { columns: &others, labels: of(half) };
        let stopped = fit(data, loss, &tree(3), &Rounds::Until { evaluation, most: 200, patience: 15 });
        let rounds = stopped.ensembles[0].roots.len();
        assert!((1..150).contains(&rounds), "{loss:?} {rounds}");
        assert!(stopped.ensembles.iter().all(|ensemble| ensemble.roots.len() == rounds));
        // They are the first ones of a longer fit, and neither fewer nor a few more are better.
        let loss_after = |rounds: usize| {
            let fit = fit(data, loss, &tree(3), &Rounds::Exactly(rounds));
            let scores = fit.ensembles.iter().map(|ensemble| ensemble.column_scores(&others, half)).collect();
            (mean_loss(loss, of(half), &scores), fit.ensembles)
        };
        let (least, ensembles) = loss_after(rounds);
        assert_eq!(ensembles, stopped.ensembles);
        assert!((stopped.loss.unwrap() - least).abs() < 1e-9, "{loss:?}");
        for other in (1..rounds).chain(rounds + 1..rounds + 15) {
            assert!(loss_after(other).0 >= least, "{loss:?} {other} {rounds}");
        }
    }
}
