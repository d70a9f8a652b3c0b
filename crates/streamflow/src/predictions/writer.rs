//! The queue of rows, and the thread that writes them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use streamflow_dataset::{OutputFormat, TableWriter};

use super::merge::Merging;
use super::record::{Record, Shape, columns};
use super::{bounds, read, replaced};
use crate::config::LogConfig;

/// Rows that wait to be written.
const QUEUE_ROWS: usize = 16_384;

/// Rows of a file, at most: what is held in memory.
const FILE_ROWS: usize = 50_000;

/// How long an answer is waited for between two steps of the merging.
const MERGE_WAIT: Duration = Duration::from_millis(2);

/// How often old hours, and hours to merge, are looked for.
const BOUNDS_EVERY: Duration = Duration::from_secs(60);

const HOUR_US: i64 = 3_600_000_000;

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

enum Message {
    Row(Box<Record>),
    End,
}

/// Where rows are sent to. Cloning is cheap.
#[derive(Clone)]
pub struct Sink {
    queue: SyncSender<Message>,
    counts: Arc<Counts>,
}

impl Sink {
    /// Sends a row; never waits.
    pub fn send(&self, record: Record) {
        if self.queue.try_send(Message::Row(Box::new(record))).is_err() {
            self.counts.dropped_by_queue.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What became of rows.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// The thread that writes.
pub struct Writing {
    thread: JoinHandle<()>,
    queue: SyncSender<Message>,
}

impl Writing {
    /// Writes what waits and ends.
    pub fn end(self) {
        // The thread has gone where nobody takes the message.
        let _ = self.queue.send(Message::End);
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
    let (queue, rows) = sync_channel(QUEUE_ROWS);
    let counts = Arc::new(Counts::default());
    let mut writer = Writer {
        folder: folder.to_path_buf(),
        config: config.clone(),
        counts: counts.clone(),
        waiting: Vec::new(),
        since: Instant::now(),
        bounded: None,
        files: 0,
        is_failing: false,
        merging: Merging::default(),
    };
    let thread = std::thread::Builder::new().name("prediction-log".to_owned());
    let thread = thread.spawn(move || writer.run(&rows)).context("cannot start the writer of predictions")?;
    Ok((Sink { queue: queue.clone(), counts }, Writing { thread, queue }))
}

struct Writer {
    folder: PathBuf,
    config: LogConfig,
    counts: Arc<Counts>,
    /// Rows of one shape and one hour.
    waiting: Vec<Record>,
    /// When the first of them came.
    since: Instant,
    /// When the bounds were last kept.
    bounded: Option<Instant>,
    files: u64,
    is_failing: bool,
    merging: Merging,
}

impl Writer {
    fn run(&mut self, rows: &Receiver<Message>) {
        read::remove_unfinished(&self.folder);
        self.end_cut_off();
        let flush = Duration::from_secs(u64::from(self.config.flush_seconds.get()));
        loop {
            self.keep_bounds();
            let wait = match (self.merging.is_busy(), self.waiting.is_empty()) {
                (true, _) => MERGE_WAIT,
                (false, true) => BOUNDS_EVERY,
                (false, false) => flush.saturating_sub(self.since.elapsed()),
            };
            match rows.recv_timeout(wait) {
                Ok(Message::Row(record)) => self.take(*record),
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => {
                    self.write();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => self.merge(),
            }
            if !self.waiting.is_empty() && self.since.elapsed() >= flush {
                self.write();
            }
        }
    }

    fn take(&mut self, record: Record) {
        let is_other = self.waiting.first().is_some_and(|first| {
            !Arc::ptr_eq(&first.shape, &record.shape) || first.time_us / HOUR_US != record.time_us / HOUR_US
        });
        if is_other || self.waiting.len() >= FILE_ROWS {
            self.write();
        }
        if self.waiting.is_empty() {
            self.since = Instant::now();
        }
        self.waiting.push(record);
    }

    /// Writes what waits as a file; what cannot be written is dropped and counted, and told once.
    fn write(&mut self) {
        let rows = std::mem::take(&mut self.waiting);
        let Some(first) = rows.first() else { return };
        let number = rows.len() as u64;
        let path = read::path(&self.folder, first.time_us, self.files);
        self.files += 1;
        let written = write_file(&path, &first.shape, &rows);
        match written {
            Ok(()) => {
                self.counts.written.fetch_add(number, Ordering::Relaxed);
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
        self.bounded = Some(Instant::now());
        match bounds::keep(&self.folder, &self.config, jiff::Timestamp::now()) {
            Ok(size_bytes) => self.counts.size_bytes.store(size_bytes, Ordering::Relaxed),
            Err(error) => tracing::error!("old predictions cannot be deleted: {error:#}"),
        }
        if let Err(error) = self.merging.begin(&self.folder, jiff::Timestamp::now().as_microsecond()) {
            tracing::error!("the files of past hours cannot be merged: {error:#}");
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
pub fn write_file(path: &Path, shape: &Shape, rows: &[Record]) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).with_context(failed)?;
    let mut writer = TableWriter::create(path, OutputFormat::Parquet, &shape.columns())?;
    writer.write(columns(shape, rows))?;
    writer.finish()?;
    Ok(())
}
