//! Records in a file: a mark, the length, the checksum, the payload. After damage the next whole record is found by
//! its mark and checksum, so that a flipped byte costs one record.

/// Begins every record.
const MARK: [u8; 2] = [0xa5, 0x5a];
/// Mark, length, checksum.
pub(crate) const HEAD: usize = 10;
/// Largest payload; a longer length is damage.
pub(crate) const MAX_PAYLOAD: usize = 256 << 20;

/// Reserves the head of a record; [`close`] fills it.
pub(crate) fn open() -> Vec<u8> {
    vec![0; HEAD]
}

pub(crate) fn close(frame: &mut [u8]) {
    let payload = &frame[HEAD..];
    let (length, crc) = (payload.len() as u32, crc32fast::hash(payload));
    frame[..2].copy_from_slice(&MARK);
    frame[2..6].copy_from_slice(&length.to_le_bytes());
    frame[6..10].copy_from_slice(&crc.to_le_bytes());
}

/// What the bytes from some place on are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A whole record that ends at this offset.
    Record { payload: &'a [u8], end: usize },
    /// Nothing whole from `from` to `to`; with `tail` nothing whole comes behind.
    Damage { from: usize, to: usize, tail: bool },
}

/// Records and damage of a file, in order, from an offset on.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes whose checksum may yet be taken in looking for records: it keeps hostile bytes, full of marks, from being
    /// quadratic.
    budget: usize,
}

impl<'a> Frames<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at.min(bytes.len()), budget: bytes.len().saturating_mul(4) }
    }

    /// Where the next one begins.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The length of the record that begins here, if it seems to end behind these bytes.
    pub(crate) fn reaches_beyond(&self) -> Option<usize> {
        let rest = &self.bytes[self.at..];
        let Some(head) = rest.get(..HEAD) else { return (!rest.is_empty()).then_some(HEAD) };
        let length = u32::from_le_bytes(head[2..6].try_into().ok()?) as usize;
        (head[..2] == MARK && length <= MAX_PAYLOAD && HEAD + length > rest.len()).then_some(HEAD + length)
    }

    fn record_at(&self, at: usize) -> Option<(&'a [u8], usize)> {
        let head = self.bytes.get(at..at + HEAD)?;
        let length = u32::from_le_bytes(head[2..6].try_into().ok()?) as usize;
        if head[..2] != MARK || length > MAX_PAYLOAD {
            return None;
        }
        let end = at + HEAD + length;
        let payload = self.bytes.get(at + HEAD..end)?;
        let crc = u32::from_le_bytes(head[6..10].try_into().ok()?);
        (crc32fast::hash(payload) == crc).then_some((payload, end))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let from = self.at;
        if from >= self.bytes.len() {
            return None;
        }
        if let Some((payload, end)) = self.record_at(from) {
            self.at = end;
            return Some(Frame::Record { payload, end });
        }
        for at in from + 1..self.bytes.len() {
            if self.bytes[at] != MARK[0] || self.bytes.get(at + 1) != Some(&MARK[1]) {
                continue;
            }
            let length = self.bytes.get(at + 2..at + 6).and_then(|bytes| bytes.try_into().ok());
            let length = length.map_or(0, u32::from_le_bytes) as usize;
            if length > self.bytes.len() {
                continue;
            }
            let Some(left) = self.budget.checked_sub(length) else { break };
            self.budget = left;
            if self.record_at(at).is_some() {
                self.at = at;
                return Some(Frame::Damage { from, to: at, tail: false });
            }
        }
        self.at = self.bytes.len();
        Some(Frame::Damage { from, to: self.bytes.len(), tail: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(payload: &[u8]) -> Vec<u8> {
        let mut frame = open();
        frame.extend_from_slice(payload);
        close(&mut frame);
        frame
    }

    #[test]
    fn damage_costs_one_record() {
        let whole = [record(b"one"), record(b"two"), record(b"three")].concat();
        let payloads = |bytes: &[u8]| {
            Frames::new(bytes, 0)
                .filter_map(|frame| match frame {
                    Frame::Record { payload, .. } => Some(payload.to_vec()),
                    Frame::Damage { .. } => None,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(payloads(&whole), [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            assert_eq!(payloads(&flipped).len(), 2, "byte {at}");
            let cut = payloads(&whole[..at]);
            assert_eq!(cut.len(), usize::from(at >= 13) + usize::from(at >= 26), "cut at {at}");
        }
    }
}
