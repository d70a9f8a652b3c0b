//! How far realised metrics of several classes may lie from their estimates when the estimate's assumption holds.

use std::collections::BTreeMap;

use streamflow_stats::Random;

use super::classes::ClassChances;
use crate::bootstrap::{GROUPS, percentile_intervals};
use crate::interval::Interval;
use crate::measured_classes::row_class_loss;
use crate::metric::Metric;
use crate::multiclass::of_confusion;

/// Accuracy and log loss with their standard deviations, labels being independent draws with the rows' chances; `None`
/// without rows. Both are means of what the label of a row makes of it, so that the variances of the rows add up.
pub(super) fn class_errors(chunk: &[ClassChances]) -> [Option<(f64, Option<f64>)>; 2] {
    let (mut right, mut loss) = ([0.0; 2], [0.0; 2]);
    for row in chunk {
        let chance = row.chances[row.predicted];
        right[0] += chance;
        right[1] += (chance * (1.0 - chance)).max(0.0);
        let losses =
            (0..row.scores.len()).map(|class| (row.chances[class], row_class_loss(class, &row.scores)));
        let (mean, square) =
            losses.fold((0.0, 0.0), |(mean, square), (p, loss)| (mean + p * loss, square + p * loss * loss));
        loss[0] += mean;
        loss[1] += (square - mean * mean).max(0.0);
    }
    let rows = chunk.len() as f64;
    [right, loss].map(|[sum, variance]| (rows > 0.0).then(|| (sum / rows, Some(variance.sqrt() / rows))))
}

/// Rows of one predicted class and like chances, whose labels are drawn together.
struct Cell {
    predicted: usize,
    rows: u64,
    /// Their mean chances.
    chances: Vec<f64>,
}

/// All rows of a chunk, in at most about 512 cells: each its own where there are so few.
pub(super) struct Cells {
    cells: Vec<Cell>,
    classes: usize,
}

const DRAWN: [Metric; 5] =
    [Metric::MacroF1, Metric::WeightedF1, Metric::BalancedAccuracy, Metric::Mcc, Metric::CohenKappa];

impl Cells {
    pub fn new(chunk: &[ClassChances], classes: usize) -> Self {
        let mut rows: Vec<&ClassChances> = chunk.iter().collect();
        // Stable, so that equal rows stay as the caller has ordered them.
        rows.sort_by(|a, b| {
            let sure = |row: &ClassChances| row.chances[row.predicted];
            a.predicted.cmp(&b.predicted).then(sure(a).total_cmp(&sure(b)))
        });
        let together = rows.len().div_ceil(GROUPS).max(1);
        let alike = rows.chunk_by(|a, b| a.predicted == b.predicted);
        let cells = alike.flat_map(|alike| alike.chunks(together)).map(|rows| {
            let mean = |class| rows.iter().map(|row| row.chances[class]).sum::<f64>() / rows.len() as f64;
            Cell {
                predicted: rows[0].predicted,
                rows: rows.len() as u64,
                chances: (0..classes).map(mean).collect(),
            }
        });
        Self { cells: cells.collect(), classes }
    }

    /// Bands of what the confusion matrix gives: its labels are drawn 1,000 times from the chances.
    pub fn bands(&self, seed: u64) -> BTreeMap<Metric, Interval> {
        if self.cells.is_empty() {
            return BTreeMap::new();
        }
        let bands = percentile_intervals(seed, |random| {
            let drawn = self.draw(random);
            DRAWN.map(|metric| of_confusion(metric, &drawn))
        });
        DRAWN.into_iter().zip(bands).filter_map(|(metric, band)| Some((metric, band?))).collect()
    }

    /// Rows of each actual class down, of each predicted class across.
    fn draw(&self, random: &mut Random) -> Vec<Vec<f64>> {
        let mut drawn = vec![vec![0.0; self.classes]; self.classes];
        for cell in &self.cells {
            // Class after class, each of what the classes before it have left.
            let (mut rows, mut chance) = (cell.rows, cell.chances.iter().sum::<f64>());
            for (class, own) in cell.chances.iter().enumerate() {
                if rows == 0 {
                    break;
                }
                let is_last = class + 1 == self.classes;
                let share = if is_last || chance <= 0.0 { 1.0 } else { (own / chance).clamp(0.0, 1.0) };
                let count = match rows {
                    1 => u64::from(random.uniform() < share),
                    rows => random.binomial(rows, share),
                };
                drawn[class][cell.predicted] += count as f64;
                rows -= count;
                chance -= own;
            }
        }
        drawn
    }
}
