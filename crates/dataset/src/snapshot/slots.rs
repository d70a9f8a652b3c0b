//! A column of a point-in-time table while it is filled.

use std::hash::BuildHasher;

use arrow_array::{Array, ArrayRef};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::cell::Cells;
use crate::column_type::ColumnType;
use crate::snapshot::entity_index::NOWHERE;
use crate::snapshot::frame::{MISSING, Values};

/// The values of a column, missing until they are filled in.
pub(crate) struct Slots {
    values: Values,
    /// Finds the code of a text.
    codes: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Slots {
    pub(crate) fn new(column_type: ColumnType, rows: usize) -> Self {
        let values = match column_type {
            ColumnType::Float => Values::Float(vec![f64::NAN; rows]),
            ColumnType::Integer => Values::Integer(vec![None; rows]),
            ColumnType::Boolean => Values::Boolean(vec![None; rows]),
            ColumnType::String => Values::Text { codes: vec![MISSING; rows], levels: Vec::new() },
            ColumnType::Date => Values::Date(vec![None; rows]),
        };
        Slots { values, codes: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }

    /// Writes each value of a batch to its place; `places` has one for each row.
    pub(crate) fn fill(&mut self, places: &[u32], array: &ArrayRef) -> Result<(), String> {
        let Slots { values, codes, hasher } = self;
        let filled =
            places.iter().enumerate().filter(|(row, place)| **place != NOWHERE && array.is_valid(*row));
        let filled = filled.map(|(row, place)| (row, *place as usize));
        match (values, Cells::new(array)) {
            (Values::Float(values), Some(Cells::Float(array))) => {
                filled.for_each(|(row, place)| values[place] = array.value(row));
            }
            (Values::Integer(values), Some(Cells::Integer(array))) => {
                filled.for_each(|(row, place)| values[place] = Some(array.value(row)));
            }
            (Values::Boolean(values), Some(Cells::Boolean(array))) => {
                filled.for_each(|(row, place)| values[place] = Some(array.value(row)));
            }
            (Values::Date(values), Some(Cells::Date(array))) => {
                filled.for_each(|(row, place)| values[place] = Some(array.value(row)));
            }
            (Values::Text { codes: values, levels }, Some(Cells::Text(array))) => {
                for (row, place) in filled {
                    values[place] = code(codes, hasher, levels, array.value(row));
                }
            }
            _ => return Err(format!("a column of it has the type {}", array.data_type())),
        }
        Ok(())
    }

    /// The column, its texts numbered in the order in which they first occur.
    pub(crate) fn finish(self) -> Values {
        let Values::Text { mut codes, mut levels } = self.values else { return self.values };
        let mut renamed = vec![MISSING; levels.len()];
        let mut ordered = Vec::with_capacity(levels.len());
        for code in codes.iter_mut().filter(|code| **code != MISSING) {
            let new = &mut renamed[*code as usize];
            if *new == MISSING {
                *new = ordered.len() as u32;
                ordered.push(std::mem::take(&mut levels[*code as usize]));
            }
            *code = *new;
        }
        Values::Text { codes, levels: ordered }
    }
}

/// The code of a text; memory ends long before four thousand million distinct texts.
fn code(
    codes: &mut HashTable<u32>,
    hasher: &DefaultHashBuilder,
    levels: &mut Vec<String>,
    text: &str,
) -> u32 {
    let hash = hasher.hash_one(text);
    if let Some(code) = codes.find(hash, |code| levels[*code as usize] == text) {
        return *code;
    }
    let next = levels.len() as u32;
    levels.push(text.to_string());
    codes.insert_unique(hash, next, |code| hasher.hash_one(levels[*code as usize].as_str()));
    next
}
