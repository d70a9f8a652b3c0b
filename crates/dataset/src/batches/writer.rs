//! Writes tables batch by batch.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, Date32Array, Float32Array, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::checksum;
use crate::cell::{Cells, arrow_type};
use crate::column_type::ColumnType;
use crate::error::Error;
use crate::snapshot::frame::{MISSING, Values};

/// Rows of a row group: what a writer of Parquet holds in memory before it writes.
const ROW_GROUP_ROWS: usize = 1 << 17;

/// The format of a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Comma-separated text.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Arrow's file format.
    Arrow,
}

impl OutputFormat {
    /// The format that the suffix of a name stands for.
    pub fn of(path: &Path) -> Option<OutputFormat> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(OutputFormat::Csv),
            "parquet" => Some(OutputFormat::Parquet),
            "arrow" | "feather" => Some(OutputFormat::Arrow),
            _ => None,
        }
    }
}

/// The type of a column that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputType {
    /// 32-bit numbers.
    Single,
    /// 64-bit numbers.
    Double,
    /// 64-bit integers.
    Integer,
    /// Text.
    Text,
    /// Times.
    Time,
    /// Values of a table that was read, some of which may be missing.
    Plain(ColumnType),
}

/// Values of a column that is written; NaN stays NaN.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputColumn {
    /// 32-bit numbers.
    Single(Vec<f32>),
    /// 64-bit numbers.
    Double(Vec<f64>),
    /// 64-bit integers.
    Integer(Vec<i64>),
    /// Text, none where missing.
    Text(Vec<Option<String>>),
    /// Times: microseconds since 1970 UTC.
    Time(Vec<i64>),
    /// Values of a table that was read.
    Plain(PlainColumn),
}

/// Values as a table has them, some of which may be missing.
#[derive(Debug, Clone)]
pub struct PlainColumn {
    /// Of one of the five plain types.
    array: ArrayRef,
}

impl PartialEq for PlainColumn {
    fn eq(&self, other: &Self) -> bool {
        self.array.as_ref() == other.array.as_ref()
    }
}

impl PlainColumn {
    pub(super) fn new(array: ArrayRef) -> Self {
        Self { array }
    }

    /// Values of a table in memory; missing ones have no value.
    pub fn of(values: &Values) -> Self {
        let array: ArrayRef = match values {
            Values::Float(values) => {
                let values = values.iter().map(|value| Some(*value).filter(|value| !value.is_nan()));
                Arc::new(values.collect::<Float64Array>())
            }
            Values::Integer(values) => Arc::new(values.iter().copied().collect::<Int64Array>()),
            Values::Boolean(values) => Arc::new(values.iter().copied().collect::<BooleanArray>()),
            Values::Date(values) => Arc::new(values.iter().copied().collect::<Date32Array>()),
            Values::Text { codes, levels } => {
                let level = |code: &u32| (*code != MISSING).then(|| levels[*code as usize].as_str());
                Arc::new(codes.iter().map(level).collect::<StringArray>())
            }
        };
        Self { array }
    }

    fn column_type(&self) -> ColumnType {
        match Cells::new(&self.array) {
            Some(Cells::Boolean(_)) => ColumnType::Boolean,
            Some(Cells::Integer(_)) => ColumnType::Integer,
            Some(Cells::Float(_)) => ColumnType::Float,
            Some(Cells::Date(_)) => ColumnType::Date,
            Some(Cells::Text(_)) | None => ColumnType::String,
        }
    }

    fn text(&self, row: usize) -> String {
        Cells::new(&self.array).and_then(|cells| cells.get(row).text()).unwrap_or_default()
    }
}

/// Texts, some of which may be missing, gathered one after another.
#[derive(Default)]
pub struct TextColumn {
    texts: StringBuilder,
}

impl TextColumn {
    /// Adds a text, or a missing one. All of them may take 2 GB.
    pub fn push(&mut self, text: Option<&str>) {
        self.texts.append_option(text);
    }

    /// The column as it is written.
    pub fn into_output(mut self) -> OutputColumn {
        OutputColumn::Plain(PlainColumn::new(Arc::new(self.texts.finish())))
    }
}

impl OutputColumn {
    /// The type of the values.
    pub fn output_type(&self) -> OutputType {
        match self {
            OutputColumn::Single(_) => OutputType::Single,
            OutputColumn::Double(_) => OutputType::Double,
            OutputColumn::Integer(_) => OutputType::Integer,
            OutputColumn::Text(_) => OutputType::Text,
            OutputColumn::Time(_) => OutputType::Time,
            OutputColumn::Plain(column) => OutputType::Plain(column.column_type()),
        }
    }

    fn array(self) -> ArrayRef {
        match self {
            OutputColumn::Single(values) => Arc::new(Float32Array::from(values)),
            OutputColumn::Double(values) => Arc::new(Float64Array::from(values)),
            OutputColumn::Integer(values) => Arc::new(Int64Array::from(values)),
            OutputColumn::Text(values) => Arc::new(StringArray::from(values)),
            OutputColumn::Time(values) => {
                Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
            }
            OutputColumn::Plain(column) => column.array,
        }
    }

    /// A value as CSV has it.
    fn text(&self, row: usize) -> String {
        match self {
            OutputColumn::Single(values) => values[row].to_string(),
            OutputColumn::Double(values) => values[row].to_string(),
            OutputColumn::Integer(values) => values[row].to_string(),
            OutputColumn::Text(values) => values[row].clone().unwrap_or_default(),
            OutputColumn::Time(values) => jiff::Timestamp::from_microsecond(values[row])
                .map_or_else(|_| String::new(), |time| time.to_string()),
            OutputColumn::Plain(column) => column.text(row),
        }
    }
}

/// A table that is written. The file takes its place when it is finished, or is removed.
pub struct TableWriter {
    path: Option<PathBuf>,
    partial: PathBuf,
    schema: Arc<Schema>,
    sink: Option<Sink>,
}

enum Sink {
    Csv(Box<csv::Writer<Output>>),
    Parquet(Box<ArrowWriter<Output>>),
    Arrow(Box<FileWriter<Output>>),
}

type Output = Box<dyn Write + Send>;

impl TableWriter {
    /// Begins a file beside its place.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(
        path: &Path,
        format: OutputFormat,
        columns: &[(String, OutputType)],
    ) -> Result<TableWriter, Error> {
        Self::create_of_distinct(path, format, columns, &[])
    }

    /// As [`TableWriter::create`]; the values of the columns of these names hardly ever come twice, so that Parquet need
    /// not look for those that do.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create_of_distinct(
        path: &Path,
        format: OutputFormat,
        columns: &[(String, OutputType)],
        distinct: &[&str],
    ) -> Result<TableWriter, Error> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".partial");
        let partial = path.with_file_name(name);
        let file = File::create(&partial).map_err(Error::io("create", &partial))?;
        let mut writer = Self::of(BufWriter::new(file), partial, format, columns, distinct)?;
        writer.path = Some(path.to_path_buf());
        Ok(writer)
    }

    /// Writes to something that is open; `name` stands for it in messages.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(
        output: impl Write + Send + 'static,
        name: &str,
        format: OutputFormat,
        columns: &[(String, OutputType)],
    ) -> Result<TableWriter, Error> {
        Self::of(output, PathBuf::from(name), format, columns, &[])
    }

    fn of(
        output: impl Write + Send + 'static,
        partial: PathBuf,
        format: OutputFormat,
        columns: &[(String, OutputType)],
        distinct: &[&str],
    ) -> Result<TableWriter, Error> {
        let output: Output = Box::new(output);
        let schema = schema(columns);
        let failed = |reason: String| Error::io("create", &partial)(io::Error::other(reason));
        let sink = match format {
            OutputFormat::Csv => text(output, columns).map_err(Error::io("write", &partial))?,
            OutputFormat::Parquet => {
                let writer = ArrowWriter::try_new(output, Arc::clone(&schema), Some(properties(distinct)));
                Sink::Parquet(Box::new(writer.map_err(|error| failed(error.to_string()))?))
            }
            OutputFormat::Arrow => {
                let writer = FileWriter::try_new(output, &schema);
                Sink::Arrow(Box::new(writer.map_err(|error| failed(error.to_string()))?))
            }
        };
        Ok(TableWriter { path: None, partial, schema, sink: Some(sink) })
    }

    /// Writes rows; the columns are those that the table began with.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&mut self, columns: Vec<OutputColumn>) -> Result<(), Error> {
        let place = self.partial.clone();
        let failed = |reason: String| Error::io("write", &place)(io::Error::other(reason));
        match self.sink.as_mut() {
            None => Ok(()),
            Some(Sink::Csv(writer)) => {
                let rows = columns.first().map_or(0, |column| match column {
                    OutputColumn::Single(values) => values.len(),
                    OutputColumn::Double(values) => values.len(),
                    OutputColumn::Integer(values) => values.len(),
                    OutputColumn::Text(values) => values.len(),
                    OutputColumn::Time(values) => values.len(),
                    OutputColumn::Plain(column) => column.array.len(),
                });
                (0..rows).try_for_each(|row| {
                    let record = columns.iter().map(|column| column.text(row));
                    writer.write_record(record).map_err(|error| failed(error.to_string()))
                })
            }
            Some(sink) => {
                let arrays = columns.into_iter().map(OutputColumn::array).collect();
                let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
                let batch = batch.map_err(|error| failed(error.to_string()))?;
                match sink {
                    Sink::Parquet(writer) => writer.write(&batch).map_err(|error| failed(error.to_string())),
                    Sink::Arrow(writer) => writer.write(&batch).map_err(|error| failed(error.to_string())),
                    Sink::Csv(_) => Ok(()),
                }
            }
        }
    }

    /// Ends the file, syncs it and moves it to its place.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<(), Error> {
        self.end(false)
    }

    /// As [`TableWriter::finish`], of a Parquet file that [`crate::intactness`] can hold against its checksum then.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish_with_checksum(self) -> Result<(), Error> {
        self.end(true)
    }

    fn end(mut self, has_checksum: bool) -> Result<(), Error> {
        let place = self.partial.clone();
        let failed = |reason: String| Error::io("write", &place)(io::Error::other(reason));
        let mut is_blank = false;
        match self.sink.take() {
            None => {}
            Some(Sink::Csv(mut writer)) => writer.flush().map_err(Error::io("write", &place))?,
            Some(Sink::Parquet(mut writer)) => {
                if has_checksum && self.path.is_some() {
                    writer.append_key_value_metadata(checksum::blank());
                    is_blank = true;
                }
                writer.close().map_err(|error| failed(error.to_string()))?;
            }
            Some(Sink::Arrow(mut writer)) => writer.finish().map_err(|error| failed(error.to_string()))?,
        }
        let Some(path) = self.path.clone() else { return Ok(()) };
        if is_blank {
            checksum::seal(&place).map_err(Error::io("write", &place))?;
        }
        File::open(&place).and_then(|file| file.sync_all()).map_err(Error::io("sync", &place))?;
        std::fs::rename(&place, &path).map_err(Error::io("create", &path))?;
        self.path = None;
        Ok(())
    }
}

impl Drop for TableWriter {
    fn drop(&mut self) {
        if self.path.is_some() {
            // Whatever ended the writing is told by its own error.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// How Parquet is written.
fn properties(distinct: &[&str]) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    for name in distinct {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(*name), false);
    }
    properties.build()
}

fn text(output: Output, columns: &[(String, OutputType)]) -> io::Result<Sink> {
    let mut writer = csv::Writer::from_writer(output);
    writer.write_record(columns.iter().map(|(name, _)| name)).map_err(io::Error::other)?;
    Ok(Sink::Csv(Box::new(writer)))
}

fn schema(columns: &[(String, OutputType)]) -> Arc<Schema> {
    let field = |(name, kind): &(String, OutputType)| {
        let data_type = match kind {
            OutputType::Single => DataType::Float32,
            OutputType::Double => DataType::Float64,
            OutputType::Integer => DataType::Int64,
            OutputType::Text => DataType::Utf8,
            OutputType::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            OutputType::Plain(plain) => arrow_type(*plain),
        };
        Field::new(name, data_type, matches!(kind, OutputType::Text | OutputType::Plain(_)))
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::TableRows;
    use crate::cell::Cell;
    use crate::format::CsvOptions;

    fn columns() -> Vec<(String, OutputType)> {
        [("id", OutputType::Text), ("p", OutputType::Single), ("n", OutputType::Integer)]
            .map(|(name, kind)| (name.to_owned(), kind))
            .into()
    }

    #[test]
    fn what_is_written_is_read_in_every_format() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["out.csv", "out.parquet", "out.arrow"] {
            let path = folder.path().join(name);
            let format = OutputFormat::of(&path).unwrap();
            let mut writer = TableWriter::create(&path, format, &columns()).unwrap();
            for batch in 0..3_i64 {
                let ids = vec![Some(format!("user,{batch}")), None];
                let numbers = OutputColumn::Integer(vec![batch, batch + 10]);
                let scores = OutputColumn::Single(vec![0.1, f32::NAN]);
                writer.write(vec![OutputColumn::Text(ids), scores, numbers]).unwrap();
            }
            writer.finish().unwrap();
            let rows = TableRows::open(&path, CsvOptions::default()).unwrap();
            assert_eq!(rows.header(), ["id", "p", "n"]);
            let mut found = Vec::new();
            let total = rows.read(&[2, 0], |batch, _| {
                for row in 0..batch.rows() {
                    let text = |column| match batch.cell(column, row) {
                        Cell::Missing => "-".to_owned(),
                        cell => cell.to_text(),
                    };
                    found.push(format!("{} {}", text(0), text(1)));
                }
                Ok::<_, Error>(())
            });
            assert_eq!(total.unwrap(), 6, "{name}");
            assert_eq!(found, ["0 user,0", "10 -", "1 user,1", "11 -", "2 user,2", "12 -"], "{name}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing else is left");
    }

    #[test]
    fn a_file_that_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.parquet");
        drop(TableWriter::create(&path, OutputFormat::Parquet, &columns()).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(OutputFormat::of(Path::new("out.xlsx")), None);
    }

    #[test]
    fn a_record_of_another_width_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.csv");
        std::fs::write(&path, "a;b\n1;2\n3\n").unwrap();
        let rows = TableRows::open(&path, CsvOptions::default()).unwrap();
        assert_eq!(rows.header(), ["a", "b"]);
        let error = rows.read(&[0], |_, _| Ok::<_, Error>(())).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
