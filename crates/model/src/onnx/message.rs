//! Protobuf as far as an ONNX file is written: a message is its fields in order.

/// A message that is being written.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

/// How a field's value is laid out.
const VARINT: u64 = 0;
const FIXED32: u64 = 5;
const LENGTH: u64 = 2;

impl Message {
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub fn integer(mut self, field: u64, value: i64) -> Message {
        self.tag(field, VARINT);
        varint(value as u64, &mut self.bytes);
        self
    }

    pub fn float(mut self, field: u64, value: f32) -> Message {
        self.tag(field, FIXED32);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    pub fn text(self, field: u64, value: &str) -> Message {
        self.raw(field, value.as_bytes())
    }

    pub fn texts<'a>(self, field: u64, values: impl IntoIterator<Item = &'a str>) -> Message {
        values.into_iter().fold(self, |message, value| message.text(field, value))
    }

    pub fn message(self, field: u64, value: Message) -> Message {
        self.raw(field, &value.bytes)
    }

    pub fn messages(self, field: u64, values: impl IntoIterator<Item = Message>) -> Message {
        values.into_iter().fold(self, |message, value| message.message(field, value))
    }

    /// A packed list.
    pub fn integers(self, field: u64, values: &[i64]) -> Message {
        let mut packed = Vec::with_capacity(values.len());
        values.iter().for_each(|&value| varint(value as u64, &mut packed));
        self.raw(field, &packed)
    }

    /// A packed list.
    pub fn floats(self, field: u64, values: &[f32]) -> Message {
        let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.raw(field, &packed)
    }

    /// A packed list.
    pub fn doubles(self, field: u64, values: &[f64]) -> Message {
        let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.raw(field, &packed)
    }

    fn raw(mut self, field: u64, bytes: &[u8]) -> Message {
        self.tag(field, LENGTH);
        varint(bytes.len() as u64, &mut self.bytes);
        self.bytes.extend(bytes);
        self
    }

    fn tag(&mut self, field: u64, layout: u64) {
        varint(field << 3 | layout, &mut self.bytes);
    }
}

/// Seven bits a byte, the lowest first.
fn varint(mut value: u64, into: &mut Vec<u8>) {
    while value > 0x7f {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_laid_out_as_protobuf_says() {
        // The examples of protobuf.dev/programming-guides/encoding.
        let message = |message: Message| message.into_bytes();
        assert_eq!(message(Message::default().integer(1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(message(Message::default().text(2, "testing")), b"\x12\x07testing");
        let inner = Message::default().integer(1, 150);
        assert_eq!(message(Message::default().message(3, inner)), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(
            message(Message::default().integers(6, &[3, 270, 86942])),
            [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]
        );
        assert_eq!(message(Message::default().integer(1, -1)).len(), 11);
        assert_eq!(message(Message::default().float(2, 1.0)), [0x15, 0, 0, 0x80, 0x3f]);
    }
}
