//! Deleting samples: out of the head at once, marked in blocks, and gone from the disk when those are rewritten.
//!
//! A deletion is whole or not there, whatever ends the process: what it concerns is written to one file first, the *intent*,
//! which is removed in the same moment in which the log has its part. An intent that is found is done again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::damage::DamageLog;
use crate::db::{Commits, Db, Inner, Upkeep, guard};
use crate::error::Error;
use crate::files;
use crate::format;
use crate::matcher::Matcher;
use crate::varint::{self, Reader};
use crate::wal::{frame, record};

/// First bytes of an intent; the last is the format's version.
pub(crate) const MAGIC: &[u8; 8] = b"SFDEL\0\0\x01";
/// Name of its file in the store's directory.
pub(crate) const INTENT: &str = "deletion";

/// What [`Db::delete`] found to delete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Series of the head that lost samples.
    pub head_series: u64,
    /// Series of blocks with samples in the range, counted in each block.
    pub block_series: u64,
}

/// The samples that a deletion concerns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deletion {
    min: i64,
    max: i64,
    /// Numbers of series of the head, ascending.
    head: Vec<u64>,
    /// Blocks, and the numbers of series in them, ascending.
    blocks: Vec<(u64, Vec<u64>)>,
}

impl Deletion {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        varint::write_signed(&mut bytes, self.min);
        varint::write_signed(&mut bytes, self.max);
        record::write_numbers(&mut bytes, &self.head);
        varint::write(&mut bytes, self.blocks.len() as u64);
        for (block, series) in &self.blocks {
            varint::write(&mut bytes, *block);
            record::write_numbers(&mut bytes, series);
        }
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        let mut from = Reader::new(body.strip_prefix(MAGIC)?);
        let (min, max) = (from.signed()?, from.signed()?);
        let head = record::read_numbers(&mut from)?;
        let count = from.count()?;
        let mut blocks = Vec::with_capacity(count);
        for _ in 0..count {
            blocks.push((from.unsigned()?, record::read_numbers(&mut from)?));
        }
        let whole = from.rest.is_empty() && crc == crc32fast::hash(body).to_le_bytes();
        whole.then_some(Self { min, max, head, blocks })
    }

    /// Makes it the intent of a store's directory.
    fn save(&self, dir: &Path) -> Result<(), Error> {
        let target = dir.join(INTENT);
        let aside = target.with_extension(files::ASIDE);
        files::write(&aside, &self.write())?;
        files::rename(&aside, &target)
    }

    /// The intent of a store's directory. One that is damaged is listed and counts as none.
    pub(crate) fn open(dir: &Path, damage: &DamageLog) -> Result<Option<Self>, Error> {
        let path = dir.join(INTENT);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("cannot read", path)(error)),
        };
        let deletion = Self::read(&bytes);
        if deletion.is_none() {
            let what = "damaged: the deletion that was being done is not finished; delete again";
            damage.add(&path, what, None);
        }
        Ok(deletion)
    }
}

impl Db {
    /// Deletes the samples from `min_ms` to `max_ms`, both inclusive, of the series that meet all matchers of any of the
    /// sets; no set means no series. When it returns they are in no answer any more and do not come back, whatever ends
    /// the process. Samples added later are not touched, whatever their time.
    ///
    /// Blocks keep the bytes until they are merged, or until [`Db::clean_tombstones`]; followers of the log still see
    /// what they had not read.
    ///
    /// # Errors
    /// When a file cannot be read or written. A deletion that was begun is done in full by the next call of
    /// [`Db::maintain`], by the next deletion, or when the store is opened.
    pub fn delete(&self, sets: &[Vec<Matcher>], min_ms: i64, max_ms: i64) -> Result<Deleted, Error> {
        let inner = &self.0;
        let upkeep = guard(&inner.upkeep);
        inner.open_or_closed()?;
        inner.finish_deletion(&upkeep)?;
        if min_ms > max_ms {
            return Ok(Deleted::default());
        }
        let deletion = inner.plan_deletion(sets, min_ms, max_ms)?;
        if let Some(dir) = &inner.dir {
            deletion.save(dir)?;
        }
        inner.do_deletion(&deletion)
    }

    /// Rewrites the blocks that have deleted samples, without them, and the log if it has any: then nothing of them is
    /// on the disk, but for what followers of the log have yet to read. Returns how many blocks it wrote anew.
    ///
    /// # Errors
    /// When a file cannot be read or written; when a block with deleted samples is damaged, which stays as it is.
    pub fn clean_tombstones(&self) -> Result<u64, Error> {
        let inner = &self.0;
        let mut upkeep = guard(&inner.upkeep);
        inner.open_or_closed()?;
        inner.finish_deletion(&upkeep)?;
        let mut cleaned = 0;
        let mut damaged = None;
        for block in inner.blocks().iter().filter(|block| block.tombstones().series() > 0) {
            inner.merge(&[Arc::clone(block)], &mut upkeep)?;
            if inner.blocks().iter().any(|other| other.id == block.id) {
                damaged = Some(block.dir.clone());
            } else {
                cleaned += 1;
            }
        }
        for tier in &inner.tiers {
            for block in tier.blocks().iter().filter(|block| block.tombstones().series() > 0) {
                inner.merge_aggregates(tier, &[Arc::clone(block)], &mut upkeep)?;
                if tier.blocks().iter().any(|other| other.id == block.id) {
                    damaged = Some(block.dir.clone());
                } else {
                    cleaned += 1;
                }
            }
        }
        inner.cut_log(&mut upkeep)?;
        match damaged {
            None => Ok(cleaned),
            Some(path) => {
                let what = "the block is damaged, so it was not rewritten without its deleted samples";
                Err(Error::Damaged { path, what: what.to_owned() })
            }
        }
    }
}

impl Inner {
    fn open_or_closed(&self) -> Result<(), Error> {
        if guard(&self.commits).closed { Err(Error::Closed) } else { Ok(()) }
    }

    fn plan_deletion(&self, sets: &[Vec<Matcher>], min: i64, max: i64) -> Result<Deletion, Error> {
        let mut deletion = Deletion { min, max, ..Deletion::default() };
        for matchers in sets {
            // Series without samples in the range as well: the log may have some that are in blocks by now, and that
            // would be read again.
            deletion.head.extend(self.head.matching_all(matchers).iter().map(|series| series.id));
        }
        deletion.head.sort_unstable();
        deletion.head.dedup();
        for block in self.every_block().iter().filter(|block| block.meta.overlaps(min, max)) {
            let mut series = Vec::new();
            for matchers in sets {
                for found in block.cursor(matchers, min, max) {
                    series.push(found?.1.series);
                }
            }
            series.sort_unstable();
            series.dedup();
            if !series.is_empty() {
                deletion.blocks.push((block.id, series));
            }
        }
        Ok(deletion)
    }

    /// Does what an intent says, again if it was done in part, and removes it.
    fn do_deletion(&self, deletion: &Deletion) -> Result<Deleted, Error> {
        let mut deleted = Deleted::default();
        let blocks = self.every_block();
        for (id, series) in &deletion.blocks {
            if let Some(block) = blocks.iter().find(|block| block.id == *id) {
                block.delete(series, deletion.min, deletion.max)?;
                deleted.block_series += series.len() as u64;
            }
        }
        let number = {
            let mut commits = guard(&self.commits);
            deleted.head_series = self.delete_from_head(deletion, &mut commits)?;
            commits.number
        };
        self.sync(number)?;
        Ok(deleted)
    }

    /// Nothing is committed between the log's record and the intent's end: a sample that comes later is never deleted.
    fn delete_from_head(&self, deletion: &Deletion, commits: &mut Commits) -> Result<u64, Error> {
        if self.dir.is_some() {
            let Some(writer) = commits.writer.as_mut() else { return Err(Error::Closed) };
            let mut bytes = frame::open();
            record::write_deletion(&mut bytes, deletion.min, deletion.max, &deletion.head);
            frame::close(&mut bytes);
            writer.append(&bytes, format::HISTOGRAMS)?;
            writer.sync()?;
            *guard(&self.end) = Some(writer.position);
        }
        commits.number += 1;
        let series = deletion.head.iter().filter_map(|id| self.head.get(*id));
        let changed = series.filter(|series| series.lock().delete(deletion.min, deletion.max)).count();
        if let Some(dir) = &self.dir {
            remove(&dir.join(INTENT))?;
        }
        Ok(changed as u64)
    }

    /// Does the deletion that was begun, if there is one.
    pub(crate) fn finish_deletion(&self, _held: &Upkeep) -> Result<(), Error> {
        let Some(dir) = &self.dir else { return Ok(()) };
        match Deletion::open(dir, &self.damage)? {
            Some(deletion) => self.do_deletion(&deletion).map(drop),
            None => Ok(()),
        }
    }
}

fn remove(path: &PathBuf) -> Result<(), Error> {
    match fs::remove_file(path) {
        Ok(()) => files::sync_dir(path.parent().unwrap_or(Path::new("."))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("cannot remove", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::labels::Labels;
    use crate::matcher::MatchOp;
    use crate::options::Options;
    use crate::samples::Samples;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    fn filled(dir: &Path) -> Db {
        let db = Db::open(dir, Options::default()).unwrap();
        for t in (0..8 * HOUR).step_by(600_000) {
            let mut batch = db.batch();
            for name in ["a", "b"] {
                batch.add(&Labels::new([("__name__", name)]), t, 1.0).unwrap();
            }
            batch.commit().unwrap();
        }
        db.maintain(8 * HOUR).unwrap();
        db
    }

    fn a() -> Vec<Vec<Matcher>> {
        vec![vec![Matcher::new("__name__", MatchOp::Equal, "a").unwrap()]]
    }

    fn counts(db: &Db) -> Vec<usize> {
        let mut samples = Samples::default();
        let selected = db.select(&[], i64::MIN, i64::MAX).unwrap();
        let read = selected.iter().map(|series| {
            series.read(&mut samples).unwrap();
            samples.len()
        });
        read.collect()
    }

    /// The process ends behind each step of a deletion.
    #[test]
    fn a_deletion_that_was_cut_off_is_done_in_full() {
        for blocks in [0, 1, usize::MAX] {
            let dir = tempfile::tempdir().unwrap();
            let db = filled(dir.path());
            let deletion = db.0.plan_deletion(&a(), HOUR, 8 * HOUR).unwrap();
            deletion.save(dir.path()).unwrap();
            for (id, series) in deletion.blocks.iter().take(blocks) {
                let served = db.0.blocks();
                let block = served.iter().find(|block| block.id == *id).unwrap();
                block.delete(series, deletion.min, deletion.max).unwrap();
            }
            assert!(!deletion.blocks.is_empty() && !deletion.head.is_empty());
            let copy = dir.path().join("copy");
            crate::copy_in_use(dir.path(), &copy).unwrap();
            drop(db);
            for dir in [dir.path(), &copy] {
                let db = Db::open(dir, Options::default()).unwrap();
                assert_eq!((counts(&db), db.damage()), (vec![6, 48], Vec::new()), "{blocks}");
                assert!(!dir.join(INTENT).exists());
            }
        }
    }

    #[test]
    fn a_full_disk_leaves_a_deletion_to_the_upkeep() {
        let dir = tempfile::tempdir().unwrap();
        let db = filled(dir.path());
        let swap = |file: File| guard(&db.0.commits).writer.as_mut().unwrap().replace_file(file);
        let real = swap(File::options().append(true).open("/dev/full").unwrap());
        let error = db.delete(&a(), HOUR, 8 * HOUR).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
        assert_eq!(counts(&db)[1], 48);
        swap(real.try_clone().unwrap());
        db.maintain(8 * HOUR).unwrap();
        assert_eq!(counts(&db), [6, 48]);
        drop(db);
        let db = Db::open(dir.path(), Options::default()).unwrap();
        assert_eq!((counts(&db), db.damage()), (vec![6, 48], Vec::new()));
    }

    proptest! {
        #[test]
        fn intents_come_back(min in any::<i64>(), max in any::<i64>(), head in proptest::collection::vec(any::<u64>(), 0..9),
                             blocks in proptest::collection::vec((any::<u64>(), proptest::collection::vec(any::<u64>(), 0..9)), 0..4)) {
            let deletion = Deletion { min, max, head, blocks };
            let bytes = deletion.write();
            prop_assert_eq!(Deletion::read(&bytes), Some(deletion));
            for at in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                prop_assert_eq!(Deletion::read(&flipped), None);
            }
        }
    }
}
