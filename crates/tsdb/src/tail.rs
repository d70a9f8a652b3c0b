//! Following the write-ahead log: every committed sample once, in the order of commits.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::db::Inner;
use crate::error::Error;
use crate::files;
use crate::followers::Seat;
use crate::labels::Labels;
use crate::samples::Sample;
use crate::wal::frame::{Frame, Frames, HEAD, MAX_PAYLOAD};
use crate::wal::record::{self, Logged, Record};
use crate::wal::{SEGMENT, segment_path};

/// Read at once, unless a single record is longer.
const PIECE: u64 = 1 << 20;

/// A place in the write-ahead log. Its text, `SEGMENT:OFFSET`, is what a follower keeps to go on after a restart;
/// the default is the oldest that is still there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}

impl Position {
    /// Keeps the position in a file, whose folder is made where it is missing. After a crash the file holds this
    /// position or the one before.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn save(self, path: &Path) -> Result<(), Error> {
        path.parent().map_or(Ok(()), files::create_dir)?;
        let aside = path.with_extension(files::ASIDE);
        files::write(&aside, format!("{self}\n").as_bytes())?;
        files::rename(&aside, path)
    }
}

/// The text was no `SEGMENT:OFFSET`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no position, expected SEGMENT:OFFSET")]
pub struct PositionError(String);

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let parsed = text.split_once(':').and_then(|(segment, offset)| {
            Some(Self { segment: segment.parse().ok()?, offset: offset.parse().ok()? })
        });
        parsed.ok_or_else(|| PositionError(text.to_owned()))
    }
}

/// A follower of the write-ahead log.
///
/// Segments are deleted once a checkpoint replaces them and every follower is done with them ([`Tail::done`]), and
/// whatever followers need when they are two block ranges old: one that lags further goes on with the oldest that is
/// left, and [`Tail::gaps`] counts it. A follower of an earlier process has until the second call of
/// [`Db::maintain`](crate::Db::maintain) to come back, one that was dropped for three calls.
#[derive(Debug)]
pub struct Tail {
    store: Arc<Inner>,
    position: Position,
    seat: Seat,
    labels: HashMap<u64, Labels>,
    gaps: u64,
    unknown: u64,
}

impl Tail {
    pub(crate) fn new(store: Arc<Inner>, position: Position) -> Self {
        let seat = Seat::take(Arc::clone(&store), position);
        Self { store, position, seat, labels: HashMap::new(), gaps: 0, unknown: 0 }
    }

    /// How often segments were gone before they were read.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Samples left out because their series has left memory before they were read.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Tells the store that what is before `position` is dealt with: it may delete it.
    pub fn done(&self, position: Position) {
        self.seat.done(position);
    }

    /// Clears `out` and puts the next committed samples into it, about a megabyte of log; none when all are read.
    /// The position returned is the one behind them: keep it when they are dealt with.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn next(&mut self, out: &mut Vec<(Labels, Sample)>) -> Result<Position, Error> {
        out.clear();
        let Some((dir, end)) = self.store.log_end() else { return Ok(self.position) };
        while out.is_empty() && self.position < end {
            let path = segment_path(&dir, self.position.segment);
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    self.skip_to_existing(&dir, end)?;
                    continue;
                }
                Err(error) => return Err(Error::io("cannot open", path)(error)),
            };
            let current = self.position.segment == end.segment;
            let length = file.metadata().map_err(Error::io("cannot read", &path))?.len();
            let limit = if current { end.offset.min(length) } else { length };
            self.position.offset = self.position.offset.max(8);
            if self.position.offset >= limit {
                if current {
                    break;
                }
                self.position = Position { segment: self.position.segment + 1, offset: 0 };
                continue;
            }
            self.read_piece(&file, &path, limit, out)?;
        }
        Ok(self.position)
    }

    fn skip_to_existing(&mut self, dir: &std::path::Path, end: Position) -> Result<(), Error> {
        let segments = files::numbered(dir, SEGMENT)?;
        let next = segments.iter().map(|(number, _)| *number).find(|number| *number > self.position.segment);
        // Before the very first segment nothing was missed.
        self.gaps += u64::from(self.position.segment > 0);
        self.position = Position { segment: next.unwrap_or(end.segment), offset: 0 };
        Ok(())
    }

    fn read_piece(
        &mut self,
        file: &File,
        path: &std::path::Path,
        limit: u64,
        out: &mut Vec<(Labels, Sample)>,
    ) -> Result<(), Error> {
        let start = self.position.offset;
        let mut size = PIECE.min(limit - start);
        loop {
            let mut bytes = vec![0; size as usize];
            file.read_exact_at(&mut bytes, start).map_err(Error::io("cannot read", path))?;
            let mut done = 0;
            for frame in Frames::new(&bytes, 0) {
                match frame {
                    Frame::Record { payload, end } => {
                        self.take(payload, out);
                        done = end;
                    }
                    Frame::Damage { to, tail: false, .. } => done = to,
                    Frame::Damage { .. } => {}
                }
            }
            if done > 0 {
                self.position.offset = start + done as u64;
                return Ok(());
            }
            if start + size >= limit || size > (MAX_PAYLOAD + HEAD) as u64 {
                // Nothing whole up to the end: damage, which the store lists when it is opened.
                self.position.offset = limit;
                return Ok(());
            }
            size = (size * 4).min(limit - start);
        }
    }

    fn take(&mut self, payload: &[u8], out: &mut Vec<(Labels, Sample)>) {
        let Some(Record::Batch { series, samples }) = record::read(payload) else { return };
        self.labels.extend(series);
        for sample in samples {
            if !self.labels.contains_key(&sample.id)
                && let Some(series) = self.store.head.get(sample.id)
            {
                self.labels.insert(sample.id, series.labels.clone());
            }
            match self.labels.get(&sample.id) {
                Some(labels) => {
                    let Logged { timestamp, start, value, .. } = sample;
                    out.push((labels.clone(), Sample { timestamp, start, value }));
                }
                None => self.unknown += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_text() {
        let position = Position { segment: 3, offset: 77 };
        assert_eq!(position.to_string().parse(), Ok(position));
        for text in ["", "1", "a:1", "1:", ":", "1:2:3", "-1:2"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
