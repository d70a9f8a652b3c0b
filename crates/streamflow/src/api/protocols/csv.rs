//! A CSV body: names in the first line, commas, an empty field or one of pandas's words for it is missing.

use streamflow_dataset::Cell;

use super::table::{Block, Table};
use crate::api::error::ApiError;

/// What pandas takes for missing in a CSV file, beside nothing.
const MISSING: [&str; 8] = ["NaN", "nan", "NA", "N/A", "NULL", "null", "None", "<NA>"];

/// The lines of a body, the first with the names of the columns.
///
/// # Errors
/// A body that is not UTF-8; a line with more or fewer fields than the first.
pub fn records(body: &[u8]) -> Result<Vec<::csv::StringRecord>, ApiError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(body);
    let records: Result<Vec<_>, _> = reader.records().collect();
    records.map_err(|error| ApiError::Input(format!("the body is no CSV: {error}")))
}

/// The table of these lines.
///
/// # Errors
/// There is no line of names.
pub fn table(records: &[::csv::StringRecord]) -> Result<Table<'_>, ApiError> {
    let Some((names, rows)) = records.split_first() else {
        return Err(ApiError::Input(
            "the body is empty; expected CSV with the names of the columns".to_owned(),
        ));
    };
    let cell = |text| if MISSING.contains(&text) { Cell::Missing } else { Cell::Text(text) };
    let block: Block =
        rows.iter().flatten().map(|text| if text.is_empty() { Cell::Missing } else { cell(text) }).collect();
    let mut table = Table::of_rows(rows.len(), names.len(), block, Some(names.iter().collect()));
    table.is_text = true;
    Ok(table)
}
