//! The engine: queries in, answers out.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::thread;

use rayon::prelude::*;
use streamflow_tsdb::{Db, Labels, Samples};

use crate::annotations::Annotations;
use crate::ast::{Expr, ExprKind, ValueType};
use crate::error::Error;
use crate::eval::Query;
use crate::eval::analysis::{Analysis, unwrap_parens};
use crate::eval::duration::QuerySpan;
use crate::eval::grid::{Budget, Grid, Node, Row, Values, is_absent};
use crate::eval::pipeline::PARALLEL_CELLS;
use crate::parser::{ParseOptions, parse_with};

/// Limits and defaults of evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// How long a sample counts when none follows, in milliseconds.
    pub lookback_ms: i64,
    /// The most samples that one query may hold in memory.
    pub max_samples: usize,
    /// Step of a subquery without one, in milliseconds.
    pub subquery_step_ms: i64,
    /// The most steps of a range query.
    pub max_steps: usize,
    /// Whether what Prometheus calls experimental is part of the language; see [`ParseOptions::experimental`].
    pub experimental: bool,
    /// Keep metric names until the whole query is evaluated (Prometheus 3's `promql-delayed-name-removal`).
    pub delayed_name_removal: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            max_samples: 50_000_000,
            subquery_step_ms: 60_000,
            max_steps: 11_000,
            experimental: false,
            delayed_name_removal: false,
        }
    }
}

/// Why an evaluation should end early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It has taken as long as it may.
    Timeout,
    /// Whoever asked has gone.
    Canceled,
}

/// Asked now and then during an evaluation, from any thread; an answer ends it.
pub type Stop<'a> = dyn Fn() -> Option<StopReason> + Sync + 'a;

/// Evaluates PromQL over a [`Db`].
#[derive(Debug, Clone, Default)]
pub struct Engine {
    options: EngineOptions,
}

/// What a query came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The result.
    pub value: Value,
    /// Likely mistakes, in Prometheus's words.
    pub warnings: Vec<String>,
    /// Remarks, in Prometheus's words.
    pub infos: Vec<String>,
    /// What it took.
    pub stats: Stats,
}

/// What an evaluation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Samples read from the store.
    pub samples_read: u64,
    /// The most samples held in memory at a time.
    pub peak_samples: usize,
}

/// A result.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// One text.
    String(String),
    /// One sample for each of some series.
    Vector(Vec<VectorSample>),
    /// Samples over time for each of some series, ordered by labels.
    Matrix(Vec<RangeSeries>),
}

/// A sample of a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSample {
    /// Its series.
    pub labels: Labels,
    /// The time of evaluation, milliseconds since 1970.
    pub timestamp: i64,
    /// Its value.
    pub value: f64,
}

/// A series of a matrix; never without samples.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeSeries {
    /// Its labels.
    pub labels: Labels,
    /// Ascending by time.
    pub samples: Samples,
}

/// Deepest expression that is evaluated on the caller's stack.
const SHALLOW: usize = 32;
/// Stack for each level of a deeper one, in bytes.
const STACK_PER_LEVEL: usize = 32 * 1024;

impl Engine {
    /// An engine with these limits.
    #[must_use]
    pub fn new(options: EngineOptions) -> Self {
        Self { options }
    }

    /// The limits.
    #[must_use]
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    fn parse(&self, query: &str) -> Result<Expr, Error> {
        parse_with(
            query,
            &ParseOptions { experimental: self.options.experimental, ..ParseOptions::default() },
        )
    }

    /// The value of `query` at one time.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn instant(&self, db: &Db, query: &str, time_ms: i64, stop: &Stop) -> Result<Answer, Error> {
        self.instant_expr(db, &self.parse(query)?, query, time_ms, stop)
    }

    /// As [`Engine::instant`], of a parsed expression. `text` is what it was parsed from, for positions in remarks.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn instant_expr(
        &self,
        db: &Db,
        expr: &Expr,
        text: &str,
        time_ms: i64,
        stop: &Stop,
    ) -> Result<Answer, Error> {
        let span = QuerySpan { start_ms: time_ms, end_ms: time_ms, step_ms: 0 };
        self.run(db, (expr, text), span, stop, |query| instant_value(query, expr, time_ms))
    }

    /// The value of `query` at every `step_ms` from `start_ms` to `end_ms`, both included: always a matrix.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn range(
        &self,
        db: &Db,
        query: &str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        stop: &Stop,
    ) -> Result<Answer, Error> {
        self.range_expr(db, &self.parse(query)?, query, (start_ms, end_ms), step_ms, stop)
    }

    /// As [`Engine::range`], of a parsed expression. `text` is what it was parsed from, for positions in remarks.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn range_expr(
        &self,
        db: &Db,
        expr: &Expr,
        text: &str,
        (start_ms, end_ms): (i64, i64),
        step_ms: i64,
        stop: &Stop,
    ) -> Result<Answer, Error> {
        let bad_data = |message: &str| Err(Error::BadData(message.into()));
        if end_ms < start_ms {
            return bad_data("invalid parameter \"end\": end timestamp must not be before start time");
        }
        if step_ms <= 0 {
            return bad_data(
                "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
            );
        }
        if end_ms.saturating_sub(start_ms) / step_ms
            >= i64::try_from(self.options.max_steps).unwrap_or(i64::MAX)
        {
            return bad_data(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
            );
        }
        let span = QuerySpan { start_ms, end_ms, step_ms };
        let grid = Grid::range(start_ms, end_ms, step_ms);
        self.run(db, (expr, text), span, stop, |query| range_value(query, expr, grid))
    }

    fn run(
        &self,
        db: &Db,
        (expr, text): (&Expr, &str),
        span: QuerySpan,
        stop: &Stop,
        evaluate: impl FnOnce(&Query) -> Result<Value, Error> + Send,
    ) -> Result<Answer, Error> {
        let query = Query {
            db,
            options: &self.options,
            stop,
            span,
            analysis: Analysis::of(expr),
            budget: Budget::new(self.options.max_samples),
            annotations: Mutex::new(Annotations::default()),
            samples_read: AtomicU64::new(0),
        };
        let value = if query.analysis.depth <= SHALLOW {
            evaluate(&query)
        } else {
            let stack_size = (1 << 20) + query.analysis.depth * STACK_PER_LEVEL;
            thread::scope(|scope| {
                let thread =
                    thread::Builder::new().stack_size(stack_size).spawn_scoped(scope, || evaluate(&query));
                let thread = thread
                    .map_err(|error| Error::Execution(format!("expression too deep to evaluate: {error}")))?;
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        }?;
        let stats =
            Stats { samples_read: query.samples_read.into_inner(), peak_samples: query.budget.peak() };
        let annotations = query.annotations.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (warnings, infos) = annotations.into_texts(text);
        Ok(Answer { value, warnings, infos, stats })
    }
}

fn instant_value(query: &Query, expr: &Expr, time_ms: i64) -> Result<Value, Error> {
    let grid = Grid::instant(time_ms);
    if query.analysis.value_type(expr) == ValueType::Matrix {
        return match &unwrap_parens(expr).kind {
            ExprKind::Matrix { selector, range } => {
                query.raw_matrix(selector, range, time_ms).map(Value::Matrix)
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
        Node::String(text) => Value::String(text),
        Node::Vector(rows) => {
            let samples = query.finish(rows)?.into_iter().filter(|row| !is_absent(row.values[0]));
            Value::Vector(
                samples
                    .map(|row| VectorSample { labels: row.labels, timestamp: time_ms, value: row.values[0] })
                    .collect(),
            )
        }
    })
}

fn range_value(query: &Query, expr: &Expr, grid: Grid) -> Result<Value, Error> {
    let kind = match query.analysis.value_type(expr) {
        ValueType::Matrix => "range vector",
        ValueType::String => "string",
        ValueType::Scalar | ValueType::Vector => {
            return match query.evaluate(expr, grid)? {
                Node::Vector(rows) => Ok(matrix(query.finish(rows)?, grid)),
                Node::Scalar(scalars) => {
                    let samples = Samples {
                        timestamps: (0..grid.steps).map(|step| grid.time(step)).collect(),
                        values: scalars.iter(grid.steps).collect(),
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
    let times: Vec<i64> = (0..grid.steps).map(|step| grid.time(step)).collect();
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
    let mut values = values.into_cells();
    let count = values.iter().filter(|&&value| !is_absent(value)).count();
    if count == values.len() {
        return Samples { timestamps: times.to_vec(), values };
    }
    let mut timestamps = Vec::with_capacity(count);
    timestamps
        .extend(times.iter().zip(&values).filter(|(_, value)| !is_absent(**value)).map(|(&time, _)| time));
    values.retain(|&value| !is_absent(value));
    Samples { timestamps, values }
}
