//! Writes a table of Parquet in parts, the same for the same numbers:
//!
//!     tables FOLDER ROWS PARTS SHIFT
//!
//! Seven columns: two of floats that never repeat, SHIFT added to the first of them, one of a single number and NaN, two of
//! whole numbers, of many and of few values, one of words and one of truth values, all but the many with missing values. Numbers are spread so evenly that of
//! 50,000 rows on a profile leaves 12 binary places or fewer.

use std::error::Error;
use std::fs::{File, create_dir_all};
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;

const BATCH: u64 = 1 << 16;
const WORDS: [&str; 5] = ["basic", "family", "premium", "student", "trial"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, rows, parts, shift] = arguments.as_slice() else {
        return Err("expected: FOLDER ROWS PARTS SHIFT".into());
    };
    let (rows, parts, shift): (u64, u64, f64) = (rows.parse()?, parts.parse()?, shift.parse()?);
    create_dir_all(folder)?;
    let each = rows.div_ceil(parts.max(1));
    for part in 0..parts {
        let path = Path::new(folder).join(format!("part-{part:04}.parquet"));
        let (first, end) = ((part * each).min(rows), ((part + 1) * each).min(rows));
        let mut writer = ArrowWriter::try_new(File::create(path)?, batch(0..0, shift)?.schema(), None)?;
        for start in (first..end).step_by(BATCH as usize) {
            writer.write(&batch(start..(start + BATCH).min(end), shift)?)?;
        }
        writer.close()?;
    }
    Ok(())
}

fn batch(rows: std::ops::Range<u64>, shift: f64) -> Result<RecordBatch, Box<dyn Error>> {
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (column, moved) in [(0, shift), (1, 0.0)] {
        let values = rows
            .clone()
            .map(|row| (row % 97 != column).then_some(70.0 + 150.0 * uniform(row, column) + moved));
        columns.push((format!("float_{column}"), Arc::new(values.collect::<Float64Array>())));
    }
    let single = rows.clone().map(|row| if row % 97 == 0 { f64::NAN } else { 1.5 });
    columns.push(("single".to_owned(), Arc::new(single.map(Some).collect::<Float64Array>())));
    let whole = |draw, most: f64| rows.clone().map(move |row| (uniform(row, draw) * most) as i64);
    columns.push(("many".to_owned(), Arc::new(whole(60, 1e9).map(Some).collect::<Int64Array>())));
    columns.push((
        "few".to_owned(),
        Arc::new(whole(61, 12.0).map(|n| (n > 0).then_some(n)).collect::<Int64Array>()),
    ));
    let words = whole(62, 6.0).map(|n| WORDS.get(usize::try_from(n).ok()?).copied());
    columns.push(("word".to_owned(), Arc::new(words.collect::<StringArray>())));
    let truths = whole(63, 5.0).map(|n| (n < 4).then_some(n == 0));
    columns.push(("truth".to_owned(), Arc::new(truths.collect::<BooleanArray>())));
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// A number from 0 to 1 that depends on its row and its draw alone.
fn uniform(row: u64, draw: u64) -> f64 {
    let mut mixed = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ draw.wrapping_mul(0xd1b5_4a32_d192_ed03);
    for _ in 0..2 {
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^= mixed >> 27;
    }
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}
