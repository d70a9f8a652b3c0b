//! Where a model is worst: the slices of one or two features with the largest loss.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use streamflow_stats::{benjamini_hochberg, sum, t_sf};

use crate::error::{self, Error};
use crate::interval::{Interval, student_with};

/// The code of a row without a value.
pub const MISSING: u32 = u32::MAX;

/// A categorical feature, or a numerical one in bins.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentColumn {
    /// The feature.
    pub name: String,
    /// Names of its levels.
    pub levels: Vec<String>,
    /// The level of each row as an index into `levels`, or [`MISSING`], which is a level of its own.
    pub codes: Vec<u32>,
}

/// Which slices are looked at and which are shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SegmentRule {
    /// Least rows of a slice, and of what it is compared with.
    pub min_rows: usize,
    /// Least share of all rows, likewise.
    pub min_share: f64,
    /// Share of the slices shown that may be worse by chance alone.
    pub false_discovery_rate: f64,
    /// The most slices shown.
    pub most: usize,
}

impl Default for SegmentRule {
    fn default() -> Self {
        Self { min_rows: 100, min_share: 0.01, false_discovery_rate: 0.05, most: 10 }
    }
}

/// One condition of a slice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Condition {
    /// The feature.
    pub column: String,
    /// Its level; `None` where the value is missing.
    pub level: Option<String>,
}

/// A slice that is worse than the other rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// One condition or two.
    pub conditions: Vec<Condition>,
    /// Rows of the slice.
    pub rows: usize,
    /// Share of all rows.
    pub share: f64,
    /// Mean loss of the slice.
    pub mean_loss: f64,
    /// Mean loss of the slice minus that of all other rows.
    pub excess: f64,
    /// Welch's interval of the excess, for this slice alone: that of the largest of many is too low.
    pub interval: Option<Interval>,
    /// p adjusted for the number of slices tested.
    pub p_adjusted: f64,
}

/// The worst slices, and what they were chosen from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segments {
    /// Rows with a loss.
    pub rows: usize,
    /// Rows without.
    pub left_out: usize,
    /// Mean loss of all; `None` without rows.
    pub mean_loss: Option<f64>,
    /// Slices that were large enough to be tested.
    pub tested: usize,
    /// The worst, by falling excess.
    pub worst: Vec<Segment>,
}

impl SegmentRule {
    /// Finds the slices with the largest significant excess of the loss, which has one value per row (NaN where there is
    /// none): log loss, as a rule.
    ///
    /// Slices are the levels of each feature and the pairs of levels of two. A slice is tested one-sided by Welch's t
    /// against all other rows; a pair also against the rest of each of its two levels, so that it is shown only when it
    /// is worse than both of them. Its p is the largest of the three. p-values of all tested slices are adjusted by
    /// Benjamini and Hochberg. Equal excesses come by rows, then by name. O(features² · n), on all processors.
    ///
    /// Source: after Y. Chung et al., "Slice Finder" (2019), doi:10.1109/ICDE.2019.00139; B. Welch (1947),
    /// doi:10.2307/2332510.
    ///
    /// # Errors
    /// [`Error::Unaligned`], [`Error::UnknownLevel`], [`Error::NotFinite`] for an infinite loss, [`Error::Setting`] for a
    /// share or rate outside [0, 1].
    pub fn worst(&self, columns: &[SegmentColumn], losses: &[f64]) -> Result<Segments, Error> {
        self.check(columns, losses)?;
        let kept: Vec<usize> = (0..losses.len()).filter(|&row| !losses[row].is_nan()).collect();
        let rows = kept.len();
        let mean = sum(kept.iter().map(|&row| losses[row])) / rows as f64;
        // About the mean, so that squares lose no digits.
        let centred: Vec<f64> = kept.iter().map(|&row| losses[row] - mean).collect();
        let least = (self.min_share * rows as f64).ceil().max(self.min_rows as f64).max(2.0);
        let columns: Vec<Column> =
            columns.iter().map(|column| Column::new(column, &kept, &centred, least)).collect();
        let all = Moments::of(centred.iter().copied());
        let tests = Tests { columns: &columns, losses: &centred, all, least };
        let mut slices: Vec<Slice> = (0..columns.len()).flat_map(|column| tests.single(column)).collect();
        let pairs: Vec<(usize, usize)> = (0..columns.len())
            .flat_map(|first| (first + 1..columns.len()).map(move |second| (first, second)))
            .collect();
        let of_pairs: Vec<Vec<Slice>> =
            pairs.into_par_iter().map(|(first, second)| tests.pair(first, second)).collect();
        slices.extend(of_pairs.into_iter().flatten());
        Ok(Segments {
            rows,
            left_out: losses.len() - rows,
            mean_loss: (rows > 0).then_some(mean),
            tested: slices.len(),
            worst: self.chosen(&slices, &tests, mean),
        })
    }

    fn check(&self, columns: &[SegmentColumn], losses: &[f64]) -> Result<(), Error> {
        for (name, value) in
            [("min_share", self.min_share), ("false_discovery_rate", self.false_discovery_rate)]
        {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::Setting { name, value, expected: "a number from 0 to 1" });
            }
        }
        if let Some(row) = losses.iter().position(|loss| loss.is_infinite()) {
            return Err(Error::NotFinite { what: "loss", row, value: losses[row] });
        }
        for column in columns {
            error::aligned(("the codes of a column", column.codes.len()), ("the losses", losses.len()))?;
            let levels = column.levels.len();
            let unknown = |code: &u32| *code != MISSING && *code as usize >= levels;
            if let Some(row) = column.codes.iter().position(unknown) {
                let (column, code) = (column.name.clone(), column.codes[row]);
                return Err(Error::UnknownLevel { column, row, code, levels });
            }
        }
        Ok(())
    }

    fn chosen(&self, slices: &[Slice], tests: &Tests, mean: f64) -> Vec<Segment> {
        let adjusted = benjamini_hochberg(&slices.iter().map(|slice| slice.p_value).collect::<Vec<f64>>());
        let segment = |(slice, p_adjusted): (&Slice, f64)| {
            let others = tests.all.minus(&slice.moments);
            let welch = Welch::new(&slice.moments, &others)?;
            let rows = slice.moments.rows;
            Some(Segment {
                conditions: slice.conditions(tests.columns),
                rows: rows as usize,
                share: rows / tests.all.rows,
                mean_loss: mean + slice.moments.mean(),
                excess: welch.difference,
                interval: student_with(welch.difference, welch.error, welch.degrees),
                p_adjusted,
            })
        };
        let significant = slices.iter().zip(adjusted).filter(|(_, p)| *p <= self.false_discovery_rate);
        let mut segments: Vec<Segment> = significant.filter_map(segment).collect();
        segments.sort_by(|a, b| {
            let by_excess = b.excess.total_cmp(&a.excess).then(b.rows.cmp(&a.rows));
            by_excess.then_with(|| a.conditions.cmp(&b.conditions))
        });
        segments.truncate(self.most);
        segments
    }
}

/// Rows, sum and sum of squares of centred losses.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    rows: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn of(losses: impl Iterator<Item = f64>) -> Self {
        losses.fold(Self::default(), |mut moments, loss| {
            moments.add(loss);
            moments
        })
    }

    #[inline]
    fn add(&mut self, loss: f64) {
        self.rows += 1.0;
        self.sum += loss;
        self.squares += loss * loss;
    }

    fn minus(&self, part: &Self) -> Self {
        Self { rows: self.rows - part.rows, sum: self.sum - part.sum, squares: self.squares - part.squares }
    }

    fn mean(&self) -> f64 {
        self.sum / self.rows
    }

    /// Variance of the mean, ddof 1.
    fn variance_of_mean(&self) -> f64 {
        ((self.squares - self.sum * self.mean()) / (self.rows - 1.0) / self.rows).max(0.0)
    }
}

/// Welch's comparison of two means.
struct Welch {
    difference: f64,
    error: f64,
    degrees: f64,
}

impl Welch {
    /// `None` where a side has fewer than two rows or neither varies: nothing can be tested then.
    fn new(slice: &Moments, others: &Moments) -> Option<Self> {
        if slice.rows < 2.0 || others.rows < 2.0 {
            return None;
        }
        let (v, w) = (slice.variance_of_mean(), others.variance_of_mean());
        let degrees = (v + w).powi(2) / (v * v / (slice.rows - 1.0) + w * w / (others.rows - 1.0));
        let difference = slice.mean() - others.mean();
        (v + w > 0.0).then_some(Self { difference, error: (v + w).sqrt(), degrees })
    }

    /// One-sided p against "the slice is not worse".
    fn p_value(&self) -> f64 {
        t_sf(self.difference / self.error, self.degrees)
    }
}

/// A feature with its rare levels joined: a slice of a rare level is never large enough.
struct Column<'a> {
    source: &'a SegmentColumn,
    /// Codes of the levels that are kept, [`MISSING`] among them.
    levels: Vec<u32>,
    /// Of each row the index into `levels`, or `levels.len()`.
    kept: Vec<u32>,
    moments: Vec<Moments>,
}

impl<'a> Column<'a> {
    fn new(source: &'a SegmentColumn, rows: &[usize], losses: &[f64], least: f64) -> Self {
        // Missing is the last level.
        let place = |code: u32| if code == MISSING { source.levels.len() } else { code as usize };
        let mut all = vec![Moments::default(); source.levels.len() + 1];
        for (&row, &loss) in rows.iter().zip(losses) {
            all[place(source.codes[row])].add(loss);
        }
        let frequent: Vec<usize> = (0..all.len()).filter(|&level| all[level].rows >= least).collect();
        let mut index = vec![frequent.len() as u32; all.len()];
        for (kept, &level) in (0..).zip(&frequent) {
            index[level] = kept;
        }
        let code = |&level: &usize| if level == source.levels.len() { MISSING } else { level as u32 };
        Self {
            source,
            levels: frequent.iter().map(code).collect(),
            kept: rows.iter().map(|&row| index[place(source.codes[row])]).collect(),
            moments: frequent.iter().map(|&level| all[level]).collect(),
        }
    }

    fn condition(&self, level: usize) -> Condition {
        let name = self.source.levels.get(self.levels[level] as usize);
        Condition { column: self.source.name.clone(), level: name.cloned() }
    }
}

/// A tested slice: columns and kept levels.
struct Slice {
    places: [Option<(usize, usize)>; 2],
    moments: Moments,
    p_value: f64,
}

impl Slice {
    fn conditions(&self, columns: &[Column]) -> Vec<Condition> {
        let mut conditions: Vec<Condition> =
            self.places.iter().flatten().map(|&(column, level)| columns[column].condition(level)).collect();
        conditions.sort();
        conditions
    }
}

struct Tests<'a> {
    columns: &'a [Column<'a>],
    losses: &'a [f64],
    all: Moments,
    least: f64,
}

impl Tests<'_> {
    /// The largest p of a slice against the rest of each of `wholes`; `None` where one of these is too small.
    fn p_value(&self, slice: &Moments, wholes: &[&Moments]) -> Option<f64> {
        let mut largest = 0.0_f64;
        for whole in wholes {
            let rest = whole.minus(slice);
            if slice.rows < self.least || rest.rows < self.least {
                return None;
            }
            largest = largest.max(Welch::new(slice, &rest)?.p_value());
        }
        Some(largest)
    }

    fn single(&self, column: usize) -> Vec<Slice> {
        let moments = self.columns[column].moments.iter().enumerate();
        let slice = |(level, moments): (usize, &Moments)| {
            let p_value = self.p_value(moments, &[&self.all])?;
            Some(Slice { places: [Some((column, level)), None], moments: *moments, p_value })
        };
        moments.filter_map(slice).collect()
    }

    fn pair(&self, first: usize, second: usize) -> Vec<Slice> {
        let (left, right) = (&self.columns[first], &self.columns[second]);
        let width = right.levels.len() + 1;
        let mut cells = vec![Moments::default(); (left.levels.len() + 1) * width];
        for ((&row, &column), &loss) in left.kept.iter().zip(&right.kept).zip(self.losses) {
            cells[row as usize * width + column as usize].add(loss);
        }
        let mut slices = Vec::new();
        for (i, of_left) in left.moments.iter().enumerate() {
            for (j, of_right) in right.moments.iter().enumerate() {
                let moments = cells[i * width + j];
                if let Some(p_value) = self.p_value(&moments, &[&self.all, of_left, of_right]) {
                    slices.push(Slice { places: [Some((first, i)), Some((second, j))], moments, p_value });
                }
            }
        }
        slices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(row: u32, salt: u32) -> f64 {
        let mixed = (row ^ salt.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B);
        f64::from((mixed ^ (mixed >> 13)).wrapping_mul(0xC2B2_AE35) >> 8) / f64::from(1 << 24)
    }

    fn column(name: &str, rows: u32, levels: u32, salt: u32) -> SegmentColumn {
        let codes = (0..rows).map(|row| (noise(row, salt) * f64::from(levels)) as u32).collect();
        SegmentColumn {
            name: name.into(),
            levels: (0..levels).map(|level| format!("{name}{level}")).collect(),
            codes,
        }
    }

    fn named(segment: &Segment) -> Vec<String> {
        segment.conditions.iter().map(|c| c.level.clone().unwrap_or_else(|| "missing".to_owned())).collect()
    }

    #[test]
    fn planted_slices_are_found_and_no_others() {
        let rows = 20_000;
        let columns = [
            column("a", rows, 5, 1),
            column("b", rows, 4, 2),
            column("c", rows, 6, 3),
            column("d", rows, 3, 4),
        ];
        let loss = |row: u32, of_a: f64, of_pair: f64| {
            let at = |column: usize| columns[column].codes[row as usize];
            let level = if at(0) == 3 { of_a } else { 0.0 };
            let pair = if at(1) == 1 && at(2) == 2 { of_pair } else { 0.0 };
            noise(row, 9) + level + pair
        };
        let check = |of_a, of_pair, expected: &[&[&str]]| {
            let losses: Vec<f64> = (0..rows).map(|row| loss(row, of_a, of_pair)).collect();
            let found = SegmentRule::default().worst(&columns, &losses).unwrap();
            let names: Vec<Vec<String>> = found.worst.iter().map(named).collect();
            assert_eq!(names.len(), expected.len(), "{names:?}");
            for (name, expected) in names.iter().zip(expected) {
                assert_eq!(name, expected, "{names:?}");
            }
        };
        check(0.0, 0.0, &[]);
        check(0.3, 0.0, &[&["a3"]]);
        // A pair lifts both of its levels a little too.
        check(0.0, 0.3, &[&["b1", "c2"], &["c2"], &["b1"]]);
        // Two causes add up where they meet.
        let expected: &[&[&str]] = &[&["b1", "c2"], &["a3", "c2"], &["a3", "b1"], &["a3"], &["c2"], &["b1"]];
        check(0.2, 0.5, expected);
    }

    #[test]
    fn what_is_shown_adds_up() {
        let columns = [SegmentColumn {
            name: "plan".into(),
            levels: vec!["a".into(), "b".into()],
            codes: (0..1000).map(|row| if row % 5 == 0 { MISSING } else { row % 2 }).collect(),
        }];
        let losses: Vec<f64> =
            (0..1000_u32)
                .map(|row| {
                    if row % 10 == 3 {
                        f64::NAN
                    } else {
                        noise(row, 1) + if row % 5 == 0 { 1.0 } else { 0.0 }
                    }
                })
                .collect();
        let found = SegmentRule::default().worst(&columns, &losses).unwrap();
        assert_eq!((found.rows, found.left_out), (900, 100));
        let [worst] = &found.worst[..] else { panic!("{found:?}") };
        assert_eq!((named(worst), worst.rows), (vec!["missing".to_owned()], 200));
        let mean = |inside: bool| {
            let rows = (0..1000).filter(|row| (row % 5 == 0) == inside && row % 10 != 3);
            rows.clone().map(|row| losses[row]).sum::<f64>() / rows.count() as f64
        };
        assert!((worst.mean_loss - mean(true)).abs() < 1e-12);
        assert!((worst.excess - (mean(true) - mean(false))).abs() < 1e-12);
        assert!(
            worst.interval.unwrap().contains(worst.excess) && (worst.share - 200.0 / 900.0).abs() < 1e-12
        );
    }

    #[test]
    fn the_row_order_does_not_matter() {
        let columns = [column("a", 3000, 4, 1), column("b", 3000, 4, 2)];
        let losses: Vec<f64> =
            (0..3000).map(|row| noise(row, 5) + f64::from(columns[0].codes[row as usize]) * 0.1).collect();
        let found = SegmentRule::default().worst(&columns, &losses).unwrap();
        let turned = columns.clone().map(|mut column| {
            column.codes.reverse();
            column
        });
        let mut losses = losses;
        losses.reverse();
        let again = SegmentRule::default().worst(&turned, &losses).unwrap();
        assert!(!found.worst.is_empty());
        assert_eq!(found.worst.len(), again.worst.len());
        for (first, second) in found.worst.iter().zip(&again.worst) {
            assert_eq!(first.conditions, second.conditions);
            assert!((first.excess - second.excess).abs() < 1e-12);
        }
    }

    #[test]
    fn odd_tables_have_no_worst_slice() {
        let check = |columns: &[SegmentColumn], losses: &[f64]| {
            let found = SegmentRule { min_rows: 1, ..SegmentRule::default() }.worst(columns, losses).unwrap();
            assert_eq!(found.worst, [], "{found:?}");
        };
        check(&[], &[]);
        check(&[], &[1.0, 2.0]);
        check(&[column("a", 1, 1, 1)], &[1.0]);
        check(&[column("a", 200, 2, 1)], &[0.7; 200]);
        check(&[column("a", 200, 2, 1)], &[f64::NAN; 200]);
        check(&[column("a", 0, 2, 1)], &[]);
    }

    #[test]
    fn tables_that_do_not_fit_are_refused() {
        let bad = SegmentColumn { name: "a".into(), levels: vec!["x".into()], codes: vec![0, 1] };
        let message = |found: Result<Segments, Error>| found.unwrap_err().to_string();
        let rule = SegmentRule::default();
        assert!(
            message(rule.worst(std::slice::from_ref(&bad), &[0.1, 0.2]))
                .starts_with("column \"a\" has the code 1 at row 1")
        );
        assert!(message(rule.worst(&[bad], &[0.1])).starts_with("the codes of a column have 2 rows"));
        assert!(message(rule.worst(&[], &[f64::INFINITY])).starts_with("row 0 has the loss inf"));
        let rule = SegmentRule { min_share: 2.0, ..rule };
        assert!(message(rule.worst(&[], &[])).starts_with("min_share is 2"));
    }
}
