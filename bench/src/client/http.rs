//! Answers, read with as little work as tells a right one from a wrong one.

use super::Stream;
use anyhow::{Context as _, bail, ensure};
use memchr::memmem;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// How long an answer may take in all.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads one answer, whose body must have `length` bytes.
pub(super) async fn answer(
    stream: &mut Stream,
    buffer: &mut [u8],
    length: usize,
) -> anyhow::Result<()> {
    timeout(PATIENCE, read(stream, buffer, length)).await.context("no answer in time")?
}

async fn read(stream: &mut Stream, buffer: &mut [u8], length: usize) -> anyhow::Result<()> {
    let mut have = 0;
    let head = loop {
        let read = stream.read(&mut buffer[have..]).await?;
        ensure!(read > 0, "the connection ended after {have} bytes of an answer");
        have += read;
        if let Some(head) = memmem::find(&buffer[..have], b"\r\n\r\n") {
            break head + 4;
        }
    };
    check(&buffer[..head], length).with_context(|| {
        format!("unexpected answer: {}", String::from_utf8_lossy(&buffer[..have.min(4000)]))
    })?;
    let mut body = have - head;
    while body < length {
        let read = stream.read(buffer).await?;
        ensure!(read > 0, "the connection ended after {body} bytes of a body");
        body += read;
    }
    ensure!(body == length, "the body is too long");
    Ok(())
}

/// Holds a head to status 200 and to the length. Names of headers are in either common spelling.
fn check(head: &[u8], length: usize) -> anyhow::Result<()> {
    ensure!(head.starts_with(b"HTTP/1.1 200"), "the status is not 200");
    let at = memmem::find(head, b"\r\ncontent-length: ")
        .or_else(|| memmem::find(head, b"\r\nContent-Length: "));
    let Some(at) = at else { bail!("the length is not given") };
    let digits = &head[at + "\r\ncontent-length: ".len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(0);
    let found: usize = std::str::from_utf8(&digits[..end])?.parse()?;
    ensure!(found == length, "the length is {found}");
    Ok(())
}
