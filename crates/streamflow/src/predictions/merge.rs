//! The small files of an hour that has ended become one for each version that answered.
//!
//! The writer's thread merges a file at a time while no answer waits, so memory holds the rows of one file, and answers
//! are written in between. A file is written aside, and takes the place of others in one moment: see `replaced`.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamflow_dataset::TableWriter;

use super::columns::Columns;
use super::read::{HOUR_US, entries, hours, name, parts, read_file};
use super::record::{Record, Shape};
use super::replaced;
use super::writer::begin_file;

/// How long after its end an hour is merged: answers of its last moments are written by then.
const AFTER_US: i64 = 5 * 60_000_000;

/// Which hours were looked at, and what is being merged.
#[derive(Default)]
pub struct Merging {
    /// The files of hours that there is nothing to merge of, or that cannot be merged.
    settled: HashMap<PathBuf, Vec<String>>,
    job: Option<Job>,
}

/// One hour that is being merged.
struct Job {
    hour: PathBuf,
    sources: VecDeque<PathBuf>,
    outputs: Vec<Output>,
    _lock: File,
}

/// The file of one version.
struct Output {
    shape: Arc<Shape>,
    path: PathBuf,
    writer: TableWriter,
    sources: Vec<PathBuf>,
}

impl Merging {
    /// Whether an hour is being merged.
    pub fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// Begins with the oldest hour that has ended and has several files, where there is one and nobody else merges.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn begin(&mut self, folder: &Path, now_us: i64) -> anyhow::Result<()> {
        if self.is_busy() {
            return Ok(());
        }
        for (start_us, hour) in hours(folder)? {
            if start_us.saturating_add(HOUR_US + AFTER_US) > now_us {
                break;
            }
            let files = parts(&entries(&hour)?)?;
            let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
            if files.len() < 2 || self.settled.get(&hour) == Some(&names) {
                continue;
            }
            let Some(lock) = replaced::merging(folder)? else { return Ok(()) };
            // Until it has worked: an hour with a damaged file is tried once.
            self.settled.insert(hour.clone(), names);
            let sources = files.into_iter().map(|(_, path)| path).collect();
            self.job = Some(Job { hour, sources, outputs: Vec::new(), _lock: lock });
            return Ok(());
        }
        Ok(())
    }

    /// Merges one file more, or puts what is whole in its place. `number` tells files of this process apart.
    ///
    /// # Errors
    /// A file that cannot be read or written; the hour stays as it is.
    pub fn step(&mut self, folder: &Path, number: u64) -> anyhow::Result<()> {
        let Some(job) = &mut self.job else { return Ok(()) };
        let done = match job.sources.pop_front() {
            Some(source) => job.take(&source, number).map(|()| false),
            None => job.end(folder),
        };
        // What was written aside goes with the job.
        match done {
            Ok(true) => {
                let job = self.job.take();
                if let Some(job) = job {
                    let names = parts(&entries(&job.hour)?)?.into_iter().map(|(name, _)| name);
                    self.settled.insert(job.hour, names.collect());
                }
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) => {
                self.job = None;
                Err(error)
            }
        }
    }
}

impl Job {
    fn take(&mut self, source: &Path, number: u64) -> anyhow::Result<()> {
        let mut rows: Vec<Record> = Vec::new();
        read_file(source, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        let Some(first) = rows.first() else { return Ok(()) };
        let place = match self.outputs.iter().position(|output| *output.shape == *first.shape) {
            Some(place) => place,
            None => {
                let path = self.free_path(first.time_us, number);
                let writer = begin_file(&path, &first.shape)?;
                let shape = first.shape.clone();
                self.outputs.push(Output { shape, path, writer, sources: Vec::new() });
                self.outputs.len() - 1
            }
        };
        let output = &mut self.outputs[place];
        output.writer.write(Columns::of(&output.shape, &rows).into_output())?;
        output.sources.push(source.to_path_buf());
        Ok(())
    }

    /// A name that no file has: processes may have the same number, and would write over what they merge.
    fn free_path(&self, time_us: i64, number: u64) -> PathBuf {
        let mut number = number;
        loop {
            let path = self.hour.join(name(time_us, number));
            if !path.exists() && self.outputs.iter().all(|output| output.path != path) {
                return path;
            }
            number = number.wrapping_add(1);
        }
    }

    /// Puts files in place of several; false while somebody reads.
    fn end(&mut self, folder: &Path) -> anyhow::Result<bool> {
        self.outputs.retain(|output| output.sources.len() > 1);
        let Some(_alone) = replaced::replacing(folder)? else { return Ok(false) };
        for Output { path, writer, sources, .. } in self.outputs.drain(..) {
            // What was deleted for its age or size meanwhile does not come back.
            if sources.iter().any(|source| !source.exists()) {
                continue;
            }
            replaced::announce(&path, &sources)?;
            writer.finish_with_checksum()?;
            replaced::delete(&path, &sources)?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
