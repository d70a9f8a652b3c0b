//! The index of a block: symbols, series, where each series is, and the series of each label pair.
//!
//! Symbols, places and the table of postings are kept in memory; series entries are read when they are selected.

use std::borrow::Cow;

use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::varint::Reader;

/// First bytes of an index; the last is the format's version.
pub(crate) const MAGIC: &[u8; 8] = b"SFIDX\0\0\x01";
/// Four sections of offset, length and checksum, and a checksum of those.
pub(crate) const TOC: usize = 4 * 20 + 4;

/// Place of a section in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) crc: u32,
}

impl Section {
    /// The section's bytes of the whole file, if the checksum is right.
    fn of<'a>(&self, file: &'a [u8]) -> Option<&'a [u8]> {
        let start = usize::try_from(self.offset).ok()?;
        let bytes = file.get(start..start.checked_add(usize::try_from(self.length).ok()?)?)?;
        (crc32fast::hash(bytes) == self.crc).then_some(bytes)
    }
}

/// The sections in the order of the file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Toc {
    pub(crate) symbols: Section,
    pub(crate) series: Section,
    pub(crate) places: Section,
    pub(crate) postings: Section,
}

impl Toc {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(TOC);
        for section in [self.symbols, self.series, self.places, self.postings] {
            bytes.extend_from_slice(&section.offset.to_le_bytes());
            bytes.extend_from_slice(&section.length.to_le_bytes());
            bytes.extend_from_slice(&section.crc.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (sections, crc) = bytes.split_at_checked(TOC - 4)?;
        if crc != crc32fast::hash(sections).to_le_bytes() {
            return None;
        }
        let mut from = Reader::new(sections);
        let mut section = || Some(Section { offset: from.u64()?, length: from.u64()?, crc: from.u32()? });
        Some(Self { symbols: section()?, series: section()?, places: section()?, postings: section()? })
    }
}

/// A chunk of a series: which samples, and its length; chunks of a series lie behind each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkPlace {
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    pub(crate) count: u32,
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

/// What is kept in memory of an index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    text: Box<str>,
    /// End of each symbol.
    ends: Vec<u32>,
    /// Start of each series entry in its section, and the section's length at the end.
    places: Vec<u32>,
    /// Per name, sorted: its symbol, and where its values begin in `values`.
    names: Vec<(u32, u32)>,
    /// Per value of each name, sorted within the name: its symbol, and where its list begins in `lists`.
    values: Vec<(u32, u32)>,
    lists: Box<[u8]>,
}

impl Index {
    /// From the bytes of a whole index file, or of one whose series section is left out (`file` gives any section).
    pub(crate) fn read(symbols: &[u8], places: &[u8], postings: &[u8], series_length: u64) -> Option<Self> {
        let mut index = Self { places: read_places(places, series_length)?, ..Self::default() };
        index.read_symbols(symbols)?;
        index.read_postings(postings)?;
        Some(index)
    }

    /// From a whole file, every checksum tested: for `verify` and for fuzzing.
    pub(crate) fn of_file(file: &[u8]) -> Option<(Self, &[u8])> {
        let toc = Toc::read(file.get(file.len().checked_sub(TOC)?..)?)?;
        let series = toc.series.of(file)?;
        let index = Self::read(
            toc.symbols.of(file)?,
            toc.places.of(file)?,
            toc.postings.of(file)?,
            toc.series.length,
        )?;
        (file.get(..8) == Some(MAGIC)).then_some((index, series))
    }

    fn read_symbols(&mut self, bytes: &[u8]) -> Option<()> {
        let mut from = Reader::new(bytes);
        let count = from.count()?;
        let mut text = String::with_capacity(bytes.len());
        self.ends.reserve(count);
        for _ in 0..count {
            text.push_str(from.text()?);
            self.ends.push(u32::try_from(text.len()).ok()?);
        }
        self.text = text.into();
        from.rest.is_empty().then_some(())
    }

    fn read_postings(&mut self, bytes: &[u8]) -> Option<()> {
        let mut from = Reader::new(bytes);
        let names = from.count()?;
        let mut lists = Vec::with_capacity(bytes.len());
        for _ in 0..names {
            let name =
                u32::try_from(from.unsigned()?).ok().filter(|symbol| (*symbol as usize) < self.ends.len())?;
            self.names.push((name, u32::try_from(self.values.len()).ok()?));
            for _ in 0..from.count()? {
                let value = u32::try_from(from.unsigned()?)
                    .ok()
                    .filter(|symbol| (*symbol as usize) < self.ends.len())?;
                self.values.push((value, u32::try_from(lists.len()).ok()?));
                let length = from.count()?;
                lists.extend_from_slice(from.bytes(length)?);
            }
        }
        self.lists = lists.into();
        from.rest.is_empty().then_some(())
    }

    pub(crate) fn series(&self) -> usize {
        self.places.len() - 1
    }

    /// From where to where a series entry lies in its section.
    pub(crate) fn place(&self, series: usize) -> Option<(u64, u64)> {
        Some((u64::from(*self.places.get(series)?), u64::from(*self.places.get(series + 1)?)))
    }

    pub(crate) fn symbol(&self, number: u32) -> Option<&str> {
        let end = *self.ends.get(number as usize)? as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before as usize] as usize);
        self.text.get(start..end)
    }

    fn find(&self, text: &str) -> Option<u32> {
        let numbers = 0..self.ends.len() as u32;
        let (mut low, mut high) = (numbers.start, numbers.end);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.symbol(middle)?.cmp(text) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn values_of(&self, name: &str) -> &[(u32, u32)] {
        let at = self
            .find(name)
            .and_then(|symbol| self.names.binary_search_by_key(&symbol, |(name, _)| *name).ok());
        let Some(at) = at else { return &[] };
        let end = self.names.get(at + 1).map_or(self.values.len(), |(_, start)| *start as usize);
        self.values.get(self.names[at].1 as usize..end).unwrap_or(&[])
    }

    pub(crate) fn label_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|(symbol, _)| self.symbol(*symbol))
    }

    pub(crate) fn label_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values_of(name).iter().filter_map(|(symbol, _)| self.symbol(*symbol))
    }

    fn list(&self, start: u32) -> Vec<u64> {
        let mut from = Reader::new(self.lists.get(start as usize..).unwrap_or(&[]));
        let count = from.count().unwrap_or(0);
        let mut ids = Vec::with_capacity(count);
        let mut id = 0_u64;
        for _ in 0..count {
            let Some(step) = from.unsigned() else { break };
            id = id.wrapping_add(step);
            ids.push(id);
        }
        ids
    }

    /// The numbers of the series that meet a matcher which the empty value does not.
    pub(crate) fn postings(&self, matcher: &Matcher) -> Cow<'static, [u64]> {
        let values = self.values_of(matcher.name());
        let chosen: Vec<Cow<'static, [u64]>> = match matcher.texts() {
            Some(texts) => {
                let symbols = texts.iter().filter_map(|text| self.find(text));
                let starts = symbols
                    .filter_map(|symbol| values.binary_search_by_key(&symbol, |(value, _)| *value).ok());
                starts.map(|at| Cow::Owned(self.list(values[at].1))).collect()
            }
            None => {
                let prefix = matcher.prefix();
                let text = |symbol: u32| self.symbol(symbol).unwrap_or("");
                let from = values.partition_point(|(symbol, _)| text(*symbol) < prefix);
                let begun = values[from..].iter().take_while(|(symbol, _)| text(*symbol).starts_with(prefix));
                let matching = begun.filter(|(symbol, _)| matcher.matches(text(*symbol)));
                matching.map(|(_, start)| Cow::Owned(self.list(*start))).collect()
            }
        };
        crate::postings::union(chosen)
    }

    /// A series entry: its labels, and the chunks that overlap the range.
    pub(crate) fn entry(
        &self,
        bytes: &[u8],
        range: (i64, i64),
        buffer: &mut String,
    ) -> Option<(Labels, Vec<ChunkPlace>)> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if crc != crc32fast::hash(body).to_le_bytes() {
            return None;
        }
        let mut from = Reader::new(body);
        let count = from.count()?;
        let mut pairs = Vec::with_capacity(count);
        for _ in 0..count {
            let (name, value) =
                (u32::try_from(from.unsigned()?).ok()?, u32::try_from(from.unsigned()?).ok()?);
            pairs.push((self.symbol(name)?, self.symbol(value)?));
        }
        if !pairs.windows(2).all(|pair| pair[0].0 < pair[1].0)
            || pairs.iter().any(|(_, value)| value.is_empty())
        {
            return None;
        }
        let chunks = read_chunks(&mut from, range)?;
        Some((Labels::from_sorted(pairs.into_iter(), buffer), chunks))
    }
}

fn read_places(bytes: &[u8], series_length: u64) -> Option<Vec<u32>> {
    let mut from = Reader::new(bytes);
    let count = from.count()?;
    let mut places = Vec::with_capacity(count + 1);
    let mut place = 0_u64;
    for _ in 0..count {
        places.push(u32::try_from(place).ok()?);
        place = place.checked_add(from.unsigned()?)?;
    }
    places.push(u32::try_from(place).ok()?);
    (from.rest.is_empty() && place == series_length).then_some(places)
}

fn read_chunks(from: &mut Reader<'_>, (min, max): (i64, i64)) -> Option<Vec<ChunkPlace>> {
    let count = from.count()?;
    let mut offset = from.unsigned()?;
    let mut time = 0_i64;
    let mut chunks = Vec::new();
    for _ in 0..count {
        let min_time = time.wrapping_add(from.signed()?);
        let max_time = min_time.wrapping_add(from.signed()?);
        let count = u32::try_from(from.unsigned()?).ok()?;
        let length = u32::try_from(from.unsigned()?).ok()?;
        if min_time <= max && max_time >= min {
            chunks.push(ChunkPlace { min_time, max_time, count, offset, length });
        }
        offset = offset.checked_add(u64::from(length))?.checked_add(4)?;
        time = max_time;
    }
    from.rest.is_empty().then_some(chunks)
}
