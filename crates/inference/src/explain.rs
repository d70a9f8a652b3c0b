//! What each feature adds to a margin: exact path-dependent TreeSHAP.
//!
//! The contribution of a feature is its Shapley value in the game whose players are the features and whose value of a
//! set S is the mean of the trees where only the features of S are known: at a split on another feature both children
//! are taken, in the shares of the training rows that went there (Lundberg et al. 2018, arXiv:1802.03888; 2020,
//! doi:10.1038/s42256-019-0138-9). Contributions and base value sum to the margin.
//!
//! Computed in time linear in the nodes of a tree. On the way to a leaf of value v that asks m different features, each
//! with the share `z` of rows that pass all its questions there, and with `o` = 1 where the row passes them and else 0,
//! the contribution of feature i is
//!
//! ```text
//! v (o_i - z_i) ∫₀¹ Π_{j≠i} (z_j (1 - t) + o_j t) dt
//! ```
//! since ∫ t^s (1-t)^(m-1-s) dt is the weight s!(m-1-s)!/m! of a set of s features. The integrand is a polynomial of
//! degree m-1, so ⌈m/2⌉ points of Gauss and Legendre give the integral exactly. The products are taken from the root
//! down and the leaves summed from the bottom up, once for each point (the linear form of Yang 2021, arXiv:2109.09847,
//! with points of another rule). No difference of large numbers is taken.

use crate::additive::{Sum, Symmetric};
use crate::forest::{Forest, Source, Test};
use crate::link::{Link, Width};
use crate::model::Engine;
use crate::{Error, Model, Value};

/// No edge above asks the same feature.
const NONE: u32 = u32::MAX;

/// Most different features on one way from a root to a leaf: twice the most points.
const MOST_FEATURES_OF_A_WAY: usize = 128;

/// Most questions on one way; more are not seen in trees that were trained.
const MOST_DEPTH: u32 = 1024;

/// What each feature adds to the margins of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanations {
    /// The mean margin of each output over the training rows, as the trees have them.
    pub base: Vec<f64>,
    /// Features of the model.
    pub features: usize,
    /// Row after row, of each output after output, of each feature what it adds.
    pub contributions: Vec<f64>,
}

impl Explanations {
    /// The contributions of each row: those of its outputs, one after another.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.contributions.chunks_exact((self.features * self.base.len()).max(1))
    }
}

/// The way into a node.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Edge {
    /// The share of rows that pass this question and those above to the same feature.
    share: f64,
    feature: u32,
    /// The nearest edge above with the same feature, or [`NONE`].
    above: u32,
}

#[derive(Debug, Clone, PartialEq)]
struct Part {
    first: u32,
    end: u32,
    output: u32,
    points: usize,
}

/// Points and weights of Gauss and Legendre on 0 to 1.
#[derive(Debug, Clone, PartialEq, Default)]
struct Rule {
    points: Vec<f64>,
    weights: Vec<f64>,
}

/// A forest made ready to be explained.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Explainer {
    /// By the place of the node that they lead to.
    edges: Vec<Edge>,
    parts: Vec<Part>,
    rules: Vec<Rule>,
    base: Vec<f64>,
    features: usize,
    /// The trees, where they are not those of the model in the form that scores.
    own: Option<Sum>,
}

/// Memory of one tree's walk, used again for the next.
#[derive(Default)]
struct Scratch {
    /// For each node the product at each point; from the bottom up, the sum of its leaves.
    products: Vec<f64>,
    /// Whether the row passes the questions of an edge and of those above it to the same feature.
    passes: Vec<bool>,
}

impl Explainer {
    /// # Errors
    /// A sentence: the number of training rows at the leaves is not known, or is no number.
    pub fn new(sum: &Sum, features: usize) -> Result<Explainer, String> {
        let covers = sum.covers.as_ref().ok_or(
            "the file does not say how many training rows came to each leaf, without which contributions are not defined",
        )?;
        if let Some(cover) = covers.iter().find(|cover| !cover.is_finite() || **cover < 0.0) {
            return Err(format!("a leaf has {cover} training rows"));
        }
        let forest = &sum.forest;
        let unused = Edge { share: 1.0, feature: 0, above: NONE };
        let mut explainer = Explainer {
            edges: vec![unused; forest.nodes()],
            parts: Vec::with_capacity(forest.trees()),
            rules: Vec::new(),
            base: sum.base.clone(),
            features,
            own: None,
        };
        for (tree, &output) in sum.outputs.iter().enumerate() {
            let first = forest.trees[tree].root;
            let end = forest.trees.get(tree + 1).map_or(forest.nodes() as u32, |next| next.root);
            let depth = forest.trees[tree].depth;
            if depth > MOST_DEPTH {
                return Err(format!(
                    "tree {tree} is {depth} questions deep; at most {MOST_DEPTH} are explained"
                ));
            }
            let (most, mean) = explainer.prepare(sum, covers, first as usize..end as usize);
            if most > MOST_FEATURES_OF_A_WAY {
                return Err(format!(
                    "tree {tree} asks {most} different features on one way; at most {MOST_FEATURES_OF_A_WAY} are explained"
                ));
            }
            let points = most.div_ceil(2).max(1).next_power_of_two();
            explainer.base[output as usize] += mean;
            explainer.parts.push(Part { first, end, output, points });
        }
        let most = explainer.parts.iter().map(|part| part.points).max().unwrap_or(1);
        explainer.rules = (0..=most)
            .map(|points| if points.is_power_of_two() { rule(points) } else { Rule::default() })
            .collect();
        Ok(explainer)
    }

    /// The same of symmetric trees, whose root asks their last question.
    pub fn of_symmetric(symmetric: &Symmetric, features: usize) -> Result<Explainer, String> {
        let sum = unfolded(symmetric, features)?;
        Ok(Explainer { own: Some(sum.clone()), ..Explainer::new(&sum, features)? })
    }

    /// Fills in the edges of a tree. Returns the most different features on one way, and the mean of its leaves.
    fn prepare(&mut self, sum: &Sum, covers: &[f64], nodes: std::ops::Range<usize>) -> (usize, f64) {
        let (forest, first) = (&sum.forest, nodes.start);
        let mut rows: Vec<f64> = covers[nodes.clone()].to_vec();
        for at in nodes.clone().rev() {
            if let Some((_, left)) = forest.split(at as u32) {
                rows[at - first] = rows[left as usize - first] + rows[left as usize + 1 - first];
            }
        }
        let mut different = vec![0_usize; nodes.len()];
        let mut reach = vec![1.0; nodes.len()];
        let mut parent = vec![NONE; nodes.len()];
        let (mut most, mut mean) = (0, 0.0);
        for at in nodes {
            let Some((feature, left)) = forest.split(at as u32) else {
                mean += reach[at - first] * sum.values[at];
                continue;
            };
            let above = self.above(at, first, feature, &parent);
            for child in [left, left + 1] {
                let place = child as usize - first;
                let total = rows[at - first];
                // Where no training row came, neither child is more likely.
                let share = if total > 0.0 { rows[place] / total } else { 0.5 };
                parent[place] = at as u32;
                reach[place] = reach[at - first] * share;
                different[place] = different[at - first] + usize::from(above == NONE);
                most = most.max(different[place]);
                let before = if above == NONE { 1.0 } else { self.edges[above as usize].share };
                self.edges[child as usize] = Edge { share: share * before, feature, above };
            }
        }
        (most, mean)
    }

    /// The nearest edge into `at` or above it that asks `feature`.
    fn above(&self, at: usize, first: usize, feature: u32, parent: &[u32]) -> u32 {
        let mut at = at;
        while parent[at - first] != NONE {
            if self.edges[at].feature == feature {
                return at as u32;
            }
            at = parent[at - first] as usize;
        }
        NONE
    }

    /// Adds the contributions of each feature to each output of an encoded row.
    fn row(&self, sum: &Sum, row: &[f64], scratch: &mut Scratch, contributions: &mut [f64]) {
        for part in &self.parts {
            let of_output = &mut contributions[part.output as usize * self.features..][..self.features];
            let rule = &self.rules[part.points];
            match part.points {
                1 => self.tree::<1>(sum, part, rule, row, scratch, of_output),
                2 => self.tree::<2>(sum, part, rule, row, scratch, of_output),
                4 => self.tree::<4>(sum, part, rule, row, scratch, of_output),
                8 => self.tree::<8>(sum, part, rule, row, scratch, of_output),
                16 => self.tree::<16>(sum, part, rule, row, scratch, of_output),
                32 => self.tree::<32>(sum, part, rule, row, scratch, of_output),
                _ => self.tree::<64>(sum, part, rule, row, scratch, of_output),
            }
        }
    }

    fn tree<const K: usize>(
        &self,
        sum: &Sum,
        part: &Part,
        rule: &Rule,
        row: &[f64],
        scratch: &mut Scratch,
        contributions: &mut [f64],
    ) {
        let (Some(points), Some(weights)) = (rule.points.first_chunk::<K>(), rule.weights.first_chunk::<K>())
        else {
            return;
        };
        let (first, end) = (part.first as usize, part.end as usize);
        let edges = &self.edges[first..end];
        let Scratch { products, passes } = scratch;
        products.resize(products.len().max((end - first) * K), 0.0);
        passes.resize(passes.len().max(end - first), false);
        let (products, _) = products[..(end - first) * K].as_chunks_mut::<K>();
        let passes = &mut passes[..end - first];
        products[0] = [1.0; K];
        down(&sum.forest, part, row, edges, points, products, passes);
        // From the bottom up: the sum of the leaves below each node, and what the ways into its children add.
        for at in (0..end - first).rev() {
            let Some((_, left)) = sum.forest.split((first + at) as u32) else {
                let value = sum.values[first + at];
                products[at].iter_mut().for_each(|product| *product *= value);
                continue;
            };
            let left = left as usize - first;
            let mut both = [0.0; K];
            for child in [left, left + 1] {
                let (edge, leaves) = (edges[child], products[child]);
                let mut added = step(edge.share, passes[child], points, weights, &leaves);
                if edge.above != NONE {
                    let above = edge.above as usize - first;
                    added -= step(edges[above].share, passes[above], points, weights, &leaves);
                }
                contributions[edge.feature as usize] += added;
                (0..K).for_each(|point| both[point] += leaves[point]);
            }
            products[at] = both;
        }
    }
}

/// From the root down: whether the row passes the ways into the nodes, and their products.
fn down<const K: usize>(
    forest: &Forest,
    part: &Part,
    row: &[f64],
    edges: &[Edge],
    points: &[f64; K],
    products: &mut [[f64; K]],
    passes: &mut [bool],
) {
    let first = part.first as usize;
    for at in 0..products.len() {
        let Some((_, left)) = forest.split((first + at) as u32) else { continue };
        let taken = forest.step((first + at) as u32, row);
        for child in [left, left + 1] {
            let (place, before) = (child as usize - first, products[at]);
            let edge = edges[place];
            passes[place] = child == taken && (edge.above == NONE || passes[edge.above as usize - first]);
            let mut product = before;
            for point in 0..K {
                product[point] *= factor(edge.share, passes[place], points[point]);
            }
            if edge.above != NONE {
                let above = edge.above as usize - first;
                for point in 0..K {
                    let factor = factor(edges[above].share, passes[above], points[point]);
                    // A factor is zero where nothing comes this way, and then everything below is zero too.
                    product[point] = if factor > 0.0 { product[point] / factor } else { 0.0 };
                }
            }
            products[place] = product;
        }
    }
}

/// `z (1 - t) + o t`
fn factor(share: f64, passes: bool, point: f64) -> f64 {
    share * (1.0 - point) + if passes { point } else { 0.0 }
}

/// The integral of `(o - z)` times the leaves without the feature's own factor.
fn step<const K: usize>(
    share: f64,
    passes: bool,
    points: &[f64; K],
    weights: &[f64; K],
    leaves: &[f64; K],
) -> f64 {
    let mut sum = 0.0;
    for point in 0..K {
        // (o - z) / (z (1 - t) + o t), from which z is gone where o is 0.
        let (above, below) = if passes {
            (1.0 - share, factor(share, true, points[point]))
        } else {
            (-1.0, 1.0 - points[point])
        };
        sum += weights[point] * leaves[point] * above / below;
    }
    sum
}

/// The points of Gauss and Legendre by Newton's method from Tricomi's first guess, moved from -1…1 to 0…1.
fn rule(count: usize) -> Rule {
    let mut rule = Rule::default();
    let n = count as f64;
    for index in 0..count {
        let mut x = (std::f64::consts::PI * (index as f64 + 0.75) / (n + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut last, mut value) = (1.0, x);
            for degree in 2..=count {
                let degree = degree as f64;
                (last, value) = (value, ((2.0 * degree - 1.0) * x * value - (degree - 1.0) * last) / degree);
            }
            slope = n * (x * value - last) / (x * x - 1.0);
            let change = value / slope;
            x -= change;
            if change.abs() < 1e-16 {
                break;
            }
        }
        rule.points.push((1.0 - x) / 2.0);
        rule.weights.push(1.0 / ((1.0 - x * x) * slope * slope));
    }
    rule
}

/// Symmetric trees as others are, one for each output.
fn unfolded(symmetric: &Symmetric, features: usize) -> Result<Sum, String> {
    let outputs = symmetric.bias.len();
    let mut sum = Sum {
        forest: Forest::default(),
        values: Vec::new(),
        outputs: Vec::new(),
        base: symmetric.bias.clone(),
        width: Width::Double,
        covers: symmetric.leaf_rows.as_ref().map(|_| Vec::new()),
    };
    for tree in &symmetric.trees {
        let depth = tree.splits.len();
        let splits = (1_usize << depth) - 1;
        let source: Vec<Source> = (0..splits)
            .map(|node| {
                let level = (node + 1).ilog2() as usize;
                let split = tree.splits[depth - 1 - level];
                Source::Split {
                    feature: split.feature,
                    test: Test::AtMost(split.border),
                    missing_left: !split.missing,
                    left: 2 * node + 1,
                    right: 2 * node + 2,
                }
            })
            .chain((0..=splits).map(|_| Source::Leaf))
            .collect();
        for output in 0..outputs {
            let leaves = sum.forest.push(&source, 0, features)?;
            sum.values.resize(sum.forest.nodes(), 0.0);
            for (node, place) in leaves {
                let leaf = tree.first + (node - splits) * outputs;
                sum.values[place as usize] = symmetric.scale * symmetric.leaf_values[leaf + output];
                if let (Some(covers), Some(rows)) = (&mut sum.covers, &symmetric.leaf_rows) {
                    covers.resize(sum.forest.nodes(), 0.0);
                    covers[place as usize] = rows[leaf / outputs];
                }
            }
            sum.outputs.push(output as u32);
        }
    }
    Ok(sum)
}

/// The contributions to encoded rows, which lie one after another.
pub(crate) fn rows(explainer: &Explainer, sum: &Sum, rows: &[f64]) -> Explanations {
    let sum = explainer.own.as_ref().unwrap_or(sum);
    let (features, outputs) = (explainer.features, explainer.base.len());
    let mut contributions = vec![0.0; rows.len() / features * features * outputs];
    let mut scratch = Scratch::default();
    for (row, contributions) in
        rows.chunks_exact(features).zip(contributions.chunks_exact_mut(features * outputs))
    {
        explainer.row(sum, row, &mut scratch, contributions);
    }
    Explanations { base: explainer.base.clone(), features, contributions }
}

impl Model {
    /// What each feature adds to the margins of rows, whose values lie as in [`Model::predict`]. The base values and the
    /// contributions of a row sum to its margins; where the library adds in 32 bits, but for its rounding.
    ///
    /// # Errors
    /// [`Error::Unexplained`] with the reason: an ONNX graph, or a file without the rows of its leaves. Else as
    /// [`Model::predict`].
    ///
    /// # Panics
    /// Where the number of values is no multiple of the number of features.
    pub fn explain(&self, values: &[Value]) -> Result<Explanations, Error> {
        assert_eq!(values.len() % self.inputs.len(), 0, "rows are as wide as the model");
        let explainer = self.explainer()?;
        let nothing;
        let (sum, width, finite) = match &self.engine {
            Engine::Sum(sum, _) => (sum, sum.width, self.refuses_infinity()),
            _ => {
                nothing = Sum::default();
                (&nothing, Width::Single, false)
            }
        };
        let (encoded, _) = self.encode(values, width, finite)?;
        Ok(rows(explainer, sum, &encoded))
    }

    /// Whether rows can be explained; it is looked at once.
    ///
    /// # Errors
    /// As [`Model::explain`].
    pub fn check_explained(&self) -> Result<(), Error> {
        self.explainer().map(|_| ())
    }

    /// What margins are: `log_odds`, `log` of the value, `value`, or `margin` where they have no other name.
    pub fn margin_scale(&self) -> &'static str {
        match &self.engine {
            Engine::Sum(_, objective) | Engine::Symmetric(_, objective) => match objective.link {
                _ if objective.divisor != 1.0 => "margin",
                Link::Sigmoid(1.0) => "log_odds",
                Link::Exp => "log",
                Link::Identity => "value",
                _ => "margin",
            },
            Engine::Graph(_) => "margin",
        }
    }

    fn explainer(&self) -> Result<&Explainer, Error> {
        let made = self.explainer.get_or_init(|| match &self.engine {
            Engine::Sum(sum, _) => Explainer::new(sum, self.inputs.len()),
            Engine::Symmetric(symmetric, _) => Explainer::of_symmetric(symmetric, self.inputs.len()),
            Engine::Graph(_) => Err("its nodes have no numbers of training rows that can be relied on \
                                     (the hit rates of ONNX files are all 1)"
                .to_owned()),
        });
        let unexplained =
            |reason: &String| Error::Unexplained { format: self.format, reason: reason.clone() };
        made.as_ref().map_err(unexplained)
    }
}

#[cfg(test)]
mod tests;
