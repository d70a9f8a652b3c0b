//! A copy of a store that is a store.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::block;
use crate::db::{Db, guard};
use crate::error::Error;
use crate::files;
use crate::head::Copy;
use crate::options::Options;
use crate::wal::checkpoint;

impl Db {
    /// Copies everything committed so far to a new directory, which [`Db::open`] opens. Blocks are linked where the file
    /// system can, else copied; the head goes into a checkpoint. Appending goes on meanwhile.
    ///
    /// # Errors
    /// When the directory is there already, or a file cannot be written. What was begun is left under a name with
    /// the extension `tmp`.
    pub fn snapshot(&self, to: &Path) -> Result<(), Error> {
        if to.exists() {
            return Err(Error::Exists { path: to.to_owned() });
        }
        let _upkeep = guard(&self.0.upkeep);
        let (last_id, copies) = {
            let _commits = guard(&self.0.commits);
            // In memory no series is in a log, and all are copied.
            let all = self.0.head.series();
            if self.0.dir.is_none() {
                all.iter().for_each(|series| series.lock().logged = true);
            }
            (self.0.head.last_id(), all.into_iter().filter_map(Copy::of).collect::<Vec<_>>())
        };
        let aside = to.with_extension(files::ASIDE);
        if aside.exists() {
            // Left by an attempt that failed. Its files may be links to ours: they must not be written to.
            fs::remove_dir_all(&aside).map_err(Error::io("cannot remove", &aside))?;
        }
        let (blocks, log) = (aside.join("blocks"), aside.join("wal"));
        files::create_dir(&blocks)?;
        files::create_dir(&log)?;
        for source in self.0.blocks().iter() {
            let target = block::path(&blocks, source.id);
            files::create_dir(&target)?;
            for name in ["index", "chunks", "meta"] {
                let (from, to) = (source.dir.join(name), target.join(name));
                if fs::hard_link(&from, &to).is_err() {
                    fs::copy(&from, &to).map_err(Error::io("cannot copy", from))?;
                }
            }
            files::sync_dir(&target)?;
        }
        let boundary = self.0.boundary.load(Ordering::Acquire);
        checkpoint::write(&log, 1, boundary, last_id, copies.into_iter().map(Copy::saved))?;
        // The checkpoint stands for what is before this segment.
        drop(crate::wal::Writer::create(&log, 1, u64::MAX)?);
        files::sync_dir(&blocks)?;
        files::rename(&aside, to)
    }
}

/// Copies the store of a directory that no process has open.
///
/// # Errors
/// As [`Db::open`] and [`Db::snapshot`].
pub fn snapshot(dir: &Path, to: &Path) -> Result<(), Error> {
    if !dir.is_dir() {
        return Err(Error::io("cannot open", dir)(std::io::ErrorKind::NotFound.into()));
    }
    Db::open(dir, Options::default())?.snapshot(to)
}
