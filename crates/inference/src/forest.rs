//! Decision trees as one flat array, and the walk from a row to its leaves.
//!
//! A walk has no branch that depends on the row where a tree compares numbers only: a leaf leads to itself, so all rows
//! of a block take as many steps as the tree is deep, and the processor works on several at once.

use std::sync::OnceLock;

use crate::dense::{self, Block, Dense};

/// From so many rows on, all rows walk through one tree before the next.
const BLOCK_FROM_ROWS: usize = 4;

/// From so many rows on it is worth to make a second form of the trees.
const DENSE_FROM_ROWS: usize = 256;

/// Rows that one thread works on at a time.
pub(crate) const ROWS_OF_A_THREAD: usize = 4096;

/// Trees that a single row walks through side by side.
const SIDE_BY_SIDE: usize = 8;

/// Bits of [`Node::feature`] beside the number of the feature.
pub(crate) const MISSING_RIGHT: u32 = 1 << 31;
const HAS_TEST: u32 = 1 << 30;
pub(crate) const FEATURE: u32 = HAS_TEST - 1;

/// Below this magnitude LightGBM takes a number for zero (`kZeroThreshold`, a 32-bit constant).
const LIGHTGBM_ZERO: f64 = 1e-35_f32 as f64;

/// From here on XGBoost takes no number for the code of a category.
const XGBOOST_MAX_CODE: f64 = 16_777_216.0;

/// A node as a reader of files gives it; children are places in the same list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// The end of a walk.
    Leaf,
    /// A question to one feature.
    Split { feature: u32, test: Test, missing_left: bool, left: usize, right: usize },
}

/// When a present value goes left.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// The value is at most the threshold.
    AtMost(f64),
    /// The value is below the threshold.
    Below(f64),
    /// The value is the threshold.
    Equal(f64),
    /// As `AtMost`, where a value near zero counts as missing (LightGBM's missing type Zero).
    AtMostOrZero(f64),
    /// The value, cut to an integer, is one of these (LightGBM).
    OneOf(CodeSet),
    /// The value, cut to an integer, is none of these (XGBoost).
    NoneOf(CodeSet),
}

/// Codes of categories, a bit each.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct CodeSet(pub Vec<u32>);

impl CodeSet {
    fn contains(&self, code: f64) -> bool {
        let code = code as usize;
        self.0.get(code / 32).is_some_and(|word| word >> (code % 32) & 1 == 1)
    }

    /// Adds a code. The caller bounds it: a code takes its eighth in bytes.
    pub fn insert(&mut self, code: u32) {
        let word = code as usize / 32;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (code % 32);
    }
}

/// A node: left unless the value is above the threshold. 16 bytes, so that four share a cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    /// The threshold; where there is a test, its number.
    pub threshold: f64,
    /// The feature with the bits above.
    pub feature: u32,
    /// The left child; the right one follows it. A leaf's is the leaf.
    pub left: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tree {
    pub root: u32,
    pub depth: u32,
}

/// Trees over rows of numbers, NaN being missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Forest {
    pub(crate) nodes: Vec<Node>,
    tests: Vec<Test>,
    pub(crate) trees: Vec<Tree>,
    /// Made when many rows are scored for the first time.
    dense: OnceLock<Option<Dense>>,
}

impl Forest {
    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Number of nodes of all trees.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a tree over `features` features. Returns each leaf's place in `source` and in the forest.
    ///
    /// # Errors
    /// A sentence about the first child, feature or threshold that cannot be.
    pub fn push(
        &mut self,
        source: &[Source],
        root: usize,
        features: usize,
    ) -> Result<Vec<(usize, u32)>, String> {
        if root >= source.len() {
            return Err(format!("the tree starts at node {root} of {}", source.len()));
        }
        let mut seen = vec![false; source.len()];
        let mut leaves = Vec::new();
        let start = self.place(1)?;
        // Level by level, so that the nodes every row passes lie together.
        let mut level = vec![(root, start)];
        let mut depth = 0;
        while !level.is_empty() {
            let mut next = Vec::new();
            for (from, to) in level {
                if std::mem::replace(&mut seen[from], true) {
                    return Err(format!("node {from} is the child of two nodes"));
                }
                match &source[from] {
                    Source::Leaf => {
                        self.nodes[to as usize] = Node { threshold: f64::INFINITY, feature: 0, left: to };
                        leaves.push((from, to));
                    }
                    Source::Split { feature, test, missing_left, left, right } => {
                        if *feature as usize >= features {
                            return Err(format!("node {from} asks feature {feature} of {features}"));
                        }
                        if let Some(child) = [left, right].into_iter().find(|&&child| child >= source.len()) {
                            return Err(format!("node {from} has the child {child} of {}", source.len()));
                        }
                        let place = self.place(2)?;
                        let (threshold, has_test) = self.threshold(from, test)?;
                        let missing = if *missing_left { 0 } else { MISSING_RIGHT };
                        let feature = *feature | missing | has_test;
                        self.nodes[to as usize] = Node { threshold, feature, left: place };
                        next.extend([(*left, place), (*right, place + 1)]);
                    }
                }
            }
            depth += u32::from(!next.is_empty());
            level = next;
        }
        self.trees.push(Tree { root: start, depth });
        Ok(leaves)
    }

    /// Room for new nodes.
    fn place(&mut self, count: usize) -> Result<u32, String> {
        let place = u32::try_from(self.nodes.len()).map_err(|_| "it has more than 2^32 nodes".to_owned())?;
        let leaf = Node { threshold: f64::INFINITY, feature: 0, left: place };
        self.nodes.resize(self.nodes.len() + count, leaf);
        Ok(place)
    }

    /// What a node compares with, and the bit that says how.
    fn threshold(&mut self, node: usize, test: &Test) -> Result<(f64, u32), String> {
        match *test {
            Test::AtMost(threshold) | Test::Below(threshold) | Test::AtMostOrZero(threshold)
                if threshold.is_nan() =>
            {
                Err(format!("node {node} has the threshold NaN"))
            }
            Test::AtMost(threshold) => Ok((threshold, 0)),
            // The largest double below the threshold: no double is between the two.
            Test::Below(threshold) if threshold > f64::NEG_INFINITY => Ok((threshold.next_down(), 0)),
            _ => {
                let number =
                    u32::try_from(self.tests.len()).map_err(|_| "it has too many tests".to_owned())?;
                self.tests.push(test.clone());
                Ok((f64::from(number), HAS_TEST))
            }
        }
    }

    /// The feature that a node asks, and its left child; nothing of a leaf.
    pub fn split(&self, at: u32) -> Option<(u32, u32)> {
        let node = &self.nodes[at as usize];
        (node.left != at).then_some((node.feature & FEATURE, node.left))
    }

    /// The child to which a row goes.
    pub fn step(&self, at: u32, row: &[f64]) -> u32 {
        let node = &self.nodes[at as usize];
        let value = row[(node.feature & FEATURE) as usize];
        let missing_right = node.feature & MISSING_RIGHT != 0;
        if node.feature & HAS_TEST != 0 {
            let right = self.goes_right(&self.tests[node.threshold as usize], value, missing_right);
            return node.left + u32::from(right);
        }
        // Without short circuits: a jump that half of the rows take costs more than all of this.
        node.left + u32::from((value > node.threshold) | (value.is_nan() & missing_right))
    }

    fn goes_right(&self, test: &Test, value: f64, missing_right: bool) -> bool {
        match test {
            _ if value.is_nan() => missing_right,
            Test::AtMost(threshold) => value > *threshold,
            Test::Below(threshold) => value >= *threshold,
            Test::Equal(threshold) => value != *threshold,
            Test::AtMostOrZero(_) if value.abs() <= LIGHTGBM_ZERO => missing_right,
            Test::AtMostOrZero(threshold) => value > *threshold,
            Test::OneOf(codes) => value <= -1.0 || !codes.contains(value.trunc()),
            Test::NoneOf(codes) => (0.0..XGBOOST_MAX_CODE).contains(&value) && codes.contains(value.trunc()),
        }
    }

    /// The nodes of a tree that ask something.
    pub(crate) fn splits(&self, tree: &Tree) -> impl Iterator<Item = &Node> {
        let mut waiting = vec![tree.root];
        std::iter::from_fn(move || {
            loop {
                let at = waiting.pop()?;
                let node = &self.nodes[at as usize];
                if node.left != at {
                    waiting.extend([node.left, node.left + 1]);
                    return Some(node);
                }
            }
        })
    }

    pub(crate) fn has_tests(&self, tree: &Tree) -> bool {
        !self.tests.is_empty() && self.splits(tree).any(|node| node.feature & HAS_TEST != 0)
    }

    /// The leaves of rows, which lie one after another, `width` numbers each. `each` is given the number of the first of
    /// some rows, a tree and the leaf of each of these rows in it; for each row the trees come in their order.
    pub fn leaves(&self, rows: &[f64], width: usize, mut each: impl FnMut(usize, usize, &[u32])) {
        let count = rows.len() / width;
        if count < BLOCK_FROM_ROWS {
            return self.leaves_row_by_row(rows, width, each);
        }
        let dense = if count < DENSE_FROM_ROWS {
            None
        } else {
            self.dense.get_or_init(|| Dense::of(self, width)).as_ref()
        };
        let (mut block, mut leaves) = (Block::default(), [0; dense::ROWS]);
        for (number, rows) in rows.chunks(dense::ROWS * width).enumerate() {
            if let Some(dense) = dense {
                dense.fill(&mut block, rows, width);
            }
            for tree in 0..self.trees.len() {
                if !dense.is_some_and(|dense| dense.leaves_of_tree(tree, &block, &mut leaves)) {
                    self.leaves_of_tree(tree, rows, width, &mut leaves[..rows.len() / width]);
                }
                each(number * dense::ROWS, tree, &leaves[..rows.len() / width]);
            }
        }
    }

    fn leaves_row_by_row(&self, rows: &[f64], width: usize, mut each: impl FnMut(usize, usize, &[u32])) {
        let mut leaves = vec![0; self.trees.len()];
        for (number, row) in rows.chunks_exact(width).enumerate() {
            self.leaves_of_row(row, &mut leaves);
            leaves.iter().enumerate().for_each(|(tree, leaf)| each(number, tree, &[*leaf]));
        }
    }

    fn leaves_of_row(&self, row: &[f64], leaves: &mut [u32]) {
        for (trees, leaves) in self.trees.chunks(SIDE_BY_SIDE).zip(leaves.chunks_mut(SIDE_BY_SIDE)) {
            for (leaf, tree) in leaves.iter_mut().zip(trees) {
                *leaf = tree.root;
            }
            let depth = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
            for _ in 0..depth {
                for leaf in leaves.iter_mut() {
                    *leaf = self.step(*leaf, row);
                }
            }
        }
    }

    fn leaves_of_tree(&self, tree: usize, rows: &[f64], width: usize, leaves: &mut [u32]) {
        let Tree { root, depth } = self.trees[tree];
        leaves.fill(root);
        for _ in 0..depth {
            for (leaf, row) in leaves.iter_mut().zip(rows.chunks_exact(width)) {
                *leaf = self.step(*leaf, row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(test: Test, missing_left: bool) -> Vec<Source> {
        vec![Source::Split { feature: 0, test, missing_left, left: 1, right: 2 }, Source::Leaf, Source::Leaf]
    }

    /// The leaf of each row in each tree, row by row.
    fn all_leaves(forest: &Forest, rows: &[f64], width: usize) -> Vec<u32> {
        let mut all = vec![u32::MAX; rows.len() / width * forest.trees()];
        forest.leaves(rows, width, |first, tree, leaves| {
            for (row, leaf) in leaves.iter().enumerate() {
                all[(first + row) * forest.trees() + tree] = *leaf;
            }
        });
        all
    }

    /// Whether a value goes left.
    fn left(test: &Test, missing_left: bool, value: f64) -> bool {
        let mut forest = Forest::default();
        forest.push(&split(test.clone(), missing_left), 0, 1).unwrap();
        let one = all_leaves(&forest, &[value], 1)[0];
        for rows in [BLOCK_FROM_ROWS, DENSE_FROM_ROWS, DENSE_FROM_ROWS + 1] {
            assert_eq!(all_leaves(&forest, &vec![value; rows], 1), vec![one; rows]);
        }
        one == 1
    }

    #[test]
    fn values_go_where_their_library_sends_them() {
        let codes = |codes: &[u32]| {
            let mut set = CodeSet::default();
            codes.iter().for_each(|&code| set.insert(code));
            set
        };
        let inf = f64::INFINITY;
        let cases = [
            (Test::AtMost(1.0), vec![1.0, 0.5, -inf], vec![1.0_f64.next_up(), inf]),
            (Test::AtMost(inf), vec![1.0, inf], vec![]),
            (Test::Below(1.0), vec![1.0_f64.next_down(), -inf], vec![1.0, inf]),
            (Test::Below(0.0), vec![-1e-300], vec![0.0, -0.0]),
            (Test::Below(-inf), vec![], vec![-inf, 0.0]),
            (Test::Equal(2.0), vec![2.0], vec![1.0, inf]),
            (Test::AtMostOrZero(5.0), vec![5.0, 1e-34], vec![6.0]),
            (Test::OneOf(codes(&[0, 40])), vec![0.0, -0.5, 40.9], vec![1.0, -1.0, 41.0, 1e18, inf, -inf]),
            (Test::NoneOf(codes(&[0, 40])), vec![1.0, -0.5, -1.0, 41.0, 1e18, inf, -inf], vec![0.0, 40.9]),
        ];
        for (test, lefts, rights) in cases {
            for missing_left in [true, false] {
                assert_eq!(left(&test, missing_left, f64::NAN), missing_left, "{test:?}");
                for &value in &lefts {
                    assert!(left(&test, missing_left, value), "{test:?} {value}");
                }
                for &value in &rights {
                    assert!(!left(&test, missing_left, value), "{test:?} {value}");
                }
            }
        }
        for value in [0.0, -0.0, 1e-35, -1e-36] {
            assert!(!left(&Test::AtMostOrZero(5.0), false, value));
            assert!(left(&Test::AtMostOrZero(-5.0), true, value));
        }
    }

    #[test]
    fn trees_of_any_shape_end() {
        let mut forest = Forest::default();
        assert_eq!(forest.push(&[Source::Leaf], 0, 1), Ok(vec![(0, 0)]));
        // A chain: right until a value is at most i.
        let chain = |i: usize| Source::Split {
            feature: 0,
            test: Test::AtMost(i as f64),
            missing_left: false,
            left: 1000 + i,
            right: if i == 998 { 999 } else { i + 1 },
        };
        let source: Vec<Source> = (0..2000).map(|i| if i < 999 { chain(i) } else { Source::Leaf }).collect();
        let leaves = forest.push(&source, 0, 1).unwrap();
        let found = all_leaves(&forest, &[500.5], 1);
        assert!(all_leaves(&forest, &[500.5; DENSE_FROM_ROWS], 1).chunks(2).all(|leaves| leaves == found));
        assert!(leaves.contains(&(1501, found[1])));
        assert_eq!(found[0], 0);
    }

    /// The leaf by asking one node after another.
    fn naive(source: &[Source], row: &[f64]) -> usize {
        let mut at = 0;
        while let Source::Split { feature, test, missing_left, left, right } = &source[at] {
            let value = row[*feature as usize];
            let goes_left = match test {
                _ if value.is_nan() => *missing_left,
                Test::AtMost(threshold) => value <= *threshold,
                Test::Below(threshold) => value < *threshold,
                Test::Equal(threshold) => value == *threshold,
                Test::AtMostOrZero(threshold) if value != 0.0 => value <= *threshold,
                Test::AtMostOrZero(_) => *missing_left,
                Test::OneOf(codes) => value >= 0.0 && codes.contains(value),
                Test::NoneOf(codes) => value < 0.0 || !codes.contains(value),
            };
            at = if goes_left { *left } else { *right };
        }
        at
    }

    /// A tree whose nodes are split while there are numbers for it: a feature, a kind of test, a threshold.
    fn tree(numbers: &[(u32, u8, i8, bool)]) -> Vec<Source> {
        let mut source = vec![Source::Leaf];
        for &(pick, kind, threshold, missing_left) in numbers {
            let leaves: Vec<usize> = (0..source.len()).filter(|&node| source[node] == Source::Leaf).collect();
            let number = f64::from(threshold) / 2.0;
            let mut codes = CodeSet::default();
            codes.insert(u32::from(threshold.unsigned_abs()) % 4);
            let test = match kind % 6 {
                0 => Test::AtMost(number),
                1 => Test::Below(number),
                2 => Test::Equal(number),
                3 => Test::AtMostOrZero(number),
                4 => Test::OneOf(codes),
                _ => Test::NoneOf(codes),
            };
            let (left, right) = (source.len(), source.len() + 1);
            source[leaves[pick as usize % leaves.len()]] =
                Source::Split { feature: pick % 3, test, missing_left, left, right };
            source.extend([Source::Leaf, Source::Leaf]);
        }
        source
    }

    proptest::proptest! {
        #[test]
        fn all_walks_end_in_the_same_leaf(
            trees in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<(u32, u8, i8, bool)>(), 0..12), 1..20),
            values in proptest::collection::vec(-4_i8..5, 3 * 40),
        ) {
            let rows: Vec<f64> =
                values.iter().map(|&value| if value == 4 { f64::NAN } else { f64::from(value) / 2.0 }).collect();
            let rows: Vec<f64> = rows.iter().map(|value| if *value < 0.0 { value.trunc() } else { *value }).collect();
            let mut forest = Forest::default();
            let sources: Vec<Vec<Source>> = trees.iter().map(|numbers| tree(numbers)).collect();
            let places: Vec<Vec<(usize, u32)>> =
                sources.iter().map(|source| forest.push(source, 0, 3).unwrap()).collect();
            // Enough rows for every way to walk.
            let many = rows.repeat(DENSE_FROM_ROWS.div_ceil(rows.len() / 3));
            let all = all_leaves(&forest, &many, 3);
            for (row, leaves) in many.chunks_exact(3).zip(all.chunks(sources.len())) {
                for ((source, places), leaf) in sources.iter().zip(&places).zip(leaves) {
                    proptest::prop_assert!(places.contains(&(naive(source, row), *leaf)));
                }
            }
            let of_block = all_leaves(&forest, &rows, 3);
            proptest::prop_assert_eq!(&all[..of_block.len()], &of_block[..]);
            for (row, leaves) in rows.chunks_exact(3).zip(of_block.chunks(sources.len())) {
                proptest::prop_assert_eq!(all_leaves(&forest, row, 3), leaves);
            }
        }
    }

    #[test]
    fn refuses_what_is_no_tree() {
        let with = |feature, left, right, test| {
            let split = Source::Split { feature, test, missing_left: false, left, right };
            Forest::default().push(&[split, Source::Leaf, Source::Leaf], 0, 1).unwrap_err()
        };
        assert_eq!(with(1, 1, 2, Test::AtMost(0.0)), "node 0 asks feature 1 of 1");
        assert_eq!(with(0, 1, 3, Test::AtMost(0.0)), "node 0 has the child 3 of 3");
        assert_eq!(with(0, 1, 0, Test::AtMost(0.0)), "node 0 is the child of two nodes");
        assert_eq!(with(0, 1, 1, Test::AtMost(0.0)), "node 1 is the child of two nodes");
        assert_eq!(with(0, 1, 2, Test::Below(f64::NAN)), "node 0 has the threshold NaN");
        let empty = Forest::default().push(&[], 0, 1).unwrap_err();
        assert_eq!(empty, "the tree starts at node 0 of 0");
    }
}
