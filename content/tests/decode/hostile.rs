//! Input that is made to cost: an error that says so, or a bounded fallback. And the property that all
//! of this rests on: where a body is cut changes nothing.

use crate::support::*;
use exeat_content::{Decoder, Limits, Media, Place, Sink, StreamId, Why};
use proptest::prelude::*;

/// Counts streams and bytes.
#[derive(Default)]
struct Count {
    open: u64,
    most: u64,
    bytes: u64,
}

impl Sink for Count {
    fn open(&mut self, _: StreamId, _: &Place<'_>) {
        self.open += 1;
        self.most = self.most.max(self.open);
    }

    fn fork(&mut self, id: StreamId, _: StreamId, at: &Place<'_>) {
        self.open(id, at);
    }

    fn text(&mut self, _: StreamId, _: &Place<'_>, text: &[u8]) {
        self.bytes += text.len() as u64;
    }

    fn close(&mut self, _: StreamId, _: &Place<'_>) {
        self.open -= 1;
    }

    fn cancel(&mut self, _: StreamId) {
        self.open -= 1;
    }
}

fn count(
    media: &Media,
    limits: Limits,
    pieces: impl Iterator<Item = Vec<u8>>,
) -> (Count, Result<(), Why>) {
    let mut sink = Count::default();
    let mut decoder = Decoder::new(media, limits);
    let mut done = Ok(());
    for piece in pieces {
        done = decoder.push(&piece, &mut sink);
        if done.is_err() {
            break;
        }
    }
    let done = done.and_then(|()| decoder.finish(&mut sink));
    (sink, done.map_err(|error| error.why))
}

fn small() -> Limits {
    Limits { output_base: 1 << 20, output_per_input: 100, ..Limits::default() }
}

#[test]
fn bombs_end_at_the_limit() {
    let zeros = vec![0; 8 << 20];
    for (encoding, body) in [
        ("gzip", gzip(&zeros)),
        ("deflate", zlib(&zeros)),
        ("zstd", zstd(&zeros)),
        ("gzip, gzip", gzip(&gzip(&zeros))),
        ("zstd, gzip, zstd", zstd(&gzip(&zstd(&zeros)))),
    ] {
        let (sink, done) = count(&encoded("text/plain", encoding), small(), std::iter::once(body));
        assert_eq!(done, Err(Why::TooMuchOutput), "{encoding}");
        assert!(sink.bytes <= 4 << 20, "{encoding}: {}", sink.bytes);
    }
    // Nobody declared it: it is a bomb all the same.
    let (_, done) = count(&Media::default(), small(), std::iter::once(gzip(&zeros)));
    assert_eq!(done, Err(Why::TooMuchOutput));
}

#[test]
fn layers_have_a_depth() {
    let mut body = b"x".to_vec();
    for _ in 0..12 {
        body = gzip(&body);
    }
    let names = ["gzip"; 12].join(",");
    let (_, done) = count(&encoded("text/plain", &names), Limits::default(), std::iter::once(body));
    assert_eq!(done, Err(Why::TooDeep));
    let mut text = "project zeus launches at dawn".to_owned();
    for _ in 0..20 {
        text = base64(text.as_bytes());
    }
    let (sink, done) =
        count(&Media::default(), Limits::default(), std::iter::once(text.into_bytes()));
    assert_eq!(done, Ok(()));
    assert!(sink.most < 12);
}

#[test]
fn windows_have_a_limit() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.set_parameter(zstd::stream::raw::CParameter::WindowLog(27)).unwrap();
    std::io::Write::write_all(&mut encoder, &vec![7; 1 << 20]).unwrap();
    let body = encoder.finish().unwrap();
    let (_, done) = count(&encoded("text/plain", "zstd"), Limits::default(), std::iter::once(body));
    assert_eq!(done, Err(Why::Damaged));
    // A large window of brotli, which is no part of RFC 7932.
    let body = vec![0x11, 0x1e, 0, 0, 0, 0];
    let (_, done) = count(&encoded("text/plain", "br"), Limits::default(), std::iter::once(body));
    assert_eq!(done, Err(Why::Damaged));
    let little = Limits { memory: 1 << 20, ..Limits::default() };
    for (encoding, body) in [("zstd", zstd(b"x")), ("br", brotli(b"x"))] {
        let (_, done) = count(&encoded("text/plain", encoding), little, std::iter::once(body));
        assert_eq!(done, Err(Why::TooMuchMemory), "{encoding}");
    }
}

#[test]
fn headers_without_an_end() {
    let head = [0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0];
    let pieces = std::iter::once(head.to_vec()).chain((0..1000).map(|_| vec![b'a'; 1000]));
    let (_, done) = count(&encoded("text/plain", "gzip"), Limits::default(), pieces);
    assert_eq!(done, Err(Why::HeaderTooLong));
    let pieces =
        std::iter::once(b"--b\r\n".to_vec()).chain((0..1000).map(|_| b"a: b\r\n".repeat(10)));
    let (_, done) = count(&Media::of("multipart/mixed; boundary=b"), Limits::default(), pieces);
    assert_eq!(done, Err(Why::HeaderTooLong));
}

#[test]
fn json_that_is_deep_long_or_full() {
    let json = Media::of("application/json");
    let deep = [b"[".repeat(10_000), br#""proj\u0065ct""#.to_vec()].concat();
    let got = chunked(&json, Limits::default(), std::iter::once(deep.as_slice()));
    assert_eq!(got.result, Ok(()));
    assert!(got.has("project"), "what is too deep is read as text");

    let pieces = std::iter::once(b"[\"".to_vec()).chain((0..1600).map(|_| vec![b'a'; 64 << 10]));
    let (sink, done) = count(&json, Limits::default(), pieces);
    assert_eq!(done, Ok(()));
    assert!(sink.bytes >= 200 << 20 && sink.most < 8);

    let (sink, done) = count(
        &json,
        Limits::default(),
        (0..2000).map(|n| format!("{{\"k{n}\":\"{}\"}}", "v".repeat(n % 50)).into_bytes()),
    );
    assert_eq!(done, Ok(()));
    assert!(sink.most < 100, "{}", sink.most);
}

#[test]
fn a_run_of_base64_without_an_end() {
    let (sink, done) =
        count(&Media::default(), Limits::default(), (0..512).map(|_| b"QUJDRGFiY2Rl".repeat(5000)));
    assert_eq!(done, Ok(()));
    assert!(sink.most < 12, "{}", sink.most);
}

#[test]
fn every_escape_in_every_view() {
    let line = b"%25%41&amp;&#65;\\u0041\\\\x41\0+AGE-QUJDRGFiY2RlQUJD=41/{\"\\\"%7B\\n";
    let (sink, done) =
        count(&Media::default(), Limits::default(), (0..400).map(|_| line.repeat(40)));
    let input = (line.len() * 400 * 40) as u64;
    assert!(sink.bytes < 201 * input + (33 << 20), "{}", sink.bytes / input);
    assert!(matches!(done, Ok(()) | Err(Why::TooMuchOutput | Why::TooMuchMemory)));
    assert!(sink.most <= 1100, "{}", sink.most);
}

/// Text of the pieces that layers are made of.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let tokens: Vec<&'static [u8]> = vec![
        b"%",
        b"%41",
        b"%2541",
        b"&",
        b"&#65;",
        b"&#65",
        b"&amp;",
        b"\\",
        b"\\u0041",
        b"\\ud83d",
        b"\\ude00",
        b"\\x41",
        b"\\\"",
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"1",
        b"\"index\":1",
        b"\"a\":\"b\"",
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        b"\n\n",
        b"data: ",
        b"data:",
        b"event: x\n",
        b"data",
        b"--b",
        b"--b--",
        b"--b\r\n",
        b"\r\n--b\r\n\r\n",
        b"Content-Type: application/json\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Disposition: form-data; name=\"a\"\r\n",
        b"cHJvamVjdCB6ZXVz",
        b"QUJDRGFiY2RlQUJD",
        b"70726f6a656374207a657573",
        b"0123456789abcdef",
        b"eyJhIjoiXHUwMDYyIn0",
        b"/",
        b"+",
        b"-",
        b"=",
        b"+AGE-",
        b"\0",
        b"a\0b\0",
        b"\0a\0b",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
        b"\xc3\xa9",
        b"\x1f\x8b\x08\0",
        b"x\x9c",
        b"text",
        b"=3D",
        b"=\r\n",
        b"&a=b",
        b"\0\0\0\0\x05",
        b"\x01\0\0\0\x02",
        b"5\r\n",
        b"0\r\n\r\n",
        b"5;chunk-signature=a\r\n",
    ];
    prop_oneof![
        8 => proptest::sample::select(tokens).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ]
}

fn media() -> impl Strategy<Value = Media> {
    let types = vec![
        "",
        "text/plain",
        "application/json",
        "application/x-ndjson",
        "text/event-stream",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "application/grpc",
        "application/grpc-web-text",
        "application/connect+json",
        "text/plain; charset=utf-16le",
        "application/json; charset=utf-7",
        "text/html; charset=shift_jis",
        "text/plain; charset=utf-32",
    ];
    proptest::sample::select(types).prop_map(Media::of)
}

/// Wraps a body into codings.
fn wrap(mut body: Vec<u8>, codings: &[u8]) -> (Vec<u8>, String) {
    let mut names = Vec::new();
    for coding in codings {
        let (name, coded) = match coding % 5 {
            0 => ("gzip", gzip(&body)),
            1 => ("deflate", zlib(&body)),
            2 => ("zstd", zstd(&body)),
            3 if !body.is_empty() => ("br", brotli(&body)),
            _ => ("deflate", deflate(&body)),
        };
        names.push(name);
        body = coded;
    }
    (body, names.join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn where_a_body_is_cut_changes_nothing(
        pieces in proptest::collection::vec(piece(), 0..24),
        media in media(),
        codings in proptest::collection::vec(any::<u8>(), 0..3),
        declared in any::<bool>(),
        damage in proptest::option::weighted(0.2, any::<(usize, u8)>()),
        cuts in proptest::collection::vec(1usize..9, 1..6),
    ) {
        let (mut body, names) = wrap(pieces.concat(), &codings);
        if let Some((at, byte)) = damage && !body.is_empty() {
            let at = at % body.len();
            body[at] = byte;
        }
        let names_brotli = declared && names.contains("br");
        let content_encoding = declared.then_some(names).filter(|names| !names.is_empty());
        let media = Media { content_encoding, message_encoding: Some("gzip".to_owned()), ..media };
        let whole = chunked(&media, Limits::default(), std::iter::once(body.as_slice()));
        let mut rest = body.as_slice();
        let mut sizes = cuts.iter().cycle();
        let parts = std::iter::from_fn(|| {
            let size = (*sizes.next()?).min(rest.len());
            let (part, behind) = rest.split_at(size);
            rest = behind;
            (!part.is_empty()).then_some(part)
        });
        let cut = chunked(&media, Limits::default(), parts);
        // A damaged brotli stream ends before or behind what stood in front of the damage.
        let brotli = names_brotli && damage.is_some();
        if brotli {
            prop_assert_eq!(whole.result.is_err(), cut.result.is_err());
        } else {
            prop_assert_eq!(&whole.result, &cut.result);
        }
        if whole.result.is_ok() {
            prop_assert!(whole.streams == cut.streams, "{:?}\n{}\nagainst\n{}", body, whole.list(), cut.list());
        }
    }
}
