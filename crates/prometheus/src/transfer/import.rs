//! From a text to a store.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;

use streamflow_exposition::{Event, HistoryError, HistoryReader, Sample};
use streamflow_tsdb::{AppendError, Db, Error, Labels, METRIC_NAME, MatchOp, Matcher, Samples, Series};

/// Samples that are committed together.
const BATCH: usize = 50_000;
/// Samples after which what is in memory goes to blocks.
const UPKEEP: u64 = 2_000_000;

/// What an import did with the samples of its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Lines that were read.
    pub lines: usize,
    /// Samples that the store did not have.
    pub samples: u64,
    /// Samples that it had, or that the text has twice.
    pub present: u64,
    /// Samples that were refused, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Exemplars, which are not stored.
    pub exemplars: u64,
    /// The oldest time among the samples that the store did not have, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
}

/// Why an import ended before its text; every sample before that line is in the store, or counted.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct ImportError {
    /// What was done until then.
    pub imported: Imported,
    /// Why, with the line.
    pub reason: Reason,
}

/// What ends an import.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The text is none, or is cut off.
    #[error(transparent)]
    Text(#[from] HistoryError),
    /// A sample without its time, or with labels that name no series.
    #[error("line {line}: {what} in {series:?}")]
    Sample {
        /// Counted from 1.
        line: usize,
        /// What is wrong, and what was expected.
        what: &'static str,
        /// The series as it was written.
        series: String,
    },
    /// The store cannot be written or read.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Takes the samples of an OpenMetrics text, each of which has its time, into a store. The store has to take samples
/// behind newer ones, however old: [`Options::out_of_order_window_ms`](streamflow_tsdb::Options). `now_ms` is the time of
/// its upkeep; `told` gets how many bytes were read. Memory holds 50,000 samples, and what the store keeps before its
/// upkeep, which is done every two million samples and at the end.
///
/// # Errors
/// When a line is not OpenMetrics, a sample has no time, the text is cut off, or the store fails.
pub fn import(
    db: &Db,
    input: impl BufRead,
    now_ms: i64,
    mut told: impl FnMut(u64),
) -> Result<Imported, Box<ImportError>> {
    let mut import =
        Import { db, now_ms, waiting: HashMap::new(), count: 0, behind: 0, done: Imported::default() };
    let mut reader = HistoryReader::new(input);
    let read = import.read(&mut reader, &mut told);
    // What was read before an error is in as well: the line of the error says where to go on.
    let committed = import.commit().and_then(|()| import.upkeep());
    let mut imported = import.done;
    imported.lines = reader.line();
    match read.and(committed) {
        Ok(()) => Ok(imported),
        Err(reason) => Err(Box::new(ImportError { imported, reason })),
    }
}

/// Samples of one series, each with its time.
type Run = (Labels, Vec<(i64, f64)>);

struct Import<'a> {
    db: &'a Db,
    now_ms: i64,
    waiting: HashMap<Labels, Vec<(i64, f64)>>,
    /// Samples that wait.
    count: usize,
    /// Samples since the last upkeep.
    behind: u64,
    done: Imported,
}

impl Import<'_> {
    fn read<R: BufRead>(
        &mut self,
        reader: &mut HistoryReader<R>,
        told: &mut impl FnMut(u64),
    ) -> Result<(), Reason> {
        let (mut text, mut labels) = (String::new(), Labels::new::<&str, &str>([]));
        loop {
            let line = reader.line() + 1;
            let Some(event) = reader.next()? else { return Ok(()) };
            let Event::Sample(sample) = event else { continue };
            let refused = |what| Reason::Sample { line, what, series: sample.series.to_owned() };
            if sample.series != text {
                labels = labels_of(&sample).map_err(refused)?;
                sample.series.clone_into(&mut text);
            }
            let time =
                sample.timestamp_ms.ok_or("expected a time in seconds after the value").map_err(refused)?;
            self.done.exemplars += sample.exemplars.len() as u64;
            match self.waiting.get_mut(&labels) {
                Some(samples) => samples.push((time, sample.value)),
                None => drop(self.waiting.insert(labels.clone(), vec![(time, sample.value)])),
            }
            self.count += 1;
            if self.count == BATCH {
                self.commit()?;
                if self.behind >= UPKEEP {
                    self.upkeep()?;
                }
                told(reader.bytes());
            }
        }
    }

    /// Commits the samples that wait, but for those that the store has.
    fn commit(&mut self) -> Result<(), Reason> {
        let mut by_name: BTreeMap<String, Vec<Run>> = BTreeMap::new();
        for (labels, samples) in self.waiting.drain() {
            by_name.entry(labels.name().to_owned()).or_default().push((labels, samples));
        }
        self.count = 0;
        let mut batch = self.db.batch();
        let mut taken = 0;
        for (name, all) in by_name {
            let stored = self.stored(&name, &all)?;
            for (labels, samples) in all {
                let missing = self.missing(samples, stored.get(&labels))?;
                let oldest = missing.first().map(|(time, _)| *time);
                self.done.oldest_ms = self.done.oldest_ms.into_iter().chain(oldest).min();
                let refused = &mut self.done.refused;
                taken +=
                    batch.add_all(&labels, missing, |error| *refused.entry(reason(&error)).or_default() += 1);
            }
        }
        let committed = batch.commit()?;
        if committed.refused > 0 {
            *self.done.refused.entry("overtaken").or_default() += committed.refused;
        }
        self.done.samples += taken - committed.refused;
        self.behind += taken;
        Ok(())
    }

    /// What the store has of a metric in the range of these samples.
    fn stored(
        &self,
        name: &str,
        all: &[(Labels, Vec<(i64, f64)>)],
    ) -> Result<HashMap<Labels, Series>, Error> {
        let times = || all.iter().flat_map(|(_, samples)| samples.iter().map(|(time, _)| *time));
        let (Some(min), Some(max)) = (times().min(), times().max()) else { return Ok(HashMap::new()) };
        // An equality compiles nothing that could be refused.
        let named = Matcher::new(METRIC_NAME, MatchOp::Equal, name).into_iter().collect::<Vec<_>>();
        let found = self.db.select(&named, min, max)?;
        Ok(found.into_iter().map(|series| (series.labels().clone(), series)).collect())
    }

    /// The samples that are not there, ascending; the others are counted.
    fn missing(
        &mut self,
        mut samples: Vec<(i64, f64)>,
        series: Option<&Series>,
    ) -> Result<Vec<(i64, f64)>, Error> {
        let mut there = Samples::default();
        if let Some(series) = series {
            series.read(&mut there)?;
        }
        // Stable: of two values at one time the first in the text is taken.
        samples.sort_by_key(|(time, _)| *time);
        let mut missing: Vec<(i64, f64)> = Vec::with_capacity(samples.len());
        for (time, value) in samples {
            let stored = there.timestamps.binary_search(&time).ok().map(|at| there.values[at]);
            let twice = missing.last().filter(|(before, _)| *before == time).map(|(_, value)| *value);
            match stored.or(twice) {
                None => missing.push((time, value)),
                Some(known) if known.to_bits() == value.to_bits() => self.done.present += 1,
                Some(_) => *self.done.refused.entry(ANOTHER_VALUE).or_default() += 1,
            }
        }
        Ok(missing)
    }

    /// Moves what is finished from memory to blocks and merges these.
    fn upkeep(&mut self) -> Result<(), Reason> {
        self.behind = 0;
        while self.db.maintain(self.now_ms)?.blocks_merged > 0 {}
        Ok(())
    }
}

const ANOTHER_VALUE: &str = "another value at the same time";

fn reason(error: &AppendError) -> &'static str {
    match error {
        AppendError::OutOfOrder { .. } => "out of order",
        AppendError::TooOld { .. } => "too old",
        AppendError::DuplicateTimestamp { .. } => ANOTHER_VALUE,
        AppendError::UnknownSeries(_) | AppendError::Histogram(_) | AppendError::NoLabels => "no series",
    }
}

/// The series of a sample; names must be unique, since nothing says which of two values is meant.
fn labels_of(sample: &Sample) -> Result<Labels, &'static str> {
    let mut pairs: Vec<_> = sample.labels().collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    if pairs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err("expected each label once, one is there twice");
    }
    Ok(Labels::new(pairs))
}
