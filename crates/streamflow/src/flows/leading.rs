//! Whether this server is the one that runs schedules and triggers. A task of its own says that it lives, so that a look
//! that takes long costs it nothing.

use std::time::Instant;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::store::Store;
use crate::store::leader::{BEAT, Candidate};

/// Held while a server would lead.
pub struct Leading {
    epoch: watch::Receiver<Option<i64>>,
    ended: oneshot::Sender<()>,
    beating: JoinHandle<()>,
}

impl Leading {
    /// Stands for the place, and keeps it.
    pub fn begin(store: Store) -> Self {
        let (told, epoch) = watch::channel(None);
        let (ended, end) = oneshot::channel();
        let beating = tokio::spawn(beat(store, told, end));
        Self { epoch, ended, beating }
    }

    /// The epoch in which this server leads; none while another one does.
    pub fn epoch(&self) -> watch::Receiver<Option<i64>> {
        self.epoch.clone()
    }

    /// Gives the place up.
    pub async fn end(self) {
        let _ = self.ended.send(());
        let _ = self.beating.await;
    }
}

async fn beat(store: Store, told: watch::Sender<Option<i64>>, mut end: oneshot::Receiver<()>) {
    let mut candidate = Candidate::default();
    loop {
        let leads = *told.borrow();
        let found = match leads {
            Some(epoch) => store.beat(epoch).await.map(|lives| lives.then_some(epoch)),
            None => candidate.stand(&store, Instant::now()).await,
        };
        match (leads, found) {
            (None, Ok(Some(epoch))) => {
                tracing::info!(epoch, "this server runs the schedules");
                told.send_replace(Some(epoch));
            }
            (Some(epoch), Ok(None)) => {
                tracing::warn!(
                    epoch,
                    "another server runs the schedules now: this one gave no sign for some seconds"
                );
                told.send_replace(None);
            }
            (_, Ok(_)) => {}
            // What it writes meanwhile comes to nothing, and who leads is seen when the database is back.
            (_, Err(error)) => tracing::debug!("whether this server leads is not known: {error}"),
        }
        tokio::select! {
            () = tokio::time::sleep(BEAT) => {}
            _ = &mut end => break,
        }
    }
    let leads = *told.borrow();
    if let Some(epoch) = leads
        && let Err(error) = store.abdicate(epoch).await
    {
        tracing::debug!("another server leads a little later: {error}");
    }
}
