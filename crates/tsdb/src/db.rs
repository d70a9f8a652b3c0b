//! The store.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::aggregates::{Resolution, Tier};
use crate::batch::Batch;
use crate::block::Block;
use crate::damage::DamageLog;
use crate::error::Error;
use crate::files;
use crate::followers::Followers;
use crate::head::{Bounds, Cut, Head};
use crate::log::Log;
use crate::maintain::Maintenance;
use crate::options::Options;
use crate::recover::{self, Replay};
use crate::retention::{Kept, Oldest};
use crate::stats::RefusedCounters;
use crate::tail::{Position, Tail};
use crate::wal::Writer;

/// A store of samples. A clone is a reference to the same store; every method may be called from any thread.
#[derive(Debug, Clone)]
pub struct Db(pub(crate) Arc<Inner>);

/// What all clones share. Locks are taken in the order of the fields: `upkeep`, `synced`, `commits`, then the head's.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    /// `None` in memory.
    pub(crate) dir: Option<PathBuf>,
    /// Held for as long as the store is open.
    lock: Mutex<Option<File>>,
    pub(crate) damage: Arc<DamageLog>,
    pub(crate) refused: RefusedCounters,
    /// Before this everything is in blocks.
    pub(crate) boundary: AtomicI64,
    /// Newest sample ever seen.
    pub(crate) newest: AtomicI64,
    next_batch: AtomicU64,
    /// When the log was last forced to the disk by [`Db::sync_due`].
    last_sync_ms: AtomicI64,
    pub(crate) appended: AtomicU64,
    /// Held by what changes blocks.
    pub(crate) upkeep: Mutex<Upkeep>,
    /// The last commit that is on the disk for certain.
    pub(crate) synced: Mutex<u64>,
    /// Held while a batch becomes durable and visible: the log has batches in the order the head sees them.
    pub(crate) commits: Mutex<Commits>,
    /// What samples are too old.
    pub(crate) kept: Kept,
    pub(crate) followers: Followers,
    pub(crate) log: Log,
    /// End of the log: what is before is whole.
    pub(crate) end: Mutex<Option<Position>>,
    blocks: RwLock<Arc<[Arc<Block>]>>,
    /// Aggregates, by resolution.
    pub(crate) tiers: [Tier; 2],
    pub(crate) head: Head,
}

#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    pub(crate) next_block: u64,
    /// The segments that began with the last two checkpoints behind new blocks: the time that followers have.
    pub(crate) flushed: [u64; 2],
    pub(crate) oldest: Oldest,
}

#[derive(Debug, Default)]
pub(crate) struct Commits {
    pub(crate) writer: Option<Writer>,
    pub(crate) closed: bool,
    /// Commits so far.
    pub(crate) number: u64,
}

/// A lock whose holder panicked protects data that is still consistent: every change is made in one step.
pub(crate) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn new(options: Options) -> Self {
        Self {
            options: options.checked(),
            dir: None,
            lock: Mutex::default(),
            damage: Arc::default(),
            refused: RefusedCounters::default(),
            boundary: AtomicI64::new(i64::MIN),
            newest: AtomicI64::new(i64::MIN),
            next_batch: AtomicU64::new(1),
            last_sync_ms: AtomicI64::new(0),
            appended: AtomicU64::new(0),
            upkeep: Mutex::default(),
            synced: Mutex::default(),
            commits: Mutex::default(),
            kept: Kept::default(),
            followers: Followers::default(),
            log: Log::default(),
            end: Mutex::default(),
            blocks: RwLock::new(Arc::new([])),
            tiers: Resolution::ALL.map(Tier::empty),
            head: Head::default(),
        }
    }

    fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        let mut inner = Self::new(options);
        files::create_dir(dir)?;
        inner.lock = Mutex::new(Some(recover::lock(dir)?));
        inner.dir = Some(dir.to_owned());
        let log_dir = dir.join("wal");
        for dir in [inner.blocks_dir(), log_dir.clone()] {
            files::create_dir(&dir)?;
            files::remove_unfinished(&dir)?;
        }
        files::sync_dir(dir)?;
        let (blocks, last_block) = recover::open_blocks(&inner.blocks_dir(), None, &inner.damage, true)?;
        let last_block = inner.open_tiers(dir)?.max(last_block);
        let boundary = blocks.iter().map(|block| block.meta.range_end).max().unwrap_or(i64::MIN);
        let newest = blocks.iter().map(|block| block.meta.max_time).max().unwrap_or(i64::MIN);
        let mut replay = Replay::new(&inner.head, inner.cut(), boundary);
        let last_segment = replay.run(&log_dir, &inner.damage, true)?;
        (inner.boundary, inner.newest) = (replay.boundary.into(), newest.max(replay.newest).into());
        let writer = Writer::create(&log_dir, last_segment + 1, inner.options.segment_bytes)?;
        inner.end = Mutex::new(Some(writer.position));
        inner.commits = Mutex::new(Commits { writer: Some(writer), ..Commits::default() });
        let checkpoint = inner.log.opened(&log_dir)?;
        inner.upkeep =
            Mutex::new(Upkeep { next_block: last_block + 1, flushed: [0, checkpoint], ..Upkeep::default() });
        inner.blocks = RwLock::new(blocks.into());
        inner.finish_deletion(&guard(&inner.upkeep))?;
        Ok(inner)
    }

    /// Returns the highest number of a block: those of aggregates and of samples share their numbers.
    fn open_tiers(&mut self, dir: &Path) -> Result<u64, Error> {
        let mut last = 0;
        for place in &mut self.tiers {
            let (tier, highest) = Tier::open(dir, place.resolution, &self.damage, true)?;
            last = last.max(highest);
            *place = tier;
        }
        Ok(last)
    }

    pub(crate) fn tier(&self, resolution: Resolution) -> &Tier {
        match resolution {
            Resolution::FiveMinutes => &self.tiers[0],
            Resolution::OneHour => &self.tiers[1],
        }
    }

    /// Those of samples and those of aggregates.
    pub(crate) fn every_block(&self) -> Vec<Arc<Block>> {
        let mut blocks = self.blocks().to_vec();
        self.tiers.iter().for_each(|tier| blocks.extend(tier.blocks().iter().cloned()));
        blocks
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let window = self.options.out_of_order_window_ms;
        Bounds {
            boundary: self.boundary.load(Ordering::Acquire),
            out_of_order: (window > 0).then(|| self.newest.load(Ordering::Relaxed).saturating_sub(window)),
        }
    }

    pub(crate) fn cut(&self) -> Cut {
        Cut { samples: self.options.samples_per_chunk as u32, range_ms: self.options.block_duration_ms }
    }

    pub(crate) fn blocks_dir(&self) -> PathBuf {
        self.dir.as_deref().unwrap_or(Path::new("")).join("blocks")
    }

    pub(crate) fn log_dir(&self) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join("wal"))
    }

    /// Directory of the log and its end.
    pub(crate) fn log_end(&self) -> Option<(PathBuf, Position)> {
        self.log_dir().zip(*guard(&self.end))
    }

    pub(crate) fn blocks(&self) -> Arc<[Arc<Block>]> {
        Arc::clone(&self.blocks.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn change_blocks(&self, change: impl FnOnce(&mut Vec<Arc<Block>>)) {
        let mut blocks = self.blocks.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = blocks.to_vec();
        change(&mut changed);
        changed.sort_by_key(|block| (block.meta.min_time, block.id));
        *blocks = changed.into();
    }

    /// Forces commits up to this one to the disk; whoever waits meanwhile finds it done.
    pub(crate) fn sync(&self, number: u64) -> Result<(), Error> {
        let mut synced = guard(&self.synced);
        if *synced >= number {
            return Ok(());
        }
        let (latest, file) = {
            let commits = guard(&self.commits);
            (commits.number, commits.writer.as_ref().map(Writer::file))
        };
        if let Some(file) = file {
            file.sync_data().map_err(Error::io("cannot sync", self.log_dir().unwrap_or_default()))?;
        }
        *synced = latest;
        Ok(())
    }
}

impl Db {
    /// Opens the store in a directory, made if it is not there, and locks it. Damage does not keep it from opening:
    /// see [`Stats::damage`](crate::Stats::damage).
    ///
    /// # Errors
    /// When another process has it open, or the directory cannot be read or written.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        Inner::open(dir, options).map(|inner| Self(Arc::new(inner)))
    }

    /// A store without files: everything stays in memory until it is dropped.
    #[must_use]
    pub fn in_memory(options: Options) -> Self {
        Self(Arc::new(Inner::new(options)))
    }

    /// Begins a batch.
    #[must_use]
    pub fn batch(&self) -> Batch {
        let id = self.0.next_batch.fetch_add(1, Ordering::Relaxed);
        Batch { store: Arc::clone(&self.0), id, runs: Vec::new(), samples: Vec::new(), present: 0 }
    }

    /// Writes finished ranges of the head to blocks, merges blocks, deletes old ones. To be called every minute or so
    /// with the time, milliseconds since 1970. Appending and reading go on meanwhile.
    ///
    /// # Errors
    /// When a file cannot be written or read: nothing is lost, the next call tries again.
    pub fn maintain(&self, now_ms: i64) -> Result<Maintenance, Error> {
        self.0.maintain(now_ms)
    }

    /// Tells whether [`Db::maintain`] is worth calling before its time: the log has grown large beside what it stands for, or a
    /// burst is over and the log is what is left of it. To be asked every second or so; it is cheap.
    #[must_use]
    pub fn maintenance_due(&self, now_ms: i64) -> bool {
        self.0.dir.is_some() && self.0.log.is_due(now_ms)
    }

    /// Forces all commits so far to the disk.
    ///
    /// # Errors
    /// When the operating system cannot.
    pub fn sync(&self) -> Result<(), Error> {
        let number = guard(&self.0.commits).number;
        self.0.sync(number)
    }

    /// [`Db::sync`] when the interval of [`Fsync::Interval`](crate::Fsync::Interval) has passed since the last time;
    /// true if it was done.
    ///
    /// # Errors
    /// As [`Db::sync`].
    pub fn sync_due(&self, now_ms: i64) -> Result<bool, Error> {
        let crate::options::Fsync::Interval(interval) = self.0.options.fsync else { return Ok(false) };
        let last = self.0.last_sync_ms.load(Ordering::Relaxed);
        if u128::from(now_ms.saturating_sub(last).unsigned_abs()) < interval.as_millis() {
            return Ok(false);
        }
        self.0.last_sync_ms.store(now_ms, Ordering::Relaxed);
        self.sync().map(|()| true)
    }

    /// Ends writing: what is committed is forced to the disk, later commits fail, the directory is free for another
    /// process. Reading goes on.
    ///
    /// # Errors
    /// As [`Db::sync`].
    pub fn close(&self) -> Result<(), Error> {
        let synced = self.sync();
        let _upkeep = guard(&self.0.upkeep);
        let mut commits = guard(&self.0.commits);
        commits.closed = true;
        commits.writer = None;
        drop(guard(&self.0.lock).take());
        synced
    }

    /// Time of the newest sample that was ever stored, in milliseconds since 1970; `None` before the first.
    #[must_use]
    pub fn newest_ms(&self) -> Option<i64> {
        Some(self.0.newest.load(Ordering::Relaxed)).filter(|newest| *newest > i64::MIN)
    }

    /// Follows the write-ahead log from a position on.
    #[must_use]
    pub fn tail(&self, from: Position) -> Tail {
        Tail::new(Arc::clone(&self.0), from)
    }

    /// End of the write-ahead log: what a new follower that wants no history begins with.
    #[must_use]
    pub fn position(&self) -> Position {
        guard(&self.0.end).unwrap_or_default()
    }
}
