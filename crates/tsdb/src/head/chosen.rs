//! Looking at many series: which of them are meant, and on all cores.

use std::num::NonZeroUsize;
use std::thread;

/// Numbers of series.
pub(super) enum Chosen<'a> {
    All,
    /// A bit for each number from the first on.
    Dense {
        first: u64,
        bits: Vec<u64>,
    },
    /// Ascending, and far apart.
    Sparse(&'a [u64]),
}

/// Numbers that a bit is kept for, for each that is chosen.
const SPREAD: u64 = 256;

impl<'a> Chosen<'a> {
    /// `ids` ascend, and are among `all` different ones.
    pub(super) fn of(ids: &'a [u64], all: usize) -> Self {
        let (Some(first), Some(last)) = (ids.first().copied(), ids.last().copied()) else {
            return Self::Sparse(ids);
        };
        if ids.len() == all {
            return Self::All;
        }
        if (last - first) / SPREAD > ids.len() as u64 {
            return Self::Sparse(ids);
        }
        let mut bits = vec![0; (last - first) as usize / 64 + 1];
        ids.iter().map(|id| id - first).for_each(|place| bits[place as usize / 64] |= 1 << (place % 64));
        Self::Dense { first, bits }
    }

    pub(super) fn has(&self, id: u64) -> bool {
        match self {
            Self::All => true,
            Self::Dense { first, bits } => id.checked_sub(*first).is_some_and(|place| {
                bits.get(place as usize / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
            }),
            Self::Sparse(ids) => ids.binary_search(&id).is_ok(),
        }
    }
}

/// From here on a thread's start is worth it: what is looked at lies all over the memory.
const MANY: usize = 8192;

/// What `make` makes of each, in their order. Threads of its own wait for nobody: a pool's might begin with other work,
/// and the locks that are held here would be held as long.
pub(super) fn in_parallel<T: Sync, R: Send>(items: &[T], make: impl Fn(&T) -> Option<R> + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(items.len() / MANY).max(1);
    let mut parts = items.chunks(items.len().div_ceil(threads).max(1));
    let (Some(first), make) = (parts.next(), &make) else { return Vec::new() };
    thread::scope(|scope| {
        let others: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().filter_map(make).collect::<Vec<R>>())).collect();
        let mut made = Vec::with_capacity(if others.is_empty() { 0 } else { items.len() });
        made.extend(first.iter().filter_map(make));
        for other in others {
            made.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        made
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn chosen_are_the_numbers(
            ids in proptest::collection::btree_set(prop_oneof![0_u64..300, any::<u64>()], 0..60),
            others in proptest::collection::vec(prop_oneof![0_u64..300, any::<u64>()], 0..60),
        ) {
            let list: Vec<u64> = ids.iter().copied().collect();
            let chosen = Chosen::of(&list, list.len() + 1);
            for id in ids.iter().copied().chain(others) {
                prop_assert_eq!(chosen.has(id), ids.contains(&id));
            }
        }
    }

    #[test]
    fn many_come_back_in_their_order() {
        for count in [0, 1, MANY - 1, 5 * MANY + 3] {
            let items: Vec<usize> = (0..count).collect();
            let odd = in_parallel(&items, |item| (item % 2 == 1).then_some(*item));
            assert_eq!(odd, items.into_iter().filter(|item| item % 2 == 1).collect::<Vec<_>>());
        }
    }
}
