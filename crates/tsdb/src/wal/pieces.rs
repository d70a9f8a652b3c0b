//! A log file read piece by piece: in memory is a piece, or one record where that is longer.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::frame::{Frame, Frames};
use crate::error::Error;

/// Read at once, unless a record is longer.
const PIECE: usize = 1 << 20;

/// A file with its next piece.
#[derive(Debug)]
pub(crate) struct Pieces {
    path: PathBuf,
    file: File,
    pub(crate) length: u64,
    bytes: Vec<u8>,
}

impl Pieces {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("cannot read", path))?;
        let length = file.metadata().map_err(Error::io("cannot read", path))?.len();
        Ok(Self { path: path.to_owned(), file, length, bytes: Vec::new() })
    }

    /// The first bytes of the file, at most so many.
    pub(crate) fn first(&mut self, count: usize) -> Result<&[u8], Error> {
        self.fill(0, count)?;
        Ok(&self.bytes)
    }

    /// Hands on all records and damage behind the first `skipped` bytes, each with the place in the file that its own
    /// places count from.
    pub(crate) fn each(&mut self, skipped: u64, mut sink: impl FnMut(Frame<'_>, u64)) -> Result<(), Error> {
        let (mut at, mut size) = (skipped, PIECE);
        while at < self.length {
            self.fill(at, size)?;
            let is_last = at + self.bytes.len() as u64 >= self.length;
            let (done, wanted) = walk(&self.bytes, is_last, |frame| sink(frame, at));
            (at, size) = (at + done as u64, wanted.max(PIECE));
        }
        Ok(())
    }

    fn fill(&mut self, at: u64, size: usize) -> Result<(), Error> {
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        self.bytes.clear();
        self.bytes.resize(size.min(left), 0);
        self.file.read_exact_at(&mut self.bytes, at).map_err(Error::io("cannot read", &self.path))
    }
}

/// Hands on what of a piece is certain; returns how far that goes, and the size that the next piece must have.
fn walk(piece: &[u8], is_last: bool, mut sink: impl FnMut(Frame<'_>)) -> (usize, usize) {
    let mut frames = Frames::new(piece, 0);
    loop {
        // A record that goes on behind the piece is no damage.
        if let Some(size) = frames.reaches_beyond().filter(|_| !is_last) {
            return (frames.at(), size);
        }
        match frames.next() {
            // What looks like damage up to the end of the piece may end behind it.
            Some(Frame::Damage { tail: true, from, .. }) if !is_last => {
                return (from, if from == 0 { piece.len().saturating_mul(4) } else { 0 });
            }
            Some(frame) => sink(frame),
            None => return (piece.len(), 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::frame;
    use proptest::prelude::*;

    fn record(payload: &[u8]) -> Vec<u8> {
        let mut bytes = frame::open();
        bytes.extend_from_slice(payload);
        frame::close(&mut bytes);
        bytes
    }

    type Seen = Vec<(bool, u64, u64)>;

    fn seen(frame: &Frame<'_>, base: u64) -> (bool, u64, u64) {
        match frame {
            Frame::Record { payload, end } => (true, base + *end as u64, payload.len() as u64),
            Frame::Damage { from, to, .. } => (false, base + *from as u64, base + *to as u64),
        }
    }

    /// As [`Pieces::each`] reads a file, with pieces of that size.
    fn in_pieces(bytes: &[u8], piece: usize) -> Seen {
        let (mut at, mut size, mut all) = (0, piece, Seen::new());
        while at < bytes.len() {
            let end = (at + size).min(bytes.len());
            let (done, wanted) =
                walk(&bytes[at..end], end == bytes.len(), |frame| all.push(seen(&frame, at as u64)));
            (at, size) = (at + done, wanted.max(piece));
        }
        all
    }

    proptest! {
        /// Whatever the size of a piece, and whatever is damaged.
        #[test]
        fn pieces_are_the_whole(payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..8),
                                flipped in proptest::collection::vec(any::<proptest::sample::Index>(), 0..3),
                                cut in any::<proptest::sample::Index>(), piece in 1_usize..400) {
            let mut bytes: Vec<u8> = payloads.iter().flat_map(|payload| record(payload)).collect();
            for at in flipped.iter().filter(|_| !payloads.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] ^= 0x55;
            }
            bytes.truncate(cut.index(bytes.len() * 2 + 1));
            let whole: Seen = Frames::new(&bytes, 0).map(|frame| seen(&frame, 0)).collect();
            prop_assert_eq!(in_pieces(&bytes, piece), whole);
        }
    }

    #[test]
    fn a_record_within_a_record_is_none() {
        let bytes = [record(&[record(b"inner"), vec![7; 500]].concat()), record(b"last")].concat();
        for piece in 1..bytes.len() {
            assert_eq!(in_pieces(&bytes, piece).len(), 2, "{piece}");
        }
    }
}
