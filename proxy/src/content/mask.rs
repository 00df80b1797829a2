//! Masks bodies on their way, in either direction ([`exeat_content::mask`]).
//!
//! What may be part of a value that goes on waits for the rest of it: for [`PAUSE`] where it is a few
//! characters, for [`PATIENCE`] where it is more. Then it leaves, so that a stream that pauses does not stand
//! still.

use crate::refusal::{Refusal, brief};
use crate::wire::{Memory, NoRoom};
use bytes::Bytes;
use exeat_content::mask::Counts;
use exeat_content::{DecodeError, Masker, Masks, Media, mask_memory};
use exeat_policy::mask::{Direction, Mask};
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// So long a few characters wait that may begin a value.
const PAUSE: Duration = Duration::from_millis(250);
/// So long it is where there are more than [`FEW`] of them.
const PATIENCE: Duration = Duration::from_secs(5);
const FEW: usize = 7;

/// Values are hashed under it. One for the process, which serves one pod.
static KEY: LazyLock<[u8; 32]> = LazyLock::new(rand::random);

/// What is masked in one direction of an act, and how often it was.
#[derive(Clone)]
pub struct Masking {
    masks: Masks,
    direction: Direction,
    tally: Tally,
}

/// How often what was masked of an act, by direction and detector.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<BTreeMap<(&'static str, String), u64>>>);

impl Tally {
    fn set(&self, direction: Direction, counts: &Counts) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (detector, count) in counts {
            all.insert((direction.as_str(), detector.clone()), *count);
        }
    }

    /// By direction and detector.
    pub fn totals(&self) -> BTreeMap<(&'static str, String), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Masking {
    /// Those of the masks that are for bodies of this direction; none where there are none.
    pub fn of(masks: &[Arc<Mask>], direction: Direction, tally: &Tally) -> Option<Self> {
        let list: Vec<_> =
            masks.iter().filter(|mask| mask.direction.covers(direction)).cloned().collect();
        let masks = (!list.is_empty()).then(|| Masks::new(list, Arc::new(digest)))?;
        Some(Self { masks, direction, tally: tally.clone() })
    }

    /// Whether such a body can be masked at all.
    ///
    /// # Errors
    /// The refusal, with the layer named.
    pub fn can(&self, media: &Media) -> Result<(), Refusal> {
        Masker::new(&self.masks, media).map(drop).map_err(|error| self.refusal(&error))
    }

    fn refusal(&self, error: &DecodeError) -> Refusal {
        let layer = brief(error.to_string().as_bytes());
        match self.direction {
            Direction::Response => Refusal::Unmaskable(layer),
            _ => Refusal::Encoding(layer),
        }
    }

    /// Masks what is held whole.
    ///
    /// # Errors
    /// When it cannot be masked, or there is no memory to.
    pub async fn whole(
        &self,
        chunks: VecDeque<Bytes>,
        media: &Media,
        memory: &Memory,
    ) -> Result<VecDeque<Bytes>, Refusal> {
        let no_room = |NoRoom| Refusal::Overloaded;
        let _room = memory.take(mask_memory(media)).await.map_err(no_room)?;
        let refused = |error| self.refusal(&error);
        let mut masker = Masker::new(&self.masks, media).map_err(refused)?;
        let mut masked = VecDeque::new();
        for chunk in chunks {
            let mut out = Vec::new();
            masker.push(&chunk, &mut out).map_err(refused)?;
            keep(&mut masked, out);
            tokio::task::yield_now().await;
        }
        let mut out = Vec::new();
        masker.finish(&mut out).map_err(refused)?;
        keep(&mut masked, out);
        self.tally.set(self.direction, masker.counts());
        Ok(masked)
    }

    /// Masks what comes, in a task of its own that ends when nobody takes it any more.
    pub fn follow(
        self,
        mut rest: mpsc::Receiver<Result<Bytes, Refusal>>,
        media: Media,
        memory: Memory,
    ) -> mpsc::Receiver<Result<Bytes, Refusal>> {
        let (sender, receiver) = mpsc::channel(4);
        let (frames, mut masked) = mpsc::channel(4);
        tokio::spawn(async move {
            let next = async move |rest: &mut mpsc::Receiver<Result<Bytes, Refusal>>| {
                rest.recv().await.map(|chunk| chunk.map(Frame::data))
            };
            self.run(&mut rest, next, &media, &memory, &frames).await;
        });
        tokio::spawn(async move {
            while let Some(frame) = masked.recv().await {
                let frame: Result<Frame<Bytes>, Refusal> = frame;
                let chunk = frame.map(|frame| frame.into_data().unwrap_or_default());
                if sender.send(chunk).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }

    /// The same for a body; `broken` is what one that breaks off leads to.
    pub fn body<B>(
        self,
        body: B,
        media: Media,
        memory: Memory,
        broken: Refusal,
    ) -> mpsc::Receiver<Result<Frame<Bytes>, Refusal>>
    where
        B: Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Send,
    {
        let (frames, masked) = mpsc::channel(4);
        tokio::spawn(async move {
            let mut body = body;
            let next = async move |body: &mut B| {
                body.frame().await.map(|frame| frame.map_err(|_| broken.clone()))
            };
            self.run(&mut body, next, &media, &memory, &frames).await;
        });
        masked
    }

    async fn run<S>(
        &self,
        source: &mut S,
        next: impl AsyncFn(&mut S) -> Option<Result<Frame<Bytes>, Refusal>>,
        media: &Media,
        memory: &Memory,
        frames: &mpsc::Sender<Result<Frame<Bytes>, Refusal>>,
    ) {
        let Ok(_room) = memory.take(mask_memory(media)).await else {
            let _ = frames.send(Err(Refusal::Overloaded)).await;
            return;
        };
        let done = async {
            let refused = |error| self.refusal(&error);
            let mut masker = Masker::new(&self.masks, media).map_err(refused)?;
            let (mut trailers, mut since) = (None, Instant::now());
            loop {
                let mut out = Vec::new();
                tokio::select! {
                    biased;
                    frame = next(source) => match frame.transpose()?.map(Frame::into_data) {
                        Some(Ok(data)) => {
                            masker.push(&data, &mut out).map_err(refused)?;
                            since = Instant::now();
                        }
                        Some(Err(other)) => trailers = other.into_trailers().ok(),
                        None => break,
                    },
                    () = paused(&masker, since) => {
                        masker.flush(&mut out).map_err(refused)?;
                        // What cannot be cut stays until more comes.
                        since = Instant::now() + PATIENCE;
                    }
                    () = frames.closed() => return Ok(()),
                }
                self.tally.set(self.direction, masker.counts());
                if !out.is_empty() && frames.send(Ok(Frame::data(out.into()))).await.is_err() {
                    return Ok(());
                }
            }
            let mut out = Vec::new();
            masker.finish(&mut out).map_err(refused)?;
            self.tally.set(self.direction, masker.counts());
            if !out.is_empty() {
                let _ = frames.send(Ok(Frame::data(out.into()))).await;
            }
            if let Some(trailers) = trailers.map(without_digests) {
                let _ = frames.send(Ok(Frame::trailers(trailers))).await;
            }
            Ok(())
        };
        let done: Result<(), Refusal> = done.await;
        if let Err(refusal) = done {
            let _ = frames.send(Err(refusal)).await;
        }
    }
}

/// Ends once what waits has waited for long enough.
async fn paused(masker: &Masker<'_>, since: Instant) {
    if !masker.holds() {
        return pending().await;
    }
    sleep_until(since + if masker.waiting() > FEW { PATIENCE } else { PAUSE }).await;
}

fn keep(chunks: &mut VecDeque<Bytes>, out: Vec<u8>) {
    if !out.is_empty() {
        chunks.push_back(out.into());
    }
}

/// Digests of the body as it was (RFC 9530, RFC 3230, RFC 2616 §14.15).
pub const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

fn without_digests(mut trailers: HeaderMap) -> HeaderMap {
    for name in DIGESTS {
        trailers.remove(name);
    }
    trailers
}

/// The first bytes of HMAC-SHA256 (RFC 2104) under the key of the pod.
fn digest(value: &[u8]) -> [u8; 6] {
    let [a, b, c, d, e, f, ..] = hmac(&*KEY, value);
    [a, b, c, d, e, f]
}

/// For keys that are no longer than a block.
fn hmac(key: &[u8], value: &[u8]) -> [u8; 32] {
    let padded = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(value).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let digest = hmac(b"Jefe", b"what do ya want for nothing?");
        let want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(digest), want);
    }
}
