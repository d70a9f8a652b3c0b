//! Rows as the text form of Postgres's `COPY FROM` has them: the database itself brings them to the types of its columns.

use std::fmt::Write as _;

use streamflow_dataset::Cell;

use super::value::DAYS;

/// What a column of the database takes, as far as it would change a value without saying so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// What it is given, or it says that it does not.
    Everything,
    /// So many decimal places, and rounds.
    Places(i32),
    /// 32-bit floats, and rounds.
    Singles,
}

impl Holds {
    /// Of a type's number and what stands in brackets behind it.
    pub(super) fn of(oid: i64, modifier: i32) -> Self {
        // Four bytes of a header are counted among what stands in brackets; the places are its last eleven bits.
        const HEADER: i32 = 4;
        match oid {
            700 => Self::Singles,
            1700 if modifier >= HEADER => Self::Places((((modifier - HEADER) & 0x7ff) ^ 1024) - 1024),
            _ => Self::Everything,
        }
    }

    /// Whether it holds this number, which is spelt so, as it is.
    fn holds(self, number: f64, spelt: &str) -> bool {
        if !number.is_finite() {
            return true;
        }
        match self {
            Self::Everything => true,
            #[expect(clippy::float_cmp, reason = "it is the same number or not")]
            Self::Singles => f64::from(number as f32) == number,
            Self::Places(places) => {
                let after = spelt.split_once('.').map_or(0, |(_, after)| after.len());
                let zeros = spelt.len() - spelt.trim_end_matches('0').len();
                match usize::try_from(places) {
                    Ok(places) => after <= places,
                    Err(_) => number == 0.0 || (after == 0 && zeros >= places.unsigned_abs() as usize),
                }
            }
        }
    }
}

/// Adds a value to a row.
///
/// # Errors
/// A value that the database would change or does not know, with what to do.
pub(super) fn write(cell: Cell<'_>, holds: Holds, row: &mut String) -> Result<(), String> {
    let begin = row.len();
    match cell {
        Cell::Missing => row.push_str("\\N"),
        Cell::Boolean(value) => row.push(if value { 't' } else { 'f' }),
        Cell::Text(text) => escaped(text, row)?,
        Cell::Date(days) if !DAYS.contains(&days) => {
            let spelt = cell.text().unwrap_or_default();
            return Err(format!(
                "{spelt} is in no year from 1 to 9999; correct it in the drop, and ingest that again"
            ));
        }
        Cell::Date(_) => row.push_str(&cell.text().unwrap_or_default()),
        Cell::Float(f64::INFINITY) => row.push_str("Infinity"),
        Cell::Float(f64::NEG_INFINITY) => row.push_str("-Infinity"),
        // Writing to a text does not fail.
        Cell::Integer(value) => {
            let _ = write!(row, "{value}");
        }
        Cell::Float(value) => {
            let _ = write!(row, "{value}");
        }
    }
    let number = match cell {
        Cell::Integer(value) => value as f64,
        Cell::Float(value) => value,
        _ => return Ok(()),
    };
    let spelt = &row[begin..];
    if holds.holds(number, spelt) { Ok(()) } else { Err(rounded(spelt, holds)) }
}

fn rounded(spelt: &str, holds: Holds) -> String {
    match holds {
        Holds::Places(places) => format!(
            "{spelt} has other decimal places than the {places} that the column has, and the database would round it without saying so; give the column the type numeric or double precision"
        ),
        _ => format!(
            "{spelt} is no 32-bit float, and the database would round it without saying so; give the column the type double precision"
        ),
    }
}

fn escaped(text: &str, row: &mut String) -> Result<(), String> {
    for letter in text.chars() {
        match letter {
            '\0' => {
                return Err(format!(
                    "{:?} has a zero byte in it, which no text of a database has; take it out of the drop, and ingest that again",
                    text.chars().take(60).collect::<String>()
                ));
            }
            '\\' => row.push_str("\\\\"),
            '\n' => row.push_str("\\n"),
            '\r' => row.push_str("\\r"),
            '\t' => row.push_str("\\t"),
            other => row.push(other),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spelt_so_that_they_come_back_as_they_are() {
        let places = |precision: i32, scale: i32| Holds::of(1700, ((precision << 16) | (scale & 0x7ff)) + 4);
        assert_eq!(places(10, 2), Holds::Places(2));
        assert_eq!(places(2, -3), Holds::Places(-3));
        assert_eq!(Holds::of(1700, -1), Holds::Everything);
        for (cell, holds, expected) in [
            (Cell::Missing, Holds::Everything, Ok("\\N")),
            (Cell::Boolean(true), Holds::Everything, Ok("t")),
            (Cell::Integer(i64::MIN), Holds::Everything, Ok("-9223372036854775808")),
            (Cell::Float(0.1), Holds::Everything, Ok("0.1")),
            (Cell::Float(f64::NEG_INFINITY), Holds::Singles, Ok("-Infinity")),
            (Cell::Float(0.5), Holds::Singles, Ok("0.5")),
            (Cell::Float(29.85), Holds::Singles, Err("29.85 is no 32-bit float")),
            (Cell::Float(29.85), places(10, 2), Ok("29.85")),
            (Cell::Float(29.0), places(10, 2), Ok("29")),
            (Cell::Float(29.855), places(10, 2), Err("29.855 has other decimal places than the 2")),
            (Cell::Float(12_000.0), places(2, -3), Ok("12000")),
            (Cell::Float(12_500.0), places(2, -3), Err("12500 has other decimal places")),
            (Cell::Integer(12_500), places(2, -3), Err("12500 has other decimal places")),
            (Cell::Text("a\tb\\N\r\né"), Holds::Everything, Ok("a\\tb\\\\N\\r\\né")),
            (Cell::Text("a\0"), Holds::Everything, Err("has a zero byte")),
            (Cell::Date(0), Holds::Everything, Ok("1970-01-01")),
            (Cell::Date(-719_163), Holds::Everything, Err("in no year from 1 to 9999")),
        ] {
            let mut row = String::new();
            match (write(cell, holds, &mut row), expected) {
                (Ok(()), Ok(expected)) => assert_eq!(row, expected),
                (Err(said), Err(expected)) => assert!(said.contains(expected), "{said}"),
                (found, expected) => panic!("{cell:?}: {found:?} {expected:?}"),
            }
        }
    }
}
