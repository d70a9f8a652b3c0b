//! The write-ahead log: every committed batch, in files that follow each other, until a checkpoint replaces them.

pub(crate) mod checkpoint;
pub(crate) mod frame;
mod histogram;
mod pieces;
pub(crate) mod record;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::damage::DamageLog;
use crate::error::Error;
use crate::files;
use crate::format;
use crate::tail::Position;
use frame::Frame;
use pieces::Pieces;
use record::Record;

/// First bytes of a segment; the last is the format's version.
pub(crate) const SEGMENT_MAGIC: &[u8; 8] = b"SFWAL\0\0\x01";
pub(crate) const SEGMENT: &str = "segment-";
pub(crate) const CHECKPOINT: &str = "checkpoint-";

pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{SEGMENT}{number:08}"))
}

/// Writes to the newest segment.
#[derive(Debug)]
pub(crate) struct Writer {
    dir: PathBuf,
    file: Arc<File>,
    pub(crate) position: Position,
    limit: u64,
    /// The format of the segments from this one on.
    format: u8,
    /// A write failed and its part could not be taken back: the segment ends here.
    torn: bool,
}

impl Writer {
    /// Begins a segment.
    pub(crate) fn create(dir: &Path, segment: u64, limit: u64) -> Result<Self, Error> {
        let format = format::NUMBERS;
        let file = create_segment(dir, segment, format)?;
        let position = Position { segment, offset: SEGMENT_MAGIC.len() as u64 };
        Ok(Self { dir: dir.to_owned(), file: Arc::new(file), position, limit, format, torn: false })
    }

    /// One record of at least this format with one write. After an error the log is as before.
    pub(crate) fn append(&mut self, frame: &[u8], format: u8) -> Result<(), Error> {
        let is_later = format > self.format;
        self.format = self.format.max(format);
        if self.torn
            || is_later
            || (self.position.offset + frame.len() as u64 > self.limit && self.position.offset > 8)
        {
            self.roll()?;
        }
        let path = segment_path(&self.dir, self.position.segment);
        if let Err(error) = (&*self.file).write_all(frame) {
            // What was written of it would be damage to the next reader. The file is in append mode: writing goes on
            // at its end.
            self.torn = self.file.set_len(self.position.offset).is_err();
            return Err(Error::io("cannot write", path)(error));
        }
        self.position.offset += frame.len() as u64;
        Ok(())
    }

    /// Forces the current segment to the disk and begins the next.
    pub(crate) fn roll(&mut self) -> Result<(), Error> {
        self.sync()?;
        let segment = self.position.segment + 1;
        self.file = Arc::new(create_segment(&self.dir, segment, self.format)?);
        self.position = Position { segment, offset: SEGMENT_MAGIC.len() as u64 };
        self.torn = false;
        Ok(())
    }

    pub(crate) fn sync(&self) -> Result<(), Error> {
        let path = segment_path(&self.dir, self.position.segment);
        self.file.sync_data().map_err(Error::io("cannot sync", path))
    }

    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    #[cfg(test)]
    pub(crate) fn replace_file(&mut self, file: File) -> Arc<File> {
        std::mem::replace(&mut self.file, Arc::new(file))
    }
}

fn create_segment(dir: &Path, segment: u64, format: u8) -> Result<File, Error> {
    let path = segment_path(dir, segment);
    // One that a failed attempt left has nothing in it: a segment is made before its first record.
    let file =
        File::options().append(true).create(true).open(&path).map_err(Error::io("cannot create", &path))?;
    file.set_len(0).map_err(Error::io("cannot write", &path))?;
    (&file).write_all(&of_format(SEGMENT_MAGIC, format)).map_err(Error::io("cannot write", &path))?;
    file.sync_all().map_err(Error::io("cannot sync", &path))?;
    files::sync_dir(dir)?;
    Ok(file)
}

/// What reading a file found beside its records.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) records: u64,
    /// Start of the torn tail, if there is one.
    pub(crate) torn: Option<u64>,
}

/// Hands the records of a log file to `sink`; everything else becomes damage. `last` says that a torn tail is what
/// the end of the process leaves behind.
pub(crate) fn read_file(
    path: &Path,
    magic: &[u8; 8],
    damage: &DamageLog,
    last: bool,
    mut sink: impl FnMut(Record),
) -> Result<Found, Error> {
    let mut pieces = Pieces::open(path)?;
    let mut found = Found::default();
    let first = pieces.first(8)?;
    if let Some(format) = newer(first, magic) {
        return Err(Error::Newer { path: path.to_owned(), format });
    }
    let is_whole = first.len() == 8;
    if !is_known(first, magic) {
        if is_whole || !last {
            damage.add(
                path,
                "the first bytes are not those of its format: whole records behind them are used",
                None,
            );
        }
        if !is_whole {
            return Ok(found);
        }
    }
    let (length, mut last_end) = (pieces.length, 8);
    pieces.each(8, |frame, base| match frame {
        Frame::Record { payload, end } => {
            let end = base + end as u64;
            match record::read(payload) {
                Some(record) => sink(record),
                None => damage.add(path, format!("record before byte {end} is of an unknown kind"), None),
            }
            found.records += 1;
            last_end = end;
        }
        Frame::Damage { from, tail: true, .. } if last => {
            let dropped = length - base - from as u64;
            let what =
                format!("{dropped} bytes after the last whole record were dropped: a write that was cut off");
            damage.add(path, what, None);
            found.torn = Some(last_end);
        }
        Frame::Damage { from, to, .. } => {
            let (from, to) = (base + from as u64, base + to as u64);
            damage.add(path, format!("bytes {from} to {to} are damaged: the batches there are lost"), None);
        }
    })?;
    Ok(found)
}

/// The first bytes of a file of this format.
pub(crate) fn of_format(magic: &[u8; 8], format: u8) -> [u8; 8] {
    let mut magic = *magic;
    magic[7] = format;
    magic
}

fn is_known(bytes: &[u8], magic: &[u8; 8]) -> bool {
    format::KNOWN.into_iter().any(|format| bytes.get(..8) == Some(&of_format(magic, format)))
}

/// The format of a file that a later release wrote.
fn newer(bytes: &[u8], magic: &[u8; 8]) -> Option<u64> {
    let (name, format) = (bytes.get(..7)?, *bytes.get(7)?);
    (name == &magic[..7] && format::is_newer(format)).then_some(format.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_log_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), 1, 1 << 20).unwrap();
        let mut frame = frame::open();
        record::write_checkpoint_end(&mut frame, 5);
        frame::close(&mut frame);
        writer.append(&frame, 1).unwrap();
        let position = writer.position;
        let real = writer.replace_file(File::options().append(true).open("/dev/full").unwrap());
        assert!(matches!(writer.append(&frame, 1), Err(Error::Io { .. })));
        assert_eq!(writer.position, position);
        drop(real);
        // The device could not be cut, so the next record goes into a new segment once the disk has room.
        writer.replace_file(File::options().append(true).open(segment_path(dir.path(), 1)).unwrap());
        writer.append(&frame, 1).unwrap();
        let damage = DamageLog::default();
        let mut records = 0;
        for (_, path) in files::numbered(dir.path(), SEGMENT).unwrap() {
            read_file(&path, SEGMENT_MAGIC, &damage, false, |_| records += 1).unwrap();
        }
        assert_eq!((records, damage.list().len()), (2, 0));
    }
}
