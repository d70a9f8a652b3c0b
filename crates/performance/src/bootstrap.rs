//! Percentile intervals by resampling, for what has no formula.

use rayon::prelude::*;
use streamflow_stats::Random;

use crate::interval::{CONFIDENCE, Interval};

/// Resamples of every interval.
pub const RESAMPLES: u64 = 1_000;

/// Distinct scores, or rows, that are resampled one by one; more are joined to about this many groups first.
pub(crate) const GROUPS: usize = 512;

/// Percentile intervals of the values that `draw` returns, each resample with a generator of its own: the ends are the
/// 2.5 % and 97.5 % quantiles ("linear") of the resampled values.
///
/// The result depends on the seed alone, not on the number of threads. Undefined values are left out; when more than
/// 2.5 % are undefined there is no interval, since one of its ends would be.
///
/// Source: B. Efron (1979), doi:10.1214/aos/1176344552; the percentile method of B. Efron and R. Tibshirani, "An
/// Introduction to the Bootstrap" (1993), section 13.3.
pub(crate) fn percentile_intervals<const N: usize>(
    seed: u64,
    draw: impl Fn(&mut Random) -> [Option<f64>; N] + Sync,
) -> [Option<Interval>; N] {
    // Odd steps visit every seed; the generator mixes neighbouring ones apart.
    let of = |index: u64| seed.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let drawn: Vec<[Option<f64>; N]> =
        (0..RESAMPLES).into_par_iter().map(|index| draw(&mut Random::new(of(index)))).collect();
    std::array::from_fn(|value| {
        percentile_interval(drawn.iter().filter_map(|values| values[value]).collect())
    })
}

fn percentile_interval(mut values: Vec<f64>) -> Option<Interval> {
    let tail = 0.5 * (1.0 - CONFIDENCE);
    if (values.len() as f64) < RESAMPLES as f64 * (1.0 - tail) {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let quantile = |q: f64| {
        let position = (values.len() - 1) as f64 * q;
        let below = position as usize;
        let above = (below + 1).min(values.len() - 1);
        values[below] + (values[above] - values[below]) * (position - below as f64)
    };
    Some(Interval { low: quantile(tail), high: quantile(1.0 - tail) })
}

/// Rows in cells, of which as many are drawn with replacement as there are.
pub(crate) struct Cells {
    weights: Vec<u64>,
    rows: u64,
    /// The cell of each row where drawing rows is cheaper than drawing the counts of the cells.
    of_row: Vec<u32>,
}

/// How many rows are drawn in the time of one binomial count.
const ROWS_A_COUNT: u64 = 32;

impl Cells {
    pub fn new(weights: Vec<u64>) -> Self {
        let rows: u64 = weights.iter().sum();
        let mut of_row = Vec::new();
        if rows <= ROWS_A_COUNT * weights.len() as u64 {
            for (cell, &weight) in (0_u32..).zip(&weights) {
                of_row.extend(std::iter::repeat_n(cell, weight as usize));
            }
        }
        Self { weights, rows, of_row }
    }

    /// How many of the drawn rows are in each cell: one multinomial draw.
    pub fn draw(&self, random: &mut Random) -> Vec<u64> {
        let mut drawn = vec![0; self.weights.len()];
        if self.of_row.is_empty() {
            random.multinomial(self.rows, self.weights.iter().copied(), self.rows, &mut drawn);
        } else {
            for _ in 0..self.rows {
                drawn[self.of_row[random.below(self.rows) as usize] as usize] += 1;
            }
        }
        drawn
    }
}
