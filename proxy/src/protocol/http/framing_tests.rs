use super::*;

fn whole(input: &[u8]) -> Result<Vec<u8>, Violation> {
    let mut good = BytesMut::new();
    Framing::default().read(input, &mut good)?;
    Ok(good.to_vec())
}

#[test]
fn good_messages_pass_unchanged() {
    for message in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /?q=%20 HTTP/1.1\r\nHost:a\r\nX-Empty:\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(whole(message.as_bytes()).unwrap(), message.as_bytes(), "{message:?}");
        // And byte by byte.
        let (mut framing, mut good) = (Framing::default(), BytesMut::new());
        for byte in message.as_bytes() {
            framing.read(&[*byte], &mut good).unwrap();
        }
        assert_eq!(&good[..], message.as_bytes(), "{message:?}");
    }
}

/// Shapes from published request smuggling research; each is read differently by some pair of
/// servers.
#[test]
fn smuggling_shapes_are_refused() {
    use Violation::*;
    for (message, violation) in [
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
            BothLengths,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
            BothLengths,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n",
            ContentLength,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
            ContentLength,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\n", ContentLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n", ContentLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\n", ContentLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", ContentLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", ContentLength),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n",
            ContentLength,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
            ContentLength,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 4\r\n\r\n", ContentLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n", TransferEncoding),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            TransferEncoding,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", TransferEncoding),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", TransferEncoding),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            TransferEncoding,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n", LineEnding),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", TransferEncoding),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", HeaderName),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\r\n : chunked\r\n\r\n", HeaderName),
        ("POST / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", HeaderName),
        ("POST / HTTP/1.1\r\nHost: a\r\n\tTransfer-Encoding: chunked\r\n\r\n", HeaderName),
        ("POST / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", HeaderName),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Host),
        ("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", Host),
        ("GET / HTTP/1.1\r\n\r\n", Host),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", LineEnding),
        ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", LineEnding),
        ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", LineEnding),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", LineEnding),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", RequestLine),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", RequestLine),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", RequestLine),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("GET /\r\nHost: a\r\n\r\n", RequestLine),
        ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("GET /\u{7f} HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        ("X-EXEAT-REFUSED /0 HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
    ] {
        assert_eq!(whole(message.as_bytes()), Err(violation), "{message:?}");
    }
}

/// What the HTTP library would not read is percent-encoded, in whichever pieces it comes, a line says
/// what it was, and what is before and behind it stays as it is.
#[test]
fn targets_with_odd_bytes_are_encoded() {
    let rest: &[u8] = b" HTTP/1.1\r\nHost: a\r\nX: <\"`\xff\r\n";
    for (sent, passed, marker) in [
        (
            &b"/a<b>`?q=<\"x\">"[..],
            &b"/a%3Cb%3E%60?q=%3C%22x%22%3E"[..],
            &b"exeat-target: /a<b>`?q=<\"x\">\r\n"[..],
        ),
        (b"/caf\xe9#<", b"/caf%E9#%3C", b"exeat-target: /caf\xe9\r\n"),
        (b"http://a/<x>", b"http://a/%3Cx%3E", b"exeat-target: /<x>\r\n"),
        (b"http://a", b"http://a", b""),
        (b"/caf\xc3\xa9[]{}|^\\", b"/caf\xc3\xa9[]{}|^\\", b""),
    ] {
        let plain: &[u8] = b"POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n<\"`";
        let message = |target: &[u8], line: &[u8]| {
            [plain, b"GET ".as_slice(), target, rest, line, b"\r\n", plain].concat()
        };
        let (sent, passed) = (message(sent, b""), message(passed, marker));
        assert_eq!(whole(&sent).unwrap(), passed);
        for cut in 1..sent.len() {
            let (mut framing, mut good) = (Framing::default(), BytesMut::new());
            framing.read(&sent[..cut], &mut good).unwrap();
            framing.read(&sent[cut..], &mut good).unwrap();
            assert_eq!(good, passed, "{cut}");
        }
    }
}

/// Where there is no room for the line, the target is encoded all the same.
#[test]
fn a_head_that_grows_too_long_for_hyper_has_no_line_of_its_own() {
    for (odd, more, marked) in [(20_000, 44_000, true), (32_000, 33_000, false)] {
        let message = format!(
            "GET /?{} HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "<".repeat(odd),
            "x".repeat(more)
        );
        let passed = whole(message.as_bytes()).unwrap();
        assert!(passed.len() <= 2 * HEAD_LIMIT);
        assert_eq!(memmem::find(&passed, b"exeat-target").is_some(), marked);
    }
}

#[test]
fn bad_chunks_are_refused() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "3;ext=1\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n",
        "0x3\r\nabc\r\n",
        "+3\r\nabc\r\n",
        "-1\r\n",
        "\r\n",
        "g\r\n",
        "3\r\nabcd\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabcXX0\r\n\r\n",
        "11111111111111111\r\n",
        "3\rabc\r\n",
    ] {
        assert_eq!(whole(format!("{head}{body}").as_bytes()), Err(Violation::Chunk), "{body:?}");
    }
    for (body, violation) in [
        ("0\r\nContent-Length: 4\r\n\r\n", Violation::HeaderName),
        ("0\r\nTransfer-Encoding: chunked\r\n\r\n", Violation::HeaderName),
        ("0\r\n folded\r\n\r\n", Violation::HeaderName),
        ("0\r\nX: 1\n\r\n", Violation::LineEnding),
    ] {
        assert_eq!(whole(format!("{head}{body}").as_bytes()), Err(violation), "{body:?}");
    }
}

#[test]
fn endless_heads_are_refused() {
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(HEAD_LIMIT));
    assert_eq!(whole(long.as_bytes()), Err(Violation::HeadTooLong));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(HEADER_LIMIT));
    assert_eq!(whole(many.as_bytes()), Err(Violation::HeadTooLong));
}

proptest::proptest! {
    #[test]
    fn any_bytes_never_panic_and_hardly_grow(input in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512)) {
        let mut good = BytesMut::new();
        let _ = Framing::default().read(&input, &mut good);
        proptest::prop_assert!(good.len() <= 4 * input.len());
    }

    #[test]
    fn split_reads_equal_whole_reads(at in 0_usize..90) {
        let message = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Y: z\r\n\r\n";
        let at = at.min(message.len());
        let (mut framing, mut good) = (Framing::default(), BytesMut::new());
        framing.read(&message[..at], &mut good).unwrap();
        framing.read(&message[at..], &mut good).unwrap();
        proptest::prop_assert_eq!(&good[..], &message[..]);
    }
}
