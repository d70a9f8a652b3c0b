//! How rows are cut into the chunks whose performance is followed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Some rows of a table, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// `[first:last]` by position, or the calendar period.
    pub key: String,
    /// Positions of the rows, from 0.
    pub rows: Vec<usize>,
}

/// What becomes of the rows that do not fill a last chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Incomplete {
    /// They are a chunk of their own.
    #[default]
    Keep,
    /// They join the chunk before, if there is one.
    Append,
    /// They are left out.
    Drop,
}

/// Chunks of `size` adjacent rows.
///
/// # Errors
/// [`Error::Setting`] for a size of 0.
pub fn chunks_of_size(rows: usize, size: usize, incomplete: Incomplete) -> Result<Vec<Chunk>, Error> {
    if size == 0 {
        return Err(Error::Setting { name: "the size of a chunk", value: 0.0, expected: "at least 1 row" });
    }
    let complete = rows / size;
    let mut ends: Vec<usize> = (1..=complete).map(|chunk| chunk * size).collect();
    if !rows.is_multiple_of(size) {
        match (incomplete, ends.last_mut()) {
            (Incomplete::Keep, _) | (Incomplete::Append, None) => ends.push(rows),
            (Incomplete::Append, Some(last)) => *last = rows,
            (Incomplete::Drop, _) => {}
        }
    }
    let mut start = 0;
    let chunk = |end| {
        let rows = start..end;
        start = end;
        Chunk { key: format!("[{}:{}]", rows.start, rows.end - 1), rows: rows.collect() }
    };
    Ok(ends.into_iter().map(chunk).collect())
}

/// Chunks of rows ÷ `number` adjacent rows, rounded down; what is left is a further chunk, so that 105 rows in ten
/// chunks make eleven. Fewer rows than that are chunks of one.
///
/// # Errors
/// [`Error::Setting`] for a number of 0.
pub fn chunks_by_number(rows: usize, number: usize) -> Result<Vec<Chunk>, Error> {
    if number == 0 {
        return Err(Error::Setting { name: "the number of chunks", value: 0.0, expected: "at least 1" });
    }
    chunks_of_size(rows, (rows / number).max(1), Incomplete::Keep)
}

/// A calendar period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// `2024-01-29`.
    Day,
    /// Monday to Sunday, `2024-01-29/2024-02-04`.
    Week,
    /// `2024-01`.
    Month,
    /// `2024Q1`.
    Quarter,
}

/// Chunks by calendar period of each row's day, given in days since 1970-01-01 in the calendar that the reader uses.
///
/// Chunks come by time, the rows of each in the order given; a period without rows does not appear. Keys are pandas's
/// (`Series.dt.to_period`). O(n log n).
///
/// # Errors
/// [`Error::Setting`] for a day beyond the years −9999 to 9999.
pub fn chunks_by_period(days: &[i64], period: Period) -> Result<Vec<Chunk>, Error> {
    const MOST_DAYS: i64 = 2_932_896;
    if let Some(&day) = days.iter().find(|day| day.unsigned_abs() > MOST_DAYS.unsigned_abs()) {
        let expected = "days since 1970-01-01, no further off than the year 9999";
        return Err(Error::Setting { name: "a day", value: day as f64, expected });
    }
    let mut periods: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (row, &day) in days.iter().enumerate() {
        periods.entry(period.start(day)).or_default().push(row);
    }
    Ok(periods.into_iter().map(|(start, rows)| Chunk { key: period.key(start), rows }).collect())
}

impl Period {
    /// The first day of the period that a day is in.
    fn start(self, day: i64) -> i64 {
        let Date { year, month, .. } = Date::of(day);
        match self {
            Self::Day => day,
            // 1970-01-01 was a Thursday, three days after a Monday.
            Self::Week => day - (day + 3).rem_euclid(7),
            Self::Month => Date { year, month, day: 1 }.days(),
            Self::Quarter => Date { year, month: month - (month - 1) % 3, day: 1 }.days(),
        }
    }

    fn key(self, start: i64) -> String {
        let Date { year, month, .. } = Date::of(start);
        match self {
            Self::Day => Date::of(start).to_string(),
            Self::Week => format!("{}/{}", Date::of(start), Date::of(start + 6)),
            Self::Month => format!("{year:04}-{month:02}"),
            Self::Quarter => format!("{year:04}Q{}", (month - 1) / 3 + 1),
        }
    }
}

/// A date of the Gregorian calendar.
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

/// Days of 400 years.
const ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

impl Date {
    /// The date of a day since 1970-01-01. Years are counted from March, so that the leap day is their last.
    fn of(day: i64) -> Self {
        let day = day + EPOCH;
        let era = day.div_euclid(ERA);
        let of_era = day.rem_euclid(ERA);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            year: year + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
        }
    }

    fn days(&self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let of_era = year.rem_euclid(400);
        let from_march = (self.month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + self.day - 1;
        let in_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        year.div_euclid(400) * ERA + in_era - EPOCH
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for day in (-800_000..800_000).step_by(37).chain([-1, 0, 58, 59, 11_015, 11_016]) {
            let date = Date::of(day);
            assert_eq!(date.days(), day, "{date}");
            assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day), "{date}");
        }
    }

    #[test]
    fn periods_have_their_calendar_names() {
        // Python: date(1970, 1, 1) + timedelta(days=…); pandas 3.1.1: Timestamp(…).to_period("W"), "M", "Q"
        let check = |day, period, expected: &str| {
            assert_eq!(chunks_by_period(&[day], period).unwrap()[0].key, expected);
        };
        check(0, Period::Day, "1970-01-01");
        check(19_782, Period::Day, "2024-02-29");
        check(-1, Period::Day, "1969-12-31");
        check(19_751, Period::Week, "2024-01-29/2024-02-04");
        check(19_757, Period::Week, "2024-01-29/2024-02-04");
        check(19_758, Period::Week, "2024-02-05/2024-02-11");
        check(-1, Period::Week, "1969-12-29/1970-01-04");
        check(19_782, Period::Month, "2024-02");
        check(19_722, Period::Quarter, "2023Q4");
        check(19_723, Period::Quarter, "2024Q1");
    }

    #[test]
    fn chunks_come_by_time_and_none_is_empty() {
        let chunks = chunks_by_period(&[40, 0, 41, 100, 1], Period::Month).unwrap();
        let found: Vec<_> = chunks.iter().map(|chunk| (chunk.key.as_str(), chunk.rows.as_slice())).collect();
        assert_eq!(found, [("1970-01", &[1, 4][..]), ("1970-02", &[0, 2]), ("1970-04", &[3])]);
        assert!(chunks_by_period(&[i64::MIN], Period::Day).is_err());
    }

    #[test]
    fn a_chunk_has_at_least_one_row() {
        let lengths = |chunks: Result<Vec<Chunk>, Error>| -> Vec<usize> {
            chunks.unwrap().iter().map(|chunk| chunk.rows.len()).collect()
        };
        assert_eq!(lengths(chunks_of_size(0, 5, Incomplete::Keep)), [0; 0]);
        assert_eq!(lengths(chunks_of_size(3, 5, Incomplete::Drop)), [0; 0]);
        assert_eq!(lengths(chunks_of_size(3, 5, Incomplete::Append)), [3]);
        assert_eq!(lengths(chunks_by_number(3, 10)), [1, 1, 1]);
        assert!(chunks_of_size(3, 0, Incomplete::Keep).is_err() && chunks_by_number(3, 0).is_err());
    }
}
