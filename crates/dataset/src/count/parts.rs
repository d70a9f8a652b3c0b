//! A table whose columns are stored apart, in one file or in the parts of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, SchemaRef};
use bytes::Bytes;

use crate::column_type::ColumnType;
use crate::count::left_out::{LeftOut, Reason};
use crate::count::source::Source;
use crate::error::Error;
use crate::format::coding::Coding;
use crate::format::columnar::Columnar;
use crate::format::in_memory::InMemory;
use crate::format::plain_array::{plain_type, type_name};
use crate::format::{self, Format};
use crate::problem::{Fault, ProblemKind};

/// One file.
#[derive(Debug)]
pub(crate) struct Part {
    /// As error messages name it.
    pub(crate) name: String,
    pub(crate) source: Source,
    pub(crate) columns: Columnar,
}

impl Part {
    pub(crate) fn open(name: String, source: Source, format: Format) -> Result<Part, Error> {
        let columns = source
            .pieces()
            .and_then(|pieces| Ok(Columnar::read(format, &pieces)?))
            .map_err(|fault| Error::of_file(&name, fault))?;
        Ok(Part { name, source, columns })
    }

    /// Batches in memory, which are of this schema.
    pub(crate) fn in_memory(name: String, schema: SchemaRef, batches: Vec<RecordBatch>) -> Part {
        // All that is read of it are its batches.
        let source = Source::Bytes(Bytes::new());
        Part { name, source, columns: Columnar::Memory(InMemory::new(schema, batches)) }
    }
}

/// The files of a folder.
pub(crate) enum Folder {
    /// Parquet and Arrow files, which agree on their columns.
    Columnar(Vec<Part>),
    /// Files of text: their names for error messages, and the coding that was found.
    Text(Vec<(String, Source, Coding)>),
}

/// Opens the files of a folder, in the order of their names, and tells their size together. Names that begin with `_`
/// or `.` are those of the writer's notes, such as `_SUCCESS`.
pub(crate) fn of_folder(folder: &Path) -> Result<(Folder, u64), Error> {
    let name = folder.display().to_string();
    let mut files = Vec::new();
    for path in listed(folder)? {
        if path.is_dir() {
            let inner = file_name(&path);
            return Err(Error::of_file(&name, ProblemKind::FolderInFolder { inner }.into()));
        }
        files.push((path.display().to_string(), path));
    }
    of_files(&name, files)
}

/// Opens files, each with its name for error messages, as the parts of one table of this name.
pub(crate) fn of_files(table: &str, files: Vec<(String, PathBuf)>) -> Result<(Folder, u64), Error> {
    let fault = |kind: ProblemKind| Error::of_file(table, kind.into());
    let (mut parts, mut texts, mut size_bytes) = (Vec::new(), Vec::new(), 0);
    for (name, path) in files {
        let opened = format::open_coded(&path).map_err(|fault| match fault {
            Fault::At { kind: ProblemKind::EmptyFile, .. } => ProblemKind::EmptyPart.into(),
            other => other,
        });
        let (file, format, coding) = opened.map_err(|fault| Error::of_file(&name, fault))?;
        size_bytes += file.metadata().map_err(Error::io("read", &path))?.len();
        match format {
            Format::Csv => texts.push((name, Source::File(path), coding)),
            Format::Parquet | Format::Arrow => parts.push(Part::open(name, Source::File(path), format)?),
        }
    }
    match (parts.first(), texts.first()) {
        (None, None) => Err(fault(ProblemKind::NoParts)),
        (None, Some(_)) => Ok((Folder::Text(texts), size_bytes)),
        (Some(_), Some((name, ..))) => {
            let file = file_name(Path::new(name));
            Err(fault(ProblemKind::NotAPart { file }))
        }
        (Some(_), None) => {
            agree(&parts)?;
            Ok((Folder::Columnar(parts), size_bytes))
        }
    }
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Error::io("read", folder))?;
    paths.retain(|path| !file_name(path).starts_with(['_', '.']));
    paths.sort_unstable();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Refuses parts that have not the columns of the first, in its order and of its types.
fn agree(parts: &[Part]) -> Result<(), Error> {
    let Some((first, others)) = parts.split_first() else { return Ok(()) };
    let header = first.columns.header();
    for part in others {
        let found = part.columns.header();
        if found != header {
            let differs = found.iter().zip(&header).find(|(found, expected)| found != expected);
            let column = differs.map(|(found, _)| found.as_str());
            let kind = ProblemKind::OtherColumns { first: first.name.clone() };
            let fault =
                column.map_or_else(|| Fault::from(kind.clone()), |name| Fault::in_column(name, kind.clone()));
            return Err(Error::of_file(&part.name, fault));
        }
    }
    for (position, name) in header.iter().enumerate() {
        let mut known: Option<&DataType> = None;
        for part in parts {
            let found = part.columns.schema().field(position).data_type();
            match known {
                Some(expected) if !go_together(expected, found) => {
                    let kind = ProblemKind::OtherType { found: type_name(found), first: type_name(expected) };
                    return Err(Error::of_file(&part.name, Fault::in_column(name, kind)));
                }
                None if *found != DataType::Null => known = Some(found),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether values of both types make one column; one that has no values goes with any.
fn go_together(one: &DataType, other: &DataType) -> bool {
    let is_number = |kind| matches!(kind, Some(ColumnType::Integer | ColumnType::Float));
    let (left, right) = (plain_type(one), plain_type(other));
    *one == DataType::Null
        || *other == DataType::Null
        || left == right
        || (is_number(left) && is_number(right))
}

/// The fields of a column in the parts that have values of it; at least one.
fn fields(parts: &[Part], position: usize) -> impl Iterator<Item = &Field> {
    let field = move |part: &'_ Part| part.columns.schema().field(position).data_type() != &DataType::Null;
    let any = parts.iter().any(field);
    parts
        .iter()
        .filter(move |part| !any || field(part))
        .map(move |part| part.columns.schema().field(position))
}

/// The type that the values of a column are brought to; `None` when one of the parts has none.
pub(crate) fn column_type(parts: &[Part], position: usize) -> Option<ColumnType> {
    fields(parts, position)
        .map(|field| plain_type(field.data_type()))
        .reduce(|one, other| if one == other { one } else { one.and(other).map(|_| ColumnType::Float) })
        .flatten()
}

/// The file of a part, where it is one of Parquet.
pub(crate) fn parquet_file(part: &Part) -> Option<PathBuf> {
    match (&part.source, &part.columns) {
        (Source::File(path), Columnar::Parquet(_)) => Some(path.clone()),
        _ => None,
    }
}

/// The columns that are not compared.
pub(crate) fn left_out(parts: &[Part]) -> Vec<LeftOut> {
    let Some(first) = parts.first() else { return Vec::new() };
    let index = first.columns.pandas_index();
    let reason = |position: usize, name: &String| {
        let odd = fields(parts, position).find(|field| plain_type(field.data_type()).is_none());
        odd.map(|field| Reason::Type(type_name(field.data_type())))
            .or_else(|| index.contains(name).then_some(Reason::Index))
    };
    let header = first.columns.header();
    let left_out = |(position, name): (usize, &String)| {
        Some(LeftOut { name: name.clone(), reason: reason(position, name)? })
    };
    header.iter().enumerate().filter_map(left_out).collect()
}

/// The columns of decimal numbers and of whole numbers of 64 bits without a sign, by name with their type.
pub(crate) fn unusual_numbers(parts: &[Part]) -> Vec<(String, String)> {
    let is_unusual = |kind: &DataType| {
        matches!(
            kind,
            DataType::UInt64
                | DataType::Decimal32(..)
                | DataType::Decimal64(..)
                | DataType::Decimal128(..)
                | DataType::Decimal256(..)
        )
    };
    let Some(first) = parts.first() else { return Vec::new() };
    let header = first.columns.header();
    let unusual = |(position, name): (usize, &String)| {
        let field = fields(parts, position).find(|field| is_unusual(field.data_type()))?;
        Some((name.clone(), type_name(field.data_type())))
    };
    header.iter().enumerate().filter_map(unusual).collect()
}
