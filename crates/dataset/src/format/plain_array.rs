//! Brings an array of any flat type to one of the five array types of this crate.
//!
//! Arrow's own cast kernels convert between all pairs of types; these few conversions are a fortieth of
//! them, at a fortieth of the build.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, ArrowTimestampType, Date32Type, Date64Type, Decimal32Type, Decimal64Type,
    Decimal128Type, Decimal256Type, DecimalType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, StringArray, new_null_array};
use arrow_schema::{DataType, TimeUnit};

use crate::column_type::ColumnType;
use crate::format::allowance::charge;
use crate::problem::ProblemKind;

const SECONDS_PER_DAY: i64 = 86_400;

/// The type that the values of a Parquet column are brought to; `None` when they have no place in a flat
/// table. Times of day are cut off timestamps; those of a zone whose clocks change have no type.
pub(crate) fn plain_type(found: &DataType) -> Option<ColumnType> {
    use DataType::*;
    match found {
        Boolean => Some(ColumnType::Boolean),
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => Some(ColumnType::Integer),
        Float16 | Float32 | Float64 | Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => {
            Some(ColumnType::Float)
        }
        Utf8 | LargeUtf8 | Utf8View | Null => Some(ColumnType::String),
        Date32 | Date64 | Timestamp(_, None) => Some(ColumnType::Date),
        Timestamp(_, Some(zone)) => zone_offset_seconds(zone).ok().map(|_| ColumnType::Date),
        Dictionary(_, values) => plain_type(values),
        _ => None,
    }
}

/// Why a column has no [`plain_type`].
pub(crate) fn unsupported(found: &DataType) -> ProblemKind {
    ProblemKind::UnsupportedParquetType { found: type_name(found) }
}

/// The name of a type that is not read, without the types inside it.
pub(crate) fn type_name(found: &DataType) -> String {
    use DataType::*;
    let name = match found {
        Binary | LargeBinary | BinaryView => "binary",
        FixedSizeBinary(_) => "fixed-size binary",
        List(_) | LargeList(_) | ListView(_) | LargeListView(_) | FixedSizeList(..) => "list",
        Struct(_) => "struct",
        Map(..) => "map",
        Time32(_) | Time64(_) => "time",
        Interval(_) => "interval",
        Timestamp(_, Some(zone)) => return format!("timestamp of the zone {zone}"),
        other => return crate::cell::shorten(&other.to_string()),
    };
    name.to_string()
}

/// Brings an array to its [`plain_type`]; whole numbers past 64 bits with a sign become floats.
///
/// # Errors
/// Why a value has no place in that type, or that the type has none.
pub(crate) fn plain(array: &ArrayRef) -> Result<ArrayRef, String> {
    use DataType::*;
    Ok(match array.data_type() {
        Boolean | Int64 | Float64 | Utf8 | Date32 => Arc::clone(array),
        Int8 => integers::<Int8Type>(array),
        Int16 => integers::<Int16Type>(array),
        Int32 => integers::<Int32Type>(array),
        UInt8 => integers::<UInt8Type>(array),
        UInt16 => integers::<UInt16Type>(array),
        UInt32 => integers::<UInt32Type>(array),
        UInt64 => unsigned(array),
        Float16 => Arc::new(array.as_primitive::<Float16Type>().unary::<_, Float64Type>(f64::from)),
        Float32 => Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float64Type>(f64::from)),
        Decimal32(_, scale) => decimals::<Decimal32Type>(array, *scale, f64::from),
        Decimal64(_, scale) => decimals::<Decimal64Type>(array, *scale, |value| value as f64),
        Decimal128(_, scale) => decimals::<Decimal128Type>(array, *scale, |value| value as f64),
        Decimal256(_, scale) => decimals::<Decimal256Type>(array, *scale, |value| {
            value.to_string().parse().expect("the digits of an integer are a number")
        }),
        LargeUtf8 => Arc::new(StringArray::from_iter(array.as_string::<i64>())),
        Utf8View => {
            let texts = array.as_string_view();
            charge(|| texts.iter().flatten().map(|text| text.len() as u64).sum())?;
            Arc::new(StringArray::from_iter(texts))
        }
        Null => new_null_array(&Utf8, array.len()),
        Date64 => dates::<Date64Type>(array, SECONDS_PER_DAY * 1000, 0)?,
        Timestamp(unit, zone) => {
            let offset_seconds = zone.as_deref().map_or(Ok(0), zone_offset_seconds)?;
            timestamps(array, *unit, offset_seconds)?
        }
        Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            charge(|| (array.len() as u64).saturating_mul(longest(dictionary.values())))?;
            let rows = arrow_select::take::take(dictionary.values(), dictionary.keys(), None);
            plain(&rows.map_err(|error| error.to_string())?)?
        }
        other => return Err(format!("values of the type {other} have no place in a flat table")),
    })
}

/// The most bytes of a text.
fn longest(texts: &ArrayRef) -> u64 {
    let lengths = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0) as u64;
    match texts.data_type() {
        DataType::Utf8 => lengths(&mut texts.as_string::<i32>().iter().flatten().map(str::len)),
        DataType::LargeUtf8 => lengths(&mut texts.as_string::<i64>().iter().flatten().map(str::len)),
        DataType::Utf8View => lengths(&mut texts.as_string_view().iter().flatten().map(str::len)),
        _ => 0,
    }
}

fn integers<T>(array: &ArrayRef) -> ArrayRef
where
    T: ArrowPrimitiveType,
    i64: From<T::Native>,
{
    Arc::new(array.as_primitive::<T>().unary::<_, Int64Type>(i64::from))
}

fn unsigned(array: &ArrayRef) -> ArrayRef {
    let values = array.as_primitive::<UInt64Type>();
    match values.try_unary::<_, Int64Type, _>(i64::try_from) {
        Ok(integers) => Arc::new(integers),
        Err(_) => Arc::new(values.unary::<_, Float64Type>(|value| value as f64)),
    }
}

fn decimals<T: DecimalType>(array: &ArrayRef, scale: i8, digits: impl Fn(T::Native) -> f64) -> ArrayRef {
    let unit = 10_f64.powi(i32::from(scale));
    Arc::new(array.as_primitive::<T>().unary::<_, Float64Type>(|value| digits(value) / unit))
}

fn timestamps(array: &ArrayRef, unit: TimeUnit, offset_seconds: i64) -> Result<ArrayRef, String> {
    match unit {
        TimeUnit::Second => timestamp::<TimestampSecondType>(array, 1, offset_seconds),
        TimeUnit::Millisecond => timestamp::<TimestampMillisecondType>(array, 1_000, offset_seconds),
        TimeUnit::Microsecond => timestamp::<TimestampMicrosecondType>(array, 1_000_000, offset_seconds),
        TimeUnit::Nanosecond => timestamp::<TimestampNanosecondType>(array, 1_000_000_000, offset_seconds),
    }
}

fn timestamp<T: ArrowTimestampType>(
    array: &ArrayRef,
    per_second: i64,
    offset_seconds: i64,
) -> Result<ArrayRef, String> {
    dates::<T>(array, SECONDS_PER_DAY * per_second, offset_seconds * per_second)
}

/// The days of instants; `per_day` and `offset` are in the array's unit.
fn dates<T>(array: &ArrayRef, per_day: i64, offset: i64) -> Result<ArrayRef, String>
where
    T: ArrowPrimitiveType<Native = i64>,
{
    let day = |value: i64| {
        let local = value.checked_add(offset).ok_or_else(|| format!("the time {value} is out of range"))?;
        i32::try_from(local.div_euclid(per_day)).map_err(|_| format!("the time {value} is out of range"))
    };
    Ok(Arc::new(array.as_primitive::<T>().try_unary::<_, Date32Type, String>(day)?))
}

/// How far the clocks of a zone are ahead of UTC.
fn zone_offset_seconds(zone: &str) -> Result<i64, String> {
    let offset = || -> Option<i64> {
        if matches!(zone, "UTC" | "Etc/UTC" | "Z" | "GMT") {
            return Some(0);
        }
        let (sign, digits) = match zone.as_bytes().first()? {
            b'+' => (1, &zone[1..]),
            b'-' => (-1, &zone[1..]),
            _ => return None,
        };
        let digits = digits.replace(':', "");
        let (hours, minutes) = digits.split_at_checked(2)?;
        let hours: i64 = hours.parse().ok()?;
        let minutes: i64 = if minutes.is_empty() { 0 } else { minutes.parse().ok()? };
        (hours < 24 && (0..60).contains(&minutes)).then_some(sign * (hours * 60 + minutes) * 60)
    };
    offset().ok_or_else(|| {
        format!(
            "times of the zone {zone} are not read; write them in UTC or with a fixed offset such as +02:00"
        )
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::{
        Date64Array, Decimal128Array, Decimal256Array, DictionaryArray, Float32Array, Int16Array,
        LargeStringArray, StringViewArray, TimestampMillisecondArray, TimestampSecondArray, UInt64Array,
    };
    use arrow_buffer::i256;

    use super::*;
    use crate::cell::{Cells, arrow_type};

    /// The values of the plain array joined by spaces, `-` where missing, or why there is none.
    fn check(array: impl Array + 'static, expected: Result<&str, &str>) {
        let array: ArrayRef = Arc::new(array);
        let found = plain(&array).map(|plain| {
            let is_plain = plain_type(array.data_type()).map(arrow_type).as_ref() == Some(plain.data_type());
            assert!(is_plain || *array.data_type() == DataType::UInt64, "{array:?} became {plain:?}");
            let cells = Cells::new(&plain).unwrap();
            let text = |row| if plain.is_null(row) { "-".to_string() } else { cells.get(row).to_text() };
            (0..plain.len()).map(text).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{array:?}");
    }

    #[test]
    fn values_keep_what_they_say() {
        check(Int16Array::from(vec![Some(-3), None]), Ok("-3 -"));
        check(UInt64Array::from(vec![Some(7), None]), Ok("7 -"));
        check(UInt64Array::from(vec![u64::MAX, 1]), Ok("1.8446744073709552e+19 1.0"));
        check(Float32Array::from(vec![Some(0.5), None]), Ok("0.5 -"));
        let decimals = Decimal128Array::from(vec![Some(12345), None]);
        check(decimals.with_precision_and_scale(10, 2).unwrap(), Ok("123.45 -"));
        let decimals = Decimal256Array::from(vec![Some(i256::from(-5)), None]);
        check(decimals.with_precision_and_scale(40, 1).unwrap(), Ok("-0.5 -"));
        check(LargeStringArray::from(vec![Some("a"), None]), Ok("a -"));
        check(
            StringViewArray::from(vec![Some("longer than twelve bytes"), None]),
            Ok("longer than twelve bytes -"),
        );
        check(arrow_array::NullArray::new(2), Ok("- -"));
        let dictionary: DictionaryArray<arrow_array::types::Int8Type> =
            vec![Some("one"), None, Some("two"), Some("one")].into_iter().collect();
        check(dictionary, Ok("one - two one"));
    }

    #[test]
    fn times_become_the_days_that_their_zone_had() {
        check(Date64Array::from(vec![Some(-1), Some(86_400_000), None]), Ok("1969-12-31 1970-01-02 -"));
        check(TimestampSecondArray::from(vec![-1, 0]), Ok("1969-12-31 1970-01-01"));
        let late = || TimestampMillisecondArray::from(vec![82_800_000]);
        check(late().with_timezone("UTC"), Ok("1970-01-01"));
        check(late().with_timezone("+02:00"), Ok("1970-01-02"));
        check(late().with_timezone("-0130"), Ok("1970-01-01"));
        check(
            late().with_timezone("Europe/Berlin"),
            Err(
                "times of the zone Europe/Berlin are not read; write them in UTC or with a fixed offset such as +02:00",
            ),
        );
        check(
            TimestampSecondArray::from(vec![i64::MAX]),
            Err("the time 9223372036854775807 is out of range"),
        );
    }

    #[test]
    fn what_is_not_flat_is_refused() {
        let nested = arrow_array::ListArray::new_null(
            Arc::new(arrow_schema::Field::new_list_field(DataType::Int8, true)),
            1,
        );
        assert_eq!(plain_type(nested.data_type()), None);
        assert!(plain(&(Arc::new(nested) as ArrayRef)).is_err());
    }
}
