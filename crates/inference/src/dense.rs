//! Trees for many rows at once. Each value becomes the number of thresholds below it, and each tree a full one in the order
//! of its levels, so that a step is one comparison of 16-bit numbers without anything to look up.

use crate::forest::{FEATURE, Forest, MISSING_RIGHT, Tree};

/// Rows that walk through a tree side by side.
pub(crate) const ROWS: usize = 64;

/// Rows whose place in a tree is in registers.
const AT_ONCE: usize = 4;

/// Levels of a tree that is filled up to a full one.
const MAX_DEPTH: u32 = 10;

/// Nodes of all trees, filled up.
const MAX_NODES: usize = 1 << 24;

/// Thresholds of one feature: the number of a value, and that of a missing one, have 16 bits.
const MAX_THRESHOLDS: usize = (1 << 16) - 2;

/// Features with two columns each, whose numbers have 16 bits.
const MAX_FEATURES: usize = 1 << 15;

/// What is above all numbers of thresholds.
const MISSING_ABOVE: u16 = u16::MAX;

/// The trees of a forest that compare numbers only and are not too deep.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dense {
    /// Of each feature, in order, without repetition.
    thresholds: Vec<Vec<f64>>,
    /// Of each tree of the forest: its depth, and where its nodes begin. None of those that are not here.
    trees: Vec<Option<(u32, usize)>>,
    /// The root of a tree is its second node, and the children of node n are nodes 2n and 2n + 1. The upper half is the
    /// column of a [`Block`], the lower one the threshold's number.
    nodes: Vec<u32>,
    /// For each node's place below the last level: the leaf's place in the forest.
    leaves: Vec<u32>,
}

/// The values of a block of rows as numbers of thresholds below them, one more each. A feature has two columns: a missing
/// value is 0 in the first, where it goes left, and above all in the second, where it goes right.
#[derive(Debug, Default)]
pub(crate) struct Block(Vec<[u16; ROWS]>);

impl Dense {
    /// `None` where no tree is such a tree, or there are too many thresholds.
    pub fn of(forest: &Forest, features: usize) -> Option<Dense> {
        let is_dense = |tree: &Tree| tree.depth <= MAX_DEPTH && !forest.has_tests(tree);
        let mut thresholds = vec![Vec::new(); features];
        for tree in forest.trees.iter().filter(|tree| is_dense(tree)) {
            for node in forest.splits(tree) {
                thresholds[(node.feature & FEATURE) as usize].push(node.threshold);
            }
        }
        for of_feature in &mut thresholds {
            of_feature.sort_unstable_by(f64::total_cmp);
            of_feature.dedup();
        }
        let has_place = thresholds.iter().all(|of_feature| of_feature.len() <= MAX_THRESHOLDS);
        if features > MAX_FEATURES || !has_place || !forest.trees.iter().any(is_dense) {
            return None;
        }
        let mut dense = Dense { thresholds, trees: Vec::new(), nodes: Vec::new(), leaves: Vec::new() };
        for tree in &forest.trees {
            let placed = is_dense(tree).then(|| dense.push(forest, tree));
            dense.trees.push(placed);
            if dense.nodes.len() > MAX_NODES {
                return None;
            }
        }
        Some(dense)
    }

    fn push(&mut self, forest: &Forest, tree: &Tree) -> (u32, usize) {
        let first = self.nodes.len();
        let full = 1 << tree.depth;
        self.nodes.resize(first + full, 0);
        self.leaves.resize(first + full, 0);
        let mut waiting = vec![(tree.root, 1, tree.depth)];
        while let Some((at, place, levels)) = waiting.pop() {
            let node = forest.nodes[at as usize];
            if node.left == at {
                let leaves = (place << levels) - full;
                self.leaves[first + leaves..][..1 << levels].fill(at);
                continue;
            }
            let feature = node.feature & FEATURE;
            let column = 2 * feature + u32::from(node.feature & MISSING_RIGHT != 0);
            let number = below(&self.thresholds[feature as usize], node.threshold) + 1;
            self.nodes[first + place] = column << 16 | u32::from(number);
            waiting.extend([(node.left, 2 * place, levels - 1), (node.left + 1, 2 * place + 1, levels - 1)]);
        }
        (tree.depth, first)
    }

    /// At most [`ROWS`] rows, `width` numbers each, one after another.
    pub fn fill(&self, block: &mut Block, rows: &[f64], width: usize) {
        block.0.resize(2 * width, [0; ROWS]);
        for (feature, (columns, thresholds)) in block.0.chunks_exact_mut(2).zip(&self.thresholds).enumerate()
        {
            let [left, right] = columns else { continue };
            for (row, values) in rows.chunks_exact(width).enumerate() {
                let value = values[feature];
                (left[row], right[row]) = if value.is_nan() {
                    (0, MISSING_ABOVE)
                } else {
                    let number = below(thresholds, value) + 1;
                    (number, number)
                };
            }
        }
    }

    /// The leaf of each row of a block in one tree, by its place in the forest; false for a tree that is not here.
    pub fn leaves_of_tree(&self, tree: usize, block: &Block, leaves: &mut [u32; ROWS]) -> bool {
        let Some((depth, first)) = self.trees[tree] else { return false };
        let (nodes, of_tree) = (&self.nodes[first..], &self.leaves[first..]);
        match depth {
            0 => leaves.fill(of_tree[0]),
            1 => walk::<1, 2>(nodes, of_tree, block, leaves),
            2 => walk::<2, 4>(nodes, of_tree, block, leaves),
            3 => walk::<3, 8>(nodes, of_tree, block, leaves),
            4 => walk::<4, 16>(nodes, of_tree, block, leaves),
            5 => walk::<5, 32>(nodes, of_tree, block, leaves),
            6 => walk::<6, 64>(nodes, of_tree, block, leaves),
            7 => walk::<7, 128>(nodes, of_tree, block, leaves),
            8 => walk::<8, 256>(nodes, of_tree, block, leaves),
            9 => walk::<9, 512>(nodes, of_tree, block, leaves),
            _ => walk::<10, 1024>(nodes, of_tree, block, leaves),
        }
        true
    }
}

/// How many of the thresholds are below a value.
fn below(thresholds: &[f64], value: f64) -> u16 {
    thresholds.partition_point(|threshold| *threshold < value) as u16
}

/// `FULL` is two to the power of `DEPTH`; both are known to the compiler, so that no place is checked.
fn walk<const DEPTH: usize, const FULL: usize>(
    nodes: &[u32],
    of_tree: &[u32],
    block: &Block,
    leaves: &mut [u32; ROWS],
) {
    let (Some(nodes), Some(of_tree)) = (nodes.first_chunk::<FULL>(), of_tree.first_chunk::<FULL>()) else {
        return;
    };
    for first in (0..ROWS).step_by(AT_ONCE) {
        let mut places = [1; AT_ONCE];
        for _ in 0..DEPTH {
            for (row, place) in places.iter_mut().enumerate() {
                let node = nodes[*place % FULL];
                let value = block.0[(node >> 16) as usize][(first + row) % ROWS];
                *place = 2 * *place + usize::from(value > node as u16);
            }
        }
        for (row, place) in places.into_iter().enumerate() {
            leaves[(first + row) % ROWS] = of_tree[place % FULL];
        }
    }
}
