//! Tables of a Postgres database as a source and a sink of snapshots: rows come and go by `COPY`, a month in one
//! transaction.
//!
//! In: `plan` makes a query of what the configuration says of a table, `read` gives its rows to an ingest, in the form
//! that `binary` takes apart and `value` reads. Out: `write` puts the tables of a month into those of the database,
//! as `text` spells them. `session` is one connection.

pub mod binary;
mod literal;
mod numeric;
mod plan;
mod read;
mod session;
#[cfg(test)]
mod tests;
mod text;
pub mod value;
mod write;

pub use read::{Reader, faults};
pub use session::Stopped;
pub use write::{Exported, export};
