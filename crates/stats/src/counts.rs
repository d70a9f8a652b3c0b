//! How often each value of a sample occurs, in a byte a value: of a long sample few values occur often, and one tie among
//! fifty million numbers must not double their memory.

/// Stands for a count that no byte holds.
const LARGE: u8 = u8::MAX;

/// Positive counts, in the order of the values.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Counts {
    bytes: Vec<u8>,
    /// The places of the large ones, ascending, with the counts.
    large: Vec<(usize, u64)>,
}

impl Counts {
    /// So many ones.
    pub(crate) fn ones(length: usize) -> Self {
        Self { bytes: vec![1; length], large: Vec::new() }
    }

    #[inline]
    pub(crate) fn push(&mut self, count: u64) {
        let byte = u8::try_from(count).unwrap_or(LARGE);
        if byte == LARGE {
            self.large.push((self.bytes.len(), count));
        }
        self.bytes.push(byte);
    }

    /// Raises the last count; there is one.
    pub(crate) fn add_to_last(&mut self, more: u64) {
        let last = match self.bytes.pop() {
            Some(LARGE) => self.large.pop().map_or(0, |(_, count)| count),
            Some(byte) => byte.into(),
            None => 0,
        };
        self.push(last + more);
    }

    /// The count at a place, which is below the number of values.
    #[inline]
    pub(crate) fn at(&self, place: usize) -> u64 {
        match self.bytes[place] {
            LARGE => self.large_at(place),
            byte => byte.into(),
        }
    }

    fn large_at(&self, place: usize) -> u64 {
        let found = self.large.binary_search_by_key(&place, |(place, _)| *place);
        found.map_or(0, |found| self.large[found].1)
    }
}

impl FromIterator<u64> for Counts {
    fn from_iter<I: IntoIterator<Item = u64>>(counts: I) -> Self {
        let mut collected = Self::default();
        counts.into_iter().for_each(|count| collected.push(count));
        collected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_any_size_come_back() {
        let given = [1, 254, 255, 256, 2, u64::from(u32::MAX), 1 << 53, 3];
        let mut counts: Counts = given.into_iter().collect();
        let read = |counts: &Counts| (0..given.len()).map(|place| counts.at(place)).collect::<Vec<_>>();
        assert_eq!(read(&counts), given);
        for (more, expected) in [(1, 4), (250, 254), (1, 255), (1, 256), (1 << 40, (1 << 40) + 256)] {
            counts.add_to_last(more);
            assert_eq!(counts.at(given.len() - 1), expected);
        }
        assert_eq!(read(&counts)[..given.len() - 1], given[..given.len() - 1]);
        assert_eq!(Counts::ones(2), [1, 1].into_iter().collect());
    }
}
