//! A drop becomes the snapshot of a date, and snapshots become point-in-time tables.
//!
//! In: `drop_files` finds the files, `drop_table` reads them as [`spec`] says, [`expectations`] are
//! evaluated on the way, `commit` makes all of it visible at once, and [`ledger`] says what is there.
//! Every file has its checksum there, which `checksums` holds it against.
//! `commit_point` lets a store elsewhere decide first, and takes over what was committed there.
//! `copy` gives all of it as files that fit together.
//! `forget` takes an entity out of all of them; `forgotten` keeps it from coming back.
//! Out: `point_in_time` fills a [`frame`], in the places that `entity_index` gives; `stored_rows` gives a table as it is.

pub(crate) mod checksums;
mod commit;
pub(crate) mod commit_point;
pub(crate) mod copy;
pub(crate) mod dated;
mod drop_files;
mod drop_table;
mod entity_index;
pub(crate) mod expectations;
mod fingerprint;
pub(crate) mod forget;
mod forgotten;
pub(crate) mod frame;
pub(crate) mod ingest;
pub(crate) mod label;
pub(crate) mod ledger;
pub(crate) mod point_in_time;
pub(crate) mod rows;
mod slots;
pub(crate) mod snapshots;
pub(crate) mod spec;
mod spec_check;
mod stored_rows;
mod writer;
