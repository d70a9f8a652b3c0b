//! Counts of short keys: a hash table with open addressing, since counting is most of what reading a table is.

/// A key of two words; [`crate::format::csv::fields::Words`] of a text, or the bits of a number.
pub(crate) type Key = [u64; 2];

#[derive(Clone, Copy, Default)]
struct Slot {
    key: Key,
    /// 0 in a free slot.
    count: u64,
}

/// How often each key was seen.
pub(crate) struct CountTable {
    slots: Vec<Slot>,
    distinct: usize,
}

const FIRST_SLOTS: usize = 64;

impl CountTable {
    pub(crate) fn new() -> Self {
        CountTable { slots: vec![Slot::default(); FIRST_SLOTS], distinct: 0 }
    }

    /// How many different keys there are.
    pub(crate) fn distinct(&self) -> usize {
        self.distinct
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.slots.len() * size_of::<Slot>()) as u64
    }

    /// Counts a key; whether it is a new one.
    #[inline]
    pub(crate) fn add(&mut self, key: Key, count: u64) -> bool {
        let place = place(key, self.slots.len());
        let slot = &mut self.slots[place];
        if slot.key == key && slot.count > 0 {
            slot.count += count;
            return false;
        }
        self.add_elsewhere(key, count)
    }

    fn add_elsewhere(&mut self, key: Key, count: u64) -> bool {
        if count == 0 {
            return false;
        }
        let last = self.slots.len() - 1;
        let mut place = place(key, self.slots.len());
        loop {
            let slot = &mut self.slots[place];
            if slot.count == 0 {
                *slot = Slot { key, count };
                break;
            }
            if slot.key == key {
                slot.count += count;
                return false;
            }
            place = (place + 1) & last;
        }
        self.distinct += 1;
        // Two thirds full.
        if self.distinct * 3 > self.slots.len() * 2 {
            let larger = vec![Slot::default(); self.slots.len() * 2];
            let slots = std::mem::replace(&mut self.slots, larger);
            self.distinct = 0;
            for slot in slots.iter().filter(|slot| slot.count > 0) {
                self.add_elsewhere(slot.key, slot.count);
            }
        }
        true
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, u64)> + '_ {
        self.slots.iter().filter(|slot| slot.count > 0).map(|slot| (slot.key, slot.count))
    }
}

/// The slot at which the search for a key starts; `slots` is a power of two.
#[inline]
fn place(key: Key, slots: usize) -> usize {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let mixed = (key[0] ^ key[1].wrapping_mul(MIX).rotate_left(32)).wrapping_mul(MIX);
    ((mixed ^ (mixed >> 29)).wrapping_mul(MIX) >> (64 - slots.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn counts_are_those_of_a_map() {
        let (mut table, mut map) = (CountTable::new(), HashMap::new());
        for i in 0..20_000_u64 {
            // Keys that differ in high bits, in low bits, and in the second word only.
            for key in [[(i % 700) << 40, 0], [i % 900, 7], [3, (i % 500) << 8], [i, i]] {
                *map.entry(key).or_insert(0) += 2;
                table.add(key, 2);
            }
        }
        assert_eq!(table.distinct(), map.len());
        assert_eq!(table.iter().collect::<HashMap<_, _>>(), map);
    }
}
