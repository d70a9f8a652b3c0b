//! The access log: a JSON object a line for the requests of the prediction plane, or for a share of them.
//!
//! Lines go through a bounded queue to a thread that writes them, so that a slow disk never holds up a prediction; what
//! finds the queue full is counted in the next line. No body is logged, and so no entity.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Lines that wait to be written.
const QUEUE_LINES: usize = 8192;

/// Where lines are sent to.
pub struct AccessLog {
    share: f64,
    requests: AtomicU64,
    dropped: AtomicU64,
    queue: mpsc::Sender<Vec<u8>>,
}

/// One line.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    pub time: jiff::Timestamp,
    pub request_id: &'a str,
    /// Address of the connection's other end.
    pub peer: String,
    pub method: &'a str,
    pub path: &'a str,
    pub status: u16,
    #[serde(serialize_with = "microseconds", rename = "duration_us")]
    pub duration: Duration,
    /// Requests before this one whose lines found the queue full.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

fn microseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl AccessLog {
    /// Lines for a share of the requests, to `stdout` or to a file, which is added to. The handle ends once the log is
    /// dropped and everything is written.
    ///
    /// # Errors
    /// A file that cannot be written to.
    pub fn open(target: &Path, share: f64) -> anyhow::Result<(Self, JoinHandle<()>)> {
        let out: Box<dyn Write + Send> = if target == Path::new("stdout") {
            Box::new(io::stdout())
        } else {
            let file = OpenOptions::new().create(true).append(true).open(target);
            Box::new(file.with_context(|| {
                format!(
                    "cannot write the access log {}; name another file with api.access_log",
                    target.display()
                )
            })?)
        };
        Ok(Self::to(out, share))
    }

    fn to(out: Box<dyn Write + Send>, share: f64) -> (Self, JoinHandle<()>) {
        let (queue, lines) = mpsc::channel(QUEUE_LINES);
        let log = Self { share, requests: AtomicU64::new(0), dropped: AtomicU64::new(0), queue };
        (log, tokio::task::spawn_blocking(|| write(lines, out)))
    }

    /// Whether this request is one of the share that is logged: they are spread evenly.
    pub fn is_due(&self) -> bool {
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a count of requests stays far below 2^53")]
        let whole = |number: u64| (number as f64 * self.share).floor();
        whole(before + 1) > whole(before)
    }

    /// Logs a request.
    pub fn write(&self, mut entry: Entry<'_>) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        entry.dropped = dropped;
        let mut line = serde_json::to_vec(&entry).expect("plain data can be written");
        line.push(b'\n');
        if self.queue.try_send(line).is_err() {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
        }
    }
}

/// Writes lines until nobody can send another, and flushes whenever none waits.
fn write(mut lines: mpsc::Receiver<Vec<u8>>, mut out: Box<dyn Write + Send>) {
    let mut pending = Vec::new();
    let mut is_told = false;
    while let Some(line) = lines.blocking_recv() {
        pending.extend_from_slice(&line);
        while let Ok(line) = lines.try_recv() {
            pending.extend_from_slice(&line);
        }
        match out.write_all(&pending).and_then(|()| out.flush()) {
            Ok(()) => is_told = false,
            Err(error) if !is_told => {
                tracing::error!(%error, "cannot write the access log; its lines are lost until this is mended");
                is_told = true;
            }
            Err(_) => {}
        }
        pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_share_of_the_requests_is_logged_evenly() {
        for (share, expected) in [
            (1.0, [true; 8]),
            (0.0, [false; 8]),
            (0.5, [false, true, false, true, false, true, false, true]),
            (0.25, [false, false, false, true, false, false, false, true]),
        ] {
            let (log, writing) = AccessLog::to(Box::new(io::sink()), share);
            assert_eq!([(); 8].map(|()| log.is_due()), expected, "{share}");
            drop(log);
            writing.await.unwrap();
        }
    }
}
