//! How many queries run at once, and when one has to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use streamflow_promql::{Error as QueryError, StopReason};
use tokio::sync::Semaphore;

use super::error::ApiError;

/// Queries beyond the bound wait here.
pub struct QuerySlots(Arc<Semaphore>);

/// Until when a query may run, and whether anybody waits for it still.
pub struct Budget {
    started: Instant,
    deadline: Instant,
    gone: Arc<AtomicBool>,
}

/// Tells the query that nobody waits for it any more: the server drops a handler whose client hangs up.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Budget {
    /// Asked now and then by the engine.
    pub fn stop(&self) -> Option<StopReason> {
        if self.gone.load(Ordering::Relaxed) {
            Some(StopReason::Canceled)
        } else if Instant::now() >= self.deadline {
            Some(StopReason::Timeout)
        } else {
            None
        }
    }

    /// Time since the query was admitted.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl QuerySlots {
    pub fn new(slots: usize) -> Self {
        Self(Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))))
    }

    /// Runs `work` on a thread of its own as soon as there is a slot, within `timeout` from now.
    ///
    /// The slot is free when the work has really ended, not when its client has gone.
    ///
    /// # Errors
    /// When no slot became free in time, and what `work` returns.
    pub async fn run<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl FnOnce(&Budget) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let deadline = Instant::now() + timeout;
        let queued_out = || ApiError::from(QueryError::Timeout("query queue"));
        if timeout.is_zero() {
            return Err(queued_out());
        }
        let slot = tokio::time::timeout(timeout, self.0.clone().acquire_owned());
        let slot = slot.await.map_err(|_| queued_out())?.expect("the semaphore is never closed");
        let gone = Arc::new(AtomicBool::new(false));
        let waiting = Waiting(gone.clone());
        let task = tokio::task::spawn_blocking(move || {
            let result = work(&Budget { started: Instant::now(), deadline, gone });
            drop(slot);
            result
        });
        let result = task.await;
        drop(waiting);
        result.map_err(|_| ApiError::internal("the query ended in a panic, which is a bug"))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::ErrorKind;

    fn until_stopped(budget: &Budget) -> StopReason {
        loop {
            if let Some(reason) = budget.stop() {
                return reason;
            }
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn a_query_is_stopped_at_its_deadline() {
        let slots = QuerySlots::new(1);
        let reason = slots.run(Duration::from_millis(1), |budget| Ok(until_stopped(budget))).await;
        assert_eq!(reason.unwrap(), StopReason::Timeout);
    }

    #[tokio::test]
    async fn a_query_whose_client_has_gone_is_stopped_and_its_slot_freed() {
        let slots = Arc::new(QuerySlots::new(1));
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (ended, has_ended) = tokio::sync::oneshot::channel();
        let client = tokio::spawn({
            let slots = slots.clone();
            async move {
                let work = move |budget: &Budget| {
                    started.send(()).unwrap();
                    ended.send(until_stopped(budget)).unwrap();
                    Ok(())
                };
                slots.run(Duration::from_secs(600), work).await
            }
        });
        has_started.await.unwrap();
        let queued = slots.run(Duration::from_millis(1), |_| Ok(())).await.unwrap_err();
        assert_eq!(
            (queued.kind, queued.message.as_str()),
            (ErrorKind::Timeout, "query timed out in query queue")
        );
        client.abort();
        assert_eq!(has_ended.await.unwrap(), StopReason::Canceled);
        slots.run(Duration::from_secs(600), |_| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn no_time_at_all_is_a_timeout() {
        let refused = QuerySlots::new(1).run(Duration::ZERO, |_| Ok(())).await.unwrap_err();
        assert_eq!(refused.message, "query timed out in query queue");
    }
}
