//! Operators of which a side is a histogram.

use std::sync::Arc;

use streamflow_histogram::{Histogram, Joined};

use crate::annotations::{Annotation, Combination};
use crate::ast::{BinaryOp, Span};
use crate::eval::RunningQuery;
use crate::eval::binary::{ArithmeticOp, ComparisonOp, Operator};
use crate::eval::grid::{Sample, is_absent};

impl Sample {
    /// What remarks call it.
    fn kind(&self) -> &'static str {
        match self {
            Sample::Number(_) => "float",
            Sample::Histogram(_) => "histogram",
        }
    }
}

/// What an operator makes of two samples. The value that a comparison keeps is the left one, or the right one if
/// `keep_right`. What has no value is remarked on.
pub(crate) fn between(
    query: &RunningQuery,
    (op, operator, span): (BinaryOp, Operator, Span),
    lhs: &Sample,
    rhs: &Sample,
    keep_right: bool,
) -> Option<Sample> {
    use Sample::{Histogram as H, Number as N};
    let made = match (operator, lhs, rhs) {
        (Operator::Arithmetic(_) | Operator::Comparison(..), &N(lhs), &N(rhs)) => {
            let value = operator.numbers(lhs, rhs, if keep_right { rhs } else { lhs });
            return (!is_absent(value)).then_some(N(value));
        }
        (Operator::Arithmetic(ArithmeticOp::Mul), H(histogram), &N(factor))
        | (Operator::Arithmetic(ArithmeticOp::Mul), &N(factor), H(histogram)) => {
            Some(histogram.times(factor))
        }
        (Operator::Arithmetic(ArithmeticOp::Div), H(histogram), &N(divisor)) => {
            Some(histogram.divided_by(divisor))
        }
        (Operator::Trim(keep), H(histogram), &N(at)) => Some(histogram.trimmed(at, keep)),
        (Operator::Arithmetic(ArithmeticOp::Add), H(lhs), H(rhs)) => {
            return query.combine(op, Combination::Addition, lhs.plus(rhs).ok(), span);
        }
        (Operator::Arithmetic(ArithmeticOp::Sub), H(lhs), H(rhs)) => {
            return query.combine(op, Combination::Subtraction, lhs.minus(rhs).ok(), span);
        }
        (Operator::Comparison(ComparisonOp::Eq, truth), H(lhs), H(rhs)) => {
            return compared(lhs, lhs.same(rhs), truth);
        }
        (Operator::Comparison(ComparisonOp::Ne, truth), H(lhs), H(rhs)) => {
            return compared(lhs, !lhs.same(rhs), truth);
        }
        _ => None,
    };
    if made.is_none() {
        let remark = Annotation::IncompatibleTypes { lhs: lhs.kind(), op: op.as_str(), rhs: rhs.kind() };
        query.annotate(remark, span);
    }
    made.map(|histogram| H(Arc::new(histogram)))
}

/// Tells whether an operator has a result for two samples, be it that a comparison does not hold.
pub(crate) fn combines(operator: Operator, lhs: &Sample, rhs: &Sample) -> bool {
    use ArithmeticOp::{Add, Div, Mul, Sub};
    use Sample::{Histogram as H, Number as N};
    match (operator, lhs, rhs) {
        (Operator::Trim(_), H(_), N(_)) => true,
        (Operator::Trim(_), _, _) => false,
        (_, N(_), N(_)) => true,
        (Operator::Arithmetic(op), H(_), N(_)) => matches!(op, Mul | Div),
        (Operator::Arithmetic(op), N(_), H(_)) => op == Mul,
        (Operator::Arithmetic(op), H(lhs), H(rhs)) => {
            matches!(op, Add | Sub) && lhs.has_custom_bounds() == rhs.has_custom_bounds()
        }
        (Operator::Comparison(op, _), H(_), H(_)) => matches!(op, ComparisonOp::Eq | ComparisonOp::Ne),
        (Operator::Comparison(..), _, _) => false,
    }
}

/// The left side where a comparison holds, or the truth.
fn compared(lhs: &Arc<Histogram>, holds: bool, truth: bool) -> Option<Sample> {
    match (truth, holds) {
        (true, _) => Some(Sample::Number(f64::from(u8::from(holds)))),
        (false, true) => Some(Sample::Histogram(Arc::clone(lhs))),
        (false, false) => None,
    }
}

impl RunningQuery<'_> {
    fn combine(
        &self,
        op: BinaryOp,
        how: Combination,
        made: Option<(Histogram, Joined)>,
        span: Span,
    ) -> Option<Sample> {
        let Some((histogram, joined)) = made else {
            self.annotate(Annotation::IncompatibleBuckets { op: op.as_str() }, span);
            return None;
        };
        self.note_joined(joined, how, span);
        Some(Sample::Histogram(Arc::new(histogram)))
    }

    /// Remarks on what came together.
    pub(crate) fn note_joined(&self, joined: Joined, how: Combination, span: Span) {
        if joined.conflicting_resets {
            self.annotate(Annotation::ConflictingResets(how), span);
        }
        if joined.bounds_reconciled {
            self.annotate(Annotation::BoundsReconciled(how), span);
        }
    }
}
