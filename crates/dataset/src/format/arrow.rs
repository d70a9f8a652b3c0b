//! Arrow's file format, which is version 2 of Feather.
//!
//! The crate of Arrow reads it, but believes every length in the file; here each is held against the size of the
//! file before memory is asked for.

use std::sync::Arc;

use arrow_buffer::Buffer;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::{Block, MetadataVersion};
use arrow_schema::{ArrowError, SchemaRef};
use parquet::file::reader::ChunkReader;

use crate::format::Format;
use crate::format::columnar::{Batches, guarded};
use crate::problem::ProblemKind;

/// What the file ends with: the length of the footer in four bytes, then the magic.
const TRAILER_BYTES: usize = 10;
/// A batch has at most so many rows.
const MAX_ROWS: i64 = 1 << 26;
/// A buffer that is compressed has at most so many bytes: those that 32-bit offsets can name.
const MAX_BUFFER_BYTES: i64 = 1 << 31;

/// The footer of an Arrow file.
#[derive(Debug)]
pub(crate) struct ArrowFile {
    schema: SchemaRef,
    version: MetadataVersion,
    dictionaries: Vec<Block>,
    batches: Vec<Block>,
    rows: u64,
}

impl ArrowFile {
    pub(crate) fn read(source: &impl ChunkReader) -> Result<Self, ProblemKind> {
        guarded(Format::Arrow, || Self::parse(source))
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows the batches say they have.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    fn parse(source: &impl ChunkReader) -> Result<Self, String> {
        let size = source.len();
        let cut = || "it ends before its footer".to_string();
        let trailer_at = size.checked_sub(TRAILER_BYTES as u64).ok_or_else(cut)?;
        let trailer = source.get_bytes(trailer_at, TRAILER_BYTES).map_err(text)?;
        let length = read_footer_length(trailer.as_ref().try_into().map_err(text)?).map_err(text)?;
        let footer_at = trailer_at.checked_sub(length as u64).ok_or_else(cut)?;
        let bytes = source.get_bytes(footer_at, length).map_err(text)?;
        let footer = arrow_ipc::root_as_footer(&bytes).map_err(text)?;
        let schema = footer.schema().ok_or("it has no schema")?;
        if !schema.endianness().equals_to_target_endianness() {
            return Err("its numbers are big-endian".to_string());
        }
        let batches = blocks_within(footer.recordBatches().into_iter().flatten(), footer_at)?;
        let rows = batches.iter().map(|block| rows_of(source, block)).sum::<Result<u64, String>>()?;
        Ok(ArrowFile {
            rows,
            schema: Arc::new(arrow_ipc::convert::fb_to_schema(schema)),
            version: footer.version(),
            dictionaries: blocks_within(footer.dictionaries().into_iter().flatten(), footer_at)?,
            batches,
        })
    }

    /// Starts reading the columns at these positions.
    pub(crate) fn batches<R>(&self, source: R, columns: &[usize]) -> Result<Batches, ProblemKind>
    where
        R: ChunkReader + 'static,
    {
        let mut decoder =
            FileDecoder::new(Arc::clone(&self.schema), self.version).with_projection(columns.to_vec());
        guarded(Format::Arrow, || {
            self.dictionaries
                .iter()
                .try_for_each(|block| decoder.read_dictionary(block, &bytes_of(&source, block)?))
        })?;
        let blocks = self.batches.clone().into_iter();
        let batch = move |block: Block| {
            let bytes = bytes_of(&source, &block)?;
            decoder.read_record_batch(&block, &bytes)
        };
        let read = blocks.map(batch).filter_map(Result::transpose);
        Ok(Batches::new(Format::Arrow, self.rows, read))
    }
}

/// The blocks, when each lies before `end`.
fn blocks_within<'a>(blocks: impl Iterator<Item = &'a Block>, end: u64) -> Result<Vec<Block>, String> {
    let block_end = |block: &Block| {
        let start = u64::try_from(block.offset()).ok()?;
        let metadata = u64::try_from(block.metaDataLength()).ok()?;
        let body = u64::try_from(block.bodyLength()).ok()?;
        start.checked_add(metadata)?.checked_add(body)
    };
    blocks
        .map(|block| match block_end(block) {
            Some(block_end) if block_end <= end => Ok(*block),
            _ => Err("a block lies outside of it".to_string()),
        })
        .collect()
}

/// The bytes of a block that lies within the file, when nothing in it claims more than can be.
fn bytes_of(source: &impl ChunkReader, block: &Block) -> Result<Buffer, ArrowError> {
    let length = i64::from(block.metaDataLength()) + block.bodyLength();
    let external = |error| ArrowError::ExternalError(Box::new(error));
    let bytes = source.get_bytes(block.offset().cast_unsigned(), length as usize).map_err(external)?;
    let (head, body) = bytes.split_at_checked(block.metaDataLength() as usize).ok_or_else(too_short)?;
    claims(head, body)?;
    Ok(Buffer::from(bytes))
}

fn too_short() -> ArrowError {
    ArrowError::IpcError("a block is shorter than its metadata".to_string())
}

/// How many rows a batch says it has.
fn rows_of(source: &impl ChunkReader, block: &Block) -> Result<u64, String> {
    let length = usize::try_from(block.metaDataLength()).map_err(text)?;
    let head = source.get_bytes(block.offset().cast_unsigned(), length).map_err(text)?;
    let batch = message_of(&head).map_err(text)?.header_as_record_batch().map_or(0, |batch| batch.length());
    Ok(batch.clamp(0, MAX_ROWS).cast_unsigned())
}

/// The message at the start of a block.
fn message_of(head: &[u8]) -> Result<arrow_ipc::Message<'_>, ArrowError> {
    // The length of the message is in front of it, in newer files after four bytes of ones.
    let start = if head.starts_with(&[0xff; 4]) { 8 } else { 4 };
    let message = arrow_ipc::root_as_message(head.get(start..).ok_or_else(too_short)?);
    message.map_err(|error| ArrowError::IpcError(error.to_string()))
}

/// Refuses a batch that claims more rows, or more bytes behind a compressed buffer, than are read.
fn claims(head: &[u8], body: &[u8]) -> Result<(), ArrowError> {
    let message = message_of(head)?;
    let dictionary = || message.header_as_dictionary_batch()?.data();
    let Some(batch) = message.header_as_record_batch().or_else(dictionary) else { return Ok(()) };
    let nodes = batch.nodes().into_iter().flatten().map(arrow_ipc::FieldNode::length);
    if let Some(rows) = nodes.chain([batch.length()]).find(|rows| !(0..=MAX_ROWS).contains(rows)) {
        let message = format!("a batch has {rows} rows; at most {MAX_ROWS} are read at once");
        return Err(ArrowError::IpcError(message));
    }
    if batch.compression().is_none() {
        return Ok(());
    }
    for buffer in batch.buffers().into_iter().flatten() {
        let start = usize::try_from(buffer.offset()).unwrap_or(usize::MAX);
        let Some(length) = body.get(start..).and_then(|rest| rest.first_chunk()) else { continue };
        let length = i64::from_le_bytes(*length);
        if buffer.length() > 0 && length > MAX_BUFFER_BYTES {
            return Err(ArrowError::IpcError(format!("a buffer claims {length} bytes")));
        }
    }
    Ok(())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
