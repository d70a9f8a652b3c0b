//! Queues of samples, each with its own connection: a series is always in the same one, so that its samples keep their order.
//!
//! Queues are bounded: where one is full, the log is not read on. Their number changes only when all are empty.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamflow_tsdb::{Labels, Position, Sample};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::sender::Sender;
use crate::exemplars::Exemplar;

/// What is sent of a series.
#[derive(Debug, Clone)]
pub enum Item {
    /// A sample of the log.
    Sample(Sample),
    /// An exemplar, which is in no log.
    Exemplar(Exemplar),
}

/// What waits to be sent.
#[derive(Debug)]
pub struct Queued {
    pub labels: Labels,
    pub item: Item,
    /// The piece of the log that it is of.
    piece: Arc<AtomicUsize>,
}

impl Queued {
    /// The receiver has taken it, or never will.
    fn done(&self) {
        self.piece.fetch_sub(1, Ordering::AcqRel);
    }

    /// Tells whether it is a sample.
    pub fn sample(&self) -> Option<&Sample> {
        match &self.item {
            Item::Sample(sample) => Some(sample),
            Item::Exemplar(_) => None,
        }
    }
}

/// What was read, in the order of the log: the place behind each piece, and how many of it are not done.
#[derive(Debug, Default)]
pub struct Pieces(Mutex<Waiting>);

type Waiting = VecDeque<(Position, Arc<AtomicUsize>)>;

impl Pieces {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all of them: what is not done is read again.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// One more piece of so many items, if it is not empty: else what is before it says when its place is done.
    pub fn begin(&self, items: usize, behind: Position) -> Arc<AtomicUsize> {
        let (left, mut waiting) = (Arc::new(AtomicUsize::new(items)), self.lock());
        match waiting.back_mut() {
            Some((last, _)) if items == 0 => *last = behind,
            _ => waiting.push_back((behind, Arc::clone(&left))),
        }
        left
    }

    /// A place that was given by [`Pieces::done`] is to be given again.
    pub fn again(&self, done: Position) {
        self.lock().push_front((done, Arc::default()));
    }

    /// The place in the log before which all is done, if it moved.
    pub fn done(&self) -> Option<Position> {
        let (mut done, mut waiting) = (None, self.lock());
        while let Some((behind, left)) = waiting.front()
            && left.load(Ordering::Acquire) == 0
        {
            done = Some(*behind);
            waiting.pop_front();
        }
        done
    }
}

/// The queues of a sender.
pub struct Shards {
    queues: Vec<mpsc::Sender<Queued>>,
    tasks: JoinSet<()>,
}

/// A shard ended by itself, which is a bug.
#[derive(Debug)]
pub struct Broken;

impl Shards {
    /// So many queues, at least one; they end when this is dropped.
    pub fn start(sender: &Arc<Sender>, count: usize) -> Self {
        let mut shards = Self { queues: Vec::new(), tasks: JoinSet::new() };
        shards.open(sender, count);
        shards
    }

    fn open(&mut self, sender: &Arc<Sender>, count: usize) {
        for _ in 0..count.max(1) {
            let (queue, waiting) = mpsc::channel(sender.endpoint.capacity.max(1));
            self.queues.push(queue);
            self.tasks.spawn(work(Arc::clone(sender), waiting));
        }
    }

    pub fn count(&self) -> usize {
        self.queues.len()
    }

    /// Puts a part of a piece of the log into the queues, each series into its own; waits where one is full.
    ///
    /// # Errors
    /// Where a shard has ended.
    pub async fn put(
        &self,
        items: impl IntoIterator<Item = (Labels, Item)>,
        piece: &Arc<AtomicUsize>,
    ) -> Result<(), Broken> {
        for (labels, item) in items {
            let queue = &self.queues[place(&labels, self.queues.len())];
            let queued = Queued { labels, item, piece: Arc::clone(piece) };
            queue.send(queued).await.map_err(|_| Broken)?;
        }
        Ok(())
    }

    /// Empties all queues, then opens as many as are wanted: no series is in two of them at any time.
    ///
    /// # Errors
    /// Where a shard panicked.
    pub async fn resize(&mut self, sender: &Arc<Sender>, count: usize) -> Result<(), Broken> {
        self.queues.clear();
        while let Some(ended) = self.tasks.join_next().await {
            ended.map_err(|_| Broken)?;
        }
        self.open(sender, count);
        Ok(())
    }
}

/// The queue of a series, the same whenever there are as many.
fn place(labels: &Labels, queues: usize) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(labels);
    (hash % queues as u64) as usize
}

/// Sends what comes until the queue is closed and empty.
async fn work(sender: Arc<Sender>, mut waiting: mpsc::Receiver<Queued>) {
    let most = sender.endpoint.max_samples_per_send.max(1);
    let mut batch = Vec::with_capacity(most.min(1 << 16));
    while waiting.recv_many(&mut batch, most).await > 0 {
        let deadline = Instant::now() + sender.endpoint.batch_send_deadline;
        while batch.len() < most {
            let more = most - batch.len();
            // Nothing more: the queue is closed, or the first has waited for long enough.
            if !matches!(timeout_at(deadline, waiting.recv_many(&mut batch, more)).await, Ok(1..)) {
                break;
            }
        }
        sender.send(&batch).await;
        batch.iter().for_each(Queued::done);
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_spread_over_the_queues_and_each_stays_in_its_own() {
        let of = |n: usize| Labels::new([("__name__", "m"), ("n", &n.to_string())]);
        let mut counts = [0; 7];
        (0..7000).for_each(|n| counts[place(&of(n), 7)] += 1);
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
        assert!((0..100).all(|n| place(&of(n), 7) == place(&of(n), 7) && place(&of(n), 1) == 0));
    }
}
