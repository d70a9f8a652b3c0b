//! Arrow's formats: that of files, which is version 2 of Feather and lists its blocks at the end, and that of streams,
//! in which they follow each other.
//!
//! The crate of Arrow decodes blocks, but believes every length in the file; here each is held against the size of the
//! file before memory is asked for.

use std::sync::Arc;

use arrow_buffer::Buffer;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::{Block, MessageHeader, MetadataVersion};
use arrow_schema::{ArrowError, SchemaRef};
use bytes::Bytes;
use parquet::file::reader::ChunkReader;

use crate::format::Format;
use crate::format::allowance::charge;
use crate::format::columnar::{Batches, guarded};
use crate::problem::ProblemKind;

/// What the file ends with: the length of the footer in four bytes, then the magic.
const TRAILER_BYTES: usize = 10;
/// A batch has at most so many rows.
const MAX_ROWS: i64 = 1 << 26;
/// A buffer that is compressed has at most so many bytes: those that 32-bit offsets can name.
const MAX_BUFFER_BYTES: i64 = 1 << 31;

/// What each message of a stream begins with.
pub(crate) const CONTINUATION: &[u8] = &[0xff; 4];
/// The continuation and the length of the message's metadata.
const PREFIX_BYTES: usize = 8;

/// The schema of an Arrow file and where its blocks are.
#[derive(Debug)]
pub(crate) struct ArrowFile {
    schema: SchemaRef,
    version: MetadataVersion,
    /// In the order in which they are decoded: in a stream, a later dictionary may take an earlier one's place.
    blocks: Vec<(Holds, Block)>,
    rows: u64,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Holds {
    Dictionary,
    Batch,
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
        let is_stream = source.len() >= PREFIX_BYTES as u64
            && source.get_bytes(0, CONTINUATION.len()).map_err(text)?.as_ref() == CONTINUATION;
        if is_stream { Self::parse_stream(source) } else { Self::parse_file(source) }
    }

    fn parse_file(source: &impl ChunkReader) -> Result<Self, String> {
        let size = source.len();
        let cut = || "it ends before its footer".to_string();
        let trailer_at = size.checked_sub(TRAILER_BYTES as u64).ok_or_else(cut)?;
        let trailer = source.get_bytes(trailer_at, TRAILER_BYTES).map_err(text)?;
        let length = read_footer_length(trailer.as_ref().try_into().map_err(text)?).map_err(text)?;
        let footer_at = trailer_at.checked_sub(length as u64).ok_or_else(cut)?;
        let bytes = source.get_bytes(footer_at, length).map_err(text)?;
        let footer = arrow_ipc::root_as_footer(&bytes).map_err(text)?;
        let schema = schema_of(footer.schema())?;
        let batches = blocks_within(footer.recordBatches().into_iter().flatten(), footer_at)?;
        let rows = batches.iter().map(|block| rows_of(source, block)).sum::<Result<u64, String>>()?;
        let dictionaries = blocks_within(footer.dictionaries().into_iter().flatten(), footer_at)?;
        let dictionaries = dictionaries.into_iter().map(|block| (Holds::Dictionary, block));
        let blocks = dictionaries.chain(batches.into_iter().map(|block| (Holds::Batch, block))).collect();
        Ok(ArrowFile { schema, version: footer.version(), blocks, rows })
    }

    fn parse_stream(source: &impl ChunkReader) -> Result<Self, String> {
        let (mut known, mut blocks, mut rows, mut at) = (None, Vec::new(), 0, 0);
        while let Some((block, head)) = message_at(source, at)? {
            let message = message_of(&head).map_err(text)?;
            match (message.header_type(), &known) {
                (MessageHeader::Schema, None) => {
                    known = Some((schema_of(message.header_as_schema())?, message.version()));
                }
                (MessageHeader::DictionaryBatch, Some(_)) => blocks.push((Holds::Dictionary, block)),
                (MessageHeader::RecordBatch, Some(_)) => {
                    rows += rows_in(&message);
                    blocks.push((Holds::Batch, block));
                }
                (found, _) => return Err(format!("its messages are out of order: {found:?} at byte {at}")),
            }
            at += head.len() as u64 + block.bodyLength().cast_unsigned();
        }
        let (schema, version) = known.ok_or("it has no schema")?;
        Ok(ArrowFile { schema, version, blocks, rows })
    }

    /// Starts reading the columns at these positions.
    pub(crate) fn batches<R>(&self, source: R, columns: &[usize]) -> Result<Batches, ProblemKind>
    where
        R: ChunkReader + 'static,
    {
        let mut decoder =
            FileDecoder::new(Arc::clone(&self.schema), self.version).with_projection(columns.to_vec());
        let blocks = self.blocks.clone().into_iter();
        let batch = move |(holds, block): (Holds, Block)| {
            let bytes = bytes_of(&source, &block)?;
            match holds {
                Holds::Dictionary => decoder.read_dictionary(&block, &bytes).map(|()| None),
                Holds::Batch => decoder.read_record_batch(&block, &bytes),
            }
        };
        let read = blocks.map(batch).filter_map(Result::transpose);
        Ok(Batches::new(Format::Arrow, self.rows, read))
    }
}

/// The schema, when its numbers are written as this machine has them.
fn schema_of(schema: Option<arrow_ipc::Schema>) -> Result<SchemaRef, String> {
    let schema = schema.ok_or("it has no schema")?;
    if !schema.endianness().equals_to_target_endianness() {
        return Err("its numbers are big-endian".to_string());
    }
    Ok(Arc::new(arrow_ipc::convert::fb_to_schema(schema)))
}

/// The message of a stream that begins at this byte: its block, which lies within the stream, and the bytes in front of
/// its body. `None` at the end of the stream.
fn message_at(source: &impl ChunkReader, at: u64) -> Result<Option<(Block, Bytes)>, String> {
    let cut = || "it ends within a message".to_string();
    let left = source.len().saturating_sub(at);
    if left == 0 {
        return Ok(None);
    }
    if left < PREFIX_BYTES as u64 {
        return Err(cut());
    }
    let prefix = source.get_bytes(at, PREFIX_BYTES).map_err(text)?;
    let (continuation, length) = prefix.split_at(CONTINUATION.len());
    if continuation != CONTINUATION {
        return Err(format!("no message begins at byte {at}"));
    }
    let length = i32::from_le_bytes(length.try_into().map_err(text)?);
    if length == 0 {
        return Ok(None);
    }
    let head_bytes = usize::try_from(length).map_err(text)? + PREFIX_BYTES;
    let body_left = left.checked_sub(head_bytes as u64).ok_or_else(cut)?;
    let head = source.get_bytes(at, head_bytes).map_err(text)?;
    let body_bytes = message_of(&head).map_err(text)?.bodyLength();
    if u64::try_from(body_bytes).map_err(text)? > body_left {
        return Err(cut());
    }
    let place = (i64::try_from(at).map_err(text)?, i32::try_from(head_bytes).map_err(text)?);
    Ok(Some((Block::new(place.0, place.1, body_bytes), head)))
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
    Ok(rows_in(&message_of(&head).map_err(text)?))
}

fn rows_in(message: &arrow_ipc::Message) -> u64 {
    let rows = message.header_as_record_batch().map_or(0, |batch| batch.length());
    rows.clamp(0, MAX_ROWS).cast_unsigned()
}

/// The message at the start of a block.
fn message_of(head: &[u8]) -> Result<arrow_ipc::Message<'_>, ArrowError> {
    // The length of the message is in front of it, in newer files after four bytes of ones.
    let start = if head.starts_with(CONTINUATION) { PREFIX_BYTES } else { 4 };
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
        charge(|| u64::try_from(length).unwrap_or(0)).map_err(ArrowError::IpcError)?;
    }
    Ok(())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
