//! Evaluation: every node once, over all steps of the query.

pub(crate) mod accumulate;
pub(crate) mod aggregate;
pub(crate) mod analysis;
pub(crate) mod binary;
pub(crate) mod count_values;
pub(crate) mod duration;
pub(crate) mod ends;
pub(crate) mod grid;
pub(crate) mod matching;
pub(crate) mod moment;
pub(crate) mod native;
pub(crate) mod native_groups;
pub(crate) mod nothing;
pub(crate) mod pick;
pub(crate) mod pipeline;
pub(crate) mod quantile;
pub(crate) mod range;
pub(crate) mod ranges;
pub(crate) mod selector;
pub(crate) mod set;
pub(crate) mod source;
pub(crate) mod stage;
pub(crate) mod starts;
pub(crate) mod window;
pub(crate) mod windows;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use streamflow_tsdb::{Db, Labels};

use crate::annotations::{Annotation, Annotations};
use crate::ast::{Expr, ExprKind, Span, ValueType};
use crate::error::Error;
use crate::function::{Call, Implementation};
use crate::options::{EngineOptions, Stop, StopReason};
use analysis::{Analysis, unwrap_parens};
use grid::{Budget, Grid, METADATA, Node, Row, Sample, Scalars, merge_same_labels};
use moment::Moment;

/// One running query.
pub(crate) struct RunningQuery<'q> {
    pub(crate) db: &'q Db,
    pub(crate) options: &'q EngineOptions,
    pub(crate) stop: &'q Stop<'q>,
    /// The times of the whole query; a subquery within is evaluated at others.
    pub(crate) whole: Grid,
    pub(crate) analysis: Analysis,
    pub(crate) budget: Arc<Budget>,
    pub(crate) annotations: Mutex<Annotations>,
    /// Samples read so far.
    pub(crate) samples_read: AtomicU64,
    pub(crate) aggregates_read: AtomicU64,
}

impl RunningQuery<'_> {
    /// Asks whether to go on.
    pub(crate) fn check(&self) -> Result<(), Error> {
        const WHERE: &str = "expression evaluation";
        match (self.stop)() {
            None => Ok(()),
            Some(StopReason::Timeout) => Err(Error::Timeout(WHERE)),
            Some(StopReason::Canceled) => Err(Error::Canceled(WHERE)),
        }
    }

    pub(crate) fn annotate(&self, annotation: Annotation, span: Span) {
        self.annotations.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(annotation, span);
    }

    pub(crate) fn count_read(&self, samples: usize) {
        self.samples_read.fetch_add(samples as u64, Ordering::Relaxed);
    }

    /// A vector, scalar or string at every step. Not for range vectors.
    pub(crate) fn evaluate(&self, expr: &Expr, grid: Grid) -> Result<Node, Error> {
        self.check()?;
        // Down the left side of operators in a loop: `a + b + c …` may be longer than the stack is deep.
        let mut pending = Vec::new();
        let mut node = expr;
        loop {
            if self.is_constant_over(node, grid) {
                break;
            }
            match &node.kind {
                ExprKind::Paren(inner) => node = inner,
                ExprKind::Binary(binary) => {
                    pending.push(binary);
                    node = &binary.lhs;
                }
                _ => break,
            }
        }
        let mut value = self.evaluate_leaf(node, grid)?;
        while let Some(binary) = pending.pop() {
            self.check()?;
            let rhs = self.evaluate(&binary.rhs, grid)?;
            value = self.binary(binary, value, rhs, grid)?;
        }
        Ok(value)
    }

    fn is_constant_over(&self, expr: &Expr, grid: Grid) -> bool {
        grid.steps > 1 && self.analysis.is_invariant(expr)
    }

    fn evaluate_leaf(&self, expr: &Expr, grid: Grid) -> Result<Node, Error> {
        if self.is_constant_over(expr, grid) {
            return self.repeat(self.evaluate(expr, Grid::instant(grid.start_ms))?, grid.steps);
        }
        match &expr.kind {
            ExprKind::Number(value) | ExprKind::Duration(value) => {
                Ok(Node::Scalar(Scalars::Constant(*value)))
            }
            ExprKind::String(text) => Ok(Node::String(text.clone())),
            ExprKind::Aggregate(aggregate) => Ok(Node::Vector(self.aggregate((aggregate, expr.span), grid)?)),
            ExprKind::Unary { negative, operand }
                if self.analysis.value_type(operand) == ValueType::Scalar =>
            {
                let sign = if *negative { -1.0 } else { 1.0 };
                Ok(Node::Scalar(map_scalars(self.scalars(operand, grid)?, |value| sign * value)))
            }
            ExprKind::Call { function, args } => {
                let call = Call { function, args, span: expr.span };
                match function.implementation {
                    Implementation::Node(evaluate) => evaluate(self, &call, grid),
                    Implementation::Scalar(evaluate) => self.scalar_call(evaluate, &call, grid),
                    Implementation::Date(field) if args.is_empty() => self.date_of_evaluation(field, grid),
                    _ => Ok(Node::Vector(self.pipeline(expr, grid)?.collect()?)),
                }
            }
            ExprKind::Vector(_) | ExprKind::Unary { .. } => {
                Ok(Node::Vector(self.pipeline(expr, grid)?.collect()?))
            }
            ExprKind::Matrix { .. } | ExprKind::Subquery(_) => {
                Err(Error::Execution("unexpected range vector".into()))
            }
            ExprKind::Paren(_) | ExprKind::Binary(_) => self.evaluate(expr, grid),
        }
    }

    fn date_of_evaluation(&self, field: fn(Moment) -> f64, grid: Grid) -> Result<Node, Error> {
        let mut values = self.budget.values(grid.steps)?;
        for (step, cell) in values.iter_mut().enumerate() {
            *cell = field(Moment::from_seconds(grid.time(step).div_euclid(1000) as f64));
        }
        Ok(Node::Vector(vec![Row { labels: Labels::default(), drop_name: false, values }]))
    }

    /// The value of one step at all steps.
    fn repeat(&self, node: Node, steps: usize) -> Result<Node, Error> {
        let Node::Vector(rows) = node else { return Ok(node.into_constant()) };
        let rows = rows.into_iter().map(|row| {
            let mut values = self.budget.values(steps)?;
            let first = row.values.sample(0);
            match &first {
                Some(Sample::Histogram(_)) => (0..steps).for_each(|step| values.put(step, first.clone())),
                _ => values.fill(row.values[0]),
            }
            Ok(Row { labels: row.labels, drop_name: row.drop_name, values })
        });
        Ok(Node::Vector(rows.collect::<Result<_, Error>>()?))
    }

    fn scalar_call(
        &self,
        evaluate: fn(&Grid, f64, &[f64]) -> f64,
        call: &Call,
        grid: Grid,
    ) -> Result<Node, Error> {
        let args = call.args.iter().map(|arg| self.scalars(arg, grid)).collect::<Result<Vec<_>, _>>()?;
        let values = (0..grid.steps).map(|step| {
            let args: Vec<f64> = args.iter().map(|arg| arg.at(step)).collect();
            evaluate(&self.whole, grid.time(step) as f64 / 1000.0, &args)
        });
        Ok(Node::Scalar(Scalars::Steps(values.collect())))
    }

    /// A number at every step.
    pub(crate) fn scalars(&self, expr: &Expr, grid: Grid) -> Result<Scalars, Error> {
        match self.evaluate(expr, grid)? {
            Node::Scalar(scalars) => Ok(scalars),
            Node::Vector(_) | Node::String(_) => Err(Error::Execution("expected a scalar".into())),
        }
    }

    /// The series of an instant vector at every step; those without any sample are left out.
    pub(crate) fn rows(&self, expr: &Expr, grid: Grid) -> Result<Vec<Row>, Error> {
        match self.evaluate(expr, grid)? {
            Node::Vector(rows) => Ok(rows),
            Node::Scalar(_) | Node::String(_) => Err(Error::Execution("expected an instant vector".into())),
        }
    }

    /// Drops the names that wait to be dropped and refuses two series of the same labels.
    pub(crate) fn finish(&self, mut rows: Vec<Row>) -> Result<Vec<Row>, Error> {
        for row in &mut rows {
            if std::mem::take(&mut row.drop_name) {
                row.labels = row.labels.without(&METADATA);
            }
        }
        merge_same_labels(rows)
    }

    /// The labels without name now, or with a mark to drop it at the end.
    pub(crate) fn dropped_name(&self, labels: &Labels) -> (Labels, bool) {
        if self.options.delayed_name_removal {
            (labels.clone(), true)
        } else {
            (labels.without(&METADATA), false)
        }
    }
}

impl Node {
    fn into_constant(self) -> Node {
        match self {
            Node::Scalar(scalars) => Node::Scalar(Scalars::Constant(scalars.at(0))),
            other => other,
        }
    }
}

pub(crate) fn map_scalars(scalars: Scalars, map: impl Fn(f64) -> f64) -> Scalars {
    match scalars {
        Scalars::Constant(value) => Scalars::Constant(map(value)),
        Scalars::Steps(values) => Scalars::Steps(values.into_iter().map(map).collect()),
    }
}

/// The text of a string argument.
pub(crate) fn string_argument(expr: &Expr) -> Result<&str, Error> {
    match &unwrap_parens(expr).kind {
        ExprKind::String(text) => Ok(text),
        _ => Err(Error::Execution("expected a string literal".into())),
    }
}
