//! Any CSV, Parquet or Arrow file as a table, without a configuration: types are inferred as pandas does.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;

use crate::column_type::ColumnType;
use crate::count::array_tally;
use crate::count::csv_table::{CsvTable, Request};
use crate::count::left_out::{LeftOut, Reason};
use crate::count::parts::{self, Folder, Part};
use crate::count::row_facts::RowFacts;
use crate::count::source::Source;
use crate::count::value_counts::ValueCounts;
use crate::error::Error;
use crate::format::coding::Coding;
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
    Csv(CsvTable),
    Parts(Vec<Part>),
}

/// The first column when it has no name, as pandas calls it.
const UNNAMED: &str = "Unnamed: 0";

/// What a first look at a file has found.
struct Looked {
    header: Vec<String>,
    left_out: Vec<LeftOut>,
    contents: Contents,
}

/// How columns are read.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Memory for values, beside buffers of a few megabytes a thread. The first column asked for is
    /// read whatever it takes.
    pub memory_bytes: u64,
    /// Threads that read at the same time.
    pub threads: usize,
    /// Whether rows are looked at as a whole, for [`TableFile::row_facts`].
    pub whole_rows: bool,
    /// Told how many bytes were read since it was told last.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// Where a table of Parquet files lies and what their footers say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTable {
    /// As it was named.
    pub name: String,
    /// Its parts.
    pub files: Vec<PathBuf>,
    /// How many rows they have together.
    pub rows: u64,
    /// The columns that can be compared, with what their values are.
    pub columns: Vec<(String, ColumnType)>,
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
    /// Looks at a file, or at a folder of files with the same columns, which are all text or all Parquet and Arrow: its
    /// format and the names of its columns.
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
            return Self::of_folder(&name, parts::of_folder(path)?, options);
        }
        let (file, format, coding) =
            format::open_coded(path).map_err(|fault| Error::of_file(&name, fault))?;
        let size_bytes = file.metadata().map_err(Error::io("read", path))?.len();
        let looked = Looked::at(&name, Source::File(path.to_path_buf()), format, coding, options)?;
        Ok(Self::of(&name, looked, size_bytes))
    }

    /// The same for files that are the parts of one table, wherever they lie, each with its name for error messages. `name`
    /// is that of the table.
    ///
    /// # Errors
    /// As [`TableFile::open`]; [`ProblemKind::NoParts`] where there is none.
    pub fn open_parts(
        name: &str,
        files: Vec<(String, PathBuf)>,
        options: CsvOptions,
    ) -> Result<TableFile, Error> {
        Self::of_folder(name, parts::of_files(name, files)?, options)
    }

    fn of_folder(
        name: &str,
        (folder, size_bytes): (Folder, u64),
        options: CsvOptions,
    ) -> Result<TableFile, Error> {
        let looked = match folder {
            Folder::Columnar(parts) => Looked::of_parts(parts)?,
            Folder::Text(files) => Looked::of_csv(files, options)?,
        };
        Ok(Self::of(name, looked, size_bytes))
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
        Ok(Self::of(name, looked, size_bytes))
    }

    /// The same for batches in memory, under the rules of Arrow files; `name` is for error messages. Numbers of 64 bits,
    /// booleans, days and texts with 32-bit offsets are counted where they are, others are copied piece by piece.
    ///
    /// # Errors
    /// [`Error::Table`] for a column that stands twice or a batch of another schema.
    pub fn from_batches(
        name: &str,
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
    ) -> Result<TableFile, Error> {
        if batches.iter().any(|batch| batch.schema_ref().fields() != schema.fields()) {
            let kind = ProblemKind::OtherColumns { first: "its schema".to_owned() };
            return Err(Error::of_file(name, kind.into()));
        }
        let size_bytes = batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum();
        let part = Part::in_memory(name.to_string(), schema, batches);
        Ok(Self::of(name, Looked::of_parts(vec![part])?, size_bytes))
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

    /// What another engine needs to read the same table: none unless it is files of Parquet alone.
    pub fn stored(&self) -> Option<StoredTable> {
        let Contents::Parts(parts) = &self.contents else { return None };
        let typed = |(position, name): (usize, &String)| {
            let column_type = parts::column_type(parts, position).filter(|_| self.names.contains(name))?;
            Some((name.clone(), column_type))
        };
        Some(StoredTable {
            name: self.name.clone(),
            files: parts.iter().map(parts::parquet_file).collect::<Option<_>>()?,
            rows: parts.iter().map(|part| part.columns.rows()).fold(0, u64::saturating_add),
            columns: self.header.iter().enumerate().filter_map(typed).collect(),
        })
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
        let positions = self.positions(names).map_err(|fault| Error::of_file(&self.name, fault))?;
        // Rows are looked at once, and only where all of their columns are read.
        let whole_rows = reading.whole_rows && self.facts.is_none() && names.len() == self.names.len();
        let (counted, facts) = match &mut self.contents {
            Contents::Parts(parts) => {
                count_parts(parts, &positions, &self.header, self.size_bytes, whole_rows, reading)?
            }
            Contents::Csv(csv) => {
                let is_looked_at = |name: &String| self.names.contains(name);
                let looked_at =
                    whole_rows.then(|| self.header.iter().map(is_looked_at).collect::<Vec<bool>>());
                let looked_at = looked_at.as_deref();
                csv.count(&Request { header: &self.header, positions: &positions, looked_at }, reading)?
            }
        };
        self.facts = self.facts.take().or(facts);
        Ok(counted)
    }

    /// What the rows say together, once all columns were counted in one call that looked at whole rows.
    pub fn row_facts(&self) -> Option<&RowFacts> {
        self.facts.as_ref()
    }

    fn of(name: &str, looked: Looked, size_bytes: u64) -> TableFile {
        let Looked { header, left_out, contents } = looked;
        let is_left_out = |name: &&String| left_out.iter().any(|column| column.name == **name);
        let names = header.iter().filter(|name| !is_left_out(name)).cloned().collect();
        TableFile { name: name.to_string(), contents, header, names, left_out, size_bytes, facts: None }
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
        Looked::of_csv(vec![(name.to_string(), source, coding)], options)
    }

    /// Of files of text, each with its name and the coding that was found.
    fn of_csv(files: Vec<(String, Source, Coding)>, options: CsvOptions) -> Result<Looked, Error> {
        let coded = |(name, source, found)| (name, source, options.over(found));
        let (csv, header) = CsvTable::open(files.into_iter().map(coded).collect(), options)?;
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
pub(crate) fn column_names(header: &[String]) -> Result<Vec<String>, Fault> {
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
