//! Messages of DNS (RFC 1035): a question is written, the records of an answer are read.

/// Types of records.
pub(super) const A: u16 = 1;
pub(super) const NS: u16 = 2;
pub(super) const MX: u16 = 15;
pub(super) const AAAA: u16 = 28;
pub(super) const SRV: u16 = 33;

const INTERNET: u16 = 1;
const HEADER_BYTES: usize = 12;
/// Names are at most this long, and pointers in them lead back only.
const NAME_BYTES_MAX: usize = 255;

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// `A` or `AAAA`.
    Address(std::net::IpAddr),
    /// `SRV`: a host and a port.
    Service(String, u16),
    /// `MX` or `NS`: a host.
    Host(String),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// The records of the type that was asked for.
    pub records: Vec<Record>,
    /// Whether the answer was cut and is to be asked for over TCP.
    pub truncated: bool,
    /// 0 where all is well, 3 where there is no such name.
    pub code: u8,
}

/// The question for records of a type; `None` where the text is no name.
pub(super) fn question(id: u16, name: &str, kind: u16) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(HEADER_BYTES + name.len() + 6);
    message.extend_from_slice(&id.to_be_bytes());
    // One question, asked with recursion.
    message.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        message.push(length);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    if message.len() - HEADER_BYTES > NAME_BYTES_MAX {
        return None;
    }
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&INTERNET.to_be_bytes());
    Some(message)
}

/// The records of a type in the answer to the question `id`; `None` where the bytes are no such answer.
pub(super) fn records(message: &[u8], id: u16, kind: u16) -> Option<Answer> {
    let number = |at: usize| Some(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?));
    let flags = number(2)?;
    let is_answer = flags & 0x8000 != 0;
    if number(0)? != id || !is_answer {
        return None;
    }
    let mut at = HEADER_BYTES;
    for _ in 0..number(4)? {
        at = name(message, at)?.1 + 4;
    }
    let mut found = Vec::new();
    for _ in 0..number(6)? {
        let after = name(message, at)?.1;
        let (length, data) = (usize::from(number(after + 8)?), after + 10);
        let content = message.get(data..data + length)?;
        if number(after)? == kind && number(after + 2)? == INTERNET {
            found.push(match kind {
                A => Record::Address(<[u8; 4]>::try_from(content).ok()?.into()),
                AAAA => Record::Address(<[u8; 16]>::try_from(content).ok()?.into()),
                SRV => Record::Service(name(message, data + 6)?.0, number(data + 4)?),
                MX => Record::Host(name(message, data + 2)?.0),
                _ => Record::Host(name(message, data)?.0),
            });
        }
        at = data + length;
    }
    Some(Answer { records: found, truncated: flags & 0x0200 != 0, code: (flags & 0xf).to_be_bytes()[1] })
}

/// The name that begins at `at`, with dots, and where what follows it begins.
fn name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let (mut text, mut end, mut before) = (Vec::new(), None, at);
    loop {
        let length = usize::from(*message.get(at)?);
        match length {
            0 => break,
            1..64 => {
                text.extend_from_slice(message.get(at + 1..at + 1 + length)?);
                text.push(b'.');
                at += 1 + length;
            }
            // A pointer, which leads back further than the one before.
            192.. => {
                let target = (length & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                end.get_or_insert(at + 2);
                if target >= before {
                    return None;
                }
                (at, before) = (target, target);
            }
            _ => return None,
        }
        if text.len() > NAME_BYTES_MAX {
            return None;
        }
    }
    text.pop();
    Some((String::from_utf8(text).ok()?, end.unwrap_or(at + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `_http._tcp.example.` with two SRV records, whose owner is a pointer to the question.
    fn answer() -> Vec<u8> {
        let mut message = question(7, "_http._tcp.example.", SRV).unwrap();
        (message[2], message[3], message[7]) = (0x81, 0x80, 2);
        for (port, host) in [(80_u16, &b"\x01a\xc0\x17"[..]), (8080, b"\x02bb\x00")] {
            message.extend_from_slice(&[0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60]);
            message.extend_from_slice(&u16::try_from(6 + host.len()).unwrap().to_be_bytes());
            message.extend_from_slice(&[0, 1, 0, 2]);
            message.extend_from_slice(&port.to_be_bytes());
            message.extend_from_slice(host);
        }
        message
    }

    #[test]
    fn answers_are_read() {
        let read = records(&answer(), 7, SRV).unwrap();
        let expected = [Record::Service("a.example".to_owned(), 80), Record::Service("bb".to_owned(), 8080)];
        assert_eq!((&read.records[..], read.truncated, read.code), (&expected[..], false, 0));
        assert_eq!(records(&answer(), 7, A).unwrap().records, []);
        assert_eq!(records(&answer(), 8, SRV), None);
        let mut cut = answer();
        cut[2] |= 2;
        cut[3] |= 3;
        let cut = records(&cut, 7, SRV).unwrap();
        assert_eq!((cut.truncated, cut.code), (true, 3));
    }

    #[test]
    fn broken_answers_are_none() {
        let whole = answer();
        for length in 0..whole.len() {
            assert_eq!(records(&whole[..length], 7, SRV), None, "{length}");
        }
        // A name that points to itself.
        let mut circle = whole.clone();
        circle[12..14].copy_from_slice(&[0xc0, 12]);
        assert_eq!(records(&circle, 7, SRV), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_none(
            body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80),
            flipped in 12_usize..90,
            value: u8,
        ) {
            for kind in [A, AAAA, SRV, MX, NS] {
                let head = [0, 7, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0];
                let _ = records(&[&head[..], &body].concat(), 7, kind);
                let mut damaged = answer();
                if let Some(byte) = damaged.get_mut(flipped) {
                    *byte = value;
                }
                let _ = records(&damaged, 7, kind);
            }
        }
    }

    #[test]
    fn texts_that_are_no_names() {
        for text in ["", "a..b", &"a".repeat(64), &"abc.".repeat(70)] {
            assert_eq!(question(1, text, A), None, "{text}");
        }
        assert_eq!(question(0x0102, "a.b", A).unwrap()[..2], [1, 2]);
    }
}
