//! Any CSV, Parquet or Arrow file as a table, without a configuration: types are inferred as pandas does.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::count::array_tally;
use crate::count::column_tally::Tallied;
use crate::count::csv_tally::{self, Wanted};
use crate::count::left_out::{LeftOut, Reason};
use crate::count::parts::{self, Part};
use crate::count::row_facts::{RowFacts, RowTally};
use crate::count::source::{Source, Text};
use crate::count::value_counts::ValueCounts;
use crate::error::Error;
use crate::format::coding::Coding;
use crate::format::csv::records::Step;
use crate::format::csv::separator;
use crate::format::{self, CsvOptions, Format};
use crate::problem::{Fault, ProblemKind, nearest};

/// A table in a file. Columns are read as counts of their values, as many at a time as memory allows,
/// so that files larger than memory can be compared.
///
/// The format is decided by the first bytes; a folder is read as the parts of one table. CSV may be compressed with gzip
/// or zstd; it is UTF-8, UTF-16 where a byte order mark says so, or what [`CsvOptions`] name, and its header tells whether
/// commas, semicolons, tabs or `|` separate, unless the options do.
///
/// CSV types are those of pandas' `read_csv`: a column is whole numbers, floats, booleans or text, the first of these
/// that all its values are; whole numbers with a missing value are floats; a column without any value is floats; `""`,
/// `NA`, `NaN`, `null`, `None` and the like are missing. Unlike there, booleans with a missing value stay booleans,
/// and text that is all dates, or all numbers in one style (`$1,250`, `12 %`), or numbers but for at most 5 % of the
/// values, is that: see [`Unparseable`](crate::Unparseable). Timestamps become dates in both formats.
///
/// Columns of Parquet and Arrow that have no place in a flat table, and the index of a pandas data frame, are left out.
#[derive(Debug)]
pub struct TableFile {
    name: String,
    contents: Contents,
    /// Every column of the file, in order.
    header: Vec<String>,
    names: Vec<String>,
    left_out: Vec<LeftOut>,
    size_bytes: u64,
    facts: Option<RowFacts>,
}

#[derive(Debug)]
enum Contents {
    Csv(Csv),
    Parts(Vec<Part>),
}

#[derive(Debug)]
struct Csv {
    source: Source,
    text: Text,
    /// What is known of each column.
    known: Vec<Known>,
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
    /// Looks at a file, or at a folder of Parquet or Arrow files with the same columns: its format and the names of its
    /// columns.
    ///
    /// # Errors
    /// [`Error::Table`] naming what is wrong and where; [`Error::Io`].
    pub fn open(path: &Path) -> Result<TableFile, Error> {
        Self::open_as(path, CsvOptions::default())
    }

    /// The same, where a CSV file is written as the options say.
    ///
    /// # Errors
    /// As [`TableFile::open`].
    pub fn open_as(path: &Path, options: CsvOptions) -> Result<TableFile, Error> {
        let name = path.display().to_string();
        if path.is_dir() {
            let (parts, size_bytes) = parts::of_folder(path)?;
            return Looked::of_parts(parts).and_then(|looked| Self::of(&name, looked, size_bytes));
        }
        let (file, format, coding) =
            format::open_coded(path).map_err(|fault| Error::of_file(&name, fault))?;
        let size_bytes = file.metadata().map_err(Error::io("read", path))?.len();
        let source = Source::File(path.to_path_buf());
        Self::of(&name, Looked::at(&name, source, format, options.over(coding), options)?, size_bytes)
    }

    /// The same for a file that is in memory; `name` is for error messages.
    ///
    /// # Errors
    /// As [`TableFile::open`].
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<TableFile, Error> {
        let bytes = Bytes::from(bytes);
        let (format, coding) = format::of_bytes(&bytes).map_err(|fault| Error::of_file(name, fault))?;
        let size_bytes = bytes.len() as u64;
        let looked = Looked::at(name, Source::Bytes(bytes), format, coding, CsvOptions::default())?;
        Self::of(name, looked, size_bytes)
    }

    /// The names of the columns that can be compared, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The other columns of the file, in order.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Columns of decimal numbers and of whole numbers of 64 bits without a sign, by name with the type in the file. They
    /// are compared as other numbers are; tools on pandas know no type of them.
    pub fn unusual_numbers(&self) -> Vec<(String, String)> {
        match &self.contents {
            Contents::Csv(_) => Vec::new(),
            Contents::Parts(parts) => parts::unusual_numbers(parts),
        }
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
        // Rows are looked at once, and only where all of their columns are read.
        let whole_rows = self.facts.is_none() && names.len() == self.names.len();
        let (counted, facts) = match &mut self.contents {
            Contents::Parts(parts) => {
                count_parts(parts, &positions, &self.header, self.size_bytes, whole_rows, reading)?
            }
            Contents::Csv(csv) => {
                let is_looked_at = |name: &String| self.names.contains(name);
                let looked_at =
                    whole_rows.then(|| self.header.iter().map(is_looked_at).collect::<Vec<bool>>());
                csv.count(&positions, &self.header, looked_at.as_deref(), reading)
                    .map_err(|fault| csv.error(&self.name, fault))?
            }
        };
        self.facts = self.facts.take().or(facts);
        Ok(counted)
    }

    /// What the rows say together, once all columns were counted in one call.
    pub fn row_facts(&self) -> Option<&RowFacts> {
        self.facts.as_ref()
    }

    fn of(name: &str, looked: Looked, size_bytes: u64) -> Result<TableFile, Error> {
        let Looked { header, left_out, contents } = looked;
        let is_left_out = |name: &&String| left_out.iter().any(|column| column.name == **name);
        let names = header.iter().filter(|name| !is_left_out(name)).cloned().collect();
        Ok(TableFile { name: name.to_string(), contents, header, names, left_out, size_bytes, facts: None })
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

    fn error(&self, fault: Fault) -> Error {
        Error::of_file(&self.name, fault)
    }
}

fn count_parts(
    parts: &[Part],
    positions: &[usize],
    header: &[String],
    size_bytes: u64,
    whole_rows: bool,
    reading: &Reading,
) -> Result<(Counted, Option<RowFacts>), Error> {
    let share = size_bytes / header.len().max(1) as u64;
    let plan = array_tally::Plan {
        columns: positions,
        memory_bytes: reading.memory_bytes,
        threads: reading.threads,
        whole_rows,
        progress: &|| (reading.progress)(share),
    };
    let mut counted = Counted { columns: Vec::new(), deferred: Vec::new() };
    let mut hashes = Vec::new();
    let tally = array_tally::tally(parts, &plan)?;
    for (column, &position) in tally.columns.into_iter().zip(positions) {
        let name = header[position].clone();
        let Some(column) = column else {
            counted.deferred.push(name);
            continue;
        };
        if !column.values.is_empty() {
            hashes.push((name.clone(), column.hash));
        }
        counted.columns.push(ValueCounts { name, ..column.values });
    }
    let is_known = whole_rows && counted.deferred.is_empty();
    let facts = is_known.then(|| RowFacts::new(tally.rows, hashes.into_iter()));
    Ok((counted, facts))
}

impl Csv {
    fn count(
        &mut self,
        positions: &[usize],
        header: &[String],
        looked_at: Option<&[bool]>,
        reading: &Reading,
    ) -> Result<(Counted, Option<RowFacts>), Fault> {
        let Csv { source, text, known } = self;
        let text = *text;
        let records = source.records(text)?;
        // The file may have got another header since it was opened.
        if column_names(&records.header)? != *header {
            return Err(ProblemKind::Changed.into());
        }
        let taken = Arc::default();
        let mut source = source.text(text.coding, &taken)?;
        io::copy(&mut source.by_ref().take(records.position()), &mut io::sink())
            .map_err(Fault::io("read"))?;

        let mut columns = vec![None; header.len()];
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
            looked_at,
            progress: &progress,
        };
        let tally = csv_tally::tally(source, &plan).map_err(Fault::io("read"))?;
        let Some(mut tally) = tally else { return Err(self.first_fault()?) };
        let mut counted = Counted { columns: Vec::new(), deferred: Vec::new() };
        for &position in positions {
            let name = &header[position];
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
        let together =
            tally.together.map(|together| row_facts(together, header, looked_at, &counted.columns));
        Ok((counted, together))
    }

    /// Reads record by record to say what is wrong and on which line.
    fn first_fault(&self) -> Result<Fault, Fault> {
        let mut records = self.source.records(self.text)?;
        loop {
            match records.advance()? {
                Step::Record => {}
                Step::Faulty(kind) => return Ok(Fault::at_line(records.line(), kind)),
                // It was there a moment ago.
                Step::End => return Ok(ProblemKind::Changed.into()),
            }
        }
    }

    /// Whether the first column is one more in each row than in the row before, as far as it is looked at.
    fn counts_rows(&self) -> Result<bool, Fault> {
        let mut records = self.source.records(self.text)?;
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

    /// What is wrong, where it can be mended by naming the encoding with that remedy.
    fn error(&self, name: &str, fault: Fault) -> Error {
        Error::of_file(name, with_remedy(fault))
    }
}

/// Refuses a named separator that makes one column of a header of which another makes more.
fn check_separator(source: &Source, named: Text, found: u8) -> Result<(), Fault> {
    let columns = source.records(Text { separator: found, ..named })?.header.len();
    if columns > 1 {
        let (named, found) = (char::from(named.separator), char::from(found));
        return Err(ProblemKind::OtherSeparator { named, found, columns }.into());
    }
    Ok(())
}

/// Of the columns that are looked at and not known to be empty.
fn row_facts(
    together: RowTally,
    header: &[String],
    looked_at: Option<&[bool]>,
    counted: &[ValueCounts],
) -> RowFacts {
    let is_empty = |name: &String| counted.iter().any(|column| column.name == *name && column.is_empty());
    let hashes = header.iter().zip(&together.columns).zip(looked_at.into_iter().flatten());
    let hashes: Vec<(String, u64)> = hashes
        .filter(|((name, _), is_looked_at)| **is_looked_at && !is_empty(name))
        .map(|((name, hash), _)| (name.clone(), *hash))
        .collect();
    RowFacts::new(together.into_rows(), hashes.into_iter())
}

fn with_remedy(fault: Fault) -> Fault {
    match fault {
        Fault::At { position, column, kind: ProblemKind::NotUtf8 { utf16: false } } => {
            Fault::At { position, column, kind: ProblemKind::OtherEncoding }
        }
        other => other,
    }
}

impl Looked {
    fn at(
        name: &str,
        source: Source,
        format: Format,
        coding: Coding,
        options: CsvOptions,
    ) -> Result<Looked, Error> {
        if format != Format::Csv {
            return Looked::of_parts(vec![Part::open(name.to_string(), source, format)?]);
        }
        Looked::of_csv(source, coding, options).map_err(|fault| Error::of_file(name, with_remedy(fault)))
    }

    fn of_csv(source: Source, coding: Coding, options: CsvOptions) -> Result<Looked, Fault> {
        let mut start = Vec::new();
        let text = source.text(coding, &Arc::default())?;
        text.take(HEADER_START_BYTES).read_to_end(&mut start).map_err(Fault::io("read"))?;
        let text = Text { coding, separator: options.separator.unwrap_or_else(|| separator::sniff(&start)) };
        let header = column_names(&source.records(text)?.header)?;
        if options.separator.is_some() && header.len() == 1 {
            check_separator(&source, text, separator::sniff(&start))?;
        }
        let csv = Csv { source, text, known: vec![Known::default(); header.len()] };
        let mut left_out = Vec::new();
        if let [first, _, ..] = header.as_slice()
            && first == UNNAMED
            && csv.counts_rows()?
        {
            left_out.push(LeftOut { name: first.clone(), reason: Reason::Index });
        }
        Ok(Looked { header, left_out, contents: Contents::Csv(csv) })
    }

    fn of_parts(parts: Vec<Part>) -> Result<Looked, Error> {
        let first = &parts[0];
        let header =
            column_names(&first.columns.header()).map_err(|fault| Error::of_file(&first.name, fault))?;
        let left_out = parts::left_out(&parts);
        Ok(Looked { header, left_out, contents: Contents::Parts(parts) })
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
