//! How often each value of a file's columns occurs, without a configuration.
//!
//! `table_file` opens a file of any format, or a folder of parts. Of CSV (`csv_table`), threads take blocks and count all
//! columns (`csv_tally`, `column_tally`), whose types are guessed from the text (`infer`, `kind`); of Parquet and Arrow,
//! and of batches in memory (`parts`), threads take a few columns each (`array_tally`).

mod array_tally;
mod column_tally;
mod count_table;
mod csv_table;
mod csv_tally;
mod infer;
mod kind;
pub(crate) mod left_out;
mod parts;
mod repeats;
pub(crate) mod row_facts;
mod source;
pub(crate) mod table_file;
mod threads;
pub(crate) mod value_counts;
mod written_number;
