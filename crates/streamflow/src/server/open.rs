//! The open connections of a listener, and which one gives way when there are too many.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, Id, JoinSet};

use super::activity::Activity;

/// A client may keep the server waiting for so long before its connection gives way to another's.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a full listener looks for a connection that may give way.
pub const RECHECK: Duration = Duration::from_millis(100);

pub struct Open {
    max_connections: usize,
    tasks: JoinSet<()>,
    connections: HashMap<Id, (Arc<Activity>, AbortHandle)>,
}

impl Open {
    pub fn new(max_connections: usize) -> Self {
        Self { max_connections, tasks: JoinSet::new(), connections: HashMap::new() }
    }

    /// Whether one more connection can be admitted. Looks at every connection when all places are taken.
    pub fn has_room(&self) -> bool {
        self.connections.len() < self.max_connections || self.longest_waiting().is_some()
    }

    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Makes room for one more connection, whose activity this is.
    pub fn admit(&mut self) -> Arc<Activity> {
        if self.connections.len() >= self.max_connections {
            self.close_longest_waiting();
        }
        Activity::new(Instant::now())
    }

    /// Closes the connection whose client has kept the server waiting longest, where there is one that may give way.
    pub fn close_longest_waiting(&mut self) {
        if let Some((_, task)) = self.longest_waiting().and_then(|id| self.connections.remove(&id)) {
            task.abort();
        }
    }

    pub fn spawn(&mut self, activity: Arc<Activity>, connection: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(connection);
        self.connections.insert(task.id(), (activity, task));
    }

    /// Resolves when a connection has ended; never while there is none.
    pub async fn ended(&mut self) {
        let Some(ended) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.connections.remove(&id);
    }

    /// Waits until all connections have ended, at most for `timeout`; then drops those that are left.
    pub async fn drain(mut self, timeout: Duration) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(timeout, all).await.is_err() {
            tracing::warn!(
                connections = self.tasks.len(),
                ?timeout,
                "dropping requests that did not finish in time"
            );
        }
    }

    /// The connection whose client has kept the server waiting longest, beyond [`PATIENCE`].
    fn longest_waiting(&self) -> Option<Id> {
        let waiting =
            self.connections.iter().filter_map(|(id, (activity, _))| Some((activity.waiting_for()?, *id)));
        let (longest, id) = waiting.max_by_key(|(waiting, _)| *waiting)?;
        (longest >= PATIENCE).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A full listener with connections opened so many seconds ago; those of zero are being answered.
    fn full(opened_seconds_ago: &[u64]) -> Open {
        let mut open = Open::new(opened_seconds_ago.len());
        for &seconds in opened_seconds_ago {
            let opened = Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
            let activity = Activity::new(opened);
            if seconds == 0 {
                activity.answers();
            }
            open.spawn(activity, std::future::pending());
        }
        open
    }

    #[tokio::test]
    async fn the_longest_wait_gives_way_and_no_answer_does() {
        for (opened_seconds_ago, expected) in
            [(&[0, 20, 30, 10][..], Some(30)), (&[0, 0, 2], Some(2)), (&[0, 0], None)]
        {
            let mut open = full(opened_seconds_ago);
            assert_eq!(open.has_room(), expected.is_some(), "{opened_seconds_ago:?}");
            open.admit();
            let left: Vec<Option<u64>> = open
                .connections
                .values()
                .map(|(activity, _)| activity.waiting_for().map(|waiting| waiting.as_secs()))
                .collect();
            assert_eq!(left.len(), opened_seconds_ago.len() - usize::from(expected.is_some()));
            assert!(expected.is_none() || !left.contains(&expected), "{left:?}");
        }
    }

    #[tokio::test]
    async fn a_client_may_take_a_moment() {
        let mut open = Open::new(1);
        let activity = Activity::new(Instant::now() + Duration::from_secs(60));
        open.spawn(activity, std::future::pending());
        assert!(!open.has_room());
    }
}
