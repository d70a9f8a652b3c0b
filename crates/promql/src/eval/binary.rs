//! ArithmeticOp and comparisons.

use streamflow_histogram::Keep;

use crate::ast::{Binary, BinaryOp};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::grid::{ABSENT, Grid, Node, Row, Scalars, merge_same_labels};
use crate::eval::stage::{Operand, Stage};

/// `+ - * / % ^ atan2`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArithmeticOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
}

impl ArithmeticOp {
    /// `None` for comparisons and set operators.
    pub(crate) fn of(op: BinaryOp) -> Option<Self> {
        Some(match op {
            BinaryOp::Add => ArithmeticOp::Add,
            BinaryOp::Sub => ArithmeticOp::Sub,
            BinaryOp::Mul => ArithmeticOp::Mul,
            BinaryOp::Div => ArithmeticOp::Div,
            BinaryOp::Mod => ArithmeticOp::Mod,
            BinaryOp::Pow => ArithmeticOp::Pow,
            BinaryOp::Atan2 => ArithmeticOp::Atan2,
            _ => return None,
        })
    }

    #[inline]
    pub(crate) fn apply(self, lhs: f64, rhs: f64) -> f64 {
        match self {
            ArithmeticOp::Add => lhs + rhs,
            ArithmeticOp::Sub => lhs - rhs,
            ArithmeticOp::Mul => lhs * rhs,
            ArithmeticOp::Div => lhs / rhs,
            ArithmeticOp::Mod => lhs % rhs,
            ArithmeticOp::Pow => lhs.powf(rhs),
            ArithmeticOp::Atan2 => lhs.atan2(rhs),
        }
    }
}

/// `== != > < >= <=`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ComparisonOp {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
}

impl ComparisonOp {
    /// # Errors
    /// For an operator that compares nothing.
    pub(crate) fn of(op: BinaryOp) -> Result<Self, Error> {
        Ok(match op {
            BinaryOp::Eq => ComparisonOp::Eq,
            BinaryOp::Ne => ComparisonOp::Ne,
            BinaryOp::Gt => ComparisonOp::Gt,
            BinaryOp::Lt => ComparisonOp::Lt,
            BinaryOp::Ge => ComparisonOp::Ge,
            BinaryOp::Le => ComparisonOp::Le,
            _ => return Err(Error::Execution(format!("operator {op:?} is not a comparison"))),
        })
    }

    #[inline]
    pub(crate) fn holds(self, lhs: f64, rhs: f64) -> bool {
        match self {
            ComparisonOp::Eq => lhs == rhs,
            ComparisonOp::Ne => lhs != rhs,
            ComparisonOp::Gt => lhs > rhs,
            ComparisonOp::Lt => lhs < rhs,
            ComparisonOp::Ge => lhs >= rhs,
            ComparisonOp::Le => lhs <= rhs,
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

/// Any operator but those of sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Arithmetic(ArithmeticOp),
    /// True if the truth itself is the value.
    Comparison(ComparisonOp, bool),
    /// For histograms only.
    Trim(Keep),
}

impl Operator {
    /// # Errors
    /// For an operator of sets.
    pub(crate) fn of(op: BinaryOp, return_bool: bool) -> Result<Self, Error> {
        Ok(match op {
            BinaryOp::TrimUpper => Operator::Trim(Keep::Below),
            BinaryOp::TrimLower => Operator::Trim(Keep::Above),
            _ => match ArithmeticOp::of(op) {
                Some(arithmetic) => Operator::Arithmetic(arithmetic),
                None => Operator::Comparison(ComparisonOp::of(op)?, return_bool),
            },
        })
    }

    /// The value for two numbers, `kept` where a comparison holds.
    #[inline]
    pub(crate) fn numbers(self, lhs: f64, rhs: f64, kept: f64) -> f64 {
        match self {
            Operator::Arithmetic(arithmetic) => arithmetic.apply(lhs, rhs),
            Operator::Comparison(comparison, return_bool) => comparison.select(lhs, rhs, kept, return_bool),
            Operator::Trim(_) => ABSENT,
        }
    }

    /// Tells whether the result is still the metric that it was.
    pub(crate) fn keeps_name(self) -> bool {
        matches!(self, Operator::Comparison(_, false) | Operator::Trim(_))
    }

    /// Tells whether numbers alone can be operands, so that nothing needs to be said.
    pub(crate) fn takes_numbers(self) -> bool {
        !matches!(self, Operator::Trim(_))
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
        let operator = Operator::of(binary.op, binary.return_bool)?;
        let stage = Stage::Operator {
            op: binary.op,
            operator,
            operand: Operand { scalars: scalars.clone(), is_left: scalar_is_left },
            span: binary.lhs.span,
        };
        for row in &mut rows {
            self.check()?;
            stage.apply(self, &mut Vec::new(), &mut row.values);
            row.values.weigh()?;
            if !operator.keeps_name() {
                (row.labels, row.drop_name) = self.dropped_name(&row.labels);
            }
        }
        rows.retain(|row| row.values.any_present());
        if self.options.delayed_name_removal { Ok(rows) } else { merge_same_labels(rows) }
    }
}

fn scalar_binary(op: BinaryOp, lhs: &Scalars, rhs: &Scalars, grid: Grid) -> Result<Scalars, Error> {
    if let BinaryOp::TrimUpper | BinaryOp::TrimLower = op {
        return Err(Error::Execution(format!(
            "operator {:?} not allowed for Scalar operations",
            op.as_str()
        )));
    }
    let apply: Box<dyn Fn(f64, f64) -> f64> = match ArithmeticOp::of(op) {
        Some(arithmetic) => Box::new(move |lhs, rhs| arithmetic.apply(lhs, rhs)),
        None => {
            let comparison = ComparisonOp::of(op)?;
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
    use crate::eval::grid::is_absent;

    #[test]
    fn operators() {
        assert_eq!(ArithmeticOp::Mod.apply(-7.0, 3.0), -1.0);
        assert!(ArithmeticOp::Mod.apply(1.0, 0.0).is_nan());
        assert_eq!(ArithmeticOp::Pow.apply(1.0, f64::NAN), 1.0);
        assert_eq!(ComparisonOp::Ge.select(2.0, 2.0, 2.0, false), 2.0);
        assert!(is_absent(ComparisonOp::Lt.select(2.0, 2.0, 2.0, false)));
        assert_eq!(ComparisonOp::Ne.select(f64::NAN, f64::NAN, 0.0, true), 1.0);
    }
}
