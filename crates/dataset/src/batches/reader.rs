//! Reads tables batch by batch.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::StringBuilder;
use arrow_schema::DataType;
use bytes::Bytes;

use super::writer::{OutputColumn, OutputType, PlainColumn};
use crate::cell::{Cell, Cells};
use crate::column_type::ColumnType;
use crate::error::Error;
use crate::format::allowance::Allowance;
use crate::format::columnar::Columnar;
use crate::format::csv::records::{Records, Step};
use crate::format::csv::separator::sniff;
use crate::format::plain_array::{plain_type, type_name};
use crate::format::{self, CsvOptions, Format};
use crate::problem::{Fault, Position, ProblemKind};

/// Rows of a batch, and bytes of text after which it ends early.
const BATCH_ROWS: usize = 8192;
const BATCH_TEXT_BYTES: usize = 32 << 20;

/// Bytes at the start of a text that tell what separates its fields.
const START_BYTES: usize = 1 << 16;

/// Some columns of a file, batch by batch.
///
/// Values of CSV are texts as they are written, of which an empty one is missing; those of Parquet and Arrow are typed.
pub struct TableRows {
    name: String,
    header: Vec<String>,
    size_bytes: u64,
    source: Source,
}

enum Source {
    Csv(Box<Records<Box<dyn Read + Send>>>),
    Columnar { columns: Box<Columnar>, file: Kept },
}

/// Where the bytes of a file lie.
enum Kept {
    Disk(PathBuf),
    /// What they may unpack to is beside them.
    Memory(Bytes, u64),
}

/// Rows of the columns that were asked for.
pub struct Batch {
    rows: usize,
    arrays: Vec<ArrayRef>,
    /// Number of rows before it.
    first_row: u64,
    /// Lines of the rows, in a text.
    lines: Vec<u64>,
}

impl Batch {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A value; the column is the place among those asked for.
    ///
    /// # Panics
    /// Beyond the columns or rows.
    pub fn cell(&self, column: usize, row: usize) -> Cell<'_> {
        let cells = Cells::new(&self.arrays[column]).expect("batches have arrays of the five plain types");
        cells.get(row)
    }

    /// A column as it is written with a type of [`TableRows::output_type`].
    ///
    /// # Panics
    /// Beyond the columns.
    pub fn output(&self, column: usize, output_type: OutputType) -> OutputColumn {
        match output_type {
            OutputType::Plain(_) => OutputColumn::Plain(PlainColumn::new(Arc::clone(&self.arrays[column]))),
            _ => OutputColumn::Text((0..self.rows).map(|row| self.cell(column, row).text()).collect()),
        }
    }

    /// Where a row is in the file.
    pub fn position(&self, row: usize) -> Position {
        match self.lines.get(row) {
            Some(line) => Position::Line(*line),
            None => Position::Row(self.first_row + row as u64 + 1),
        }
    }
}

impl TableRows {
    /// Looks at a file: its format, by its first bytes, and the names of its columns.
    ///
    /// # Errors
    /// [`Error::Table`] naming what is wrong and where; [`Error::Io`].
    pub fn open(path: &Path, options: CsvOptions) -> Result<TableRows, Error> {
        let name = path.display().to_string();
        let open = || -> Result<TableRows, Fault> {
            let (file, format, coding) = format::open_coded(path)?;
            let size_bytes = file.metadata().map_err(Fault::io("read"))?.len();
            let (header, source) = match format {
                Format::Csv => {
                    let coding = options.over(coding);
                    let mut text = coding.reader(file).map_err(Fault::io("read"))?;
                    let mut start = Vec::new();
                    let take = text.by_ref().take(START_BYTES as u64).read_to_end(&mut start);
                    take.map_err(Fault::io("read"))?;
                    let separator = options.separator.unwrap_or_else(|| sniff(&start));
                    let whole: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(start).chain(text));
                    let records = Records::separated(whole, separator)?;
                    (records.header.clone(), Source::Csv(Box::new(records)))
                }
                Format::Parquet | Format::Arrow => {
                    let columns = Columnar::read(format, &file)?;
                    let file = Kept::Disk(path.to_path_buf());
                    (columns.header(), Source::Columnar { columns: Box::new(columns), file })
                }
            };
            Ok(TableRows { name: name.clone(), header, size_bytes, source })
        };
        open().map_err(|fault| Error::of_file(&name, fault))
    }

    /// Looks at a file that is in memory; `name` stands for it in messages, and its values may take `limit_bytes`.
    ///
    /// # Errors
    /// [`Error::Table`] naming what is wrong and where; text is refused.
    pub fn of_bytes(name: &str, bytes: Bytes, limit_bytes: u64) -> Result<TableRows, Error> {
        let open = || -> Result<TableRows, Fault> {
            if bytes.is_empty() {
                return Err(ProblemKind::NotColumnar.into());
            }
            let (format, _) = format::of_bytes(&bytes)?;
            if format == Format::Csv {
                return Err(ProblemKind::NotColumnar.into());
            }
            let columns = Columnar::read(format, &bytes)?;
            let size_bytes = bytes.len() as u64;
            let (header, file) = (columns.header(), Kept::Memory(bytes, limit_bytes));
            let source = Source::Columnar { columns: Box::new(columns), file };
            Ok(TableRows { name: name.to_owned(), header, size_bytes, source })
        };
        open().map_err(|fault| Error::of_file(name, fault))
    }

    /// The number of rows, where the file says it.
    pub fn rows(&self) -> Option<u64> {
        match &self.source {
            Source::Csv(_) => None,
            Source::Columnar { columns, .. } => Some(columns.rows()),
        }
    }

    /// The names of the columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The type that a column is written with when its values are passed on as they are read: integers, floats, booleans,
    /// dates and texts; text for a column of CSV, of unsigned integers of 64 bits, and of a type that is not read.
    pub fn output_type(&self, column: usize) -> OutputType {
        let found = match &self.source {
            Source::Csv(_) => None,
            Source::Columnar { columns, .. } => columns.schema().fields().get(column),
        };
        let found = found.map(|field| field.data_type()).filter(|found| !is_unsigned(found));
        match found.and_then(plain_type) {
            None | Some(ColumnType::String) => OutputType::Text,
            Some(plain) => OutputType::Plain(plain),
        }
    }

    /// Bytes of the file.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Reads columns by their places in the header; `each` gets every batch and about how much of the file was read
    /// since the one before.
    ///
    /// # Errors
    /// As [`TableRows::open`], and those of `each`.
    pub fn read<E: From<Error>>(
        self,
        columns: &[usize],
        mut each: impl FnMut(&Batch, u64) -> Result<(), E>,
    ) -> Result<u64, E> {
        let fault = |fault| E::from(Error::of_file(&self.name, fault));
        let mut first_row = 0;
        match self.source {
            Source::Csv(mut records) => {
                let mut before = 0;
                loop {
                    let batch = of_text(&mut records, columns, first_row).map_err(fault)?;
                    if batch.rows == 0 {
                        return Ok(first_row);
                    }
                    let consumed = records.consumed();
                    each(&batch, consumed - before)?;
                    before = consumed;
                    first_row += batch.rows as u64;
                }
            }
            Source::Columnar { columns: table, file } => {
                check_types(&table, columns).map_err(fault)?;
                // The file's order, and from it the order asked for.
                let mut places: Vec<usize> = columns.to_vec();
                places.sort_unstable();
                places.dedup();
                let (_allowance, batches) = match file {
                    Kept::Memory(bytes, limit_bytes) => {
                        (Some(Allowance::of(limit_bytes)), table.batches(bytes, &places))
                    }
                    Kept::Disk(path) => {
                        let source = std::fs::File::open(&path).map_err(Fault::io("open")).map_err(fault)?;
                        (None, table.batches(source, &places))
                    }
                };
                let mut batches = batches.map_err(|kind| fault(kind.into()))?;
                let share = self.size_bytes / table.rows().max(1);
                while let Some((rows, arrays)) = batches.advance().map_err(|kind| fault(kind.into()))? {
                    let at = |column: &usize| places.binary_search(column).ok().and_then(|at| arrays.get(at));
                    let arrays: Option<Vec<ArrayRef>> =
                        columns.iter().map(|column| at(column).cloned()).collect();
                    let arrays = arrays.ok_or_else(|| fault(ProblemKind::Changed.into()))?;
                    each(&Batch { rows, arrays, first_row, lines: Vec::new() }, share * rows as u64)?;
                    first_row += rows as u64;
                }
                Ok(first_row)
            }
        }
    }
}

/// Refuses columns whose values have no place in a flat table.
fn check_types(table: &Columnar, columns: &[usize]) -> Result<(), Fault> {
    let mut fields = columns.iter().filter_map(|column| table.schema().fields().get(*column));
    fields.try_for_each(|field| match plain_type(field.data_type()) {
        Some(_) => Ok(()),
        None => {
            let found = type_name(field.data_type());
            Err(Fault::in_column(field.name(), ProblemKind::UnreadType { found }))
        }
    })
}

/// Whether numbers of a type are integers in one batch and, where they are too large for those, floats in another.
fn is_unsigned(found: &DataType) -> bool {
    match found {
        DataType::Dictionary(_, values) => is_unsigned(values),
        other => *other == DataType::UInt64,
    }
}

/// The next records as texts.
fn of_text(
    records: &mut Records<Box<dyn Read + Send>>,
    columns: &[usize],
    first_row: u64,
) -> Result<Batch, Fault> {
    let mut builders: Vec<StringBuilder> = columns.iter().map(|_| StringBuilder::new()).collect();
    let (mut lines, mut text_bytes) = (Vec::new(), 0);
    while lines.len() < BATCH_ROWS && text_bytes < BATCH_TEXT_BYTES {
        match records.advance()? {
            Step::End => break,
            Step::Faulty(kind) => return Err(Fault::at_line(records.line(), kind)),
            Step::Record => {
                for (builder, &column) in builders.iter_mut().zip(columns) {
                    let text = records.field(column);
                    text_bytes += text.len();
                    builder.append_option((!text.is_empty()).then_some(text));
                }
                lines.push(records.line());
            }
        }
    }
    let arrays = builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
    Ok(Batch { rows: lines.len(), arrays, first_row, lines })
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int32Type;
    use arrow_array::{
        BinaryArray, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int32Array, ListArray,
        RecordBatch, StringArray, StringViewArray, UInt64Array,
    };
    use arrow_ipc::writer::FileWriter;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Compression, Encoding, ZstdLevel};
    use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

    use super::super::{OutputFormat, TableWriter};
    use super::*;

    const ROWS: usize = 1000;

    fn table(column: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter([("c", column)]).unwrap()
    }

    fn parquet(
        column: ArrayRef,
        set: impl FnOnce(WriterPropertiesBuilder) -> WriterPropertiesBuilder,
    ) -> Bytes {
        let batch = table(column);
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let properties = set(WriterProperties::builder().set_compression(zstd)).build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes.into()
    }

    fn arrow(column: ArrayRef) -> Bytes {
        let batch = table(column);
        let mut bytes = Vec::new();
        let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        bytes.into()
    }

    fn read(bytes: &Bytes, limit_bytes: u64) -> Result<u64, Error> {
        TableRows::of_bytes("it", bytes.clone(), limit_bytes)?.read(&[0], |_, _| Ok(()))
    }

    #[test]
    fn a_small_file_in_memory_unpacks_to_no_more_than_allowed() {
        let text = "x".repeat(50_000);
        let same = || -> ArrayRef { Arc::new(StringArray::from(vec![text.as_str(); ROWS])) };
        let plain = |builder: WriterPropertiesBuilder| builder.set_dictionary_enabled(false);
        let prefixes = |builder| plain(builder).set_encoding(Encoding::DELTA_BYTE_ARRAY);
        let numbers = Arc::new(Float64Array::from(vec![1.5; ROWS * ROWS]));
        let shared: DictionaryArray<Int32Type> = vec![text.as_str(); ROWS].into_iter().collect();
        let cases = [
            ("zstd", parquet(same(), plain)),
            ("a dictionary of Parquet", parquet(same(), |builder| builder)),
            ("prefixes", parquet(same(), prefixes)),
            ("packed numbers", parquet(numbers, plain)),
            ("a dictionary of Arrow", arrow(Arc::new(shared))),
            ("views", arrow(Arc::new(StringViewArray::from_iter_values(vec![text.as_str(); ROWS])))),
        ];
        for (name, bytes) in cases {
            let unpacked = read(&bytes, 1 << 30);
            assert!(unpacked.is_ok(), "{name}: {}", unpacked.unwrap_err());
            let error = read(&bytes, 1 << 20).unwrap_err().to_string();
            assert!(error.contains("more memory than a table of its size may"), "{name}: {error}");
            assert!(!error.contains("damaged") && !error.contains("copy it again"), "{name}: {error}");
        }
    }

    #[test]
    fn a_column_of_a_type_that_is_not_read_is_no_damage_and_may_lie_beside_those_asked_for() {
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None]);
        let columns: [(&str, ArrayRef); 3] = [
            ("list", Arc::new(list)),
            ("bytes", Arc::new(BinaryArray::from_vec(vec![b"a", b"b"]))),
            ("number", Arc::new(Float64Array::from(vec![1.5, 2.5]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let (mut of_arrow, mut of_parquet) = (Vec::new(), Vec::new());
        let mut writer = FileWriter::try_new(&mut of_arrow, &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        let mut writer = ArrowWriter::try_new(&mut of_parquet, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        for bytes in [of_arrow, of_parquet] {
            let bytes = Bytes::from(bytes);
            let read = |column: usize| {
                let rows = TableRows::of_bytes("it", bytes.clone(), u64::MAX).unwrap();
                rows.read(&[column], |_, _| Ok::<_, Error>(())).map_err(|error| error.to_string())
            };
            assert_eq!(read(2), Ok(2));
            for (column, name, found) in [(0, "list", "list"), (1, "bytes", "binary")] {
                let expected = format!(
                    "it column {name}: has values of the type {found}, which is not read; expected numbers, booleans, text or dates: write the column as one of them"
                );
                assert_eq!(read(column), Err(expected.replace("it column", "it, column")));
            }
        }
    }

    #[test]
    fn columns_that_are_passed_on_keep_their_type() {
        let columns: [(&str, ArrayRef); 6] = [
            ("id", Arc::new(Int32Array::from(vec![Some(1), None]))),
            ("day", Arc::new(Date32Array::from(vec![0, 1]))),
            ("is_new", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("fee", Arc::new(Float64Array::from(vec![1.5, 2.5]))),
            ("name", Arc::new(StringArray::from(vec!["a", "b"]))),
            ("hash", Arc::new(UInt64Array::from(vec![1, u64::MAX]))),
        ];
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("in.parquet");
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = std::fs::File::create(&source).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        for name in ["out.parquet", "out.arrow"] {
            let rows = TableRows::open(&source, CsvOptions::default()).unwrap();
            let types: Vec<(String, OutputType)> = rows
                .header()
                .iter()
                .enumerate()
                .map(|(at, name)| (name.clone(), rows.output_type(at)))
                .collect();
            let place = folder.path().join(name);
            let format = OutputFormat::of(&place).unwrap();
            let mut writer = TableWriter::create(&place, format, &types).unwrap();
            rows.read(&[0, 1, 2, 3, 4, 5], |batch, _| {
                writer
                    .write(types.iter().enumerate().map(|(at, (_, kind))| batch.output(at, *kind)).collect())
            })
            .unwrap();
            writer.finish().unwrap();
            let mut found = Vec::new();
            let again = TableRows::open(&place, CsvOptions::default()).unwrap();
            again
                .read(&[0, 1, 2, 3, 4], |batch, _| {
                    for row in 0..2 {
                        found.push(
                            (0..5)
                                .map(|at| format!("{:?}", batch.cell(at, row)))
                                .collect::<Vec<_>>()
                                .join(" "),
                        );
                    }
                    Ok::<_, Error>(())
                })
                .unwrap();
            assert_eq!(
                found,
                [
                    "Integer(1) Date(0) Boolean(true) Float(1.5) Text(\"a\")",
                    "Missing Date(1) Missing Float(2.5) Text(\"b\")"
                ],
                "{name}"
            );
        }
    }
}
