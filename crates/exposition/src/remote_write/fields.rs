//! The fields of a protobuf message, one after the other, without a copy.

use crate::error::Error;

/// What a field holds, by its wire type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    Number(u64),
    Eight(u64),
    Four,
    Bytes(&'a [u8]),
}

/// The rest of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field with its number; `None` at the end.
    #[inline]
    pub fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, Error> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
        let number = key >> 3;
        if number == 0 || key > u64::from(u32::MAX) {
            return Err(Error::Protobuf(format!("a field has the key {key}, which is none")));
        }
        let field = match key & 7 {
            0 => Field::Number(self.number()?),
            1 => Field::Eight(u64::from_le_bytes(
                *self.0.split_off(..8).and_then(<[u8]>::as_array).ok_or_else(ended)?,
            )),
            2 => {
                let length = usize::try_from(self.number()?).map_err(|_| ended())?;
                Field::Bytes(self.0.split_off(..length).ok_or_else(ended)?)
            }
            5 => self.0.split_off(..4).map(|_| Field::Four).ok_or_else(ended)?,
            kind => {
                return Err(Error::Protobuf(format!(
                    "field {number} has the wire type {kind}, which is none"
                )));
            }
        };
        Ok(Some((number, field)))
    }

    /// A number in seven bits a byte.
    #[inline]
    pub fn number(&mut self) -> Result<u64, Error> {
        if let Some((&byte, rest)) = self.0.split_first().filter(|(byte, _)| **byte < 0x80) {
            self.0 = rest;
            return Ok(u64::from(byte));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<u64, Error> {
        let mut value = 0;
        for (at, &byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                if at == 9 && byte > 1 {
                    break;
                }
                self.0 = &self.0[at + 1..];
                return Ok(value);
            }
        }
        Err(if self.0.len() < 10 {
            ended()
        } else {
            Error::Protobuf("a number has more than 64 bits".to_owned())
        })
    }
}

impl<'a> Field<'a> {
    pub fn number(self, of: &'static str) -> Result<u64, Error> {
        if let Self::Number(number) = self { Ok(number) } else { Err(unlike(of)) }
    }

    pub fn float(self, of: &'static str) -> Result<f64, Error> {
        if let Self::Eight(bits) = self { Ok(f64::from_bits(bits)) } else { Err(unlike(of)) }
    }

    pub fn bytes(self, of: &'static str) -> Result<&'a [u8], Error> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(unlike(of)) }
    }
}

fn ended() -> Error {
    Error::Protobuf("it ends in the middle of a field".to_owned())
}

fn unlike(of: &str) -> Error {
    Error::Protobuf(format!("{of} has the wire type of something else"))
}
