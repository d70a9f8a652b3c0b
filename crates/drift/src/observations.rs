//! A column pair after cleaning: what the tests see.
//!
//! Missing and infinite values are dropped per side; nothing else is changed. Both sides hold at least one value.

use std::borrow::Cow;
use std::collections::HashMap;

use streamflow_stats::Sample;

use crate::column::{Column, ColumnType, Kind, MISSING, Values};
use crate::profile::rounding::{ALL_BITS, round_counts, round_toward_zero};
use crate::profile::{Counted, MAX_DISTINCT};

/// The classifier of texts works on rows: no more of a side than this, evenly chosen from all in their order.
pub(crate) const MOST_TEXTS: usize = 1_000_000;

/// The values of both sides.
#[derive(Debug, Clone)]
pub enum Observations<'a> {
    /// Ordered numbers.
    Numerical(Numbers<'a>),
    /// Counts by label.
    Categorical(Counts),
    /// Free text.
    Text(Texts<'a>),
}

/// Numbers of both sides.
#[derive(Debug, Clone)]
pub struct Numbers<'a> {
    /// Reference values.
    pub reference: Cow<'a, Sample>,
    /// Current values.
    pub current: Cow<'a, Sample>,
    /// True if both sides are whole numbers without a missing one, as NumPy's integer dtype.
    pub integer: bool,
}

/// A 2 × k table: how often each label occurs on each side. Labels are sorted, numbers by value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// One per column of the table.
    pub labels: Vec<String>,
    /// Reference counts.
    pub reference: Vec<u64>,
    /// Current counts.
    pub current: Vec<u64>,
}

/// Texts of both sides, sorted so that row order has no influence; a million of a side at most.
#[derive(Debug, Clone)]
pub struct Texts<'a> {
    /// Reference texts.
    pub reference: Vec<&'a str>,
    /// Current texts.
    pub current: Vec<&'a str>,
}

impl<'a> Observations<'a> {
    /// Cleans both sides for a test of the given type; the reason when that cannot be.
    pub(crate) fn new(reference: &'a Column, current: &'a Column, kind: ColumnType) -> Result<Self, String> {
        for column in [reference, current] {
            if column.kind() == Kind::Date {
                return Err("dates are not tested".into());
            }
        }
        match kind {
            ColumnType::Numerical => {
                let integer = [reference, current].iter().all(|column| is_integer(column));
                let bits = mantissa_bits(reference, current);
                let (reference, current) = (sample(reference, bits)?, sample(current, bits)?);
                Ok(Self::Numerical(Numbers { reference, current, integer }))
            }
            ColumnType::Categorical => Ok(Self::Categorical(Counts::new(reference, current)?)),
            ColumnType::Text => {
                Ok(Self::Text(Texts { reference: texts(reference)?, current: texts(current)? }))
            }
            ColumnType::Ignore => Err("declared as ignored".into()),
        }
    }

    /// How many different values both sides hold together.
    #[must_use]
    pub fn distinct(&self) -> usize {
        match self {
            Self::Numerical(numbers) => numbers.distinct(),
            Self::Categorical(counts) => counts.labels.len(),
            Self::Text(texts) => {
                let mut all: Vec<&str> = texts.reference.iter().chain(&texts.current).copied().collect();
                all.sort_unstable();
                all.dedup();
                all.len()
            }
        }
    }

    /// How many reference values there are.
    #[must_use]
    pub fn reference_len(&self) -> u64 {
        match self {
            Self::Numerical(numbers) => numbers.reference.len(),
            Self::Categorical(counts) => counts.reference.iter().sum(),
            Self::Text(texts) => texts.reference.len() as u64,
        }
    }
}

impl Numbers<'_> {
    /// Ascending distinct values of both sides with their counts on each.
    pub fn merged(&self) -> impl Iterator<Item = (f64, u64, u64)> {
        let mut reference = self.reference.iter().peekable();
        let mut current = self.current.iter().peekable();
        std::iter::from_fn(move || match (reference.peek().copied(), current.peek().copied()) {
            (Some((value, count)), Some((other, _))) if value < other => {
                reference.next();
                Some((value, count, 0))
            }
            (Some((value, count)), Some((other, other_count))) if value == other => {
                reference.next();
                current.next();
                Some((value, count, other_count))
            }
            (_, Some((value, count))) => {
                current.next();
                Some((value, 0, count))
            }
            (Some((value, count)), None) => {
                reference.next();
                Some((value, count, 0))
            }
            (None, None) => None,
        })
    }

    /// How many different numbers both sides hold together.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.merged().count()
    }

    /// One label per distinct number.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (value, reference, current) in self.merged() {
            counts.labels.push(number_label(value));
            counts.reference.push(reference);
            counts.current.push(current);
        }
        counts
    }
}

impl Counts {
    fn new(reference: &Column, current: &Column) -> Result<Self, String> {
        let by_number = [reference, current].iter().all(|column| column.kind() != Kind::Text);
        let mut table: HashMap<String, (f64, u64, u64)> = HashMap::new();
        let (mut of_reference, mut of_current) = (tally(reference)?, tally(current)?);
        match (reference.kind(), current.kind()) {
            (Kind::Boolean, Kind::Integer | Kind::Float) => read_as_truths(&mut of_current),
            (Kind::Integer | Kind::Float, Kind::Boolean) => read_as_truths(&mut of_reference),
            _ => {}
        }
        for (order, label, count) in of_reference {
            table.entry(label).or_insert((order, 0, 0)).1 += count;
        }
        for (order, label, count) in of_current {
            table.entry(label).or_insert((order, 0, 0)).2 += count;
        }
        let mut rows: Vec<_> = table.into_iter().collect();
        rows.sort_unstable_by(|(a, (x, ..)), (b, (y, ..))| {
            let order = if by_number { x.total_cmp(y) } else { std::cmp::Ordering::Equal };
            order.then_with(|| a.cmp(b))
        });
        let mut counts = Self::default();
        for (label, (_, reference, current)) in rows {
            counts.labels.push(label);
            counts.reference.push(reference);
            counts.current.push(current);
        }
        Ok(counts)
    }
}

/// Where one side holds truth values, 0 and 1 of the other are the same two, if it holds nothing else.
fn read_as_truths(numbers: &mut [(f64, String, u64)]) {
    if numbers.iter().all(|(number, ..)| [0.0, 1.0].contains(number)) {
        for (number, label, _) in numbers {
            *label = if *number == 1.0 { "true" } else { "false" }.to_owned();
        }
    }
}

/// (sort key among numbers, label, count) of every value present; the reason when a profile does not hold them.
fn tally(column: &Column) -> Result<Vec<(f64, String, u64)>, String> {
    Ok(match &column.values {
        Values::Float(values) => {
            let mut counts: HashMap<u64, u64> = HashMap::new();
            for value in values.iter().filter(|value| value.is_finite()) {
                // Adding zero makes -0.0 the same category as 0.0.
                *counts.entry((value + 0.0).to_bits()).or_default() += 1;
            }
            counts
                .into_iter()
                .map(|(bits, n)| (f64::from_bits(bits), number_label(f64::from_bits(bits)), n))
                .collect()
        }
        Values::Integer(values) => {
            let mut counts: HashMap<i64, u64> = HashMap::new();
            for &value in values.iter().flatten() {
                *counts.entry(value).or_default() += 1;
            }
            counts.into_iter().map(|(value, n)| (value as f64, value.to_string(), n)).collect()
        }
        Values::Boolean(values) => {
            let positive = values.iter().flatten().filter(|&&value| value).count() as u64;
            let negative = values.iter().flatten().count() as u64 - positive;
            truths([negative, positive])
        }
        Values::Text { codes, levels } => {
            let mut counts = vec![0_u64; levels.len()];
            for &code in codes.iter().filter(|&&code| code != MISSING) {
                counts[code as usize] += 1;
            }
            let used = levels.iter().zip(counts).filter(|&(_, n)| n > 0);
            used.map(|(level, n)| (0.0, level.clone(), n)).collect()
        }
        Values::Date(values) => {
            let mut counts: HashMap<i32, u64> = HashMap::new();
            for &value in values.iter().flatten() {
                *counts.entry(value).or_default() += 1;
            }
            counts.into_iter().map(|(day, n)| (f64::from(day), format!("day {day}"), n)).collect()
        }
        Values::Counted(profile) => match &profile.values {
            Counted::Exact(sample) => {
                sample.iter().map(|(value, n)| (value, number_label(value), n)).collect()
            }
            Counted::Numbers { counts, .. } if profile.distinct().is_some() => {
                counts.iter().map(|&(value, n)| (value, number_label(value), n)).collect()
            }
            Counted::WholeNumbers(counts) => {
                counts.iter().map(|&(value, n)| (value as f64, value.to_string(), n)).collect()
            }
            Counted::Truths(counts) => truths(*counts),
            Counted::Labels(counts) => counts.iter().map(|(label, n)| (0.0, label.clone(), *n)).collect(),
            Counted::Numbers { .. } | Counted::NotKept => return Err(not_kept("categories")),
        },
    })
}

fn truths(counts: [u64; 2]) -> Vec<(f64, String, u64)> {
    let rows = [(0.0, "false", counts[0]), (1.0, "true", counts[1])].into_iter().filter(|&(_, _, n)| n > 0);
    rows.map(|(order, label, n)| (order, label.to_owned(), n)).collect()
}

fn not_kept(what: &str) -> String {
    format!(
        "one side is a profile whose {what} were too many to keep, more than {MAX_DISTINCT} different ones or a \
         million bytes"
    )
}

/// The grid both sides are compared on: that of the profile with fewer mantissa bits, so that both are rounded alike
/// and equal rows stay equal.
pub(crate) fn mantissa_bits(reference: &Column, current: &Column) -> u32 {
    let bits = |column: &Column| match &column.values {
        Values::Counted(profile) => profile.mantissa_bits(),
        _ => ALL_BITS,
    };
    bits(reference).min(bits(current))
}

/// The numbers of a side, rounded toward zero to `bits` mantissa bits.
fn sample(column: &Column, bits: u32) -> Result<Cow<'_, Sample>, String> {
    let rounded = |value| if bits < ALL_BITS { round_toward_zero(value, bits) } else { value };
    let sample = match &column.values {
        Values::Float(values) => {
            Sample::new(values.iter().copied().filter(|value| value.is_finite()).map(rounded).collect())
        }
        Values::Integer(values) => {
            Sample::new(values.iter().flatten().map(|&value| rounded(value as f64)).collect())
        }
        Values::Boolean(values) => {
            Sample::new(values.iter().flatten().map(|&value| rounded(f64::from(u8::from(value)))).collect())
        }
        Values::Counted(profile) => match &profile.values {
            Counted::Exact(sample) if bits >= ALL_BITS => return Ok(Cow::Borrowed(sample)),
            Counted::Exact(sample) => {
                Sample::from_counts(sample.iter().map(|(value, n)| (rounded(value), n)))
            }
            Counted::Numbers { counts, .. } => Sample::from_counts(round_counts(counts.clone(), bits)),
            Counted::WholeNumbers(counts) => {
                Sample::from_counts(counts.iter().map(|&(value, n)| (rounded(value as f64), n)))
            }
            Counted::Truths([no, yes]) => Sample::from_counts([(0.0, *no), (1.0, *yes)]),
            Counted::Labels(_) | Counted::NotKept => return Err(not_numbers(column)),
        },
        Values::Text { .. } | Values::Date(_) => return Err(not_numbers(column)),
    };
    sample.map(Cow::Owned).map_err(|error| error.to_string())
}

fn not_numbers(column: &Column) -> String {
    format!("tested as numerical, but one side holds {}", column.kind().words())
}

fn texts(column: &Column) -> Result<Vec<&str>, String> {
    let mut counts: Vec<(&str, usize)> = match &column.values {
        Values::Text { codes, levels } => {
            let mut counts: Vec<(&str, usize)> = levels.iter().map(|level| (level.as_str(), 0)).collect();
            codes.iter().filter(|&&code| code != MISSING).for_each(|&code| counts[code as usize].1 += 1);
            counts
        }
        Values::Counted(profile) if column.kind() == Kind::Text => match &profile.values {
            Counted::Labels(counts) => counts
                .iter()
                .map(|(label, n)| (label.as_str(), usize::try_from(*n).unwrap_or(usize::MAX)))
                .collect(),
            _ => return Err(not_kept("texts")),
        },
        _ => return Err(format!("tested as text, but one side holds {}", column.kind().words())),
    };
    counts.sort_unstable();
    let (rows, mut seen, mut taken) = (column.present(), 0_u128, 0);
    let kept = rows.min(MOST_TEXTS);
    let mut texts = Vec::with_capacity(kept);
    for (text, n) in counts {
        seen += n as u128;
        // The share kept of the first `seen` rows is that of all rows.
        let due = (seen * kept as u128 / (rows as u128).max(1)) as usize;
        texts.extend(std::iter::repeat_n(text, due - taken));
        taken = due;
    }
    Ok(texts)
}

fn is_integer(column: &Column) -> bool {
    column.kind() == Kind::Integer && column.present() == column.rows()
}

/// The label of a number: as short as it can be and still be that number.
pub(crate) fn number_label(value: f64) -> String {
    if value != 0.0 && !(1e-5..1e15).contains(&value.abs()) {
        format!("{value:e}")
    } else {
        format!("{}", value + 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(reference: &Column, current: &Column) -> (Vec<String>, Vec<u64>, Vec<u64>) {
        match Observations::new(reference, current, ColumnType::Categorical).unwrap() {
            Observations::Categorical(counts) => (counts.labels, counts.reference, counts.current),
            other => panic!("expected counts, got {other:?}"),
        }
    }

    #[test]
    fn labels_are_shared_across_shapes_and_sorted_by_value() {
        let reference = Column::integer("x", vec![Some(10), Some(9), None, Some(9)]);
        let current = Column::float("x", vec![9.0, f64::NAN, -0.0, 0.0, f64::INFINITY]);
        let expected = (vec!["0".into(), "9".into(), "10".into()], vec![0, 2, 1], vec![2, 1, 0]);
        assert_eq!(counts(&reference, &current), expected);
    }

    #[test]
    fn zero_and_one_are_the_truth_values_of_the_other_side() {
        let truths = Column::boolean("x", vec![Some(true), Some(false), Some(true), None]);
        let digits = Column::integer("x", vec![Some(1), Some(0), Some(0)]);
        let names = || vec!["false".to_owned(), "true".to_owned()];
        assert_eq!(counts(&truths, &digits), (names(), vec![1, 2], vec![2, 1]));
        assert_eq!(counts(&digits, &truths), (names(), vec![2, 1], vec![1, 2]));
        let more = Column::integer("x", vec![Some(1), Some(2)]);
        assert_eq!(counts(&truths, &more).0, ["false", "1", "true", "2"]);
    }

    #[test]
    fn repeated_levels_are_one_category_and_missing_is_none() {
        let values =
            Values::Text { codes: vec![0, 1, 2, MISSING], levels: vec!["a".into(), "b".into(), "a".into()] };
        let column = Column { name: "x".into(), values };
        assert_eq!(counts(&column, &column), (vec!["a".into(), "b".into()], vec![2, 1], vec![2, 1]));
    }

    #[test]
    fn merged_lists_every_value_once() {
        let reference = Column::float("x", vec![1.0, 1.0, 3.0]);
        let current = Column::float("x", vec![2.0, 3.0, 4.0]);
        let Observations::Numerical(numbers) =
            Observations::new(&reference, &current, ColumnType::Numerical).unwrap()
        else {
            panic!("expected numbers")
        };
        let merged: Vec<_> = numbers.merged().collect();
        assert_eq!(merged, [(1.0, 2, 0), (2.0, 0, 1), (3.0, 1, 1), (4.0, 0, 1)]);
        assert_eq!(numbers.distinct(), 4);
    }
}
