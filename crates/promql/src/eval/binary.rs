//! Arithmetic and comparisons.

use crate::ast::{Binary, BinaryOp};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::grid::{ABSENT, Grid, Node, Row, Scalars, is_absent, merge_same_labels};

/// `+ - * / % ^ atan2`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
}

impl Arithmetic {
    /// `None` for comparisons and set operators.
    pub(crate) fn of(op: BinaryOp) -> Option<Self> {
        Some(match op {
            BinaryOp::Add => Arithmetic::Add,
            BinaryOp::Sub => Arithmetic::Sub,
            BinaryOp::Mul => Arithmetic::Mul,
            BinaryOp::Div => Arithmetic::Div,
            BinaryOp::Mod => Arithmetic::Mod,
            BinaryOp::Pow => Arithmetic::Pow,
            BinaryOp::Atan2 => Arithmetic::Atan2,
            _ => return None,
        })
    }

    #[inline]
    pub(crate) fn apply(self, lhs: f64, rhs: f64) -> f64 {
        match self {
            Arithmetic::Add => lhs + rhs,
            Arithmetic::Sub => lhs - rhs,
            Arithmetic::Mul => lhs * rhs,
            Arithmetic::Div => lhs / rhs,
            Arithmetic::Mod => lhs % rhs,
            Arithmetic::Pow => lhs.powf(rhs),
            Arithmetic::Atan2 => lhs.atan2(rhs),
        }
    }
}

/// `== != > < >= <=`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
}

impl Comparison {
    /// # Errors
    /// For an operator that compares nothing.
    pub(crate) fn of(op: BinaryOp) -> Result<Self, Error> {
        Ok(match op {
            BinaryOp::Eq => Comparison::Eq,
            BinaryOp::Ne => Comparison::Ne,
            BinaryOp::Gt => Comparison::Gt,
            BinaryOp::Lt => Comparison::Lt,
            BinaryOp::Ge => Comparison::Ge,
            BinaryOp::Le => Comparison::Le,
            _ => return Err(Error::Execution(format!("operator {op:?} is not a comparison"))),
        })
    }

    #[inline]
    pub(crate) fn holds(self, lhs: f64, rhs: f64) -> bool {
        match self {
            Comparison::Eq => lhs == rhs,
            Comparison::Ne => lhs != rhs,
            Comparison::Gt => lhs > rhs,
            Comparison::Lt => lhs < rhs,
            Comparison::Ge => lhs >= rhs,
            Comparison::Le => lhs <= rhs,
        }
    }

    /// 1 or 0, or `kept` where it holds and no sample where not.
    #[inline]
    pub(crate) fn select(self, lhs: f64, rhs: f64, kept: f64, return_bool: bool) -> f64 {
        match (self.holds(lhs, rhs), return_bool) {
            (true, true) => 1.0,
            (false, true) => 0.0,
            (true, false) => kept,
            (false, false) => ABSENT,
        }
    }
}

impl RunningQuery<'_> {
    /// One operator between two values.
    pub(crate) fn binary(&self, binary: &Binary, lhs: Node, rhs: Node, grid: Grid) -> Result<Node, Error> {
        match (lhs, rhs) {
            (Node::Scalar(lhs), Node::Scalar(rhs)) => {
                scalar_binary(binary.op, &lhs, &rhs, grid).map(Node::Scalar)
            }
            (Node::Vector(lhs), Node::Vector(rhs)) => {
                self.vector_binary(binary, lhs, rhs, grid).map(Node::Vector)
            }
            (Node::Vector(rows), Node::Scalar(scalars)) => {
                self.vector_scalar(binary, rows, &scalars, false).map(Node::Vector)
            }
            (Node::Scalar(scalars), Node::Vector(rows)) => {
                self.vector_scalar(binary, rows, &scalars, true).map(Node::Vector)
            }
            (Node::String(_), _) | (_, Node::String(_)) => Err(Error::Execution(
                "binary expression must contain only scalar and instant vector types".into(),
            )),
        }
    }

    fn vector_scalar(
        &self,
        binary: &Binary,
        mut rows: Vec<Row>,
        scalars: &Scalars,
        scalar_is_left: bool,
    ) -> Result<Vec<Row>, Error> {
        let arithmetic = Arithmetic::of(binary.op);
        let comparison = if arithmetic.is_none() { Some(Comparison::of(binary.op)?) } else { None };
        for row in &mut rows {
            self.check()?;
            for (step, cell) in row.values.iter_mut().enumerate() {
                if is_absent(*cell) {
                    continue;
                }
                let (value, scalar) = (*cell, scalars.at(step));
                let (lhs, rhs) = if scalar_is_left { (scalar, value) } else { (value, scalar) };
                *cell = match (arithmetic, comparison) {
                    (Some(arithmetic), _) => arithmetic.apply(lhs, rhs),
                    // Whatever the side, it is the vector's value that is kept.
                    (None, Some(comparison)) => comparison.select(lhs, rhs, value, binary.return_bool),
                    (None, None) => ABSENT,
                };
            }
            if arithmetic.is_some() || binary.return_bool {
                (row.labels, row.drop_name) = self.dropped_name(&row.labels);
            }
        }
        rows.retain(|row| row.values.any_present());
        if self.options.delayed_name_removal { Ok(rows) } else { merge_same_labels(rows) }
    }
}

fn scalar_binary(op: BinaryOp, lhs: &Scalars, rhs: &Scalars, grid: Grid) -> Result<Scalars, Error> {
    let apply: Box<dyn Fn(f64, f64) -> f64> = match Arithmetic::of(op) {
        Some(arithmetic) => Box::new(move |lhs, rhs| arithmetic.apply(lhs, rhs)),
        None => {
            let comparison = Comparison::of(op)?;
            Box::new(move |lhs, rhs| f64::from(u8::from(comparison.holds(lhs, rhs))))
        }
    };
    Ok(match (lhs, rhs) {
        (Scalars::Constant(lhs), Scalars::Constant(rhs)) => Scalars::Constant(apply(*lhs, *rhs)),
        _ => Scalars::Steps((0..grid.steps).map(|step| apply(lhs.at(step), rhs.at(step))).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators() {
        assert_eq!(Arithmetic::Mod.apply(-7.0, 3.0), -1.0);
        assert!(Arithmetic::Mod.apply(1.0, 0.0).is_nan());
        assert_eq!(Arithmetic::Pow.apply(1.0, f64::NAN), 1.0);
        assert_eq!(Comparison::Ge.select(2.0, 2.0, 2.0, false), 2.0);
        assert!(is_absent(Comparison::Lt.select(2.0, 2.0, 2.0, false)));
        assert_eq!(Comparison::Ne.select(f64::NAN, f64::NAN, 0.0, true), 1.0);
    }
}
