//! UBJSON as XGBoost writes it, for serde: big endian, object keys as a length and bytes, arrays that may say the type
//! and number of their items beforehand.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Objects and arrays within each other; a model has nine.
const MAX_DEPTH: u32 = 64;

/// Reads one value from its first byte on; what follows it is ignored.
pub(crate) fn from_slice<'de, T: de::Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Fault> {
    let mut reader = Reader { bytes, at: 0, depth: 0 };
    T::deserialize(Item { marker: None, reader: &mut reader })
        .map_err(|fault| if fault.at.is_some() { fault } else { Fault { at: Some(reader.at), ..fault } })
}

/// Why the bytes cannot be read, and from where on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) struct Fault {
    reason: String,
    at: Option<usize>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{} at byte {at}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Fault {
        Fault { reason: message.to_string(), at: None }
    }
}

struct Reader<'de> {
    bytes: &'de [u8],
    at: usize,
    depth: u32,
}

impl<'de> Reader<'de> {
    fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault { reason: reason.into(), at: Some(self.at) }
    }

    fn take(&mut self, count: usize) -> Result<&'de [u8], Fault> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| self.fault(format!("the file ends within {count} bytes")))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were asked for"))
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_if(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn integer(&mut self, marker: u8) -> Result<i64, Fault> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.array()?)),
            b'U' => i64::from(self.byte()?),
            b'I' => i64::from(i16::from_be_bytes(self.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.array()?)),
            b'L' => i64::from_be_bytes(self.array()?),
            _ => return Err(self.fault(format!("expected an integer, not the marker {:?}", marker as char))),
        })
    }

    fn length(&mut self) -> Result<usize, Fault> {
        let marker = self.byte()?;
        let length = self.integer(marker)?;
        usize::try_from(length).map_err(|_| self.fault(format!("a length is {length}")))
    }

    fn text(&mut self) -> Result<&'de str, Fault> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.fault("a text is not UTF-8"))
    }

    fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.fault("it is nested too deeply")) } else { Ok(()) }
    }
}

/// A value that is to be read, whose marker is known where its array says it.
struct Item<'a, 'de> {
    marker: Option<u8>,
    reader: &'a mut Reader<'de>,
}

impl<'de> Deserializer<'de> for Item<'_, 'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let reader = self.reader;
        let marker = match self.marker {
            Some(marker) => marker,
            None => reader.byte()?,
        };
        match marker {
            b'd' => visitor.visit_f32(f32::from_be_bytes(reader.array()?)),
            b'D' => visitor.visit_f64(f64::from_be_bytes(reader.array()?)),
            b'S' => visitor.visit_borrowed_str(reader.text()?),
            b'T' => visitor.visit_bool(true),
            b'F' => visitor.visit_bool(false),
            b'Z' => visitor.visit_unit(),
            b'[' => {
                reader.enter()?;
                let marker = if reader.skip_if(b'$') { Some(reader.byte()?) } else { None };
                let left = if reader.skip_if(b'#') { Some(reader.length()?) } else { None };
                if marker.is_some() && left.is_none() {
                    return Err(reader.fault("an array has a type and no length"));
                }
                // Items without bytes would be as many as a length says.
                if marker.is_some_and(|marker| !b"iUIlLdDS[{".contains(&marker)) {
                    return Err(reader.fault("an array has items of an unknown type"));
                }
                let value = visitor.visit_seq(Items { marker, left, reader: &mut *reader })?;
                reader.depth -= 1;
                Ok(value)
            }
            b'{' => {
                reader.enter()?;
                let value = visitor.visit_map(Fields { reader: &mut *reader })?;
                reader.depth -= 1;
                Ok(value)
            }
            marker => visitor.visit_i64(reader.integer(marker)?),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Items<'a, 'de> {
    marker: Option<u8>,
    left: Option<usize>,
    reader: &'a mut Reader<'de>,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        match &mut self.left {
            Some(0) => return Ok(None),
            Some(left) => *left -= 1,
            None if self.reader.skip_if(b']') => return Ok(None),
            None => {}
        }
        seed.deserialize(Item { marker: self.marker, reader: self.reader }).map(Some)
    }
}

struct Fields<'a, 'de> {
    reader: &'a mut Reader<'de>,
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        if self.reader.skip_if(b'}') {
            return Ok(None);
        }
        let key = self.reader.text()?;
        seed.deserialize(de::value::BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(Item { marker: None, reader: self.reader })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn key(name: &str) -> Vec<u8> {
        [b"L".as_slice(), &(name.len() as i64).to_be_bytes(), name.as_bytes()].concat()
    }

    #[test]
    fn arrays_of_every_kind_are_read() {
        let arrays: [&[u8]; 4] = [
            b"[$i#i\x03\x01\x02\xff",
            b"[#U\x03i\x01i\x02l\xff\xff\xff\xff",
            b"[i\x01I\x00\x02L\xff\xff\xff\xff\xff\xff\xff\xff]",
            b"[$d#i\x03\x3f\x80\x00\x00\x40\x00\x00\x00\xbf\x80\x00\x00",
        ];
        for array in arrays {
            let file = [b"{".to_vec(), key("a"), array.to_vec(), b"}".to_vec()].concat();
            let read: BTreeMap<String, Vec<f64>> = from_slice(&file).unwrap();
            assert_eq!(read["a"], [1.0, 2.0, -1.0]);
        }
    }

    #[test]
    fn damage_is_told_with_its_place() {
        let nested = [b'['; 100];
        let cases: [(&[u8], &str); 6] = [
            (b"", "the file ends within 1 bytes at byte 0"),
            (b"[$i#L\x7f\xff\xff\xff\xff\xff\xff\xff", "the file ends within 1 bytes at byte 13"),
            (b"[#i\xff", "a length is -1 at byte 4"),
            (b"[$Z#i\x05", "an array has items of an unknown type at byte 6"),
            (b"[x]", "expected an integer, not the marker 'x' at byte 2"),
            (&nested, "it is nested too deeply at byte 65"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(from_slice::<de::IgnoredAny>(bytes).unwrap_err().to_string(), expected);
        }
    }
}
