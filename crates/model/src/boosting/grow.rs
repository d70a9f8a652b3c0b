//! Grows one tree: every node is split where the loss falls most, down to the depth that is asked for.

use super::bins::{BinnedRows, MISSING_BIN};
use super::gradients::Gradients;
use super::histogram::{Histogram, Sums, total};
use super::{Direction, TreeSettings};
use crate::ensemble::Node;

/// From so many rows on, the two sides of a node are grown by two threads.
const PARALLEL_ROWS: usize = 1 << 12;
/// Rows that one thread parts.
const ROWS_AT_ONCE: usize = 1 << 16;

/// What a tree grows from.
pub(crate) struct Growth<'a> {
    pub bins: &'a BinnedRows,
    pub gradients: &'a Gradients,
    pub tree: TreeSettings,
    /// Of each column of the bins; empty where no column has one.
    pub monotone: &'a [Option<Direction>],
}

/// A tree, or a part of one.
pub(crate) enum Grown {
    /// What it adds to the score of its rows, which are so many.
    Leaf(f64, usize),
    Split(Box<Split>, Box<[Grown; 2]>),
}

/// Where a node is split.
pub(crate) struct Split {
    /// Place among the columns of the bins.
    place: usize,
    /// The last bin that goes left.
    last_left: u8,
    threshold: f64,
    missing_left: bool,
    /// By how much the loss falls.
    gain: f64,
    sums: [Sums; 2],
}

/// Values that the leaves under a node may have before the learning rate.
#[derive(Clone, Copy)]
struct Bounds {
    least: f64,
    most: f64,
}

/// Rows under a node, with room of the same length to part them.
struct Rows<'a> {
    rows: &'a mut [u32],
    room: &'a mut [u32],
}

impl Growth<'_> {
    /// Grows a tree over `rows`, which it puts into the order of the leaves; `room` is as long.
    pub fn grow(&self, rows: &mut [u32], room: &mut [u32]) -> Grown {
        let sums = total(rows, &self.gradients.rows);
        let histogram = Histogram::of(self.bins, rows, &self.gradients.rows);
        let bounds = Bounds { least: f64::NEG_INFINITY, most: f64::INFINITY };
        self.node(Rows { rows, room }, histogram, sums, bounds, self.tree.max_depth)
    }

    fn node(&self, rows: Rows, histogram: Histogram, sums: Sums, bounds: Bounds, depth: usize) -> Grown {
        let Some(split) = self.best_split(&histogram, sums, bounds) else {
            return self.leaf(sums, bounds, rows.rows.len());
        };
        let left = part(rows.rows, rows.room, &|row| split.goes_left(self.bins.bin(row, split.place)));
        let (left_rows, right_rows) = rows.rows.split_at_mut(left);
        let (left_room, right_room) = rows.room.split_at_mut(left);
        let sides = [Rows { rows: left_rows, room: left_room }, Rows { rows: right_rows, room: right_room }];
        let bounds = self.bounds_of(&split, bounds);
        let children = if depth == 1 {
            let leaf = |side: usize| self.leaf(split.sums[side], bounds[side], sides[side].rows.len());
            [leaf(0), leaf(1)]
        } else {
            self.children(sides, histogram, split.sums, bounds, depth - 1)
        };
        Grown::Split(Box::new(split), Box::new(children))
    }

    /// The rows of the smaller side are added up; those of the other are what is left of the node's.
    fn children(
        &self,
        sides: [Rows; 2],
        mut histogram: Histogram,
        sums: [Sums; 2],
        bounds: [Bounds; 2],
        depth: usize,
    ) -> [Grown; 2] {
        let small = usize::from(sides[1].rows.len() < sides[0].rows.len());
        let of_small = Histogram::of(self.bins, sides[small].rows, &self.gradients.rows);
        histogram.subtract(self.bins, &of_small);
        let [left_histogram, right_histogram] =
            if small == 0 { [of_small, histogram] } else { [histogram, of_small] };
        let is_parallel = sides[0].rows.len() + sides[1].rows.len() >= PARALLEL_ROWS;
        let [left_rows, right_rows] = sides;
        let left = || self.node(left_rows, left_histogram, sums[0], bounds[0], depth);
        let right = || self.node(right_rows, right_histogram, sums[1], bounds[1], depth);
        let (left, right) = if is_parallel { rayon::join(left, right) } else { (left(), right()) };
        [left, right]
    }

    fn leaf(&self, sums: Sums, bounds: Bounds, rows: usize) -> Grown {
        Grown::Leaf(self.tree.learning_rate * self.value(sums, bounds), rows)
    }

    fn real(&self, units: i64) -> f64 {
        units as f64 * self.gradients.unit
    }

    /// The value at which the loss of rows is least, to second order.
    fn value(&self, sums: Sums, bounds: Bounds) -> f64 {
        let best = -self.real(sums.gradient) / (self.real(sums.hessian) + self.tree.l2);
        best.clamp(bounds.least, bounds.most)
    }

    /// Twice by how much the loss of rows falls with the best value within bounds.
    fn fall(&self, sums: Sums, bounds: Bounds) -> f64 {
        let (gradient, hessian) = (self.real(sums.gradient), self.real(sums.hessian) + self.tree.l2);
        if self.monotone.is_empty() {
            return gradient * gradient / hessian;
        }
        let value = self.value(sums, bounds);
        -(2.0 * gradient + hessian * value) * value
    }

    fn best_split(&self, histogram: &Histogram, sums: Sums, bounds: Bounds) -> Option<Split> {
        let unsplit = self.fall(sums, bounds);
        let mut best: Option<Split> = None;
        for (place, column) in self.bins.columns.iter().enumerate() {
            let direction = self.monotone.get(place).copied().flatten();
            let mut try_split = |sums: [Sums; 2], last_left: usize, missing_left: bool| {
                if sums.iter().any(|sums| self.real(sums.hessian) < self.tree.min_leaf_weight) {
                    return;
                }
                let parts_values = last_left <= column.cuts.len();
                if parts_values && direction.is_some_and(|direction| self.breaks(direction, sums, bounds)) {
                    return;
                }
                let gain = self.fall(sums[0], bounds) + self.fall(sums[1], bounds) - unsplit;
                if gain > best.as_ref().map_or(0.0, |best| best.gain) {
                    let threshold = column.cuts.get(last_left - 1).copied().unwrap_or(f64::INFINITY);
                    // Bins are bytes.
                    let last_left = last_left as u8;
                    best = Some(Split { place, last_left, threshold, missing_left, gain, sums });
                }
            };
            let (missing, values) = histogram.column(self.bins, place);
            let present = sums.minus(missing);
            let mut left = Sums::default();
            for (bin, of_bin) in values.iter().enumerate().filter(|(_, of_bin)| of_bin.hessian > 0) {
                left = left.plus(*of_bin);
                let right = present.minus(left);
                if right.hessian == 0 {
                    break;
                }
                if missing.hessian == 0 {
                    // Nothing is learned of missing values; they follow the larger side.
                    try_split([left, right], bin + 1, left.hessian > right.hessian);
                } else {
                    try_split([left, right.plus(missing)], bin + 1, false);
                    try_split([left.plus(missing), right], bin + 1, true);
                }
            }
            if missing.hessian > 0 && present.hessian > 0 {
                try_split([present, missing], column.value_bins(), false);
            }
        }
        best
    }

    /// Whether the values of the two sides are in the wrong order.
    fn breaks(&self, direction: Direction, sums: [Sums; 2], bounds: Bounds) -> bool {
        let [left, right] = sums.map(|sums| self.value(sums, bounds));
        match direction {
            Direction::Increasing => left > right,
            Direction::Decreasing => left < right,
        }
    }

    /// What the leaves of the two sides may be: where their order is asked for, no leaf passes the middle.
    fn bounds_of(&self, split: &Split, bounds: Bounds) -> [Bounds; 2] {
        let direction = self.monotone.get(split.place).copied().flatten();
        let Some(direction) = direction.filter(|_| split.threshold.is_finite()) else { return [bounds; 2] };
        let [left, right] = split.sums.map(|sums| self.value(sums, bounds));
        let middle = (left + right) / 2.0;
        let (below, above) = (Bounds { most: middle, ..bounds }, Bounds { least: middle, ..bounds });
        match direction {
            Direction::Increasing => [below, above],
            Direction::Decreasing => [above, below],
        }
    }
}

impl Split {
    fn goes_left(&self, bin: u8) -> bool {
        if bin == MISSING_BIN { self.missing_left } else { bin <= self.last_left }
    }
}

/// Puts the rows that go left before the others, both in their order, and says how many they are.
fn part(rows: &mut [u32], room: &mut [u32], goes_left: &(impl Fn(u32) -> bool + Sync)) -> usize {
    if rows.len() > ROWS_AT_ONCE {
        let middle = rows.len() / 2;
        let (first, second) = rows.split_at_mut(middle);
        let (first_room, second_room) = room.split_at_mut(middle);
        let (first, second) =
            rayon::join(|| part(first, first_room, goes_left), || part(second, second_room, goes_left));
        rows[first..middle + second].rotate_left(middle - first);
        return first + second;
    }
    let (mut left, mut right) = (0, 0);
    for at in 0..rows.len() {
        let row = rows[at];
        // Both are written, and one is kept: which one cannot be foreseen.
        rows[left] = row;
        room[right] = row;
        let goes_left = usize::from(goes_left(row));
        left += goes_left;
        right += 1 - goes_left;
    }
    rows[left..].copy_from_slice(&room[..right]);
    left
}

impl Grown {
    /// Whether it tells no rows apart.
    pub fn is_leaf(&self) -> bool {
        matches!(self, Grown::Leaf(..))
    }

    /// Adds what each leaf says to the scores of its rows, which are in the order of the leaves.
    pub fn add_to(&self, rows: &[u32], scores: &mut [f64]) {
        match self {
            Grown::Leaf(value, _) => rows.iter().for_each(|row| scores[*row as usize] += value),
            Grown::Split(_, children) => {
                let (left, right) = rows.split_at(children[0].rows());
                children[0].add_to(left, scores);
                children[1].add_to(right, scores);
            }
        }
    }

    fn rows(&self) -> usize {
        match self {
            Grown::Leaf(_, rows) => *rows,
            Grown::Split(_, children) => children[0].rows() + children[1].rows(),
        }
    }

    /// Appends the tree to flat nodes, children behind their parent and next to each other, and says of each split its
    /// feature and gain.
    pub fn flatten(&self, bins: &BinnedRows, nodes: &mut Vec<Node>, mut on_split: impl FnMut(usize, f64)) {
        let mut open = vec![(self, nodes.len())];
        nodes.push(Node::Leaf(0.0));
        while let Some((grown, at)) = open.pop() {
            nodes[at] = match grown {
                Grown::Leaf(value, _) => Node::Leaf(*value),
                Grown::Split(split, children) => {
                    let feature = bins.columns[split.place].feature;
                    on_split(feature, split.gain);
                    let left = nodes.len();
                    nodes.extend([Node::Leaf(0.0); 2]);
                    open.extend([(&children[0], left), (&children[1], left + 1)]);
                    Node::Split {
                        feature: feature as u32,
                        threshold: split.threshold,
                        left: left as u32,
                        missing_left: split.missing_left,
                    }
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parting_keeps_the_order_on_any_number_of_threads() {
        for length in [0, 1, 1000, 3 * ROWS_AT_ONCE + 7] {
            let mut rows: Vec<u32> = (0..length as u32).collect();
            let goes_left = |row: u32| row.wrapping_mul(2_654_435_761).is_multiple_of(3);
            let expected: Vec<u32> = rows
                .iter()
                .filter(|row| goes_left(**row))
                .chain(rows.iter().filter(|row| !goes_left(**row)))
                .copied()
                .collect();
            let left = part(&mut rows, &mut vec![0; length], &goes_left);
            assert_eq!(rows, expected);
            assert_eq!(left, expected.iter().filter(|row| goes_left(**row)).count());
        }
    }
}
