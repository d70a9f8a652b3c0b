//! From a text to a store.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;

use streamflow_exposition::{Created, Event, HistoryError, HistoryReader, MetricType, Sample};
use streamflow_tsdb::{
    AppendError, Db, Error, Labels, METRIC_NAME, MatchOp, Matcher, NO_START, Samples, Series, Value,
};

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
    /// `_created` lines that were read as start timestamps, and belong to no sample near them.
    pub starts_unmatched: u64,
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

/// How a text is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Importing {
    /// The time of the upkeep, in milliseconds since 1970.
    pub now_ms: i64,
    /// Whether `_created` lines of counters, histograms and summaries are the start timestamps of their samples; else they are
    /// series of their own, as in Prometheus 3.5.
    pub start_timestamps: bool,
}

/// Takes the samples of an OpenMetrics text, each of which has its time, into a store. The store has to take samples
/// behind newer ones, however old: [`Options::out_of_order_window_ms`](streamflow_tsdb::Options). `told` gets how many bytes
/// were read. Memory holds 50,000 samples, and what the store keeps before its
/// upkeep, which is done every two million samples and at the end.
///
/// # Errors
/// When a line is not OpenMetrics, a sample has no time, the text is cut off, or the store fails.
pub fn import(
    db: &Db,
    input: impl BufRead,
    how: Importing,
    mut told: impl FnMut(u64),
) -> Result<Imported, Box<ImportError>> {
    let mut import = Import {
        db,
        how,
        waiting: HashMap::new(),
        starts: HashMap::new(),
        count: 0,
        behind: 0,
        done: Imported::default(),
    };
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
type Run = (Labels, Waiting);

/// Samples of a series that wait to be committed.
#[derive(Default)]
struct Waiting {
    samples: Vec<(i64, f64)>,
    /// What a `_created` line of the series is about, where such lines are read.
    metric: Option<String>,
}

struct Import<'a> {
    db: &'a Db,
    how: Importing,
    waiting: HashMap<Labels, Waiting>,
    /// Starts by metric and time of the sample, and whether a sample took them.
    starts: HashMap<(String, i64), (i64, bool)>,
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
        let mut family = (String::new(), MetricType::Unknown);
        let (mut metric, mut last_time) = (None, None);
        loop {
            let line = reader.line() + 1;
            let Some(event) = reader.next()? else { return Ok(()) };
            let sample = match event {
                Event::Sample(sample) => sample,
                Event::Type { family: name, kind } => {
                    family = (name.into_owned(), kind);
                    text.clear();
                    continue;
                }
                Event::Help { .. } | Event::Unit { .. } => continue,
            };
            let refused = |what| Reason::Sample { line, what, series: sample.series.to_owned() };
            let time =
                sample.timestamp_ms.ok_or("expected a time in seconds after the value").map_err(refused)?;
            if self.how.start_timestamps
                && let Some((about, start)) = Created::line(&family, &sample)
            {
                self.starts.insert((about, time), (start, false));
                continue;
            }
            let mut is_same_point = last_time == Some(time);
            if sample.series != text {
                labels = labels_of(&sample).map_err(refused)?;
                sample.series.clone_into(&mut text);
                if self.how.start_timestamps {
                    let about = Created::about(&family, sample.series);
                    is_same_point &= about.is_some() && about == metric;
                    metric = about;
                }
            }
            last_time = Some(time);
            self.done.exemplars += sample.exemplars.len() as u64;
            // The start of a sample may stand behind the other samples of its point.
            let is_full = self.count >= BATCH && !(self.how.start_timestamps && is_same_point);
            let value = sample.value;
            if is_full {
                self.commit()?;
                if self.behind >= UPKEEP {
                    self.upkeep()?;
                }
                told(reader.bytes());
            }
            match self.waiting.get_mut(&labels) {
                Some(waiting) => waiting.samples.push((time, value)),
                None => {
                    let waiting = Waiting { samples: vec![(time, value)], metric: metric.clone() };
                    self.waiting.insert(labels.clone(), waiting);
                }
            }
            self.count += 1;
        }
    }

    /// Commits the samples that wait, but for those that the store has.
    fn commit(&mut self) -> Result<(), Reason> {
        let mut by_name: BTreeMap<String, Vec<Run>> = BTreeMap::new();
        for (labels, waiting) in self.waiting.drain() {
            by_name.entry(labels.name().to_owned()).or_default().push((labels, waiting));
        }
        self.count = 0;
        let mut batch = self.db.batch();
        let mut taken = 0;
        for (name, all) in by_name {
            let stored = self.stored(&name, &all)?;
            for (labels, Waiting { samples, metric }) in all {
                let missing = self.missing(samples, stored.get(&labels))?;
                let oldest = missing.first().map(|(time, _)| *time);
                self.done.oldest_ms = self.done.oldest_ms.into_iter().chain(oldest).min();
                let missing = self.started(missing, metric);
                let refused = &mut self.done.refused;
                taken +=
                    batch.add_all(&labels, missing, |error| *refused.entry(reason(&error)).or_default() += 1);
            }
        }
        self.done.starts_unmatched += self.starts.values().filter(|(_, is_taken)| !is_taken).count() as u64;
        self.starts.clear();
        let committed = batch.commit()?;
        if committed.refused > 0 {
            *self.done.refused.entry("overtaken").or_default() += committed.refused;
        }
        self.done.samples += taken - committed.refused;
        self.behind += taken;
        Ok(())
    }

    /// What the store has of a metric in the range of these samples.
    fn stored(&self, name: &str, all: &[Run]) -> Result<HashMap<Labels, Series>, Error> {
        let times = || all.iter().flat_map(|(_, waiting)| waiting.samples.iter().map(|(time, _)| *time));
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

    /// The samples with the starts that lines gave them.
    fn started(&mut self, samples: Vec<(i64, f64)>, metric: Option<String>) -> Vec<streamflow_tsdb::Sample> {
        let mut sought = metric.filter(|_| !self.starts.is_empty()).map(|metric| (metric, 0));
        let mut start_at = |time: i64| {
            let sought = sought.as_mut()?;
            sought.1 = time;
            let (start, is_taken) = self.starts.get_mut(sought)?;
            *is_taken = true;
            Some(*start)
        };
        let whole = |(timestamp, value): (i64, f64)| streamflow_tsdb::Sample {
            timestamp,
            start: start_at(timestamp).unwrap_or(NO_START),
            value: Value::Float(value),
        };
        samples.into_iter().map(whole).collect()
    }

    /// Moves what is finished from memory to blocks and merges these.
    fn upkeep(&mut self) -> Result<(), Reason> {
        self.behind = 0;
        while self.db.maintain(self.how.now_ms)?.blocks_merged > 0 {}
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
