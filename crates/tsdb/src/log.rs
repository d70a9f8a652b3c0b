//! How large the log may be: what it holds is worth a checkpoint when that is much smaller.
//!
//! The log has every sample as it came, five to ten bytes each; a checkpoint has the head's compressed chunks, about one
//! byte each. Writing one costs time in proportion to the head, so it is written when the log has grown to a
//! multiple of it, or when the log hardly grows any more: behind a burst.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::db::{Inner, Upkeep, guard};
use crate::error::Error;
use crate::files;
use crate::head::Copy;
use crate::maintain::Maintenance;
use crate::wal::{CHECKPOINT, SEGMENT, checkpoint};

/// A log up to this size stays as it is.
const SMALL: u64 = 1 << 20;
/// A log over this size, and over twice that of the last checkpoint, is cut however fast it grows.
const LARGE: u64 = 64 << 20;
/// Time over which its growth is looked at.
const WATCH_MS: i64 = 10_000;
/// The log hardly grows when it would take this many such times to double.
const QUIET: u64 = 96;

/// Sizes of the log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Bytes behind the last checkpoint.
    bytes: AtomicU64,
    /// Bytes of the last checkpoint.
    checkpoint: AtomicU64,
    watch: Mutex<Watch>,
}

#[derive(Debug, Default)]
struct Watch {
    since_ms: Option<i64>,
    bytes: u64,
    is_quiet: bool,
}

impl Log {
    pub(crate) fn grew(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A checkpoint replaced so many bytes of it.
    fn replaced(&self, bytes: u64) {
        let _ = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |all| all.checked_sub(bytes));
        *guard(&self.watch) = Watch::default();
    }

    /// Takes the sizes that a directory has when it is opened; returns the number of the newest checkpoint.
    pub(crate) fn opened(&self, dir: &Path) -> Result<u64, Error> {
        let newest = self.found(dir)?;
        let segments = files::numbered(dir, SEGMENT)?.into_iter().filter(|(number, _)| *number >= newest);
        self.grew(segments.map(|(_, path)| files::size(&path)).sum());
        Ok(newest)
    }

    /// Takes the size of the newest checkpoint, and returns its number, 0 if there is none.
    pub(crate) fn found(&self, dir: &Path) -> Result<u64, Error> {
        let newest = files::numbered(dir, CHECKPOINT)?.pop();
        self.checkpoint.store(newest.as_ref().map_or(0, |(_, path)| files::size(path)), Ordering::Relaxed);
        Ok(newest.map_or(0, |(number, _)| number))
    }

    /// Tells whether a checkpoint is worth writing.
    pub(crate) fn is_due(&self, now_ms: i64) -> bool {
        let (bytes, checkpoint) =
            (self.bytes.load(Ordering::Relaxed), self.checkpoint.load(Ordering::Relaxed));
        let mut watch = guard(&self.watch);
        match watch.since_ms {
            Some(since) if (0..WATCH_MS).contains(&now_ms.saturating_sub(since)) => {}
            since => {
                let growth = bytes.saturating_sub(watch.bytes);
                watch.is_quiet = since.is_some() && growth.saturating_mul(QUIET) < bytes;
                (watch.since_ms, watch.bytes) = (Some(now_ms), bytes);
            }
        }
        let worth = if watch.is_quiet { checkpoint / 4 } else { LARGE.max(checkpoint.saturating_mul(2)) };
        bytes > SMALL && bytes > worth
    }
}

impl Inner {
    /// Has the log begin with the head as it is: what was deleted or superseded before is not in it.
    pub(crate) fn cut_log(&self, upkeep: &mut Upkeep) -> Result<(), Error> {
        let boundary = self.boundary.load(Ordering::Acquire);
        self.checkpoint(boundary, &mut Maintenance::default())?;
        self.trim_log(upkeep)
    }

    /// Deletes the segments that a checkpoint has replaced and no follower needs, or that are two block ranges old.
    pub(crate) fn trim_log(&self, upkeep: &Upkeep) -> Result<(), Error> {
        let Some(dir) = self.log_dir() else { return Ok(()) };
        let Some((newest, _)) = files::numbered(&dir, CHECKPOINT)?.pop() else { return Ok(()) };
        let needed = self.followers.oldest().unwrap_or(newest).max(upkeep.flushed[0]);
        checkpoint::remove_older(&dir, newest, needed)
    }

    /// Copies the head to a file that replaces the log so far; returns the number of the segment that it ends before.
    pub(crate) fn checkpoint(&self, boundary: i64, done: &mut Maintenance) -> Result<u64, Error> {
        let Some(dir) = self.log_dir() else { return Ok(0) };
        let (number, last_id, copies, replaced) = {
            let mut commits = guard(&self.commits);
            let Some(writer) = &mut commits.writer else { return Ok(0) };
            writer.roll()?;
            let number = writer.position.segment;
            *guard(&self.end) = Some(writer.position);
            done.series_removed += self.head.collect(boundary) as u64;
            let copies: Vec<Copy> = self.head.series().into_iter().filter_map(Copy::of).collect();
            (number, self.head.last_id(), copies, self.log.bytes.load(Ordering::Relaxed))
        };
        let format = Copy::format_of(&copies);
        let saved = copies.into_iter().map(Copy::saved);
        checkpoint::write(&dir, number, boundary, last_id, format, saved)?;
        self.log.replaced(replaced);
        self.log.found(&dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_cut_when_it_is_large_or_hardly_grows() {
        let log = Log::default();
        log.grew(10 << 20);
        assert!(!log.is_due(0), "nothing is known of its growth");
        log.grew(10 << 20);
        assert!(!log.is_due(5_000) && !log.is_due(10_000), "it grows");
        log.grew(1000);
        assert!(!log.is_due(19_999));
        assert!(log.is_due(20_000), "it hardly grew in ten seconds");
        log.grew(50 << 20);
        assert!(log.is_due(20_001), "large, whatever the next look will say");
        log.checkpoint.store(40 << 20, Ordering::Relaxed);
        assert!(log.is_due(29_999));
        assert!(!log.is_due(30_000), "it grows, and is not twice its checkpoint");
        log.replaced(70 << 20);
        assert!(!log.is_due(40_000) && !log.is_due(50_000), "nothing is left of it");
        log.grew(9 << 20);
        assert!(
            !log.is_due(60_000) && !log.is_due(70_000),
            "quiet, and less than a quarter of the checkpoint"
        );
        log.grew(2 << 20);
        assert!(!log.is_due(80_000) && log.is_due(90_000));
        assert!(log.is_due(30_000) && log.is_due(40_000), "whatever the clock was set to");
    }
}
