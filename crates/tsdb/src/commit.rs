//! How a batch becomes durable and visible.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::batch::{Batch, Committed};
use crate::db::{Inner, guard};
use crate::error::Error;
use crate::format;
use crate::labels::Labels;
use crate::options::Fsync;
use crate::samples::Sample;
use crate::value::Value;
use crate::wal::frame::{self, HEAD, MAX_PAYLOAD};
use crate::wal::record::{self, Logged};

impl Inner {
    pub(crate) fn commit(&self, batch: &mut Batch) -> Result<Committed, Error> {
        let mut committed = Committed { samples: batch.present, refused: 0 };
        let number = {
            let mut commits = guard(&self.commits);
            if commits.closed {
                return Err(Error::Closed);
            }
            self.recheck(batch, &mut committed);
            if let Some(writer) = commits.writer.as_mut().filter(|_| !batch.entries.is_empty()) {
                let bytes = encode(batch)?;
                writer.append(&bytes, format_of(batch))?;
                self.log.grew(bytes.len() as u64);
                *guard(&self.end) = Some(writer.position);
            }
            self.apply(batch, &mut committed);
            commits.number += 1;
            commits.number
        };
        self.appended.fetch_add(committed.samples, Ordering::Relaxed);
        if self.options.fsync == Fsync::Always && self.dir.is_some() {
            self.sync(number)?;
        }
        Ok(committed)
    }

    /// Samples that were in order when added, and are before what has gone to blocks since.
    fn recheck(&self, batch: &mut Batch, committed: &mut Committed) {
        let bounds = self.bounds();
        batch.entries.retain_mut(|entry| {
            if entry.behind || entry.sample.timestamp >= bounds.boundary {
                return true;
            }
            entry.behind = bounds.out_of_order.is_some();
            if !entry.behind {
                entry.series.lock().pending -= 1;
                committed.refused += 1;
                self.refused.overtaken();
            }
            entry.behind
        });
    }

    fn apply(&self, batch: &mut Batch, committed: &mut Committed) {
        let (cut, window) = (self.cut(), self.options.out_of_order_window_ms > 0);
        let mut newest = i64::MIN;
        let mut entries = std::mem::take(&mut batch.entries);
        for entries in entries.chunk_by_mut(|a, b| Arc::ptr_eq(&a.series, &b.series)) {
            let series = Arc::clone(&entries[0].series);
            let mut state = series.lock();
            state.logged = true;
            for entry in entries {
                state.pending -= 1;
                newest = newest.max(entry.sample.timestamp);
                let value = std::mem::replace(&mut entry.sample.value, Value::Float(0.0));
                let sample = Sample { value, ..entry.sample };
                let inserted = if entry.behind {
                    state.insert_behind(sample)
                } else {
                    state.insert(sample, window, cut)
                };
                if inserted {
                    committed.samples += 1;
                } else {
                    committed.refused += 1;
                    self.refused.overtaken();
                }
            }
        }
        self.newest.fetch_max(newest, Ordering::Relaxed);
    }
}

/// The format of the file that the batch goes into.
fn format_of(batch: &Batch) -> u8 {
    let formats = batch.entries.iter().map(|entry| entry.sample.format());
    formats.max().unwrap_or(format::NUMBERS)
}

/// The batch as one record, with the series that the log does not know yet.
fn encode(batch: &Batch) -> Result<Vec<u8>, Error> {
    let mut series: Vec<(u64, &Labels)> = batch
        .entries
        .iter()
        .filter(|entry| !entry.logged)
        .map(|entry| (entry.series.id, &entry.series.labels))
        .collect();
    series.sort_unstable_by_key(|(id, _)| *id);
    series.dedup_by_key(|(id, _)| *id);
    let samples = batch.entries.iter().map(|entry| Logged {
        id: entry.series.id,
        timestamp: entry.sample.timestamp,
        start: entry.sample.start,
        value: &entry.sample.value,
        behind: entry.behind,
    });
    let mut bytes = frame::open();
    bytes.reserve(8 * batch.entries.len());
    record::write_batch(&mut bytes, &series, samples);
    if bytes.len() - HEAD > MAX_PAYLOAD {
        return Err(Error::BatchTooLarge { bytes: bytes.len() - HEAD, limit: MAX_PAYLOAD });
    }
    frame::close(&mut bytes);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::db::Db;
    use crate::options::Options;
    use crate::samples::Samples;

    fn count(db: &Db) -> usize {
        let mut samples = Samples::default();
        let read = |series: crate::series::Series| {
            series.read(&mut samples).unwrap();
            samples.len()
        };
        db.select(&[], i64::MIN, i64::MAX).unwrap().into_iter().map(read).sum()
    }

    fn commit(db: &Db, t: i64) -> Result<Committed, Error> {
        let mut batch = db.batch();
        for name in ["a", "b"] {
            batch.add(&Labels::new([("__name__", name)]), t, 1.0).unwrap();
        }
        batch.commit()
    }

    #[test]
    fn a_full_disk_refuses_the_whole_batch_and_the_store_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path(), Options::default()).unwrap();
        let swap = |file: File| guard(&db.0.commits).writer.as_mut().unwrap().replace_file(file);
        let real = swap(File::options().append(true).open("/dev/full").unwrap());
        assert!(matches!(commit(&db, 1), Err(Error::Io { .. })));
        assert_eq!(count(&db), 0, "nothing of it is seen");
        swap(real.try_clone().unwrap());
        commit(&db, 1).unwrap();
        swap(File::options().append(true).open("/dev/full").unwrap());
        assert!(matches!(commit(&db, 2), Err(Error::Io { .. })));
        assert_eq!(count(&db), 2);
        swap(real.try_clone().unwrap());
        commit(&db, 2).unwrap();
        drop(db);
        let db = Db::open(dir.path(), Options::default()).unwrap();
        assert_eq!((count(&db), db.damage()), (4, Vec::new()));
    }
}
