//! The rows of an answer: values with how many rows have each.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use streamflow_drift::Kind;

/// Values of one kind with their rows. A value may come more than once, as negative zero beside zero.
#[derive(Debug)]
pub(crate) enum Values {
    Float(Vec<(f64, u64)>),
    Integer(Vec<(i64, u64)>),
    Boolean([u64; 2]),
    Text(Vec<(String, u64)>),
    Date(Vec<(i32, u64)>),
}

/// An answer, as far as it was read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) values: Values,
    /// Rows without a value; NaN is a value here.
    pub(crate) missing: u64,
    /// Rows of the answer.
    pub(crate) groups: usize,
    /// Bytes of its strings.
    pub(crate) text_bytes: usize,
}

impl Answer {
    pub(crate) fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Float => Values::Float(Vec::new()),
            Kind::Integer => Values::Integer(Vec::new()),
            Kind::Boolean => Values::Boolean([0; 2]),
            Kind::Text => Values::Text(Vec::new()),
            Kind::Date => Values::Date(Vec::new()),
        };
        Self { values, missing: 0, groups: 0, text_bytes: 0 }
    }

    /// Adds rows of the columns `x` and `n`.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let (values, counts) = (batch.column(0), counts(batch.column(1))?);
        self.groups += counts.len();
        let missing = (0..counts.len()).filter(|&row| values.is_null(row));
        self.missing += missing.map(|row| counts[row]).sum::<u64>();
        match &mut self.values {
            Values::Float(found) => {
                let values = cast(values, &DataType::Float64)?;
                found.extend(present(values.as_primitive::<Float64Type>().iter(), &counts));
            }
            Values::Integer(found) => {
                let values = cast(values, &DataType::Int64)?;
                found.extend(present(values.as_primitive::<Int64Type>().iter(), &counts));
            }
            Values::Boolean(found) => {
                let values = cast(values, &DataType::Boolean)?;
                for (value, n) in present(values.as_boolean().iter(), &counts) {
                    found[usize::from(value)] += n;
                }
            }
            Values::Text(found) => {
                let values = cast(values, &DataType::LargeUtf8)?;
                for (value, n) in present(values.as_string::<i64>().iter(), &counts) {
                    self.text_bytes += value.len();
                    found.push((value.to_owned(), n));
                }
            }
            Values::Date(found) => {
                let values = cast(values, &DataType::Date32)?;
                found.extend(present(values.as_primitive::<Date32Type>().iter(), &counts));
            }
        }
        Ok(())
    }

    /// All rows.
    pub(crate) fn rows(&self) -> u64 {
        fn sum<T>(counts: &[(T, u64)]) -> u64 {
            counts.iter().fold(0, |sum, (_, n)| sum.saturating_add(*n))
        }
        let present = match &self.values {
            Values::Float(counts) => sum(counts),
            Values::Integer(counts) => sum(counts),
            Values::Boolean([no, yes]) => no.saturating_add(*yes),
            Values::Text(counts) => sum(counts),
            Values::Date(counts) => sum(counts),
        };
        self.missing.saturating_add(present)
    }
}

fn present<'a, T>(
    values: impl Iterator<Item = Option<T>> + 'a,
    counts: &'a [u64],
) -> impl Iterator<Item = (T, u64)> + 'a
where
    T: 'a,
{
    values.zip(counts).filter_map(|(value, &n)| Some((value?, n)))
}

/// A column of counts.
pub(crate) fn counts(column: &ArrayRef) -> Result<Vec<u64>> {
    let column = cast(column, &DataType::Int64)?;
    let count = |n: Option<i64>| {
        let count = n.and_then(|n| u64::try_from(n).ok());
        count.ok_or_else(|| {
            DataFusionError::Execution(format!("a count is {n:?}, expected a number from 0 on"))
        })
    };
    column.as_primitive::<Int64Type>().iter().map(count).collect()
}
