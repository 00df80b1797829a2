//! Reads request bodies under content rules before they leave.
//!
//! A body is held whole up to [`HOLD_LIMIT`] before anything is dialled, so that a refusal means
//! that not a byte went out. A longer body is streamed behind what was read: the last
//! [`LAG`] bytes that the scanners have seen always stay here, so that a match is cut off whole.
//! A stream of messages (gRPC, Connect) whose client waits for an answer between them is read burst
//! by burst: what has come of it is scanned whole before any of it leaves.
//! Held bytes of all requests share the process's [`Memory`]; who finds it full is refused after a while.
//! Trailers are dropped: they would leave behind the body, unread.

mod messages;

use crate::refusal::Refusal;
use crate::wire::{Memory, NoRoom, Room};
use bytes::{Bytes, BytesMut};
use exeat_policy::body::{BodyPatterns, Scanner};
use http_body::Body;
use http_body_util::BodyExt;
use messages::Messages;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// A body up to this length is read whole before anything is dialled.
pub const HOLD_LIMIT: usize = 8 * 1024 * 1024;
/// Beyond it, this much stays behind the scanners.
pub const LAG: usize = 256 * 1024;

/// Room for a body of unknown length is taken in these steps.
const STEP: usize = 64 * 1024;
/// A held body must arrive within this time, and never stall for longer than that.
const BODY_TIME: Duration = Duration::from_secs(60 * 60);
const BODY_STALL: Duration = Duration::from_secs(5 * 60);
/// A stream of messages that is silent for this long may wait for an answer.
const PAUSE: Duration = Duration::from_millis(100);

/// A body whose beginning was read and found good.
pub struct Inspected {
    pub chunks: VecDeque<Bytes>,
    /// Bytes in `chunks`.
    pub length: usize,
    /// What is still to come, read by a task of its own.
    pub rest: Option<mpsc::Receiver<Result<Bytes, Refusal>>>,
    /// The length of held and following bytes, where the agent announced it.
    pub announced: Option<u64>,
    /// `sha256:<hex>` of the body, where it was read whole.
    pub digest: Option<String>,
    /// A pattern matched in what was held, and there was no refusal to answer it with.
    pub matched: bool,
    /// Given back when the body was sent or dropped.
    pub room: Option<Room>,
}

/// How a body is framed inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One thing.
    Whole,
    /// Length-prefixed messages.
    Messages,
}

/// Reads `body` until it ends or the hold is full. `refusal` answers a match; without one a match
/// is only noted, for policies that observe.
///
/// # Errors
/// The refusal of a match, a body that breaks off or does not arrive in time, a compressed message,
/// and too little memory.
pub async fn hold<B>(
    mut body: B,
    patterns: Vec<Arc<BodyPatterns>>,
    memory: &Memory,
    refusal: Option<Refusal>,
    framing: Framing,
) -> Result<Inspected, Refusal>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
{
    let announced = body.size_hint().exact();
    let upper = body.size_hint().upper().and_then(|upper| usize::try_from(upper).ok());
    // A body of known length takes its room at once: two that each hold half of what both need
    // would otherwise wait for one another.
    let room = take(memory, upper.unwrap_or(STEP).clamp(1, HOLD_LIMIT)).await?;
    if upper.is_some_and(|upper| upper <= HOLD_LIMIT) {
        let mut held = Held::new(&patterns, memory, room, refusal);
        return match held.fill(&mut body).await? {
            End::Reached => Ok(held.into_whole()),
            // The announced length was exceeded, which no framing lets happen.
            End::Ahead | End::Paused => Err(Refusal::BodyBroken),
        };
    }
    let (verdict, answer) = oneshot::channel();
    let memory = memory.clone();
    tokio::spawn(async move {
        let mut held = Held::new(&patterns, &memory, room, refusal);
        held.messages = (framing == Framing::Messages).then(Messages::default);
        match held.fill(&mut body).await {
            Err(refusal) => drop(verdict.send(Err(refusal))),
            Ok(End::Reached) => drop(verdict.send(Ok(held.into_whole()))),
            Ok(end @ (End::Ahead | End::Paused)) => {
                let (sender, receiver) = mpsc::channel(4);
                let inspected = Inspected {
                    chunks: VecDeque::new(),
                    length: 0,
                    rest: Some(receiver),
                    announced,
                    digest: None,
                    matched: held.matched,
                    room: None,
                };
                if verdict.send(Ok(inspected)).is_ok() {
                    held.follow(&mut body, end, &sender).await;
                }
            }
        }
    });
    answer.await.unwrap_or(Err(Refusal::BodyBroken))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Reached,
    Ahead,
    /// Between two messages, and all before was scanned to its end.
    Paused,
}

/// Bytes that were scanned and have not left.
struct Held<'a> {
    patterns: &'a [Arc<BodyPatterns>],
    /// For a stream of messages.
    messages: Option<Messages>,
    scanners: Vec<Scanner<'a>>,
    memory: &'a Memory,
    room: Room,
    refusal: Option<Refusal>,
    matched: bool,
    hash: Sha256,
    chunks: VecDeque<Bytes>,
    length: usize,
}

impl<'a> Held<'a> {
    fn new(
        patterns: &'a [Arc<BodyPatterns>],
        memory: &'a Memory,
        room: Room,
        refusal: Option<Refusal>,
    ) -> Self {
        Self {
            patterns,
            messages: None,
            scanners: scanners(patterns),
            memory,
            room,
            refusal,
            matched: false,
            hash: Sha256::new(),
            chunks: VecDeque::new(),
            length: 0,
        }
    }

    fn into_whole(self) -> Inspected {
        Inspected {
            announced: Some(self.length as u64),
            digest: Some(format!("sha256:{}", hex::encode(self.hash.finalize()))),
            chunks: self.chunks,
            length: self.length,
            rest: None,
            matched: self.matched,
            room: Some(self.room),
        }
    }

    /// Reads until the end or until the hold is full.
    async fn fill<B: Body<Data = Bytes> + Unpin>(&mut self, body: &mut B) -> Result<End, Refusal> {
        let end = Instant::now() + BODY_TIME;
        while self.length < HOLD_LIMIT {
            match self.next(body, end.min(Instant::now() + BODY_STALL)).await? {
                End::Ahead => {}
                end => return Ok(end),
            }
            let room = self.room.bytes();
            if self.length > room {
                let more = take(self.memory, (self.length - room).max(STEP)).await?;
                self.room.merge(more);
            }
        }
        Ok(End::Ahead)
    }

    /// Goes on behind a full hold, passing on what is further back than the lag, or behind a pause,
    /// where everything is passed on.
    async fn follow<B: Body<Data = Bytes> + Unpin>(
        mut self,
        body: &mut B,
        mut end: End,
        out: &mpsc::Sender<Result<Bytes, Refusal>>,
    ) {
        loop {
            while self.length > LAG || end != End::Ahead {
                let Some(chunk) = self.chunks.pop_front() else { break };
                self.length -= chunk.len();
                if out.send(Ok(chunk)).await.is_err() {
                    return;
                }
            }
            if end == End::Reached {
                return;
            }
            // A little more than is held: for what is read next.
            self.room.shrink(self.length + 16 * STEP);
            match self.next(body, Instant::now() + BODY_STALL).await {
                Ok(reached) => end = reached,
                Err(refusal) => {
                    let _ = out.send(Err(refusal)).await;
                    return;
                }
            }
        }
    }

    /// Reads and scans one frame.
    async fn next<B: Body<Data = Bytes> + Unpin>(
        &mut self,
        body: &mut B,
        deadline: Instant,
    ) -> Result<End, Refusal> {
        let between = self.length > 0 && self.messages.as_ref().is_some_and(Messages::at_boundary);
        let deadline = if between { Instant::now() + PAUSE } else { deadline };
        let data = match timeout_at(deadline, body.frame()).await {
            Err(_) if between => {
                let hit = self.finish();
                self.scanners = scanners(self.patterns);
                return self.found(hit).map(|()| End::Paused);
            }
            Err(_) => return Err(Refusal::BodyTimeout),
            Ok(Some(Err(_))) => return Err(Refusal::BodyBroken),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(None) => {
                let hit = self.finish();
                return self.found(hit).map(|()| End::Reached);
            }
        };
        if self.messages.as_mut().is_some_and(|messages| !messages.push(&data)) {
            self.unreadable()?;
        }
        let hit = self.scanners.iter_mut().any(|scanner| scanner.push(&data).is_some());
        self.found(hit)?;
        self.hash.update(&data);
        self.length += data.len();
        self.keep(data);
        Ok(End::Ahead)
    }

    fn finish(&mut self) -> bool {
        self.scanners.iter_mut().any(|scanner| scanner.finish().is_some())
    }

    /// A message cannot be read. Policies that observe let it pass all the same.
    fn unreadable(&mut self) -> Result<(), Refusal> {
        self.messages = None;
        self.matched = true;
        match self.refusal {
            Some(_) => Err(Refusal::Encoding("a compressed message".to_owned())),
            None => Ok(()),
        }
    }

    fn found(&mut self, hit: bool) -> Result<(), Refusal> {
        self.matched |= hit;
        match &self.refusal {
            Some(refusal) if hit => Err(refusal.clone()),
            _ => Ok(()),
        }
    }

    /// A frame of a few bytes may keep a much larger buffer alive, which the budget does not
    /// know: small ones are copied together.
    fn keep(&mut self, data: Bytes) {
        const SMALL: usize = 4 * 1024;
        if data.is_empty() {
            return;
        }
        if data.len() >= SMALL {
            self.chunks.push_back(data);
            return;
        }
        let mut joined = match self.chunks.pop_back() {
            Some(last) if last.len() < SMALL => BytesMut::from(last),
            Some(last) => {
                self.chunks.push_back(last);
                BytesMut::with_capacity(2 * SMALL)
            }
            None => BytesMut::with_capacity(2 * SMALL.min(data.len())),
        };
        joined.extend_from_slice(&data);
        self.chunks.push_back(joined.freeze());
    }
}

async fn take(memory: &Memory, bytes: usize) -> Result<Room, Refusal> {
    memory.take(bytes).await.map_err(|NoRoom| Refusal::Overloaded)
}

fn scanners(patterns: &[Arc<BodyPatterns>]) -> Vec<Scanner<'_>> {
    patterns.iter().map(|patterns| Scanner::new(patterns)).collect()
}

#[cfg(test)]
mod tests;
