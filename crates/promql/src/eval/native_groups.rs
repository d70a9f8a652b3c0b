//! The histograms of an aggregation: `sum` and `avg` of each group at each step.

use std::sync::Arc;

use streamflow_histogram::{Histogram, Joined, Mean, MixedSchemas, ResetHint, Total};

use crate::annotations::{Annotation, Combination};
use crate::ast::Span;
use crate::eval::RunningQuery;
use crate::eval::accumulate::Native;
use crate::eval::grid::{Column, Sample, is_absent};

/// What is added up at one step.
#[derive(Debug, Clone)]
enum Sum {
    Total(Box<Total>),
    Mean(Box<Mean>),
    /// Schemas met that cannot be added.
    Nothing,
}

/// Histograms added up one after the other, and what is remarked on them.
#[derive(Debug, Clone)]
pub(crate) struct Gathered {
    sum: Sum,
    any_reset: bool,
    any_without_reset: bool,
    bounds_reconciled: bool,
}

impl Gathered {
    pub(crate) fn of(first: &Histogram, role: Native) -> Self {
        let sum = match role {
            Native::Average => Sum::Mean(Box::new(Mean::of(first))),
            Native::Sum | Native::Counted | Native::Ignored => Sum::Total(Box::new(Total::of(first))),
        };
        let mut gathered = Self { sum, any_reset: false, any_without_reset: false, bounds_reconciled: false };
        gathered.note_hint(first);
        gathered
    }

    fn note_hint(&mut self, histogram: &Histogram) {
        self.any_reset |= histogram.reset == ResetHint::Reset;
        self.any_without_reset |= histogram.reset == ResetHint::NoReset;
    }

    /// # Errors
    /// Where the schemas cannot be added; there is no result then.
    pub(crate) fn add(&mut self, histogram: &Histogram) -> Result<(), MixedSchemas> {
        self.note_hint(histogram);
        let joined = match &mut self.sum {
            Sum::Total(total) => total.add(histogram),
            Sum::Mean(mean) => mean.add(histogram),
            Sum::Nothing => return Ok(()),
        };
        match joined {
            Ok(joined) => self.bounds_reconciled |= joined.bounds_reconciled,
            Err(error) => {
                self.sum = Sum::Nothing;
                return Err(error);
            }
        }
        Ok(())
    }

    /// What is worth a remark.
    pub(crate) fn joined(&self) -> Joined {
        Joined {
            conflicting_resets: self.any_reset && self.any_without_reset,
            bounds_reconciled: self.bounds_reconciled,
        }
    }

    pub(crate) fn finish(self) -> Option<Histogram> {
        match self.sum {
            Sum::Total(total) => Some(total.finish()),
            Sum::Mean(mean) => Some(mean.finish()),
            Sum::Nothing => None,
        }
    }
}

/// The histograms of all groups.
pub(crate) struct NativeGroups {
    role: Native,
    span: Span,
    steps: usize,
    /// Of each group one a step, or none at all.
    groups: Vec<Vec<Option<Gathered>>>,
}

impl NativeGroups {
    pub(crate) fn new(role: Native, span: Span, groups: usize, steps: usize) -> Self {
        Self { role, span, steps, groups: vec![Vec::new(); groups] }
    }

    /// Takes the histograms of one row; `aggregation` names what leaves them out.
    pub(crate) fn add_row(
        &mut self,
        query: &RunningQuery,
        group: usize,
        row: &Column,
        (metric, aggregation): (&str, &'static str),
    ) {
        let mut native = row.native().peekable();
        if self.role == Native::Counted || native.peek().is_none() {
            return;
        }
        if self.role == Native::Ignored {
            query.annotate(Annotation::IgnoredInAggregation(aggregation), self.span);
            return;
        }
        let cells = &mut self.groups[group];
        cells.resize(self.steps, None);
        for (step, histogram) in native {
            match &mut cells[step] {
                Some(gathered) => {
                    if gathered.add(histogram).is_err() {
                        query.annotate(Annotation::MixedSchemas(metric.to_owned()), self.span);
                    }
                }
                empty => *empty = Some(Gathered::of(histogram, self.role)),
            }
        }
    }

    /// Puts the results of a group beside those of its numbers.
    pub(crate) fn finish(&mut self, query: &RunningQuery, group: usize, values: &mut Column) {
        for (step, gathered) in std::mem::take(&mut self.groups[group]).into_iter().enumerate() {
            let Some(gathered) = gathered else { continue };
            query.note_joined(gathered.joined(), Combination::Aggregation, self.span);
            // Histograms that cannot be added end the group: what comes after them is not looked at.
            let mixed = !is_absent(values[step]) && !matches!(gathered.sum, Sum::Nothing);
            if mixed {
                query.annotate(Annotation::MixedSamplesInAggregation, self.span);
            }
            let sum = if mixed { None } else { gathered.finish() };
            values.put(step, sum.map(|histogram| Sample::Histogram(Arc::new(histogram))));
        }
    }
}
