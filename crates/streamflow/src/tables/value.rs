//! Values as Postgres sends them in the binary form, read as cells of a table.

use std::fmt::Write as _;

use streamflow_dataset::{Cell, ColumnType};

use super::numeric::Numeric;

/// Days from 1970-01-01 to 2000-01-01, from which Postgres counts.
const EPOCH_DAYS: i32 = 10_957;
const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;
/// The days of the years 1 to 9999, which are those that tables have.
pub(super) const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

/// A type of the database, without the domains around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseType {
    /// Its number, the same in every database where it is built in.
    pub oid: i64,
    /// Its name among the types.
    pub name: String,
    /// What kind of type it is: `e` for an enum.
    pub kind: String,
    /// Its name as SQL has it, such as `integer[]`; of the domain where it is one.
    pub shown: String,
}

/// How the values of a column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoder {
    /// `boolean`.
    Boolean,
    /// `smallint`.
    Small,
    /// `integer`.
    Integer,
    /// `bigint`.
    Big,
    /// `real`.
    Single,
    /// `double precision`.
    Double,
    /// `numeric`.
    Numeric,
    /// Text of any length, and the labels of enums.
    Text,
    /// `character(n)`, whose spaces at the end mean nothing.
    Padded,
    /// `uuid`.
    Uuid,
    /// `date`.
    Date,
    /// `timestamp`, of which the day counts.
    Timestamp,
}

impl Decoder {
    /// How a column of a type is read as one of the configured type.
    ///
    /// # Errors
    /// Why it is not, and what to do.
    pub fn of(found: &DatabaseType, wanted: ColumnType) -> Result<Self, String> {
        use ColumnType::{Boolean, Date, Float, Integer, String};
        let (decoder, holds): (Self, &[ColumnType]) = match (found.oid, found.name.as_str()) {
            (16, _) => (Self::Boolean, &[Boolean]),
            (21, _) => (Self::Small, &[Integer, Float, Boolean]),
            (23, _) => (Self::Integer, &[Integer, Float, Boolean]),
            (20, _) => (Self::Big, &[Integer, Float, Boolean]),
            (700, _) => (Self::Single, &[Integer, Float, Boolean]),
            (701, _) => (Self::Double, &[Integer, Float, Boolean]),
            (1700, _) => (Self::Numeric, &[Integer, Float, Boolean]),
            (1042, _) => (Self::Padded, &[String, Integer, Float, Boolean, Date]),
            // Text may spell a value of any type.
            (25 | 1043 | 19, _) | (_, "citext") => (Self::Text, &[String, Integer, Float, Boolean, Date]),
            _ if found.kind == "e" => (Self::Text, &[String, Integer, Float, Boolean, Date]),
            (2950, _) => (Self::Uuid, &[String]),
            (1082, _) => (Self::Date, &[Date]),
            (1114, _) => (Self::Timestamp, &[Date]),
            _ => return Err(unread(found, wanted)),
        };
        if holds.contains(&wanted) { Ok(decoder) } else { Err(unfit(found, wanted, holds[0])) }
    }

    /// Reads a value; `text` is for those that are spelt, and `wanted` is the configured type.
    ///
    /// # Errors
    /// The value, what was expected, and the remedy.
    pub fn read<'a>(
        self,
        bytes: &'a [u8],
        wanted: ColumnType,
        text: &'a mut String,
    ) -> Result<Cell<'a>, String> {
        match self {
            Self::Boolean => Ok(Cell::Boolean(u8::from_be_bytes(sized(bytes)?) != 0)),
            Self::Small => Ok(Cell::Integer(i16::from_be_bytes(sized(bytes)?).into())),
            Self::Integer => Ok(Cell::Integer(i32::from_be_bytes(sized(bytes)?).into())),
            Self::Big => Ok(Cell::Integer(i64::from_be_bytes(sized(bytes)?))),
            Self::Single => Ok(Cell::Float(f32::from_be_bytes(sized(bytes)?).into())),
            Self::Double => Ok(Cell::Float(f64::from_be_bytes(sized(bytes)?))),
            Self::Numeric => numeric(bytes, wanted, text),
            Self::Text => utf8(bytes).map(Cell::Text),
            Self::Padded => utf8(bytes).map(|padded| Cell::Text(padded.trim_end_matches(' '))),
            Self::Uuid => {
                let whole: [u8; 16] = sized(bytes)?;
                text.clear();
                for (at, byte) in whole.iter().enumerate() {
                    text.push_str(if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" });
                    // Writing to a text does not fail.
                    let _ = write!(text, "{byte:02x}");
                }
                Ok(Cell::Text(text))
            }
            Self::Date => match i32::from_be_bytes(sized(bytes)?) {
                i32::MAX => Err(endless("infinity")),
                i32::MIN => Err(endless("-infinity")),
                days => day(i64::from(days)),
            },
            Self::Timestamp => match i64::from_be_bytes(sized(bytes)?) {
                i64::MAX => Err(endless("infinity")),
                i64::MIN => Err(endless("-infinity")),
                microseconds => day(microseconds.div_euclid(MICROSECONDS_PER_DAY)),
            },
        }
    }
}

fn sized<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    bytes.try_into().map_err(|_| format!("came with {} bytes where its type has {N}", bytes.len()))
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| {
        let shown: String = String::from_utf8_lossy(bytes).chars().take(60).collect();
        format!(
            "{shown:?} is not UTF-8 text, and the database does not say what it is (SQL_ASCII); convert it in a query, such as convert_from(name::bytea, 'LATIN1')"
        )
    })
}

fn numeric<'a>(bytes: &[u8], wanted: ColumnType, text: &'a mut String) -> Result<Cell<'a>, String> {
    let Some(numeric) = Numeric::read(bytes) else {
        return Err(format!("came as {} bytes that are no numeric", bytes.len()));
    };
    if wanted == ColumnType::Float {
        return numeric.float(text).map(Cell::Float).ok_or_else(|| {
            numeric.write(text);
            let (shown, more) = text.split_at_checked(60).map_or((text.as_str(), ""), |(shown, _)| (shown, "…"));
            format!(
                "{shown}{more} is beyond what a 64-bit float holds (up to 1.8e308, and from 4.9e-324 on); scale it in a query, or declare the column as string and convert it to text there"
            )
        });
    }
    numeric.write(text);
    // A whole number may have places after the point.
    if let Some(point) = text.find('.').filter(|point| text[point + 1..].bytes().all(|digit| digit == b'0')) {
        text.truncate(point);
    }
    Ok(Cell::Text(text))
}

fn day(since_2000: i64) -> Result<Cell<'static>, String> {
    let days = i32::try_from(since_2000 + i64::from(EPOCH_DAYS)).ok().filter(|days| DAYS.contains(days));
    days.map(Cell::Date).ok_or_else(|| {
        format!(
            "a day {since_2000} days after 2000-01-01 is in no year from 1 to 9999; correct it, or make it NULL in a query, with NULLIF"
        )
    })
}

fn endless(value: &str) -> String {
    format!("\"{value}\" is no day; make it NULL in a query, such as NULLIF(cancelled_on, '{value}')")
}

/// A type whose values have no place in a table, with what to do.
fn unread(found: &DatabaseType, wanted: ColumnType) -> String {
    let remedy = match found.oid {
        1184 => {
            "its day depends on a time zone: say in a query which, such as (signed_up_at AT TIME ZONE 'Europe/Paris')::date"
        }
        _ if found.shown.ends_with("[]") => "choose one of its values in a query, such as tags[1]",
        _ => "bring it to one in a query, such as payload->>'plan', or extract(epoch FROM duration)",
    };
    format!(
        "has the type {}, which has no place in a flat table; expected {}; {remedy}",
        found.shown,
        kind(wanted)
    )
}

/// A type that holds other values than the configured one.
fn unfit(found: &DatabaseType, wanted: ColumnType, natural: ColumnType) -> String {
    let cast = match wanted {
        ColumnType::String => "text",
        ColumnType::Integer => "bigint",
        ColumnType::Float => "double precision",
        ColumnType::Boolean => "boolean",
        ColumnType::Date => "date",
    };
    format!(
        "has the type {}, which does not hold {}; declare the column as {} in the configuration, or convert it in a query, with ::{cast}",
        found.shown,
        kind(wanted),
        natural.name()
    )
}

/// What values of a type are, in words.
fn kind(wanted: ColumnType) -> &'static str {
    match wanted {
        ColumnType::String => "text",
        ColumnType::Integer => "whole numbers",
        ColumnType::Float => "numbers",
        ColumnType::Boolean => "true and false",
        ColumnType::Date => "dates",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(oid: i64, shown: &str) -> DatabaseType {
        DatabaseType { oid, name: shown.to_owned(), kind: "b".to_owned(), shown: shown.to_owned() }
    }

    #[test]
    fn types_hold_what_files_of_them_hold() {
        use ColumnType::{Boolean, Date, Float, Integer, String};
        for (found, wanted, expected) in [
            (built_in(23, "integer"), Float, Ok(Decoder::Integer)),
            (built_in(16, "boolean"), Boolean, Ok(Decoder::Boolean)),
            (built_in(25, "text"), Date, Ok(Decoder::Text)),
            (built_in(98_765, "citext"), String, Ok(Decoder::Text)),
            (
                DatabaseType { kind: "e".to_owned(), ..built_in(98_766, "contract") },
                String,
                Ok(Decoder::Text),
            ),
            (built_in(20, "bigint"), String, Err("does not hold text; declare the column as integer")),
            (built_in(1082, "date"), String, Err("with ::text")),
            (built_in(16, "boolean"), Integer, Err("with ::bigint")),
            (built_in(1184, "timestamp with time zone"), Date, Err("AT TIME ZONE")),
            (built_in(1007, "integer[]"), Integer, Err("such as tags[1]")),
            (built_in(3802, "jsonb"), String, Err("has no place in a flat table; expected text")),
        ] {
            match (Decoder::of(&found, wanted), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(said), Err(expected)) => assert!(said.contains(expected), "{said}"),
                (found, expected) => panic!("{found:?} {expected:?}"),
            }
        }
    }

    #[test]
    fn values_are_read_or_refused_with_a_remedy() {
        use ColumnType::{Boolean, Date, Float, Integer, String};
        let micros = |days: i64| (days * MICROSECONDS_PER_DAY - 1).to_be_bytes().to_vec();
        let numeric = |digits: &[u16], weight: i16, scale: u16| {
            let head = [digits.len() as u16, weight.cast_unsigned(), 0, scale];
            head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>()
        };
        let mut text = std::string::String::new();
        let text_of = |text: &'static str| Ok(Cell::Text(text));
        for (decoder, bytes, wanted, expected) in [
            (Decoder::Boolean, vec![1], Boolean, Ok(Cell::Boolean(true))),
            (Decoder::Small, vec![0xff, 0xfe], Integer, Ok(Cell::Integer(-2))),
            (Decoder::Big, i64::MIN.to_be_bytes().to_vec(), Integer, Ok(Cell::Integer(i64::MIN))),
            (Decoder::Single, 29.85_f32.to_be_bytes().to_vec(), Float, Ok(Cell::Float(29.850000381469727))),
            (Decoder::Double, f64::INFINITY.to_be_bytes().to_vec(), Float, Ok(Cell::Float(f64::INFINITY))),
            (Decoder::Numeric, numeric(&[29, 8500], 0, 2), Float, Ok(Cell::Float(29.85))),
            (Decoder::Numeric, numeric(&[12], 0, 2), Integer, text_of("12")),
            (Decoder::Numeric, numeric(&[12, 5000], 0, 1), Integer, text_of("12.5")),
            (Decoder::Numeric, numeric(&[1], 99, 0), Float, Err("beyond what a 64-bit float holds")),
            (Decoder::Numeric, vec![0; 3], Float, Err("no numeric")),
            (Decoder::Text, "é".into(), String, text_of("é")),
            (Decoder::Text, vec![0xe9], String, Err("is not UTF-8 text")),
            (Decoder::Padded, b"ab  ".to_vec(), String, text_of("ab")),
            (Decoder::Uuid, (0..16).collect(), String, text_of("00010203-0405-0607-0809-0a0b0c0d0e0f")),
            (Decoder::Date, (-10_957_i32).to_be_bytes().to_vec(), Date, Ok(Cell::Date(0))),
            (Decoder::Date, i32::MAX.to_be_bytes().to_vec(), Date, Err("\"infinity\" is no day")),
            (Decoder::Date, 5_000_000_i32.to_be_bytes().to_vec(), Date, Err("in no year from 1 to 9999")),
            (Decoder::Timestamp, micros(1), Date, Ok(Cell::Date(10_957))),
            (Decoder::Timestamp, micros(0), Date, Ok(Cell::Date(10_956))),
            (Decoder::Timestamp, i64::MIN.to_be_bytes().to_vec(), Date, Err("\"-infinity\" is no day")),
            (Decoder::Integer, vec![0; 3], Integer, Err("came with 3 bytes where its type has 4")),
        ] {
            match (decoder.read(&bytes, wanted, &mut text), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(said), Err(expected)) => assert!(said.contains(expected), "{said}"),
                (found, expected) => panic!("{found:?} {expected:?}"),
            }
        }
    }
}
