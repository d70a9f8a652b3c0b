//! How samples are taken out of the head: the head is changed, it has no marks.

use std::sync::Arc;

use super::series::State;
use crate::chunk::OpenChunk;
use crate::intervals::Intervals;
use crate::samples::Samples;
use crate::value::Value;

impl State {
    /// Takes the samples from `min` to `max` away; true if there were any.
    ///
    /// A later sample may take the place of one that was taken away: the newest sample of the series is the newest
    /// that is left.
    pub(crate) fn delete(&mut self, min: i64, max: i64) -> bool {
        let deleted = Intervals::default().with(min, max);
        let before = self.size().1;
        if self.overlaps(min, max) {
            let chunks = self.chunks.drain(..);
            self.chunks = chunks.filter_map(|chunk| deleted.strip(chunk)).collect();
            self.open = self.open.take().and_then(|open| strip_open(open, &deleted));
            for behind in [&mut self.flushing, &mut self.out_of_order] {
                if behind.iter().any(|sample| deleted.contains(sample.timestamp)) {
                    behind.make_mut().retain(|sample| !deleted.contains(sample.timestamp));
                }
            }
        }
        if self.newest.as_ref().is_some_and(|(newest, _)| deleted.contains(*newest)) {
            self.newest = self.newest_left();
        }
        self.size().1 != before
    }

    fn newest_left(&self) -> Option<(i64, Value)> {
        let mut samples = Samples::default();
        match (&self.open, self.chunks.last()) {
            (Some(open), _) => open.decode(&mut samples),
            (None, Some(last)) => drop(last.decode(&mut samples)),
            (None, None) => {}
        }
        let in_order = samples.values().last();
        let behind = self.behind().map(|sample| (sample.timestamp, sample.value.clone()));
        in_order.into_iter().chain(behind).max_by_key(|(timestamp, _)| *timestamp)
    }
}

fn strip_open(open: Arc<OpenChunk>, deleted: &Intervals) -> Option<Arc<OpenChunk>> {
    if !deleted.touches(open.min_time, open.max_time) {
        return Some(open);
    }
    let mut samples = Samples::default();
    open.decode(&mut samples);
    samples.delete(0, deleted);
    let mut left = samples.samples();
    let first = left.next()?;
    let mut open = OpenChunk::new(first.timestamp, first.start, &first.value);
    left.for_each(|sample| open.push(sample.timestamp, sample.start, &sample.value));
    Some(Arc::new(open))
}
