//! Contributions by their definition, over all sets of features, beside those of the linear form.

use super::*;
use crate::{TreeNode, TreeSum};
use proptest::prelude::*;

/// The mean of a tree where only the features of a set are known.
fn value(nodes: &[TreeNode], covers: &[f64], row: &[f64], known: u32, at: usize) -> f64 {
    match nodes[at] {
        TreeNode::Leaf(value) => value,
        TreeNode::Split { feature, threshold, missing_left, left } => {
            let below = |child| value(nodes, covers, row, known, child);
            if known >> feature & 1 == 1 {
                let value = row[feature as usize];
                let goes_left = value < threshold || (missing_left && value.is_nan());
                return below(left + usize::from(!goes_left));
            }
            let share = if covers[at] > 0.0 { covers[left] / covers[at] } else { 0.5 };
            share * below(left) + (1.0 - share) * below(left + 1)
        }
    }
}

/// Shapley values by their definition.
fn by_definition(nodes: &[TreeNode], covers: &[f64], row: &[f64]) -> Vec<f64> {
    let count = row.len();
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    (0..count)
        .map(|feature| {
            let mut sum = 0.0;
            for set in (0..1_u32 << count).filter(|set| set >> feature & 1 == 0) {
                let size = set.count_ones() as usize;
                let weight = factorial(size) * factorial(count - 1 - size) / factorial(count);
                let with = value(nodes, covers, row, set | 1 << feature, 0);
                sum += weight * (with - value(nodes, covers, row, set, 0));
            }
            sum
        })
        .collect()
}

/// A tree of so many splits, each of a leaf that the numbers choose; covers from the leaves up.
fn tree(choices: &[(u32, u8, bool, u8)], features: u32) -> (Vec<TreeNode>, Vec<f64>) {
    let mut nodes = vec![TreeNode::Leaf(1.0)];
    for &(choice, threshold, missing_left, value) in choices {
        let leaves: Vec<usize> =
            (0..nodes.len()).filter(|&node| matches!(nodes[node], TreeNode::Leaf(_))).collect();
        let at = leaves[choice as usize % leaves.len()];
        let (feature, threshold) = (choice % features, f64::from(threshold) / 16.0);
        nodes[at] = TreeNode::Split { feature, threshold, missing_left, left: nodes.len() };
        nodes.extend([TreeNode::Leaf(f64::from(value) - 100.0), TreeNode::Leaf(f64::from(choice % 97))]);
    }
    let mut covers: Vec<f64> = (0..nodes.len()).map(|node| (node * 7 % 5) as f64).collect();
    for at in (0..nodes.len()).rev() {
        if let TreeNode::Split { left, .. } = nodes[at] {
            covers[at] = covers[left] + covers[left + 1];
        }
    }
    (nodes, covers)
}

proptest! {
    #[test]
    fn contributions_are_shapley_values(
        choices in prop::collection::vec((any::<u32>(), any::<u8>(), any::<bool>(), any::<u8>()), 0..14),
        row in prop::collection::vec(prop_oneof![Just(f64::NAN), 0.0..16.0], 5),
    ) {
        let (nodes, covers) = tree(&choices, 5);
        let sum = TreeSum::new(3.0, 5, &[nodes.clone(), nodes.clone()]).unwrap();
        let margin = sum.scores(&row)[0];
        let explained = sum.explained(&[covers.clone(), covers.clone()]).unwrap();
        let found = explained.explain(&row);
        for (found, expected) in found.contributions.iter().zip(by_definition(&nodes, &covers, &row)) {
            prop_assert!((found - 2.0 * expected).abs() < 1e-9, "{found} {expected}");
        }
        let total = found.base[0] + found.contributions.iter().sum::<f64>();
        prop_assert!((total - margin).abs() < 1e-9, "{total} {margin}");
    }
}

#[test]
fn points_integrate_polynomials_exactly() {
    for count in [1, 2, 4, 8, 16, 32, 64] {
        let rule = rule(count);
        for degree in 0..2 * count as i32 {
            let sum: f64 = rule.points.iter().zip(&rule.weights).map(|(x, w)| w * x.powi(degree)).sum();
            assert!((sum * f64::from(degree + 1) - 1.0).abs() < 1e-13, "{count} points, x^{degree}: {sum}");
        }
    }
}

#[test]
fn a_way_with_many_features_is_explained_up_to_a_bound() {
    // Feature i sends what is below 1 to a leaf; the last leaf is worth 1.
    let chain = |features: usize| {
        let mut nodes = Vec::new();
        for feature in 0..features as u32 {
            let left = nodes.len() + 1;
            nodes.push(TreeNode::Split { feature, threshold: 1.0, missing_left: true, left });
            nodes.push(TreeNode::Leaf(0.0));
        }
        nodes.push(TreeNode::Leaf(1.0));
        // The covers of splits are not looked at.
        let covers = nodes.iter().map(|_| 1.0).collect();
        (TreeSum::new(0.0, features, &[nodes]).unwrap(), vec![covers])
    };
    let (sum, covers) = chain(128);
    let found = sum.explained(&covers).unwrap().explain(&[2.0; 128]);
    let total = found.base[0] + found.contributions.iter().sum::<f64>();
    assert!((total - 1.0).abs() < 1e-12, "{total}");
    let (sum, covers) = chain(129);
    let error = sum.explained(&covers).unwrap_err();
    assert_eq!(error, "tree 0 asks 129 different features on one way; at most 128 are explained");
    let (sum, _) = chain(2);
    assert_eq!(
        sum.clone().explained(&[]).unwrap_err(),
        "the numbers of training rows are not those of its nodes"
    );
    assert_eq!(sum.explained(&[vec![f64::NAN; 5]]).unwrap_err(), "a leaf has NaN training rows");
}
