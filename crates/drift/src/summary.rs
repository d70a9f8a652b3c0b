//! Summaries of both sides and their common bins, for reading and drawing. No verdict depends on them.

use streamflow_stats::Sample;

use crate::binning::histogram;
use crate::column::Column;
use crate::observations::{Counts, Numbers, Observations, Texts};
use crate::report::{CategoryCount, Distribution, NumericSummary, SideSummary};

const TOP: usize = 10;
const LISTED: usize = 12;
const INTERVALS: usize = 24;
const LABEL_CHARS: usize = 120;

/// Both sides in numbers.
pub(crate) fn sides(reference: &Column, current: &Column, seen: &Observations) -> (SideSummary, SideSummary) {
    let side = |column: &Column, distinct, most: Option<u64>, numeric, top| {
        let (rows, present) = (column.rows(), column.present());
        let top_share = most.map(|most| most as f64 / present as f64);
        SideSummary { rows, missing: rows - present, distinct, top_share, numeric, top }
    };
    let most = |sample: &Sample| sample.iter().map(|(_, count)| count).max();
    match seen {
        Observations::Numerical(Numbers { reference: r, current: c, .. }) => (
            side(reference, Some(r.distinct()), most(r), numeric(r), Vec::new()),
            side(current, Some(c.distinct()), most(c), numeric(c), Vec::new()),
        ),
        Observations::Categorical(counts) => {
            let distinct = |counts: &[u64]| Some(counts.iter().filter(|&&n| n > 0).count());
            let one = |column, counts_of: &[u64]| {
                let most = counts_of.iter().copied().max();
                side(column, distinct(counts_of), most, None, top(&counts.labels, counts_of))
            };
            (one(reference, &counts.reference), one(current, &counts.current))
        }
        Observations::Text(texts) => (
            side(reference, distinct_texts(reference, &texts.reference), None, None, Vec::new()),
            side(current, distinct_texts(current, &texts.current), None, None, Vec::new()),
        ),
    }
}

/// A side that could not be compared: counts only.
pub(crate) fn side_alone(column: &Column) -> SideSummary {
    let rows = column.rows();
    let missing = rows - column.present();
    SideSummary { rows, missing, distinct: None, top_share: None, numeric: None, top: Vec::new() }
}

/// Moments and quantiles; none without values or when one of them exceeds a 64-bit float.
pub(crate) fn numeric(sample: &Sample) -> Option<NumericSummary> {
    let variance = if sample.len() > 1 { sample.variance(1) } else { 0.0 };
    let summary = NumericSummary {
        mean: sample.mean(),
        std: variance.sqrt(),
        min: sample.min()?,
        q25: sample.quantile(0.25)?,
        q50: sample.quantile(0.5)?,
        q75: sample.quantile(0.75)?,
        max: sample.max()?,
    };
    [summary.mean, summary.std, summary.q25, summary.q50, summary.q75]
        .iter()
        .all(|x| x.is_finite())
        .then_some(summary)
}

fn top(labels: &[String], counts: &[u64]) -> Vec<CategoryCount> {
    let mut order: Vec<usize> = (0..labels.len()).filter(|&i| counts[i] > 0).collect();
    order.sort_by(|&a, &b| counts[b].cmp(&counts[a]));
    order
        .into_iter()
        .take(TOP)
        .map(|i| CategoryCount { label: shorten(&labels[i]), count: counts[i] })
        .collect()
}

/// Texts are sorted, so equal ones are neighbours; unknown where not all of them were kept.
fn distinct_texts(column: &Column, texts: &[&str]) -> Option<usize> {
    (texts.len() == column.present()).then(|| texts.chunk_by(|a, b| a == b).count())
}

/// A label no longer than a report can bear.
pub(crate) fn shorten(label: &str) -> String {
    match label.char_indices().nth(LABEL_CHARS) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label.to_owned(),
    }
}

/// Both sides over the same bins.
pub(crate) fn distribution(seen: &Observations) -> Distribution {
    match seen {
        Observations::Numerical(numbers) if numbers.distinct() <= LISTED => categories(&numbers.counts()),
        Observations::Numerical(numbers) => intervals("value", &numbers.reference, &numbers.current),
        Observations::Categorical(counts) => categories(&most_frequent_first(counts)),
        Observations::Text(Texts { reference, current }) => {
            let lengths = |texts: &[&str]| {
                let pairs = texts.iter().map(|text| (text.chars().count() as f64, 1));
                Sample::from_counts(pairs).expect("lengths are numbers")
            };
            intervals("length", &lengths(reference), &lengths(current))
        }
    }
}

fn most_frequent_first(counts: &Counts) -> Counts {
    let mut order: Vec<usize> = (0..counts.labels.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(counts.reference[i] + counts.current[i]));
    Counts {
        labels: order.iter().map(|&i| counts.labels[i].clone()).collect(),
        reference: order.iter().map(|&i| counts.reference[i]).collect(),
        current: order.iter().map(|&i| counts.current[i]).collect(),
    }
}

fn categories(counts: &Counts) -> Distribution {
    let all = counts.labels.len();
    let listed = if all > LISTED { LISTED - 1 } else { all };
    let cut = |counts: &[u64]| {
        let mut kept = counts[..listed].to_vec();
        if listed < all {
            kept.push(counts[listed..].iter().sum());
        }
        kept
    };
    let mut labels: Vec<String> = counts.labels[..listed].iter().map(|label| shorten(label)).collect();
    if listed < all {
        labels.push(format!("{} others", all - listed));
    }
    Distribution::Categories {
        labels,
        reference: cut(&counts.reference),
        current: cut(&counts.current),
        other: all - listed,
    }
}

/// Equal widths between the pooled 0.5 % and 99.5 % quantiles, so that one outlier does not flatten the picture;
/// the outermost intervals take the rest. Whole numbers get whole widths.
fn intervals(of: &str, reference: &Sample, current: &Sample) -> Distribution {
    let pooled = |q: f64| {
        let sides = [reference, current].into_iter().filter_map(move |side| side.quantile(q));
        (sides.clone().fold(f64::INFINITY, f64::min), sides.fold(f64::NEG_INFINITY, f64::max))
    };
    let (mut low, mut high) = (pooled(0.005).0, pooled(0.995).1);
    let whole = [reference, current].iter().all(|side| side.iter().all(|(value, _)| value.fract() == 0.0));
    // Above 2^52 every number is whole and adding one half does nothing.
    if whole && high.abs().max(low.abs()) < 1e15 {
        (low, high) = (low.floor() - 0.5, high.ceil() + 0.5);
    } else if low == high {
        let half = (low.abs() * 1e-6).max(0.5);
        (low, high) = ((low - half).max(-f64::MAX), (high + half).min(f64::MAX));
    }
    let mut width = (high - low) / INTERVALS as f64;
    if whole {
        width = width.ceil().max(1.0);
    }
    let bins =
        if width.is_finite() && width > 0.0 { ((high - low) / width).ceil().max(1.0) as usize } else { 1 };
    // Whole widths may end beyond `high`; the others end on it, whatever the rounding.
    let end = if whole { low + width * bins as f64 } else { high };
    let mut edges: Vec<f64> = (0..bins).map(|i| low + width * i as f64).collect();
    edges.push(end);
    if !(width.is_finite() && end.is_finite()) {
        edges = vec![low, high];
    }
    Distribution::Histogram {
        of: of.to_owned(),
        reference: open_histogram(reference, &edges),
        current: open_histogram(current, &edges),
        edges,
    }
}

fn open_histogram(sample: &Sample, edges: &[f64]) -> Vec<u64> {
    let mut open = edges.to_vec();
    let last = open.len() - 1;
    (open[0], open[last]) = (f64::NEG_INFINITY, f64::INFINITY);
    histogram(sample, &open)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(values: &[f64]) -> (Vec<f64>, Vec<u64>) {
        let sample = Sample::new(values.to_vec()).unwrap();
        match intervals("value", &sample, &sample) {
            Distribution::Histogram { edges, reference, .. } => (edges, reference),
            other => panic!("expected a histogram, got {other:?}"),
        }
    }

    #[test]
    fn every_value_is_in_some_interval() {
        let cases: [&[f64]; 6] = [
            &[1.0],
            &[0.1, 0.1],
            &[0.0, 1e300, -1e300],
            &[f64::MAX, -f64::MAX, 1.5],
            &[5e-324, 0.0, 1e-310],
            &[1e17, 1e17 + 16.0, 3.0],
        ];
        for values in cases {
            let (edges, counts) = counted(values);
            assert_eq!(counts.iter().sum::<u64>(), values.len() as u64, "{values:?}: {edges:?}");
            assert!(edges.windows(2).all(|pair| pair[0] <= pair[1]), "{values:?}: {edges:?}");
            assert!(edges.len() <= 60, "{values:?}: {} edges", edges.len());
        }
    }

    #[test]
    fn whole_numbers_get_whole_widths() {
        let (edges, counts) = counted(&(0..=20).map(f64::from).collect::<Vec<_>>());
        assert_eq!((edges[0], edges[1], counts.len()), (-0.5, 0.5, 21));
    }

    #[test]
    fn long_labels_are_shortened_on_a_character() {
        assert_eq!(shorten(&"é".repeat(121)).chars().count(), 121);
        assert_eq!(shorten("short"), "short");
    }
}
