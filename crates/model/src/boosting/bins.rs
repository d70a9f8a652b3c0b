//! Columns as small integers: a bin for what is missing, and at most 255 for values in their order.

use rayon::prelude::*;

/// Bins of a column, the missing one included: a bin is a byte.
pub(crate) const BINS: usize = 256;
/// The bin of missing values; those of values follow it in their order.
pub(crate) const MISSING_BIN: u8 = 0;
/// Columns of a cell: their bins are read at once, and their histograms fit the first cache of a processor.
pub(crate) const CELL: usize = 4;
/// At most about this many values of a column say where its bins begin.
const SAMPLE: usize = 1 << 18;
/// Rows that one thread puts into bins.
const ROWS_AT_ONCE: usize = 1 << 14;

/// Rows as bins. Columns that are the same in all rows are left out.
pub(crate) struct BinnedRows {
    pub columns: Vec<BinnedColumn>,
    /// The bins of a row are in cells that follow one another.
    cells: Vec<[u8; CELL]>,
    cells_of_row: usize,
}

/// What the bins of a column stand for.
pub(crate) struct BinnedColumn {
    /// The index of the feature.
    pub feature: usize,
    /// The least value of each bin but the first, ascending.
    pub cuts: Vec<f64>,
}

impl BinnedColumn {
    /// None for a column that is the same in all rows.
    fn of(feature: usize, column: &[f64], max_bins: usize) -> Option<BinnedColumn> {
        is_informative(column).then(|| BinnedColumn { feature, cuts: cuts(column, max_bins) })
    }

    /// Bins of values.
    pub fn value_bins(&self) -> usize {
        self.cuts.len() + 1
    }

    fn bin(&self, value: f64) -> u8 {
        if value.is_nan() {
            return MISSING_BIN;
        }
        // There are fewer cuts than a byte has numbers.
        self.cuts.partition_point(|cut| *cut <= value) as u8 + 1
    }
}

impl BinnedRows {
    /// Rows of columns of equal length; `max_bins` in 2..=255.
    pub fn new(columns: &[Vec<f64>], max_bins: usize) -> BinnedRows {
        let rows = columns.first().map_or(0, Vec::len);
        let binned: Vec<BinnedColumn> = columns
            .par_iter()
            .enumerate()
            .filter_map(|(feature, column)| BinnedColumn::of(feature, column, max_bins))
            .collect();
        let cells_of_row = binned.len().div_ceil(CELL);
        let mut cells = vec![[MISSING_BIN; CELL]; rows * cells_of_row];
        if cells_of_row > 0 {
            cells.par_chunks_mut(ROWS_AT_ONCE * cells_of_row).enumerate().for_each(|(chunk, cells)| {
                let first = chunk * ROWS_AT_ONCE;
                for (place, column) in binned.iter().enumerate() {
                    let (cell, within) = (place / CELL, place % CELL);
                    let values = &columns[column.feature][first..];
                    for (row, value) in cells.chunks_exact_mut(cells_of_row).zip(values) {
                        row[cell][within] = column.bin(*value);
                    }
                }
            });
        }
        BinnedRows { columns: binned, cells, cells_of_row }
    }

    /// The cells of a row.
    pub fn cells(&self, row: u32) -> &[[u8; CELL]] {
        let first = row as usize * self.cells_of_row;
        &self.cells[first..first + self.cells_of_row]
    }

    /// The bin of a row in the column at this place of `columns`.
    pub fn bin(&self, row: u32, place: usize) -> u8 {
        self.cells[row as usize * self.cells_of_row + place / CELL][place % CELL]
    }
}

/// Tells whether a column differs between any two rows, be it by lacking a value.
pub(crate) fn is_informative(column: &[f64]) -> bool {
    let Some(present) = column.iter().find(|value| !value.is_nan()) else { return false };
    column.iter().any(|value| value != present)
}

/// Where the bins after the first begin: each distinct value has its own while there are bins enough; else a bin has about
/// as many values as another, and a frequent value its own.
fn cuts(column: &[f64], max_bins: usize) -> Vec<f64> {
    let mut values: Vec<f64> = sample(column).filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    // Of the two zeros, which are equal, one stands for both.
    let mut distinct: Vec<(f64, usize)> = Vec::new();
    for value in values {
        match distinct.last_mut() {
            Some((last, count)) if *last == value => *count += 1,
            _ => distinct.push((value, 1)),
        }
    }
    if distinct.len() <= max_bins {
        return distinct.iter().skip(1).map(|(value, _)| *value).collect();
    }
    let mut left: usize = distinct.iter().map(|(_, count)| count).sum();
    let mut cuts = Vec::with_capacity(max_bins - 1);
    let mut in_bin = 0;
    for pair in distinct.windows(2) {
        let ((_, count), (next, next_count)) = (pair[0], pair[1]);
        in_bin += count;
        let target = left as f64 / (max_bins - cuts.len()) as f64;
        // A value that fills a bin is not joined with those before it.
        if in_bin as f64 >= target || next_count as f64 >= target {
            cuts.push(next);
            left -= in_bin;
            in_bin = 0;
            if cuts.len() + 1 == max_bins {
                break;
            }
        }
    }
    cuts
}

/// All values of a short column; of a long one about [`SAMPLE`], at places that have no period.
fn sample(column: &[f64]) -> impl Iterator<Item = f64> {
    let share = SAMPLE as f64 / column.len() as f64;
    let limit = if share >= 1.0 { u64::MAX } else { (share * u64::MAX as f64) as u64 };
    column.iter().enumerate().filter(move |(row, _)| scattered(*row as u64) <= limit).map(|(_, value)| *value)
}

/// A number that looks random, of a row: the finaliser of SplitMix64 (Steele et al. 2014, doi:10.1145/2714064.2660195).
fn scattered(row: u64) -> u64 {
    let mut mixed = row.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_order_and_missing_ones_their_bin() {
        let columns = [
            vec![3.0, f64::NAN, -1.0, 3.0, 1e300],
            vec![7.0; 5],
            vec![f64::NAN; 5],
            vec![2.0, 2.0, f64::NAN, 2.0, 2.0],
            vec![0.0, -0.0, 1.0, 0.0, 1.0],
        ];
        let binned = BinnedRows::new(&columns, 255);
        let of = |place: usize| (0..5).map(|row| binned.bin(row, place)).collect::<Vec<_>>();
        assert_eq!(binned.columns.iter().map(|column| column.feature).collect::<Vec<_>>(), [0, 3, 4]);
        assert_eq!(of(0), [2, 0, 1, 2, 3]);
        assert_eq!(of(1), [1, 1, 0, 1, 1]);
        assert_eq!(of(2), [1, 1, 2, 1, 2]);
        assert_eq!(binned.columns[0].cuts, [3.0, 1e300]);
    }

    #[test]
    fn bins_are_about_equally_full_and_a_frequent_value_has_its_own() {
        // Half of the rows are 500; the others are spread.
        let column: Vec<f64> =
            (0..20_000).map(|row| if row % 2 == 0 { 500.0 } else { f64::from(row) / 20.0 }).collect();
        let binned = BinnedRows::new(&[column], 10);
        let mut rows = [0; 11];
        (0..20_000).for_each(|row| rows[binned.bin(row, 0) as usize] += 1);
        assert_eq!(rows[0], 0);
        assert_eq!(rows.iter().filter(|rows| **rows > 9_000).count(), 1, "{rows:?}");
        let (least, most) = rows[1..]
            .iter()
            .filter(|rows| **rows < 9_000)
            .fold((u32::MAX, 0), |(least, most), &rows| (least.min(rows), most.max(rows)));
        assert!(least > 600 && most < 2200, "{rows:?}");
        assert!(binned.columns[0].cuts.contains(&500.0), "{:?}", binned.columns[0].cuts);
    }
}
