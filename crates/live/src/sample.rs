//! A bounded sample of entities: those with the smallest hashes, each with its last row.

use std::cmp::Ordering;

/// The class of a column that says nothing of a row: an output, where another version answered. It is over every class
/// of [`Classes`](crate::Classes), so it is counted nowhere.
pub(crate) const ABSENT: u8 = u8::MAX;

/// The entities with the smallest hashes, ascending, each with the classes of its last row.
///
/// The union of samples is commutative, associative and idempotent, so replicas, minutes and days merge in any order and
/// an entity counts once. A bound keeps the smallest hashes: the same entities in every minute, a fair choice of all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    pub(crate) width: usize,
    pub(crate) hashes: Vec<u64>,
    /// When the row came, milliseconds since 1970.
    pub(crate) at_ms: Vec<u64>,
    /// `width` classes a row.
    pub(crate) classes: Vec<u8>,
}

impl Sample {
    /// A sample without rows, of rows with `width` classes.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// A sample of rows (hash, time in milliseconds, classes) in any order, bounded to `most` entities. Of an entity
    /// the last row stays; of rows at the same time the one with the larger classes. Rows of another width are left out.
    #[must_use]
    pub fn of_rows<'a>(
        width: usize,
        rows: impl IntoIterator<Item = (u64, u64, &'a [u8])>,
        most: usize,
    ) -> Self {
        let mut rows: Vec<_> = rows.into_iter().filter(|(.., classes)| classes.len() == width).collect();
        rows.sort_unstable_by(newest_first);
        let mut sample = Self::new(width);
        for (hash, at_ms, classes) in rows {
            if sample.hashes.last() == Some(&hash) {
                continue;
            }
            if sample.hashes.len() == most {
                break;
            }
            sample.hashes.push(hash);
            sample.at_ms.push(at_ms);
            sample.classes.extend_from_slice(classes);
        }
        sample
    }

    /// The union of samples, bounded to `most` entities. O(n log n) of all rows.
    #[must_use]
    pub fn union<'a>(width: usize, samples: impl IntoIterator<Item = &'a Sample>, most: usize) -> Self {
        Self::of_rows(width, samples.into_iter().flat_map(Sample::rows), most)
    }

    /// Number of entities.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is no entity.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Hash, time in milliseconds and classes of each entity, by ascending hash.
    pub fn rows(&self) -> impl Iterator<Item = (u64, u64, &[u8])> {
        let width = self.width;
        let times = self.hashes.iter().zip(&self.at_ms).enumerate();
        times.map(move |(row, (hash, at_ms))| (*hash, *at_ms, &self.classes[row * width..][..width]))
    }

    /// Entities by class, a list a column. `shape` gives the classes of each column; a class over it is not counted, as
    /// that of a row which a column says nothing of.
    #[must_use]
    pub fn counts(&self, shape: &[usize]) -> Vec<Vec<u64>> {
        let mut counts: Vec<Vec<u64>> = shape.iter().map(|&classes| vec![0; classes]).collect();
        for row in self.classes.chunks_exact(self.width.max(1)) {
            for (count, &class) in counts.iter_mut().zip(row) {
                if let Some(count) = count.get_mut(usize::from(class)) {
                    *count += 1;
                }
            }
        }
        counts
    }

    /// Drops an entity; whether it was there.
    pub fn forget(&mut self, hash: u64) -> bool {
        let Ok(row) = self.hashes.binary_search(&hash) else { return false };
        self.hashes.remove(row);
        self.at_ms.remove(row);
        self.classes.drain(row * self.width..(row + 1) * self.width);
        true
    }
}

/// By hash, and of one hash the row that stays first.
fn newest_first(a: &(u64, u64, &[u8]), b: &(u64, u64, &[u8])) -> Ordering {
    a.0.cmp(&b.0).then_with(|| (b.1, b.2).cmp(&(a.1, a.2)))
}
