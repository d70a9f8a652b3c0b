//! Tree ensembles as ONNX has them: every node may compare in another way, a leaf adds to several outputs.
//!
//! Sums are taken in the order of the trees from 0 on, in 32 bits unless the input or an attribute is of 64; the base
//! is added afterwards, as onnxruntime does on one thread.

use std::collections::{BTreeSet, HashMap};

use super::linear::class_labels;
use super::operators::{Kernel, Node, input};
use super::tensor::{Data, Tensor, elements};
use rayon::prelude::*;

use crate::forest::{Forest, ROWS_OF_A_THREAD, Source, Test};
use crate::link::{Width, arg_max, sigmoid, softmax};

/// What is done to the scores of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Post {
    None,
    Logistic,
    Softmax,
    SoftmaxZero,
    Probit,
}

impl Post {
    pub fn of(node: &Node) -> Result<Post, String> {
        match node.text("post_transform", "NONE")? {
            "NONE" => Ok(Post::None),
            "LOGISTIC" => Ok(Post::Logistic),
            "SOFTMAX" => Ok(Post::Softmax),
            "SOFTMAX_ZERO" => Ok(Post::SoftmaxZero),
            "PROBIT" => Ok(Post::Probit),
            other => Err(format!("the post_transform {other:?}")),
        }
    }

    pub fn apply(self, row: &mut [f64], width: Width) {
        match self {
            Post::None => {}
            Post::Logistic => row.iter_mut().for_each(|x| *x = sigmoid(*x, width)),
            Post::Softmax => softmax(row, width),
            Post::SoftmaxZero => softmax_zero(row, width),
            Post::Probit => row.iter_mut().for_each(|x| *x = width.round(probit(*x))),
        }
    }
}

/// The softmax of what is not zero; zeros stay.
fn softmax_zero(row: &mut [f64], width: Width) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for x in row.iter_mut() {
        *x = if x.abs() > 1e-7 { width.round((*x - largest).exp()) } else { 0.0 };
        sum = width.round(sum + *x);
    }
    row.iter_mut().for_each(|x| *x = width.round(*x / sum));
}

/// The quantile of the normal distribution by Winitzki's formula of 2008, which onnxruntime uses: √2 erf⁻¹(2x - 1).
fn probit(x: f64) -> f64 {
    const A: f64 = 0.147;
    let x = 2.0 * x - 1.0;
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let b = 2.0 / (std::f64::consts::PI * A) + log / 2.0;
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    std::f64::consts::SQRT_2 * sign * ((b * b - log / A).sqrt() - b).sqrt()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

/// A forest with what each leaf gives to which output.
struct Ensemble {
    forest: Forest,
    /// By a leaf's place in the forest: its part of `weights`.
    ranges: Vec<(u32, u32)>,
    weights: Vec<(u32, f64)>,
    outputs: usize,
    aggregate: Aggregate,
    base: Vec<f64>,
    /// Columns that the trees ask for.
    features: usize,
    is_double: bool,
}

/// What trees give to rows.
struct Scores {
    rows: usize,
    width: Width,
    /// Row after row.
    scores: Vec<f64>,
    /// Whether each got a weight.
    has: Vec<bool>,
}

/// Weights of the leaves of a file, by tree and node.
type Given = HashMap<(i64, i64), Vec<(u32, f64)>>;

/// A number or a list of numbers, of 32 or 64 bits.
fn numbers(node: &Node, name: &str) -> Result<(Vec<f64>, bool), String> {
    match node.tensor(&format!("{name}_as_tensor")) {
        Some(tensor) => Ok((tensor.numbers()?, matches!(tensor.data, Data::Double(_)))),
        None => {
            let floats = node.floats(name).unwrap_or_default();
            Ok((floats.iter().map(|&value| f64::from(value)).collect(), false))
        }
    }
}

/// The names of a list's attributes: those of a classifier's leaves or of a regressor's.
struct Leaves {
    trees: &'static str,
    nodes: &'static str,
    outputs: &'static str,
    weights: &'static str,
}

impl Ensemble {
    fn of(node: &Node, leaves: &Leaves, outputs: usize) -> Result<Ensemble, String> {
        let (values, is_double) = numbers(node, "nodes_values")?;
        let nodes = Nodes::of(node, values)?;
        let mut ensemble = Ensemble {
            forest: Forest::default(),
            ranges: Vec::new(),
            weights: Vec::new(),
            outputs,
            aggregate: match node.text("aggregate_function", "SUM")? {
                "SUM" => Aggregate::Sum,
                "AVERAGE" => Aggregate::Average,
                "MIN" => Aggregate::Min,
                "MAX" => Aggregate::Max,
                other => return Err(format!("the aggregate_function {other:?}")),
            },
            base: numbers(node, "base_values")?.0,
            features: nodes.features,
            is_double,
        };
        if !matches!(ensemble.base.len(), 0 | 1) && ensemble.base.len() != outputs {
            return Err(format!("it has {} base values for {outputs} outputs", ensemble.base.len()));
        }
        let given = ensemble.given(node, leaves)?;
        for tree in &nodes.trees {
            let places = ensemble.forest.push(&tree.nodes, tree.root()?, nodes.features)?;
            ensemble.ranges.resize(ensemble.forest.nodes(), (0, 0));
            for (index, place) in places {
                let start = ensemble.weights.len() as u32;
                let weights = given.get(&(tree.id, tree.ids[index]));
                ensemble.weights.extend(weights.into_iter().flatten());
                ensemble.ranges[place as usize] = (start, ensemble.weights.len() as u32);
            }
        }
        Ok(ensemble)
    }

    /// The weights of the file by tree and node.
    fn given(&self, node: &Node, leaves: &Leaves) -> Result<Given, String> {
        let list = |name: &str| node.integers(name).unwrap_or_default();
        let (trees, nodes, outputs) = (list(leaves.trees), list(leaves.nodes), list(leaves.outputs));
        let (weights, _) = numbers(node, leaves.weights)?;
        if [nodes.len(), outputs.len(), weights.len()] != [trees.len(); 3] {
            return Err("its lists of weights are not of one length".to_owned());
        }
        let mut given = Given::new();
        for (((&tree, &node), &output), &weight) in trees.iter().zip(nodes).zip(outputs).zip(&weights) {
            let output = u32::try_from(output).ok().filter(|&output| (output as usize) < self.outputs);
            let output = output.ok_or_else(|| format!("a leaf adds to an output beyond {}", self.outputs))?;
            given.entry((tree, node)).or_default().push((output, weight));
        }
        Ok(given)
    }

    /// Scores of each row with the base.
    fn scores(&self, tensor: &Tensor) -> Result<Scores, String> {
        let (rows, columns) = tensor.matrix()?;
        if columns < self.features || columns == 0 {
            return Err(format!("its trees ask for {} columns, not {columns}", self.features));
        }
        elements(&[rows, self.outputs])?;
        let values = match &tensor.data {
            // Integers are compared as 32-bit numbers.
            Data::Integer(data) => data.iter().map(|&value| f64::from(value as f32)).collect(),
            _ => tensor.numbers()?,
        };
        let is_double = self.is_double || matches!(tensor.data, Data::Double(_));
        let width = if is_double { Width::Double } else { Width::Single };
        let mut scores = vec![0.0; rows * self.outputs];
        let mut has = vec![false; rows * self.outputs];
        let of_a_thread = ROWS_OF_A_THREAD * self.outputs;
        let scored = scores.par_chunks_mut(of_a_thread).zip(has.par_chunks_mut(of_a_thread));
        values.par_chunks(ROWS_OF_A_THREAD * columns).zip(scored).for_each(|(rows, (scores, has))| {
            self.forest.leaves(rows, columns, |row, _, leaves| {
                for (row, &leaf) in (row..).zip(leaves) {
                    let (start, end) = self.ranges[leaf as usize];
                    for &(output, weight) in &self.weights[start as usize..end as usize] {
                        let place = row * self.outputs + output as usize;
                        scores[place] = self.with(scores[place], has[place], weight, width);
                        has[place] = true;
                    }
                }
            });
        });
        for row in scores.chunks_exact_mut(self.outputs) {
            self.finish(row, width);
        }
        Ok(Scores { rows, width, scores, has })
    }

    fn with(&self, score: f64, has: bool, weight: f64, width: Width) -> f64 {
        match self.aggregate {
            _ if !has => width.round(weight),
            Aggregate::Sum | Aggregate::Average => width.round(score + weight),
            Aggregate::Min => score.min(weight),
            Aggregate::Max => score.max(weight),
        }
    }

    fn finish(&self, row: &mut [f64], width: Width) {
        for (output, score) in row.iter_mut().enumerate() {
            if self.aggregate == Aggregate::Average {
                *score = width.round(*score / self.forest.trees() as f64);
            }
            if let Some(base) = self.base.get(output).or(self.base.first()) {
                *score = width.round(*score + base);
            }
        }
    }
}

/// The nodes of all trees, a tree each.
struct Nodes {
    trees: Vec<Tree>,
    features: usize,
}

#[derive(Default)]
struct Tree {
    id: i64,
    ids: Vec<i64>,
    nodes: Vec<Source>,
}

impl Nodes {
    fn of(node: &Node, values: Vec<f64>) -> Result<Nodes, String> {
        let list = |name: &str| node.integers(name).unwrap_or_default();
        let (trees, ids, features) = (list("nodes_treeids"), list("nodes_nodeids"), list("nodes_featureids"));
        let (yes, no) = (list("nodes_truenodeids"), list("nodes_falsenodeids"));
        let modes = node.texts("nodes_modes")?.unwrap_or_default();
        let tracks = node.integers("nodes_missing_value_tracks_true");
        let count = ids.len();
        let lengths = [trees.len(), features.len(), yes.len(), no.len(), modes.len(), values.len()];
        if count == 0 || lengths != [count; 6] || tracks.is_some_and(|tracks| tracks.len() != count) {
            return Err("its lists of nodes are empty or not of one length".to_owned());
        }
        // Where each node is in its tree.
        let mut numbers: HashMap<i64, usize> = HashMap::new();
        let mut found: Vec<Tree> = Vec::new();
        let mut places: HashMap<(i64, i64), usize> = HashMap::with_capacity(count);
        for (&tree, &id) in trees.iter().zip(ids) {
            let number = *numbers.entry(tree).or_insert_with(|| {
                found.push(Tree { id: tree, ..Tree::default() });
                found.len() - 1
            });
            if places.insert((tree, id), found[number].ids.len()).is_some() {
                return Err(format!("node {id} of tree {tree} is there twice"));
            }
            found[number].ids.push(id);
        }
        let mut most = 0;
        for node in 0..count {
            let child = |id: i64| {
                let place = places.get(&(trees[node], id)).copied();
                place.ok_or_else(|| format!("tree {} has no node {id}", trees[node]))
            };
            let source = if modes[node] == "LEAF" {
                Source::Leaf
            } else {
                let feature = usize::try_from(features[node]).ok().filter(|&feature| feature < 1 << 24);
                let feature = feature.ok_or_else(|| format!("a node asks feature {}", features[node]))?;
                most = most.max(feature + 1);
                let tracks = tracks.is_some_and(|tracks| tracks[node] != 0);
                split(feature as u32, modes[node], values[node], tracks, child(yes[node])?, child(no[node])?)?
            };
            found[numbers[&trees[node]]].nodes.push(source);
        }
        Ok(Nodes { trees: found, features: most.max(1) })
    }
}

/// A node that goes left where its comparison is true, or right where that says the opposite of a known test.
fn split(
    feature: u32,
    mode: &str,
    value: f64,
    tracks: bool,
    yes: usize,
    no: usize,
) -> Result<Source, String> {
    // Test, whether it is the comparison itself, and whether a missing value makes the comparison true.
    let (test, is_same, missing) = match mode {
        "BRANCH_LEQ" => (Test::AtMost(value), true, tracks),
        "BRANCH_LT" => (Test::Below(value), true, tracks),
        "BRANCH_GTE" => (Test::Below(value), false, tracks),
        "BRANCH_GT" => (Test::AtMost(value), false, tracks),
        "BRANCH_EQ" => (Test::Equal(value), true, tracks),
        "BRANCH_NEQ" => (Test::Equal(value), false, true),
        other => return Err(format!("the node mode {other:?}")),
    };
    let (left, right) = if is_same { (yes, no) } else { (no, yes) };
    Ok(Source::Split { feature, test, missing_left: missing == is_same, left, right })
}

impl Tree {
    /// The node that is no other's child.
    fn root(&self) -> Result<usize, String> {
        let mut is_child = vec![false; self.nodes.len()];
        for node in &self.nodes {
            if let Source::Split { left, right, .. } = node {
                is_child[*left] = true;
                is_child[*right] = true;
            }
        }
        let mut roots = is_child.iter().enumerate().filter(|(_, is_child)| !**is_child).map(|(node, _)| node);
        match (roots.next(), roots.next()) {
            (Some(root), None) => Ok(root),
            _ => Err(format!("tree {} has no root, or several", self.id)),
        }
    }
}

fn outputs(rows: usize, columns: usize, scores: Vec<f64>) -> Result<Tensor, String> {
    let data = scores.into_iter().map(|score| score as f32).collect();
    Tensor::new(vec![rows, columns], Data::Single(data))
}

pub(crate) fn regressor(node: &Node) -> Result<Kernel, String> {
    let leaves = Leaves {
        trees: "target_treeids",
        nodes: "target_nodeids",
        outputs: "target_ids",
        weights: "target_weights",
    };
    let targets = usize::try_from(node.integer("n_targets", 1)).ok().filter(|n| (1..1 << 16).contains(n));
    let targets = targets.ok_or("it has no number of targets")?;
    let ensemble = Ensemble::of(node, &leaves, targets)?;
    let post = Post::of(node)?;
    Ok(Box::new(move |inputs, _| {
        let Scores { rows, width, mut scores, .. } = ensemble.scores(input(inputs, 0)?)?;
        scores.chunks_exact_mut(targets).for_each(|row| post.apply(row, width));
        Ok(vec![outputs(rows, targets, scores)?])
    }))
}

/// How labels follow from scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Two labels, one score, which is the second label's. The flag is set where no weight is negative.
    OneScore { is_positive: bool },
    /// Two labels with a score each: the second as soon as its score is above zero.
    TwoScores,
    /// The first largest of those that got a weight, or of all where there is a base.
    Largest,
}

pub(crate) fn classifier(node: &Node) -> Result<Kernel, String> {
    let leaves = Leaves {
        trees: "class_treeids",
        nodes: "class_nodeids",
        outputs: "class_ids",
        weights: "class_weights",
    };
    let labels = class_labels(node, "classlabels_int64s", "classlabels_strings")?;
    let classes = labels.len();
    let ids: BTreeSet<i64> = node.integers("class_ids").unwrap_or_default().iter().copied().collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    let ensemble = Ensemble::of(node, &leaves, classes)?;
    let choice = match (classes, &ids[..]) {
        (0 | 1, _) => return Err(format!("it has {classes} labels")),
        (2, [0]) if ensemble.base.len() < 2 => {
            Choice::OneScore { is_positive: ensemble.weights.iter().all(|(_, weight)| *weight >= 0.0) }
        }
        (2, [_]) => {
            return Err("two labels and one set of weights, in a form that no converter writes".to_owned());
        }
        (2, _) if ensemble.ranges.iter().any(|(start, end)| end - start == 1) => {
            return Err("two labels, and leaves with the weight of one of them".to_owned());
        }
        (2, _) => Choice::TwoScores,
        _ => Choice::Largest,
    };
    let post = Post::of(node)?;
    Ok(Box::new(move |inputs, _| {
        let Scores { rows, width, mut scores, has } = ensemble.scores(input(inputs, 0)?)?;
        let mut chosen = Vec::with_capacity(rows);
        for (row, has) in scores.chunks_exact_mut(classes).zip(has.chunks_exact(classes)) {
            chosen.push(label(choice, row, has, !ensemble.base.is_empty()));
            match choice {
                Choice::OneScore { is_positive } => one_score(row, is_positive, post, width),
                _ => post.apply(row, width),
            }
        }
        let label = Tensor::new(vec![rows], labels.pick(chosen.into_iter()))?;
        Ok(vec![label, outputs(rows, classes, scores)?])
    }))
}

fn label(choice: Choice, row: &[f64], has: &[bool], has_base: bool) -> usize {
    match choice {
        Choice::OneScore { is_positive: true } => usize::from(row[0] > 0.5),
        Choice::OneScore { is_positive: false } => usize::from(row[0] > 0.0),
        Choice::TwoScores => usize::from(row[1] > 0.0),
        Choice::Largest => {
            let counts = |(score, has): (&f64, &bool)| {
                if *has || has_base { *score } else { f64::NEG_INFINITY }
            };
            arg_max(&row.iter().zip(has).map(counts).collect::<Vec<_>>())
        }
    }
}

/// Both probabilities of the one score, which is the first of the row.
fn one_score(row: &mut [f64], is_positive: bool, post: Post, width: Width) {
    let score = row[0];
    let both = match post {
        Post::Logistic => [sigmoid(-score, width), sigmoid(score, width)],
        Post::None if is_positive => [width.round(1.0 - score), score],
        _ => [-score, score],
    };
    row.copy_from_slice(&both);
}
