//! Large bodies in either direction.

use super::{Seen, Stream, Target, http};
use crate::upstream::{ANSWER, DOWN, LARGE, SMALL};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

const PIECE: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Down,
    Up,
}

/// Bodies of [`LARGE`] bytes, one after the other on each connection, for `duration` or until
/// `bytes` went through. Units are bytes.
pub(crate) async fn bulk(
    target: &Target,
    direction: Direction,
    connections: usize,
    duration: Duration,
    bytes: usize,
) -> anyhow::Result<Seen> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    let bodies = bytes.div_ceil(LARGE * connections);
    for _ in 0..connections {
        let target = target.clone();
        tasks.spawn(async move {
            let mut stream = target.open().await?;
            let mut buffer = vec![0; PIECE];
            let mut done = 0;
            while done < bodies && begun.elapsed() < duration {
                match direction {
                    Direction::Down => down(&target, &mut stream, &mut buffer).await?,
                    Direction::Up => up(&target, &mut stream, &mut buffer).await?,
                }
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut seen = Seen::default();
    while let Some(ended) = tasks.join_next().await {
        seen.units += (ended?? * LARGE) as u64;
    }
    seen.elapsed = begun.elapsed();
    Ok(seen)
}

async fn down(target: &Target, stream: &mut Stream, buffer: &mut [u8]) -> anyhow::Result<()> {
    stream.write_all(&target.request("GET", DOWN, 0)).await?;
    http::answer(stream, buffer, LARGE).await
}

async fn up(target: &Target, stream: &mut Stream, buffer: &mut [u8]) -> anyhow::Result<()> {
    stream.write_all(&target.request("POST", SMALL, LARGE)).await?;
    let sent = async {
        for piece in text().chunks(PIECE) {
            stream.write_all(piece).await?;
        }
        stream.flush().await
    }
    .await;
    // Where a body is refused before its end, the answer says why.
    http::answer(stream, buffer, ANSWER).await?;
    Ok(sent?)
}

/// [`LARGE`] bytes as agents send them: JSON with English text, quotes and line breaks escaped,
/// a percent sign now and then. Nothing in it matches a rule.
fn text() -> &'static [u8] {
    const WORDS: [&str; 24] = [
        "the",
        "report",
        "shows",
        "that",
        "we",
        "measured",
        "every",
        "request",
        "of",
        "an",
        "agent",
        "and",
        "found",
        "its",
        "answer",
        "within",
        "37%",
        "\\\"quoted\\\"",
        "of",
        "all",
        "cases,",
        "as",
        "expected.\\n",
        "Then",
    ];
    static TEXT: OnceLock<Vec<u8>> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut text = b"{\"messages\":[{\"role\":\"user\",\"content\":\"".to_vec();
        let mut random = 1_u32;
        while text.len() < LARGE {
            // Words in no order, by a linear congruential generator: the same in every run.
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.extend_from_slice(WORDS[(random >> 24) as usize % WORDS.len()].as_bytes());
            text.push(b' ');
        }
        text.truncate(LARGE - 4);
        text.extend_from_slice(b"\"}]}");
        text
    })
}
