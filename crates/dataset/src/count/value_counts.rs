//! A column whose order of rows does not matter: what is compared is how often each value occurs.

use crate::cell::shorten;

/// How often the values of a column occur.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueCounts {
    /// The column.
    pub name: String,
    /// Rows with a missing value. With the unparseable ones and the counts they add up to all rows.
    pub missing: u64,
    /// Rows of a CSV column of numbers that hold something else.
    pub unparseable: Unparseable,
    /// The other rows.
    pub values: Counts,
}

/// Cells of a CSV column of numbers that are no numbers: at most 5 % of those that are not missing, as a column
/// with more of them is text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unparseable {
    /// How many they are.
    pub cells: u64,
    /// What up to three of them say, the most frequent first, shortened to 60 characters.
    pub examples: Vec<String>,
}

impl Unparseable {
    /// Of texts and how many cells have each.
    pub(crate) fn of(mut texts: Vec<(&str, u64)>) -> Self {
        texts.sort_unstable_by(|(left, more), (right, less)| less.cmp(more).then_with(|| left.cmp(right)));
        let examples = texts.iter().take(3).map(|(text, _)| shorten(text)).collect();
        Unparseable { cells: texts.iter().map(|(_, count)| count).sum(), examples }
    }
}

/// Values that are there, in no order; one may be listed more than once. Negative zero is zero.
#[derive(Debug, Clone, PartialEq)]
pub enum Counts {
    /// Numbers; infinite ones are among them, NaN is not.
    Float(Numbers<f64>),
    /// Whole numbers.
    Integer(Numbers<i64>),
    /// How many are false and how many true.
    Boolean([u64; 2]),
    /// Strings and their rows.
    Text(Vec<(String, u64)>),
    /// Days since 1970-01-01 and their rows.
    Date(Vec<(i32, u64)>),
}

/// Numbers of a column: those that repeat are counted, the others would only take more memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers<T> {
    /// A number and its rows.
    pub counts: Vec<(T, u64)>,
    /// A number for each row.
    pub rows: Vec<T>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Numbers { counts: Vec::new(), rows: Vec::new() }
    }
}

impl<T: Copy> Numbers<T> {
    #[inline]
    pub(crate) fn add(&mut self, number: T, count: u64) {
        if count == 1 {
            self.rows.push(number);
        } else {
            self.counts.push((number, count));
        }
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.counts.append(&mut other.counts);
        self.rows.append(&mut other.rows);
    }

    pub(crate) fn map<U: Copy>(self, number: impl Fn(T) -> U) -> Numbers<U> {
        Numbers {
            counts: self.counts.into_iter().map(|(value, count)| (number(value), count)).collect(),
            rows: self.rows.into_iter().map(number).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.rows.is_empty()
    }

    /// Memory held.
    pub(crate) fn bytes(&self) -> u64 {
        8 * self.rows.len() as u64 + 16 * self.counts.len() as u64
    }

    pub(crate) fn total(&self) -> u64 {
        self.rows.len() as u64 + self.counts.iter().map(|(_, count)| count).sum::<u64>()
    }
}

impl ValueCounts {
    /// All rows of the column.
    pub fn rows(&self) -> u64 {
        let present: u64 = match &self.values {
            Counts::Float(numbers) => numbers.total(),
            Counts::Integer(numbers) => numbers.total(),
            Counts::Boolean(counts) => counts.iter().sum(),
            Counts::Text(counts) => counts.iter().map(|(_, count)| count).sum(),
            Counts::Date(counts) => counts.iter().map(|(_, count)| count).sum(),
        };
        self.missing + self.unparseable.cells + present
    }

    /// Whether no row has a value.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows() == self.missing
    }

    /// Memory held, about.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.values {
            Counts::Float(numbers) => numbers.bytes(),
            Counts::Integer(numbers) => numbers.bytes(),
            Counts::Boolean(_) => 0,
            Counts::Text(counts) => counts.iter().map(|(text, _)| 48 + text.len() as u64).sum(),
            Counts::Date(counts) => 16 * counts.len() as u64,
        }
    }
}
