use super::super::slow::Slow;
use super::*;
use http::Request;
use std::io::IoSlice;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const START: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const MARKED: &[u8] = b"\x82\x87\x41\x01h\x04\x05/a%3C\x10\x0cexeat-target\x03/a<\x58\x01x";
const UNMARKED: &[u8] = b"\x82\x87\x41\x01h\x04\x03/a<\x58\x01x";
const PLAIN: &[u8] = b"\x82\x87\xbe\x04\x05/a%3C";

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

/// Writes in pieces of one length; the first request with a marker is sent behind `before`.
async fn write(before: &[u8], behind: &[u8], piece: usize, most: usize) -> Vec<u8> {
    let mut stream = Marked::new(Slow::new(most));
    for piece in before.chunks(piece) {
        stream.write_all(piece).await.unwrap();
    }
    stream.markers().mark(&mut HeaderMap::new(), &Bytes::from_static(b"/a<"));
    for piece in behind.chunks(piece) {
        stream.write_all(piece).await.unwrap();
    }
    stream.flush().await.unwrap();
    stream.inner.taken
}

#[tokio::test]
async fn a_marker_becomes_the_path_however_the_writes_are_cut() {
    let before = [START, &frame(1, 4, PLAIN), &frame(0, 1, &[1; 300])].concat();
    let parts = |block: &[u8], cut: usize| {
        [frame(1, 0, &block[..cut]), frame(9, 4, &block[cut..])].concat()
    };
    let others = [frame(0, 0, b"\0\0\x01\x01"), frame(8, 0, b"1234"), frame(0, 1, b"")].concat();
    let last = (parts(MARKED, 10), parts(UNMARKED, 10));
    let between = [others, frame(1, 4, PLAIN)].concat();
    let behind = [frame(1, 5, MARKED), between.clone(), last.0].concat();
    let expected = [before.clone(), frame(1, 5, UNMARKED), between, last.1].concat();
    for piece in [1, 2, 3, 8, 9, 10, 11, 50, 1000] {
        for most in [1, 5, 1000] {
            assert_eq!(write(&before, &behind, piece, most).await, expected, "{piece} {most}");
        }
    }
}

/// What was begun before the first marker passes to its end.
#[tokio::test]
async fn the_first_marker_may_come_in_the_middle_of_a_frame() {
    let all = [START, &frame(1, 0, &PLAIN[..4]), &frame(9, 4, &PLAIN[4..])].concat();
    let marked = frame(1, 5, MARKED);
    for at in 0..all.len() {
        let behind = [&all[at..], &marked].concat();
        let out = write(&all[..at], &behind, 1000, 1000).await;
        assert_eq!(out, [&all[..], &frame(1, 5, UNMARKED)].concat(), "{at}");
    }
}

#[tokio::test]
async fn a_block_that_cannot_be_read_does_not_leave() {
    for bad in [frame(1, 4, b"\x04\x7f"), frame(1, 0x0c, b"\xff"), frame(1, 4, &[0xff; 9])] {
        let mut stream = Marked::new(Slow::new(1000));
        stream.markers().mark(&mut HeaderMap::new(), &Bytes::from_static(b"/a<"));
        stream.write_all(START).await.unwrap();
        assert!(stream.write_all(&bad).await.is_err());
    }
}

#[test]
fn a_marker_that_does_not_fit_its_path_is_left_out() {
    for (path, marker) in [(&b"\x04\x05/b%3C"[..], &b"/a<"[..]), (b"\x84", b"/a<")] {
        let mut block = path.to_vec();
        hpack::put_plain(b"exeat-target", marker, &mut block);
        assert_eq!(without_marker(&block).unwrap().unwrap(), path);
    }
}

/// As the library really writes.
#[tokio::test]
async fn the_library_writes_what_is_read_here() {
    let (client, mut server) = tokio::io::duplex(1 << 20);
    let stream = Marked::new(client);
    let markers = stream.markers();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let long = [&b"/"[..], &[b'<'; 15_000], &[0xff; 2_000]].concat();
    let targets =
        [&b"/plain"[..], b"/a<", b"/\"?\"", b"/caf\xe9", &long, b"/b>", b"/index.html<", b"/plain"];
    for target in targets {
        let path = String::from_utf8(encoded(target)).unwrap();
        let mut request =
            Request::get(format!("https://a{path}")).header("x-same", "same").body(()).unwrap();
        request.headers_mut().insert("x-odd", "<\"".parse().unwrap());
        if path.as_bytes() != target {
            markers.mark(request.headers_mut(), &Bytes::copy_from_slice(target));
        }
        drop(sender.send_request(request, true).unwrap());
    }
    let mut all = Vec::new();
    let mut found = Vec::new();
    let limits = Limits { frame: 16 * 1024, block: 1 << 20 };
    while found.len() < targets.len() {
        assert_ne!(server.read_buf(&mut all).await.unwrap(), 0);
        let mut at = PREFACE;
        found.clear();
        while let Some(frame) = all.get(at..).and_then(Frame::read) {
            at += if frame.kind() == HEADERS {
                let Some(headers) = Headers::read(&all[at..], limits).unwrap() else { break };
                found.push(headers.block.to_vec());
                headers.length
            } else {
                HEAD + frame.length()
            };
        }
    }
    let paths = found.iter().map(|block| {
        let mut paths = Vec::new();
        for field in Fields::of(block) {
            let Field::Literal { name, value, .. } = field.unwrap().0 else { continue };
            if name.is_path() {
                paths.push(value.decoded().unwrap());
            } else if let Name::Literal(name) = name {
                assert!(!name.says(MARKER.as_str().as_bytes()));
            }
        }
        paths
    });
    let mut paths: Vec<_> = paths.flatten().collect();
    let mut expected: Vec<_> = targets.map(<[u8]>::to_vec).to_vec();
    paths.sort();
    expected.sort();
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn several_slices_are_followed() {
    let mut stream = Marked::new(Slow::new(1000));
    let data = frame(0, 0, &[1; 100]);
    let slices = [IoSlice::new(START), IoSlice::new(&data[..9]), IoSlice::new(&data[9..])];
    let written = stream.write_vectored(&slices).await.unwrap();
    assert!(written > 0);
    let all = [START, &data].concat();
    stream.write_all(&all[written..]).await.unwrap();
    stream.markers().mark(&mut HeaderMap::new(), &Bytes::from_static(b"/a<"));
    let marked = frame(1, 5, MARKED);
    let mut left = &marked[..];
    while !left.is_empty() {
        let slices = [IoSlice::new(b""), IoSlice::new(left), IoSlice::new(b"never")];
        left = &left[stream.write_vectored(&slices[..2]).await.unwrap()..];
    }
    stream.flush().await.unwrap();
    assert_eq!(stream.inner.taken, [&all[..], &frame(1, 5, UNMARKED)].concat());
}
