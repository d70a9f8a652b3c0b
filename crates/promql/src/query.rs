//! A parsed query and its evaluation as a whole.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::thread;

use rayon::prelude::*;
use streamflow_histogram::unboxed;
use streamflow_tsdb::{Db, Labels, Samples};

use crate::annotations::Annotations;
use crate::ast::{Expr, ExprKind, ValueType};
use crate::engine::Engine;
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::analysis::{Analysis, unwrap_parens};
use crate::eval::grid::{Budget, Grid, Node, Row, Values, is_absent};
use crate::eval::pipeline::PARALLEL_CELLS;
use crate::options::Stop;
use crate::parser::{ParseOptions, answered, parse_with};
use crate::value::{Answer, RangeSeries, Stats, Value, VectorSample};

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The expression.
    pub expr: Expr,
    /// The text that the expression was parsed from, to which positions in remarks refer.
    pub text: String,
}

/// Deepest expression that is evaluated on the caller's stack.
const SHALLOW: usize = 32;
/// Stack for each level of a deeper one, in bytes.
const STACK_PER_LEVEL: usize = 32 * 1024;

impl Query {
    /// Parses a text in the engine's language.
    ///
    /// # Errors
    /// [`Error::Parse`].
    pub fn parse(engine: &Engine, text: &str) -> Result<Self, Error> {
        let experimental = engine.options().experimental;
        let expr = parse_with(text, &ParseOptions { experimental, ..ParseOptions::default() })?;
        Ok(Self { expr, text: text.to_owned() })
    }

    /// The value at one time.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn instant(&self, engine: &Engine, db: &Db, time_ms: i64, stop: &Stop) -> Result<Answer, Error> {
        self.run(engine, db, Grid::instant(time_ms), stop, instant_value)
    }

    /// The value at every time of a grid, which [`Engine::grid`] makes: always a matrix.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn range(&self, engine: &Engine, db: &Db, grid: Grid, stop: &Stop) -> Result<Answer, Error> {
        self.run(engine, db, grid, stop, range_value)
    }

    fn run(
        &self,
        engine: &Engine,
        db: &Db,
        whole: Grid,
        stop: &Stop,
        evaluate: fn(&RunningQuery, &Expr) -> Result<Value, Error>,
    ) -> Result<Answer, Error> {
        let query = RunningQuery {
            db,
            options: engine.options(),
            stop,
            whole,
            analysis: Analysis::of(&self.expr),
            budget: Budget::new(engine.options().max_samples),
            annotations: Mutex::new(Annotations::default()),
            samples_read: AtomicU64::new(0),
            aggregates_read: AtomicU64::new(0),
        };
        let value = on_deep_enough_stack(query.analysis.depth, || evaluate(&query, &self.expr))?;
        let stats = Stats {
            samples_read: query.samples_read.into_inner(),
            aggregates_read: query.aggregates_read.into_inner(),
            peak_samples: query.budget.peak(),
        };
        let annotations = query.annotations.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (warnings, infos) = annotations.into_texts(&self.text);
        Ok(Answer { value, warnings, infos, stats })
    }
}

/// Runs `evaluate` on this thread, or on one with a larger stack where the expression is deep.
fn on_deep_enough_stack(
    depth: usize,
    evaluate: impl FnOnce() -> Result<Value, Error> + Send,
) -> Result<Value, Error> {
    if depth <= SHALLOW {
        return evaluate();
    }
    let stack_size = (1 << 20) + depth * STACK_PER_LEVEL;
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(stack_size).spawn_scoped(scope, evaluate);
        let thread =
            thread.map_err(|error| Error::Execution(format!("expression too deep to evaluate: {error}")))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn instant_value(query: &RunningQuery, expr: &Expr) -> Result<Value, Error> {
    let grid = query.whole;
    let time_ms = grid.start_ms;
    if query.analysis.value_type(expr) == ValueType::Matrix {
        return match &unwrap_parens(expr).kind {
            ExprKind::Matrix { selector, range } => {
                query.raw_matrix((selector, unwrap_parens(expr).span), range, time_ms).map(Value::Matrix)
            }
            ExprKind::Subquery(subquery) => {
                let (rows, inner) = query.subquery(subquery, grid)?;
                Ok(matrix(query.finish(rows)?, inner))
            }
            _ => Err(Error::Execution("unexpected range vector".into())),
        };
    }
    Ok(match query.evaluate(expr, grid)? {
        Node::Scalar(scalars) => Value::Scalar(scalars.at(0)),
        Node::String(text) => Value::String(answered(&text)),
        Node::Vector(rows) => {
            let samples = query.finish(rows)?.into_iter().filter(|row| !is_absent(row.values[0]));
            let sample = |row: Row| {
                let histogram = row.values.histogram(0).cloned();
                let value = if histogram.is_some() { f64::NAN } else { row.values[0] };
                VectorSample { labels: row.labels, timestamp: time_ms, value, histogram }
            };
            Value::Vector(samples.map(sample).collect())
        }
    })
}

fn range_value(query: &RunningQuery, expr: &Expr) -> Result<Value, Error> {
    let grid = query.whole;
    let kind = match query.analysis.value_type(expr) {
        ValueType::Matrix => "range vector",
        ValueType::String => "string",
        ValueType::Scalar | ValueType::Vector => {
            return match query.evaluate(expr, grid)? {
                Node::Vector(rows) => Ok(matrix(query.finish(rows)?, grid)),
                Node::Scalar(scalars) => {
                    let samples = Samples {
                        timestamps: grid.times().collect(),
                        values: scalars.iter(grid.steps).collect(),
                        ..Samples::default()
                    };
                    Ok(Value::Matrix(vec![RangeSeries { labels: Labels::default(), samples }]))
                }
                Node::String(_) => Err(Error::Execution("unexpected string".into())),
            };
        }
    };
    Err(Error::BadData(format!(
        "invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector"
    )))
}

/// The samples that are present, ordered by labels.
fn matrix(rows: Vec<Row>, grid: Grid) -> Value {
    let times: Vec<i64> = grid.times().collect();
    let of_row = |row: Row| RangeSeries { labels: row.labels, samples: present(row.values, &times) };
    let mut series: Vec<RangeSeries> = if rows.len().saturating_mul(grid.steps) > PARALLEL_CELLS {
        rows.into_par_iter().map(of_row).collect()
    } else {
        rows.into_iter().map(of_row).collect()
    };
    series.retain(|series| !series.samples.values.is_empty());
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    Value::Matrix(series)
}

fn present(values: Values, times: &[i64]) -> Samples {
    let (mut values, histograms) = values.into_parts();
    if !histograms.is_empty() {
        let mut samples = Samples::default();
        for (&time, &value) in times.iter().zip(&values).filter(|(_, value)| !is_absent(**value)) {
            match unboxed(value).and_then(|place| histograms.get(place)) {
                Some(histogram) => samples.push_histogram(time, Arc::clone(histogram)),
                None => samples.push(time, value),
            }
        }
        return samples;
    }
    let count = values.iter().filter(|&&value| !is_absent(value)).count();
    if count == values.len() {
        return Samples { timestamps: times.to_vec(), values, ..Samples::default() };
    }
    let mut timestamps = Vec::with_capacity(count);
    timestamps
        .extend(times.iter().zip(&values).filter(|(_, value)| !is_absent(**value)).map(|(&time, _)| time));
    values.retain(|&value| !is_absent(value));
    Samples { timestamps, values, ..Samples::default() }
}
