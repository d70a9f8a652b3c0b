//! Writes the Parquet file of a table.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::snapshot::commit::Disk;
use crate::snapshot::fingerprint::hex;

/// Rows of a row group: what the writer holds in memory before it writes.
const ROW_GROUP_ROWS: usize = 1 << 17;

/// Writes the Parquet file of a table, once its columns are known.
pub(crate) struct SnapshotWriter<'a> {
    disk: &'a Disk,
    path: PathBuf,
    writer: Option<ArrowWriter<HashedFile>>,
}

/// A file that was written and synced.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) size_bytes: u64,
    pub(crate) sha256: String,
}

impl<'a> SnapshotWriter<'a> {
    pub(crate) fn new(disk: &'a Disk, path: PathBuf) -> Self {
        SnapshotWriter { disk, path, writer: None }
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if self.writer.is_none() {
            let file = HashedFile { file: self.disk.create_file(&self.path)?, hasher: Sha256::new() };
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
                .build();
            let writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(engine)?;
            self.writer = Some(writer);
        }
        self.writer.as_mut().map_or(Ok(()), |writer| writer.write(batch)).map_err(engine)
    }

    /// Makes the file last; of no bytes when there was no table to write.
    pub(crate) fn finish(self) -> Result<Written, Error> {
        let Some(writer) = self.writer else { return Ok(Written::default()) };
        let HashedFile { file, hasher } = writer.into_inner().map_err(engine)?;
        self.disk.sync_file(&file, &self.path)?;
        let size_bytes = file.metadata().map_err(Error::io("read", &self.path))?.len();
        Ok(Written { size_bytes, sha256: hex(hasher) })
    }
}

/// A file that is hashed while it is written.
struct HashedFile {
    file: File,
    hasher: Sha256,
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn engine(error: parquet::errors::ParquetError) -> Error {
    Error::Engine(error.to_string())
}
