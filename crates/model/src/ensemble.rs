//! The trees as one flat array: what prediction walks, and what is stored.

use streamflow_inference::{TreeNode, TreeSum};

/// A sum of decision trees over encoded rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ensemble {
    /// The score (log-odds) before any tree.
    pub base_score: f64,
    /// Length of an encoded row.
    pub n_features: u32,
    /// Index of each tree's first node.
    pub roots: Vec<u32>,
    /// The nodes of all trees. A split's children are next to each other and behind it, so every
    /// walk ends.
    pub nodes: Vec<Node>,
}

/// One node of a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Node {
    /// The end of a walk: what the tree adds to the score.
    Leaf(f64),
    /// Left when the value is below the threshold, right (`left + 1`) when not. An infinite
    /// threshold parts missing from present values.
    Split {
        feature: u32,
        threshold: f64,
        left: u32,
        /// Child to which a missing value goes.
        missing_left: bool,
    },
}

impl Ensemble {
    /// The score of a row in log-odds. A value beyond the end of a short row counts as missing.
    pub fn score(&self, row: &[f64]) -> f64 {
        let mut score = self.base_score;
        for &root in &self.roots {
            score += self.leaf(root, |feature| row.get(feature).copied());
        }
        score
    }

    /// Adds what the last tree says to the scores of rows, whose values are in one vector per feature.
    pub fn add_last_tree(&self, columns: &[Vec<f64>], scores: &mut [f64]) {
        let Some(&root) = self.roots.last() else { return };
        for (row, score) in scores.iter_mut().enumerate() {
            *score += self.leaf(root, |feature| columns[feature].get(row).copied());
        }
    }

    /// The scores of so many rows, whose values are in one vector per feature.
    pub fn column_scores(&self, columns: &[Vec<f64>], rows: usize) -> Vec<f64> {
        let add = |row: usize, score: f64, root: &u32| {
            score + self.leaf(*root, |feature| columns[feature].get(row).copied())
        };
        (0..rows)
            .map(|row| self.roots.iter().fold(self.base_score, |score, root| add(row, score, root)))
            .collect()
    }

    /// What a tree adds for a row; a value that the row lacks is missing.
    fn leaf(&self, root: u32, value: impl Fn(usize) -> Option<f64>) -> f64 {
        let mut at = root as usize;
        loop {
            match self.nodes[at] {
                Node::Leaf(value) => return value,
                Node::Split { feature, threshold, left, missing_left } => {
                    let value = value(feature as usize).unwrap_or(f64::NAN);
                    let go_left = value < threshold || (missing_left && value.is_nan());
                    at = left as usize + usize::from(!go_left);
                }
            }
        }
    }

    /// The same trees in the form that scores many rows at once.
    ///
    /// # Errors
    /// A sentence, of an ensemble that [`Ensemble::check`] refuses.
    pub fn sum(&self) -> Result<TreeSum, String> {
        let trees: Vec<Vec<TreeNode>> = self.roots.iter().map(|root| self.tree(*root).0).collect();
        TreeSum::new(self.base_score, self.n_features as usize, &trees)
    }

    /// The nodes of a tree, the root first, and the place of each among all nodes.
    pub fn tree(&self, root: u32) -> (Vec<TreeNode>, Vec<usize>) {
        let mut nodes = Vec::new();
        let mut places = vec![root as usize];
        while let Some(&at) = places.get(nodes.len()) {
            nodes.push(match self.nodes[at] {
                Node::Leaf(value) => TreeNode::Leaf(value),
                Node::Split { feature, threshold, left, missing_left } => {
                    let place = places.len();
                    places.extend([left as usize, left as usize + 1]);
                    TreeNode::Split { feature, threshold, missing_left, left: place }
                }
            });
        }
        (nodes, places)
    }

    /// What a stored ensemble must satisfy for [`Ensemble::score`] to end and not to panic.
    pub fn check(&self) -> Result<(), String> {
        let n_nodes = self.nodes.len();
        if !self.base_score.is_finite() {
            return Err(format!("the base score is {}", self.base_score));
        }
        if let Some(root) = self.roots.iter().find(|&&root| root as usize >= n_nodes) {
            return Err(format!("a tree starts at node {root} of {n_nodes}"));
        }
        for (i, node) in self.nodes.iter().enumerate() {
            match *node {
                Node::Leaf(value) if value.is_finite() => {}
                Node::Leaf(value) => return Err(format!("leaf {i} has the value {value}")),
                Node::Split { feature, threshold, left, .. } => {
                    if feature >= self.n_features {
                        return Err(format!("node {i} compares feature {feature} of {}", self.n_features));
                    }
                    if threshold.is_nan() {
                        return Err(format!("node {i} has the threshold {threshold}"));
                    }
                    if (left as usize) <= i || left as usize + 1 >= n_nodes {
                        return Err(format!("node {i} of {n_nodes} has its children at {left}"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The probability of a score in log-odds.
pub(crate) fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stump(missing_left: bool) -> Ensemble {
        let split = Node::Split { feature: 1, threshold: 0.0, left: 1, missing_left };
        Ensemble {
            base_score: 1.0,
            n_features: 2,
            roots: vec![0],
            nodes: vec![split, Node::Leaf(10.0), Node::Leaf(20.0)],
        }
    }

    #[test]
    fn missing_is_a_direction_of_its_own() {
        let cases = [
            (vec![9.0, -1.0], 11.0, 11.0),
            (vec![9.0, 0.0], 21.0, 21.0),
            (vec![9.0, f64::INFINITY], 21.0, 21.0),
            (vec![9.0, f64::NAN], 11.0, 21.0),
            (vec![9.0], 11.0, 21.0),
            (vec![], 11.0, 21.0),
        ];
        for (row, missing_left, missing_right) in cases {
            assert_eq!(stump(true).score(&row), missing_left, "{row:?}");
            assert_eq!(stump(false).score(&row), missing_right, "{row:?}");
            if row.len() == 2 {
                let scores = |of: Ensemble| of.sum().unwrap().scores(&row.repeat(1000));
                assert_eq!(scores(stump(true)), [missing_left; 1000], "{row:?}");
                assert_eq!(scores(stump(false)), [missing_right; 1000], "{row:?}");
            }
        }
    }

    #[test]
    fn refuses_what_would_not_end_or_would_panic() {
        assert_eq!(stump(true).check(), Ok(()));
        let split = |feature, threshold, left| Node::Split { feature, threshold, left, missing_left: false };
        let cases = [
            (split(2, 0.0, 1), "node 0 compares feature 2 of 2"),
            (split(0, f64::NAN, 1), "node 0 has the threshold NaN"),
            (split(0, 0.0, 0), "node 0 of 3 has its children at 0"),
            (split(0, 0.0, 2), "node 0 of 3 has its children at 2"),
            (Node::Leaf(f64::INFINITY), "leaf 0 has the value inf"),
        ];
        for (node, expected) in cases {
            let mut ensemble = stump(true);
            ensemble.nodes[0] = node;
            assert_eq!(ensemble.check(), Err(expected.to_string()));
        }
        let ensemble = Ensemble { roots: vec![3], ..stump(true) };
        assert_eq!(ensemble.check(), Err("a tree starts at node 3 of 3".to_string()));
    }
}
