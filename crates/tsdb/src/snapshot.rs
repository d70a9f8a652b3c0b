//! A copy of a store that is a store.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::aggregates::{AGGREGATES, Resolution, Tier};
use crate::block::{self, tombstones};
use crate::damage::DamageLog;
use crate::db::{Db, guard};
use crate::delete::INTENT;
use crate::error::Error;
use crate::files;
use crate::head::Copy;
use crate::options::Options;
use crate::wal::{self, CHECKPOINT, SEGMENT, SEGMENT_MAGIC, checkpoint};

impl Db {
    /// Copies everything committed so far to a new directory, which [`Db::open`] opens. Blocks are linked where the file
    /// system can, else copied; the head goes into a checkpoint. Appending goes on meanwhile.
    ///
    /// # Errors
    /// When the directory is there already, or a file cannot be written. What was begun is left under a name with
    /// the extension `tmp`.
    pub fn snapshot(&self, to: &Path) -> Result<(), Error> {
        self.snapshot_of(to, true)
    }

    /// As [`Db::snapshot`], without what is not in blocks yet.
    ///
    /// # Errors
    /// As [`Db::snapshot`].
    pub fn snapshot_blocks(&self, to: &Path) -> Result<(), Error> {
        self.snapshot_of(to, false)
    }

    fn snapshot_of(&self, to: &Path, with_head: bool) -> Result<(), Error> {
        if to.exists() {
            return Err(Error::Exists { path: to.to_owned() });
        }
        let upkeep = guard(&self.0.upkeep);
        self.0.finish_deletion(&upkeep)?;
        let (last_id, copies) = {
            let _commits = guard(&self.0.commits);
            // In memory no series is in a log, and all are copied.
            let all = self.0.head.series();
            if self.0.dir.is_none() {
                all.iter().for_each(|series| series.lock().logged = true);
            }
            let copied = all.into_iter().filter(|_| with_head).filter_map(Copy::of);
            (self.0.head.last_id(), copied.collect::<Vec<_>>())
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
            link_block(&source.dir, &target)?;
        }
        for tier in &self.0.tiers {
            let blocks: Vec<_> = tier.blocks().iter().map(|block| (block.id, block.dir.clone())).collect();
            link_aggregates(&aside, tier.resolution, &blocks)?;
        }
        let boundary = self.0.boundary.load(Ordering::Acquire);
        let format = Copy::format_of(&copies);
        checkpoint::write(&log, 1, boundary, last_id, format, copies.into_iter().map(Copy::saved))?;
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

/// Removes what copies that were cut off, as by `kill -9`, have left in the folder that they were made in; none may be
/// under way there. A folder that is not there holds nothing.
///
/// # Errors
/// When the folder cannot be read, or something in it cannot be removed.
pub fn remove_unfinished_copies(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() { files::remove_unfinished(folder) } else { Ok(()) }
}

/// How often a copy is begun anew because the store's files were replaced meanwhile.
const ATTEMPTS: usize = 64;

/// Copies the store of a directory that another process may have open and be writing to: what is in it when the copy
/// begins, and perhaps some of what comes meanwhile. Blocks are linked where the file system can, else copied.
///
/// The copy is what `kill -9` would have left: as long as neither the blocks nor the checkpoint have changed between its
/// beginning and its end, only the log has grown meanwhile, and it is copied in its order and cut behind its last whole
/// record.
///
/// # Errors
/// When the directory to be made is there already, a file cannot be read or written, or the store's files were replaced
/// during each of many attempts. What was begun is left under a name with the extension `tmp`.
pub fn copy_in_use(dir: &Path, to: &Path) -> Result<(), Error> {
    if to.exists() {
        return Err(Error::Exists { path: to.to_owned() });
    }
    let aside = to.with_extension(files::ASIDE);
    for _ in 0..ATTEMPTS {
        if aside.exists() {
            // Its files may be links to those of the store: they must not be written to.
            fs::remove_dir_all(&aside).map_err(Error::io("cannot remove", &aside))?;
        }
        let before = Files::of(dir)?;
        match before.copy(&aside) {
            Ok(()) if Files::of(dir)?.holds_the_same(&before) => return files::rename(&aside, to),
            Ok(()) => {}
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Overtaken { path: dir.to_owned(), attempts: ATTEMPTS })
}

/// The files of a store that a copy needs.
struct Files {
    blocks: Vec<(u64, PathBuf)>,
    /// Those of aggregates, by resolution.
    aggregates: [Vec<(u64, PathBuf)>; 2],
    /// What was deleted of blocks, and what is being deleted: files that are replaced as a whole, by the number that the
    /// file system knows each by.
    deletions: Vec<(PathBuf, u64)>,
    checkpoint: Option<(u64, PathBuf)>,
    /// From the checkpoint on.
    segments: Vec<(u64, PathBuf)>,
}

impl Files {
    fn of(dir: &Path) -> Result<Self, Error> {
        let numbered = |folder: &str, prefix| match files::numbered(&dir.join(folder), prefix) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            found => found,
        };
        let blocks = numbered("blocks", block::BLOCK)?;
        let mut aggregates = [Vec::new(), Vec::new()];
        for (resolution, blocks) in Resolution::ALL.into_iter().zip(&mut aggregates) {
            *blocks = numbered(&format!("{AGGREGATES}/{}", resolution.name()), block::BLOCK)?;
        }
        let checkpoint = numbered("wal", CHECKPOINT)?.pop();
        let from = checkpoint.as_ref().map_or(0, |(number, _)| *number);
        let mut segments = numbered("wal", SEGMENT)?;
        segments.retain(|(number, _)| *number >= from);
        let of_blocks =
            blocks.iter().chain(aggregates.iter().flatten()).map(|(_, path)| path.join(tombstones::FILE));
        let deletions = of_blocks.chain([dir.join(INTENT)]);
        let deletions = deletions.filter_map(|path| Some((fs::metadata(&path).ok()?.ino(), path)));
        let deletions = deletions.map(|(number, path)| (path, number)).collect();
        Ok(Self { blocks, aggregates, deletions, checkpoint, segments })
    }

    /// True where the log alone differs.
    fn holds_the_same(&self, other: &Self) -> bool {
        self.blocks == other.blocks
            && self.aggregates == other.aggregates
            && self.deletions == other.deletions
            && self.checkpoint == other.checkpoint
    }

    fn copy(&self, to: &Path) -> Result<(), Error> {
        let (blocks, log) = (to.join("blocks"), to.join("wal"));
        files::create_dir(&blocks)?;
        files::create_dir(&log)?;
        for (id, source) in &self.blocks {
            link_block(source, &block::path(&blocks, *id))?;
        }
        for (resolution, blocks) in Resolution::ALL.into_iter().zip(&self.aggregates) {
            link_aggregates(to, resolution, blocks)?;
        }
        if let Some((intent, _)) = self.deletions.iter().find(|(path, _)| path.ends_with(INTENT)) {
            fs::copy(intent, to.join(INTENT)).map_err(Error::io("cannot copy", intent))?;
        }
        for (_, source) in self.checkpoint.iter().chain(&self.segments) {
            let target = log.join(source.file_name().unwrap_or_default());
            // Never linked: opening the copy cuts and continues its log.
            fs::copy(source, &target).map_err(Error::io("cannot copy", source))?;
        }
        if let Some((number, _)) = self.segments.last() {
            cut(&wal::segment_path(&log, *number))?;
        }
        files::sync_dir(&blocks)?;
        files::sync_dir(&log)
    }
}

/// Ends the last segment of a copy behind its last whole record: the next may have been written while it was copied.
fn cut(segment: &Path) -> Result<(), Error> {
    let found = wal::read_file(segment, SEGMENT_MAGIC, &DamageLog::default(), true, drop)?;
    let Some(torn) = found.torn else { return Ok(()) };
    let file = File::options().write(true).open(segment).map_err(Error::io("cannot open", segment))?;
    file.set_len(torn).map_err(Error::io("cannot cut", segment))
}

/// Makes blocks of aggregates in a copy; where there is none, no folder either.
fn link_aggregates(copy: &Path, resolution: Resolution, blocks: &[(u64, PathBuf)]) -> Result<(), Error> {
    if blocks.is_empty() {
        return Ok(());
    }
    let dir = Tier::dir(copy, resolution);
    files::create_dir(&dir)?;
    for (id, source) in blocks {
        link_block(source, &block::path(&dir, *id))?;
    }
    files::sync_dir(&dir)?;
    dir.parent().map_or(Ok(()), files::sync_dir)
}

/// Makes a directory of the files of a block, which never change, and of its tombstones, which are never written to again.
fn link_block(from: &Path, to: &Path) -> Result<(), Error> {
    files::create_dir(to)?;
    for name in ["index", "chunks", tombstones::FILE, "meta"] {
        let (from, to) = (from.join(name), to.join(name));
        match fs::hard_link(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && name == tombstones::FILE => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::io("cannot link", from)(error));
            }
            Err(_) => {
                fs::copy(&from, &to).map_err(Error::io("cannot copy", from))?;
            }
        }
    }
    files::sync_dir(to)
}
