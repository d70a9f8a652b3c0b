//! Trees of other makers, in the form that scores many rows at once.

use crate::additive::Sum;
use crate::explain::{self, Explainer, Explanations};
use crate::forest::{Forest, Source, Test};
use crate::link::Width;

/// A node of a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TreeNode {
    /// The end of a walk: what the tree adds.
    Leaf(f64),
    /// Left where the feature's value is below the threshold.
    Split {
        /// The place of the value in a row.
        feature: u32,
        /// Not NaN; at an infinite one, present values part from missing ones.
        threshold: f64,
        /// Whether a missing value goes left.
        missing_left: bool,
        /// Place of the left child among the nodes of the tree; the right one is behind it.
        left: usize,
    },
}

/// Trees that are added up in 64 bits, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeSum {
    sum: Sum,
    features: usize,
    /// Nodes of each tree.
    lengths: Vec<usize>,
    /// Each leaf's place among the nodes of its tree and in the forest.
    leaves: Vec<Vec<(usize, u32)>>,
}

/// Trees whose sums can be explained.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedSum {
    trees: TreeSum,
    explainer: Explainer,
}

impl ExplainedSum {
    /// The mean of the sum over the training rows, and what each feature adds to it, row after row. Rows lie one after
    /// another, NaN is missing.
    ///
    /// # Panics
    /// Where the number of values is no multiple of the number of features.
    pub fn explain(&self, rows: &[f64]) -> Explanations {
        assert_eq!(rows.len() % self.trees.features.max(1), 0, "rows are as wide as the trees ask");
        explain::rows(&self.explainer, &self.trees.sum, rows)
    }
}

impl TreeSum {
    /// The sum of `base` and the trees, each with its root first, over rows of `features` numbers.
    ///
    /// # Errors
    /// A sentence about the first node that cannot be: a child or a feature that is not there, a threshold that is NaN.
    pub fn new(base: f64, features: usize, trees: &[Vec<TreeNode>]) -> Result<TreeSum, String> {
        let mut sum = Sum {
            forest: Forest::default(),
            values: Vec::new(),
            outputs: vec![0; trees.len()],
            base: vec![base],
            width: Width::Double,
            covers: None,
        };
        let mut of_trees = Vec::with_capacity(trees.len());
        for nodes in trees {
            let source: Vec<Source> = nodes.iter().map(source).collect();
            let leaves = sum.forest.push(&source, 0, features)?;
            sum.values.resize(sum.forest.nodes(), 0.0);
            for &(from, to) in &leaves {
                if let TreeNode::Leaf(value) = nodes[from] {
                    sum.values[to as usize] = value;
                }
            }
            of_trees.push(leaves);
        }
        let lengths = trees.iter().map(Vec::len).collect();
        Ok(TreeSum { sum, features, lengths, leaves: of_trees })
    }

    /// What each feature adds to the sum of each row, one output; `covers` has for each tree the training rows that came
    /// to each of its nodes, of which those of the leaves are looked at.
    ///
    /// # Errors
    /// A sentence: covers are not as many as nodes, or no numbers of rows.
    pub fn explained(mut self, covers: &[Vec<f64>]) -> Result<ExplainedSum, String> {
        let mut places = Vec::with_capacity(self.sum.forest.nodes());
        let lengths = self.lengths.iter().copied().zip(covers.iter().map(Vec::len));
        if covers.len() != self.lengths.len() || lengths.into_iter().any(|(nodes, covers)| nodes != covers) {
            return Err("the numbers of training rows are not those of its nodes".to_owned());
        }
        places.resize(self.sum.forest.nodes(), 0.0);
        for (leaves, covers) in self.leaves.iter().zip(covers) {
            leaves.iter().for_each(|&(node, place)| places[place as usize] = covers[node]);
        }
        self.sum.covers = Some(places);
        let explainer = Explainer::new(&self.sum, self.features)?;
        Ok(ExplainedSum { trees: self, explainer })
    }

    /// The sum for each row; rows lie one after another, NaN is missing. Large tables are scored on all processors.
    ///
    /// # Panics
    /// Where the number of values is no multiple of the number of features.
    pub fn scores(&self, rows: &[f64]) -> Vec<f64> {
        assert_eq!(rows.len() % self.features, 0, "rows are as wide as the trees ask");
        self.sum.margins(rows, self.features).into_values()
    }
}

fn source(node: &TreeNode) -> Source {
    match *node {
        TreeNode::Leaf(_) => Source::Leaf,
        TreeNode::Split { feature, threshold, missing_left, left } => {
            Source::Split { feature, test: Test::Below(threshold), missing_left, left, right: left + 1 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_added_up() {
        let stump = |feature, threshold, missing_left, left, right| {
            let split = TreeNode::Split { feature, threshold, missing_left, left: 1 };
            vec![split, TreeNode::Leaf(left), TreeNode::Leaf(right)]
        };
        let trees = [
            stump(0, 1.0, true, 10.0, 20.0),
            stump(1, f64::INFINITY, false, 1.0, 2.0),
            vec![TreeNode::Leaf(0.5)],
        ];
        let sum = TreeSum::new(100.0, 2, &trees).unwrap();
        let rows = [0.0, 5.0, 1.0, 5.0, f64::NAN, f64::NAN];
        assert_eq!(sum.scores(&rows), [111.5, 121.5, 112.5]);
        assert_eq!(sum.scores(&rows.repeat(1000)), [111.5, 121.5, 112.5].repeat(1000));
        let error = |feature, left| {
            let split = TreeNode::Split { feature, threshold: 0.0, missing_left: true, left };
            TreeSum::new(0.0, 2, &[vec![split, TreeNode::Leaf(0.0), TreeNode::Leaf(0.0)]]).unwrap_err()
        };
        assert_eq!(error(2, 1), "node 0 asks feature 2 of 2");
        assert_eq!(error(0, 2), "node 0 has the child 3 of 3");
    }
}
