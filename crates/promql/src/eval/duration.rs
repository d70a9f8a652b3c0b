//! Lengths of time, once the times of the query are known.

use crate::ast::{BinaryOp, DurationExpr};
use crate::error::Error;
use crate::eval::grid::Grid;

impl Grid {
    /// The length from the start to the end that was asked for.
    pub(crate) fn range_seconds(&self) -> f64 {
        self.end_ms.saturating_sub(self.start_ms) as f64 / 1000.0
    }

    /// The duration in milliseconds, of any sign.
    pub(crate) fn duration_ms(&self, duration: &DurationExpr) -> Result<i64, Error> {
        if let DurationExpr::Literal(ms) = duration {
            return Ok(*ms);
        }
        let seconds = self.seconds(duration)?;
        let ms = seconds * 1000.0;
        // Prometheus's own bound: nanoseconds in 64 bits.
        if !ms.is_finite() || ms.abs() > (i64::MAX / 1_000_000) as f64 {
            return Err(Error::Execution(format!("duration out of range: {seconds} seconds")));
        }
        Ok(ms as i64)
    }

    /// The duration in milliseconds, at least one.
    pub(crate) fn positive_ms(&self, duration: &DurationExpr) -> Result<i64, Error> {
        match self.duration_ms(duration)? {
            ms if ms > 0 => Ok(ms),
            ms => Err(Error::Execution(format!("duration must be greater than 0, got {ms} ms"))),
        }
    }

    fn seconds(&self, duration: &DurationExpr) -> Result<f64, Error> {
        Ok(match duration {
            DurationExpr::Literal(ms) => *ms as f64 / 1000.0,
            DurationExpr::Number(seconds) => *seconds,
            DurationExpr::Step => self.step_ms as f64 / 1000.0,
            DurationExpr::Range => self.range_seconds(),
            DurationExpr::Negate(inner) => -self.seconds(inner)?,
            DurationExpr::Paren(inner) => self.seconds(inner)?,
            DurationExpr::Extreme { is_max, operands } => {
                let (a, b) = (self.seconds(&operands.0)?, self.seconds(&operands.1)?);
                if *is_max { a.max(b) } else { a.min(b) }
            }
            DurationExpr::Binary { op, operands } => {
                let (a, b) = (self.seconds(&operands.0)?, self.seconds(&operands.1)?);
                arithmetic(*op, a, b)?
            }
        })
    }
}

fn arithmetic(op: BinaryOp, a: f64, b: f64) -> Result<f64, Error> {
    Ok(match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Pow => a.powf(b),
        BinaryOp::Div if b == 0.0 => return Err(Error::Execution("division by zero".into())),
        BinaryOp::Div => a / b,
        BinaryOp::Mod if b == 0.0 => return Err(Error::Execution("modulo by zero".into())),
        BinaryOp::Mod => a % b,
        _ => return Err(Error::Execution(format!("operator {op:?} is not one of durations"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let grid = Grid::every(5_000, 50_000, 60_000);
        let check = |duration: DurationExpr, expected: Option<i64>| {
            assert_eq!(grid.duration_ms(&duration).ok(), expected, "{duration:?}");
        };
        let binary = |op, a, b| DurationExpr::Binary { op, operands: Box::new((a, b)) };
        let ms = DurationExpr::Literal;
        check(ms(1), Some(1));
        check(DurationExpr::Range, Some(10_000));
        check(binary(BinaryOp::Mul, DurationExpr::Step, ms(2_000)), Some(10_000));
        check(binary(BinaryOp::Pow, ms(2_000), ms(3_000)), Some(8_000));
        check(binary(BinaryOp::Div, ms(1), ms(0)), None);
        check(binary(BinaryOp::Pow, ms(1_000_000), ms(1_000_000)), None);
        check(DurationExpr::Negate(Box::new(ms(7))), Some(-7));
        assert!(grid.positive_ms(&ms(0)).is_err());
    }
}
