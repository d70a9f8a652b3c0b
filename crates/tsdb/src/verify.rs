//! Reading everything there is and listing what is not as it was written.

use std::path::Path;
use std::sync::Arc;

use crate::aggregates::{Resolution, Tier};
use crate::damage::{Damage, DamageLog};
use crate::delete::Deletion;
use crate::error::Error;
use crate::files::ASIDE;
use crate::head::{Cut, Head};
use crate::options::Options;
use crate::recover::{Replay, open_blocks};

/// What a store's files hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Blocks that can be served.
    pub blocks: u64,
    /// Chunks in them that are whole.
    pub chunks: u64,
    /// Samples in them, as their meta files say.
    pub samples: u64,
    /// Blocks of aggregates that can be served.
    pub aggregate_blocks: u64,
    /// Windows in them, as their meta files say.
    pub windows: u64,
    /// Whole records of the write-ahead log and its checkpoint.
    pub wal_records: u64,
    /// Samples in those records.
    pub wal_samples: u64,
    /// Everything else.
    pub damage: Vec<Damage>,
}

/// Reads every byte of the store in a directory and changes nothing. Of a store that is being written to, the
/// end of the log may look cut off.
///
/// # Errors
/// When the directory cannot be read, or is a copy that was never finished, which its extension `tmp` says.
pub fn verify(dir: &Path) -> Result<Report, Error> {
    let damage = Arc::new(DamageLog::default());
    let mut report = Report::default();
    let (blocks_dir, log_dir) = (dir.join("blocks"), dir.join("wal"));
    if !dir.is_dir() {
        return Err(Error::io("cannot open", dir)(std::io::ErrorKind::NotFound.into()));
    }
    if dir.extension().is_some_and(|extension| extension == ASIDE) {
        let what = "is a copy that was not finished, which is no store; delete it, and make the copy anew";
        return Err(Error::Damaged { path: dir.to_owned(), what: what.to_owned() });
    }
    if blocks_dir.is_dir() {
        let (blocks, _) = open_blocks(&blocks_dir, None, &damage, false)?;
        for block in blocks {
            report.blocks += 1;
            report.samples += block.meta.samples;
            match block.verify() {
                Ok(chunks) => report.chunks += chunks,
                Err(error) => damage.add(&block.dir, error.to_string(), None),
            }
        }
    }
    for resolution in Resolution::ALL {
        let (tier, _) = Tier::open(dir, resolution, &damage, false)?;
        for block in tier.blocks().iter() {
            report.aggregate_blocks += 1;
            report.windows += block.meta.samples;
            if let Err(error) = block.verify() {
                damage.add(&block.dir, error.to_string(), None);
            }
        }
    }
    Deletion::open(dir, &damage)?;
    if log_dir.is_dir() {
        let head = Head::default();
        let options = Options::default();
        let cut = Cut { samples: options.samples_per_chunk as u32, range_ms: options.block_duration_ms };
        let mut replay = Replay::new(&head, cut, i64::MIN);
        replay.run(&log_dir, &damage, false)?;
        (report.wal_records, report.wal_samples) = (replay.records, replay.samples);
    }
    report.damage = damage.list();
    Ok(report)
}
