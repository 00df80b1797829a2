//! Reading a TLS stream in large pieces.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A reader that was given this much at once probably has more: less is a whole message as a rule.
const MORE: usize = 4 * 1024;
/// About as much is given out together. More of it would leave the processor's cache before it is
/// encrypted again.
const MOST: usize = 64 * 1024;

/// Reads on while the stream has more and the buffer has room. A TLS stream gives one record at a
/// time, at most 16 KiB; each read that is passed on alone costs a write, and wakes whoever reads
/// that.
#[derive(Debug)]
pub struct Bulk<T> {
    inner: T,
    /// Met behind bytes that were given out first.
    failed: Option<io::Error>,
}

impl<T> Bulk<T> {
    pub const fn new(inner: T) -> Self {
        Self { inner, failed: None }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Bulk<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Err(error));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        let mut read = buf.filled().len() - before;
        while read >= MORE && buf.remaining() > 0 && buf.filled().len() - before < MOST {
            let length = buf.filled().len();
            match Pin::new(&mut this.inner).poll_read(cx, buf) {
                Poll::Ready(Ok(())) => read = buf.filled().len() - length,
                Poll::Ready(Err(error)) => {
                    this.failed = Some(error);
                    break;
                }
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Bulk<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use tokio::io::AsyncReadExt;

    /// Gives out one piece a read, then what comes last.
    struct Pieces(VecDeque<io::Result<Vec<u8>>>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match self.0.pop_front() {
                None => Poll::Pending,
                Some(Err(error)) => Poll::Ready(Err(error)),
                Some(Ok(mut piece)) => {
                    let rest = piece.split_off(piece.len().min(buf.remaining()));
                    buf.put_slice(&piece);
                    if !rest.is_empty() {
                        self.0.push_front(Ok(rest));
                    }
                    Poll::Ready(Ok(()))
                }
            }
        }
    }

    fn pieces(lengths: &[usize]) -> VecDeque<io::Result<Vec<u8>>> {
        lengths.iter().map(|length| Ok(vec![1; *length])).collect()
    }

    #[tokio::test]
    async fn large_pieces_are_given_out_together_and_small_ones_at_once() {
        let mut bulk = Bulk::new(Pieces(pieces(&[16_384, 16_384, 100, 16_384, 7])));
        let mut space = vec![0; 40_000];
        assert_eq!(bulk.read(&mut space).await.unwrap(), 2 * 16_384 + 100);
        assert_eq!(bulk.read(&mut space).await.unwrap(), 16_384 + 7);
        let mut bulk = Bulk::new(Pieces(pieces(&[16_384, 16_384])));
        assert_eq!(
            bulk.read(&mut space[..20_000]).await.unwrap(),
            20_000,
            "no more than there is room"
        );
    }

    #[tokio::test]
    async fn the_end_and_an_error_come_after_what_was_read() {
        let mut all = pieces(&[16_384, 0]);
        all.push_back(Err(io::ErrorKind::ConnectionReset.into()));
        let mut bulk = Bulk::new(Pieces(all));
        let mut space = vec![0; 40_000];
        assert_eq!(bulk.read(&mut space).await.unwrap(), 16_384);
        assert!(bulk.read(&mut space).await.is_err());

        let mut all = pieces(&[16_384]);
        all.push_back(Err(io::ErrorKind::ConnectionReset.into()));
        let mut bulk = Bulk::new(Pieces(all));
        assert_eq!(bulk.read(&mut space).await.unwrap(), 16_384);
        assert!(bulk.read(&mut space).await.is_err());
    }
}
