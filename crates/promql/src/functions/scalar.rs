//! Between numbers and vectors: `scalar`, `vector`, `absent`, `timestamp`, and numbers of the query itself.

use streamflow_tsdb::{Labels, METRIC_NAME, MatchOp};

use crate::ast::{Expr, ExprKind};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::analysis::unwrap_parens;
use crate::eval::grid::{Grid, Node, Row, Scalars, is_absent};
use crate::eval::selector::Take;
use crate::function::Call;

/// The value of the only series; NaN where there is none or several.
pub(super) fn scalar(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let mut rows = query.rows(&call.args[0], grid)?;
    for row in &mut rows {
        row.values.keep_numbers();
    }
    let only = |step: usize| {
        let mut present = rows.iter().map(|row| row.values[step]).filter(|&value| !is_absent(value));
        match (present.next(), present.next()) {
            (Some(value), None) => value,
            _ => f64::NAN,
        }
    };
    Ok(Node::Scalar(Scalars::Steps((0..grid.steps).map(only).collect())))
}

/// One series without labels.
pub(super) fn vector(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let scalars = query.scalars(&call.args[0], grid)?;
    let mut values = query.budget.values(grid.steps)?;
    values.iter_mut().zip(scalars.iter(grid.steps)).for_each(|(cell, value)| *cell = value);
    Ok(Node::Vector(vec![Row { labels: Labels::default(), drop_name: false, values }]))
}

/// 1 at the steps where the vector is empty.
pub(super) fn absent(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let rows = query.rows(&call.args[0], grid)?;
    where_empty(query, &rows, unwrap_parens(&call.args[0]), grid)
}

/// 1 at the steps where no series has a sample in the range.
pub(super) fn absent_over_time(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let present = super::lookup("present_over_time").expect("present_over_time is in the table");
    let rows = query.range_rows(&Call { function: present, args: call.args, span: call.span }, grid)?;
    where_empty(query, &rows, unwrap_parens(&call.args[0]), grid)
}

fn where_empty(query: &RunningQuery, rows: &[Row], argument: &Expr, grid: Grid) -> Result<Node, Error> {
    let mut values = query.budget.values(grid.steps)?;
    for (step, cell) in values.iter_mut().enumerate() {
        if rows.iter().all(|row| is_absent(row.values[step])) {
            *cell = 1.0;
        }
    }
    if !values.any_present() {
        return Ok(Node::Vector(Vec::new()));
    }
    Ok(Node::Vector(vec![Row { labels: matched_labels(argument), drop_name: false, values }]))
}

/// The labels that a selector asks for by equality, once each.
fn matched_labels(argument: &Expr) -> Labels {
    let selector = match &argument.kind {
        ExprKind::Vector(selector) | ExprKind::Matrix { selector, .. } => selector,
        _ => return Labels::default(),
    };
    let mut labels = Labels::default();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in selector.matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME) {
        let once = matcher.op() == MatchOp::Equal && !seen.contains(&matcher.name());
        labels = if once && !matcher.value().is_empty() {
            labels.with(matcher.name(), matcher.value())
        } else {
            labels.without(&[matcher.name()])
        };
        if once {
            seen.push(matcher.name());
        }
    }
    labels
}

/// The time of each sample in seconds: that of a selector's sample, else of the evaluation.
pub(super) fn timestamp(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let argument = unwrap_parens(&call.args[0]);
    let mut rows = if let ExprKind::Vector(selector) = &argument.kind {
        query.instant_source((selector, argument.span), grid, Take::Timestamp)?.collect()?
    } else {
        let mut rows = query.rows(&call.args[0], grid)?;
        for row in &mut rows {
            for (step, cell) in row.values.iter_mut().enumerate().filter(|(_, cell)| !is_absent(**cell)) {
                *cell = grid.time(step) as f64 / 1000.0;
            }
            row.values.clear_histograms();
        }
        rows
    };
    for row in &mut rows {
        (row.labels, row.drop_name) = query.dropped_name(&row.labels);
    }
    crate::eval::grid::merge_same_labels(rows).map(Node::Vector)
}

/// The start timestamp of each sample of a selector in seconds, 0 where none is known; of anything else nothing.
pub(super) fn start_timestamp(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let argument = unwrap_parens(&call.args[0]);
    let ExprKind::Vector(selector) = &argument.kind else {
        return query.rows(&call.args[0], grid).map(|_| Node::Vector(Vec::new()));
    };
    let mut rows = query.instant_source((selector, argument.span), grid, Take::Start)?.collect()?;
    for row in &mut rows {
        (row.labels, row.drop_name) = query.dropped_name(&row.labels);
    }
    crate::eval::grid::merge_same_labels(rows).map(Node::Vector)
}

pub(super) fn pi(_: &Grid, _: f64, _: &[f64]) -> f64 {
    std::f64::consts::PI
}

pub(super) fn time(_: &Grid, seconds: f64, _: &[f64]) -> f64 {
    seconds
}

pub(super) fn start(whole: &Grid, _: f64, _: &[f64]) -> f64 {
    whole.start_ms as f64 / 1000.0
}

pub(super) fn end(whole: &Grid, _: f64, _: &[f64]) -> f64 {
    whole.end_ms as f64 / 1000.0
}

pub(super) fn step(whole: &Grid, _: f64, _: &[f64]) -> f64 {
    whole.step_ms as f64 / 1000.0
}

pub(super) fn range(whole: &Grid, _: f64, _: &[f64]) -> f64 {
    whole.range_seconds()
}

pub(super) fn min_of(_: &Grid, _: f64, args: &[f64]) -> f64 {
    super::math::smaller(args[0], args[1])
}

pub(super) fn max_of(_: &Grid, _: f64, args: &[f64]) -> f64 {
    super::math::larger(args[0], args[1])
}
