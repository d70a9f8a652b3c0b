//! Realistic monthly drops of the worked example: six CSV tables about the users of a streaming service.
//!
//! Every figure is a pure function of the seed, the user's number and the month, so the same settings give the
//! same bytes on every machine and a million users need no more memory than two bytes each. What is simulated:
//!
//! - **People** keep hidden traits for life (engagement, network trouble, hardship, commitment, …) from which
//!   their columns follow, so columns are correlated and a user looks alike from month to month.
//! - **Months** add the season, the growing tenure and chance; the churn label is drawn from a
//!   logistic model of the very columns that are written, and the labels of other tasks likewise.
//! - **Turnover**: a fifth of the users labelled as churning are gone the next month; a new user takes each
//!   place, so the number of rows is constant.
//! - **Drift**: from the drift month on, a fibre roll-out has moved users and prices, and an overloaded network
//!   rebuffers; the other months differ by season and turnover only.
//!
//! The first N users of a larger sample are the users of a smaller one, and the first months of a longer sample
//! those of a shorter one as long as the drift month is the same.

mod entity_id;
mod folder;
mod month;
mod other_labels;
mod person;
mod random;
mod tables;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use jiff::civil::{Date, date};
use streamflow_dataset::LabelTask;

use folder::MonthFolder;
pub use folder::as_of;
use month::{Changes, Month, UserMonth};
use person::{Arrival, Person};
use random::Seed;
use tables::TableWriters;

/// Months that one sample may have.
pub const MONTHS: RangeInclusive<u32> = 1..=120;
/// Users that one month may have; all their successors too have an id of their own.
pub const ROWS: RangeInclusive<u64> = 1..=9_000_000;
/// Years in which the first month may lie.
pub const START_YEARS: RangeInclusive<i16> = 1970..=2200;

/// Share of the users labelled as churning who are gone in the next month; the rest is still cancelling.
const LEAVE_SHARE: f64 = 0.2;
/// Users between two calls of the progress callback.
const PROGRESS_EVERY: u64 = 8192;

/// What to write; [`SampleSettings::default`] is the example's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleSettings {
    /// Number of months, one folder each; within [`MONTHS`].
    pub months: u32,
    /// Users in every month; within [`ROWS`].
    pub rows: u64,
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// A day of the first month; every month is as of its last day.
    pub start: Date,
    /// The month, counted from 1, from which on the columns drift; `None` is the last of several months.
    pub drift_month: Option<u32>,
    /// The month, counted from 1, from which on other users churn than before, while the columns stay as they were;
    /// `None` is none.
    pub relation_month: Option<u32>,
    /// What the label is for: churn, the plan that is chosen next, or what will be spent.
    pub task: LabelTask,
}

impl Default for SampleSettings {
    fn default() -> Self {
        Self {
            months: 3,
            rows: 7043,
            seed: 42,
            start: date(2024, 1, 31),
            drift_month: None,
            relation_month: None,
            task: LabelTask::Binary,
        }
    }
}

impl SampleSettings {
    /// Whether [`write`] takes the settings.
    ///
    /// # Errors
    /// The setting that is out of range, with what was expected.
    pub fn check(&self) -> Result<(), Error> {
        validate(self).map(|_| ())
    }
}

/// Why no sample was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Number of months out of range.
    #[error("months is {0}, expected {least} to {most}", least = MONTHS.start(), most = MONTHS.end())]
    Months(u32),
    /// Number of users out of range.
    #[error("rows is {0}, expected {least} to {most}", least = ROWS.start(), most = ROWS.end())]
    Rows(u64),
    /// First month out of range.
    #[error("start is {0}, expected a day in the years {least} to {most}", least = START_YEARS.start(), most = START_YEARS.end())]
    Start(Date),
    /// The drift month is none of the months.
    #[error("drift-month is {drift_month}, expected 1 to {months}, the number of months")]
    DriftMonth {
        /// The month asked for.
        drift_month: u32,
        /// The number of months of the sample.
        months: u32,
    },
    /// The relation month is none of the months.
    #[error("relation-month is {relation_month}, expected 1 to {months}, the number of months")]
    RelationMonth {
        /// The month asked for.
        relation_month: u32,
        /// The number of months of the sample.
        months: u32,
    },
    /// A folder of that name holds something else, which is left alone.
    #[error("{} already exists with other contents: remove it or choose another folder", .0.display())]
    Exists(PathBuf),
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// Writes `OUT/month_YYYY-MM-DD/TABLE.csv` for every month and returns the folders, oldest first.
///
/// A month is written aside and renamed when it is complete. A folder that already holds the same bytes is left
/// as it is; one that holds anything else is [`Error::Exists`]. `progress` is told the rows done of all months
/// and their total. Needs two bytes of memory a user; time is linear in `months * rows`.
pub fn write(
    out: &Path,
    settings: &SampleSettings,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<PathBuf>, Error> {
    let drift_month = validate(settings)?;
    let seed = Seed::new(settings.seed);
    let mut population = Population::new(settings.rows);
    let total = settings.rows * u64::from(settings.months);
    let mut folders = Vec::new();
    for index in 0..settings.months {
        let has_come = |month: u32| index + 1 >= month;
        let relation = settings.relation_month.is_some_and(has_come);
        let month = Month::new(settings.start, index, Changes { drifted: has_come(drift_month), relation });
        let folder = MonthFolder::create(out, month.as_of())?;
        let mut tables = TableWriters::create(folder.path(), settings.task)?;
        let before = settings.rows * u64::from(index);
        for place in 0..settings.rows {
            if place % PROGRESS_EVERY == 0 {
                progress(before + place, total);
            }
            let user = population.user_in(&seed, &month, place);
            tables.write(&user)?;
            if user.leaves {
                population.replace(place, index);
            }
        }
        tables.finish()?;
        folders.push(folder.commit()?);
        progress(before + settings.rows, total);
    }
    Ok(folders)
}

/// Checks every setting and returns the drift month counted from 1; past the end when nothing drifts.
fn validate(settings: &SampleSettings) -> Result<u32, Error> {
    let &SampleSettings { months, rows, start, drift_month, .. } = settings;
    if !MONTHS.contains(&months) {
        return Err(Error::Months(months));
    }
    if !ROWS.contains(&rows) {
        return Err(Error::Rows(rows));
    }
    if !START_YEARS.contains(&start.year()) {
        return Err(Error::Start(start));
    }
    if let Some(relation_month) = settings.relation_month.filter(|month| !(1..=months).contains(month)) {
        return Err(Error::RelationMonth { relation_month, months });
    }
    match drift_month {
        Some(month) if month == 0 || month > months => Err(Error::DriftMonth { drift_month: month, months }),
        Some(month) => Ok(month),
        // A single month has nothing to drift from.
        None if months == 1 => Ok(months + 1),
        None => Ok(months),
    }
}

/// Who sits in each place: the arrival that the present user came with.
struct Population {
    arrivals: Vec<Arrival>,
}

impl Population {
    fn new(rows: u64) -> Self {
        let rows = usize::try_from(rows).expect("at most nine million");
        Self { arrivals: vec![Arrival::FIRST; rows] }
    }

    fn user_in(&self, seed: &Seed, month: &Month, place: u64) -> UserMonth {
        let arrival = self.arrivals[usize::try_from(place).expect("below the number of rows")];
        month.user(seed, Person::new(seed, place, arrival))
    }

    /// The next user of `place` arrives in the month after `index`.
    fn replace(&mut self, place: u64, index: u32) {
        let place = usize::try_from(place).expect("below the number of rows");
        self.arrivals[place] = self.arrivals[place].next(index + 1);
    }
}

#[cfg(test)]
mod tests;
