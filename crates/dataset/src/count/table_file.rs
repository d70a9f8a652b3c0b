//! Any CSV or Parquet file as a table, without a configuration: types are inferred as pandas does.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::count::column_tally::Tallied;
use crate::count::csv_tally::{self, Wanted};
use crate::count::left_out::{LeftOut, Reason};
use crate::count::parquet_tally;
use crate::count::value_counts::ValueCounts;
use crate::error::Error;
use crate::format::coding::Coding;
use crate::format::csv::records::{Records, Step};
use crate::format::csv::separator;
use crate::format::parquet::Footer;
use crate::format::plain_array::{plain_type, type_name};
use crate::format::{self, Format};
use crate::problem::{Fault, ProblemKind, nearest};

/// A table in a file. Columns are read as counts of their values, as many at a time as memory allows,
/// so that files larger than memory can be compared.
///
/// The format is decided by the first bytes. CSV may be compressed with gzip or zstd and encoded in UTF-8, or in
/// UTF-16 with a byte order mark; its header tells whether commas, semicolons, tabs or `|` separate.
///
/// CSV types are those of pandas' `read_csv`: a column is whole numbers, floats, booleans or text, the first of these
/// that all its values are; whole numbers with a missing value are floats; a column without any value is floats; `""`,
/// `NA`, `NaN`, `null`, `None` and the like are missing. Unlike there, booleans with a missing value stay booleans,
/// and text that is all dates, or all numbers in one style (`$1,250`, `12 %`), or numbers but for at most 5 % of the
/// values, is that: see [`Unparseable`](crate::Unparseable). Timestamps become dates in both formats.
///
/// Columns of Parquet that have no place in a flat table, and the index of a pandas data frame, are left out.
#[derive(Debug)]
pub struct TableFile {
    name: String,
    source: Source,
    contents: Contents,
    /// Every column of the file, in order.
    header: Vec<String>,
    names: Vec<String>,
    left_out: Vec<LeftOut>,
    size_bytes: u64,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Bytes(Bytes),
}

#[derive(Debug)]
enum Contents {
    /// What is known of each column.
    Csv(Text, Vec<Known>),
    Parquet(Footer),
}

/// How the text of a CSV file is written.
#[derive(Debug, Clone, Copy)]
struct Text {
    coding: Coding,
    separator: u8,
}

/// The first column when it has no name, as pandas calls it.
const UNNAMED: &str = "Unnamed: 0";
/// So many rows are looked at to tell an index.
const INDEX_ROWS: usize = 1_000;
/// So much of a file's text is looked at for its separator.
const HEADER_START_BYTES: u64 = 1 << 16;

/// What a first look at a file has found.
struct Looked {
    header: Vec<String>,
    left_out: Vec<LeftOut>,
    contents: Contents,
}

/// What earlier passes over a CSV file have found out about a column.
#[derive(Debug, Clone, Default)]
struct Known {
    /// It is not a column of numbers.
    text: bool,
    /// It had to be dropped, and takes this much memory.
    bytes: u64,
}

/// How columns are read.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Memory for values, beside buffers of a few megabytes a thread. The first column asked for is
    /// read whatever it takes.
    pub memory_bytes: u64,
    /// Threads that read at the same time.
    pub threads: usize,
    /// Told how many bytes were read since it was told last.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// Columns that were read.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// In the order asked for.
    pub columns: Vec<ValueCounts>,
    /// Columns to ask for again: there was no memory left for them, or numbers turned out to be text.
    /// Never all of those asked for twice in a row.
    pub deferred: Vec<String>,
}

impl TableFile {
    /// Looks at a file: its format and the names of its columns.
    ///
    /// # Errors
    /// [`Error::Table`] naming what is wrong and where; [`Error::Io`].
    pub fn open(path: &Path) -> Result<TableFile, Error> {
        let name = path.display().to_string();
        let (file, format, coding) =
            format::open_coded(path).map_err(|fault| Error::of_file(&name, fault))?;
        let size_bytes = file.metadata().map_err(Error::io("read", path))?.len();
        Self::inspect(name, Source::File(path.to_path_buf()), format, coding, size_bytes)
    }

    /// The same for a file that is in memory; `name` is for error messages.
    ///
    /// # Errors
    /// As [`TableFile::open`].
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<TableFile, Error> {
        let bytes = Bytes::from(bytes);
        let (format, coding) = format::of_bytes(&bytes).map_err(|fault| Error::of_file(name, fault))?;
        let size_bytes = bytes.len() as u64;
        Self::inspect(name.to_string(), Source::Bytes(bytes), format, coding, size_bytes)
    }

    /// The names of the columns that can be compared, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The other columns of the file, in order.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The size of the file.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Counts the values of the named columns, each named once; of as many of them as memory allows. An
    /// index is read as any other column.
    ///
    /// # Errors
    /// As [`TableFile::open`], [`ProblemKind::NoSuchColumn`], and [`ProblemKind::UnsupportedParquetType`].
    pub fn count(&mut self, names: &[&str], reading: &Reading) -> Result<Counted, Error> {
        let positions = self.positions(names).map_err(|fault| self.error(fault))?;
        let counted = match &self.contents {
            Contents::Csv(text, known) => {
                let (text, mut known) = (*text, known.clone());
                let counted = self.count_csv(text, &positions, &mut known, reading);
                self.contents = Contents::Csv(text, known);
                counted
            }
            Contents::Parquet(footer) => self.count_parquet(footer, &positions, reading),
        };
        counted.map_err(|fault| self.error(fault))
    }

    fn inspect(
        name: String,
        source: Source,
        format: Format,
        coding: Coding,
        size_bytes: u64,
    ) -> Result<TableFile, Error> {
        let looked = match format {
            Format::Csv => source.inspect_csv(coding),
            Format::Parquet => source.inspect_parquet(),
        };
        let Looked { header, left_out, contents } = looked.map_err(|fault| Error::of_file(&name, fault))?;
        let is_left_out = |name: &&String| left_out.iter().any(|column| column.name == **name);
        let names = header.iter().filter(|name| !is_left_out(name)).cloned().collect();
        Ok(TableFile { name, source, contents, header, names, left_out, size_bytes })
    }
    fn positions(&self, names: &[&str]) -> Result<Vec<usize>, Fault> {
        let by_name: std::collections::HashMap<&str, usize> =
            self.header.iter().enumerate().map(|(position, name)| (name.as_str(), position)).collect();
        let find = |name: &&str| {
            by_name.get(name).copied().ok_or_else(|| {
                let nearest = nearest(name, self.names.iter().map(String::as_str));
                Fault::in_column(name, ProblemKind::NoSuchColumn { nearest })
            })
        };
        names.iter().map(find).collect()
    }

    fn count_csv(
        &self,
        text: Text,
        positions: &[usize],
        known: &mut [Known],
        reading: &Reading,
    ) -> Result<Counted, Fault> {
        let records = self.source.records(text)?;
        // The file may have got another header since it was opened.
        if column_names(&records.header)? != self.header {
            return Err(ProblemKind::Changed.into());
        }
        let taken = Arc::default();
        let mut source = self.source.text(text.coding, &taken)?;
        io::copy(&mut source.by_ref().take(records.position()), &mut io::sink())
            .map_err(Fault::io("read"))?;

        let mut columns = vec![None; self.header.len()];
        let mut expected = 0;
        for (rank, &position) in positions.iter().enumerate() {
            expected += known[position].bytes;
            if rank == 0 || expected <= reading.memory_bytes {
                columns[position] = Some(Wanted { as_text: known[position].text, rank });
            }
        }
        let Reading { memory_bytes, threads, progress } = *reading;
        let progress = || progress(taken.swap(0, Ordering::Relaxed));
        let plan = csv_tally::Plan {
            columns,
            memory_bytes,
            threads,
            separator: text.separator,
            progress: &progress,
        };
        let tally = csv_tally::tally(source, &plan).map_err(Fault::io("read"))?;
        let Some(mut tally) = tally else { return Err(self.first_fault(text)?) };
        let mut counted = Counted { columns: Vec::new(), deferred: Vec::new() };
        for &position in positions {
            let name = &self.header[position];
            match tally.columns[position].take().map(|column| column.finish(name)) {
                Some(Tallied::Counted(column)) => counted.columns.push(column),
                Some(Tallied::ReadAgain) => {
                    known[position].text = true;
                    counted.deferred.push(name.clone());
                }
                Some(Tallied::Dropped) => {
                    known[position].bytes = 8 * tally.rows;
                    counted.deferred.push(name.clone());
                }
                None => counted.deferred.push(name.clone()),
            }
        }
        Ok(counted)
    }

    /// Reads record by record to say what is wrong and on which line.
    fn first_fault(&self, text: Text) -> Result<Fault, Fault> {
        let mut records = self.source.records(text)?;
        loop {
            match records.advance()? {
                Step::Record => {}
                Step::Faulty(kind) => return Ok(Fault::at_line(records.line(), kind)),
                // It was there a moment ago.
                Step::End => return Ok(ProblemKind::Changed.into()),
            }
        }
    }

    fn count_parquet(
        &self,
        footer: &Footer,
        positions: &[usize],
        reading: &Reading,
    ) -> Result<Counted, Fault> {
        let share = self.size_bytes / self.header.len().max(1) as u64;
        let plan = parquet_tally::Plan {
            columns: positions,
            memory_bytes: reading.memory_bytes,
            threads: reading.threads,
            progress: &|| (reading.progress)(share),
        };
        let tally = match &self.source {
            Source::File(path) => parquet_tally::tally(|| File::open(path), footer, &plan),
            Source::Bytes(bytes) => parquet_tally::tally(|| Ok(bytes.clone()), footer, &plan),
        }?;
        let mut counted = Counted { columns: Vec::new(), deferred: Vec::new() };
        for (column, &position) in tally.into_iter().zip(positions) {
            match column {
                Some(column) => {
                    counted.columns.push(ValueCounts { name: self.header[position].clone(), ..column })
                }
                None => counted.deferred.push(self.header[position].clone()),
            }
        }
        Ok(counted)
    }

    fn error(&self, fault: Fault) -> Error {
        Error::of_file(&self.name, fault)
    }
}

impl Source {
    fn inspect_csv(&self, coding: Coding) -> Result<Looked, Fault> {
        let mut start = Vec::new();
        let source = self.text(coding, &Arc::default())?;
        source.take(HEADER_START_BYTES).read_to_end(&mut start).map_err(Fault::io("read"))?;
        let text = Text { coding, separator: separator::sniff(&start) };
        let header = column_names(&self.records(text)?.header)?;
        let contents = Contents::Csv(text, vec![Known::default(); header.len()]);
        let mut left_out = Vec::new();
        if let [first, _, ..] = header.as_slice()
            && first == UNNAMED
            && self.counts_rows(text)?
        {
            left_out.push(LeftOut { name: first.clone(), reason: Reason::Index });
        }
        Ok(Looked { header, left_out, contents })
    }

    /// Whether the first column is one more in each row than in the row before, as far as it is looked at.
    fn counts_rows(&self, text: Text) -> Result<bool, Fault> {
        let mut records = self.records(text)?;
        let mut next = None;
        for _ in 0..INDEX_ROWS {
            let Step::Record = records.advance()? else { break };
            match records.field(0).parse::<u32>() {
                Ok(number) if next.is_none_or(|next| u64::from(number) == next) => {
                    next = Some(u64::from(number) + 1);
                }
                _ => return Ok(false),
            }
        }
        Ok(next.is_some())
    }

    fn inspect_parquet(&self) -> Result<Looked, Fault> {
        let footer = match self {
            Source::File(path) => Footer::read(&File::open(path).map_err(Fault::io("read"))?)?,
            Source::Bytes(bytes) => Footer::read(bytes)?,
        };
        let header = column_names(&footer.header())?;
        let index = footer.pandas_index();
        let mut left_out = Vec::new();
        for (name, field) in header.iter().zip(footer.schema().fields()) {
            let reason = if plain_type(field.data_type()).is_none() {
                Reason::Type(type_name(field.data_type()))
            } else if index.contains(field.name()) {
                Reason::Index
            } else {
                continue;
            };
            left_out.push(LeftOut { name: name.clone(), reason });
        }
        Ok(Looked { header, left_out, contents: Contents::Parquet(footer) })
    }

    /// The text of a CSV file; `taken` counts the bytes that are taken of the file.
    fn text(&self, coding: Coding, taken: &Arc<AtomicU64>) -> Result<Box<dyn Read + Send>, Fault> {
        let source: Box<dyn Read + Send> = match self {
            Source::File(path) => Box::new(File::open(path).map_err(Fault::io("read"))?),
            Source::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
        };
        coding.reader(Metered { source, taken: Arc::clone(taken) }).map_err(Fault::io("read"))
    }

    fn records(&self, text: Text) -> Result<Records<Box<dyn Read + Send>>, Fault> {
        Records::separated(self.text(text.coding, &Arc::default())?, text.separator)
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

/// The names of a header; one without a name gets pandas' `Unnamed: N`.
fn column_names(header: &[String]) -> Result<Vec<String>, Fault> {
    let mut names = Vec::with_capacity(header.len());
    let mut seen = std::collections::HashSet::new();
    for (index, name) in header.iter().enumerate() {
        let name = if name.is_empty() { format!("Unnamed: {index}") } else { name.clone() };
        if !seen.insert(name.clone()) {
            return Err(Fault::in_column(&name, ProblemKind::DuplicateColumn));
        }
        names.push(name);
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
