//! A row on its way to the writer: its values one after another in bytes that many rows share, so that a request allocates
//! nothing for it.

/// What a row says of an answer beside its features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// When it was answered, in microseconds since 1970.
    pub time_us: i64,
    pub request_id: Option<&'a str>,
    pub entity: Option<&'a str>,
    pub protocol: &'a str,
    pub latency_us: i64,
    pub score: f64,
    pub prediction: Option<&'a str>,
    /// How many of the features came with the request.
    pub features_sent: u32,
}

/// A feature's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    Missing,
    Number(f64),
    Text(&'a str),
}

/// The length of a text that there is none of.
const NONE: u32 = u32::MAX;
const MISSING: u8 = 0;
const NUMBER: u8 = 1;
const TEXT: u8 = 2;

/// Adds a row to the bytes. No text of a request is as long as 4 GB; what is cut off there stays text.
pub fn pack<'a>(
    bytes: &mut Vec<u8>,
    row: &Row<'_>,
    probabilities: &[f64],
    values: impl Iterator<Item = Value<'a>>,
) {
    bytes.extend_from_slice(&row.time_us.to_le_bytes());
    bytes.extend_from_slice(&row.latency_us.to_le_bytes());
    bytes.extend_from_slice(&row.score.to_le_bytes());
    bytes.extend_from_slice(&row.features_sent.to_le_bytes());
    for text in [row.request_id, row.entity, Some(row.protocol), row.prediction] {
        pack_text(bytes, text);
    }
    let count = u32::try_from(probabilities.len()).unwrap_or(0);
    bytes.extend_from_slice(&count.to_le_bytes());
    probabilities.iter().take(count as usize).for_each(|p| bytes.extend_from_slice(&p.to_le_bytes()));
    for value in values {
        match value {
            Value::Missing => bytes.push(MISSING),
            Value::Number(number) => {
                bytes.push(NUMBER);
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            Value::Text(text) => {
                bytes.push(TEXT);
                pack_text(bytes, Some(text));
            }
        }
    }
}

fn pack_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    match text.map(|text| (text, u32::try_from(text.len()))) {
        Some((text, Ok(length))) if length != NONE => {
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        _ => bytes.extend_from_slice(&NONE.to_le_bytes()),
    }
}

/// What is left of a packed row.
pub struct Unpacking<'a>(&'a [u8]);

impl<'a> Unpacking<'a> {
    /// A row that was packed; none of other bytes.
    pub fn row(bytes: &'a [u8]) -> Option<(Row<'a>, Self)> {
        let mut rest = Self(bytes);
        let time_us = i64::from_le_bytes(rest.take()?);
        let latency_us = i64::from_le_bytes(rest.take()?);
        let score = rest.number()?;
        let features_sent = rest.count()?;
        let (request_id, entity, protocol, prediction) =
            (rest.text()?, rest.text()?, rest.text()?.unwrap_or_default(), rest.text()?);
        let row = Row { time_us, request_id, entity, protocol, latency_us, score, prediction, features_sent };
        Some((row, rest))
    }

    /// A number of things, such as that of the probabilities that come next.
    pub fn count(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take()?))
    }

    pub fn number(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(self.take()?))
    }

    /// The next feature's value.
    pub fn value(&mut self) -> Option<Value<'a>> {
        match self.take()? {
            [MISSING] => Some(Value::Missing),
            [NUMBER] => self.number().map(Value::Number),
            [TEXT] => self.text()?.map(Value::Text),
            _ => None,
        }
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn text(&mut self) -> Option<Option<&'a str>> {
        let length = self.count()?;
        if length == NONE {
            return Some(None);
        }
        let (text, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        str::from_utf8(text).ok().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let row = Row {
            time_us: -5,
            request_id: Some("r"),
            entity: None,
            protocol: "predict",
            latency_us: 7,
            score: 0.25,
            prediction: Some(""),
            features_sent: 3,
        };
        let values = [Value::Text("ö"), Value::Missing, Value::Number(f64::MIN), Value::Text("")];
        let mut bytes = Vec::new();
        pack(&mut bytes, &row, &[0.75, 0.25], values.into_iter());
        let (found, mut rest) = Unpacking::row(&bytes).unwrap();
        assert_eq!((found, rest.count()), (row, Some(2)));
        assert_eq!([rest.number(), rest.number()], [Some(0.75), Some(0.25)]);
        assert_eq!(values.map(|_| rest.value().unwrap()), values);
        assert_eq!(rest.value(), None);
        for short in 0..28 + 16 {
            assert!(Unpacking::row(&bytes[..short]).is_none(), "{short}");
        }
    }
}
