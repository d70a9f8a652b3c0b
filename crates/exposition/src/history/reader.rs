//! Reads a history, line by line.

use std::io::{self, BufRead, Read as _};

use crate::error::Error;
use crate::event::Event;
use crate::format::Format;
use crate::parser::Parser;

/// The longest line that is read; labels of any use are far below.
const LINE_BYTES: u64 = 1 << 20;

/// Why a history cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A line is not what OpenMetrics asks for; the number counts from 1.
    #[error(transparent)]
    Line(#[from] Error),
    /// The text ends before it is complete.
    #[error("the text ends after line {line} without # EOF: it was cut off")]
    Truncated {
        /// The last line, counted from 1; 0 where there is none.
        line: usize,
    },
    /// The operating system refused to read on.
    #[error("cannot read on after line {line}: {source}")]
    Io {
        /// The last line that was read, counted from 1.
        line: usize,
        /// Why not.
        source: io::Error,
    },
}

/// Reads a history as a stream: a line of at most 1 MiB is in memory.
#[derive(Debug)]
pub struct HistoryReader<R> {
    input: R,
    buffer: Vec<u8>,
    line: usize,
    bytes: u64,
}

impl<R: BufRead> HistoryReader<R> {
    /// At the beginning of a text.
    pub fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), line: 0, bytes: 0 }
    }

    /// The number of the line that was read last, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// How many bytes were read so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next event; `None` at `# EOF`, behind which there must be nothing.
    ///
    /// # Errors
    /// When the line is not OpenMetrics, the text ends without `# EOF` or goes on behind it, or cannot be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "an event borrows the line, which an iterator cannot lend"
    )]
    pub fn next(&mut self) -> Result<Option<Event<'_>>, HistoryError> {
        if !self.fill()? || self.buffer.last() != Some(&b'\n') && self.buffer != b"# EOF" {
            return Err(HistoryError::Truncated { line: self.line });
        }
        if self.buffer.starts_with(b"# EOF") && matches!(&self.buffer[5..], b"" | b"\n") {
            let (line, rest) = (self.line, self.fill()?);
            return if rest { Err(self.fault("unexpected data after # EOF")) } else { self.end(line) };
        }
        let line = self.line;
        let event = Parser::new(Format::OpenMetrics, &self.buffer).next();
        event.transpose().map_err(|error| HistoryError::Line(in_line(error, line)))
    }

    fn end(&mut self, line: usize) -> Result<Option<Event<'_>>, HistoryError> {
        self.line = line;
        Ok(None)
    }

    /// Reads a line with its end; false at the end of the text.
    fn fill(&mut self) -> Result<bool, HistoryError> {
        self.buffer.clear();
        let mut limited = (&mut self.input).take(LINE_BYTES);
        let read = limited.read_until(b'\n', &mut self.buffer);
        let read = read.map_err(|source| HistoryError::Io { line: self.line, source })?;
        self.bytes += read as u64;
        self.line += usize::from(read > 0);
        if read as u64 == LINE_BYTES && self.buffer.last() != Some(&b'\n') {
            return Err(self.fault("the line is longer than 1 MiB"));
        }
        Ok(read > 0)
    }

    fn fault(&self, reason: &str) -> HistoryError {
        let start = &self.buffer[..self.buffer.len().min(60)];
        let text = String::from_utf8_lossy(start).trim_end().to_owned();
        HistoryError::Line(Error::Line { line: self.line, reason: reason.to_owned(), text })
    }
}

/// The error of a text of one line as that of its place in the whole.
fn in_line(error: Error, line: usize) -> Error {
    match error {
        Error::Line { reason, text, .. } => Error::Line { line, reason, text },
        other => other,
    }
}
