//! Functions of single samples that follow one another within a pipeline.

use crate::ast::{Binary, Expr, ExprKind, ValueType};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::binary::{ArithmeticOp, ComparisonOp};
use crate::eval::grid::{Grid, Scalars, is_absent};
use crate::eval::moment::Moment;
use crate::function::Implementation;

/// A function of one sample.
pub(crate) enum Stage {
    Negate,
    Map(fn(f64) -> f64),
    MapWith(fn(f64, &[f64]) -> f64, Vec<Scalars>),
    Date(fn(Moment) -> f64),
    Arithmetic(ArithmeticOp, Operand),
    Comparison(ComparisonOp, Operand, bool),
}

/// The scalar side of an operator.
pub(crate) struct Operand {
    scalars: Scalars,
    is_left: bool,
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
                match ArithmeticOp::of(binary.op) {
                    Some(arithmetic) => Stage::Arithmetic(arithmetic, operand),
                    None => Stage::Comparison(ComparisonOp::of(binary.op)?, operand, binary.return_bool),
                }
            }
            _ => return Ok(None),
        }))
    }
}

impl Stage {
    /// Maps the samples of a row. `params` is a buffer.
    pub(crate) fn apply(&self, params: &mut Vec<f64>, values: &mut [f64]) {
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
            Stage::Arithmetic(arithmetic, Operand { scalars, is_left: false }) => {
                map_present(values, |step, value| arithmetic.apply(value, scalars.at(step)));
            }
            Stage::Arithmetic(arithmetic, Operand { scalars, is_left: true }) => {
                map_present(values, |step, value| arithmetic.apply(scalars.at(step), value));
            }
            Stage::Comparison(comparison, operand, return_bool) => map_present(values, |step, value| {
                let scalar = operand.scalars.at(step);
                let (lhs, rhs) = if operand.is_left { (scalar, value) } else { (value, scalar) };
                comparison.select(lhs, rhs, value, *return_bool)
            }),
        }
    }

    /// Tells whether the result is still the metric that it was.
    pub(crate) fn keeps_name(&self) -> bool {
        matches!(self, Stage::Comparison(_, _, false))
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
