//! One column as counts.

use std::cmp::Ordering;

use streamflow_stats::Sample;

use super::rounding::{ALL_BITS, fit, round_counts};
use super::{MAX_DISTINCT, MAX_LABEL_BYTES};
use crate::column::{Column, Kind, MISSING, Values};

/// How often each value of a column occurs. Rows are at most [`Sample::MAX_ROWS`].
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnProfile {
    pub(super) kind: Kind,
    pub(super) rows: u64,
    /// Without infinite values.
    pub(super) missing: u64,
    pub(super) infinite: u64,
    pub(crate) values: Counted,
}

/// Different values, ascending, with positive counts; in a profile at most [`MAX_DISTINCT`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Counted {
    /// All finite numbers, however many are different: a column that was counted while it was read.
    Exact(Sample),
    /// Finite numbers by [`f64::total_cmp`], rounded toward zero unless they have [`ALL_BITS`] mantissa bits.
    Numbers { bits: u32, counts: Vec<(f64, u64)> },
    /// Whole numbers as they are.
    WholeNumbers(Vec<(i64, u64)>),
    /// How many are false and how many true.
    Truths([u64; 2]),
    /// Strings.
    Labels(Vec<(String, u64)>),
    /// Dates, which are not tested, and strings too many or too long to keep.
    NotKept,
}

impl ColumnProfile {
    /// Counts a column whose text codes are valid. O(n log n) for whole numbers, else linear in rows.
    pub(crate) fn of(column: &Column) -> Self {
        let (rows, present) = (column.rows() as u64, column.present() as u64);
        let infinite = column.infinite() as u64;
        let kind = column.kind();
        let values = match &column.values {
            Values::Float(values) => {
                let finite = values.iter().copied().filter(|value| value.is_finite()).collect();
                let sample = Sample::new(finite).expect("a finite number is not NaN");
                let (bits, counts) = fit(sample.iter().collect(), ALL_BITS, MAX_DISTINCT);
                Counted::Numbers { bits, counts }
            }
            Values::Integer(values) => {
                let mut values: Vec<i64> = values.iter().flatten().copied().collect();
                values.sort_unstable();
                let counts = values.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len() as u64));
                Counted::WholeNumbers(counts.collect()).bounded()
            }
            Values::Boolean(values) => {
                let positive = values.iter().flatten().filter(|&&value| value).count() as u64;
                Counted::Truths([present - positive, positive])
            }
            Values::Text { codes, levels } => {
                let mut counts = vec![0_u64; levels.len()];
                for &code in codes.iter().filter(|&&code| code != MISSING) {
                    counts[code as usize] += 1;
                }
                // Levels may repeat, so they are added up before they are copied.
                let used: Vec<(&String, u64)> = levels.iter().zip(counts).filter(|&(_, n)| n > 0).collect();
                let used = add_up(used, |a, b| a.cmp(b));
                if fits(used.iter().map(|(level, _)| level.len())) {
                    Counted::Labels(used.into_iter().map(|(level, n)| (level.clone(), n)).collect())
                } else {
                    Counted::NotKept
                }
            }
            Values::Date(_) => Counted::NotKept,
            Values::Counted(profile) => match &profile.values {
                Counted::Exact(sample) => {
                    let (bits, counts) = fit(sample.iter().collect(), ALL_BITS, MAX_DISTINCT);
                    Counted::Numbers { bits, counts }
                }
                values => values.clone().bounded(),
            },
        };
        Self { kind, rows, missing: rows - present - infinite, infinite, values }
    }

    /// The counts of both; the reason when they cannot be one column.
    pub(super) fn merge(self, other: Self) -> Result<Self, String> {
        let kind = common_kind(&self, &other)
            .ok_or_else(|| format!("{} do not merge with {}", self.kind.words(), other.kind.words()))?;
        let rows = self.rows + other.rows;
        if rows > Sample::MAX_ROWS {
            return Err(format!("{rows} rows together, expected at most {}", Sample::MAX_ROWS));
        }
        Ok(Self {
            kind,
            rows,
            missing: self.missing + other.missing,
            infinite: self.infinite + other.infinite,
            values: self.values.of_kind(kind).merge(other.values.of_kind(kind)),
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn rows(&self) -> usize {
        usize::try_from(self.rows).unwrap_or(usize::MAX)
    }

    pub(crate) fn present(&self) -> usize {
        usize::try_from(self.rows - self.missing - self.infinite).unwrap_or(usize::MAX)
    }

    pub(crate) fn infinite(&self) -> usize {
        usize::try_from(self.infinite).unwrap_or(usize::MAX)
    }

    /// How many different values there are; none when there are more than the profile keeps.
    pub(crate) fn distinct(&self) -> Option<usize> {
        match &self.values {
            Counted::Numbers { bits: ALL_BITS, counts } if self.kind == Kind::Float => Some(counts.len()),
            Counted::Numbers { .. } | Counted::NotKept => None,
            Counted::Exact(sample) => Some(sample.distinct()),
            Counted::WholeNumbers(counts) => Some(counts.len()),
            Counted::Truths(counts) => Some(counts.iter().filter(|&&n| n > 0).count()),
            Counted::Labels(counts) => Some(counts.len()),
        }
    }

    /// Mantissa bits of the numbers; all of them when they are not rounded.
    pub(crate) fn mantissa_bits(&self) -> u32 {
        match self.values {
            Counted::Numbers { bits, .. } => bits,
            _ => ALL_BITS,
        }
    }
}

/// Whole numbers are decimal numbers too, and a column without any value (decimal numbers, as pandas reads it) is
/// whatever the other part is. Depends on the set of parts only, not on their order.
fn common_kind(left: &ColumnProfile, right: &ColumnProfile) -> Option<Kind> {
    let valueless = |part: &ColumnProfile| part.kind == Kind::Float && part.rows == part.missing;
    match (left.kind, right.kind) {
        (a, b) if a == b => Some(a),
        (Kind::Integer | Kind::Float, Kind::Integer | Kind::Float) => Some(Kind::Float),
        (_, b) if valueless(left) => Some(b),
        (a, _) if valueless(right) => Some(a),
        _ => None,
    }
}

impl Counted {
    /// The sum of all counts, 2^64 − 1 when it is larger; none when they are not kept.
    pub(super) fn total(&self) -> Option<u64> {
        let sum = |counts: &mut dyn Iterator<Item = u64>| Some(counts.fold(0, u64::saturating_add));
        match self {
            Self::Exact(sample) => Some(sample.len()),
            Self::Numbers { counts, .. } => sum(&mut counts.iter().map(|&(_, n)| n)),
            Self::WholeNumbers(counts) => sum(&mut counts.iter().map(|&(_, n)| n)),
            Self::Truths(counts) => sum(&mut counts.iter().copied()),
            Self::Labels(counts) => sum(&mut counts.iter().map(|&(_, n)| n)),
            Self::NotKept => None,
        }
    }

    /// Whole numbers become decimal ones; a column without values becomes an empty one of any kind.
    fn of_kind(self, kind: Kind) -> Self {
        match (self, kind) {
            (Self::WholeNumbers(counts), Kind::Float) => Self::decimal(counts),
            (Self::Numbers { counts, .. }, Kind::Boolean) if counts.is_empty() => Self::Truths([0, 0]),
            (Self::Numbers { counts, .. }, Kind::Text) if counts.is_empty() => Self::Labels(Vec::new()),
            (Self::Numbers { counts, .. }, Kind::Date) if counts.is_empty() => Self::NotKept,
            (values, _) => values,
        }
    }

    fn decimal(counts: Vec<(i64, u64)>) -> Self {
        let counts = counts.into_iter().map(|(value, n)| (value as f64, n)).collect();
        // Neighbours above 2^53 may be one number now.
        Self::Numbers { bits: ALL_BITS, counts: round_counts(counts, ALL_BITS) }
    }

    fn merge(self, other: Self) -> Self {
        match (self, other) {
            (Self::WholeNumbers(left), Self::WholeNumbers(right)) => {
                Self::WholeNumbers(add_up([left, right].concat(), i64::cmp)).bounded()
            }
            (Self::WholeNumbers(whole), numbers) | (numbers, Self::WholeNumbers(whole)) => {
                Self::decimal(whole).merge(numbers)
            }
            (Self::Numbers { bits, counts }, Self::Numbers { bits: other_bits, counts: other_counts }) => {
                let bits = bits.min(other_bits);
                let both = [round_counts(counts, bits), round_counts(other_counts, bits)].concat();
                Self::Numbers { bits, counts: add_up(both, f64::total_cmp) }.bounded()
            }
            (Self::Truths([no, yes]), Self::Truths([other_no, other_yes])) => {
                Self::Truths([no + other_no, yes + other_yes])
            }
            (Self::Labels(mut left), Self::Labels(right)) => {
                left.extend(right);
                Self::Labels(add_up(left, String::cmp)).bounded()
            }
            _ => Self::NotKept,
        }
    }

    /// What is kept when there are too many different values.
    fn bounded(self) -> Self {
        match self {
            Self::Numbers { bits, counts } => {
                let (bits, counts) = fit(counts, bits, MAX_DISTINCT);
                Self::Numbers { bits, counts }
            }
            Self::WholeNumbers(counts) if counts.len() > MAX_DISTINCT => Self::decimal(counts).bounded(),
            Self::Labels(counts) if !fits(counts.iter().map(|(label, _)| label.len())) => Self::NotKept,
            values => values,
        }
    }
}

/// Tells whether labels of these lengths in bytes are kept.
pub(super) fn fits(lengths: impl ExactSizeIterator<Item = usize>) -> bool {
    lengths.len() <= MAX_DISTINCT && lengths.sum::<usize>() <= MAX_LABEL_BYTES
}

/// Sorts and adds up the counts of equal values. The counts are of rows, so their sum fits.
pub(super) fn add_up<T>(mut counts: Vec<(T, u64)>, order: impl Fn(&T, &T) -> Ordering) -> Vec<(T, u64)> {
    // Two ascending runs in a row are what a stable sort is quickest at.
    counts.sort_by(|(a, _), (b, _)| order(a, b));
    counts.dedup_by(|later, kept| {
        let equal = order(&later.0, &kept.0).is_eq();
        kept.1 += if equal { later.1 } else { 0 };
        equal
    });
    counts
}
