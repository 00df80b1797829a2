//! Reads request bodies under content rules before they leave.
//!
//! A body is held whole up to [`HOLD_LIMIT`] before anything is dialled, so that a refusal means
//! that not a byte went out. A longer body is streamed behind what was read: the last
//! [`LAG`] bytes that the scan has seen always stay here, so that a match is cut off whole.
//! A stream of messages (gRPC, Connect) whose client waits for an answer between them is read burst
//! by burst: the messages that have come are scanned whole before any of them leaves.
//! What is encoded is scanned as what it stands for ([`exeat_content`]).
//! Held bytes of all requests share the process's [`Memory`]; who finds it full is refused after a while.
//! Trailers are dropped: they would leave behind the body, unread.

mod mask;
mod messages;

pub use mask::{DIGESTS, Masking, Tally};

use crate::refusal::{Refusal, brief};
use crate::wire::{Memory, NoRoom, Room};
use bytes::{Bytes, BytesMut};
use exeat_content::{DecodeError, Found, Media, Scan, scan_memory};
use exeat_policy::content::Content;
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
    /// Something was found in what was held, or it could not be read, and there was nobody to refuse
    /// it.
    pub matched: Option<Matched>,
    /// Given back when the body was sent or dropped.
    pub room: Option<Room>,
}

/// What a body is held to.
pub struct Terms {
    pub rules: Vec<Arc<Content>>,
    pub media: Media,
    pub framing: Framing,
    /// What cannot be decoded is refused, since a rule requires that it be read.
    pub strict: bool,
    /// Makes the refusal of what was found; none where policies only observe.
    pub refuse: Option<Refuse>,
}

pub type Refuse = Box<dyn Fn(&Found) -> Refusal + Send + Sync>;

/// Why a body would have been refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched {
    Found(Found),
    Unreadable,
}

/// How a body is framed inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One thing.
    Whole,
    /// Length-prefixed messages.
    Messages,
}

/// Reads `body` until it ends or the hold is full. Where nobody refuses, what is found is only noted.
///
/// # Errors
/// The refusal of what was found, a body that breaks off, cannot be decoded or does not arrive in time,
/// and too little memory.
pub async fn hold<B>(mut body: B, terms: Terms, memory: &Memory) -> Result<Inspected, Refusal>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
{
    let announced = body.size_hint().exact();
    let upper = body.size_hint().upper().and_then(|upper| usize::try_from(upper).ok());
    // A body of known length takes its room at once: two that each hold half of what both need
    // would otherwise wait for one another.
    let room = upper.unwrap_or(STEP).clamp(1, HOLD_LIMIT) + scan_memory(&terms.media);
    let room = take(memory, room).await?;
    if upper.is_some_and(|upper| upper <= HOLD_LIMIT) {
        let mut held = Held::new(&terms, memory, room);
        return match held.fill(&mut body).await? {
            End::Reached => Ok(held.into_whole()),
            // The announced length was exceeded, which no framing lets happen.
            End::Ahead | End::Paused => Err(Refusal::BodyBroken),
        };
    }
    let (verdict, answer) = oneshot::channel();
    let memory = memory.clone();
    tokio::spawn(async move {
        let mut held = Held::new(&terms, &memory, room);
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
                    matched: held.matched.clone(),
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
    terms: &'a Terms,
    /// For a stream of messages.
    messages: Option<Messages>,
    /// Until something was found.
    scan: Option<Scan<'a>>,
    memory: &'a Memory,
    room: Room,
    /// What of the room is for decoding.
    decoding: usize,
    matched: Option<Matched>,
    hash: Sha256,
    chunks: VecDeque<Bytes>,
    length: usize,
}

impl<'a> Held<'a> {
    fn new(terms: &'a Terms, memory: &'a Memory, room: Room) -> Self {
        Self {
            terms,
            messages: (terms.framing == Framing::Messages).then(Messages::default),
            scan: Some(Scan::new(&terms.rules, &terms.media)),
            memory,
            room,
            decoding: scan_memory(&terms.media),
            matched: None,
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
            let needed = self.length + self.decoding;
            if needed > room {
                let more = take(self.memory, (needed - room).max(STEP)).await?;
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
            self.room.shrink(self.length + self.decoding + 16 * STEP);
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
            // Every message so far has ended, and what was found at its end was found.
            Err(_) if between => return Ok(End::Paused),
            Err(_) => return Err(Refusal::BodyTimeout),
            Ok(Some(Err(_))) => return Err(Refusal::BodyBroken),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(None) => return self.finish().map(|()| End::Reached),
        };
        if let Some(messages) = &mut self.messages {
            messages.push(&data);
        }
        self.scan(&data)?;
        self.hash.update(&data);
        self.length += data.len();
        self.keep(data);
        Ok(End::Ahead)
    }

    fn scan(&mut self, data: &[u8]) -> Result<(), Refusal> {
        let Some(scan) = &mut self.scan else { return Ok(()) };
        let found = scan.push(data).map(|found| found.cloned());
        self.judge(found)
    }

    fn finish(&mut self) -> Result<(), Refusal> {
        match self.scan.take().map(Scan::finish) {
            Some(found) => self.judge(found),
            None => Ok(()),
        }
    }

    /// Policies that observe let everything pass.
    fn judge(&mut self, found: Result<Option<Found>, DecodeError>) -> Result<(), Refusal> {
        let (refusal, matched) = match found {
            Ok(None) => return Ok(()),
            Ok(Some(found)) => {
                (self.terms.refuse.as_ref().map(|refuse| refuse(&found)), Matched::Found(found))
            }
            Err(_) if !self.terms.strict => {
                self.scan = None;
                return Ok(());
            }
            Err(error) => {
                let refusal = Refusal::Encoding(brief(error.to_string().as_bytes()));
                (self.terms.refuse.as_ref().map(|_| refusal), Matched::Unreadable)
            }
        };
        self.scan = None;
        self.matched = Some(matched);
        refusal.map_or(Ok(()), Err)
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

#[cfg(test)]
mod tests;
