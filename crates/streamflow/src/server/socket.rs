//! A stream on which a write that does not get on fails: a client that asks and does not read holds its answer in memory
//! for so long and no longer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A client that reads less than this within the timeout does not read.
const PROGRESS_BYTES: usize = 64 << 10;

pub struct Socket<S> {
    stream: S,
    write_timeout: Duration,
    /// Runs out when the client has not read enough since a write had to wait.
    blocked: Option<Pin<Box<Sleep>>>,
    /// Bytes written since.
    written: usize,
}

impl<S: Unpin> Socket<S> {
    pub fn new(stream: S, write_timeout: Duration) -> Self {
        Self { stream, write_timeout, blocked: None, written: 0 }
    }

    /// Bounds the time of what `write` does to the stream, of `wanted` bytes.
    fn bounded(
        &mut self,
        context: &mut Context<'_>,
        wanted: usize,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let result = write(Pin::new(&mut self.stream), context);
        match result {
            Poll::Ready(Ok(written)) => {
                self.written += written;
                if written >= wanted || self.written >= PROGRESS_BYTES {
                    (self.blocked, self.written) = (None, 0);
                }
                result
            }
            Poll::Ready(Err(_)) => result,
            Poll::Pending => {
                let timeout = self.write_timeout;
                let blocked = self.blocked.get_or_insert_with(|| Box::pin(sleep(timeout)));
                blocked.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bounded(context, bytes.len(), |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = pieces.iter().map(|piece| piece.len()).sum();
        self.bounded(context, wanted, |stream, context| stream.poll_write_vectored(context, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.bounded(context, 0, |stream, context| stream.poll_flush(context).map_ok(|()| 0));
        flushed.map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = self.bounded(context, 0, |stream, context| stream.poll_shutdown(context).map_ok(|()| 0));
        shut.map_ok(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A millisecond at most, so that a writer that waits for good is told so at once.
    fn pair(timeout: Duration) -> (Socket<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (server, client) = tokio::io::duplex(1024);
        (Socket::new(server, timeout), client)
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_not_waited_for() {
        let (mut socket, _client) = pair(Duration::from_millis(1));
        let error = socket.write_all(&[0; 4096]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_reads_gets_everything() {
        let (mut socket, mut client) = pair(Duration::from_secs(60));
        let writing = tokio::spawn(async move { socket.write_all(&vec![7; 1 << 20]).await });
        let mut read = vec![0; 1 << 20];
        client.read_exact(&mut read).await.unwrap();
        writing.await.unwrap().unwrap();
        assert!(read.iter().all(|&byte| byte == 7));
    }
}
