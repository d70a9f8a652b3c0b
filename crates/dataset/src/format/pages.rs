//! The pages of a Parquet file, vetted before they are decoded: none claims more values than its bytes can hold.
//!
//! The decoder takes memory for as many values as a page says it has. A few damaged bytes would ask for gigabytes, and
//! where the system has not got them the process would end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;

use super::allowance::charge;
use super::vetting::Vetting;

/// Largest value of a column whose values are all of one length; of those that are read, decimals have up to 32 bytes.
const MAX_FIXED_BYTES: i32 = 1 << 10;

/// All row groups of a file.
pub(crate) struct Pages<R> {
    pub(crate) source: Arc<R>,
    pub(crate) metadata: Arc<ParquetMetaData>,
}

impl<R: ChunkReader + 'static> RowGroups for Pages<R> {
    fn num_rows(&self) -> usize {
        let rows = self.row_groups().map(|group| usize::try_from(group.num_rows()).unwrap_or_default());
        rows.fold(0, usize::saturating_add)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let kind = self.metadata.file_metadata().schema_descr().column(column);
        if kind.physical_type() == Type::FIXED_LEN_BYTE_ARRAY && kind.type_length() > MAX_FIXED_BYTES {
            let message = format!("the values of a column have {} bytes each", kind.type_length());
            return Err(ParquetError::General(message));
        }
        let (source, metadata) = (Arc::clone(&self.source), Arc::clone(&self.metadata));
        Ok(Box::new(Chunks { source, metadata, column, next: 0 }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// One column, a row group at a time.
struct Chunks<R> {
    source: Arc<R>,
    metadata: Arc<ParquetMetaData>,
    column: usize,
    next: usize,
}

impl<R: ChunkReader + 'static> Iterator for Chunks<R> {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.metadata.row_groups().get(self.next)?;
        self.next += 1;
        let chunk = group.column(self.column);
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        let column = chunk.column_descr_ptr();
        let has_header = Arc::new(AtomicBool::new(false));
        let source = Arc::new(Vetting::new(Arc::clone(&self.source), Arc::clone(&has_header)));
        let pages = SerializedPageReader::new(source, chunk, rows, None);
        Some(pages.map(|pages| Box::new(Vetted { pages, column, rows, has_header }) as Box<dyn PageReader>))
    }
}

impl<R: ChunkReader + 'static> PageIterator for Chunks<R> {}

/// The pages of a column in a row group.
struct Vetted<R: ChunkReader> {
    pages: SerializedPageReader<Vetting<R>>,
    column: Arc<ColumnDescriptor>,
    /// Rows of the row group.
    rows: usize,
    /// Whether the header of the next page has been read and its data have not.
    has_header: Arc<AtomicBool>,
}

impl<R: ChunkReader> Iterator for Vetted<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Result<Page>> {
        self.get_next_page().transpose()
    }
}

impl<R: ChunkReader> PageReader for Vetted<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page();
        self.has_header.store(false, Ordering::Relaxed);
        let page = page?;
        page.iter()
            .try_for_each(|page| vet(page, self.column.max_rep_level(), self.column.max_def_level()))?;
        if let Some(page) = &page {
            charge(|| repeated_bytes(page, self.rows)).map_err(ParquetError::General)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let page = self.pages.peek_next_page()?;
        self.has_header.store(page.is_some(), Ordering::Relaxed);
        Ok(page)
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.has_header.store(false, Ordering::Relaxed);
        self.pages.skip_next_page()
    }
}

/// Bytes that the values of a page may become beside its own: each row may be the longest text of a dictionary, and a text
/// may begin as the one before it.
fn repeated_bytes(page: &Page, rows: usize) -> u64 {
    let (times, length) = match page {
        Page::DictionaryPage { buf, .. } => (rows, longest_text(buf)),
        Page::DataPage { buf, num_values, encoding: Encoding::DELTA_BYTE_ARRAY, .. }
        | Page::DataPageV2 { buf, num_values, encoding: Encoding::DELTA_BYTE_ARRAY, .. } => {
            (*num_values as usize, buf.len())
        }
        _ => (0, 0),
    };
    (times as u64).saturating_mul(length as u64)
}

/// The most bytes of a text in a dictionary; each has its length in front.
fn longest_text(mut bytes: &[u8]) -> usize {
    let mut longest = 0;
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some(rest) = rest.get(length..) else { break };
        (longest, bytes) = (longest.max(length), rest);
    }
    longest
}

/// Refuses a page of a column with these highest levels when it claims more values than it can hold.
fn vet(page: &Page, repetition: i16, definition: i16) -> Result<()> {
    match page {
        Page::DictionaryPage { buf, num_values, .. } => {
            // No value of a dictionary takes less than a byte.
            if *num_values as usize > buf.len() {
                let message = format!("a dictionary claims {num_values} values in {} bytes", buf.len());
                return Err(ParquetError::General(message));
            }
            Ok(())
        }
        Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, .. } => {
            let levels = [(repetition, rep_level_encoding), (definition, def_level_encoding)];
            let values = levels.iter().try_fold(&buf[..], |bytes, (highest, encoding)| {
                behind_levels(bytes, *highest, **encoding, *num_values)
            });
            vet_values(*encoding, values.ok_or_else(ends)?, *num_values)
        }
        Page::DataPageV2 { buf, num_values, encoding, rep_levels_byte_len, def_levels_byte_len, .. } => {
            let start = *rep_levels_byte_len as usize + *def_levels_byte_len as usize;
            vet_values(*encoding, buf.get(start..).ok_or_else(ends)?, *num_values)
        }
    }
}

fn ends() -> ParquetError {
    ParquetError::EOF("a page ends before its values".to_string())
}

/// What follows the levels of a page of the first version.
fn behind_levels(bytes: &[u8], highest: i16, encoding: Encoding, num_values: u32) -> Option<&[u8]> {
    if highest == 0 {
        return Some(bytes);
    }
    if encoding == Encoding::RLE {
        let (length, levels) = bytes.split_first_chunk()?;
        return levels.get(u32::from_le_bytes(*length) as usize..);
    }
    // The older encoding is of as many bits a value as the highest level has.
    let bits = u64::from(highest.unsigned_abs().ilog2() + 1);
    bytes.get(usize::try_from((u64::from(num_values) * bits).div_ceil(8)).ok()?..)
}

/// Texts whose lengths are written as differences have their number in front, for which the decoder takes memory.
fn vet_values(encoding: Encoding, values: &[u8], num_values: u32) -> Result<()> {
    let runs = match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => 0,
    };
    let mut rest = values;
    for _ in 0..runs {
        let (count, behind) = lengths(rest, num_values).ok_or_else(ends)?;
        if count > u64::from(num_values) {
            let message = format!("a page of {num_values} values claims {count} lengths");
            return Err(ParquetError::General(message));
        }
        rest = behind;
    }
    Ok(())
}

/// How many lengths are written as differences (Parquet's DELTA_BINARY_PACKED), and what follows them; `None` where they
/// end early. Nothing follows more than `most` of them.
fn lengths(mut bytes: &[u8], most: u32) -> Option<(u64, &[u8])> {
    let block_values = number(&mut bytes)?;
    let miniblocks = usize::try_from(number(&mut bytes)?).ok()?;
    let count = number(&mut bytes)?;
    let _first = number(&mut bytes)?;
    if count > u64::from(most) {
        return Some((count, &[]));
    }
    let miniblock_values = usize::try_from(block_values).ok()?.checked_div(miniblocks)?;
    let mut left = usize::try_from(count).ok()?.saturating_sub(1);
    while left > 0 {
        let _least_difference = number(&mut bytes)?;
        let (widths, behind) = bytes.split_at_checked(miniblocks)?;
        bytes = behind;
        for width in widths {
            // What is behind the last value is not written.
            if left > 0 {
                bytes = bytes.get(usize::from(*width).checked_mul(miniblock_values)? / 8..)?;
            }
            left = left.saturating_sub(miniblock_values);
        }
        if miniblock_values == 0 {
            return None;
        }
    }
    Some((count, bytes))
}

/// A number of seven bits a byte, the lowest first.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// A thousand million, seven bits a byte.
    const MANY: [u8; 5] = [0x80, 0x94, 0xeb, 0xdc, 0x03];
    /// Three lengths: blocks of 128 in four miniblocks, the first length 1, then differences of two bits.
    const THREE: [u8; 18] = [0x80, 1, 4, 3, 2, 0, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

    fn dictionary(num_values: u32, bytes: &[u8]) -> Page {
        let buf = Bytes::copy_from_slice(bytes);
        Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN, is_sorted: false }
    }

    fn version_1(encoding: Encoding, levels: Encoding, parts: &[&[u8]]) -> Page {
        let [def_level_encoding, rep_level_encoding] = [levels; 2];
        let (buf, num_values, statistics) = (parts.concat().into(), 3, None);
        Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, statistics }
    }

    fn version_2(encoding: Encoding, levels: u32, parts: &[&[u8]]) -> Page {
        Page::DataPageV2 {
            buf: parts.concat().into(),
            num_values: 3,
            encoding,
            num_nulls: 0,
            num_rows: 3,
            def_levels_byte_len: levels,
            rep_levels_byte_len: 0,
            is_compressed: false,
            statistics: None,
        }
    }

    #[test]
    fn pages_claim_what_they_hold() {
        use Encoding::{DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY, PLAIN, RLE};
        #[expect(deprecated, reason = "old files have levels of this encoding")]
        let packed = Encoding::BIT_PACKED;
        let check = |page: Page, expected: Option<&str>| {
            let found = vet(&page, 0, 1).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected, "{page:?}");
        };
        let ends = Some("EOF: a page ends before its values");
        let many = Some("Parquet error: a page of 3 values claims 1000000000 lengths");
        let claim = [&[0x80, 1, 4], &MANY[..], &[2]].concat();
        check(dictionary(8, &[0; 8]), None);
        check(dictionary(9, &[0; 8]), Some("Parquet error: a dictionary claims 9 values in 8 bytes"));
        check(version_1(PLAIN, RLE, &[&[2, 0, 0, 0, 6, 1]]), None);
        check(version_1(PLAIN, RLE, &[&[3, 0, 0, 0, 6, 1]]), ends);
        check(version_1(DELTA_LENGTH_BYTE_ARRAY, RLE, &[&[2, 0, 0, 0, 6, 1], &THREE]), None);
        check(version_1(DELTA_LENGTH_BYTE_ARRAY, RLE, &[&[2, 0, 0, 0, 6, 1], &claim]), many);
        check(version_1(DELTA_LENGTH_BYTE_ARRAY, packed, &[&[7], &THREE]), None);
        check(version_1(DELTA_LENGTH_BYTE_ARRAY, packed, &[&[7], &claim]), many);
        check(version_2(DELTA_LENGTH_BYTE_ARRAY, 2, &[&[6, 1], &THREE]), None);
        check(version_2(DELTA_LENGTH_BYTE_ARRAY, 2, &[&[6, 1], &THREE[..12]]), ends);
        check(version_2(DELTA_BYTE_ARRAY, 0, &[&THREE, &THREE, b"abc"]), None);
        check(version_2(DELTA_BYTE_ARRAY, 0, &[&THREE, &THREE[..17]]), ends);
        check(version_2(DELTA_BYTE_ARRAY, 0, &[&THREE, &claim]), many);
        // Blocks of no values, and of fewer values than miniblocks.
        check(version_2(DELTA_BYTE_ARRAY, 0, &[&THREE, &[0x80, 1, 0, 3, 2]]), ends);
        check(version_2(DELTA_BYTE_ARRAY, 0, &[&THREE, &[3, 4, 3, 2, 0, 0, 0, 0, 0]]), ends);
        check(version_2(DELTA_BYTE_ARRAY, 0, &[&[0xff; 11]]), ends);
    }
}
