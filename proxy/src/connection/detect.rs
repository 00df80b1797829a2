//! What a connection speaks, told by its first bytes.
//!
//! | first bytes | protocol |
//! |---|---|
//! | a TLS record that holds a ClientHello | `Tls` |
//! | `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n` | `Http2` |
//! | a line `METHOD target HTTP/1.x` | `Http1` |
//! | anything else, or nothing in time | `Opaque` |
//!
//! A mistake is safe in both directions: bytes taken for HTTP or TLS and not being it are refused
//! by the parsers behind; bytes taken for opaque pass only where a rule allows any bytes at all.

use super::prefixed::Prefixed;
use bytes::BytesMut;
use std::io;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::time::{Instant, timeout_at};

/// A first line may be this long before it is no longer waited for.
const LINE_LIMIT: usize = 8 * 1024;
/// How long a client that has begun may take to say enough.
const COMPLETION: Duration = Duration::from_secs(5);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Tls,
    Http1,
    /// In the clear, by prior knowledge.
    Http2,
    Opaque,
}

/// What was found out.
#[derive(Debug)]
pub enum Detected<T> {
    Spoke(Protocol, Prefixed<T>),
    /// Not a byte came in time: a protocol whose server speaks first, or an idle connection.
    Silent(Prefixed<T>),
    /// The client left without a word.
    Left,
}

/// Reads until the protocol is clear. `patience` is how long a silent client is waited for.
pub async fn detect<T: AsyncRead + Unpin>(
    stream: T,
    patience: Duration,
) -> io::Result<Detected<T>> {
    let mut stream = Prefixed::new(BytesMut::with_capacity(2048), stream);
    let mut deadline = Instant::now() + patience;
    loop {
        match timeout_at(deadline, stream.fill()).await {
            Ok(Ok(0)) if stream.prefix().is_empty() => return Ok(Detected::Left),
            Ok(read) => {
                let ended = read? == 0;
                match classify(stream.prefix()) {
                    Ok(protocol) => return Ok(Detected::Spoke(protocol, stream)),
                    Err(guess) if ended => return Ok(Detected::Spoke(guess, stream)),
                    Err(_) => {}
                }
                deadline = deadline.min(Instant::now() + COMPLETION);
            }
            Err(_) if stream.prefix().is_empty() => return Ok(Detected::Silent(stream)),
            Err(_) => {
                let protocol = classify(stream.prefix()).unwrap_or_else(|guess| guess);
                return Ok(Detected::Spoke(protocol, stream));
            }
        }
    }
}

/// The protocol, or, where more bytes are needed to be sure, the best guess so far.
pub fn classify(bytes: &[u8]) -> Result<Protocol, Protocol> {
    if bytes.first() == Some(&22) {
        return classify_tls(bytes);
    }
    if bytes.starts_with(PREFACE) {
        return Ok(Protocol::Http2);
    }
    if PREFACE.starts_with(bytes) && bytes.len() > 4 {
        return Err(Protocol::Http2);
    }
    classify_line(bytes)
}

fn classify_tls(bytes: &[u8]) -> Result<Protocol, Protocol> {
    match bytes {
        [_, 3, 0..=4, _, _, 1, ..] => Ok(Protocol::Tls),
        [_] | [_, 3] | [_, 3, 0..=4] | [_, 3, 0..=4, _] | [_, 3, 0..=4, _, _] => Err(Protocol::Tls),
        _ => Ok(Protocol::Opaque),
    }
}

fn classify_line(bytes: &[u8]) -> Result<Protocol, Protocol> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let line = &bytes[..end.unwrap_or(bytes.len())];
    let method = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if method > 32 || !line[..method].iter().all(token) {
        return Ok(Protocol::Opaque);
    }
    match end {
        _ if method == 0 => Ok(Protocol::Opaque),
        None if bytes.len() < LINE_LIMIT => Err(Protocol::Http1),
        None => Ok(Protocol::Http1),
        Some(_) => {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
            let http = version.to_ascii_uppercase().starts_with(b"HTTP/");
            Ok(if http { Protocol::Http1 } else { Protocol::Opaque })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_name_the_protocol() {
        for (bytes, protocol) in [
            (&b"\x16\x03\x01\x02\x00\x01\x00"[..], Ok(Protocol::Tls)),
            (b"\x16\x03\x01\x02\x00", Err(Protocol::Tls)),
            (b"\x16", Err(Protocol::Tls)),
            (b"\x16\x03\x01\x02\x00\x02", Ok(Protocol::Opaque)),
            (b"\x16\x04", Ok(Protocol::Opaque)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0", Ok(Protocol::Http2)),
            (b"PRI * HTTP/2.0\r\n", Err(Protocol::Http2)),
            (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", Ok(Protocol::Http1)),
            (b"P", Err(Protocol::Http1)),
            (b"POST /", Err(Protocol::Http1)),
            (b"GET / HTTP/1.1\r\n", Ok(Protocol::Http1)),
            (b"get / http/1.1\n", Ok(Protocol::Http1)),
            (b"GET /\r\n", Ok(Protocol::Opaque)),
            (b"EHLO there\r\n", Ok(Protocol::Opaque)),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Ok(Protocol::Opaque)),
            (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", Ok(Protocol::Opaque)),
            (b"\r\nGET / HTTP/1.1\r\n", Ok(Protocol::Opaque)),
        ] {
            assert_eq!(classify(bytes), protocol, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_silent_client_is_told_from_one_that_left() {
        let (_client, server) = tokio::io::duplex(64);
        let found = detect(server, Duration::from_millis(20)).await.unwrap();
        assert!(matches!(found, Detected::Silent(_)));

        let (client, server) = tokio::io::duplex(64);
        drop(client);
        let found = detect(server, Duration::from_millis(20)).await.unwrap();
        assert!(matches!(found, Detected::Left));
    }

    #[tokio::test]
    async fn what_was_read_is_given_back() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"GET / HT").await.unwrap();
        let detecting = tokio::spawn(detect(server, Duration::from_secs(5)));
        tokio::task::yield_now().await;
        client.write_all(b"TP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        drop(client);
        let Detected::Spoke(Protocol::Http1, mut stream) = detecting.await.unwrap().unwrap() else {
            panic!("not HTTP/1");
        };
        let mut all = String::new();
        stream.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
}
