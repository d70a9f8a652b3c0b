//! CSV text: `records` reads it in order and explains faults; `blocks` and `fields` read it fast, in any
//! number of threads, and leave explaining to `records`.

pub(crate) mod blocks;
pub(crate) mod fields;
pub(crate) mod records;
pub(crate) mod separator;
