//! Writes a block: chunks, index, meta; aside first, then under its name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::index::{self, Section, Toc};
use super::meta::Meta;
use super::{CHUNKS_MAGIC, path};
use crate::chunk::Chunk;
use crate::error::Error;
use crate::files;
use crate::labels::Labels;
use crate::varint;

/// A file that counts what goes through it.
#[derive(Debug)]
struct Out {
    path: PathBuf,
    file: BufWriter<File>,
    offset: u64,
    crc: crc32fast::Hasher,
}

impl Out {
    fn create(path: PathBuf, magic: &[u8]) -> Result<Self, Error> {
        let file = File::create(&path).map_err(Error::io("cannot create", &path))?;
        let file = BufWriter::with_capacity(1 << 18, file);
        let mut out = Self { path, file, offset: 0, crc: crc32fast::Hasher::new() };
        out.put(magic)?;
        Ok(out)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(Error::io("cannot write", &self.path))?;
        self.offset += bytes.len() as u64;
        self.crc.update(bytes);
        Ok(())
    }

    /// The section from `start` to here, whose checksum began there.
    fn section(&mut self, start: u64) -> Section {
        let crc = std::mem::take(&mut self.crc).finalize();
        Section { offset: start, length: self.offset - start, crc }
    }

    fn begin(&mut self) -> u64 {
        self.crc = crc32fast::Hasher::new();
        self.offset
    }

    fn finish(self) -> Result<(), Error> {
        let file = self
            .file
            .into_inner()
            .map_err(|error| Error::io("cannot write", &self.path)(error.into_error()))?;
        file.sync_all().map_err(Error::io("cannot sync", &self.path))
    }
}

/// A block in the making. Dropped before [`BlockWriter::finish`], it leaves an unfinished directory that the next
/// opening removes.
#[derive(Debug)]
pub(crate) struct BlockWriter {
    aside: PathBuf,
    target: PathBuf,
    symbols: HashMap<Box<str>, u32>,
    index: Out,
    chunks: Out,
    toc: Toc,
    series_start: u64,
    /// Lengths of the series entries.
    lengths: Vec<u32>,
    /// Series of each pair of symbols.
    postings: BTreeMap<(u32, u32), Vec<u32>>,
    pub(crate) meta: Meta,
}

impl BlockWriter {
    /// `symbols` are all names and values of the labels that will be added.
    pub(crate) fn create(
        blocks: &Path,
        id: u64,
        symbols: HashSet<Box<str>>,
        meta: Meta,
    ) -> Result<Self, Error> {
        let target = path(blocks, id);
        let aside = target.with_extension(files::ASIDE);
        if aside.exists() {
            std::fs::remove_dir_all(&aside).map_err(Error::io("cannot remove", &aside))?;
        }
        files::create_dir(&aside)?;
        let mut index = Out::create(aside.join("index"), index::MAGIC)?;
        let chunks = Out::create(aside.join("chunks"), CHUNKS_MAGIC)?;
        let start = index.begin();
        let mut symbols: Vec<Box<str>> = symbols.into_iter().collect();
        symbols.sort_unstable();
        let mut bytes = Vec::new();
        varint::write(&mut bytes, symbols.len() as u64);
        symbols.iter().for_each(|symbol| varint::write_text(&mut bytes, symbol));
        index.put(&bytes)?;
        let toc = Toc { symbols: index.section(start), ..Toc::default() };
        let series_start = index.begin();
        let meta = Meta {
            min_time: i64::MAX,
            max_time: i64::MIN,
            series: 0,
            chunks: 0,
            samples: 0,
            format: 0,
            ..meta
        };
        let symbols = symbols.into_iter().zip(0..).collect();
        let (lengths, postings) = (Vec::new(), BTreeMap::new());
        Ok(Self { aside, target, symbols, index, chunks, toc, series_start, lengths, postings, meta })
    }

    fn symbol(&self, text: &str) -> u32 {
        *self.symbols.get(text).expect("the symbols were collected from the labels that are added")
    }

    /// Series ascending by labels; chunks ascending by time, each at least one sample.
    pub(crate) fn add(&mut self, labels: &Labels, chunks: &[Chunk]) -> Result<(), Error> {
        if chunks.is_empty() {
            return Ok(());
        }
        let number = self.lengths.len() as u32;
        let mut body = Vec::new();
        varint::write(&mut body, labels.len() as u64);
        for (name, value) in labels {
            let pair = (self.symbol(name), self.symbol(value));
            varint::write(&mut body, u64::from(pair.0));
            varint::write(&mut body, u64::from(pair.1));
            self.postings.entry(pair).or_default().push(number);
        }
        varint::write(&mut body, chunks.len() as u64);
        varint::write(&mut body, self.chunks.offset);
        let mut time = 0_i64;
        for chunk in chunks {
            varint::write_signed(&mut body, chunk.min_time.wrapping_sub(time));
            varint::write_signed(&mut body, chunk.max_time.wrapping_sub(chunk.min_time));
            varint::write(&mut body, u64::from(chunk.count));
            varint::write(&mut body, chunk.bytes.len() as u64);
            time = chunk.max_time;
            self.chunks.put(&crc32fast::hash(&chunk.bytes).to_le_bytes())?;
            self.chunks.put(&chunk.bytes)?;
            self.meta.min_time = self.meta.min_time.min(chunk.min_time);
            self.meta.max_time = self.meta.max_time.max(chunk.max_time);
            self.meta.samples += u64::from(chunk.count);
            self.meta.format = self.meta.format.max(chunk.format());
        }
        body.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        self.meta.series += 1;
        self.meta.chunks += chunks.len() as u64;
        self.lengths.push(body.len() as u32);
        self.index.put(&body)
    }

    /// Removes what was written.
    pub(crate) fn abandon(self) -> Result<(), Error> {
        std::fs::remove_dir_all(&self.aside).map_err(Error::io("cannot remove", &self.aside))
    }

    /// Makes the block, unless nothing was added; true if there is one now.
    pub(crate) fn finish(mut self) -> Result<bool, Error> {
        if self.meta.series == 0 {
            return self.abandon().map(|()| false);
        }
        self.toc.series = self.index.section(self.series_start);
        if self.toc.series.length > u64::from(u32::MAX) {
            let what = "more than 4 GiB of series entries in one block".to_owned();
            return Err(Error::Damaged { path: self.aside, what });
        }
        let start = self.index.begin();
        let mut bytes = Vec::new();
        varint::write(&mut bytes, self.lengths.len() as u64);
        self.lengths.iter().for_each(|length| varint::write(&mut bytes, u64::from(*length)));
        self.index.put(&bytes)?;
        self.toc.places = self.index.section(start);
        let start = self.index.begin();
        let bytes = self.postings_bytes();
        self.index.put(&bytes)?;
        self.toc.postings = self.index.section(start);
        self.index.put(&self.toc.write())?;
        self.index.finish()?;
        self.chunks.finish()?;
        files::write(&self.aside.join("meta"), self.meta.write().as_bytes())?;
        files::sync_dir(&self.aside)?;
        files::rename(&self.aside, &self.target)?;
        Ok(true)
    }

    fn postings_bytes(&self) -> Vec<u8> {
        let mut names: BTreeMap<u32, Vec<(u32, &Vec<u32>)>> = BTreeMap::new();
        for ((name, value), ids) in &self.postings {
            names.entry(*name).or_default().push((*value, ids));
        }
        let mut bytes = Vec::new();
        varint::write(&mut bytes, names.len() as u64);
        let mut list = Vec::new();
        for (name, values) in names {
            varint::write(&mut bytes, u64::from(name));
            varint::write(&mut bytes, values.len() as u64);
            for (value, ids) in values {
                list.clear();
                varint::write(&mut list, ids.len() as u64);
                let mut last = 0;
                for id in ids {
                    varint::write(&mut list, u64::from(id - last));
                    last = *id;
                }
                varint::write(&mut bytes, u64::from(value));
                varint::write(&mut bytes, list.len() as u64);
                bytes.extend_from_slice(&list);
            }
        }
        bytes
    }
}
