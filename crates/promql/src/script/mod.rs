//! Runs Prometheus's test scripts: series are loaded, queries evaluated, answers compared.
//!
//! The language is that of Prometheus 3.14 (`promql/promqltest`). Every query at one time is also asked with `@` at
//! other times, and as a range around its time.

mod classic;
mod command;
mod compare;
mod series;

use std::collections::HashMap;
use std::sync::Arc;

use streamflow_tsdb::{Batch, Db, Labels, NO_START, Options, Sample};

use crate::ast::{At, Expr, ExprKind};
use crate::engine::Engine;
use crate::error::Error;
use crate::eval::analysis::{children, is_timed};
use crate::eval::grid::Grid;
use crate::options::{EngineOptions, StopReason};
use crate::query::Query;
use crate::value::{Answer, Value};
use command::{Command, Eval, Expected, Load, When, parse, within_limit};
use compare::{check_remarks, check_value, matrix_at};
use series::Item;

/// What became of the cases of a script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScriptReport {
    /// How many cases came out as expected.
    pub passed: usize,
    /// Those that did not, in order.
    pub failed: Vec<Failure>,
}

/// A case that did not come out as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The line on which the case begins, from 1.
    pub line: usize,
    /// The query, or the line where that cannot be read.
    pub query: String,
    /// What should have come.
    pub expected: String,
    /// What came.
    pub actual: String,
}

/// The labels of a series as a test spells them, such as `up{job="api"}`; an empty text has none.
///
/// # Errors
/// What is wrong with the text.
pub fn metric(text: &str) -> Result<Labels, String> {
    if text.trim().is_empty() {
        return Ok(Labels::default());
    }
    match series::parse_metric(text)? {
        (labels, rest) if rest.trim().is_empty() => Ok(labels),
        (_, rest) => Err(format!("expected nothing behind the series, got {rest:?}")),
    }
}

/// The values of a series as a test spells them: `1 2+1x3 _ 5x2 stale {{schema:0 sum:1}}`, `_` where there is no sample.
///
/// # Errors
/// What is wrong with the text.
pub fn values(text: &str) -> Result<Vec<Option<streamflow_tsdb::Value>>, String> {
    let value = |item| match item {
        Item::Float(value) => Some(streamflow_tsdb::Value::Float(value)),
        Item::Omitted => None,
        Item::Histogram(histogram) | Item::Hinted(histogram) => {
            Some(streamflow_tsdb::Value::Histogram(histogram))
        }
    };
    Ok(series::parse_items(text)?.into_iter().map(value).collect())
}

/// What should have come and what came.
struct Mismatch {
    expected: String,
    actual: String,
}

impl Mismatch {
    fn new(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { expected: expected.into(), actual: actual.into() }
    }
}

/// Runs all commands of a script on a store of its own.
#[must_use]
pub fn run(text: &str) -> ScriptReport {
    let mut report = ScriptReport::default();
    let mut runner = Runner::new();
    for command in parse(text) {
        match command {
            Ok(Command::Clear) => runner.clear(),
            Ok(Command::Load(load)) => runner.load(&load, &mut report),
            Ok(Command::Eval(eval)) => runner.eval(&eval, &mut report),
            Err(bad) => report.failed.push(Failure {
                line: bad.line,
                query: String::new(),
                expected: "a command".into(),
                actual: bad.reason,
            }),
        }
    }
    report
}

struct Runner {
    engine: Engine,
    db: Db,
}

impl Runner {
    fn new() -> Self {
        let options = EngineOptions {
            delayed_name_removal: true,
            experimental: true,
            start_timestamps: true,
            ..EngineOptions::default()
        };
        Self { engine: Engine::new(options), db: Db::in_memory(Options::default()) }
    }

    fn clear(&mut self) {
        *self = Self::new();
    }

    fn load(&mut self, load: &Load, report: &mut ScriptReport) {
        let mut loading = Loading { batch: self.db.batch(), step_ms: load.step_ms, refused: None };
        // The last of several lines with the same labels counts.
        let last: HashMap<&Labels, usize> =
            load.series.iter().enumerate().map(|(place, (labels, _))| (labels, place)).collect();
        for (_, (labels, items)) in
            load.series.iter().enumerate().filter(|(place, (labels, _))| last[labels] == *place)
        {
            loading.add(labels, items, load.starts.get(labels).map_or(&[], Vec::as_slice));
        }
        if load.with_native {
            for (labels, items) in classic::to_native(&load.series) {
                loading.add(&labels, &items, &[]);
            }
        }
        let Loading { batch, refused, .. } = loading;
        let failed = refused.or_else(|| batch.commit().err().map(|error| error.to_string()));
        if let Some(actual) = failed {
            report.failed.push(Failure {
                line: 0,
                query: "load".into(),
                expected: "samples taken".into(),
                actual,
            });
        }
    }

    fn eval(&self, eval: &Eval, report: &mut ScriptReport) {
        match self.check(eval) {
            Ok(()) => report.passed += 1,
            Err(Mismatch { expected, actual }) => {
                report.failed.push(Failure { line: eval.line, query: eval.query.clone(), expected, actual });
            }
        }
    }

    fn check(&self, eval: &Eval) -> Result<(), Mismatch> {
        let query = match Query::parse(&self.engine, &eval.query) {
            Ok(query) => query,
            Err(error) => return check_error(eval, &error),
        };
        match eval.at {
            When::Over(grid) => match self.range(&query, grid) {
                Ok(answer) => check_answer(eval, &answer, Some(grid)),
                Err(error) => check_error(eval, &error),
            },
            When::At(time) => {
                let time = eval.range_vector.map_or(time, |grid| grid.end_ms);
                self.check_instant(&query, eval, time)?;
                let Some(pinned) = pinned(&query.expr, time).filter(|_| !asks_for_span(&eval.query)) else {
                    return Ok(());
                };
                let pinned = Query { expr: pinned, text: query.text };
                let others: &[i64] =
                    if time == 0 { &[-1000, 0, 1000] } else { &[-10 * time, 0, time / 5, time, 10 * time] };
                for &other in others {
                    self.check_instant(&pinned, eval, other).map_err(|mismatch| {
                        within(mismatch, &format!("pinned by @ and evaluated at {other} ms"))
                    })?;
                }
                Ok(())
            }
        }
    }

    fn range(&self, query: &Query, grid: Grid) -> Result<Answer, Error> {
        query.range(&self.engine, &self.db, grid, &never)
    }

    /// Checks the answer at one time, and that of a range query around it.
    fn check_instant(&self, query: &Query, eval: &Eval, time: i64) -> Result<(), Mismatch> {
        let answer = match query.instant(&self.engine, &self.db, time, &never) {
            Ok(answer) => answer,
            Err(error) => return check_error(eval, &error),
        };
        check_answer(eval, &answer, eval.range_vector)?;
        let excluded = eval.range_vector.is_some() || matches!(eval.result, Expected::String(_));
        if excluded || asks_for_span(&eval.query) {
            return Ok(());
        }
        let around = Grid::every(60_000, time - 60_000, time + 60_000);
        let in_range = self
            .range(query, around)
            .map_err(|error| Mismatch::new("the answer as a range query", error.to_string()))?;
        if eval.ordered {
            return Ok(());
        }
        let value = matrix_at(in_range.value, time, matches!(answer.value, Value::Scalar(_)));
        check_value(eval, &value, None).map_err(|mismatch| within(mismatch, "as a range query"))
    }
}

/// Samples on their way into the store; the first that is refused is told.
struct Loading {
    batch: Batch,
    step_ms: i64,
    refused: Option<String>,
}

impl Loading {
    /// The values of one series, with their starts where they have some.
    fn add(&mut self, labels: &Labels, items: &[Item], starts: &[Option<i64>]) {
        for (index, item) in items.iter().enumerate() {
            let value = match item {
                Item::Omitted => continue,
                Item::Float(value) => streamflow_tsdb::Value::Float(*value),
                Item::Histogram(histogram) | Item::Hinted(histogram) => {
                    streamflow_tsdb::Value::Histogram(Arc::clone(histogram))
                }
            };
            let time = i64::try_from(index).ok().and_then(|index| self.step_ms.checked_mul(index));
            let added = match time.and_then(within_limit) {
                None => Err(format!("{index} steps of {} ms: the time is out of range", self.step_ms)),
                Some(timestamp) => {
                    let start = starts.get(index).copied().flatten();
                    let start = start.map_or(NO_START, |start| timestamp.saturating_add(start));
                    let added = self.batch.add_sample(labels, Sample { timestamp, start, value });
                    added.map_err(|error| format!("{timestamp}: {error}"))
                }
            };
            if let Err(reason) = added {
                self.refused.get_or_insert_with(|| format!("{labels} at {reason}"));
            }
        }
    }
}

fn never() -> Option<StopReason> {
    None
}

fn within(mismatch: Mismatch, how: &str) -> Mismatch {
    Mismatch { actual: format!("{}, {how}", mismatch.actual), ..mismatch }
}

fn check_answer(eval: &Eval, answer: &Answer, grid: Option<Grid>) -> Result<(), Mismatch> {
    if eval.fails {
        return Err(Mismatch::new("an error", format!("{:?}", answer.value)));
    }
    check_remarks("warning", &eval.warnings, &answer.warnings)?;
    check_remarks("info", &eval.infos, &answer.infos)?;
    check_value(eval, &answer.value, grid)
}

fn check_error(eval: &Eval, error: &Error) -> Result<(), Mismatch> {
    let actual = error.to_string();
    match &eval.failure {
        _ if !eval.fails => Err(Mismatch::new("an answer", actual)),
        Some(text) if !text.fits(&actual) => Err(Mismatch::new(text.shown(), actual)),
        _ => Ok(()),
    }
}

/// Tells whether the answer depends on more than the time of evaluation.
fn asks_for_span(query: &str) -> bool {
    ["start()", "end()", "range()", "step()"].iter().any(|call| query.to_lowercase().contains(call))
}

/// The expression with every selector pinned to `time`; none where the time of evaluation matters anyway.
fn pinned(expr: &Expr, time: i64) -> Option<Expr> {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        if matches!(&expr.kind, ExprKind::Call { function, .. } if is_timed(function.name)) {
            return None;
        }
        open.extend(children(expr));
    }
    let mut pinned = expr.clone();
    pin(&mut pinned, At::Timestamp(time));
    Some(pinned)
}

fn pin(expr: &mut Expr, at: At) {
    match &mut expr.kind {
        ExprKind::Vector(selector) | ExprKind::Matrix { selector, .. } => {
            selector.modifiers.at.get_or_insert(at);
        }
        // What is within is evaluated at the times of the subquery.
        ExprKind::Subquery(subquery) => {
            subquery.modifiers.at.get_or_insert(at);
        }
        ExprKind::Call { args, .. } => args.iter_mut().for_each(|arg| pin(arg, at)),
        ExprKind::Aggregate(aggregate) => {
            pin(&mut aggregate.expr, at);
            aggregate.param.iter_mut().for_each(|param| pin(param, at));
        }
        ExprKind::Unary { operand, .. } => pin(operand, at),
        ExprKind::Binary(binary) => {
            pin(&mut binary.lhs, at);
            pin(&mut binary.rhs, at);
        }
        ExprKind::Paren(inner) => pin(inner, at),
        ExprKind::Number(_) | ExprKind::Duration(_) | ExprKind::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_lengths_out_of_range_are_refused() {
        let check = |script: &str, expected: &str| {
            let report = run(script);
            assert_eq!(report.failed.len(), 1, "{script}: {report:?}");
            assert!(report.failed[0].actual.contains(expected), "{script}: {report:?}");
        };
        check("load 1e300\n  m 1", "is longer than 9007199254740992 ms");
        check(
            "load 6307200000000\n  m 1 1 1",
            "m at 2 steps of 6307200000000000 ms: the time is out of range",
        );
        check("load -6307200000000\n  m _x2 1", "out of range");
        check("eval instant at 99999999999999 1\n  1", "is longer than 9007199254740992 ms");
        check("eval range from 0 to 290y step 1ms m", "expected at most 1000000 steps, got");
        check("load 1m\n  m 1x18446744073709551615", "more than 1000000 values");
        check("load 1m\n  m 1 {{}}x18446744073709551615", "more than 1000000 values");
        check("load 1m\n  m 1 _x18446744073709551615", "more than 1000000 values");
    }

    #[test]
    fn passes_fails_and_skips() {
        let report = run("load 1m\n  m{a=\"b\"} 1 2 3\n  h {{schema:0 sum:1 count:1}}x2\n\n\
             eval instant at 2m m\n  m{a=\"b\"} 3\n\n\
             eval instant at 2m m * 2\n  {a=\"b\"} 7\n\n\
             eval instant at 2m sum(h)\n  {} {{schema:0 sum:1 count:1}}\n\n\
             eval range from 0 to 2m step 1m m\n  m{a=\"b\"} 1 2 3\n\n\
             eval instant at 2m m +\n  expect fail\n\n\
             nonsense\n");
        assert_eq!(report.passed, 4, "{report:?}");
        let lines: Vec<usize> = report.failed.iter().map(|failure| failure.line).collect();
        assert_eq!(lines, [8, 20], "{report:?}");
        assert_eq!(report.failed[0].query, "m * 2");
        assert_eq!(
            (report.failed[0].expected.as_str(), report.failed[0].actual.as_str()),
            ("{a=\"b\"} 7", "6")
        );
    }
}
