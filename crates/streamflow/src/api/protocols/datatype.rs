//! The datatypes of the Open Inference Protocol: what JSON and raw bytes mean as one.

use base64::Engine as _;
use half::f16;
use streamflow_dataset::Cell;

use super::table::Block;
use crate::api::json::Json;

/// A type of a tensor's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Fp32,
    Fp64,
    Bytes,
}

/// The names that requests have for them, and the bytes of one value.
const NAMES: [(Datatype, &str, usize); 13] = [
    (Datatype::Bool, "BOOL", 1),
    (Datatype::Uint8, "UINT8", 1),
    (Datatype::Uint16, "UINT16", 2),
    (Datatype::Uint32, "UINT32", 4),
    (Datatype::Uint64, "UINT64", 8),
    (Datatype::Int8, "INT8", 1),
    (Datatype::Int16, "INT16", 2),
    (Datatype::Int32, "INT32", 4),
    (Datatype::Int64, "INT64", 8),
    (Datatype::Fp16, "FP16", 2),
    (Datatype::Fp32, "FP32", 4),
    (Datatype::Fp64, "FP64", 8),
    (Datatype::Bytes, "BYTES", 4),
];

impl Datatype {
    /// The type of this name.
    pub fn of(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known, _)| *known == name).map(|(datatype, ..)| *datatype)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(datatype, ..)| *datatype == self).map_or("", |(_, name, _)| name)
    }

    /// All names, as the end of a sentence.
    pub fn names() -> String {
        let quoted: Vec<String> = NAMES.iter().map(|(_, name, _)| format!("'{name}'")).collect();
        let (last, others) =
            quoted.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
        format!("{} or {last}", others.join(", "))
    }

    fn size(self) -> usize {
        NAMES.iter().find(|(datatype, ..)| *datatype == self).map_or(1, |(.., size)| *size)
    }

    /// The integers that it holds, both ends included; none of other types.
    fn integers(self) -> Option<(i128, i128)> {
        let signed = |bits: u32| (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1);
        let unsigned = |bits: u32| (0, (1_i128 << bits) - 1);
        Some(match self {
            Datatype::Uint8 => unsigned(8),
            Datatype::Uint16 => unsigned(16),
            Datatype::Uint32 => unsigned(32),
            Datatype::Uint64 => unsigned(64),
            Datatype::Int8 => signed(8),
            Datatype::Int16 => signed(16),
            Datatype::Int32 => signed(32),
            Datatype::Int64 => signed(64),
            _ => return None,
        })
    }

    /// A value of JSON as one of this type, as NumPy converts it: a fraction is cut to an integer, a text that spells a
    /// number is that number, and null is missing where the type has a place for it.
    ///
    /// # Errors
    /// What was expected.
    pub fn read<'a>(self, value: &'a Json<'a>) -> Result<Cell<'a>, String> {
        let refused = || format!("expected {}, got {}", self.expected(), value.shown());
        match (self, value) {
            (Datatype::Bytes, Json::Text(text)) => Ok(Cell::Text(text)),
            (Datatype::Bytes | Datatype::Fp16 | Datatype::Fp32 | Datatype::Fp64, Json::Null) => {
                Ok(Cell::Missing)
            }
            (Datatype::Bytes, _) => Err(refused()),
            (Datatype::Bool, Json::Bool(value)) => Ok(Cell::Boolean(*value)),
            (Datatype::Bool, Json::Integer(number @ (0 | 1))) => Ok(Cell::Boolean(*number == 1)),
            (Datatype::Bool, _) => Err(refused()),
            (Datatype::Fp16 | Datatype::Fp32 | Datatype::Fp64, _) => {
                let number = match value {
                    Json::Bool(value) => f64::from(u8::from(*value)),
                    Json::Integer(number) => *number as f64,
                    Json::Large(number) => *number as f64,
                    Json::Number(number) => *number,
                    Json::Text(text) => text.trim().parse().map_err(|_| refused())?,
                    _ => return Err(refused()),
                };
                self.rounded(number).map(Cell::Float).ok_or_else(refused)
            }
            _ => self.integer(value).ok_or_else(refused),
        }
    }

    /// A number of a float's width; `None` of a finite one that is beyond it.
    fn rounded(self, number: f64) -> Option<f64> {
        let rounded = match self {
            Datatype::Fp16 => f16::from_f64(number).to_f64(),
            Datatype::Fp32 => f64::from(number as f32),
            _ => number,
        };
        (rounded.is_finite() || !number.is_finite()).then_some(rounded)
    }

    fn integer<'a>(self, value: &Json) -> Option<Cell<'a>> {
        let (least, greatest) = self.integers()?;
        let number = match value {
            Json::Bool(value) => i128::from(*value),
            Json::Integer(number) => i128::from(*number),
            Json::Large(number) => i128::from(*number),
            // The ends of 128 bits stand for what is beyond them, which no type holds.
            Json::Number(number) if number.is_finite() => number.trunc() as i128,
            Json::Text(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        (least..=greatest).contains(&number).then(|| of_integer(number))
    }

    /// What one value is, as the end of a sentence.
    fn expected(self) -> String {
        match (self, self.integers()) {
            (_, Some((least, greatest))) => {
                format!("an integer from {least} to {greatest} ({})", self.name())
            }
            (Datatype::Bool, _) => "true or false (BOOL)".to_owned(),
            (Datatype::Bytes, _) => "a text (BYTES)".to_owned(),
            _ => format!("a number within {}", self.name()),
        }
    }

    /// Values that lie one after another as bytes, the least significant first; a text has its length before it as four
    /// bytes.
    ///
    /// # Errors
    /// Bytes that are no whole number of values, a text that is not UTF-8.
    pub fn read_raw(self, bytes: &[u8]) -> Result<Block<'_>, String> {
        if self == Datatype::Bytes {
            return texts(bytes);
        }
        let size = self.size();
        if !bytes.len().is_multiple_of(size) {
            let name = self.name();
            return Err(format!(
                "{} bytes are no whole number of {name} values of {size} bytes",
                bytes.len()
            ));
        }
        Ok(bytes.chunks_exact(size).map(|value| self.one(value)).collect())
    }

    fn one<'a>(self, bytes: &[u8]) -> Cell<'a> {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let unsigned = u64::from_le_bytes(wide);
        match self {
            Datatype::Bool => Cell::Boolean(unsigned != 0),
            Datatype::Int8 => Cell::Integer(i64::from(unsigned as u8 as i8)),
            Datatype::Int16 => Cell::Integer(i64::from(unsigned as u16 as i16)),
            Datatype::Int32 => Cell::Integer(i64::from(unsigned as u32 as i32)),
            Datatype::Int64 => Cell::Integer(unsigned as i64),
            Datatype::Fp16 => Cell::Float(f16::from_bits(unsigned as u16).to_f64()),
            Datatype::Fp32 => Cell::Float(f64::from(f32::from_bits(unsigned as u32))),
            Datatype::Fp64 => Cell::Float(f64::from_bits(unsigned)),
            _ => of_integer(i128::from(unsigned)),
        }
    }

    /// Appends a value as [`Datatype::read_raw`] reads it; the value is one of this type.
    pub fn write_raw(self, cell: Cell, out: &mut Vec<u8>) {
        match (self, cell) {
            (Datatype::Fp32, Cell::Float(number)) => out.extend((number as f32).to_le_bytes()),
            (Datatype::Fp64, Cell::Float(number)) => out.extend(number.to_le_bytes()),
            (Datatype::Int64, Cell::Integer(number)) => out.extend(number.to_le_bytes()),
            (Datatype::Bytes, Cell::Text(text)) => {
                out.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                out.extend(text.as_bytes());
            }
            _ => debug_assert!(false, "answers are of four types"),
        }
    }
}

/// An integer; one beyond 64 bits is a number.
pub fn of_integer<'a>(number: i128) -> Cell<'a> {
    i64::try_from(number).map_or(Cell::Float(number as f64), Cell::Integer)
}

fn texts(mut bytes: &[u8]) -> Result<Block<'_>, String> {
    let mut block = Block::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or("a text's length breaks off")?;
        let length = u32::from_le_bytes(*length) as usize;
        let text = rest
            .get(..length)
            .ok_or_else(|| format!("text {} has {length} bytes and {} are left", block.len(), rest.len()))?;
        block.push(utf8(text, block.len())?);
        bytes = &rest[length..];
    }
    Ok(block)
}

/// A text of a tensor by its place.
///
/// # Errors
/// It is not UTF-8.
pub fn utf8(bytes: &[u8], place: usize) -> Result<Cell<'_>, String> {
    std::str::from_utf8(bytes).map(Cell::Text).map_err(|_| format!("text {place} is not UTF-8"))
}

/// Replaces texts in base64 by what they stand for.
///
/// # Errors
/// One that is no base64, or of no text.
pub fn decode_base64(value: &mut Json) -> Result<(), String> {
    match value {
        Json::List(values) => values.iter_mut().try_for_each(decode_base64),
        Json::Text(text) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text.as_bytes());
            let decoded = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let decoded =
                decoded.ok_or_else(|| format!("expected a text in base64, got {}", value.shown()))?;
            *value = Json::Text(decoded.into());
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_converted_as_numpy_does() {
        let cases = [
            (Datatype::Fp64, Json::Text("0.5".into()), Ok(Cell::Float(0.5))),
            (Datatype::Fp64, Json::Integer((1 << 53) + 1), Ok(Cell::Float(9_007_199_254_740_992.0))),
            (Datatype::Fp32, Json::Number(0.1), Ok(Cell::Float(f64::from(0.1_f32)))),
            (Datatype::Fp16, Json::Number(0.1), Ok(Cell::Float(0.0999755859375))),
            (Datatype::Fp64, Json::Null, Ok(Cell::Missing)),
            (Datatype::Bytes, Json::Null, Ok(Cell::Missing)),
            (Datatype::Int64, Json::Number(-0.9), Ok(Cell::Integer(0))),
            (Datatype::Int64, Json::Integer((1 << 53) + 1), Ok(Cell::Integer((1 << 53) + 1))),
            (Datatype::Uint64, Json::Large(u64::MAX), Ok(Cell::Float(18_446_744_073_709_551_615.0))),
            (Datatype::Bool, Json::Integer(1), Ok(Cell::Boolean(true))),
            (Datatype::Int64, Json::Null, Err("got null")),
            (
                Datatype::Int8,
                Json::Integer(128),
                Err("an integer from -128 to 127 (INT8), got the integer 128"),
            ),
            (Datatype::Uint8, Json::Integer(-1), Err("an integer from 0 to 255 (UINT8), got the integer -1")),
            (Datatype::Int64, Json::Number(1e300), Err("(INT64), got the number 1")),
            (Datatype::Fp32, Json::Number(1e300), Err("a number within FP32, got the number 1")),
            (Datatype::Fp16, Json::Number(1e6), Err("a number within FP16, got the number 1000000")),
            (Datatype::Fp32, Json::Text("a".into()), Err("a number within FP32, got the text \"a\"")),
            (Datatype::Bool, Json::Integer(2), Err("true or false (BOOL), got the integer 2")),
            (Datatype::Bytes, Json::Integer(2), Err("a text (BYTES), got the integer 2")),
            (Datatype::Fp64, Json::List(vec![]), Err("got a list")),
        ];
        for (datatype, value, expected) in cases {
            match (datatype.read(&value), expected) {
                (Ok(cell), Ok(expected)) => assert_eq!(cell, expected, "{datatype:?} {value:?}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
                (found, _) => panic!("{datatype:?} {value:?}: {found:?}"),
            }
        }
        assert_eq!(Datatype::of("fp32"), None);
    }

    #[test]
    fn raw_values_are_read_as_they_are_written() {
        let bytes = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        for (datatype, expected) in [
            (Datatype::Bool, vec![Cell::Boolean(true); 8]),
            (Datatype::Int8, vec![Cell::Integer(-1); 8]),
            (Datatype::Uint16, vec![Cell::Integer(65_535); 4]),
            (Datatype::Int32, vec![Cell::Integer(-1); 2]),
            (Datatype::Int64, vec![Cell::Integer(-1)]),
            (Datatype::Uint64, vec![Cell::Float(u64::MAX as f64)]),
        ] {
            assert_eq!(datatype.read_raw(&bytes), Ok(expected), "{datatype:?}");
        }
        assert_eq!(Datatype::Fp16.read_raw(&[0, 0x3c]), Ok(vec![Cell::Float(1.0)]));
        for (datatype, cell) in [
            (Datatype::Fp32, Cell::Float(0.5)),
            (Datatype::Fp64, Cell::Float(0.1)),
            (Datatype::Int64, Cell::Integer(-7)),
            (Datatype::Bytes, Cell::Text("é")),
        ] {
            let mut out = Vec::new();
            datatype.write_raw(cell, &mut out);
            assert_eq!(datatype.read_raw(&out), Ok(vec![cell]));
        }
        for (datatype, bytes, expected) in [
            (Datatype::Fp64, &[0; 9][..], "9 bytes are no whole number of FP64 values of 8 bytes"),
            (Datatype::Bytes, &[1, 0], "a text's length breaks off"),
            (Datatype::Bytes, &[0xff, 0xff, 0xff, 0xff, 1], "text 0 has 4294967295 bytes and 1 are left"),
            (Datatype::Bytes, &[1, 0, 0, 0, 0xff], "text 0 is not UTF-8"),
        ] {
            assert_eq!(datatype.read_raw(bytes), Err(expected.to_owned()));
        }
    }
}
