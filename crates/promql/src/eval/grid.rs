//! Times at which an expression is evaluated, and the values of a series at them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use streamflow_histogram::{Histogram, boxed, unboxed};
use streamflow_tsdb::{Labels, METRIC_NAME, STALE_NAN};

use crate::error::Error;

/// Stands for "no sample at this step" within [`Values`]. Arithmetic never makes this signalling NaN, and stored
/// stale markers end at the selectors, so it cannot be mistaken for a value.
pub(crate) const ABSENT: f64 = STALE_NAN;

/// Tells whether there is no sample.
#[inline]
pub(crate) fn is_absent(value: f64) -> bool {
    value.to_bits() == ABSENT.to_bits()
}

/// Labels that say what a metric is; they go where a name is dropped.
pub(crate) const METADATA: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// Evenly spaced times of evaluation, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub(crate) start_ms: i64,
    /// The bound that the last time does not exceed, as it was asked for.
    pub(crate) end_ms: i64,
    /// Zero for an instant query, else positive.
    pub(crate) step_ms: i64,
    pub(crate) steps: usize,
}

impl Grid {
    pub(crate) fn instant(time_ms: i64) -> Self {
        Self { start_ms: time_ms, end_ms: time_ms, step_ms: 0, steps: 1 }
    }

    /// Every `step_ms`, which is positive, from start to end, both included; no steps where the end lies before the
    /// start.
    pub(crate) fn every(step_ms: i64, start_ms: i64, end_ms: i64) -> Self {
        let steps =
            if end_ms < start_ms { 0 } else { (end_ms.saturating_sub(start_ms) / step_ms) as usize + 1 };
        Self { start_ms, end_ms, step_ms, steps }
    }

    #[inline]
    pub(crate) fn time(&self, index: usize) -> i64 {
        self.start_ms.saturating_add(self.step_ms.saturating_mul(index as i64))
    }

    pub(crate) fn times(&self) -> impl Iterator<Item = i64> {
        (0..self.steps).map(|index| self.time(index))
    }

    /// The last time.
    pub(crate) fn last(&self) -> i64 {
        self.time(self.steps.saturating_sub(1))
    }
}

/// How many samples a query may hold at a time, and how many it holds.
#[derive(Debug)]
pub(crate) struct Budget {
    max: usize,
    held: AtomicUsize,
    peak: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, held: AtomicUsize::new(0), peak: AtomicUsize::new(0) })
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// # Errors
    /// When fewer than `samples` are left.
    pub(crate) fn take(self: &Arc<Self>, samples: usize) -> Result<Charge, Error> {
        let held = self.held.fetch_add(samples, Ordering::Relaxed).saturating_add(samples);
        let charge = Charge { budget: Arc::clone(self), samples };
        if held > self.max {
            return Err(too_many_samples());
        }
        self.peak.fetch_max(held, Ordering::Relaxed);
        Ok(charge)
    }

    /// Room for one series: all absent.
    pub(crate) fn values(self: &Arc<Self>, steps: usize) -> Result<Values, Error> {
        let charge = self.take(steps)?;
        Ok(Values { column: Column::absent(steps), charge })
    }
}

fn too_many_samples() -> Error {
    Error::Execution("query processing would load too many samples into memory in query execution".into())
}

/// Samples held; given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    samples: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.samples, Ordering::Relaxed);
    }
}

/// A sample of a vector.
#[derive(Debug, Clone)]
pub(crate) enum Sample {
    Number(f64),
    Histogram(Arc<Histogram>),
}

/// One cell a step, [`ABSENT`] where there is no sample. A histogram stands in a list beside the cells; its cell is a
/// boxed place in that list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Column {
    cells: Vec<f64>,
    histograms: Vec<Arc<Histogram>>,
}

impl Deref for Column {
    type Target = [f64];
    #[inline]
    fn deref(&self) -> &[f64] {
        &self.cells
    }
}

impl DerefMut for Column {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.cells
    }
}

impl Column {
    pub(crate) fn absent(steps: usize) -> Self {
        Self { cells: vec![ABSENT; steps], histograms: Vec::new() }
    }

    /// Tells whether a cell may be a histogram: where not, all of them are numbers or absent.
    #[inline]
    pub(crate) fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    /// Forgets the histograms; the cells are to be written anew.
    pub(crate) fn clear_histograms(&mut self) {
        self.histograms.clear();
    }

    /// The histogram of a step.
    #[inline]
    pub(crate) fn histogram(&self, step: usize) -> Option<&Arc<Histogram>> {
        unboxed(self.cells[step]).and_then(|place| self.histograms.get(place))
    }

    /// The sample of a step.
    pub(crate) fn sample(&self, step: usize) -> Option<Sample> {
        let value = self.cells[step];
        if is_absent(value) {
            return None;
        }
        Some(self.histogram(step).map_or(Sample::Number(value), |found| Sample::Histogram(Arc::clone(found))))
    }

    /// Puts a sample, or none, at a step.
    pub(crate) fn put(&mut self, step: usize, sample: Option<Sample>) {
        self.cells[step] = match sample {
            None => ABSENT,
            Some(Sample::Number(value)) => value,
            Some(Sample::Histogram(histogram)) => {
                // Places have 32 bits; a query holds far fewer samples.
                let place = boxed(self.histograms.len() as u32);
                self.histograms.push(histogram);
                place
            }
        };
    }

    /// Calls `map` for each sample with its step.
    pub(crate) fn map_samples(&mut self, mut map: impl FnMut(usize, Sample) -> Option<Sample>) {
        let before = self.clone();
        self.histograms.clear();
        for step in 0..before.len() {
            if let Some(sample) = before.sample(step) {
                self.put(step, map(step, sample));
            }
        }
    }

    /// Leaves numbers only; tells whether there was anything else.
    pub(crate) fn keep_numbers(&mut self) -> bool {
        let any = self.has_histograms();
        if any {
            self.cells.iter_mut().filter(|cell| unboxed(**cell).is_some()).for_each(|cell| *cell = ABSENT);
            self.histograms.clear();
        }
        any
    }

    /// The histograms that cells name.
    pub(crate) fn list(&self) -> &Vec<Arc<Histogram>> {
        &self.histograms
    }

    /// Replaces places in a list of others by places in its own.
    pub(crate) fn adopt(&mut self, list: &[Arc<Histogram>]) {
        if list.is_empty() {
            return;
        }
        let mut last = None;
        for cell in &mut self.cells {
            let Some(place) = unboxed(*cell) else { continue };
            let known = last.filter(|&(known, _)| known == place);
            let own = known.map_or_else(|| boxed(self.histograms.len() as u32), |(_, own)| own);
            match (known, list.get(place)) {
                (Some(_), _) => {}
                (None, Some(histogram)) => self.histograms.push(Arc::clone(histogram)),
                (None, None) => {
                    *cell = ABSENT;
                    continue;
                }
            }
            last = Some((place, own));
            *cell = own;
        }
    }

    /// Takes over another column's cells.
    pub(crate) fn copy_from(&mut self, other: &Column) {
        self.cells.copy_from_slice(&other.cells);
        self.histograms.clone_from(&other.histograms);
    }

    pub(crate) fn any_present(&self) -> bool {
        self.cells.iter().any(|&value| !is_absent(value))
    }

    /// The histograms of the cells from `first` on that are such, with their steps.
    pub(crate) fn native(&self) -> impl Iterator<Item = (usize, &Arc<Histogram>)> {
        let steps = if self.has_histograms() { self.cells.len() } else { 0 };
        (0..steps).filter_map(|step| Some((step, self.histogram(step)?)))
    }
}

/// The samples of one series at every step of a grid.
#[derive(Debug)]
pub(crate) struct Values {
    column: Column,
    charge: Charge,
}

impl Deref for Values {
    type Target = Column;
    #[inline]
    fn deref(&self) -> &Column {
        &self.column
    }
}

impl DerefMut for Values {
    #[inline]
    fn deref_mut(&mut self) -> &mut Column {
        &mut self.column
    }
}

impl Values {
    /// The cells and the histograms that they name, no longer counted as held.
    pub(crate) fn into_parts(self) -> (Vec<f64>, Vec<Arc<Histogram>>) {
        (self.column.cells, self.column.histograms)
    }

    /// Counts the histograms as held: one as much as four buckets.
    ///
    /// # Errors
    /// When fewer samples are left.
    pub(crate) fn weigh(&mut self) -> Result<(), Error> {
        if !self.has_histograms() {
            return Ok(());
        }
        let samples = self.column.histograms.iter().map(|histogram| weight(histogram)).sum();
        let mut more = self.charge.budget.take(samples)?;
        self.charge.samples += std::mem::take(&mut more.samples);
        Ok(())
    }
}

/// How many samples take as much memory, of 16 bytes each.
fn weight(histogram: &Histogram) -> usize {
    let buckets = histogram.positive.indices.len() + histogram.negative.indices.len();
    (size_of::<Histogram>() + 12 * buckets + 8 * histogram.custom_bounds.len()) / 16
}

/// A series of a vector at every step.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) labels: Labels,
    /// True if the name goes from the labels at the end (delayed name removal).
    pub(crate) drop_name: bool,
    pub(crate) values: Values,
}

/// A number at every step.
#[derive(Debug, Clone)]
pub(crate) enum Scalars {
    Constant(f64),
    Steps(Vec<f64>),
}

impl Scalars {
    #[inline]
    pub(crate) fn at(&self, step: usize) -> f64 {
        match self {
            Scalars::Constant(value) => *value,
            Scalars::Steps(values) => values[step],
        }
    }

    /// One value for each of `steps`.
    pub(crate) fn iter(&self, steps: usize) -> impl Iterator<Item = f64> {
        (0..steps).map(|step| self.at(step))
    }
}

/// What an expression evaluates to over a grid.
#[derive(Debug)]
pub(crate) enum Node {
    Scalar(Scalars),
    Vector(Vec<Row>),
    String(String),
}

/// Makes one row of those with the same labels, in the order of their first. Those whose name goes and those whose name
/// stays are not the same.
///
/// # Errors
/// When two of them have a sample at the same step.
pub(crate) fn merge_same_labels(rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    if rows.len() < 2 {
        return Ok(rows);
    }
    let mut place: HashMap<(Labels, bool), usize> = HashMap::with_capacity(rows.len());
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match place.entry((row.labels.clone(), row.drop_name)) {
            Entry::Vacant(vacant) => {
                vacant.insert(merged.len());
                merged.push(row);
            }
            Entry::Occupied(index) => {
                let into = &mut merged[*index.get()].values;
                for step in 0..row.values.len() {
                    if is_absent(row.values[step]) {
                        continue;
                    }
                    if !is_absent(into[step]) {
                        return Err(same_labelset());
                    }
                    into.put(step, row.values.sample(step));
                }
            }
        }
    }
    Ok(merged)
}

/// Prometheus's error for two samples of the same labels at the same time.
pub(crate) fn same_labelset() -> Error {
    Error::Execution("vector cannot contain metrics with the same labelset".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_grid() {
        let check = |start, end, step, expected: &[i64]| {
            let times: Vec<i64> = Grid::every(step, start, end).times().collect();
            assert_eq!(times, expected, "{start} to {end} by {step}");
        };
        check(0, 10, 5, &[0, 5, 10]);
        check(0, 9, 5, &[0, 5]);
        check(7, 7, 1, &[7]);
        check(8, 7, 1, &[]);
    }

    #[test]
    fn budget_is_given_back() {
        let budget = Budget::new(10);
        let first = budget.values(6).unwrap();
        assert!(budget.values(5).is_err());
        drop(first);
        assert!(budget.values(10).is_ok());
        assert_eq!(budget.peak(), 10);
    }

    #[test]
    fn rows_of_the_same_labels_become_one_unless_they_overlap() {
        let budget = Budget::new(100);
        let row = |cells: [f64; 2]| {
            let mut values = budget.values(2).unwrap();
            values.copy_from_slice(&cells);
            Row { labels: Labels::default(), drop_name: false, values }
        };
        let merged = merge_same_labels(vec![row([1.0, ABSENT]), row([ABSENT, 2.0])]).unwrap();
        assert_eq!(merged.len(), 1);
        assert_eq!(**merged[0].values, [1.0, 2.0]);
        assert_eq!(
            merge_same_labels(vec![row([1.0, ABSENT]), row([3.0, 2.0])]).unwrap_err(),
            same_labelset()
        );
    }
}
