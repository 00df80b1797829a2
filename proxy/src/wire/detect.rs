//! What a connection speaks, told by its first bytes.
//!
//! | first bytes | protocol |
//! |---|---|
//! | a TLS record, or the ClientHello of SSL 2 | `Tls` |
//! | `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n` | `Http2` |
//! | a line that some server would read as a request | `Http1` |
//! | anything else, or nothing in time | `Opaque` |
//!
//! The line is read as widely as any server is known to: blank lines, blanks and NULs before it,
//! other blanks than spaces in it, no version (HTTP/0.9), methods of any length. What is taken for
//! HTTP or TLS and is not is refused by the parsers behind. [`Care`] says how wide the net is, so
//! that bytes pass as opaque in doubt only where no rule speaks of requests.

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

/// How the first bytes are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Care {
    pub tls: Look,
    /// For HTTP in the clear.
    pub http: Look,
}

/// How wide the net is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Not told apart: whatever it is may pass. TLS always is, for the name in it.
    Skip,
    /// What clients send; bytes in doubt are opaque.
    Plain,
    /// Request rules speak of it: bytes in doubt are not opaque.
    Wide,
}

impl Care {
    pub const SKIP: Self = Self { tls: Look::Plain, http: Look::Skip };
    pub const PLAIN: Self = Self { tls: Look::Plain, http: Look::Plain };
    pub const WIDE: Self = Self { tls: Look::Wide, http: Look::Wide };
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
    care: Care,
) -> io::Result<Detected<T>> {
    let mut stream = Prefixed::new(BytesMut::with_capacity(2048), stream);
    let mut deadline = Instant::now() + patience;
    loop {
        match timeout_at(deadline, stream.fill()).await {
            Ok(Ok(0)) if stream.prefix().is_empty() => return Ok(Detected::Left),
            Ok(read) => {
                let ended = read? == 0;
                match classify(stream.prefix(), care) {
                    Ok(protocol) => return Ok(Detected::Spoke(protocol, stream)),
                    Err(guess) if ended => return Ok(Detected::Spoke(guess, stream)),
                    Err(_) => {}
                }
                deadline = deadline.min(Instant::now() + COMPLETION);
            }
            Err(_) if stream.prefix().is_empty() => return Ok(Detected::Silent(stream)),
            Err(_) => {
                let protocol = classify(stream.prefix(), care).unwrap_or_else(|guess| guess);
                return Ok(Detected::Spoke(protocol, stream));
            }
        }
    }
}

/// The protocol, or, where more bytes are needed to be sure, the best guess so far.
pub fn classify(bytes: &[u8], care: Care) -> Result<Protocol, Protocol> {
    match classify_tls(bytes, care.tls) {
        Ok(false) => {}
        Ok(true) => return Ok(Protocol::Tls),
        Err(()) => return Err(Protocol::Tls),
    }
    if care.http == Look::Skip || is_git(bytes) {
        return Ok(Protocol::Opaque);
    }
    if bytes.starts_with(PREFACE) {
        return Ok(Protocol::Http2);
    }
    if PREFACE.starts_with(bytes) && bytes.len() > 4 {
        return Err(Protocol::Http2);
    }
    classify_line(bytes, care.http)
}

/// The first packet of git's own protocol, whole: its length in four hexadecimal digits, a command,
/// a path, and parameters that each end with a NUL.
fn is_git(bytes: &[u8]) -> bool {
    let length = bytes.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
    let length = length.and_then(|digits| usize::from_str_radix(digits, 16).ok());
    let commands = [&b"git-upload-pack /"[..], b"git-receive-pack /", b"git-upload-archive /"];
    length == Some(bytes.len())
        && commands.iter().any(|command| bytes[4..].starts_with(command))
        && bytes.ends_with(b"\0")
        && !bytes.contains(&b'\n')
}

/// Servers skip alerts and empty records before the ClientHello, and hardly look at the version.
/// Databases count in these bytes, so the message has to make sense where nothing else is at stake.
fn classify_tls(bytes: &[u8], look: Look) -> Result<bool, ()> {
    match bytes {
        [20..=24, ..] if look == Look::Wide => Ok(true),
        [20..=24, 16..=255, ..] => Ok(false),
        [20..=24, _, _, 0, 0, ..] => Ok(true),
        [20..=24, _, _, _, _, first, ..] => Ok(matches!(first, 1 | 2)),
        [20..=24, ..] => Err(()),
        // The length of an SSL 2 record, as far as servers read one.
        [128..=193, _, 1, 0 | 3, ..] => Ok(true),
        [128..=193, _, 1] | [128..=193, _] | [128..=193] => Err(()),
        _ => Ok(false),
    }
}

fn classify_line(bytes: &[u8], look: Look) -> Result<Protocol, Protocol> {
    let undecided =
        if bytes.len() < LINE_LIMIT { Err(Protocol::Http1) } else { Ok(Protocol::Http1) };
    let before = |byte: &u8| is_blank(byte) || matches!(byte, b'\0' | b'\n');
    let Some(start) = bytes.iter().position(|byte| !before(byte)) else { return undecided };
    let rest = &bytes[start..];
    let end = rest.iter().position(|byte| *byte == b'\n');
    let line = &rest[..end.unwrap_or(rest.len())];
    let mut words = line.split(is_blank).filter(|word| !word.is_empty());
    let method = words.next().unwrap_or_default();
    if !method.iter().all(|byte| may_name_a_method(*byte, look)) {
        return Ok(Protocol::Opaque);
    }
    for (at, word) in words.enumerate() {
        let target = at == 0 && is_target(word);
        if target || method == b"GET" || word.to_ascii_uppercase().starts_with(b"HTTP/") {
            return Ok(Protocol::Http1);
        }
        // No server takes this for a target, whatever the method: LDAP and other binary protocols.
        if at == 0 && word.iter().any(|byte| byte.is_ascii_control() && !before(byte)) {
            return Ok(Protocol::Opaque);
        }
    }
    if end.is_some() { Ok(Protocol::Opaque) } else { undecided }
}

/// What some server takes to stand between words: Python's `split` knows the most.
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b..=0x0d | 0x1c..=0x1f | 0x85 | 0xa0)
}

/// In doubt, servers that do not look at the method count too.
fn may_name_a_method(byte: u8, look: Look) -> bool {
    let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    token || look == Look::Wide && byte.is_ascii_graphic()
}

/// A path, `*`, or a URL, as far as it has come.
fn is_target(word: &[u8]) -> bool {
    // URL parsers drop control characters before it.
    let start = word.iter().position(|byte| !byte.is_ascii_control()).unwrap_or(word.len());
    let word = &word[start..];
    word.starts_with(b"/") || word.starts_with(b"*") || word.windows(2).any(|two| two == b":/")
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
            (b"\x16\x03\x05\x02\x00\x01", Ok(Protocol::Tls)),
            (b"\x16\x04\x00\x02\x00\x01", Ok(Protocol::Tls)),
            (b"\x16\x03\x01\x00\x00", Ok(Protocol::Tls)),
            (b"\x15\x03\x01\x00\x02\x01\x5a", Ok(Protocol::Tls)),
            (b"\x14\x03\x01\x00\x01\x01", Ok(Protocol::Tls)),
            (b"\x80\x2e\x01\x03\x01", Ok(Protocol::Tls)),
            (b"\x80\x2e\x01\x00\x02", Ok(Protocol::Tls)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0", Ok(Protocol::Http2)),
            (b"PRI * HTTP/2.0\r\n", Err(Protocol::Http2)),
            (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", Ok(Protocol::Http1)),
            (b"P", Err(Protocol::Http1)),
            (b"POST /", Ok(Protocol::Http1)),
            (b"GET / HTTP/1.1\r\n", Ok(Protocol::Http1)),
            (b"get / http/1.1\n", Ok(Protocol::Http1)),
            (b"GET / HTTP/1.1 \r\n", Ok(Protocol::Http1)),
            (b"GET /\r\n", Ok(Protocol::Http1)),
            (b"GET admin\r\n", Ok(Protocol::Http1)),
            (b"POST admin", Err(Protocol::Http1)),
            (b"POST \x01\x02/admin HTTP/1.0\r\n", Ok(Protocol::Http1)),
            (b"POST admin HTTP/1.0\r\n", Ok(Protocol::Http1)),
            (b"PUT http://a/ HTTP/1.1\r\n", Ok(Protocol::Http1)),
            (b"OPTIONS *", Ok(Protocol::Http1)),
            (b"GET\t/\tHTTP/1.1\r\n", Ok(Protocol::Http1)),
            (b"GET\x1c/admin\r\n", Ok(Protocol::Http1)),
            (b"GET\x85/admin\r\n", Ok(Protocol::Http1)),
            (b"A23456789012345678901234567890123 / HTTP/1.1\r\n", Ok(Protocol::Http1)),
            (b"\r\n", Err(Protocol::Http1)),
            (b"\r\nGET / HTTP/1.1\r\n", Ok(Protocol::Http1)),
            (b"\n\n \t\0\r\nGET / HTTP/1.1\r\n", Ok(Protocol::Http1)),
            (b"EHLO there\r\n", Ok(Protocol::Opaque)),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Ok(Protocol::Opaque)),
            (b"*2\r\n$3\r\nGET\r\n$2\r\n/a\r\n", Ok(Protocol::Opaque)),
            // PostgreSQL: TLS wanted, and a start without; the first byte after the NULs counts.
            (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", Ok(Protocol::Opaque)),
            (b"\x00\x00\x00\x20\x00\x03\x00\x00user\x00me\x00", Ok(Protocol::Opaque)),
            // LDAP: a bind; git's own protocol.
            (b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", Ok(Protocol::Opaque)),
            (b"0022git-upload-pack /a.git\0host=h\0", Ok(Protocol::Opaque)),
            (b"0023git-upload-pack /a.git\0host=h\0", Ok(Protocol::Http1)),
            (b"0010git-x /admin\0", Ok(Protocol::Http1)),
            (b"\x00\x00\x00\x16\x00\x03\x00\x00user\x00me\x00", Ok(Protocol::Opaque)),
        ] {
            assert_eq!(classify(bytes, Care::PLAIN), protocol, "{bytes:?}");
            // With more care nothing more is opaque.
            let careful = classify(bytes, Care::WIDE);
            assert!(careful == protocol || careful == Ok(Protocol::Tls), "{bytes:?}: {careful:?}");
        }
    }

    #[test]
    fn what_is_in_doubt_depends_on_what_is_at_stake() {
        for (bytes, name, host, port) in [
            // MongoDB: the length of the message, and the number of the request.
            (
                &b"\x14\x01\x00\x00\x01\x00\x00\x00"[..],
                Protocol::Opaque,
                Protocol::Opaque,
                Protocol::Tls,
            ),
            (b"\x16\x10", Protocol::Opaque, Protocol::Opaque, Protocol::Tls),
            (b"\x16\x03\x01\x02\x00\x00", Protocol::Opaque, Protocol::Opaque, Protocol::Tls),
            (b"(x /admin HTTP/1.0\r\n", Protocol::Opaque, Protocol::Opaque, Protocol::Http1),
            (b"GET / HTTP/1.1\r\n", Protocol::Opaque, Protocol::Http1, Protocol::Http1),
            (b"\x15\x03\x01\x00\x02\x01", Protocol::Tls, Protocol::Tls, Protocol::Tls),
        ] {
            for (care, protocol) in [(Care::SKIP, name), (Care::PLAIN, host), (Care::WIDE, port)] {
                assert_eq!(classify(bytes, care), Ok(protocol), "{care:?} {bytes:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_silent_client_is_told_from_one_that_left() {
        let (_client, server) = tokio::io::duplex(64);
        let found = detect(server, Duration::from_millis(20), Care::WIDE).await.unwrap();
        assert!(matches!(found, Detected::Silent(_)));

        let (client, server) = tokio::io::duplex(64);
        drop(client);
        let found = detect(server, Duration::from_millis(20), Care::WIDE).await.unwrap();
        assert!(matches!(found, Detected::Left));
    }

    #[tokio::test]
    async fn what_was_read_is_given_back() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"GET / HT").await.unwrap();
        let detecting = tokio::spawn(detect(server, Duration::from_secs(5), Care::WIDE));
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
