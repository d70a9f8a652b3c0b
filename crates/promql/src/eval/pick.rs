//! Aggregations that keep some of the series: `topk`, `bottomk`, `limitk`, `limit_ratio`.

use std::ops::Range;

use crate::annotations::Annotation;
use crate::ast::{Aggregate, AggregateOp, Span};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::aggregate::Groups;
use crate::eval::grid::{ABSENT, Grid, Row, Scalars, is_absent};
use crate::sampling;

/// The extremes of a parameter over all steps.
struct Extremes {
    min: f64,
    max: f64,
    any_nan: bool,
}

impl Extremes {
    fn of(scalars: &Scalars, steps: usize) -> Self {
        let mut found = Self { min: f64::INFINITY, max: f64::NEG_INFINITY, any_nan: false };
        for value in scalars.iter(steps) {
            found.any_nan |= value.is_nan();
            (found.min, found.max) = (found.min.min(value), found.max.max(value));
        }
        found
    }
}

impl RunningQuery<'_> {
    pub(crate) fn pick(&self, (aggregate, whole): (&Aggregate, Span), grid: Grid) -> Result<Vec<Row>, Error> {
        let (parameter, span) = self.parameter(aggregate, grid)?;
        let mut rows = self.rows(&aggregate.expr, grid)?;
        let extremes = Extremes::of(&parameter, grid.steps);
        let nothing = if aggregate.op == AggregateOp::LimitRatio {
            self.check_ratio(&extremes, span)?
        } else {
            check_count(&extremes)?
        };
        if nothing {
            return Ok(Vec::new());
        }
        if matches!(aggregate.op, AggregateOp::Topk | AggregateOp::Bottomk) {
            self.ignore_histograms(&mut rows, aggregate.op, whole);
        }
        let heads = rows.iter().map(|row| (&row.labels, row.drop_name));
        let groups = Groups::of(heads, aggregate.without, &aggregate.grouping);
        let offsets: Vec<f64> = match aggregate.op {
            AggregateOp::LimitRatio => rows.iter().map(|row| sampling::offset(&row.labels)).collect(),
            _ => Vec::new(),
        };
        let picker = Picker { op: aggregate.op, rows: &rows, group_of: &groups.of_row, offsets: &offsets };
        let mut picked = Vec::new();
        for first in (0..grid.steps).step_by(BLOCK) {
            self.check()?;
            let steps = first..grid.steps.min(first + BLOCK);
            for (step, groups) in steps.clone().zip(picker.steps(steps, groups.len(), &parameter)) {
                picked.extend(groups.into_iter().flatten().map(|row| (row, step)));
            }
        }
        if grid.steps == 1 {
            // The order of an instant query's answer is that of the picking.
            let mut slots: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
            return Ok(picked.into_iter().filter_map(|(row, _)| slots[row].take()).collect());
        }
        Ok(keep_picked(rows, picked))
    }

    /// Tells whether nothing is kept.
    fn check_ratio(&self, extremes: &Extremes, span: Span) -> Result<bool, Error> {
        if extremes.any_nan {
            return Err(Error::Execution("Ratio value is NaN".into()));
        }
        if extremes.max > 1.0 {
            self.annotate(Annotation::InvalidRatio { ratio: extremes.max, capped: 1.0 }, span);
        }
        if extremes.min < -1.0 {
            self.annotate(Annotation::InvalidRatio { ratio: extremes.min, capped: -1.0 }, span);
        }
        Ok(extremes.max == 0.0 && extremes.min == 0.0)
    }
}

/// Tells whether nothing is kept.
fn check_count(extremes: &Extremes) -> Result<bool, Error> {
    if extremes.any_nan {
        return Err(Error::Execution("Parameter value is NaN".into()));
    }
    if extremes.max < 1.0 {
        return Ok(true);
    }
    if extremes.min <= i64::MIN as f64 {
        return Err(Error::Execution(format!("Scalar value {} underflows int64", extremes.min)));
    }
    if extremes.max >= i64::MAX as f64 {
        return Err(Error::Execution(format!("Scalar value {} overflows int64", extremes.max)));
    }
    Ok(false)
}

/// Steps that are looked at together: as many cells lie in a line of the cache.
const BLOCK: usize = 8;

/// Chooses rows of each group.
struct Picker<'a> {
    op: AggregateOp,
    rows: &'a [Row],
    group_of: &'a [usize],
    offsets: &'a [f64],
}

impl Picker<'_> {
    /// The rows kept of each group at each of some steps, in the order of the answer.
    fn steps(&self, steps: Range<usize>, groups: usize, parameter: &Scalars) -> Vec<Vec<Vec<usize>>> {
        let mut kept = vec![vec![Vec::new(); groups]; steps.len()];
        let parameters: Vec<f64> = steps.clone().map(|step| parameter.at(step)).collect();
        for (row, &group) in self.group_of.iter().enumerate() {
            let values = &self.rows[row].values[steps.clone()];
            for (at, value) in values.iter().enumerate().filter(|(_, value)| !is_absent(**value)) {
                self.offer(&mut kept[at][group], (steps.start + at, parameters[at]), (row, *value));
            }
        }
        if matches!(self.op, AggregateOp::Topk | AggregateOp::Bottomk) {
            for (groups, step) in kept.iter_mut().zip(steps) {
                groups.iter_mut().for_each(|kept| {
                    kept.sort_by(|&a, &b| self.is_worse(a, b, step).cmp(&self.is_worse(b, a, step)));
                });
            }
        }
        kept
    }

    #[inline]
    fn offer(&self, kept: &mut Vec<usize>, (step, parameter): (usize, f64), (row, value): (usize, f64)) {
        let k = if parameter < 1.0 { 0 } else { (parameter as usize).min(self.rows.len()) };
        match self.op {
            AggregateOp::LimitRatio => {
                if sampling::keeps(self.offsets[row], parameter.clamp(-1.0, 1.0)) {
                    kept.push(row);
                }
            }
            AggregateOp::Limitk => {
                if kept.len() < k {
                    kept.push(row);
                }
            }
            _ => {
                // Most are worse than all that are kept.
                let largest = self.op == AggregateOp::Topk;
                let worst = kept.first().filter(|_| kept.len() >= k);
                if worst.is_none_or(|&worst| worse(self.rows[worst].values[step], value, largest)) {
                    offer(kept, k, row, |a, b| self.is_worse(a, b, step));
                }
            }
        }
    }

    fn is_worse(&self, a: usize, b: usize, step: usize) -> bool {
        worse(self.rows[a].values[step], self.rows[b].values[step], self.op == AggregateOp::Topk)
    }
}

/// The rows that were picked at any step, absent at all other steps.
fn keep_picked(rows: Vec<Row>, mut picked: Vec<(usize, usize)>) -> Vec<Row> {
    picked.sort_unstable();
    let mut picked = picked.into_iter().peekable();
    let mut kept = Vec::new();
    for (index, mut row) in rows.into_iter().enumerate() {
        let mut from = 0;
        while let Some((_, step)) = picked.next_if(|(picked, _)| *picked == index) {
            row.values[from..step].fill(ABSENT);
            from = step + 1;
        }
        if from > 0 {
            row.values[from..].fill(ABSENT);
            kept.push(row);
        }
    }
    kept
}

/// Tells whether `a` goes before `b` does; NaN goes first.
fn worse(a: f64, b: f64, largest: bool) -> bool {
    if a.is_nan() {
        return !b.is_nan();
    }
    if largest { a < b } else { a > b }
}

/// Puts a row on a heap of at most `k` whose top is the worst, if it is better than that.
fn offer(heap: &mut Vec<usize>, k: usize, row: usize, worse: impl Fn(usize, usize) -> bool) {
    if heap.len() < k {
        heap.push(row);
        let mut child = heap.len() - 1;
        while child > 0 {
            let parent = (child - 1) / 2;
            if !worse(heap[child], heap[parent]) {
                break;
            }
            heap.swap(child, parent);
            child = parent;
        }
        return;
    }
    if k == 0 || !worse(heap[0], row) {
        return;
    }
    heap[0] = row;
    let mut parent = 0;
    loop {
        let (left, right) = (2 * parent + 1, 2 * parent + 2);
        let Some(&left_row) = heap.get(left) else { break };
        let child =
            if heap.get(right).is_some_and(|&right_row| worse(right_row, left_row)) { right } else { left };
        if !worse(heap[child], heap[parent]) {
            break;
        }
        heap.swap(parent, child);
        parent = child;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heap_keeps_the_best() {
        let values = [3.0, f64::NAN, 9.0, 1.0, 7.0, 7.0, f64::NAN];
        let check = |largest, k, expected: &[usize]| {
            let mut heap = Vec::new();
            for row in 0..values.len() {
                offer(&mut heap, k, row, |a, b| worse(values[a], values[b], largest));
            }
            heap.sort_unstable();
            assert_eq!(heap, expected, "largest {largest}, k {k}");
        };
        check(true, 0, &[]);
        check(true, 1, &[2]);
        check(true, 3, &[2, 4, 5]);
        check(false, 2, &[0, 3]);
        check(true, 6, &[0, 1, 2, 3, 4, 5]);
    }
}
