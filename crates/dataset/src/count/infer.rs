//! The type of a CSV column as pandas' `read_csv` would infer it, without regard to what `kind` adds.

use crate::cell::{Cell, parse_day};
use crate::column_type::ColumnType;

/// What pandas 2 and 3 take for missing in `read_csv`, beside the empty field.
const MISSING_WORDS: &[&str] = &[
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

pub(crate) fn is_missing(text: &str) -> bool {
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

    /// Sees a [`Number::Whole`].
    pub(crate) fn see_whole(&mut self) {
        self.present = true;
        self.booleans = false;
    }

    /// Sees a [`Number::Decimal`].
    pub(crate) fn see_fraction(&mut self) {
        self.present = true;
        self.booleans = false;
        self.integers = false;
        self.fraction = true;
    }

    /// Sees what the other part of the column has seen.
    pub(crate) fn merge(&mut self, other: &Guess) {
        self.present |= other.present;
        self.missing |= other.missing;
        self.integers &= other.integers;
        self.small &= other.small;
        self.fraction |= other.fraction;
        self.floats &= other.floats;
        self.booleans &= other.booleans;
    }

    /// Whether the column cannot be one of whole numbers any more.
    pub(crate) fn is_decimal(&self) -> bool {
        self.missing || !self.integers
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

/// Whether a text that is not missing is a number.
pub(crate) fn is_number(text: &str) -> bool {
    float(text.trim_matches([' ', '\t'])).is_some()
}

/// The value of a field in a column whose type was inferred. A file that has changed since gives a
/// missing value where it has no value of the type any more.
pub(crate) fn read_as(text: &str, column_type: ColumnType) -> Cell<'_> {
    if is_missing(text) {
        return Cell::Missing;
    }
    let number = text.trim_matches([' ', '\t']);
    match column_type {
        ColumnType::String => Cell::Text(text),
        ColumnType::Date => parse_day(number).map_or(Cell::Missing, Cell::Date),
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

/// A number written as most are: digits, perhaps a minus before and a point among them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// At most 18 digits without a point.
    Whole(i64),
    /// Negative zero as zero.
    Decimal(f64),
}

/// What `str::parse` says of such a text, faster; `None` for every other one.
pub(crate) fn number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let (mut value, mut count, mut point) = (0_u64, 0, None);
    for (position, byte) in digits.iter().enumerate() {
        match byte {
            // More than 18 digits may not fit; they are not used then.
            b'0'..=b'9' => (value, count) = (value.wrapping_mul(10) + u64::from(byte - b'0'), count + 1),
            b'.' if point.is_none() => point = Some(position),
            _ => return None,
        }
    }
    if count == 0 {
        return None;
    }
    let Some(point) = point else {
        let value = i64::try_from(value).ok().filter(|_| count <= 18)?;
        return Some(Number::Whole(if negative { -value } else { value }));
    };
    // Both parts of the quotient are exact, so its rounding is the only one (Clinger 1990, doi:10.1145/93542.93557).
    let power = POWERS_OF_TEN.get(digits.len() - point - 1);
    let magnitude = match power {
        Some(power) if count <= 18 && value <= 1 << f64::MANTISSA_DIGITS => value as f64 / power,
        _ => return text.parse().ok().map(|value: f64| Number::Decimal(value + 0.0)),
    };
    Some(Number::Decimal(if negative { 0.0 - magnitude } else { magnitude }))
}

const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str) {
        match number(text) {
            Some(Number::Whole(value)) => assert_eq!(text.parse(), Ok(value), "{text}"),
            Some(Number::Decimal(value)) => {
                assert!(text.parse::<i64>().is_err(), "{text}");
                assert_eq!(
                    text.parse::<f64>().map(|found| (found + 0.0).to_bits()),
                    Ok(value.to_bits()),
                    "{text}"
                );
            }
            None => {
                assert!(text.parse::<i64>().is_err() || text.len() > 18 || text.starts_with('+'), "{text}")
            }
        }
    }

    #[test]
    fn plain_numbers_are_those_of_the_standard_library() {
        for text in [
            "",
            "-",
            ".",
            "-.",
            "0",
            "-0",
            "-0.0",
            "5.",
            ".5",
            "-.5",
            "1.2.3",
            "1e5",
            "+1",
            "999999999999999999",
            "9223372036854775807",
            "9223372036854775808",
            "29.14104464084511",
            "0.1",
            "9007199254740993.0",
            "0.000000000000000000000001",
            "123456789012345678901234567890.5",
            "1_0",
            "٣",
        ] {
            check(text);
        }
        assert_eq!(number("-12.5"), Some(Number::Decimal(-12.5)));
        assert_eq!(number("1234"), Some(Number::Whole(1234)));
    }

    proptest! {
        #[test]
        fn any_decimal_is_rounded_as_the_standard_library_rounds_it(
            text in "-?[0-9]{0,20}\\.?[0-9]{0,24}", value in any::<f64>(), digits in 0..18_usize,
        ) {
            check(&text);
            check(&value.to_string());
            check(&format!("{:.digits$}", value % 1e6));
        }
    }
}
