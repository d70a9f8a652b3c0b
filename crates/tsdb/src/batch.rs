//! Samples that are committed together.

use std::sync::Arc;

use streamflow_histogram::Histogram;

use crate::db::Inner;
use crate::error::{AppendError, Error};
use crate::head::{Bounds, MemSeries, Place, State};
use crate::labels::{Labels, LabelsRef};
use crate::samples::Sample;
use crate::value::Value;

/// Names a series in memory for as long as the process runs and the series has samples there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesRef(pub(crate) u64);

impl SeriesRef {
    /// As a number, for caches.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

/// What a commit did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Samples that are in the store now, those included that were there before.
    pub samples: u64,
    /// Samples that another batch overtook between their adding and this commit: refused, and counted in the
    /// store's statistics.
    pub refused: u64,
}

/// Samples of any series, collected in memory and committed together: after a commit all of them survive the end of
/// the process, before it none is seen. Dropping a batch forgets it.
#[derive(Debug)]
pub struct Batch {
    pub(crate) store: Arc<Inner>,
    pub(crate) id: u64,
    pub(crate) runs: Vec<Run>,
    /// The samples of all runs.
    pub(crate) samples: Vec<Waiting>,
    pub(crate) present: u64,
}

/// Samples of one series that were added one after the other.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) series: Arc<MemSeries>,
    pub(crate) samples: u32,
    /// The log knew the series when the first was added.
    pub(crate) logged: bool,
}

#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) sample: Sample,
    pub(crate) behind: bool,
}

impl Batch {
    /// One sample of the series of these labels, which is made if there is none.
    ///
    /// # Errors
    /// When the sample is refused; it is counted then, and the batch is as before.
    pub fn add(&mut self, labels: &Labels, timestamp_ms: i64, value: f64) -> Result<SeriesRef, AppendError> {
        self.add_labelled(labels, Sample::new(timestamp_ms, Value::float(value)))
    }

    /// One sample that is a histogram, as [`Batch::add`].
    ///
    /// # Errors
    /// As [`Batch::add`]; [`AppendError::Histogram`] when it is none.
    pub fn add_histogram(
        &mut self,
        labels: &Labels,
        timestamp_ms: i64,
        histogram: Arc<Histogram>,
    ) -> Result<SeriesRef, AppendError> {
        let value = self.checked(histogram)?;
        self.add_labelled(labels, Sample::new(timestamp_ms, value))
    }

    /// One sample of any kind with its start timestamp, as [`Batch::add`]. A sample that is there already stays with the start
    /// that it has.
    ///
    /// # Errors
    /// As [`Batch::add_histogram`].
    pub fn add_sample(&mut self, labels: &Labels, sample: Sample) -> Result<SeriesRef, AppendError> {
        let sample = self.checked_sample(sample)?;
        self.add_labelled(labels, sample)
    }

    fn add_labelled(&mut self, labels: &Labels, sample: Sample) -> Result<SeriesRef, AppendError> {
        if labels.is_empty() {
            return Err(AppendError::NoLabels);
        }
        let store = Arc::clone(&self.store);
        store.head.get_or_create(labels.into(), |series| self.place(series, sample))
    }

    fn checked_sample(&self, sample: Sample) -> Result<Sample, AppendError> {
        let value = match sample.value {
            Value::Float(value) => Value::float(value),
            Value::Histogram(histogram) => self.checked(histogram)?,
        };
        Ok(Sample { value, ..sample })
    }

    fn checked(&self, histogram: Arc<Histogram>) -> Result<Value, AppendError> {
        if let Err(invalid) = histogram.check() {
            let error = AppendError::Histogram(invalid);
            self.store.refused.count(&error);
            return Err(error);
        }
        Ok(Value::histogram(histogram))
    }

    /// Samples of one series, which is looked up once; `refuse` gets why others are not taken, each of which is counted.
    /// Returns how many were taken. What [`Batch::add_sample`] says of a sample is true of each.
    pub fn add_all<'a>(
        &mut self,
        labels: impl Into<LabelsRef<'a>>,
        samples: impl IntoIterator<Item = Sample>,
        mut refuse: impl FnMut(AppendError),
    ) -> u64 {
        let (labels, samples) = (labels.into(), samples.into_iter());
        if labels.is_empty() {
            samples.for_each(|_| refuse(AppendError::NoLabels));
            return 0;
        }
        let store = Arc::clone(&self.store);
        store.head.get_or_create(labels, |series| {
            let (mut state, bounds) = (series.lock(), store.bounds());
            let mut taken = 0;
            for sample in samples {
                let sample = self.checked_sample(sample);
                match sample.and_then(|sample| self.put(series, &mut state, &bounds, sample)) {
                    Ok(()) => taken += 1,
                    Err(error) => refuse(error),
                }
            }
            taken
        })
    }

    /// One sample of a series that was added to before: the fast way.
    ///
    /// # Errors
    /// As [`Batch::add`]; [`AppendError::UnknownSeries`] when the series has left memory: add by labels again.
    pub fn add_ref(&mut self, series: SeriesRef, timestamp_ms: i64, value: f64) -> Result<(), AppendError> {
        self.add_referred(series, Sample::new(timestamp_ms, Value::float(value)))
    }

    /// One sample that is a histogram, as [`Batch::add_ref`].
    ///
    /// # Errors
    /// As [`Batch::add_ref`]; [`AppendError::Histogram`] when it is none.
    pub fn add_histogram_ref(
        &mut self,
        series: SeriesRef,
        timestamp_ms: i64,
        histogram: Arc<Histogram>,
    ) -> Result<(), AppendError> {
        let value = self.checked(histogram)?;
        self.add_referred(series, Sample::new(timestamp_ms, value))
    }

    /// One sample of any kind with its start timestamp, as [`Batch::add_ref`].
    ///
    /// # Errors
    /// As [`Batch::add_histogram_ref`].
    pub fn add_sample_ref(&mut self, series: SeriesRef, sample: Sample) -> Result<(), AppendError> {
        let sample = self.checked_sample(sample)?;
        self.add_referred(series, sample)
    }

    fn add_referred(&mut self, series: SeriesRef, sample: Sample) -> Result<(), AppendError> {
        let store = Arc::clone(&self.store);
        let placed = store.head.with(series.0, |series| self.place(series, sample));
        placed.unwrap_or(Err(AppendError::UnknownSeries(series.0))).map(|_| ())
    }

    fn place(&mut self, series: &Arc<MemSeries>, sample: Sample) -> Result<SeriesRef, AppendError> {
        let bounds = self.store.bounds();
        self.put(series, &mut series.lock(), &bounds, sample).map(|()| SeriesRef(series.id))
    }

    fn put(
        &mut self,
        series: &Arc<MemSeries>,
        state: &mut State,
        bounds: &Bounds,
        sample: Sample,
    ) -> Result<(), AppendError> {
        match state.place(sample.timestamp, &sample.value, self.id, bounds) {
            Ok(Place::Present) => self.present += 1,
            Ok(place) => {
                state.expect(sample.timestamp, &sample.value, self.id, place);
                match self.runs.last_mut().filter(|run| Arc::ptr_eq(&run.series, series)) {
                    Some(run) => run.samples += 1,
                    None => {
                        self.runs.push(Run { series: Arc::clone(series), samples: 1, logged: state.logged });
                    }
                }
                self.samples.push(Waiting { sample, behind: place == Place::OutOfOrder });
            }
            Err(error) => {
                self.store.refused.count(&error);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes room for so many more samples.
    pub fn reserve(&mut self, samples: usize) {
        self.samples.reserve(samples);
    }

    /// How many samples wait for the commit.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Tells whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Makes the samples durable, then visible.
    ///
    /// # Errors
    /// When the write-ahead log cannot be written: then no sample of the batch is in the store, which goes on.
    pub fn commit(mut self) -> Result<Committed, Error> {
        let store = Arc::clone(&self.store);
        store.commit(&mut self)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for run in &self.runs {
            run.series.lock().pending -= run.samples;
        }
    }
}
