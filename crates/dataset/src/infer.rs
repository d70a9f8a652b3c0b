//! The type of a CSV column as pandas' `read_csv` would infer it.

use crate::cell::Cell;
use crate::spec::ColumnType;

/// What pandas 2 and 3 take for missing in `read_csv`, beside the empty field.
const MISSING_WORDS: &[&str] = &[
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

fn is_missing(text: &str) -> bool {
    text.is_empty() || (text.len() <= 8 && MISSING_WORDS.contains(&text))
}

/// What the values of a column have in common so far.
#[derive(Debug, Clone)]
pub(crate) struct Guess {
    present: bool,
    missing: bool,
    /// All are `i64`.
    integers: bool,
    /// All are `i64` or `u64`, or not whole numbers at all.
    small: bool,
    /// At least one is a number with a fraction, an exponent or no end.
    fraction: bool,
    floats: bool,
    booleans: bool,
}

impl Default for Guess {
    fn default() -> Self {
        Guess {
            present: false,
            missing: false,
            integers: true,
            small: true,
            fraction: false,
            floats: true,
            booleans: true,
        }
    }
}

impl Guess {
    pub(crate) fn see(&mut self, text: &str) {
        if !self.floats && !self.booleans {
            return;
        }
        if is_missing(text) {
            self.missing = true;
            return;
        }
        self.present = true;
        self.booleans = self.booleans && boolean(text).is_some();
        let number = text.trim_matches([' ', '\t']);
        if self.integers && number.parse::<i64>().is_ok() {
            return;
        }
        self.integers = false;
        if self.floats {
            self.floats = float(number).is_some();
            let whole = number.trim_start_matches(['+', '-']).bytes().all(|byte| byte.is_ascii_digit());
            self.fraction |= !whole;
            self.small &= !whole || number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
        }
    }

    pub(crate) fn column_type(&self) -> ColumnType {
        if !self.present {
            ColumnType::Float
        } else if self.integers && !self.missing {
            ColumnType::Integer
        // Whole numbers too long for 64 bits are names rather than numbers, as long as they are alone.
        } else if self.floats && (self.small || self.fraction) {
            ColumnType::Float
        } else if self.booleans {
            ColumnType::Boolean
        } else {
            ColumnType::String
        }
    }
}

/// The value of a field in a column whose type was inferred. A file that has changed since gives a
/// missing value where it has no value of the type any more.
pub(crate) fn read_as(text: &str, column_type: ColumnType) -> Cell<'_> {
    if is_missing(text) {
        return Cell::Missing;
    }
    let number = text.trim_matches([' ', '\t']);
    match column_type {
        ColumnType::String | ColumnType::Date => Cell::Text(text),
        ColumnType::Integer => number.parse().map_or(Cell::Missing, Cell::Integer),
        ColumnType::Float => float(number).map_or(Cell::Missing, Cell::Float),
        ColumnType::Boolean => boolean(text).map_or(Cell::Missing, Cell::Boolean),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "True" | "TRUE" | "true" => Some(true),
        "False" | "FALSE" | "false" => Some(false),
        _ => None,
    }
}

/// `NAN` and other spellings of it that are not in the list are text.
fn float(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| !value.is_nan())
}
