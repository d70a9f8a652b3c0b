//! The whole head in one file, in place of the segments before it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::record::{self, SavedSeries};
use super::{CHECKPOINT, SEGMENT, frame};
use crate::error::Error;
use crate::files;

/// First bytes of a checkpoint; the last is the format's version.
pub(crate) const MAGIC: &[u8; 8] = b"SFCKP\0\0\x01";

pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{CHECKPOINT}{number:08}"))
}

/// Writes a checkpoint that stands for everything before segment `number`.
pub(crate) fn write(
    dir: &Path,
    number: u64,
    boundary: i64,
    next_id: u64,
    format: u8,
    series: impl Iterator<Item = SavedSeries>,
) -> Result<(), Error> {
    let target = path(dir, number);
    let aside = target.with_extension(files::ASIDE);
    let file = File::create(&aside).map_err(Error::io("cannot create", &aside))?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    let failed = |error| Error::io("cannot write", &aside)(error);
    out.write_all(&super::of_format(MAGIC, format)).map_err(failed)?;
    let mut put = |fill: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = frame::open();
        fill(&mut bytes);
        frame::close(&mut bytes);
        out.write_all(&bytes).map_err(failed)
    };
    put(&|into| record::write_checkpoint_head(into, boundary, next_id))?;
    let mut count = 0;
    for saved in series {
        put(&|into| record::write_checkpoint_series(into, &saved))?;
        count += 1;
    }
    put(&|into| record::write_checkpoint_end(into, count))?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(Error::io("cannot sync", &aside))?;
    files::rename(&aside, &target)
}

/// Deletes what checkpoint `number` replaces, but for the segments from `needed` on, which followers read.
pub(crate) fn remove_older(dir: &Path, number: u64, needed: u64) -> Result<(), Error> {
    let older: Vec<_> =
        files::numbered(dir, CHECKPOINT)?.into_iter().filter(|(other, _)| *other < number).collect();
    let keep_from = needed.min(number);
    let segments = files::numbered(dir, SEGMENT)?.into_iter().filter(|(segment, _)| *segment < keep_from);
    for (_, path) in segments.chain(older) {
        fs::remove_file(&path).map_err(Error::io("cannot remove", path))?;
    }
    Ok(())
}
