//! The files of the log, and their rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use streamflow_dataset::{self as dataset, CsvOptions, TableRows};

use super::record::{COLUMNS, Cell, PROBABILITY, Record, Shape};
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
            let files = parts(&entries(&hour)?);
            found.push((start, files.into_iter().map(|(_, path)| path).collect()));
        }
    }
    Ok(found)
}

/// The files of an hour that have its rows, each once.
pub fn parts(entries: &[(String, PathBuf)]) -> Vec<(String, PathBuf)> {
    let replaced = replaced::of_hour(entries);
    let whole = entries.iter().filter(|(name, _)| is_part(name) && !replaced.contains(name));
    let mut parts: Vec<(String, PathBuf)> = whole.cloned().collect();
    parts.sort();
    parts
}

pub fn is_part(name: &str) -> bool {
    name.starts_with("part-") && name.ends_with(".parquet")
}

/// Deletes what processes that are gone were writing when they were killed.
pub fn remove_unfinished(folder: &Path) {
    let processes = Path::new("/proc");
    let hours = hours(folder).unwrap_or_default();
    for (name, path) in hours.iter().flat_map(|(_, hour)| entries(hour).unwrap_or_default()) {
        let unfinished = name.strip_prefix(".part-").and_then(|name| name.strip_suffix(".partial"));
        let process = unfinished.and_then(|name| name.split('-').nth(1));
        if process.is_some_and(|process| processes.join("self").exists() && !processes.join(process).exists())
        {
            // What cannot be removed is read by nobody.
            let _ = std::fs::remove_file(path);
        }
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

/// Reads a file of the log.
///
/// # Errors
/// As [`read`].
pub fn read_file(path: &Path, each: &mut impl FnMut(Logged) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let table = TableRows::open(path, CsvOptions::default())?;
    let header = table.header().to_vec();
    let own = COLUMNS.len();
    let class_of = |name: &String| name.strip_prefix(PROBABILITY).map(str::to_owned);
    let classes: Vec<String> = header.iter().skip(own).map_while(class_of).collect();
    let first = own + classes.len();
    if header.len() < own || header.iter().zip(COLUMNS).any(|(found, (name, _))| found != name) {
        bail!("{} is no file of the log of predictions; move it away", path.display());
    }
    let places: Vec<usize> = (0..header.len()).collect();
    let mut shape: Option<Arc<Shape>> = None;
    let rows = table.read(&places, |batch, _| -> Result<(), Stop> {
        for row in 0..batch.rows() {
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
            let (model, version, as_of) = (text(5), text(6), text(7));
            let known = shape.get_or_insert_with(|| {
                let is_number = |column: usize| matches!(cell(column), dataset::Cell::Float(_));
                let features =
                    (first..header.len()).map(|column| (header[column].clone(), is_number(column)));
                Arc::new(Shape {
                    model: model.unwrap_or_default(),
                    version: version.unwrap_or_default(),
                    as_of: as_of.unwrap_or_default(),
                    classes: classes.clone(),
                    features: features.collect(),
                })
            });
            let value = |column: usize| match cell(column) {
                dataset::Cell::Missing => Cell::Missing,
                dataset::Cell::Float(number) if number.is_nan() => Cell::Missing,
                dataset::Cell::Float(number) => Cell::Number(number),
                other => other.text().map_or(Cell::Missing, |text| Cell::Text(text.into())),
            };
            each(Record {
                shape: Arc::clone(known),
                time_us: integer(0),
                request_id: text(1).map(Into::into),
                entity: text(2).map(Into::into),
                // Not told apart when it is read.
                protocol: if text(3).as_deref() == Some("batch") { "batch" } else { "predict" },
                latency_us: integer(4),
                score: number(8),
                prediction: text(9).map(Into::into),
                probabilities: (own..first).map(number).collect(),
                values: (first..header.len()).map(value).collect(),
            })
            .map_err(Stop)?;
        }
        Ok(())
    });
    rows.map(|_| ()).map_err(|Stop(error)| error)
}

/// Why reading ended early.
struct Stop(anyhow::Error);

impl From<dataset::Error> for Stop {
    fn from(error: dataset::Error) -> Self {
        Self(error.into())
    }
}
