//! Functions of single samples that follow one another within a pipeline.

use std::sync::Arc;

use crate::ast::{Binary, BinaryOp, Expr, ExprKind, Span, ValueType};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::binary::Operator;
use crate::eval::grid::{Column, Grid, Sample, Scalars, is_absent};
use crate::eval::moment::Moment;
use crate::eval::native::between;
use crate::function::Implementation;

/// A function of one sample.
pub(crate) enum Stage {
    Negate,
    Map(fn(f64) -> f64),
    MapWith(fn(f64, &[f64]) -> f64, Vec<Scalars>),
    Date(fn(Moment) -> f64),
    Operator { op: BinaryOp, operator: Operator, operand: Operand, span: Span },
}

/// The scalar side of an operator.
pub(crate) struct Operand {
    pub(crate) scalars: Scalars,
    pub(crate) is_left: bool,
}

impl RunningQuery<'_> {
    /// The vector whose samples `expr` maps one by one, where it does.
    pub(crate) fn mapped_operand<'e>(&self, expr: &'e Expr) -> Option<&'e Expr> {
        match &expr.kind {
            ExprKind::Paren(inner) => Some(inner),
            ExprKind::Unary { operand, .. } => Some(operand),
            ExprKind::Call { function, args } => match function.implementation {
                Implementation::Map(_) | Implementation::MapWith(_) | Implementation::Date(_) => args.first(),
                _ => None,
            },
            ExprKind::Binary(binary) => self.vector_beside_scalar(binary).map(|(vector, _, _)| vector),
            _ => None,
        }
    }

    /// The vector, the scalar, and whether the scalar is on the left.
    fn vector_beside_scalar<'e>(&self, binary: &'e Binary) -> Option<(&'e Expr, &'e Expr, bool)> {
        match (self.analysis.value_type(&binary.lhs), self.analysis.value_type(&binary.rhs)) {
            (ValueType::Vector, ValueType::Scalar) => Some((&binary.lhs, &binary.rhs, false)),
            (ValueType::Scalar, ValueType::Vector) => Some((&binary.rhs, &binary.lhs, true)),
            _ => None,
        }
    }

    /// What `expr` does to the samples of its operand, if anything.
    pub(crate) fn stage(&self, expr: &Expr, grid: Grid) -> Result<Option<Stage>, Error> {
        Ok(Some(match &expr.kind {
            ExprKind::Unary { negative: true, .. } => Stage::Negate,
            ExprKind::Call { function, args } => {
                let params =
                    || args[1..].iter().map(|arg| self.scalars(arg, grid)).collect::<Result<Vec<_>, Error>>();
                match function.implementation {
                    Implementation::Map(map) => Stage::Map(map),
                    Implementation::MapWith(map) => Stage::MapWith(map, params()?),
                    Implementation::Date(field) => Stage::Date(field),
                    _ => return Ok(None),
                }
            }
            ExprKind::Binary(binary) => {
                let Some((_, scalar, is_left)) = self.vector_beside_scalar(binary) else { return Ok(None) };
                let operand = Operand { scalars: self.scalars(scalar, grid)?, is_left };
                let operator = Operator::of(binary.op, binary.return_bool)?;
                Stage::Operator { op: binary.op, operator, operand, span: binary.lhs.span }
            }
            _ => return Ok(None),
        }))
    }
}

impl Stage {
    /// Maps the samples of a row. `params` is a buffer.
    pub(crate) fn apply(&self, query: &RunningQuery, params: &mut Vec<f64>, values: &mut Column) {
        match self {
            Stage::Negate if values.has_histograms() => values.map_samples(|_, sample| {
                Some(match sample {
                    Sample::Number(value) => Sample::Number(-value),
                    Sample::Histogram(histogram) => Sample::Histogram(Arc::new(histogram.times(-1.0))),
                })
            }),
            Stage::Operator { op, operator, operand, span }
                if values.has_histograms() || !operator.takes_numbers() =>
            {
                values.map_samples(|step, sample| {
                    let scalar = Sample::Number(operand.scalars.at(step));
                    let (lhs, rhs) = if operand.is_left { (&scalar, &sample) } else { (&sample, &scalar) };
                    between(query, (*op, *operator, *span), lhs, rhs, operand.is_left)
                });
            }
            _ => {
                values.keep_numbers();
                self.apply_to_numbers(params, values);
            }
        }
    }

    fn apply_to_numbers(&self, params: &mut Vec<f64>, values: &mut [f64]) {
        match self {
            Stage::Negate => map_present(values, |_, value| -value),
            Stage::Map(map) => map_present(values, |_, value| map(value)),
            Stage::MapWith(map, scalars) => {
                map_present(values, |step, value| {
                    params.clear();
                    params.extend(scalars.iter().map(|scalars| scalars.at(step)));
                    map(value, params)
                });
            }
            Stage::Date(field) => map_present(values, |_, value| field(Moment::from_seconds(value))),
            Stage::Operator { operator, operand, .. } => {
                let Operand { scalars, is_left } = operand;
                // One loop for each kind: the choice is made once.
                match (*operator, *is_left) {
                    (Operator::Arithmetic(arithmetic), false) => {
                        map_present(values, |step, value| arithmetic.apply(value, scalars.at(step)));
                    }
                    (Operator::Arithmetic(arithmetic), true) => {
                        map_present(values, |step, value| arithmetic.apply(scalars.at(step), value));
                    }
                    // Whatever the side, it is the vector's value that is kept.
                    (operator, false) => {
                        map_present(values, |step, value| operator.numbers(value, scalars.at(step), value));
                    }
                    (operator, true) => {
                        map_present(values, |step, value| operator.numbers(scalars.at(step), value, value));
                    }
                }
            }
        }
    }

    /// Tells whether the result is still the metric that it was.
    pub(crate) fn keeps_name(&self) -> bool {
        matches!(self, Stage::Operator { operator, .. } if operator.keeps_name())
    }
}

#[inline]
fn map_present(values: &mut [f64], mut map: impl FnMut(usize, f64) -> f64) {
    for (step, value) in values.iter_mut().enumerate() {
        if !is_absent(*value) {
            *value = map(step, *value);
        }
    }
}
