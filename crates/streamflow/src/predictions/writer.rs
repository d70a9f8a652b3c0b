//! The queue of rows, and the thread that writes them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use streamflow_dataset::{OutputFormat, TableWriter};

use super::columns::Columns;
use super::entity::Naming;
use super::merge::Merging;
use super::packed::Unpacking;
use super::read::HOUR_US;
use super::record::{DISTINCT, Record, Shape};
use super::{bounds, keys, read, replaced};
use crate::clock::{Clock, Verdict, by_words};
use crate::config::LogConfig;

/// Rows that wait for the writer, at most.
const QUEUE_ROWS: usize = 32_768;

/// Bytes of them, at most by one row.
const QUEUE_BYTES: usize = 16 << 20;

/// How long rows gather before the writer takes them: waking it for each would cost a request more than the row does.
const GATHER: Duration = Duration::from_millis(50);

/// Rows of all files that are not written yet, at most: what is held in memory.
const HELD_ROWS: usize = 50_000;

/// Bytes of all files that are not written yet, at most by one row.
const HELD_BYTES: usize = 32 << 20;

/// Versions whose rows are held at a time: those in production and of a canary, and the ones that a promotion replaces.
const HELD_SHAPES: usize = 4;

/// How long an answer is waited for between two steps of the merging.
const MERGE_WAIT: Duration = Duration::from_millis(2);

/// How often old hours, and hours to merge, are looked for.
const BOUNDS_EVERY: Duration = Duration::from_secs(60);

/// What became of rows.
#[derive(Debug, Default)]
pub struct Counts {
    /// Rows that were written.
    pub written: AtomicU64,
    /// Rows that found the queue full.
    pub dropped_by_queue: AtomicU64,
    /// Rows whose file could not be written.
    pub dropped_by_disk: AtomicU64,
    /// Bytes of all files, as of the last look.
    pub size_bytes: AtomicU64,
}

/// Rows on their way to the writer.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    rows: Rows,
    is_ended: bool,
}

/// Packed rows, one after another.
#[derive(Default)]
struct Rows {
    bytes: Vec<u8>,
    /// The shape of each row, and where it ends in the bytes.
    ends: Vec<(Arc<Shape>, usize)>,
}

impl Rows {
    fn len(&self) -> usize {
        self.ends.len()
    }

    /// Hands each row on; there are none afterwards.
    fn drain(&mut self, mut each: impl FnMut(Arc<Shape>, &[u8])) {
        let mut start = 0;
        for (shape, end) in self.ends.drain(..) {
            each(shape, self.bytes.get(start..end).unwrap_or_default());
            start = end;
        }
        self.bytes.clear();
        self.bytes.shrink_to(QUEUE_BYTES);
    }
}

impl Queue {
    /// Whether there was room for a row. The writer is woken by the first one, and by one that leaves little room.
    fn push(&self, shape: &Arc<Shape>, row: &[u8]) -> bool {
        let mut waiting = self.lock();
        let Waiting { rows, is_ended } = &mut *waiting;
        let (before, bytes) = (rows.len(), rows.bytes.len());
        if before >= QUEUE_ROWS || bytes >= QUEUE_BYTES || *is_ended {
            return false;
        }
        rows.bytes.extend_from_slice(row);
        rows.ends.push((shape.clone(), bytes + row.len()));
        let is_half_full = |rows: usize, bytes: usize| rows >= QUEUE_ROWS / 2 || bytes >= QUEUE_BYTES / 2;
        let fills_up = is_half_full(before + 1, bytes + row.len()) && !is_half_full(before, bytes);
        drop(waiting);
        if before == 0 || fills_up {
            self.wake.notify_one();
        }
        true
    }

    fn end(&self) {
        self.lock().is_ended = true;
        self.wake.notify_one();
    }

    /// Exchanges `taken`, which is empty, for the rows that have come, and tells whether these are the last. Waits for
    /// the first row as long as it may, and then for more while there is room.
    fn take(&self, wait: Duration, taken: &mut Rows) -> bool {
        let until = |waiting, wait, more: fn(&mut Waiting) -> bool| {
            self.wake.wait_timeout_while(waiting, wait, more).unwrap_or_else(PoisonError::into_inner).0
        };
        let is_idle = |waiting: &mut Waiting| waiting.rows.len() == 0 && !waiting.is_ended;
        let mut waiting = until(self.lock(), wait, is_idle);
        if waiting.rows.len() > 0 {
            let has_room = |waiting: &mut Waiting| {
                let rows = &waiting.rows;
                rows.len() < QUEUE_ROWS / 2 && rows.bytes.len() < QUEUE_BYTES / 2 && !waiting.is_ended
            };
            waiting = until(waiting, GATHER, has_room);
        }
        std::mem::swap(&mut waiting.rows, taken);
        waiting.is_ended
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A row that was being pushed is lost or whole: its end comes last.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where rows are sent to. Cloning is cheap.
#[derive(Clone)]
pub struct Sink {
    queue: Arc<Queue>,
    counts: Arc<Counts>,
}

impl Sink {
    /// Sends a row of a shape that was packed; never waits for the writer.
    pub fn send(&self, shape: &Arc<Shape>, row: &[u8]) {
        if !self.queue.push(shape, row) {
            self.counts.dropped_by_queue.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The same of a record.
    #[cfg(test)]
    pub fn send_record(&self, record: &Record) {
        let mut bytes = Vec::new();
        let values = record.values.iter().map(super::record::Cell::value);
        super::packed::pack(&mut bytes, &record.row(), &record.probabilities, values);
        self.send(&record.shape, &bytes);
    }

    /// What became of rows.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// The thread that writes.
pub struct Writing {
    thread: JoinHandle<()>,
    queue: Arc<Queue>,
}

impl Writing {
    /// Writes what waits and ends.
    pub fn end(self) {
        self.queue.end();
        if self.thread.join().is_err() {
            tracing::error!("the writer of the log of predictions panicked");
        }
    }
}

/// Starts the writer of a folder.
///
/// # Errors
/// A folder that cannot be made; no thread.
pub fn open(folder: &Path, config: &LogConfig) -> anyhow::Result<(Sink, Writing)> {
    std::fs::create_dir_all(folder).with_context(|| {
        format!("cannot create the folder {} of the log of predictions", folder.display())
    })?;
    let queue = Arc::new(Queue::default());
    let counts = Arc::new(Counts::default());
    let mut writer = Writer {
        folder: folder.to_path_buf(),
        config: config.clone(),
        counts: counts.clone(),
        waiting: Vec::new(),
        waiting_bytes: 0,
        since: Instant::now(),
        fingerprint: Naming::of(config.entity)?.fingerprint(),
        bounded: None,
        clock: Clock::new(jiff::Timestamp::now(), Instant::now()),
        files: 0,
        is_failing: false,
        merging: Merging::default(),
    };
    let thread = std::thread::Builder::new().name("prediction-log".to_owned());
    let rows = queue.clone();
    let thread = thread.spawn(move || writer.run(&rows)).context("cannot start the writer of predictions")?;
    Ok((Sink { queue: queue.clone(), counts }, Writing { thread, queue }))
}

struct Writer {
    folder: PathBuf,
    config: LogConfig,
    counts: Arc<Counts>,
    /// Rows of one hour, those of a shape together.
    waiting: Vec<Columns>,
    /// Bytes of them as they came.
    waiting_bytes: usize,
    /// When the first of them came.
    since: Instant,
    /// What tells the key of hashed entities apart.
    fingerprint: Option<String>,
    /// When the bounds were last kept.
    bounded: Option<Instant>,
    clock: Clock,
    files: u64,
    is_failing: bool,
    merging: Merging,
}

impl Writer {
    fn run(&mut self, queue: &Queue) {
        read::remove_unfinished(&self.folder);
        self.end_cut_off();
        let flush = Duration::from_secs(u64::from(self.config.flush_seconds.get()));
        let mut rows = Rows::default();
        loop {
            self.keep_bounds();
            let wait = match (self.merging.is_busy(), self.waiting.is_empty()) {
                (true, _) => MERGE_WAIT,
                (false, true) => BOUNDS_EVERY,
                (false, false) => flush.saturating_sub(self.since.elapsed()),
            };
            let is_ended = queue.take(wait, &mut rows);
            if rows.len() == 0 && !is_ended {
                self.merge();
            }
            rows.drain(|shape, row| self.take(shape, row));
            if is_ended {
                self.write();
                return;
            }
            if !self.waiting.is_empty() && self.since.elapsed() >= flush {
                self.write();
            }
        }
    }

    fn take(&mut self, shape: Arc<Shape>, row: &[u8]) {
        let Some((own, _)) = Unpacking::row(row) else { return };
        let hour = |time_us: i64| time_us.div_euclid(HOUR_US);
        let first = self.waiting.first().and_then(Columns::first_us);
        let is_of_another_hour = first.is_some_and(|first| hour(first) != hour(own.time_us));
        let rows: usize = self.waiting.iter().map(Columns::rows).sum();
        if is_of_another_hour || rows >= HELD_ROWS || self.waiting_bytes >= HELD_BYTES {
            self.write();
        }
        let place = self.waiting.iter().position(|columns| columns.shape().is(&shape));
        if place.is_none() && self.waiting.len() >= HELD_SHAPES {
            self.write();
        }
        if self.waiting.is_empty() {
            self.since = Instant::now();
        }
        self.waiting_bytes += row.len();
        match place.and_then(|place| self.waiting.get_mut(place)) {
            Some(columns) => columns.push_packed(row),
            None => {
                let mut columns = Columns::new(shape);
                columns.push_packed(row);
                self.waiting.push(columns);
            }
        }
    }

    /// Writes what waits, a file for each shape; what cannot be written is dropped and counted, and told once.
    fn write(&mut self) {
        self.waiting_bytes = 0;
        for columns in std::mem::take(&mut self.waiting) {
            self.write_rows(columns);
        }
    }

    fn write_rows(&mut self, columns: Columns) {
        let Some(first_us) = columns.first_us() else { return };
        let number = columns.rows() as u64;
        let path = read::path(&self.folder, first_us, self.files);
        self.files += 1;
        let noted = keys::note(&self.folder, self.fingerprint.as_deref());
        match noted.and_then(|()| write_columns(&path, columns)) {
            Ok(()) => {
                self.counts.written.fetch_add(number, Ordering::Relaxed);
                let bytes = path.metadata().map_or(0, |file| file.len());
                self.counts.size_bytes.fetch_add(bytes, Ordering::Relaxed);
                if self.is_failing {
                    tracing::info!("predictions are logged again");
                }
                self.is_failing = false;
            }
            Err(error) => {
                self.counts.dropped_by_disk.fetch_add(number, Ordering::Relaxed);
                if !self.is_failing {
                    tracing::error!("predictions are not logged until this is mended: {error:#}");
                }
                self.is_failing = true;
            }
        }
    }

    fn keep_bounds(&mut self) {
        if self.bounded.is_some_and(|last| last.elapsed() < BOUNDS_EVERY) {
            return;
        }
        let (wall, monotonic) = (jiff::Timestamp::now(), Instant::now());
        self.bounded = Some(monotonic);
        self.keep_bounds_at(wall, monotonic);
        if let Err(error) = self.merging.begin(&self.folder, wall.as_microsecond()) {
            tracing::error!("the files of past hours cannot be merged: {error:#}");
        }
    }

    /// Deletes by size, and by age where the clock can be believed.
    fn keep_bounds_at(&mut self, wall: jiff::Timestamp, monotonic: Instant) {
        let verdict = self.clock.look(wall, monotonic);
        if let Verdict::Jumped(by) = verdict {
            tracing::warn!(
                "the clock jumped {}: no kept prediction is deleted for its age until the clock is back or was steady for \
                 an hour",
                by_words(by)
            );
        }
        match bounds::keep(&self.folder, &self.config, verdict.is_believed().then_some(wall)) {
            Ok(size_bytes) => self.counts.size_bytes.store(size_bytes, Ordering::Relaxed),
            Err(error) => tracing::error!("old predictions cannot be deleted: {error:#}"),
        }
    }

    /// A step of the merging, while no answer waits.
    fn merge(&mut self) {
        self.files += 1;
        if let Err(error) = self.merging.step(&self.folder, self.files) {
            tracing::error!("the files of a past hour stay as they are: {error:#}");
        }
    }

    fn end_cut_off(&self) {
        let ended = replaced::merging(&self.folder).and_then(|lock| match lock {
            Some(_alone) => replaced::end_cut_off(&self.folder),
            None => Ok(()),
        });
        if let Err(error) = ended {
            tracing::error!("what was being merged cannot be ended: {error:#}");
        }
    }
}

/// Writes a file aside and puts it in its place.
pub fn write_file(path: &Path, shape: &Arc<Shape>, rows: &[Record]) -> anyhow::Result<()> {
    let mut writer = begin_file(path, shape)?;
    for rows in rows.chunks(HELD_ROWS) {
        writer.write(Columns::of(shape, rows).into_output())?;
    }
    Ok(writer.finish_with_checksum()?)
}

fn write_columns(path: &Path, columns: Columns) -> anyhow::Result<()> {
    let mut writer = begin_file(path, columns.shape())?;
    writer.write(columns.into_output())?;
    Ok(writer.finish_with_checksum()?)
}

/// Begins a file beside its place.
pub fn begin_file(path: &Path, shape: &Shape) -> anyhow::Result<TableWriter> {
    let failed = || format!("cannot write {}", path.display());
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).with_context(failed)?;
    let columns = shape.columns();
    Ok(TableWriter::create_of_distinct(path, OutputFormat::Parquet, &columns, &DISTINCT)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    /// A writer that started at these times.
    fn writer(folder: &Path, wall: jiff::Timestamp, monotonic: Instant) -> Writer {
        Writer {
            folder: folder.to_path_buf(),
            config: LogConfig::default(),
            counts: Arc::default(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            since: monotonic,
            fingerprint: None,
            bounded: None,
            clock: Clock::new(wall, monotonic),
            files: 0,
            is_failing: false,
            merging: Merging::default(),
        }
    }

    #[test]
    fn a_clock_that_jumps_ahead_deletes_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let (wall, monotonic) = (jiff::Timestamp::now(), Instant::now());
        let mut writer = writer(dir.path(), wall, monotonic);
        let file = read::path(dir.path(), wall.as_microsecond(), 0);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "answers").unwrap();
        let mut is_kept = |seconds: u64, ahead: Duration| {
            let passed = Duration::from_secs(seconds);
            writer.keep_bounds_at(wall + passed + ahead, monotonic + passed);
            file.exists()
        };
        assert!(is_kept(75, 34 * DAY), "the clock went ahead");
        assert!(is_kept(150, Duration::ZERO), "it came back");
        assert!(is_kept(200, 34 * DAY) && is_kept(3_700, 34 * DAY));
        assert!(!is_kept(3_801, 34 * DAY), "it was steady for an hour, and the log keeps 30 days");
    }
}
