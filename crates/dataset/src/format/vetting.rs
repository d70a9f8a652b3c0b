//! A Parquet file whose metadata are walked before they are decoded.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::FooterTail;
use parquet::file::reader::{ChunkReader, Length};

use super::allowance::charge;
use super::known_fields::{FILE, PAGE};
use super::thrift::walk;

/// Bytes behind the metadata at the end of a file: their number, and the format's name.
const TAIL_BYTES: usize = 8;

/// Walks the metadata at the end of a file.
///
/// # Errors
/// Metadata that claim more than they have, or that are none; errors of the reader. A file too short for its metadata is
/// left to the decoder, which says so.
pub(super) fn vet_footer(file: &impl ChunkReader) -> Result<()> {
    let Some(end) = file.len().checked_sub(TAIL_BYTES as u64) else { return Ok(()) };
    let tail = file.get_bytes(end, TAIL_BYTES)?;
    let Ok(tail) = <&[u8; TAIL_BYTES]>::try_from(&tail[..]) else { return Ok(()) };
    let tail = FooterTail::try_new(tail)?;
    let Some(start) = end.checked_sub(tail.metadata_length() as u64) else { return Ok(()) };
    if tail.is_encrypted_footer() {
        return Ok(());
    }
    let metadata = file.get_bytes(start, tail.metadata_length())?;
    walk(Cursor::new(&metadata), metadata.len() as u64, FILE)?;
    Ok(())
}

/// A file of which page headers are read where the decoder begins to read.
pub(crate) struct Vetting<R> {
    file: Arc<R>,
    /// Set while the decoder has a page's header already and begins with its data.
    has_header: Arc<AtomicBool>,
}

impl<R> Vetting<R> {
    pub(crate) fn new(file: Arc<R>, has_header: Arc<AtomicBool>) -> Self {
        Self { file, has_header }
    }
}

impl<R: ChunkReader> Length for Vetting<R> {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl<R: ChunkReader> ChunkReader for Vetting<R> {
    type T = R::T;

    fn get_read(&self, start: u64) -> Result<R::T> {
        if !self.has_header.swap(false, Ordering::Relaxed) {
            let left = self.file.len().saturating_sub(start);
            // The second field of a page's header is how many bytes it unpacks to.
            let unpacked = walk(self.file.get_read(start)?, left, PAGE).map_err(ParquetError::from)?;
            charge(|| u64::try_from(unpacked).unwrap_or(0)).map_err(ParquetError::General)?;
        }
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.file.get_bytes(start, length)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use arrow_array::{Int64Array, RecordBatch};
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::{Reading, TableFile};

    /// Field 100, which nobody knows: a list of 2,147,483,647 truth values. Each takes the decoder seconds.
    const CLAIM: [u8; 9] = [0x09, 200, 1, 0xf1, 0xff, 0xff, 0xff, 0xff, 7];
    const CLAIMS: usize = 1000;

    fn sound() -> Vec<u8> {
        let column = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
        let batch = RecordBatch::try_from_iter([("age", column as _)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    /// The bytes of the first page's header, and of the metadata at the end.
    fn metadata(file: &[u8]) -> [Range<usize>; 2] {
        let mut page = Cursor::new(&file[4..]);
        walk(&mut page, file.len() as u64, PAGE).unwrap();
        let end = file.len() - TAIL_BYTES;
        let length = u32::from_le_bytes(*file[end..].first_chunk().unwrap());
        [4..4 + page.position() as usize, end - length as usize..end]
    }

    fn is_read(file: Vec<u8>) -> bool {
        let reading = Reading { memory_bytes: 1 << 20, threads: 1, whole_rows: false, progress: &|_| {} };
        let table = TableFile::from_bytes("file.parquet", file);
        table.and_then(|mut table| table.count(&["age"], &reading).map(drop)).is_ok()
    }

    #[test]
    fn claims_of_truth_values_are_damage() {
        let file = sound();
        let [page, footer] = metadata(&file);
        let mut with_page = file.clone();
        with_page.splice(page.end - 1..page.end - 1, CLAIM.repeat(CLAIMS));
        let mut with_footer = file.clone();
        with_footer.splice(footer.end - 1..footer.end - 1, CLAIM.repeat(CLAIMS));
        let end = with_footer.len() - TAIL_BYTES;
        let length = (footer.len() + CLAIMS * CLAIM.len()) as u32;
        with_footer[end..][..4].copy_from_slice(&length.to_le_bytes());
        assert!(is_read(file));
        assert!(!is_read(with_page));
        assert!(!is_read(with_footer));
    }

    /// Without a look at its header it is read for minutes.
    #[test]
    fn a_long_list_in_a_page_header_is_damage() {
        assert!(!is_read(include_bytes!("../../tests/fixtures/long_list_in_page_header.parquet").to_vec()));
    }
}
