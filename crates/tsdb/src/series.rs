//! A selected series: its labels and where its samples are.

use std::sync::Arc;

use crate::chunk::{Chunk, OpenChunk};
use crate::{Error, Labels, Samples};

/// Where some samples of a series are. Within a series parts stand so that, of two with a sample at one time, the
/// first is right.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// Of the head, finished.
    Chunk(Chunk),
    /// Of the head, as it was when selected.
    Open(Arc<OpenChunk>),
    /// Of the head, accepted behind newer ones; ascending.
    OutOfOrder(Arc<Vec<(i64, f64)>>),
}

impl Part {
    fn decode(&self, out: &mut Samples) -> Result<(), Error> {
        match self {
            Self::Chunk(chunk) => chunk.decode(out).expect("chunks in memory are those that were encoded"),
            Self::Open(chunk) => chunk.decode(out),
            Self::OutOfOrder(samples) => {
                out.timestamps.extend(samples.iter().map(|(timestamp, _)| timestamp));
                out.values.extend(samples.iter().map(|(_, value)| value));
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
    pub(crate) parts: Arc<[Part]>,
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
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
        out.clear();
        let mut ordered = true;
        for part in self.parts.iter() {
            let before = out.len();
            part.decode(out)?;
            ordered &=
                before == 0 || before == out.len() || out.timestamps[before - 1] < out.timestamps[before];
        }
        if !ordered {
            out.merge();
        }
        out.clip(self.min_ms, self.max_ms);
        Ok(())
    }
}
