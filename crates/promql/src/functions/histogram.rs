//! Quantiles and fractions of classic histograms, which are series of cumulative counts that differ in their `le` label,
//! and of native ones.

use std::collections::HashMap;

use rayon::prelude::*;
use streamflow_gotext::{open_metrics, parse_float};
use streamflow_histogram::{Histogram, Skew};
use streamflow_tsdb::Labels;

use super::buckets::{self, Bucket};
use crate::annotations::{Annotation, Repair};
use crate::ast::{Expr, Span};
use crate::error::Error;
use crate::eval::grid::{ABSENT, Column, Grid, Node, Row, Scalars, Values, is_absent, merge_same_labels};
use crate::eval::{RunningQuery, string_argument};
use crate::function::Call;

const BUCKET_LABEL: &str = "le";

/// The rows of one classic histogram.
struct Classic {
    /// All labels but `le`.
    labels: Labels,
    /// Upper bounds, ascending, and the rows that count up to them.
    bounds: Vec<(f64, usize)>,
    /// Steps at which a native histogram has the same labels: neither has a value then.
    conflicts: Vec<usize>,
}

/// The histograms of a vector.
struct Histograms {
    rows: Vec<Row>,
    classic: Vec<Classic>,
    /// Labels and histograms of each series that has any.
    native: Vec<(Labels, Column)>,
    span: Span,
}

/// `histogram_quantile(q, buckets)`
pub(super) fn histogram_quantile(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let [quantile, vector] = call.args else { return Err(call.wrong_arguments()) };
    let quantiles = query.scalars(quantile, grid)?;
    let histograms = Histograms::of(query, vector, grid)?;
    note_invalid(query, &quantiles, grid, quantile);
    let rows = histograms.quantile(query, grid, |step| Some(quantiles.at(step)), None)?;
    merge_same_labels(rows).map(Node::Vector)
}

/// `histogram_quantiles(buckets, label, q…)`: the quantile is in the label.
pub(super) fn histogram_quantiles(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let [vector, label, quantiles @ ..] = call.args else { return Err(call.wrong_arguments()) };
    let label = string_argument(label)?;
    let histograms = Histograms::of(query, vector, grid)?;
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
            let at = |step: usize| (quantiles.at(step).to_bits() == quantile.to_bits()).then_some(quantile);
            answers.extend(histograms.quantile(query, grid, at, Some((label, quantile)))?);
        }
    }
    merge_same_labels(answers).map(Node::Vector)
}

/// `histogram_fraction(lower, upper, buckets)`
pub(super) fn histogram_fraction(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let [lower, upper, vector] = call.args else { return Err(call.wrong_arguments()) };
    let (lower, upper) = (query.scalars(lower, grid)?, query.scalars(upper, grid)?);
    let histograms = Histograms::of(query, vector, grid)?;
    let found = each_classic(query, &histograms, grid, |buckets, step| {
        (buckets::fraction(lower.at(step), upper.at(step), buckets), None)
    })?;
    let mut rows = histograms.native_rows(query, None, |metric, step, histogram| {
        let (lower, upper) = (lower.at(step), upper.at(step));
        let counts = histogram.count != 0.0 && lower < upper;
        if histogram.sum.is_nan() && counts {
            query.annotate(Annotation::FractionWithoutNan(metric.to_owned()), vector.span);
        }
        Some(histogram.fraction(lower, upper))
    })?;
    rows.extend(histograms.classic_rows(query, found, None));
    merge_same_labels(rows).map(Node::Vector)
}

impl Histograms {
    fn of(query: &RunningQuery, vector: &Expr, grid: Grid) -> Result<Self, Error> {
        let mut rows = query.rows(vector, grid)?;
        let span = vector.span;
        let mut native = Vec::new();
        for row in rows.iter_mut().filter(|row| row.values.has_histograms()) {
            native.push((row.labels.clone(), Column::clone(&row.values)));
            row.values.keep_numbers();
        }
        let mut classic = classic(query, &rows, span);
        for (labels, column) in &mut native {
            let same = classic.iter_mut().find(|classic| classic.labels == *labels);
            settle_conflicts(query, column, same, &rows, span);
        }
        Ok(Self { rows, classic, native, span })
    }

    /// The quantile that `at` names at each step where it names one; `labelled` is a label that says which.
    fn quantile(
        &self,
        query: &RunningQuery,
        grid: Grid,
        at: impl Fn(usize) -> Option<f64> + Sync,
        labelled: Option<(&str, f64)>,
    ) -> Result<Vec<Row>, Error> {
        let found = each_classic(query, self, grid, |buckets, step| match at(step) {
            Some(quantile) => buckets::quantile(quantile, buckets),
            None => (ABSENT, None),
        })?;
        let mut rows = self.native_rows(query, labelled, |metric, step, histogram| {
            let (value, skew) = histogram.quantile(at(step)?);
            let remark = match skew {
                Skew::None => None,
                Skew::Higher => Some(Annotation::QuantileIsSkewed(metric.to_owned())),
                Skew::Nan => Some(Annotation::QuantileIsNan(metric.to_owned())),
            };
            remark.into_iter().for_each(|remark| query.annotate(remark, self.span));
            Some(value)
        })?;
        rows.extend(self.classic_rows(query, found, labelled));
        Ok(rows)
    }

    /// What `compute` makes of each native histogram: from its metric, the step and the histogram.
    fn native_rows(
        &self,
        query: &RunningQuery,
        labelled: Option<(&str, f64)>,
        compute: impl Fn(&str, usize, &Histogram) -> Option<f64>,
    ) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        for (labels, column) in &self.native {
            query.check()?;
            let mut values = query.budget.values(column.len())?;
            let metric = if query.options.delayed_name_removal { labels.name() } else { "" };
            for (step, histogram) in column.native() {
                values[step] = compute(metric, step, histogram).unwrap_or(ABSENT);
            }
            if values.any_present() {
                rows.push(named(query, labels, labelled, values));
            }
        }
        Ok(rows)
    }

    fn classic_rows(&self, query: &RunningQuery, found: Found, labelled: Option<(&str, f64)>) -> Vec<Row> {
        let mut rows = Vec::with_capacity(found.len());
        for ((values, repair), classic) in found.into_iter().zip(&self.classic) {
            let row = named(query, &classic.labels, labelled, values);
            if let Some(repair) = repair {
                let metric = if query.options.delayed_name_removal { row.labels.name() } else { "" };
                let remark = Annotation::ForcedMonotonicity { metric: metric.to_owned(), repair };
                query.annotate(remark, self.span);
            }
            if row.values.any_present() {
                rows.push(row);
            }
        }
        rows
    }
}

fn named(query: &RunningQuery, labels: &Labels, labelled: Option<(&str, f64)>, values: Values) -> Row {
    let (mut labels, drop_name) = query.dropped_name(labels);
    if let Some((label, quantile)) = labelled {
        labels = labels.with(label, &open_metrics(quantile));
    }
    Row { labels, drop_name, values }
}

/// Where a native and a classic histogram have the same labels nobody knows which is meant.
fn settle_conflicts(
    query: &RunningQuery,
    native: &mut Column,
    classic: Option<&mut Classic>,
    rows: &[Row],
    span: Span,
) {
    let Some(classic) = classic else { return };
    let steps: Vec<usize> = native.native().map(|(step, _)| step).collect();
    for step in steps {
        if classic.bounds.iter().all(|&(_, row)| is_absent(rows[row].values[step])) {
            continue;
        }
        query.annotate(Annotation::MixedClassicNative(classic.labels.name().to_owned()), span);
        classic.conflicts.push(step);
        native.put(step, None);
    }
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

/// The classic histograms among the rows, in the order of their first bucket; rows without a bound are remarked on.
fn classic(query: &RunningQuery, rows: &[Row], span: Span) -> Vec<Classic> {
    let mut place: HashMap<Labels, usize> = HashMap::new();
    let mut found: Vec<Classic> = Vec::new();
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.values.any_present()) {
        let value = row.labels.get(BUCKET_LABEL).unwrap_or_default();
        let Some(upper) = parse_float(value).ok().filter(|upper| !upper.is_nan()) else {
            let metric = row.labels.name().to_owned();
            let annotation = Annotation::BadBucketLabel { metric, value: value.to_owned() };
            query.annotate(annotation, span);
            continue;
        };
        let labels = row.labels.without(&[BUCKET_LABEL]);
        let histogram = *place.entry(labels).or_insert_with_key(|labels| {
            found.push(Classic { labels: labels.clone(), bounds: Vec::new(), conflicts: Vec::new() });
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
type Found = Vec<(Values, Option<Repair>)>;

/// Calls `compute` with the buckets, at least one, of every classic histogram at every step.
fn each_classic(
    query: &RunningQuery,
    Histograms { classic: histograms, rows, .. }: &Histograms,
    grid: Grid,
    compute: impl Fn(&mut Vec<Bucket>, usize) -> (f64, Option<buckets::Decrease>) + Sync,
) -> Result<Found, Error> {
    let one = |buckets: &mut Vec<Bucket>, histogram: &Classic| {
        query.check()?;
        let mut values = query.budget.values(grid.steps)?;
        let mut repairs: Option<Repair> = None;
        for (step, cell) in values.iter_mut().enumerate() {
            let present = histogram.bounds.iter().map(|&(upper, row)| (upper, rows[row].values[step]));
            buckets.clear();
            buckets.extend(
                present.filter(|&(_, count)| !is_absent(count)).map(|(upper, count)| Bucket { upper, count }),
            );
            if buckets.is_empty() || histogram.conflicts.binary_search(&step).is_ok() {
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
