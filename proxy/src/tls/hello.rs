//! Reads a ClientHello without taking part in the handshake: for connections that are relayed as
//! they are, where nobody else would compare the name in it with the name that was decided.
//!
//! Bytes come from the agent. Nothing here allocates more than the input's length, and nothing is
//! believed beyond its own length field.

use thiserror::Error;

/// A ClientHello is read to this many bytes, and refused beyond.
pub const HELLO_LIMIT: usize = 64 * 1024;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

/// What a ClientHello says in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// As sent; not yet a name.
    pub server_name: Option<String>,
    /// The real name may be a different one, encrypted.
    pub encrypted: bool,
}

/// Why bytes are not a ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HelloError {
    /// The beginning is good: read more.
    #[error("the ClientHello is not complete")]
    Incomplete,
    #[error("the bytes are not a TLS ClientHello")]
    Malformed,
}

/// Parses the records at the beginning of `bytes`.
pub fn parse(bytes: &[u8]) -> Result<ClientHello, HelloError> {
    let message = handshake(bytes)?;
    client_hello(&message).ok_or(HelloError::Malformed)
}

/// The first handshake message, put together from as many records as it takes.
fn handshake(mut bytes: &[u8]) -> Result<Vec<u8>, HelloError> {
    let mut message = Vec::new();
    loop {
        if let Some(length) = message_length(&message) {
            if message[0] != CLIENT_HELLO || length > HELLO_LIMIT {
                return Err(HelloError::Malformed);
            }
            if message.len() >= length + 4 {
                message.truncate(length + 4);
                message.drain(..4);
                return Ok(message);
            }
        }
        let [kind, major, _, high, low, rest @ ..] = bytes else {
            let wrong = bytes.first().is_some_and(|kind| *kind != HANDSHAKE)
                || bytes.get(1).is_some_and(|major| *major != 3);
            return Err(if wrong { HelloError::Malformed } else { HelloError::Incomplete });
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind != HANDSHAKE || *major != 3 || length == 0 || length > (1 << 14) + 256 {
            return Err(HelloError::Malformed);
        }
        let taken = length.min(rest.len());
        message.extend_from_slice(&rest[..taken]);
        if taken < length && message_length(&message).is_none_or(|l| message.len() < l + 4) {
            return Err(HelloError::Incomplete);
        }
        bytes = &rest[taken..];
    }
}

fn message_length(message: &[u8]) -> Option<usize> {
    match message {
        [_, a, b, c, ..] => Some(u32::from_be_bytes([0, *a, *b, *c]) as usize),
        _ => None,
    }
}

fn client_hello(body: &[u8]) -> Option<ClientHello> {
    let mut body = Reader(body);
    body.take(2 + 32)?;
    body.vector8()?;
    body.vector16()?;
    body.vector8()?;
    let mut hello = ClientHello { server_name: None, encrypted: false };
    if body.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = Reader(body.vector16()?);
    let mut named = false;
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let content = extensions.vector16()?;
        match kind {
            // Two of them would be read differently by different servers.
            SERVER_NAME if named => return None,
            SERVER_NAME => {
                named = true;
                hello.server_name = Some(server_name(content)?);
            }
            ENCRYPTED_CLIENT_HELLO => hello.encrypted = true,
            _ => {}
        }
    }
    body.0.is_empty().then_some(hello)
}

fn server_name(content: &[u8]) -> Option<String> {
    let mut outer = Reader(content);
    let mut list = Reader(outer.vector16()?);
    let kind = list.take(1)?[0];
    let name = list.vector16()?;
    let single = kind == 0 && list.0.is_empty() && outer.0.is_empty();
    let plain = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    (single && plain).then(|| String::from_utf8_lossy(name).into_owned())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let taken = self.take(2)?;
        Some(u16::from_be_bytes([taken[0], taken[1]]))
    }

    fn vector8(&mut self) -> Option<&'a [u8]> {
        let length = self.take(1)?[0];
        self.take(usize::from(length))
    }

    fn vector16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::ServerName;
    use std::sync::Arc;

    fn hello_for(name: &'static str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let name = ServerName::try_from(name).unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_name_is_read() {
        let hello = parse(&hello_for("api.example.com")).unwrap();
        assert_eq!(hello.server_name.as_deref(), Some("api.example.com"));
        assert!(!hello.encrypted);
    }

    #[test]
    fn an_address_carries_no_name() {
        assert_eq!(parse(&hello_for("203.0.113.7")).unwrap().server_name, None);
    }

    #[test]
    fn every_shorter_input_is_incomplete() {
        let bytes = hello_for("api.example.com");
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Err(HelloError::Incomplete), "{end}");
        }
    }

    #[test]
    fn a_hello_over_several_records_is_read() {
        let bytes = hello_for("api.example.com");
        let mut split = Vec::new();
        for piece in bytes[5..].chunks(50) {
            split.extend_from_slice(&[22, 3, 1, 0, piece.len() as u8]);
            split.extend_from_slice(piece);
        }
        assert_eq!(parse(&split).unwrap().server_name.as_deref(), Some("api.example.com"));
    }

    #[test]
    fn other_bytes_are_malformed() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\x16\x02\x00\x00\x05",
            b"\x16\x03\x01\x00\x00",
            b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
            b"\x16\x03\x01\xff\xff\x01",
        ] {
            assert_eq!(parse(bytes), Err(HelloError::Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn two_names_are_malformed() {
        let name = b"\x00\x00\x00\x06\x00\x04\x00\x00\x01a";
        let mut body = vec![0; 34];
        body.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0, 0, 20]);
        body.extend_from_slice(name);
        body.extend_from_slice(name);
        assert_eq!(client_hello(&body), None);
        let mut one = vec![0; 34];
        one.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0, 0, 10]);
        one.extend_from_slice(name);
        assert_eq!(client_hello(&one).unwrap().server_name.as_deref(), Some("a"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
            let _ = parse(&bytes);
            let _ = client_hello(&bytes);
        }
    }
}
