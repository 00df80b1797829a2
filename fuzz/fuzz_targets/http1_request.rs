//! HTTP/1 as the agent sends it. What is let through must be the input's own bytes, but for targets
//! with bytes that are percent-encoded and the line that says what they were, wherever the reads are
//! cut; and a second reading must let it through unchanged.
#![no_main]

use bytes::BytesMut;
use exeat_proxy::protocol::http::framing::{Framing, check_head};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut whole = BytesMut::new();
    let once = Framing::default().read(bytes, &mut whole);
    let encoded = |byte: &u8| matches!(byte, b'"' | b'<' | b'>' | b'`' | 0x80..);
    assert!(bytes.starts_with(&whole) || bytes.iter().any(encoded));
    let mut again = BytesMut::new();
    // The line of its own may be one too many for those of the agent.
    assert!(Framing::default().read(&whole, &mut again).is_ok() || whole.len() > bytes.len());
    assert!(whole.starts_with(&again));

    let (mut framing, mut pieces) = (Framing::default(), BytesMut::new());
    let byte_by_byte = bytes.chunks(1).try_for_each(|byte| framing.read(byte, &mut pieces));
    assert_eq!(once.is_ok(), byte_by_byte.is_ok());
    assert!(whole.starts_with(&pieces) || pieces.starts_with(&whole));

    if let Some(end) = whole.windows(4).position(|four| four == b"\r\n\r\n") {
        assert!(check_head(&whole[..end + 4]).is_ok() || whole.len() > bytes.len());
    }
});
