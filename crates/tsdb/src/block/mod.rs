//! Blocks: immutable samples of a time range in a directory of three files, read by position.

pub(crate) mod index;
pub(crate) mod meta;
pub(crate) mod tombstones;
pub(crate) mod writer;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::aggregates::Resolution;
use crate::chunk::aggregates::Windows;
use crate::chunk::{self, Chunk, Wanted};
use crate::damage::DamageLog;
use crate::error::Error;
use crate::files;
use crate::intervals::Intervals;
use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::postings::{candidates, meets};
use crate::samples::Samples;
use index::{ChunkPlace, Index, Section, TOC, Toc};
use meta::Meta;
use tombstones::Tombstones;

/// First bytes of a chunk file; the last is the format's version.
pub(crate) const CHUNKS_MAGIC: &[u8; 8] = b"SFCHK\0\0\x01";
pub(crate) const BLOCK: &str = "block-";
/// Read ahead when series entries are read.
const WINDOW: u64 = 64 << 10;

pub(crate) fn path(blocks: &Path, id: u64) -> PathBuf {
    blocks.join(format!("{BLOCK}{id:08}"))
}

/// An open block.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) id: u64,
    pub(crate) dir: PathBuf,
    pub(crate) meta: Meta,
    pub(crate) bytes: u64,
    index: Index,
    series: Section,
    index_file: File,
    chunk_file: File,
    damage: Arc<DamageLog>,
    tombstones: RwLock<tombstones::Shared>,
}

/// Chunks of one series in a block.
#[derive(Debug, Clone)]
pub(crate) struct BlockPart {
    block: Arc<Block>,
    /// Number of the series in the block.
    pub(crate) series: u64,
    chunks: Box<[ChunkPlace]>,
    /// What of these chunks was deleted, if any of it was.
    deleted: Option<Intervals>,
}

impl Block {
    /// Reads everything but series entries and chunks. `holds` is what its place says of it: aggregates, or samples.
    pub(crate) fn open(
        dir: &Path,
        id: u64,
        holds: Option<Resolution>,
        damage: &Arc<DamageLog>,
    ) -> Result<Self, Error> {
        let damaged = |file: &str, what: &str| Error::Damaged { path: dir.join(file), what: what.to_owned() };
        let meta = fs::read(dir.join("meta")).map_err(Error::io("cannot read", dir.join("meta")))?;
        let meta = std::str::from_utf8(&meta).unwrap_or_default();
        if let Some(format) = meta::newer(meta) {
            return Err(Error::Newer { path: dir.join("meta"), format });
        }
        let meta = Meta::read(meta);
        let meta = meta.ok_or_else(|| damaged("meta", "damaged: the block is not served"))?;
        if meta.resolution_ms != holds.map_or(0, Resolution::ms) {
            let what = format!(
                "holds windows of {} ms, and its folder is for those of {} ms (0: samples): the block is not served",
                meta.resolution_ms,
                holds.map_or(0, Resolution::ms)
            );
            return Err(damaged("meta", &what));
        }
        let open = |name: &str| File::open(dir.join(name)).map_err(Error::io("cannot open", dir.join(name)));
        let (index_file, chunk_file) = (open("index")?, open("chunks")?);
        let broken = || damaged("index", "damaged: the block is not served");
        let length = index_file.metadata().map_err(Error::io("cannot read", dir.join("index")))?.len();
        let read = |offset: u64, size: u64| {
            let end = offset.checked_add(size).filter(|end| *end <= length).ok_or_else(broken)?;
            let mut bytes = vec![0; usize::try_from(end - offset).map_err(|_| broken())?];
            index_file
                .read_exact_at(&mut bytes, offset)
                .map_err(Error::io("cannot read", dir.join("index")))?;
            Ok::<_, Error>(bytes)
        };
        if read(0, 8)? != index::MAGIC {
            return Err(broken());
        }
        let toc = Toc::read(&read(length.saturating_sub(TOC as u64), TOC as u64)?).ok_or_else(broken)?;
        let section = |section: Section| {
            let bytes = read(section.offset, section.length)?;
            if crc32fast::hash(&bytes) == section.crc { Ok(bytes) } else { Err(broken()) }
        };
        let (symbols, places, postings) =
            (section(toc.symbols)?, section(toc.places)?, section(toc.postings)?);
        let index = Index::read(&symbols, &places, &postings, toc.series.length).ok_or_else(broken)?;
        let tombstones = RwLock::new(Arc::new(Tombstones::open(dir)?));
        let bytes = files::size(dir);
        let (dir, damage) = (dir.to_owned(), Arc::clone(damage));
        let series = toc.series;
        Ok(Self { id, dir, meta, bytes, index, series, index_file, chunk_file, damage, tombstones })
    }

    /// Age of the block: of blocks with a sample at the same time, the one made of the oldest is right.
    pub(crate) fn rank(&self) -> u64 {
        self.meta.sources.iter().copied().min().unwrap_or(self.id).min(self.id)
    }

    /// The windows of its aggregates, if it holds such.
    pub(crate) fn resolution(&self) -> Option<Resolution> {
        Resolution::ALL.into_iter().find(|resolution| resolution.ms() == self.meta.resolution_ms)
    }

    pub(crate) fn tombstones(&self) -> tombstones::Shared {
        Arc::clone(&self.tombstones.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_tombstones(&self, tombstones: Tombstones) {
        *self.tombstones.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tombstones);
    }

    pub(crate) fn label_names(&self) -> impl Iterator<Item = &str> {
        self.index.label_names()
    }

    pub(crate) fn label_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.index.label_values(name)
    }

    /// The series that meet the matchers with their chunks that overlap the range, ascending by labels, one at a time.
    /// Entries that are damaged are left out and listed.
    pub(crate) fn cursor<'m>(self: &Arc<Self>, matchers: &'m [Matcher], min: i64, max: i64) -> Cursor<'m> {
        let all = || (0..self.index.series() as u64).collect();
        let (ids, filters) = candidates(matchers, all, |matcher| self.index.postings(matcher));
        let (window, buffer) = (Window::default(), String::new());
        let (block, tombstones) = (Arc::clone(self), self.tombstones());
        Cursor { block, ids: ids.into_iter(), filters, range: (min, max), window, buffer, tombstones }
    }

    /// Every name and value of the labels.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = &str> {
        (0..u32::MAX).map_while(|number| self.index.symbol(number))
    }

    /// Reads everything there is and lists what is damaged; returns the number of chunks that are whole.
    pub(crate) fn verify(self: &Arc<Self>) -> Result<u64, Error> {
        let mut whole = 0;
        let head = self.read_chunks(0, 8)?;
        if head != CHUNKS_MAGIC {
            self.damage.add(&self.dir.join("chunks"), "the first bytes are not those of its format", None);
        }
        let (mut samples, mut windows) = (Samples::default(), Windows::default());
        let resolution = self.resolution();
        let mut cursor = self.cursor(&[], i64::MIN, i64::MAX);
        cursor.tombstones = tombstones::Shared::default();
        for series in cursor {
            let (_, part) = series?;
            for (place, chunk) in part.chunks.iter().zip(part.read()?) {
                samples.clear();
                windows.clear();
                let found = chunk.map(|chunk| match resolution {
                    Some(resolution) => windows.decode(resolution, &chunk.bytes),
                    None => chunk.decode(&mut samples).map(|()| samples.len()),
                });
                match found {
                    Some(Some(count)) if count == place.count as usize => whole += 1,
                    Some(_) => self.lost(place),
                    None => {}
                }
            }
        }
        Ok(whole)
    }

    fn lost(&self, place: &ChunkPlace) {
        let what = format!("chunk at byte {} is damaged: its {} samples are lost", place.offset, place.count);
        self.damage.add(&self.dir.join("chunks"), what, Some((place.min_time, place.max_time)));
    }

    fn read_chunks(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        // Short at the end of a cut file: what is missing fails its checksum.
        while filled < length {
            let read = self.chunk_file.read_at(&mut bytes[filled..], offset + filled as u64);
            match read.map_err(Error::io("cannot read", self.dir.join("chunks")))? {
                0 => break,
                more => filled += more,
            }
        }
        Ok(bytes)
    }
}

/// Series of a block, one after the other.
#[derive(Debug)]
pub(crate) struct Cursor<'m> {
    block: Arc<Block>,
    ids: std::vec::IntoIter<u64>,
    filters: Vec<&'m Matcher>,
    range: (i64, i64),
    window: Window,
    buffer: String,
    tombstones: tombstones::Shared,
}

impl Iterator for Cursor<'_> {
    type Item = Result<(Labels, BlockPart), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = &self.block;
        loop {
            let id = self.ids.next()?;
            let Some((from, to)) = block.index.place(id as usize) else { continue };
            let bytes = match self.window.get(block, from, to) {
                Ok(bytes) => bytes,
                Err(error) => return Some(Err(error)),
            };
            let Some((labels, mut chunks)) = block.index.entry(bytes, self.range, &mut self.buffer) else {
                let what = format!("entry of series {id} is damaged: its samples are lost");
                block.damage.add(
                    &block.dir.join("index"),
                    what,
                    Some((block.meta.min_time, block.meta.max_time)),
                );
                continue;
            };
            let mut deleted = self.tombstones.of(id);
            if let Some(deleted) = deleted {
                chunks.retain(|chunk| !deleted.covers(chunk.min_time, chunk.max_time));
            }
            deleted = deleted
                .filter(|deleted| chunks.iter().any(|chunk| deleted.touches(chunk.min_time, chunk.max_time)));
            if !chunks.is_empty() && meets(&labels, &self.filters) {
                let (block, deleted) = (Arc::clone(block), deleted.cloned());
                return Some(Ok((labels, BlockPart { block, series: id, chunks: chunks.into(), deleted })));
            }
        }
    }
}

/// Some bytes of the series section.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn get(&mut self, block: &Block, from: u64, to: u64) -> Result<&[u8], Error> {
        let have = self.start..self.start + self.bytes.len() as u64;
        if from < have.start || to > have.end {
            let end = (from + WINDOW).max(to).min(block.series.length);
            // Places are known to lie within the section, which may lie behind the file's end if that was cut.
            self.bytes.resize((end.max(to) - from) as usize, 0);
            self.start = from;
            let read = block.index_file.read_exact_at(&mut self.bytes, block.series.offset + from);
            read.map_err(Error::io("cannot read", block.dir.join("index")))?;
        }
        Ok(&self.bytes[(from - self.start) as usize..(to - self.start) as usize])
    }
}

impl BlockPart {
    /// First and last time of its chunks.
    pub(crate) fn range(&self) -> Option<(i64, i64)> {
        self.chunks.first().zip(self.chunks.last()).map(|(first, last)| (first.min_time, last.max_time))
    }

    /// The chunks' bytes, with what was deleted of them; `None` and an entry in the damage for one whose checksum is wrong.
    pub(crate) fn read(&self) -> Result<Vec<Option<Chunk>>, Error> {
        let mut chunks = Vec::with_capacity(self.chunks.len());
        self.each(|place, bytes| {
            let (min_time, max_time, count) = (place.min_time, place.max_time, place.count);
            chunks.push(bytes.map(|bytes| Chunk { min_time, max_time, count, bytes: bytes.into() }));
        })?;
        Ok(chunks)
    }

    /// Appends the samples of the chunks to `out`, without those deleted.
    pub(crate) fn decode(&self, out: &mut Samples, wanted: Option<Wanted>) -> Result<(), Error> {
        let before = out.len();
        // Behind what was deleted a reset is unknown, and the numbers have to tell.
        let wanted = wanted.filter(|_| self.deleted.is_none());
        self.each_whole(|bytes| chunk::decode_wanted(bytes, out, wanted))?;
        if let Some(deleted) = &self.deleted {
            out.delete(before, deleted);
        }
        Ok(())
    }

    /// The same without the chunks whose first and last time are not wanted.
    pub(crate) fn of(&self, wanted: impl Fn((i64, i64)) -> bool) -> Self {
        let chunks = self.chunks.iter().filter(|place| wanted((place.min_time, place.max_time)));
        Self { chunks: chunks.copied().collect(), ..self.clone() }
    }

    /// What was deleted of the chunks, if any of it was.
    pub(crate) fn deleted(&self) -> Option<&Intervals> {
        self.deleted.as_ref()
    }

    /// Gives `decode` the bytes of each chunk; those that it makes nothing of are listed as damaged.
    pub(crate) fn each_whole(&self, mut decode: impl FnMut(&[u8]) -> Option<()>) -> Result<(), Error> {
        self.each(|place, bytes| {
            if bytes.is_some_and(|bytes| decode(bytes).is_none()) {
                self.block.lost(place);
            }
        })
    }

    fn each(&self, mut sink: impl FnMut(&ChunkPlace, Option<&[u8]>)) -> Result<(), Error> {
        let (Some(first), Some(last)) = (self.chunks.first(), self.chunks.last()) else { return Ok(()) };
        let length = last.offset + u64::from(last.length) + 4 - first.offset;
        if first.offset + length > self.block.bytes {
            // The file was cut, or the entry asks for more than there is.
            self.chunks.iter().for_each(|place| self.block.lost(place));
            self.chunks.iter().for_each(|place| sink(place, None));
            return Ok(());
        }
        let bytes = self.block.read_chunks(first.offset, length as usize)?;
        for place in &self.chunks {
            let start = (place.offset - first.offset) as usize;
            let (crc, rest) = bytes[start..].split_at(4);
            let body = &rest[..place.length as usize];
            let whole = crc == crc32fast::hash(body).to_le_bytes();
            if !whole {
                self.block.lost(place);
            }
            sink(place, whole.then_some(body));
        }
        Ok(())
    }
}
