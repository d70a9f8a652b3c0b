//! Functions of single native histograms; numbers are left out.

use streamflow_histogram::Histogram;

use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::grid::{Grid, Node, Sample, merge_same_labels};
use crate::function::Call;

pub(super) fn average(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    each(query, call, grid, |histogram| histogram.sum / histogram.count)
}

pub(super) fn count(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    each(query, call, grid, |histogram| histogram.count)
}

pub(super) fn sum(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    each(query, call, grid, |histogram| histogram.sum)
}

pub(super) fn variance(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    each(query, call, grid, Histogram::variance)
}

pub(super) fn deviation(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    each(query, call, grid, |histogram| histogram.variance().sqrt())
}

fn each(
    query: &RunningQuery,
    call: &Call,
    grid: Grid,
    map: impl Fn(&Histogram) -> f64,
) -> Result<Node, Error> {
    let [vector] = call.args else { return Err(call.wrong_arguments()) };
    let mut rows = query.rows(vector, grid)?;
    rows.retain(|row| row.values.has_histograms());
    for row in &mut rows {
        query.check()?;
        row.values.map_samples(|_, sample| match sample {
            Sample::Histogram(histogram) => Some(Sample::Number(map(&histogram))),
            Sample::Number(_) => None,
        });
        (row.labels, row.drop_name) = query.dropped_name(&row.labels);
    }
    rows.retain(|row| row.values.any_present());
    merge_same_labels(rows).map(Node::Vector)
}
