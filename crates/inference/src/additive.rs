//! Models that add up trees: from rows of numbers to margins.

use std::ops::AddAssign;

use rayon::prelude::*;

use crate::forest::{Forest, ROWS_OF_A_THREAD};
use crate::link::Width;
use crate::predictions::Matrix;

/// A forest whose leaves are added up.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Sum {
    pub forest: Forest,
    /// What each leaf adds, by its place in the forest.
    pub values: Vec<f64>,
    /// The output to which each tree adds.
    pub outputs: Vec<u32>,
    /// The margin before any tree, for each output.
    pub base: Vec<f64>,
    pub width: Width,
    /// The training rows of each leaf, or their weight, by its place in the forest, where the file has them.
    pub covers: Option<Vec<f64>>,
}

impl Sum {
    pub fn margins(&self, rows: &[f64], features: usize) -> Matrix {
        let values = match self.width {
            Width::Double => self.add_up(rows, features, |value| value),
            Width::Single => {
                let sums = self.add_up(rows, features, |value| value as f32);
                sums.into_iter().map(f64::from).collect()
            }
        };
        Matrix::new(self.base.len(), self.width, values)
    }

    /// Adds in the order of the trees, as every library does, in the width that `narrow` gives.
    fn add_up<T: Copy + AddAssign + Send + Sync>(
        &self,
        rows: &[f64],
        features: usize,
        narrow: impl Fn(f64) -> T + Sync,
    ) -> Vec<T> {
        let base: Vec<T> = self.base.iter().map(|&base| narrow(base)).collect();
        let count = rows.len() / features;
        let mut sums = Vec::with_capacity(count * base.len());
        (0..count).for_each(|_| sums.extend_from_slice(&base));
        let chunks = rows.par_chunks(ROWS_OF_A_THREAD * features);
        chunks.zip(sums.par_chunks_mut(ROWS_OF_A_THREAD * base.len())).for_each(|(rows, sums)| {
            self.forest.leaves(rows, features, |first, tree, leaves| {
                let output = self.outputs[tree] as usize;
                let sums = sums[first * base.len()..].chunks_exact_mut(base.len());
                for (&leaf, sums) in leaves.iter().zip(sums) {
                    sums[output] += narrow(self.values[leaf as usize]);
                }
            });
        });
        sums
    }
}

/// Symmetric trees: each level asks the same question of all its nodes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Symmetric {
    pub trees: Vec<SymmetricTree>,
    /// For each tree, each leaf and each output, one after another.
    pub leaf_values: Vec<f64>,
    /// For each tree and each leaf, the weight of its training rows, where the file has them.
    pub leaf_rows: Option<Vec<f64>>,
    pub scale: f64,
    pub bias: Vec<f64>,
}

/// A tree of [`Symmetric`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SymmetricTree {
    /// The answer to question b is bit b of the leaf's number.
    pub splits: Vec<Border>,
    /// Where its leaves begin in the values.
    pub first: usize,
}

/// Is the value above the border?
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Border {
    pub feature: u32,
    pub border: f64,
    /// The answer of a missing value.
    pub missing: bool,
}

impl Symmetric {
    pub fn margins(&self, rows: &[f64], features: usize) -> Matrix {
        let outputs = self.bias.len();
        let mut sums = vec![0.0; rows.len() / features * outputs];
        for (row, sums) in rows.chunks_exact(features).zip(sums.chunks_exact_mut(outputs)) {
            for tree in &self.trees {
                let mut leaf = 0;
                for (bit, split) in tree.splits.iter().enumerate() {
                    let value = row[split.feature as usize];
                    let above = value > split.border || (split.missing && value.is_nan());
                    leaf |= usize::from(above) << bit;
                }
                let values = &self.leaf_values[tree.first + leaf * outputs..][..outputs];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            for (sum, bias) in sums.iter_mut().zip(&self.bias) {
                *sum = self.scale * *sum + bias;
            }
        }
        Matrix::new(outputs, Width::Double, sums)
    }
}
