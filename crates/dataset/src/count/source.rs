//! Where the bytes of a table are, and what they are opened as.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::errors::Result as ParquetResult;
use parquet::file::reader::{ChunkReader, Length};

use crate::format::coding::Coding;
use crate::format::csv::records::Records;
use crate::problem::Fault;

/// A file, or its bytes in memory.
#[derive(Debug)]
pub(crate) enum Source {
    File(PathBuf),
    Bytes(Bytes),
}

/// How the text of a CSV file is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    pub(crate) coding: Coding,
    pub(crate) separator: u8,
}

impl Source {
    /// The text of a CSV file; `taken` counts the bytes that are taken of the file.
    pub(crate) fn text(&self, coding: Coding, taken: &Arc<AtomicU64>) -> Result<Box<dyn Read + Send>, Fault> {
        let source: Box<dyn Read + Send> = match self {
            Source::File(path) => Box::new(File::open(path).map_err(Fault::io("read"))?),
            Source::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
        };
        coding.reader(Metered { source, taken: Arc::clone(taken) }).map_err(Fault::io("read"))
    }

    /// The records of a CSV file.
    pub(crate) fn records(&self, text: Text) -> Result<Records<Box<dyn Read + Send>>, Fault> {
        Records::separated(self.text(text.coding, &Arc::default())?, text.separator)
    }

    /// A file whose columns are stored apart, to be read in pieces.
    pub(crate) fn pieces(&self) -> Result<Pieces, Fault> {
        Ok(match self {
            Source::File(path) => Pieces::File(File::open(path).map_err(Fault::io("read"))?),
            Source::Bytes(bytes) => Pieces::Bytes(bytes.clone()),
        })
    }
}

/// Counts the bytes that are read.
struct Metered<R> {
    source: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// A [`Source`] that was opened.
pub(crate) enum Pieces {
    File(File),
    Bytes(Bytes),
}

impl Length for Pieces {
    fn len(&self) -> u64 {
        match self {
            Pieces::File(file) => Length::len(file),
            Pieces::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

impl ChunkReader for Pieces {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(match self {
            Pieces::File(file) => Box::new(file.get_read(start)?),
            Pieces::Bytes(bytes) => Box::new(bytes.get_read(start)?),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Pieces::File(file) => file.get_bytes(start, length),
            Pieces::Bytes(bytes) => bytes.get_bytes(start, length),
        }
    }
}
