//! How long a request waits for a thread before anything of ours looks at it.
//!
//! Under more connections than the processors keep up with, requests wait in the sockets and in the runtime's queue, where
//! no counter of requests sees them. So a byte is sent through a pair of sockets of this process: it waits for the same
//! poller and in the same queue as everybody's requests.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tokio::sync::Notify;

/// Pause between two measurements.
const PAUSE: Duration = Duration::from_millis(5);
/// No byte is on its way.
const NONE: u64 = u64::MAX;

/// The waiting time of a listener's requests, measured while it has more connections than `crowd`: fewer cannot make
/// each other wait for long.
#[derive(Debug)]
pub struct Load {
    crowd: usize,
    connections: AtomicUsize,
    has_crowd: Notify,
    started: Instant,
    /// The wait of the last byte, and of the one before it.
    waited_us: AtomicU64,
    waited_before_us: AtomicU64,
    /// When the byte that is on its way was sent.
    sent_at_us: AtomicU64,
}

impl Load {
    pub fn new(crowd: usize) -> Arc<Self> {
        Arc::new(Self {
            crowd,
            connections: AtomicUsize::new(0),
            has_crowd: Notify::new(),
            started: Instant::now(),
            waited_us: AtomicU64::new(0),
            waited_before_us: AtomicU64::new(0),
            sent_at_us: AtomicU64::new(NONE),
        })
    }

    /// How long what arrives now has to wait, as far as that is known: what two successive bytes have waited at least.
    /// One long wait may be a thread that somebody else had for a moment. Zero without a crowd.
    pub fn wait(&self) -> Duration {
        if !self.is_crowded() {
            return Duration::ZERO;
        }
        let on_its_way_us = match self.sent_at_us.load(Ordering::Relaxed) {
            NONE => 0,
            sent_at_us => self.now_us().saturating_sub(sent_at_us),
        };
        let before_us = self.waited_before_us.load(Ordering::Relaxed);
        Duration::from_micros(self.waited_us.load(Ordering::Relaxed).min(on_its_way_us.max(before_us)))
    }

    pub(super) fn count(&self, connections: usize) {
        self.connections.store(connections, Ordering::Relaxed);
        if self.is_crowded() {
            self.has_crowd.notify_one();
        }
    }

    /// Measures for as long as it is polled.
    pub(super) async fn measure(&self) -> io::Result<()> {
        let (here, there) = UnixStream::pair()?;
        loop {
            if !self.is_crowded() {
                self.note(0);
                self.has_crowd.notified().await;
                continue;
            }
            let sent_at_us = self.now_us();
            self.sent_at_us.store(sent_at_us, Ordering::Relaxed);
            here.try_write(&[0])?;
            receive(&there).await?;
            self.note(self.now_us() - sent_at_us);
            self.sent_at_us.store(NONE, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn note(&self, waited_us: u64) {
        let before_us = self.waited_us.swap(waited_us, Ordering::Relaxed);
        self.waited_before_us.store(before_us, Ordering::Relaxed);
    }

    fn is_crowded(&self) -> bool {
        self.connections.load(Ordering::Relaxed) > self.crowd
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(NONE - 1)
    }
}

/// Reads what there is, and until there is nothing, so that the next byte has to be told by the poller.
async fn receive(stream: &UnixStream) -> io::Result<()> {
    let mut has_byte = false;
    loop {
        match stream.try_read(&mut [0; 8]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => has_byte = true,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if has_byte => return Ok(()),
            Err(_) => stream.readable().await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_busy_thread_makes_a_crowd_wait() {
        let load = Load::new(10);
        let measured = load.clone();
        let measuring = tokio::spawn(async move { measured.measure().await });
        load.count(11);
        // The only thread is kept from everything else, and from the byte with it: once is not enough.
        for expected in [false, true] {
            while load.sent_at_us.load(Ordering::Relaxed) == NONE {
                tokio::task::yield_now().await;
            }
            let started = Instant::now();
            while started.elapsed() < Duration::from_millis(50) {
                std::hint::spin_loop();
            }
            assert_eq!(load.wait() >= Duration::from_millis(20), expected, "{:?}", load.wait());
            while load.sent_at_us.load(Ordering::Relaxed) != NONE {
                tokio::task::yield_now().await;
            }
        }
        load.count(10);
        assert_eq!(load.wait(), Duration::ZERO);
        measuring.abort();
    }
}
