//! `and`, `or`, `unless`.

use crate::ast::{BinaryOp, Matching};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::grid::{ABSENT, Row, is_absent, merge_same_labels};
use crate::eval::matching::Signatures;

impl RunningQuery<'_> {
    pub(crate) fn set_operation(
        &self,
        op: BinaryOp,
        matching: &Matching,
        mut lhs: Vec<Row>,
        mut rhs: Vec<Row>,
    ) -> Result<Vec<Row>, Error> {
        let mut signatures = Signatures::new(matching);
        let (left, right) = (signatures.number(&lhs), signatures.number(&rhs));
        let count = signatures.len();
        if op == BinaryOp::Or {
            let present = Presence::of(&lhs, &left, count);
            self.keep(&mut rhs, &right, &present, false)?;
            lhs.append(&mut rhs);
            return merge_same_labels(lhs);
        }
        let present = Presence::of(&rhs, &right, count);
        self.keep(&mut lhs, &left, &present, op == BinaryOp::And)?;
        Ok(lhs)
    }

    /// Keeps the samples whose signature is present (or absent) on the other side at the same step.
    fn keep(
        &self,
        rows: &mut Vec<Row>,
        signatures: &[usize],
        other: &Presence,
        where_present: bool,
    ) -> Result<(), Error> {
        for (row, &signature) in rows.iter_mut().zip(signatures) {
            self.check()?;
            for (step, cell) in row.values.iter_mut().enumerate() {
                if other.at(signature, step) != where_present {
                    *cell = ABSENT;
                }
            }
        }
        rows.retain(|row| row.values.any_present());
        Ok(())
    }
}

/// At which steps a signature has a sample.
struct Presence {
    steps: Vec<Option<Vec<bool>>>,
}

impl Presence {
    fn of(rows: &[Row], signatures: &[usize], count: usize) -> Self {
        let mut steps: Vec<Option<Vec<bool>>> = vec![None; count];
        for (row, &signature) in rows.iter().zip(signatures) {
            let present = steps[signature].get_or_insert_with(|| vec![false; row.values.len()]);
            for (flag, &value) in present.iter_mut().zip(row.values.iter()) {
                *flag |= !is_absent(value);
            }
        }
        Self { steps }
    }

    #[inline]
    fn at(&self, signature: usize, step: usize) -> bool {
        self.steps[signature].as_ref().is_some_and(|steps| steps[step])
    }
}
