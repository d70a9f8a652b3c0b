//! Which samples of a block were deleted: a small file beside the others, replaced as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{Block, BlockPart};
use crate::chunk::Chunk;
use crate::error::Error;
use crate::files;
use crate::intervals::Intervals;
use crate::varint::{self, Reader};

/// First bytes of the file; the last is the format's version.
pub(crate) const MAGIC: &[u8; 8] = b"SFTMB\0\0\x01";
/// Name of the file; there is none where nothing was deleted.
pub(crate) const FILE: &str = "tombstones";

/// Deleted ranges by the number of the series in its block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tombstones(BTreeMap<u64, Intervals>);

impl Tombstones {
    pub(crate) fn of(&self, series: u64) -> Option<&Intervals> {
        self.0.get(&series)
    }

    /// How many series have some.
    pub(crate) fn series(&self) -> usize {
        self.0.len()
    }

    /// `None` where the bytes are no whole file.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if crc != crc32fast::hash(body).to_le_bytes() {
            return None;
        }
        let mut from = Reader::new(body.strip_prefix(MAGIC)?);
        let mut tombstones = BTreeMap::new();
        let mut series = 0_u64;
        for _ in 0..from.count()? {
            series = series.checked_add(from.unsigned()?)?;
            let count = from.count()?;
            let mut ranges = Vec::with_capacity(count);
            for _ in 0..count {
                ranges.push((from.signed()?, from.signed()?));
            }
            tombstones.insert(series, Intervals::read(ranges)?);
        }
        from.rest.is_empty().then_some(Self(tombstones))
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        varint::write(&mut bytes, self.0.len() as u64);
        let mut last = 0;
        for (series, intervals) in &self.0 {
            varint::write(&mut bytes, series - last);
            last = *series;
            varint::write(&mut bytes, intervals.ranges().len() as u64);
            for (min, max) in intervals.ranges() {
                varint::write_signed(&mut bytes, *min);
                varint::write_signed(&mut bytes, *max);
            }
        }
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Those of a block's directory.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::io("cannot read", path)(error)),
        };
        // Without it what was deleted would come back.
        let what = "damaged: the block is not served, since what was deleted of it is not known".to_owned();
        Self::read(&bytes).ok_or(Error::Damaged { path, what })
    }
}

impl Block {
    /// Marks samples of these series as deleted, on the disk first.
    pub(crate) fn delete(&self, series: &[u64], min: i64, max: i64) -> Result<(), Error> {
        let mut tombstones = Tombstones::clone(&self.tombstones());
        for number in series {
            let known = tombstones.0.entry(*number).or_default();
            *known = known.with(min, max);
        }
        let target = self.dir.join(FILE);
        let aside = target.with_extension(files::ASIDE);
        files::write(&aside, &tombstones.write())?;
        files::rename(&aside, &target)?;
        self.set_tombstones(tombstones);
        Ok(())
    }
}

impl BlockPart {
    /// The whole chunks, without what was deleted of them.
    pub(crate) fn living(&self) -> Result<Vec<Chunk>, Error> {
        let chunks = self.read()?.into_iter().flatten();
        Ok(match &self.deleted {
            None => chunks.collect(),
            Some(deleted) => chunks.filter_map(|chunk| deleted.strip(chunk)).collect(),
        })
    }
}

/// As they were at one moment.
pub(crate) type Shared = Arc<Tombstones>;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tombstones_come_back(deleted in proptest::collection::vec((any::<u64>(), any::<i64>(), any::<i64>()), 0..20)) {
            let mut tombstones = Tombstones::default();
            for (series, a, b) in deleted {
                let known = tombstones.0.entry(series).or_default();
                *known = known.with(a.min(b), a.max(b));
            }
            let bytes = tombstones.write();
            prop_assert_eq!(Tombstones::read(&bytes), Some(tombstones));
            for at in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[at] ^= 4;
                prop_assert_eq!(Tombstones::read(&flipped), None);
                prop_assert_eq!(Tombstones::read(&bytes[..at]), None);
            }
        }

        #[test]
        fn any_bytes_are_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut file = [MAGIC.as_slice(), &bytes].concat();
            let crc = crc32fast::hash(&file);
            file.extend_from_slice(&crc.to_le_bytes());
            Tombstones::read(&file);
        }
    }
}
