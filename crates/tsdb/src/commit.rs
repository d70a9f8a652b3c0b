//! How a batch becomes durable and visible.

use std::sync::atomic::Ordering;

use crate::batch::{Batch, Committed, Run, Waiting};
use crate::db::{Inner, guard};
use crate::error::Error;
use crate::format;
use crate::labels::Labels;
use crate::options::Fsync;
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
            if let Some(writer) = commits.writer.as_mut().filter(|_| !batch.samples.is_empty()) {
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
        let overtaken = |waiting: &Waiting| !waiting.behind && waiting.sample.timestamp < bounds.boundary;
        if !batch.samples.iter().any(overtaken) {
            return;
        }
        if bounds.out_of_order.is_some() {
            batch.samples.iter_mut().for_each(|waiting| waiting.behind |= overtaken(waiting));
            return;
        }
        let mut samples = std::mem::take(&mut batch.samples).into_iter();
        for run in &mut batch.runs {
            let before = batch.samples.len();
            let kept = samples.by_ref().take(run.samples as usize).filter(|waiting| !overtaken(waiting));
            batch.samples.extend(kept);
            let refused = run.samples - (batch.samples.len() - before) as u32;
            run.samples -= refused;
            run.series.lock().pending -= refused;
            committed.refused += u64::from(refused);
            (0..refused).for_each(|_| self.refused.overtaken());
        }
    }

    fn apply(&self, batch: &mut Batch, committed: &mut Committed) {
        let (cut, window) = (self.cut(), self.options.out_of_order_window_ms > 0);
        let mut newest = i64::MIN;
        let mut samples = std::mem::take(&mut batch.samples).into_iter();
        for Run { series, samples: count, .. } in std::mem::take(&mut batch.runs) {
            let mut state = series.lock();
            state.logged = true;
            state.pending -= count;
            for Waiting { sample, behind } in samples.by_ref().take(count as usize) {
                newest = newest.max(sample.timestamp);
                let inserted =
                    if behind { state.insert_behind(sample) } else { state.insert(sample, window, cut) };
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
    let formats = batch.samples.iter().map(|waiting| waiting.sample.format());
    formats.max().unwrap_or(format::NUMBERS)
}

/// The batch as one record, with the series that the log does not know yet.
fn encode(batch: &Batch) -> Result<Vec<u8>, Error> {
    let mut series: Vec<(u64, &Labels)> = batch
        .runs
        .iter()
        .filter(|run| !run.logged && run.samples > 0)
        .map(|run| (run.series.id, &run.series.labels))
        .collect();
    series.sort_unstable_by_key(|(id, _)| *id);
    series.dedup_by_key(|(id, _)| *id);
    let ids = batch.runs.iter().flat_map(|run| std::iter::repeat_n(run.series.id, run.samples as usize));
    let samples = batch.samples.iter().zip(ids).map(|(Waiting { sample, behind }, id)| Logged {
        id,
        timestamp: sample.timestamp,
        start: sample.start,
        value: &sample.value,
        behind: *behind,
    });
    let mut bytes = frame::open();
    bytes.reserve(8 * batch.samples.len());
    record::write_batch(&mut bytes, &series, (batch.samples.len(), samples));
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
