//! The agent's first TLS bytes.
#![no_main]

use exeat_proxy::wire::detect::{Care, Protocol, classify};
use exeat_proxy::tls::hello;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // What is opaque with care is opaque without.
    if classify(bytes, Care::WIDE) == Ok(Protocol::Opaque) {
        assert_ne!(classify(bytes, Care::SKIP), Ok(Protocol::Http1));
        assert_ne!(classify(bytes, Care::PLAIN), Ok(Protocol::Http1));
    }
    if let Ok(read) = hello::parse(bytes) {
        // What was complete stays what it was when more follows.
        let mut longer = bytes.to_vec();
        longer.extend_from_slice(b"\x17\x03\x03\x00\x01\x00");
        assert_eq!(hello::parse(&longer), Ok(read));
    }
});
