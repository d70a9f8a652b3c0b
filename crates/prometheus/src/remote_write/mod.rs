//! Sends every stored sample on to other systems by remote write, in either version.
//!
//! A sender follows the write-ahead log of the store and keeps the place up to which the receiver took everything. What it
//! reads goes to shards, each of which is a bounded queue with a connection of its own; where one is full, the log is not
//! read on. So little is held in memory while a receiver is away, and a restart goes on where the last one ended: at worst
//! what was read and not yet confirmed is sent twice, which receivers take as one.

mod batch;
mod endpoint;
mod meanings;
mod pace;
mod position;
mod sender;
mod shards;
mod status;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use streamflow_tsdb::Db;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use endpoint::Endpoint;
pub use meanings::Meanings;
pub use status::SenderStatus;

use crate::exemplars::Exemplars;
use sender::Sender;

/// What is sent beside the samples of the log.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Exemplars, as they come.
    pub exemplars: Arc<Exemplars>,
    /// What families mean.
    pub meanings: Meanings,
}

/// All senders of a server.
#[derive(Debug)]
pub struct RemoteWrite {
    db: Db,
    /// Where positions are kept.
    dir: PathBuf,
    sources: Sources,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    endpoints: watch::Sender<Arc<Vec<Endpoint>>>,
    senders: Mutex<Vec<Arc<Sender>>>,
}

/// What can be asked of the senders, and the way to change them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// From now on sends to these.
    pub fn apply(&self, endpoints: Vec<Endpoint>) {
        self.0.endpoints.send_replace(Arc::new(endpoints));
    }

    /// Each endpoint with its counts.
    pub fn status(&self) -> Vec<SenderStatus> {
        let senders = self.0.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.iter().map(|sender| sender.status()).collect()
    }
}

struct Running {
    cancel: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl RemoteWrite {
    /// Sends nothing until endpoints are applied. `dir` is made when it is needed.
    pub fn new(db: Db, dir: PathBuf, sources: Sources) -> Self {
        let (endpoints, _) = watch::channel(Arc::default());
        Self { db, dir, sources, shared: Arc::new(Shared { endpoints, senders: Mutex::default() }) }
    }

    /// What others ask while the senders run.
    pub fn handle(&self) -> Handle {
        Handle(self.shared.clone())
    }

    /// Sends until the shutdown. What was not sent by then is sent after the next start.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut changes = self.shared.endpoints.subscribe();
        let mut running = Vec::new();
        loop {
            let endpoints = changes.borrow_and_update().clone();
            stop(std::mem::take(&mut running)).await;
            running = self.start(&endpoints);
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { break },
                // An error says that nobody is left to ask for it.
                _ = shutdown.wait_for(|shutdown| *shutdown) => break,
            }
        }
        stop(running).await;
    }

    fn start(&self, endpoints: &[Endpoint]) -> Vec<Running> {
        let mut senders = self.shared.senders.lock().unwrap_or_else(PoisonError::into_inner);
        // Counts of an endpoint that stays go on.
        let started: Vec<Arc<Sender>> = endpoints
            .iter()
            .map(|endpoint| {
                let known = senders.iter().find(|sender| sender.name() == endpoint.name);
                let counts = known.map(|known| known.status());
                Arc::new(Sender::new(endpoint.clone(), self.sources.clone(), counts))
            })
            .collect();
        senders.clone_from(&started);
        let start = |sender: Arc<Sender>| {
            let (cancel, cancelled) = watch::channel(false);
            Running { cancel, task: tokio::spawn(sender.run(self.db.clone(), self.dir.clone(), cancelled)) }
        };
        started.into_iter().map(start).collect()
    }
}

async fn stop(running: Vec<Running>) {
    for sender in &running {
        sender.cancel.send_replace(true);
    }
    for sender in running {
        if let Err(error) = sender.task.await {
            tracing::error!(%error, "a remote-write sender failed");
        }
    }
}

#[cfg(test)]
mod tests;
