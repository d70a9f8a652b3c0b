//! The order of a feature's levels: one in which the best split of them is one threshold, or nearly so.

use crate::Task;
use crate::labels::Target;

/// Rows of the training mean that are added to each level's own when levels are sorted.
const SMOOTHING_ROWS: f64 = 20.0;
/// Steps of the power method; what is left of other components shrinks in each.
const STEPS: usize = 100;

/// The labels of the rows of a level.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counts {
    pub rows: u64,
    /// The sum of the labels, or the rows of each class.
    sums: Vec<f64>,
}

impl Counts {
    pub fn new(target: &Target) -> Counts {
        let sums = if target.task == Task::Multiclass { target.classes.len() } else { 1 };
        Counts { rows: 0, sums: vec![0.0; sums] }
    }

    pub fn add(&mut self, value: f64) {
        self.rows += 1;
        match self.sums.as_mut_slice() {
            [sum] => *sum += value,
            classes => classes[value as usize] += 1.0,
        }
    }

    pub fn merge(&mut self, other: &Counts) {
        self.rows += other.rows;
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, other)| *sum += other);
    }

    /// The mean label or the shares of classes, drawn towards those of all rows.
    fn rates(&self, all: &Counts) -> Vec<f64> {
        let rate = |(sum, of_all): (&f64, &f64)| {
            let prior = of_all / f64::max(all.rows as f64, 1.0);
            (sum + prior * SMOOTHING_ROWS) / (self.rows as f64 + SMOOTHING_ROWS)
        };
        self.sums.iter().zip(&all.sums).map(rate).collect()
    }
}

/// The names in their order; equal ones by name.
pub(crate) fn order_of<'a>(entries: Vec<(Option<&'a str>, &Counts)>, all: &Counts) -> Vec<Option<&'a str>> {
    let rates: Vec<Vec<f64>> = entries.iter().map(|(_, counts)| counts.rates(all)).collect();
    let scores = match all.sums.len() {
        1 => rates.iter().map(|rates| rates[0]).collect(),
        _ => {
            let weights: Vec<f64> = entries.iter().map(|(_, counts)| counts.rows as f64).collect();
            first_component(&rates, &weights)
        }
    };
    let mut order: Vec<(f64, Option<&str>)> =
        scores.into_iter().zip(entries.into_iter().map(|(name, _)| name)).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    order.into_iter().map(|(_, name)| name).collect()
}

/// The place of each point along the direction in which weighted points vary most, by the power method from the point
/// that is farthest from the mean.
fn first_component(points: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let Some(first) = points.first() else { return Vec::new() };
    let total: f64 = weights.iter().sum();
    let mean: Vec<f64> = (0..first.len())
        .map(|axis| {
            points.iter().zip(weights).map(|(point, weight)| point[axis] * weight).sum::<f64>() / total
        })
        .collect();
    let centred: Vec<Vec<f64>> =
        points.iter().map(|point| point.iter().zip(&mean).map(|(x, mean)| x - mean).collect()).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let spread = |row: &usize| weights[*row] * dot(&centred[*row], &centred[*row]);
    let farthest =
        (0..points.len()).reduce(|best, row| if spread(&row) > spread(&best) { row } else { best });
    let mut direction = centred[farthest.unwrap_or(0)].clone();
    for _ in 0..STEPS {
        let mut next = vec![0.0; direction.len()];
        for (point, weight) in centred.iter().zip(weights) {
            let along = weight * dot(point, &direction);
            next.iter_mut().zip(point).for_each(|(next, x)| *next += along * x);
        }
        let length = dot(&next, &next).sqrt();
        if length == 0.0 {
            break;
        }
        direction = next.into_iter().map(|x| x / length).collect();
    }
    centred.iter().map(|point| dot(point, &direction)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_sorted_along_their_widest_direction() {
        // On a line in three dimensions, with a little beside it.
        let along: [f64; 4] = [0.0, 3.0, 1.0, 2.0];
        let points: Vec<Vec<f64>> = along.iter().map(|t| vec![*t, -*t, 0.01 * (t * 7.0).sin()]).collect();
        let found = first_component(&points, &[1.0, 2.0, 1.0, 1.0]);
        let mut order: Vec<usize> = (0..4).collect();
        order.sort_by(|&a, &b| found[a].total_cmp(&found[b]));
        assert!(order == [0, 2, 3, 1] || order == [1, 3, 2, 0], "{found:?}");
        assert_eq!(first_component(&[vec![0.5, 0.5]], &[3.0]), [0.0]);
    }
}
