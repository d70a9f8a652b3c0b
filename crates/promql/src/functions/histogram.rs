//! Quantiles and fractions of classic histograms: series of cumulative counts that differ in their `le` label.

use std::collections::HashMap;

use rayon::prelude::*;
use streamflow_gotext::{open_metrics, parse_float};
use streamflow_tsdb::Labels;

use super::buckets::{self, Bucket};
use crate::annotations::{Annotation, Repair};
use crate::ast::{Expr, Span};
use crate::error::Error;
use crate::eval::grid::{ABSENT, Grid, Node, Row, Scalars, is_absent, merge_same_labels};
use crate::eval::{RunningQuery, string_argument};
use crate::function::Call;

const BUCKET_LABEL: &str = "le";

/// The rows of one histogram.
struct Histogram {
    /// All labels but `le`.
    labels: Labels,
    /// Upper bounds, ascending, and the rows that count up to them.
    bounds: Vec<(f64, usize)>,
}

/// `histogram_quantile(q, buckets)`
pub(super) fn histogram_quantile(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let [quantile, vector] = call.args else { return Err(call.wrong_arguments()) };
    let quantiles = query.scalars(quantile, grid)?;
    let rows = query.rows(vector, grid)?;
    note_invalid(query, &quantiles, grid, quantile);
    let histograms = histograms(query, &rows, vector.span);
    let found = each_histogram(query, &histograms, &rows, grid, |buckets, step| {
        buckets::quantile(quantiles.at(step), buckets)
    })?;
    let named = histograms.iter().map(|histogram| query.dropped_name(&histogram.labels));
    answer(query, found, named, vector.span)
}

/// `histogram_quantiles(buckets, label, q…)`: the quantile is in the label.
pub(super) fn histogram_quantiles(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let [vector, label, quantiles @ ..] = call.args else { return Err(call.wrong_arguments()) };
    let label = string_argument(label)?;
    let rows = query.rows(vector, grid)?;
    let histograms = histograms(query, &rows, vector.span);
    let mut answers = Vec::new();
    for argument in quantiles {
        let quantiles = query.scalars(argument, grid)?;
        note_invalid(query, &quantiles, grid, argument);
        let mut distinct: Vec<f64> = Vec::new();
        for quantile in quantiles.iter(grid.steps) {
            if !distinct.iter().any(|known| known.to_bits() == quantile.to_bits()) {
                distinct.push(quantile);
            }
        }
        for quantile in distinct {
            let found = each_histogram(query, &histograms, &rows, grid, |buckets, step| {
                if quantiles.at(step).to_bits() == quantile.to_bits() {
                    buckets::quantile(quantile, buckets)
                } else {
                    (ABSENT, None)
                }
            })?;
            let named = histograms.iter().map(|histogram| {
                let (labels, drop_name) = query.dropped_name(&histogram.labels);
                (labels.with(label, &open_metrics(quantile)), drop_name)
            });
            if let Node::Vector(rows) = answer(query, found, named, vector.span)? {
                answers.extend(rows);
            }
        }
    }
    merge_same_labels(answers).map(Node::Vector)
}

/// `histogram_fraction(lower, upper, buckets)`
pub(super) fn histogram_fraction(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let [lower, upper, vector] = call.args else { return Err(call.wrong_arguments()) };
    let (lower, upper) = (query.scalars(lower, grid)?, query.scalars(upper, grid)?);
    let rows = query.rows(vector, grid)?;
    let histograms = histograms(query, &rows, vector.span);
    let found = each_histogram(query, &histograms, &rows, grid, |buckets, step| {
        (buckets::fraction(lower.at(step), upper.at(step), buckets), None)
    })?;
    let named = histograms.iter().map(|histogram| query.dropped_name(&histogram.labels));
    answer(query, found, named, vector.span)
}

fn note_invalid(query: &RunningQuery, quantiles: &Scalars, grid: Grid, argument: &Expr) {
    let distinct = match quantiles {
        Scalars::Constant(_) => 1,
        Scalars::Steps(_) => grid.steps,
    };
    for quantile in quantiles.iter(distinct).filter(|quantile| !(0.0..=1.0).contains(quantile)) {
        query.annotate(Annotation::InvalidQuantile(quantile), argument.span);
    }
}

/// The histograms among the rows, in the order of their first bucket; rows without a bound are remarked on.
fn histograms(query: &RunningQuery, rows: &[Row], span: Span) -> Vec<Histogram> {
    let mut place: HashMap<Labels, usize> = HashMap::new();
    let mut found: Vec<Histogram> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let value = row.labels.get(BUCKET_LABEL).unwrap_or_default();
        let Some(upper) = parse_float(value).ok().filter(|upper| !upper.is_nan()) else {
            let metric = if query.options.delayed_name_removal { row.labels.name() } else { "" };
            let annotation =
                Annotation::BadBucketLabel { metric: metric.to_owned(), value: value.to_owned() };
            query.annotate(annotation, span);
            continue;
        };
        let labels = row.labels.without(&[BUCKET_LABEL]);
        let histogram = *place.entry(labels).or_insert_with_key(|labels| {
            found.push(Histogram { labels: labels.clone(), bounds: Vec::new() });
            found.len() - 1
        });
        found[histogram].bounds.push((upper, index));
    }
    for histogram in &mut found {
        histogram.bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    found
}

/// What each histogram gives, and what had to be repaired in it.
type Found = Vec<(crate::eval::grid::Values, Option<Repair>)>;

/// Calls `compute` with the buckets, at least one, of every histogram at every step.
fn each_histogram(
    query: &RunningQuery,
    histograms: &[Histogram],
    rows: &[Row],
    grid: Grid,
    compute: impl Fn(&mut Vec<Bucket>, usize) -> (f64, Option<buckets::Decrease>) + Sync,
) -> Result<Found, Error> {
    let one = |buckets: &mut Vec<Bucket>, histogram: &Histogram| {
        query.check()?;
        let mut values = query.budget.values(grid.steps)?;
        let mut repairs: Option<Repair> = None;
        for (step, cell) in values.iter_mut().enumerate() {
            let present = histogram.bounds.iter().map(|&(upper, row)| (upper, rows[row].values[step]));
            buckets.clear();
            buckets.extend(
                present.filter(|&(_, count)| !is_absent(count)).map(|(upper, count)| Bucket { upper, count }),
            );
            if buckets.is_empty() {
                continue;
            }
            let (value, decrease) = compute(buckets, step);
            *cell = value;
            if let Some(decrease) = decrease {
                let repair = decrease.at(grid.time(step));
                match &mut repairs {
                    Some(known) => known.merge(&repair),
                    None => repairs = Some(repair),
                }
            }
        }
        Ok((values, repairs))
    };
    if histograms.len() > 1 && histograms.len() * grid.steps > 1_000 {
        histograms.par_iter().map_init(Vec::new, one).collect()
    } else {
        let mut buckets = Vec::new();
        histograms.iter().map(|histogram| one(&mut buckets, histogram)).collect()
    }
}

fn answer(
    query: &RunningQuery,
    found: Found,
    named: impl Iterator<Item = (Labels, bool)>,
    span: Span,
) -> Result<Node, Error> {
    let mut rows = Vec::with_capacity(found.len());
    for ((values, repair), (labels, drop_name)) in found.into_iter().zip(named) {
        if let Some(repair) = repair {
            let metric = if query.options.delayed_name_removal { labels.name() } else { "" };
            query.annotate(Annotation::ForcedMonotonicity { metric: metric.to_owned(), repair }, span);
        }
        if values.any_present() {
            rows.push(Row { labels, drop_name, values });
        }
    }
    merge_same_labels(rows).map(Node::Vector)
}
