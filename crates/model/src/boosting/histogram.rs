//! Sums of gradients over the rows of each bin. They are sums of integers, so any order of rows, any number of threads and
//! the difference of two histograms give the same.

use rayon::prelude::*;

use super::bins::{BINS, BinnedRows, CELL, MISSING_BIN};

/// A first and a second derivative of the loss, or a sum of them, in units of a [`super::gradients::Gradients`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub gradient: i64,
    /// At least 1 for each row, so it is 0 where there are no rows.
    pub hessian: i64,
}

impl Sums {
    pub fn plus(self, other: Sums) -> Sums {
        Sums { gradient: self.gradient + other.gradient, hessian: self.hessian + other.hessian }
    }

    pub fn minus(self, other: Sums) -> Sums {
        Sums { gradient: self.gradient - other.gradient, hessian: self.hessian - other.hessian }
    }
}

/// The derivatives of one row.
pub(crate) type RowGradient = [i32; 2];

type ColumnSums = [Sums; BINS];

/// The sums of every bin of every column over some rows.
pub(crate) struct Histogram {
    columns: Vec<ColumnSums>,
}

/// Rows whose gradients are gathered before they are added cell by cell.
const BLOCK: usize = 512;
/// Rows that one thread adds up.
const ROWS_AT_ONCE: usize = 1 << 15;

impl Histogram {
    fn empty(bins: &BinnedRows) -> Histogram {
        // Columns that fill the last cell are there and never read.
        Histogram { columns: vec![[Sums::default(); BINS]; bins.columns.len().next_multiple_of(CELL)] }
    }

    /// Of these rows; `gradients` has one of each row of the bins.
    pub fn of(bins: &BinnedRows, rows: &[u32], gradients: &[RowGradient]) -> Histogram {
        if rows.len() <= ROWS_AT_ONCE {
            return Histogram::of_chunk(bins, rows, gradients);
        }
        let (first, second) = rows.split_at(rows.len() / 2);
        let (mut histogram, other) =
            rayon::join(|| Histogram::of(bins, first, gradients), || Histogram::of(bins, second, gradients));
        histogram.each(bins, &other, Sums::plus);
        histogram
    }

    fn of_chunk(bins: &BinnedRows, rows: &[u32], gradients: &[RowGradient]) -> Histogram {
        let mut histogram = Histogram::empty(bins);
        let (groups, _) = histogram.columns.as_chunks_mut::<CELL>();
        let mut gathered = [Sums::default(); BLOCK];
        for block in rows.chunks(BLOCK) {
            for (&row, sums) in block.iter().zip(&mut gathered) {
                let [gradient, hessian] = gradients[row as usize];
                *sums = Sums { gradient: i64::from(gradient), hessian: i64::from(hessian) };
            }
            for (cell, group) in groups.iter_mut().enumerate() {
                for (&row, sums) in block.iter().zip(&gathered) {
                    let bins = bins.cells(row)[cell];
                    for (column, bin) in group.iter_mut().zip(bins) {
                        let of_bin = &mut column[bin as usize];
                        *of_bin = of_bin.plus(*sums);
                    }
                }
            }
        }
        histogram
    }

    /// Takes away the rows of `other`, all of which are among these.
    pub fn subtract(&mut self, bins: &BinnedRows, other: &Histogram) {
        self.each(bins, other, Sums::minus);
    }

    fn each(&mut self, bins: &BinnedRows, other: &Histogram, combine: impl Fn(Sums, Sums) -> Sums) {
        for ((column, sums), other) in bins.columns.iter().zip(&mut self.columns).zip(&other.columns) {
            let used = ..=column.value_bins();
            sums[used].iter_mut().zip(&other[used]).for_each(|(sums, other)| *sums = combine(*sums, *other));
        }
    }

    /// The sums of the missing values of a column, and those of each bin of its values.
    pub fn column(&self, bins: &BinnedRows, place: usize) -> (Sums, &[Sums]) {
        let used = &self.columns[place][..=bins.columns[place].value_bins()];
        (used[MISSING_BIN as usize], &used[MISSING_BIN as usize + 1..])
    }
}

/// The sums of all of these rows.
pub(crate) fn total(rows: &[u32], gradients: &[RowGradient]) -> Sums {
    let sums = |row: &u32| {
        let [gradient, hessian] = gradients[*row as usize];
        Sums { gradient: i64::from(gradient), hessian: i64::from(hessian) }
    };
    rows.par_iter().with_min_len(ROWS_AT_ONCE).map(sums).reduce(Sums::default, Sums::plus)
}
