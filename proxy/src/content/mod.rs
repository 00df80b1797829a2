//! Reads request bodies under content rules before they leave.
//!
//! A body is held whole up to [`HOLD_LIMIT`] before anything is dialled, so that a refusal means
//! that not a byte went out. A longer body is streamed behind what was read: the last
//! [`LAG`] bytes that the scanners have seen always stay here, so that a match is cut off whole.
//! Held bytes of all requests share one [`Budget`]; who finds it empty is refused after a while.
//! Trailers are dropped: they would leave behind the body, unread.

use crate::refusal::Refusal;
use bytes::{Bytes, BytesMut};
use exeat_policy::body::{BodyPatterns, Scanner};
use http_body::Body;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// A body up to this length is read whole before anything is dialled.
pub const HOLD_LIMIT: usize = 8 * 1024 * 1024;
/// Beyond it, this much stays behind the scanners.
pub const LAG: usize = 256 * 1024;

const UNIT: usize = 64 * 1024;
const BUDGET_UNITS: usize = 64 * 1024 * 1024 / UNIT;
const BUDGET_PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 10_000 });
/// A held body must arrive within this time, and never stall for longer than that.
const BODY_TIME: Duration = Duration::from_secs(120);
const BODY_STALL: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 30_000 });

/// The memory that held bodies may take together.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BUDGET_UNITS)))
    }
}

impl Budget {
    /// Room for `bytes` more, or a refusal when there is none for a while.
    async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| Refusal::Overloaded)?;
        match timeout(BUDGET_PATIENCE, self.0.clone().acquire_many_owned(units)).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Refusal::Overloaded),
        }
    }
}

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
    pub room: Option<OwnedSemaphorePermit>,
}

/// Reads `body` until it ends or the hold is full. `refusal` answers a match; without one a match
/// is only noted, for policies that observe.
pub async fn hold<B>(
    mut body: B,
    patterns: Vec<Arc<BodyPatterns>>,
    budget: &Budget,
    refusal: Option<Refusal>,
) -> Result<Inspected, Refusal>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
{
    let announced = body.size_hint().exact();
    let upper = body.size_hint().upper().and_then(|upper| usize::try_from(upper).ok());
    // A body of known length takes its room at once: two that each hold half of what both need
    // would otherwise wait for one another.
    let room = budget.take(upper.unwrap_or(UNIT).clamp(1, HOLD_LIMIT)).await?;
    if upper.is_some_and(|upper| upper <= HOLD_LIMIT) {
        let mut held = Held::new(&patterns, budget, room, refusal);
        return match held.fill(&mut body).await? {
            End::Reached => Ok(held.into_whole()),
            // The announced length was exceeded, which no framing lets happen.
            End::Ahead => Err(Refusal::BodyBroken),
        };
    }
    let (verdict, answer) = oneshot::channel();
    let budget = budget.clone();
    tokio::spawn(async move {
        let mut held = Held::new(&patterns, &budget, room, refusal);
        match held.fill(&mut body).await {
            Err(refusal) => drop(verdict.send(Err(refusal))),
            Ok(End::Reached) => drop(verdict.send(Ok(held.into_whole()))),
            Ok(End::Ahead) => {
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
                    held.follow(&mut body, &sender).await;
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
}

/// Bytes that were scanned and have not left.
struct Held<'a> {
    scanners: Vec<Scanner<'a>>,
    budget: &'a Budget,
    room: OwnedSemaphorePermit,
    refusal: Option<Refusal>,
    matched: bool,
    hash: Sha256,
    chunks: VecDeque<Bytes>,
    length: usize,
}

impl<'a> Held<'a> {
    fn new(
        patterns: &'a [Arc<BodyPatterns>],
        budget: &'a Budget,
        room: OwnedSemaphorePermit,
        refusal: Option<Refusal>,
    ) -> Self {
        Self {
            scanners: patterns.iter().map(|patterns| Scanner::new(patterns)).collect(),
            budget,
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
            if self.next(body, end.min(Instant::now() + BODY_STALL)).await? == End::Reached {
                return Ok(End::Reached);
            }
            let room = self.room.num_permits() * UNIT;
            if self.length > room {
                let more = self.budget.take(self.length - room).await?;
                self.room.merge(more);
            }
        }
        Ok(End::Ahead)
    }

    /// Goes on behind a full hold, passing on what is further back than the lag.
    async fn follow<B: Body<Data = Bytes> + Unpin>(
        mut self,
        body: &mut B,
        out: &mpsc::Sender<Result<Bytes, Refusal>>,
    ) {
        let mut end = End::Ahead;
        loop {
            while self.length > LAG || end == End::Reached {
                let Some(chunk) = self.chunks.pop_front() else { return };
                self.length -= chunk.len();
                if out.send(Ok(chunk)).await.is_err() {
                    return;
                }
            }
            let surplus = self.room.num_permits().saturating_sub(self.length.div_ceil(UNIT) + 16);
            drop(self.room.split(surplus));
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
        let data = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(Refusal::BodyTimeout),
            Ok(Some(Err(_))) => return Err(Refusal::BodyBroken),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(None) => {
                let hit = self.scanners.iter_mut().any(|scanner| scanner.finish().is_some());
                return self.found(hit).map(|()| End::Reached);
            }
        };
        let hit = self.scanners.iter_mut().any(|scanner| scanner.push(&data).is_some());
        self.found(hit)?;
        self.hash.update(&data);
        self.length += data.len();
        self.keep(data);
        Ok(End::Ahead)
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

#[cfg(test)]
mod tests;
