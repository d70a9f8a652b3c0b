//! Goes through a body line by line, in either format.

use crate::error::Error;
use crate::event::Event;
use crate::format::Format;
use crate::scan::{Fault, Scan};
use crate::{openmetrics, text};

/// How much of a refused line an error shows.
const SHOWN_BYTES: usize = 120;

/// An iterator over what a body says. After an error it ends: a body is taken whole or not at all, so what came
/// before an error is to be discarded.
///
/// Cost: one pass over the body; it allocates for escapes only.
#[derive(Debug)]
pub struct Parser<'a> {
    format: Format,
    scan: Scan<'a>,
    ended: bool,
}

impl<'a> Parser<'a> {
    /// At the start of `body`.
    #[must_use]
    pub fn new(format: Format, body: &'a [u8]) -> Self {
        Parser { format, scan: Scan { bytes: body, at: 0 }, ended: false }
    }

    fn error(&self, start: usize, fault: Fault) -> Error {
        let bytes = self.scan.bytes;
        let end = (self.scan.at + 1).min(bytes.len());
        // The place is always shown, so a long line loses its beginning.
        let start = start.max(end.saturating_sub(SHOWN_BYTES));
        Error::Line {
            line: 1 + bytes[..self.scan.at.min(bytes.len())].iter().filter(|&&byte| byte == b'\n').count(),
            reason: fault.into_owned(),
            text: String::from_utf8_lossy(&bytes[start..end]).into_owned(),
        }
    }
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Event<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let start = self.scan.at;
        let found = match self.format {
            Format::Text => text::next(&mut self.scan),
            Format::OpenMetrics => openmetrics::next(&mut self.scan),
        };
        self.ended = !matches!(found, Ok(Some(_)));
        found.map_err(|fault| self.error(start, fault)).transpose()
    }
}
