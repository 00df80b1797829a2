//! Reading a stream in large pieces, where there is memory for them.

use super::{Memory, Room, writes_pass};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// A reader that was given this much at once probably has more: less is a whole message as a rule.
const MORE: usize = 4 * 1024;
/// Most that is given out together. More of it would leave the processor's cache before it is
/// encrypted again.
const MOST: usize = 64 * 1024;
/// What is read up to this length needs no room of its own.
const FREE: usize = 8 * 1024;

/// Reads on while the stream has more and the buffer has room. A TLS stream gives one record at a
/// time, at most 16 KiB; each read that is passed on alone costs a write, and wakes whoever reads
/// that.
///
/// What was read last counts as held until the next read: whoever cannot pass it on reads no more.
/// So a large piece takes room of the memory until then, and where none is to spare, pieces are
/// small.
#[derive(Debug)]
pub struct Bulk<T> {
    inner: T,
    memory: Memory,
    room: Option<Room>,
    /// Met behind bytes that were given out first.
    failed: Option<io::Error>,
}

impl<T> Bulk<T> {
    pub const fn new(inner: T, memory: Memory) -> Self {
        Self { inner, memory, room: None, failed: None }
    }

    /// How much may be read now of what is wanted.
    fn most(&mut self, wanted: usize) -> usize {
        if wanted <= FREE {
            return wanted;
        }
        if self.room.is_none() {
            self.room = self.memory.spare(MOST);
        }
        if self.room.is_some() { MOST } else { FREE }
    }
}

impl<T: AsyncRead + Unpin> Bulk<T> {
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        most: usize,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut (&mut self.inner).take(most as u64)).poll_read(cx, buf)
    }

    /// Reads as long as there is more, up to `most`.
    fn poll_pieces(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        most: usize,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(self.poll_piece(cx, buf, most))?;
        let (mut all, mut read) = (buf.filled().len() - before, buf.filled().len() - before);
        while read >= MORE && buf.remaining() > 0 && all < most {
            match self.poll_piece(cx, buf, most - all) {
                Poll::Ready(Ok(())) => read = buf.filled().len() - before - all,
                Poll::Ready(Err(error)) => {
                    self.failed = Some(error);
                    break;
                }
                Poll::Pending => break,
            }
            all += read;
        }
        Poll::Ready(Ok(()))
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
        let (most, before) = (this.most(buf.remaining()), buf.filled().len());
        let polled = this.poll_pieces(cx, buf, most);
        if buf.filled().len() - before <= FREE {
            this.room = None;
        }
        polled
    }
}

writes_pass!(Bulk);

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

    fn of(all: VecDeque<io::Result<Vec<u8>>>) -> Bulk<Pieces> {
        Bulk::new(Pieces(all), Memory::of(1 << 20))
    }

    #[tokio::test]
    async fn large_pieces_are_given_out_together_and_small_ones_at_once() {
        let mut bulk = of(pieces(&[16_384, 16_384, 100, 16_384, 7]));
        let mut space = vec![0; 40_000];
        assert_eq!(bulk.read(&mut space).await.unwrap(), 2 * 16_384 + 100);
        assert_eq!(bulk.read(&mut space).await.unwrap(), 16_384 + 7);
        let mut bulk = of(pieces(&[16_384, 16_384]));
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
        let mut bulk = of(all);
        let mut space = vec![0; 40_000];
        assert_eq!(bulk.read(&mut space).await.unwrap(), 16_384);
        assert!(bulk.read(&mut space).await.is_err());

        let mut all = pieces(&[16_384]);
        all.push_back(Err(io::ErrorKind::ConnectionReset.into()));
        let mut bulk = of(all);
        assert_eq!(bulk.read(&mut space).await.unwrap(), 16_384);
        assert!(bulk.read(&mut space).await.is_err());
    }

    #[tokio::test]
    async fn a_large_piece_is_held_until_the_next_read_and_small_where_there_is_no_memory() {
        let memory = Memory::of(4 * MOST);
        let mut space = vec![0; 4 * MOST];
        let mut readers: Vec<_> =
            (0..4).map(|_| Bulk::new(Pieces(pieces(&[MOST, MOST, 100])), memory.clone())).collect();
        let mut lengths = Vec::new();
        for reader in &mut readers {
            lengths.push(reader.read(&mut space).await.unwrap());
        }
        assert_eq!(lengths, [MOST, MOST, FREE, FREE], "half of the memory is left to others");
        let first = &mut readers[0];
        assert_eq!(first.read(&mut space).await.unwrap(), MOST);
        assert_eq!(first.read(&mut space).await.unwrap(), 100);
        let third = &mut readers[2];
        assert_eq!(third.read(&mut space).await.unwrap(), MOST, "the first one gave its room back");
        drop(readers);
        assert!(memory.is_free());
    }
}
