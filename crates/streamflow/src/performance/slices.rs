//! Where a version is wrong: the slices of a month with the largest loss.

use streamflow_model::{FeatureColumn, Features};
use streamflow_performance::{MISSING, SegmentColumn, SegmentRule, Segments};

/// Parts of equal size that a number is cut into.
const PARTS: usize = 5;

/// The worst slices of the rows at `places` of `features`.
pub fn worst(features: &Features, places: &[usize], losses: &[f64]) -> anyhow::Result<Segments> {
    let columns: Vec<SegmentColumn> = features
        .names()
        .iter()
        .zip(features.columns())
        .filter_map(|(name, column)| levels(name, column, places))
        .collect();
    Ok(SegmentRule::default().worst(&columns, losses)?)
}

/// A feature in few levels; none where it does not vary.
fn levels(name: &str, column: &FeatureColumn, places: &[usize]) -> Option<SegmentColumn> {
    let column = match column {
        FeatureColumn::Categorical { codes, levels } => {
            let code = |&place: &usize| match codes[place] {
                streamflow_model::MISSING => MISSING,
                code => code,
            };
            let codes = places.iter().map(code).collect();
            SegmentColumn { name: name.to_owned(), levels: levels.clone(), codes }
        }
        FeatureColumn::Numerical(values) => {
            let values: Vec<f64> = places.iter().map(|&place| values[place]).collect();
            let edges = edges(&values);
            let code = |value: &f64| match value.is_nan() {
                true => MISSING,
                false => edges.partition_point(|edge| edge < value) as u32,
            };
            let codes = values.iter().map(code).collect();
            SegmentColumn { name: name.to_owned(), levels: ranges(&edges), codes }
        }
    };
    (column.levels.len() > 1).then_some(column)
}

/// Upper ends of all parts but the last, ascending and different.
fn edges(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(&last) = sorted.last() else { return Vec::new() };
    let mut edges: Vec<f64> = (1..PARTS).map(|part| sorted[(sorted.len() - 1) * part / PARTS]).collect();
    edges.dedup();
    edges.retain(|edge| *edge < last);
    edges
}

/// The parts in words.
fn ranges(edges: &[f64]) -> Vec<String> {
    let (Some(first), Some(last)) = (edges.first(), edges.last()) else { return vec!["any".to_owned()] };
    let mut words = vec![format!("up to {first}")];
    words.extend(edges.windows(2).map(|pair| format!("over {} up to {}", pair[0], pair[1])));
    words.push(format!("over {last}"));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_into_parts_of_equal_size() {
        for (values, expected) in [
            (
                (0..10).map(f64::from).collect::<Vec<_>>(),
                vec!["up to 1", "over 1 up to 3", "over 3 up to 5", "over 5 up to 7", "over 7"],
            ),
            (vec![0.0, 0.0, 0.0, 0.0, 1.0], vec!["up to 0", "over 0"]),
            (vec![2.0; 4], vec!["any"]),
            (vec![f64::NAN], vec!["any"]),
        ] {
            assert_eq!(ranges(&edges(&values)), expected, "{values:?}");
        }
        let features = Features::new(vec![
            ("hours".to_owned(), FeatureColumn::Numerical((0..10).map(f64::from).collect())),
            ("same".to_owned(), FeatureColumn::Numerical(vec![1.0; 10])),
        ])
        .unwrap();
        let column = levels("hours", &features.columns()[0], &[0, 9]).unwrap();
        assert_eq!(column.codes, [0, 1]);
        assert!(levels("same", &features.columns()[1], &[0, 9]).is_none());
    }
}
