//! The node `TreeEnsembleRegressor` of all trees of a model, a target for each ensemble.

use std::collections::HashMap;

use super::graph::{attribute, node};
use super::message::Message;
use crate::Error;
use crate::ensemble::{Ensemble, Node};

/// The lists of a `TreeEnsembleRegressor`, an item a node or a leaf.
#[derive(Default)]
struct Lists {
    trees: Vec<i64>,
    ids: Vec<i64>,
    features: Vec<i64>,
    values: Vec<f64>,
    modes: Vec<&'static str>,
    yes: Vec<i64>,
    no: Vec<i64>,
    missing: Vec<i64>,
    leaf_trees: Vec<i64>,
    leaf_ids: Vec<i64>,
    targets: Vec<i64>,
    weights: Vec<f64>,
}

/// The node that turns the matrix `input` into the scores `output`, a column for each ensemble.
pub(super) fn regressor(ensembles: &[Ensemble], input: &str, output: &str) -> Result<Message, Error> {
    let mut lists = Lists::default();
    let mut trees = 0;
    for (target, ensemble) in (0..).zip(ensembles) {
        check_range(ensemble)?;
        for &root in &ensemble.roots {
            lists.tree(ensemble, root, trees, target);
            trees += 1;
        }
        if ensemble.roots.is_empty() {
            // Each target has a tree, and no list is empty.
            lists.leaf(trees, 0, target, 0.0);
            trees += 1;
        }
    }
    let base: Vec<f64> = ensembles.iter().map(|ensemble| ensemble.base_score).collect();
    let attributes = [
        attribute::integer("n_targets", ensembles.len() as i64),
        attribute::text("aggregate_function", "SUM"),
        attribute::text("post_transform", "NONE"),
        attribute::doubles("base_values_as_tensor", &base),
        attribute::integers("nodes_treeids", &lists.trees),
        attribute::integers("nodes_nodeids", &lists.ids),
        attribute::integers("nodes_featureids", &lists.features),
        attribute::doubles("nodes_values_as_tensor", &lists.values),
        attribute::texts("nodes_modes", lists.modes.iter().copied()),
        attribute::integers("nodes_truenodeids", &lists.yes),
        attribute::integers("nodes_falsenodeids", &lists.no),
        attribute::integers("nodes_missing_value_tracks_true", &lists.missing),
        attribute::integers("target_treeids", &lists.leaf_trees),
        attribute::integers("target_nodeids", &lists.leaf_ids),
        attribute::integers("target_ids", &lists.targets),
        attribute::doubles("target_weights_as_tensor", &lists.weights),
    ];
    Ok(node("ai.onnx.ml", "TreeEnsembleRegressor", &[input], output, attributes))
}

impl Lists {
    /// Adds the nodes that are reached from a root, each once, the root first.
    fn tree(&mut self, ensemble: &Ensemble, root: u32, tree: i64, target: i64) {
        let mut ids = HashMap::from([(root, 0_i64)]);
        let mut order = vec![root];
        let mut at = 0;
        while let Some(&place) = order.get(at) {
            match ensemble.nodes[place as usize] {
                Node::Leaf(value) => self.leaf(tree, at as i64, target, value),
                Node::Split { feature, threshold, left, missing_left } => {
                    let mut id = |child: u32| {
                        *ids.entry(child).or_insert_with(|| {
                            order.push(child);
                            order.len() as i64 - 1
                        })
                    };
                    let (yes, no) = (id(left), id(left + 1));
                    // Infinite values are not clipped in the graph: they too are at most infinite.
                    let mode = if threshold == f64::INFINITY { "BRANCH_LEQ" } else { "BRANCH_LT" };
                    self.node(tree, at as i64, mode);
                    self.features.push(feature.into());
                    self.values.push(threshold);
                    self.yes.push(yes);
                    self.no.push(no);
                    self.missing.push(missing_left.into());
                }
            }
            at += 1;
        }
    }

    fn node(&mut self, tree: i64, id: i64, mode: &'static str) {
        self.trees.push(tree);
        self.ids.push(id);
        self.modes.push(mode);
    }

    fn leaf(&mut self, tree: i64, id: i64, target: i64, value: f64) {
        self.node(tree, id, "LEAF");
        for list in [&mut self.features, &mut self.yes, &mut self.no, &mut self.missing] {
            list.push(0);
        }
        self.values.push(0.0);
        self.leaf_trees.push(tree);
        self.leaf_ids.push(id);
        self.targets.push(target);
        self.weights.push(value);
    }
}

/// Refuses scores that 32 bits may not hold.
fn check_range(ensemble: &Ensemble) -> Result<(), Error> {
    let largest = |sum: f64, node: &Node| match node {
        Node::Leaf(value) => sum + value.abs(),
        Node::Split { .. } => sum,
    };
    let most = ensemble.nodes.iter().fold(ensemble.base_score.abs(), largest);
    if most < f64::from(f32::MAX) {
        return Ok(());
    }
    let reason = format!(
        "its predictions may be as large as {most:e}, and ONNX's trees give numbers of 32 bits; train on the label in another unit"
    );
    Err(Error::Export { reason })
}
