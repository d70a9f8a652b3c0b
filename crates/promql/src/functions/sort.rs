//! `sort` and its kin: the order of an instant query's answer. A range query's answer is ordered by labels anyway.

use std::cmp::Ordering;

use streamflow_tsdb::Labels;

use crate::error::Error;
use crate::eval::grid::{Grid, Node, Row};
use crate::eval::{RunningQuery, string_argument};
use crate::function::Call;

pub(super) fn sort(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    by_value(query, call, grid, |a, b| a.partial_cmp(&b))
}

pub(super) fn sort_desc(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    by_value(query, call, grid, |a, b| b.partial_cmp(&a))
}

/// NaN comes last either way.
fn by_value(
    query: &RunningQuery,
    call: &Call,
    grid: Grid,
    compare: impl Fn(f64, f64) -> Option<Ordering>,
) -> Result<Node, Error> {
    let mut rows = query.rows(&call.args[0], grid)?;
    // Histograms have no order.
    for row in &mut rows {
        row.values.keep_numbers();
    }
    rows.retain(|row| row.values.any_present());
    if grid.steps == 1 {
        rows.sort_by(|a, b| {
            let (a, b) = (a.values[0], b.values[0]);
            compare(a, b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        });
    }
    Ok(Node::Vector(rows))
}

pub(super) fn sort_by_label(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    by_labels(query, call, grid, |rows, names| {
        rows.sort_by(|a, b| compare_labels(&a.labels, &b.labels, names))
    })
}

pub(super) fn sort_by_label_desc(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    by_labels(query, call, grid, |rows, names| {
        rows.sort_by(|a, b| compare_labels(&b.labels, &a.labels, names))
    })
}

fn by_labels(
    query: &RunningQuery,
    call: &Call,
    grid: Grid,
    order: impl Fn(&mut [Row], &[&str]),
) -> Result<Node, Error> {
    let names = call.args[1..].iter().map(string_argument).collect::<Result<Vec<_>, _>>()?;
    let mut rows = query.rows(&call.args[0], grid)?;
    order(&mut rows, &names);
    Ok(Node::Vector(rows))
}

fn compare_labels(a: &Labels, b: &Labels, names: &[&str]) -> Ordering {
    names
        .iter()
        .map(|name| natural(a.get(name).unwrap_or_default(), b.get(name).unwrap_or_default()))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.cmp(b))
}

/// Runs of digits compare as numbers, the rest as text.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let ((a_part, a_digits, a_rest), (b_part, b_digits, b_rest)) = (first_run(a), first_run(b));
        if a_part.is_empty() || b_part.is_empty() {
            return a_part.len().cmp(&b_part.len());
        }
        let order = if a_digits && b_digits {
            let (a_number, b_number) = (a_part.trim_start_matches('0'), b_part.trim_start_matches('0'));
            a_number
                .len()
                .cmp(&b_number.len())
                .then(a_number.cmp(b_number))
                .then(a_part.len().cmp(&b_part.len()))
        } else {
            a_part.cmp(b_part)
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
}

/// The longest start of digits only or of no digits, whether it is digits, and the rest.
fn first_run(text: &str) -> (&str, bool, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    (run, digits, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_order() {
        let check = |a, b, expected| assert_eq!(natural(a, b), expected, "{a} {b}");
        check("a2", "a10", Ordering::Less);
        check("a2", "a2", Ordering::Equal);
        check("", "a", Ordering::Less);
        check("10", "9", Ordering::Greater);
        check("v1.10", "v1.9", Ordering::Greater);
        check("01", "1", Ordering::Greater);
        check("99999999999999999999", "100000000000000000000", Ordering::Less);
    }
}
