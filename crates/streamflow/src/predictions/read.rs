//! The files of the log, and their rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use streamflow_dataset::{self as dataset, Batch, CsvOptions, Intactness, TableRows};

use super::record::{COLUMNS, Cell, FEATURES_SENT, PROBABILITY, Record, Shape};
use super::replaced;

/// The microseconds of an hour.
pub const HOUR_US: i64 = 3_600_000_000;

/// A span of time, its end excluded, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub from_us: i64,
    pub to_us: i64,
}

impl Window {
    /// All times.
    pub const ALL: Window = Window { from_us: i64::MIN, to_us: i64::MAX };

    pub fn contains(self, time_us: i64) -> bool {
        (self.from_us..self.to_us).contains(&time_us)
    }

    fn meets_hour(self, start_us: i64) -> bool {
        start_us < self.to_us && start_us.saturating_add(HOUR_US) > self.from_us
    }
}

/// Where a file stands whose first row was answered at this time.
pub fn path(folder: &Path, time_us: i64, number: u64) -> PathBuf {
    let time = jiff::Timestamp::from_microsecond(time_us).unwrap_or_default();
    let hour = time.strftime("date=%Y-%m-%d/hour=%H").to_string();
    folder.join(hour).join(name(time_us, number))
}

/// The name of a file of this process.
pub fn name(time_us: i64, number: u64) -> String {
    format!("part-{time_us}-{}-{number}.parquet", std::process::id())
}

/// The start of the hour of a folder `date=YYYY-MM-DD/hour=HH`.
pub fn start_us(date: &str, hour: &str) -> Option<i64> {
    let date: jiff::civil::Date = date.strip_prefix("date=")?.parse().ok()?;
    let hour: i8 = hour.strip_prefix("hour=")?.parse().ok().filter(|hour| (0..24).contains(hour))?;
    let start = date.at(hour, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(start.timestamp().as_microsecond())
}

/// The hours of the log from the oldest on: when each starts, and its folder.
pub fn hours(folder: &Path) -> anyhow::Result<Vec<(i64, PathBuf)>> {
    let mut hours = Vec::new();
    for (date, of_date) in entries(folder)? {
        for (hour, path) in entries(&of_date)? {
            hours.extend(start_us(&date, &hour).map(|start| (start, path)));
        }
    }
    hours.sort();
    Ok(hours)
}

/// What lies in a folder; nothing where it is gone or none.
pub fn entries(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    let entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        Ok((entry.file_name().to_string_lossy().into_owned(), entry.path()))
    };
    entries.map(entry).collect()
}

/// The files of the hours that a window meets, in the order of their first rows.
pub fn files(folder: &Path, window: Window) -> anyhow::Result<Vec<PathBuf>> {
    Ok(files_by_hour(folder, window)?.into_iter().flat_map(|(_, files)| files).collect())
}

/// The hours that a window meets: when each starts, and its files in the order of their first rows.
pub fn files_by_hour(folder: &Path, window: Window) -> anyhow::Result<Vec<(i64, Vec<PathBuf>)>> {
    let mut found = Vec::new();
    for (start, hour) in hours(folder)? {
        if window.meets_hour(start) {
            let files = parts(&entries(&hour)?)?;
            found.push((start, files.into_iter().map(|(_, path)| path).collect()));
        }
    }
    Ok(found)
}

/// The files of an hour that have its rows, each once.
///
/// # Errors
/// A damaged list of files that others have replaced: without it rows would count twice.
pub fn parts(entries: &[(String, PathBuf)]) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let replaced = replaced::of_hour(entries)?;
    let whole = entries.iter().filter(|(name, _)| is_part(name) && !replaced.contains(name));
    let mut parts: Vec<(String, PathBuf)> = whole.cloned().collect();
    parts.sort();
    Ok(parts)
}

pub fn is_part(name: &str) -> bool {
    name.starts_with("part-") && name.ends_with(".parquet")
}

/// What processes that are gone were writing when they were killed.
pub fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let processes = Path::new("/proc");
    let hours = hours(folder).unwrap_or_default();
    let files = hours.iter().flat_map(|(_, hour)| entries(hour).unwrap_or_default());
    let is_left = |name: &str| {
        let unfinished = name.strip_prefix(".part-").and_then(|name| name.strip_suffix(".partial"));
        let process = unfinished.and_then(|name| name.split('-').nth(1));
        let is_gone = |process| processes.join("self").exists() && !processes.join(process).exists();
        process.is_some_and(is_gone)
    };
    files.filter(|(name, _)| is_left(name)).map(|(_, path)| path).collect()
}

/// Deletes what processes that are gone were writing.
pub fn remove_unfinished(folder: &Path) {
    for path in unfinished(folder) {
        // What cannot be removed is read by nobody.
        let _ = std::fs::remove_file(path);
    }
}

/// A row as it is read.
pub type Logged = Record;

/// Reads the rows of a window, file by file. A file that was deleted meanwhile for its age is passed over; none is merged
/// meanwhile.
///
/// # Errors
/// A file that is damaged or none of the log, by its name; those of `each`.
pub fn read(
    folder: &Path,
    window: Window,
    mut each: impl FnMut(Logged) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let _reading = replaced::reading(folder)?;
    for path in files(folder, window)? {
        if path.exists() {
            let mut inside = |row: Logged| if window.contains(row.time_us) { each(row) } else { Ok(()) };
            read_file(&path, &mut inside)?;
        }
    }
    Ok(())
}

/// Reads a file of the log, after it was held against its checksum; those of earlier releases have none.
///
/// # Errors
/// As [`read`].
pub fn read_file(path: &Path, each: &mut impl FnMut(Logged) -> anyhow::Result<()>) -> anyhow::Result<()> {
    check(path).map_err(|fault| damaged(path, format!("{fault:#}")))?;
    let table = TableRows::open(path, CsvOptions::default()).map_err(|error| damaged(path, error))?;
    let mut file = Rows::of(path, table.header())?;
    let places: Vec<usize> = (0..table.header().len()).collect();
    let rows = table.read(&places, |batch, _| {
        for row in 0..batch.rows() {
            let record = file.record(batch, row).map_err(Stop::Row)?;
            each(record).map_err(Stop::Other)?;
        }
        Ok(())
    });
    match rows {
        Ok(_) => Ok(()),
        Err(Stop::Other(error)) => Err(error),
        Err(Stop::Row(fault)) => Err(damaged(path, fault)),
        Err(Stop::Table(error)) => Err(damaged(path, error)),
    }
}

/// What is wrong with a file of the log, by its checksum and its footer; none where all is well, or the file is gone.
pub fn fault(path: &Path) -> Option<String> {
    let found = check(path).and_then(|()| {
        let table = TableRows::open(path, CsvOptions::default())?;
        Rows::of(path, table.header()).map(drop)
    });
    let fault = found.err().filter(|_| path.exists())?;
    Some(match fault.to_string() {
        fault if fault.contains(&*path.to_string_lossy()) => fault,
        fault => format!("{} is damaged: {fault}", path.display()),
    })
}

/// A row of a file that was answered in another hour than that of its folder; none where there is none such, or the file
/// cannot be read.
pub fn strayed(path: &Path, start_us: i64) -> Option<String> {
    let hour = start_us..start_us.saturating_add(HOUR_US);
    let mut found = None;
    let table = TableRows::open(path, CsvOptions::default()).ok()?;
    let read = table.read(&[0], |batch, _| {
        let time = |row: usize| match batch.cell(0, row) {
            dataset::Cell::Integer(time_us) => Some(time_us),
            _ => None,
        };
        found = found.or_else(|| (0..batch.rows()).filter_map(time).find(|time_us| !hour.contains(time_us)));
        Ok::<(), Stop>(())
    });
    let time_us = found.filter(|_| read.is_ok())?;
    let at =
        jiff::Timestamp::from_microsecond(time_us).map_or_else(|_| time_us.to_string(), |at| at.to_string());
    Some(format!("{} has an answer of {at}, which is not of its folder's hour", path.display()))
}

/// Holds a file of the log against its checksum.
fn check(path: &Path) -> anyhow::Result<()> {
    match dataset::intactness(path)? {
        Intactness::Intact | Intactness::Unknown => Ok(()),
        Intactness::Damaged => bail!("its bytes are not those that were written, by its checksum"),
    }
}

fn damaged(path: &Path, fault: impl std::fmt::Display) -> anyhow::Error {
    anyhow!(
        "{} of the log of predictions is damaged: {fault}; restore it from a backup, or delete it, and the log lacks its \
         answers from then on",
        path.display()
    )
}

/// How the rows of a file are read.
struct Rows {
    header: Vec<String>,
    classes: Vec<String>,
    /// The columns that are the log's own: one fewer in files of earlier releases.
    own: usize,
    /// The column of the first feature.
    first: usize,
    /// Known from the first row on.
    shape: Option<Arc<Shape>>,
}

impl Rows {
    fn of(path: &Path, header: &[String]) -> anyhow::Result<Self> {
        let has_sent = header.get(COLUMNS.len() - 1).is_some_and(|name| name == FEATURES_SENT);
        let own = COLUMNS.len() - usize::from(!has_sent);
        let is_other = |(found, (name, _)): (&String, &(&str, _))| found != name;
        if header.len() < own || header.iter().zip(&COLUMNS[..own]).any(is_other) {
            bail!("{} is no file of the log of predictions; move it away", path.display());
        }
        let class_of = |name: &String| name.strip_prefix(PROBABILITY).map(str::to_owned);
        let classes: Vec<String> = header.iter().skip(own).map_while(class_of).collect();
        let first = own + classes.len();
        Ok(Self { header: header.to_vec(), own, first, classes, shape: None })
    }

    /// A row, or what in it no version answers.
    fn record(&mut self, batch: &Batch, row: usize) -> Result<Record, String> {
        let (own, first, columns) = (self.own, self.first, self.header.len());
        let cell = |column: usize| batch.cell(column, row);
        let text = |column: usize| cell(column).text();
        let integer = |column: usize| match cell(column) {
            dataset::Cell::Integer(number) => number,
            _ => 0,
        };
        let number = |column: usize| match cell(column) {
            dataset::Cell::Float(number) => number,
            _ => f64::NAN,
        };
        let value = |column: usize| match cell(column) {
            dataset::Cell::Missing => Cell::Missing,
            dataset::Cell::Float(number) if number.is_nan() => Cell::Missing,
            dataset::Cell::Float(number) => Cell::Number(number),
            other => other.text().map_or(Cell::Missing, |text| Cell::Text(text.into())),
        };
        let shape = match &self.shape {
            Some(shape) => Arc::clone(shape),
            None => {
                let is_number = |column: usize| matches!(cell(column), dataset::Cell::Float(_));
                let features =
                    (first..columns).map(|column| (self.header[column].clone(), is_number(column)));
                let shape = Arc::new(Shape {
                    model: text(5).unwrap_or_default(),
                    version: text(6).unwrap_or_default(),
                    as_of: text(7).unwrap_or_default(),
                    classes: self.classes.clone(),
                    features: features.collect(),
                });
                Arc::clone(self.shape.insert(shape))
            }
        };
        let record = Record {
            shape,
            time_us: integer(0),
            request_id: text(1).map(Into::into),
            entity: text(2).map(Into::into),
            // Not told apart when it is read.
            protocol: if text(3).as_deref() == Some("batch") { "batch" } else { "predict" },
            latency_us: integer(4),
            score: number(8),
            prediction: text(9).map(Into::into),
            features_sent: if own == COLUMNS.len() {
                u32::try_from(integer(own - 1)).unwrap_or(0)
            } else {
                0
            },
            probabilities: (own..first).map(number).collect(),
            values: (first..columns).map(value).collect(),
        };
        record.fault().map_or(Ok(record), Err)
    }
}

/// Why reading ended early.
enum Stop {
    /// The file cannot be read.
    Table(dataset::Error),
    /// What a row says is impossible.
    Row(String),
    /// Whoever reads wants no more.
    Other(anyhow::Error),
}

impl From<dataset::Error> for Stop {
    fn from(error: dataset::Error) -> Self {
        Self::Table(error)
    }
}
