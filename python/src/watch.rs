//! Work beside the interpreter: its lock is released, Ctrl-C is looked for, and a panic becomes an exception.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use streamflow_compare::Progress;

use crate::error::{Class, Failure};

/// How often Ctrl-C is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Stops the work at its next step once Ctrl-C was pressed.
#[derive(Debug, Default)]
pub struct Watch {
    stopped: AtomicBool,
}

/// What unwinds the threads of work that is stopped: none of it is used afterwards, and no caller would look at a value.
struct Stopped;

impl Progress for Watch {
    fn expect(&self, _bytes: u64) {
        self.done(0);
    }

    fn done(&self, _bytes: u64) {
        if self.stopped.load(Ordering::Relaxed) {
            resume_unwind(Box::new(Stopped));
        }
    }
}

/// Does work on a thread of its own while this one looks for signals, which Python hands to its main thread alone.
///
/// # Errors
/// What the work says, or what a signal raised.
pub fn watched<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Watch) -> Result<T, Failure> + Send,
) -> PyResult<T> {
    let watch = Watch::default();
    py.detach(|| {
        thread::scope(|scope| {
            let (done, is_done) = sync_channel(1);
            let watch = &watch;
            let worker = scope.spawn(move || {
                let result = catch_unwind(AssertUnwindSafe(|| work(watch)));
                // The other end waits as long as this thread is there.
                let _ = done.send(());
                result
            });
            let mut interrupted = Ok(());
            while is_done.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                if interrupted.is_ok() {
                    interrupted = Python::attach(|py| py.check_signals());
                    watch.stopped.store(interrupted.is_err(), Ordering::Relaxed);
                }
            }
            let result = worker.join().and_then(|result| result);
            interrupted?;
            result.unwrap_or_else(|panic| Err(bug(panic))).map_err(PyErr::from)
        })
    })
}

/// Does work of a moment without the interpreter's lock.
///
/// # Errors
/// What the work says.
pub fn unlocked<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure> + Send) -> PyResult<T> {
    let result = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    Ok(result.unwrap_or_else(|panic| Err(bug(panic)))?)
}

fn bug(panic: Box<dyn Any + Send>) -> Failure {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let text = text.unwrap_or_else(|| "a panic without words".to_owned());
    Failure::new(
        Class::Internal,
        format!("a bug in StreamFlow: {text}; report it with the table that shows it"),
    )
}

/// A decoder that panics on a damaged file says so in an error; nothing need be printed.
pub fn hush_decoders() {
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !streamflow_dataset::is_decoding() {
            others(info);
        }
    }));
}
