//! The entities of a point-in-time table: sorted, each found by its id.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use arrow_array::ArrayRef;
use hashbrown::{DefaultHashBuilder, HashTable};
use rayon::slice::ParallelSliceMut as _;

use crate::cell::Cells;
use crate::column_type::ColumnType;
use crate::snapshot::frame::Values;

/// Entities in the order of a file, and the row of the result that each has: its rank.
pub(crate) struct EntityIndex {
    keys: Keys,
    /// Ranks of the entities in the order of the file.
    ranks: Vec<u32>,
    /// Finds an entity by its hash. Made when it is first asked: the tables of a drop mostly list
    /// their entities in the same order, which needs no search.
    table: OnceLock<HashTable<u32>>,
    hasher: DefaultHashBuilder,
}

/// Ids by their position in the file.
enum Keys {
    /// All ids one after the other, and where each ends.
    Text {
        bytes: String,
        ends: Vec<usize>,
    },
    Integer(Vec<i64>),
}

/// One id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key<'a> {
    Integer(i64),
    Text(&'a str),
}

impl Keys {
    fn len(&self) -> usize {
        match self {
            Keys::Text { ends, .. } => ends.len(),
            Keys::Integer(ids) => ids.len(),
        }
    }

    fn get(&self, position: usize) -> Option<Key<'_>> {
        match self {
            Keys::Text { bytes, ends } => {
                let start = if position == 0 { 0 } else { ends[position - 1] };
                Some(Key::Text(&bytes[start..*ends.get(position)?]))
            }
            Keys::Integer(ids) => ids.get(position).copied().map(Key::Integer),
        }
    }
}

impl Keys {
    /// How many bytes all ids begin with, such as those of `user_`.
    fn common_start(&self) -> usize {
        let Some(Key::Text(first)) = self.get(0) else { return 0 };
        let mut common = first.as_bytes();
        for position in 1..self.len() {
            let Some(Key::Text(id)) = self.get(position) else { continue };
            let same = common.iter().zip(id.bytes()).take_while(|(a, b)| **a == *b).count();
            common = &common[..same];
        }
        common.len()
    }

    /// Eight bytes of an id as a number that sorts as they do: those after the first `common`.
    fn start(&self, position: usize, common: usize) -> u64 {
        match self.get(position) {
            Some(Key::Integer(id)) => id.cast_unsigned() ^ (1 << 63),
            Some(Key::Text(id)) => {
                let mut bytes = [0; 8];
                bytes.iter_mut().zip(id.bytes().skip(common)).for_each(|(byte, of_id)| *byte = of_id);
                u64::from_be_bytes(bytes)
            }
            None => 0,
        }
    }
}

/// What is wrong with a file that has two rows of an entity, which an ingest refuses.
const TWICE: &str = "an entity is in it twice";

/// The ids of a batch, of which none is missing.
fn keys<'a>(array: &'a ArrayRef) -> Result<impl Fn(usize) -> Key<'a>, String> {
    if array.null_count() > 0 {
        return Err("an entity is missing in it".to_string());
    }
    match Cells::new(array) {
        Some(cells @ (Cells::Text(_) | Cells::Integer(_))) => Ok(move |row| match &cells {
            Cells::Text(array) => Key::Text(array.value(row)),
            Cells::Integer(array) => Key::Integer(array.value(row)),
            _ => unreachable!("other arrays were refused"),
        }),
        _ => Err(format!("its entities are {}", array.data_type())),
    }
}

impl EntityIndex {
    /// An index without entities; they are integers or text.
    pub(crate) fn new(column_type: ColumnType) -> Self {
        let keys = match column_type {
            ColumnType::Integer => Keys::Integer(Vec::new()),
            _ => Keys::Text { bytes: String::new(), ends: Vec::new() },
        };
        EntityIndex { keys, ranks: Vec::new(), table: OnceLock::new(), hasher: DefaultHashBuilder::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Adds the ids of a batch of the entity table.
    pub(crate) fn push(&mut self, array: &ArrayRef) -> Result<(), String> {
        let key = keys(array)?;
        for row in 0..array.len() {
            match (&mut self.keys, key(row)) {
                (Keys::Text { bytes, ends }, Key::Text(id)) => {
                    bytes.push_str(id);
                    ends.push(bytes.len());
                }
                (Keys::Integer(ids), Key::Integer(id)) => ids.push(id),
                _ => return Err(format!("its entities are {}", array.data_type())),
            }
        }
        Ok(())
    }

    /// Gives each entity its rank, once all are there.
    pub(crate) fn sort(mut self) -> Result<Self, String> {
        let count = u32::try_from(self.len()).map_err(|_| format!("it has {} entities", self.len()))?;
        // Most ids differ in what stands beside their position; the others are looked up.
        let common = self.keys.common_start();
        let mut order: Vec<(u64, u32)> =
            (0..count).map(|position| (self.keys.start(position as usize, common), position)).collect();
        let key = |position: u32| self.keys.get(position as usize);
        order.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(&key(b.1))));
        if order.windows(2).any(|pair| pair[0].0 == pair[1].0 && key(pair[0].1) == key(pair[1].1)) {
            return Err(TWICE.to_string());
        }
        self.ranks = vec![0; order.len()];
        for (rank, (_, position)) in order.iter().enumerate() {
            self.ranks[*position as usize] = rank as u32;
        }
        Ok(self)
    }

    fn table(&self) -> &HashTable<u32> {
        self.table.get_or_init(|| {
            let hash = |position: &u32| self.hasher.hash_one(self.keys.get(*position as usize));
            let mut table = HashTable::with_capacity(self.len());
            for position in 0..self.len() as u32 {
                table.insert_unique(hash(&position), position, hash);
            }
            table
        })
    }

    fn position(&self, key: Key) -> Option<usize> {
        let hash = self.hasher.hash_one(Some(key));
        let found = self.table().find(hash, |position| self.keys.get(*position as usize) == Some(key));
        found.map(|position| *position as usize)
    }

    /// Places for the rows of a table, all of them free.
    pub(crate) fn places(&self) -> Places<'_> {
        let taken = vec![Taken::Free; self.len()];
        Places { index: self, taken, free: self.len(), next: 0, rows: Vec::new() }
    }

    /// The entities as the column of the result. What only the search needs is freed first, since this
    /// is when a read holds most.
    pub(crate) fn into_values(self) -> Values {
        let EntityIndex { keys, ranks, table, .. } = self;
        drop(table);
        let mut order = vec![0_u32; ranks.len()];
        for (position, rank) in ranks.iter().enumerate() {
            order[*rank as usize] = position as u32;
        }
        drop(ranks);
        match &keys {
            Keys::Integer(ids) => {
                Values::Integer(order.iter().map(|position| Some(ids[*position as usize])).collect())
            }
            Keys::Text { .. } => {
                let level = |position: &u32| match keys.get(*position as usize) {
                    Some(Key::Text(id)) => id.to_string(),
                    _ => String::new(),
                };
                let levels = order.iter().map(level).collect();
                Values::Text { codes: (0..order.len() as u32).collect(), levels }
            }
        }
    }
}

/// A row that the result has no free place for.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// Whether a place of the result has its row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Free,
    /// By a row of the file at hand.
    Here,
    /// By a row of a newer snapshot.
    Newer,
}

/// The places of the result that a table has filled.
pub(crate) struct Places<'a> {
    index: &'a EntityIndex,
    /// By rank.
    taken: Vec<Taken>,
    free: usize,
    /// Where the next row's entity is if this file has the order of the entity table.
    next: usize,
    rows: Vec<u32>,
}

impl Places<'_> {
    /// Whether every entity has its row.
    pub(crate) fn is_full(&self) -> bool {
        self.free == 0
    }

    /// Begins with the file of an older snapshot.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
        self.taken.iter_mut().filter(|taken| **taken == Taken::Here).for_each(|taken| *taken = Taken::Newer);
    }

    /// Takes a place for each row of a batch: its row in the result, or [`NOWHERE`] where the entity
    /// is not of the result or has its row from a newer snapshot already.
    pub(crate) fn take(&mut self, entities: &ArrayRef) -> Result<&[u32], String> {
        let key = keys(entities)?;
        self.rows.clear();
        for row in 0..entities.len() {
            let key = key(row);
            let position = match self.index.keys.get(self.next) {
                Some(expected) if expected == key => Some(self.next),
                _ => self.index.position(key),
            };
            let Some(position) = position else {
                self.rows.push(NOWHERE);
                continue;
            };
            self.next = position + 1;
            let rank = self.index.ranks[position];
            let taken = &mut self.taken[rank as usize];
            self.rows.push(match *taken {
                Taken::Free => rank,
                Taken::Newer => NOWHERE,
                Taken::Here => return Err(TWICE.to_string()),
            });
            if *taken == Taken::Free {
                *taken = Taken::Here;
                self.free -= 1;
            }
        }
        Ok(&self.rows)
    }
}
