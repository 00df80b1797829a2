//! Copies bytes both ways between two streams, through one buffer for all of a thread.
//!
//! Relays that carry nothing need no buffer of their own then, and those that carry much read large
//! pieces. What the other side does not take at once is kept with the relay, and nothing more is
//! read until it has gone. Pieces are small where there is no memory to keep large ones.

use crate::wire::{Memory, Room};
use bytes::{Buf, BytesMut};
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes that are read at once: what stays in the processor's cache until it is written.
const PIECE: usize = 64 * 1024;
/// The same where there is no memory to spare.
const SMALL: usize = 4 * 1024;

thread_local! {
    static SPACE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// One direction.
#[derive(Debug, Default)]
struct Flow {
    /// Read, and not yet written.
    rest: BytesMut,
    /// For a large piece that may have to be kept. Idle relays have none.
    room: Option<Room>,
    ended: bool,
    /// Something was written since the last flush.
    unflushed: bool,
    done: bool,
}

/// Copies until both directions have ended. The end of one is passed on as such. `memory`: for what
/// has to be kept.
///
/// # Errors
/// The first error of any of the four sides.
pub(super) async fn pump<A, B>(a: &mut A, b: &mut B, memory: &Memory) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut there, mut back) = (Flow::default(), Flow::default());
    poll_fn(|cx| {
        let there = there.poll(cx, a, b, memory)?;
        let back = back.poll(cx, b, a, memory)?;
        ready!(there);
        ready!(back);
        Poll::Ready(Ok(()))
    })
    .await
}

impl Flow {
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
        memory: &Memory,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        while !self.done {
            while !self.rest.is_empty() {
                let written = ready!(Pin::new(&mut *writer).poll_write(cx, &self.rest))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.rest.advance(written);
            }
            // An idle relay holds no memory.
            self.rest = BytesMut::new();
            if self.ended {
                ready!(Pin::new(&mut *writer).poll_shutdown(cx))?;
                self.done = true;
                break;
            }
            if self.poll_piece(cx, reader, writer, memory)?.is_pending() {
                self.room = None;
                if self.unflushed {
                    ready!(Pin::new(&mut *writer).poll_flush(cx))?;
                    self.unflushed = false;
                }
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads a piece, and writes what is taken of it at once.
    fn poll_piece<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
        memory: &Memory,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut space = SPACE.take().unwrap_or_else(|| vec![0; PIECE].into_boxed_slice());
        if self.room.is_none() {
            self.room = memory.spare(PIECE);
        }
        let most = if self.room.is_some() { PIECE } else { SMALL };
        let mut piece = ReadBuf::new(&mut space[..most]);
        let read = Pin::new(reader).poll_read(cx, &mut piece);
        if let Poll::Ready(Ok(())) = read {
            self.ended = piece.filled().is_empty();
            self.unflushed |= !self.ended;
            let written = match self.ended {
                true => Poll::Ready(Ok(0)),
                false => Pin::new(writer).poll_write(cx, piece.filled()),
            };
            let taken = match written {
                Poll::Ready(Ok(taken)) => taken,
                Poll::Ready(Err(error)) => {
                    SPACE.set(Some(space));
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => 0,
            };
            self.rest.extend_from_slice(&piece.filled()[taken..]);
        }
        SPACE.set(Some(space));
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};

    fn bytes(length: usize, seed: u8) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8 ^ seed).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever the sides take at once: all that goes in comes out, and both ends are passed on.
        #[test]
        fn everything_arrives(
            there in 0_usize..400_000,
            back in 0_usize..400_000,
            near in 1_usize..100_000,
            far in 1_usize..100_000,
            scarce: bool,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let memory = Memory::of(if scarce { 2 * PIECE } else { 8 * PIECE });
                let (agent, mut a) = duplex(near);
                let (server, mut b) = duplex(far);
                let ends = async |stream: tokio::io::DuplexStream, send: Vec<u8>| {
                    let (mut reader, mut writer) = split(stream);
                    let sent = async {
                        writer.write_all(&send).await.unwrap();
                        writer.shutdown().await.unwrap();
                    };
                    let mut got = Vec::new();
                    let (_, read) = tokio::join!(sent, reader.read_to_end(&mut got));
                    read.unwrap();
                    got
                };
                let (pumped, at_agent, at_server) = tokio::join!(
                    pump(&mut a, &mut b, &memory),
                    ends(agent, bytes(there, 1)),
                    ends(server, bytes(back, 2)),
                );
                pumped.unwrap();
                assert!(at_server == bytes(there, 1) && at_agent == bytes(back, 2));
                assert!(memory.is_free());
            });
        }
    }

    #[tokio::test]
    async fn a_side_that_takes_nothing_does_not_hold_up_the_other() {
        let memory = Memory::of(4 * PIECE);
        let (agent, mut a) = duplex(16);
        let (mut server, mut b) = duplex(16);
        let (mut hears, mut says) = split(agent);
        tokio::select! {
            _ = pump(&mut a, &mut b, &memory) => panic!("nobody ended"),
            () = async {
                // The server reads nothing: these wait.
                says.write_all(&[7; 40]).await.unwrap();
                server.write_all(b"still").await.unwrap();
                let mut got = [0; 5];
                hears.read_exact(&mut got).await.unwrap();
                assert_eq!(&got, b"still");
            } => {}
        }
    }

    /// However many relays wait for a side that takes nothing, half of the memory stays free.
    #[tokio::test]
    async fn what_relays_keep_is_bounded_together() {
        let memory = Memory::of(8 * PIECE);
        let mut relays = Vec::new();
        for _ in 0..64 {
            let (agent, mut a) = duplex(2 * PIECE);
            let (server, mut b) = duplex(16);
            let memory = memory.clone();
            let relay = tokio::spawn(async move { pump(&mut a, &mut b, &memory).await });
            relays.push((relay, agent, server));
        }
        for (_, agent, _) in &mut relays {
            agent.write_all(&bytes(PIECE + SMALL, 3)).await.unwrap();
        }
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        let mut kept = 0;
        for (_, agent, _) in &mut relays {
            // What the pipe takes now is its own length but for what the relay left in it.
            let taken = agent.write(&bytes(2 * PIECE, 3)).now_or_never().unwrap().unwrap();
            kept += taken + SMALL - PIECE;
        }
        assert!((4 * PIECE..=4 * PIECE + 64 * SMALL).contains(&kept), "{kept}");
        assert!(memory.take(4 * PIECE).await.is_ok(), "half of the memory is left to others");
        for (relay, ..) in relays {
            relay.abort();
            assert!(relay.await.unwrap_err().is_cancelled());
        }
        assert!(memory.is_free());
    }
}
