//! The sign of life of a run, given by a thread of its own so that a busy step does not delay it.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;

use crate::store::{State, Store};
use crate::terminal::one_line;

/// How often the sign is given; somebody who cancels waits no longer than that.
const RENEWAL: Duration = Duration::from_secs(1);

/// Tells the work of a run that it is to stop. Cloning shares it.
#[derive(Debug, Clone)]
pub struct StopSign(Arc<watch::Sender<bool>>);

impl Default for StopSign {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl StopSign {
    pub fn set(&self) {
        self.0.send_replace(true);
    }

    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when the sign is set.
    pub async fn wait(&self) {
        // The sender lives as long as this value.
        let _ = self.0.subscribe().wait_for(|stop| *stop).await;
    }
}

/// Held while a process works on a run.
pub struct Lease {
    _ended: Sender<()>,
}

impl Lease {
    /// Begins to give the sign. When the run is cancelled in the database, `stop` is set.
    pub fn hold(store: Store, run: i64, stop: StopSign) -> anyhow::Result<Self> {
        let (ended, end) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name(format!("lease of run {run}"))
            .spawn(move || {
                while end.recv_timeout(RENEWAL) == Err(RecvTimeoutError::Timeout) {
                    match runtime.block_on(store.renew_lease(run)) {
                        // Cancelled, or taken from this process.
                        Ok(sign) if matches!(sign.state, State::Cancelling | State::Crashed) => stop.set(),
                        Ok(_) => {}
                        // The database may be locked or gone for a moment; the next sign may be taken.
                        Err(error) => {
                            let error = one_line(&error.into());
                            tracing::warn!(run, "the sign of life of a run was not recorded: {error}");
                        }
                    }
                }
            })
            .context("cannot start the thread that keeps the run's lease")?;
        Ok(Self { _ended: ended })
    }
}
