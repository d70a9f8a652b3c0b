//! A table of CSV text, in one file or in the parts of a folder: how each is written, and the counts of its columns.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::count::column_tally::Tallied;
use crate::count::csv_tally::{self, Tally, Wanted};
use crate::count::row_facts::{RowFacts, RowTally};
use crate::count::source::{Source, Text};
use crate::count::table_file::{Counted, Reading, column_names};
use crate::count::value_counts::ValueCounts;
use crate::error::Error;
use crate::format::CsvOptions;
use crate::format::coding::{self, Coding};
use crate::format::csv::records::Step;
use crate::format::csv::separator;
use crate::problem::{Fault, ProblemKind};

/// So many rows are looked at to tell an index.
const INDEX_ROWS: usize = 1_000;
/// So much of a file's text is looked at for its separator.
const HEADER_START_BYTES: u64 = 1 << 16;

/// Files of text with the same header.
#[derive(Debug)]
pub(crate) struct CsvTable {
    /// At least one; their fields are separated alike.
    parts: Vec<CsvPart>,
    /// What is known of each column.
    known: Vec<Known>,
}

/// One file.
#[derive(Debug)]
pub(crate) struct CsvPart {
    name: String,
    source: Source,
    text: Text,
}

/// What earlier passes have found out about a column.
#[derive(Debug, Clone, Default)]
struct Known {
    /// It is not a column of numbers.
    text: bool,
    /// It had to be dropped, and takes this much memory.
    bytes: u64,
}

/// What to count.
pub(crate) struct Request<'a> {
    /// The columns of the file.
    pub(crate) header: &'a [String],
    /// Those asked for, by their positions in the file.
    pub(crate) positions: &'a [usize],
    /// Whether rows are looked at as a whole, and then which columns of them.
    pub(crate) looked_at: Option<&'a [bool]>,
}

impl CsvTable {
    /// Looks at files of text, of which there is at least one, and gives their header too. The first tells what separates
    /// the fields of all, unless the options do.
    pub(crate) fn open(
        files: Vec<(String, Source, Coding)>,
        options: CsvOptions,
    ) -> Result<(Self, Vec<String>), Error> {
        let mut parts: Vec<CsvPart> = Vec::with_capacity(files.len());
        let mut known: Option<Vec<String>> = None;
        for (name, source, coding) in files {
            let separator = parts.first().map(|part| part.text.separator);
            let part = CsvPart { name, source, text: Text { coding, separator: separator.unwrap_or(b',') } };
            let (part, header) = part.look(options, separator.is_none())?;
            match &known {
                None => known = Some(header),
                Some(expected) => part.check_columns(&header, expected, &parts[0].name)?,
            }
            parts.push(part);
        }
        let header = known.unwrap_or_default();
        Ok((CsvTable { parts, known: vec![Known::default(); header.len()] }, header))
    }

    /// Whether the first column is one more in each row than in the row before, as far as it is looked at.
    pub(crate) fn counts_rows(&self) -> Result<bool, Error> {
        let part = &self.parts[0];
        part.counts_rows().map_err(|fault| part.error(fault))
    }

    /// Counts the columns asked for, as many as memory allows.
    pub(crate) fn count(
        &mut self,
        request: &Request,
        reading: &Reading,
    ) -> Result<(Counted, Option<RowFacts>), Error> {
        let Request { header, positions, looked_at } = *request;
        let taken: Arc<AtomicU64> = Arc::default();
        let progress = || (reading.progress)(taken.swap(0, Ordering::Relaxed));
        let plan = csv_tally::Plan {
            columns: self.wanted(header.len(), positions, reading.memory_bytes),
            memory_bytes: reading.memory_bytes,
            threads: reading.threads,
            separator: self.parts[0].text.separator,
            looked_at,
            progress: &progress,
        };
        let mut tally = self.tally(header, &plan, &taken)?;
        let mut counted = Counted { columns: Vec::new(), deferred: Vec::new() };
        for &position in positions {
            let (name, known) = (&header[position], &mut self.known[position]);
            match tally.columns[position].take().map(|column| column.finish(name)) {
                Some(Tallied::Counted(column)) => {
                    counted.columns.push(column);
                    continue;
                }
                Some(Tallied::ReadAgain) => known.text = true,
                Some(Tallied::Dropped) => known.bytes = 8 * tally.rows,
                None => {}
            }
            counted.deferred.push(name.clone());
        }
        let facts = tally.together.map(|together| row_facts(together, request, &counted.columns));
        Ok((counted, facts))
    }

    fn tally(
        &self,
        header: &[String],
        plan: &csv_tally::Plan,
        taken: &Arc<AtomicU64>,
    ) -> Result<Tally, Error> {
        let texts = self.parts.iter().map(|part| part.records_after(header, taken).map_err(io::Error::other));
        let error = match csv_tally::tally(texts, plan) {
            Ok(Some(tally)) => return Ok(tally),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        // The file and the line of a fault are told by reading again in order. One that is not found again was in a file
        // that has changed meanwhile.
        let first = &self.parts[0];
        Err(self.first_fault(header).unwrap_or_else(|| match error {
            Some(source) => Error::Io { action: "read", path: PathBuf::from(&first.name), source },
            None => first.error(ProblemKind::Changed.into()),
        }))
    }

    /// The columns that are expected to fit into the memory, of those asked for.
    fn wanted(&self, width: usize, positions: &[usize], memory_bytes: u64) -> Vec<Option<Wanted>> {
        let mut columns = vec![None; width];
        let mut expected = 0;
        for (rank, &position) in positions.iter().enumerate() {
            expected += self.known[position].bytes;
            if rank == 0 || expected <= memory_bytes {
                columns[position] = Some(Wanted { as_text: self.known[position].text, rank });
            }
        }
        columns
    }

    /// Reads record by record to say what is wrong, in which file and on which line.
    fn first_fault(&self, header: &[String]) -> Option<Error> {
        self.parts.iter().find_map(|part| part.first_fault(header).map(|fault| part.error(fault)))
    }
}

impl CsvPart {
    /// Finds what separates the fields, where nothing says so, and the names of the columns.
    fn look(mut self, options: CsvOptions, is_first: bool) -> Result<(Self, Vec<String>), Error> {
        let header = self.header(options, is_first).map_err(|fault| self.error(fault))?;
        Ok((self, header))
    }

    fn header(&mut self, options: CsvOptions, is_first: bool) -> Result<Vec<String>, Fault> {
        let mut start = Vec::new();
        let text = self.source.text(self.text.coding, &Arc::default())?;
        text.take(HEADER_START_BYTES).read_to_end(&mut start).map_err(Fault::io("read"))?;
        if !options.names_encoding()
            && let Some(encoding) = coding::utf16_without_mark(&start)
        {
            return Err(ProblemKind::Utf16WithoutMark { encoding }.into());
        }
        let found = separator::sniff(&start);
        if is_first {
            self.text.separator = options.separator.unwrap_or(found);
        }
        let header = column_names(&self.source.records(self.text)?.header)?;
        if is_first && options.separator.is_some() && header.len() == 1 {
            self.check_separator(found)?;
        }
        Ok(header)
    }

    /// Refuses a named separator that makes one column of a header of which another makes more.
    fn check_separator(&self, found: u8) -> Result<(), Fault> {
        let columns = self.source.records(Text { separator: found, ..self.text })?.header.len();
        if columns == 1 {
            return Ok(());
        }
        let (named, found) = (char::from(self.text.separator), char::from(found));
        Err(ProblemKind::OtherSeparator { named, found, columns }.into())
    }

    fn check_columns(&self, header: &[String], expected: &[String], first: &str) -> Result<(), Error> {
        if header == expected {
            return Ok(());
        }
        let kind = ProblemKind::OtherColumns { first: first.to_string() };
        let differs = header.iter().zip(expected).find(|(found, expected)| found != expected);
        Err(self.error(match differs {
            Some((found, _)) => Fault::in_column(found, kind),
            None => kind.into(),
        }))
    }

    /// The text after the header, which is still this one.
    fn records_after(
        &self,
        header: &[String],
        taken: &Arc<AtomicU64>,
    ) -> Result<Box<dyn Read + Send>, Error> {
        let text = || {
            let records = self.source.records(self.text)?;
            if column_names(&records.header)? != *header {
                return Err(ProblemKind::Changed.into());
            }
            let mut text = self.source.text(self.text.coding, taken)?;
            io::copy(&mut text.by_ref().take(records.position()), &mut io::sink())
                .map_err(Fault::io("read"))?;
            Ok(text)
        };
        text().map_err(|fault| self.error(fault))
    }

    fn first_fault(&self, header: &[String]) -> Option<Fault> {
        let look = || {
            let mut records = self.source.records(self.text)?;
            if column_names(&records.header)? != *header {
                return Err(ProblemKind::Changed.into());
            }
            loop {
                match records.advance()? {
                    Step::Record => {}
                    Step::Faulty(kind) => return Err(Fault::at_line(records.line(), kind)),
                    Step::End => return Ok(()),
                }
            }
        };
        look().err()
    }

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

    /// What is wrong, with the remedy where naming the encoding mends it.
    fn error(&self, fault: Fault) -> Error {
        Error::of_file(&self.name, with_remedy(fault))
    }
}

pub(crate) fn with_remedy(fault: Fault) -> Fault {
    match fault {
        Fault::At { position, column, kind: ProblemKind::NotUtf8 { utf16: false } } => {
            Fault::At { position, column, kind: ProblemKind::OtherEncoding }
        }
        other => other,
    }
}

/// What the rows say together: that columns are equal, of those that have values.
fn row_facts(together: RowTally, request: &Request, counted: &[ValueCounts]) -> RowFacts {
    let is_empty = |name: &String| counted.iter().any(|column| column.name == *name && column.is_empty());
    let looked_at = request.looked_at.into_iter().flatten();
    let hashes = request.header.iter().zip(&together.columns).zip(looked_at);
    let hashes: Vec<(String, u64)> = hashes
        .filter(|((name, _), is_looked_at)| **is_looked_at && !is_empty(name))
        .map(|((name, hash), _)| (name.clone(), *hash))
        .collect();
    RowFacts::new(together.into_rows(), hashes.into_iter())
}
