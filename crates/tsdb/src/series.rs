//! A selected series: its labels and where its samples are.

use std::ops::Deref;
use std::sync::Arc;

use crate::aggregates::OlderParts;
use crate::block::BlockPart;
use crate::chunk::{Chunk, OpenChunk, Wanted};
use crate::error::Error;
use crate::labels::Labels;
use crate::samples::{Sample, Samples};

/// Some samples of a series and the place where they are stored. Within a series parts stand so that, of two with a sample at one time, the
/// first is right.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// A finished chunk of the head.
    Chunk(Chunk),
    /// The growing chunk of the head, as it was when selected.
    Open(Arc<OpenChunk>),
    /// Samples of the head that were accepted behind newer ones; ascending.
    OutOfOrder(Arc<Vec<Sample>>),
    /// A chunk of a block.
    Block(BlockPart),
}

/// The parts of a series; of most there is one, which takes no allocation.
#[derive(Debug, Clone)]
pub(crate) enum Parts {
    One(Part),
    Many(Arc<[Part]>),
}

impl From<Vec<Part>> for Parts {
    fn from(mut parts: Vec<Part>) -> Self {
        match (parts.len(), parts.pop()) {
            (1, Some(only)) => Self::One(only),
            (_, last) => {
                parts.extend(last);
                Self::Many(parts.into())
            }
        }
    }
}

impl Deref for Parts {
    type Target = [Part];

    fn deref(&self) -> &[Part] {
        match self {
            Self::One(part) => std::slice::from_ref(part),
            Self::Many(parts) => parts,
        }
    }
}

impl Part {
    fn decode(&self, out: &mut Samples, wanted: Option<Wanted>) -> Result<(), Error> {
        match self {
            Self::Block(part) => part.decode(out, wanted)?,
            // Chunks in memory are those that were encoded here, or came whole out of a checkpoint.
            Self::Chunk(chunk) => chunk.decode_wanted(out, wanted).ok_or_else(|| Error::Damaged {
                path: "head".into(),
                what: format!("the chunk from {} to {} cannot be decoded", chunk.min_time, chunk.max_time),
            })?,
            Self::Open(chunk) => chunk.decode_wanted(out, wanted),
            Self::OutOfOrder(samples) => {
                samples.iter().for_each(|sample| out.push_sample(sample.clone()));
            }
        }
        Ok(())
    }
}

/// One series of a selection. It holds references to compressed chunks: a clone is cheap, samples are decoded by
/// [`Series::read`], and what was selected stays readable whatever happens to the store.
#[derive(Debug, Clone)]
pub struct Series {
    pub(crate) labels: Labels,
    pub(crate) parts: Parts,
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
    /// What is left of samples that are gone, where that was asked for and there is some; the parts then hold all samples of
    /// the windows at the ends of the range.
    pub(crate) older: Option<Arc<OlderParts>>,
    /// What is before has been outlived.
    pub(crate) kept_ms: i64,
}

impl Series {
    /// What identifies it.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Clears `out` and decodes the samples of the selected time range into it, ascending, stale markers included.
    ///
    /// # Errors
    /// When a file cannot be read. Chunks whose checksum is wrong are left out and listed in the store's damage.
    pub fn read(&self, out: &mut Samples) -> Result<(), Error> {
        read(&self.parts, self.min_ms, self.max_ms, out)
    }

    /// As [`Series::read`], for those who look at some histograms alone, and at all that are not known to follow the one before
    /// them without a counter reset. `wanted` is given the time of the histogram before, its own and the next one's; those that
    /// are not wanted, or at least most of them, have the bounds of their buckets, and no observations.
    ///
    /// # Errors
    /// As [`Series::read`].
    pub fn read_wanted(&self, out: &mut Samples, wanted: impl Fn([i64; 3]) -> bool) -> Result<(), Error> {
        if decode(&self.parts, out, Some(&wanted))? {
            out.clip(self.min_ms, self.max_ms);
            return Ok(());
        }
        // Where samples come in between, resets are unknown.
        self.read(out)
    }
}

/// Fills `out` with the samples of parts; tells whether they are in order.
fn decode(parts: &[Part], out: &mut Samples, wanted: Option<Wanted>) -> Result<bool, Error> {
    out.clear();
    let mut ordered = true;
    for part in parts {
        let before = out.len();
        part.decode(out, wanted)?;
        let seam = before > 0 && before < out.len();
        ordered &= !seam || out.timestamps[before - 1] < out.timestamps[before];
    }
    Ok(ordered)
}

/// The samples of parts from `min` to `max`, ascending; `out` is cleared.
pub(crate) fn read(parts: &[Part], min: i64, max: i64, out: &mut Samples) -> Result<(), Error> {
    if !decode(parts, out, None)? {
        out.merge();
    }
    out.clip(min, max);
    Ok(())
}

/// The same samples as chunks: those that lie within the range and overlap no other are taken as they are.
pub(crate) fn rechunk(parts: &[Part], min: i64, max: i64, size: usize) -> Result<Vec<Chunk>, Error> {
    let whole: Option<Vec<&Chunk>> = parts
        .iter()
        .map(|part| match part {
            Part::Chunk(chunk) if chunk.min_time >= min && chunk.max_time <= max => Some(chunk),
            _ => None,
        })
        .collect();
    if let Some(chunks) =
        whole.filter(|chunks| chunks.windows(2).all(|pair| pair[0].max_time < pair[1].min_time))
    {
        return Ok(chunks.into_iter().cloned().collect());
    }
    let mut samples = Samples::default();
    read(parts, min, max, &mut samples)?;
    Ok(Chunk::split(&samples, size))
}
