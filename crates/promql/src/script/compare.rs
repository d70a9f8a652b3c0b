//! Whether an answer is the expected one.

use std::collections::HashMap;
use std::sync::Arc;

use streamflow_gotext::shortest_json;
use streamflow_histogram::Histogram;
use streamflow_tsdb::{Labels, Value, is_stale};

use super::Mismatch;
use super::command::{Eval, Expected, Remarks, Text};
use super::series::Item;
use crate::eval::grid::Grid;
use crate::value::{self, RangeSeries, VectorSample};

/// Relative difference at which two values still count as equal.
const TOLERANCE: f64 = 1e-6;

/// Equal up to rounding; NaN equals NaN, but a stale marker only another.
fn almost_equal(a: f64, b: f64) -> bool {
    if is_stale(a) || is_stale(b) {
        return is_stale(a) == is_stale(b);
    }
    if (a.is_nan() && b.is_nan()) || a == b {
        return true;
    }
    let (difference, sum) = ((a - b).abs(), a.abs() + b.abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

pub(super) fn check_remarks(kind: &str, expected: &Remarks, actual: &[String]) -> Result<(), Mismatch> {
    let shown = || if actual.is_empty() { "none".to_owned() } else { actual.join("; ") };
    if expected.none && !actual.is_empty() {
        return Err(Mismatch::new(format!("no {kind}"), shown()));
    }
    if expected.any && actual.is_empty() {
        return Err(Mismatch::new(format!("a {kind}"), "none"));
    }
    if let Some(missing) = expected.texts.iter().find(|text| !actual.iter().any(|found| text.fits(found))) {
        return Err(Mismatch::new(format!("{kind} {}", missing.shown()), shown()));
    }
    let known = |found: &String| expected.texts.iter().any(|text: &Text| text.fits(found));
    if !expected.texts.is_empty() && !actual.iter().all(known) {
        return Err(Mismatch::new(format!("no other {kind}"), shown()));
    }
    Ok(())
}

/// The samples of a matrix at one time: what an instant query would have answered.
pub(super) fn matrix_at(value: value::Value, time: i64, is_scalar: bool) -> value::Value {
    let value::Value::Matrix(matrix) = value else { return value };
    let samples = matrix.into_iter().filter_map(|series| {
        let at = series.samples.timestamps.binary_search(&time).ok()?;
        let value = series.samples.values[at];
        let histogram = series.samples.histogram(value).cloned();
        Some(VectorSample { labels: series.labels, timestamp: time, value, histogram })
    });
    let samples: Vec<VectorSample> = samples.collect();
    match samples.first() {
        Some(sample) if is_scalar => value::Value::Scalar(sample.value),
        _ => value::Value::Vector(samples),
    }
}

/// `grid` has the times of the expected values, where the answer is a matrix.
pub(super) fn check_value(eval: &Eval, value: &value::Value, grid: Option<Grid>) -> Result<(), Mismatch> {
    use value::Value;
    match (&eval.result, value) {
        (Expected::Scalar(expected), Value::Scalar(actual)) if almost_equal(*expected, *actual) => Ok(()),
        (Expected::Scalar(expected), Value::Scalar(actual)) => {
            Err(Mismatch::new(shortest_json(*expected).to_string(), shortest_json(*actual).to_string()))
        }
        (Expected::String(expected), Value::String(actual)) if expected == actual => Ok(()),
        (Expected::Series(expected), Value::Vector(actual)) => check_vector(expected, actual, eval.ordered),
        (Expected::Series(expected), Value::Matrix(actual)) => check_matrix(expected, actual, grid),
        (Expected::Scalar(expected), actual) => {
            Err(Mismatch::new(shortest_json(*expected).to_string(), format!("{actual:?}")))
        }
        (Expected::String(expected), actual) => Err(Mismatch::new(expected, format!("{actual:?}"))),
        (Expected::Series(_), actual) => Err(Mismatch::new("a vector or a matrix", format!("{actual:?}"))),
    }
}

fn check_vector(
    expected: &[(Labels, Vec<Item>)],
    actual: &[VectorSample],
    ordered: bool,
) -> Result<(), Mismatch> {
    let places: HashMap<&Labels, usize> =
        expected.iter().enumerate().map(|(place, (labels, _))| (labels, place)).collect();
    let mut seen = vec![false; expected.len()];
    for (position, sample) in actual.iter().enumerate() {
        let found = match &sample.histogram {
            Some(histogram) => Value::Histogram(Arc::clone(histogram)),
            None => Value::Float(sample.value),
        };
        let shown = || format!("{} {}", sample.labels, show(&found));
        let Some(&place) = places.get(&sample.labels) else {
            return Err(Mismatch::new("no such series", shown()));
        };
        if ordered && place != position {
            return Err(Mismatch::new(
                format!("{} at place {}", sample.labels, place + 1),
                format!("at {}", position + 1),
            ));
        }
        seen[place] = true;
        let Some(item) = expected[place].1.first().filter(|item| !matches!(item, Item::Omitted)) else {
            return Err(Mismatch::new(format!("{} without value", sample.labels), shown()));
        };
        if !fits(item, &found) {
            return Err(Mismatch::new(format!("{} {}", sample.labels, show_item(item)), show(&found)));
        }
    }
    check_all_seen(expected, &seen)
}

fn check_all_seen(expected: &[(Labels, Vec<Item>)], seen: &[bool]) -> Result<(), Mismatch> {
    match seen.iter().position(|seen| !seen) {
        Some(missing) => Err(Mismatch::new(expected[missing].0.to_string(), "not in the answer")),
        None => Ok(()),
    }
}

fn check_matrix(
    expected: &[(Labels, Vec<Item>)],
    actual: &[RangeSeries],
    grid: Option<Grid>,
) -> Result<(), Mismatch> {
    let Some(grid) = grid else { return Err(Mismatch::new("a vector", "a matrix")) };
    if let Some(pair) = actual.windows(2).find(|pair| pair[0].labels > pair[1].labels) {
        return Err(Mismatch::new(
            "series sorted by labels",
            format!("{} before {}", pair[0].labels, pair[1].labels),
        ));
    }
    let places: HashMap<&Labels, usize> =
        expected.iter().enumerate().map(|(place, (labels, _))| (labels, place)).collect();
    let mut seen = vec![false; expected.len()];
    for series in actual {
        let Some(&place) = places.get(&series.labels) else {
            return Err(Mismatch::new("no such series", format!("{} {}", series.labels, shown(series))));
        };
        seen[place] = true;
        let wanted: Vec<(i64, &Item)> = (0..)
            .zip(&expected[place].1)
            .filter(|(_, item)| !matches!(item, Item::Omitted))
            .map(|(index, item)| (grid.time(index), item))
            .collect();
        let equal = wanted.len() == series.samples.len()
            && wanted.iter().zip(series.samples.values()).all(|(a, b)| a.0 == b.0 && fits(a.1, &b.1));
        if !equal {
            let wanted: Vec<String> =
                wanted.iter().map(|(t, item)| format!("{}@{t}", show_item(item))).collect();
            return Err(Mismatch::new(format!("{} {}", series.labels, wanted.join(" ")), shown(series)));
        }
    }
    check_all_seen(expected, &seen)
}

fn shown(series: &RangeSeries) -> String {
    let samples = series.samples.values();
    samples.map(|(time, value)| format!("{}@{time}", show(&value))).collect::<Vec<_>>().join(" ")
}

fn show(value: &Value) -> String {
    match value {
        Value::Float(value) => shortest_json(*value).to_string(),
        Value::Histogram(histogram) => histogram.to_script(),
    }
}

fn show_item(item: &Item) -> String {
    match item {
        Item::Float(value) => shortest_json(*value).to_string(),
        Item::Histogram(histogram) | Item::Hinted(histogram) => histogram.to_script(),
        Item::Omitted => "_".to_owned(),
    }
}

/// Tells whether a value is the expected one; what is known of resets counts where it was said.
fn fits(item: &Item, found: &Value) -> bool {
    match (item, found) {
        (Item::Float(expected), Value::Float(found)) => almost_equal(*expected, *found),
        (Item::Histogram(expected), Value::Histogram(found)) => histograms_fit(expected, found),
        (Item::Hinted(expected), Value::Histogram(found)) => {
            expected.reset == found.reset && histograms_fit(expected, found)
        }
        _ => false,
    }
}

/// Tells whether the same buckets have the same counts up to rounding; empty ones do not count.
fn histograms_fit(expected: &Histogram, found: &Histogram) -> bool {
    let (expected, found) = (expected.clone().compacted(), found.clone().compacted());
    let all = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| almost_equal(*a, *b));
    let head = |h: &Histogram| [h.count, h.sum, h.zero_count, h.zero_threshold];
    expected.schema == found.schema
        && all(&head(&expected), &head(&found))
        && all(&expected.custom_bounds, &found.custom_bounds)
        && [(&expected.positive, &found.positive), (&expected.negative, &found.negative)]
            .iter()
            .all(|(a, b)| a.indices == b.indices && all(&a.counts, &b.counts))
}
