//! How often each value of a file's columns occurs, without a configuration.
//!
//! `table_file` opens a file of either format. Of CSV, threads take blocks and count all columns
//! (`csv_tally`, `column_tally`), whose types are guessed from the text (`infer`, `kind`); of Parquet, threads
//! take a column each (`parquet_tally`).

mod column_tally;
mod count_table;
mod csv_tally;
mod infer;
mod kind;
pub(crate) mod left_out;
mod parquet_tally;
mod repeats;
pub(crate) mod table_file;
mod threads;
pub(crate) mod value_counts;
mod written_number;
