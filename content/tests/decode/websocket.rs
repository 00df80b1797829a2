//! WebSocket frames of both sides, whole and byte by byte.

use exeat_content::websocket::{Context, Event, Frames, From, Settings};
use exeat_content::{DecodeError, Why};
use std::fmt::Write;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let bit = if masked { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        len @ 0..126 => out.push(bit | len as u8),
        len @ 126..65536 => {
            out.push(bit | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(bit | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    if masked {
        out.extend(MASK);
    }
    let mask = |(at, byte): (usize, &u8)| if masked { byte ^ MASK[at % 4] } else { *byte };
    out.extend(payload.iter().enumerate().map(mask));
    out
}

fn settings(from: From, deflate: Option<Context>) -> Settings {
    Settings { from, deflate, longest_message: 1 << 20 }
}

fn log(settings: Settings, bytes: &[u8], size: usize) -> Result<String, DecodeError> {
    let mut frames = Frames::new(settings);
    let mut log = String::new();
    for chunk in bytes.chunks(size) {
        frames.push(chunk, &mut |event| {
            let _ = match event {
                Event::Begin { text } => write!(log, "<{}", if text { "text " } else { "binary " }),
                Event::Data(data) => write!(log, "{}", String::from_utf8_lossy(data)),
                Event::End => write!(log, ">"),
                Event::Control { opcode, payload } => {
                    write!(log, "[{opcode} {}]", String::from_utf8_lossy(payload))
                }
            };
            Ok(())
        })?;
    }
    frames.finish()?;
    Ok(log)
}

fn read(settings: Settings, bytes: &[u8]) -> Result<String, DecodeError> {
    let whole = log(settings, bytes, usize::MAX);
    assert_eq!(whole, log(settings, bytes, 1));
    whole
}

#[test]
fn messages_fragments_and_controls_between_them() {
    for (from, masked) in [(From::Client, true), (From::Server, false)] {
        let bytes = [
            frame(0x81, b"one", masked),
            frame(0x02, b"t", masked),
            frame(0x89, b"ping", masked),
            frame(0x00, b"w", masked),
            frame(0x80, b"o", masked),
            frame(0x81, &[b'x'; 300], masked),
            frame(0x88, b"\x03\xe8", masked),
        ]
        .concat();
        let long = "x".repeat(300);
        let want = format!("<text one><binary t[9 ping]wo><text {long}>[8 \u{3}\u{fffd}]");
        assert_eq!(read(settings(from, None), &bytes), Ok(want));
    }
}

/// Two messages in one window, RFC 7692 §7.2.3.2: `Hello` twice.
#[test]
fn deflate_with_and_without_context() {
    let one = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let two = b"\xf2\x00\x11\x00\x00";
    let kept = [frame(0xc1, one, true), frame(0xc1, two, true), frame(0x81, b"raw", true)].concat();
    let got = read(settings(From::Client, Some(Context::Takeover)), &kept);
    assert_eq!(got.as_deref(), Ok("<text Hello><text Hello><text raw>"));
    let cut = [frame(0x41, &one[..3], false), frame(0x80, &one[3..], false)].concat();
    let again = [cut.clone(), cut].concat();
    let got = read(settings(From::Server, Some(Context::NoTakeover)), &again);
    assert_eq!(got.as_deref(), Ok("<text Hello><text Hello>"));
    // The second message refers to a window that is not there.
    let got = read(settings(From::Client, Some(Context::NoTakeover)), &kept);
    assert!(!got.is_ok_and(|log| log.contains("<text Hello><text Hello>")));
    // A block that is the last of its stream, RFC 7692 §7.2.3.4.
    let last = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
    let got = read(settings(From::Client, Some(Context::Takeover)), &frame(0xc1, last, true));
    assert_eq!(got.as_deref(), Ok("<text Hello>"));
}

#[test]
fn what_the_protocol_forbids() {
    let plain = settings(From::Client, None);
    let mut unmasked = frame(0x81, b"x", false);
    unmasked.extend([0; 4]);
    for (name, bytes) in [
        ("not masked", unmasked),
        ("compressed", frame(0xc1, b"x", true)),
        ("second reserved bit", frame(0xa1, b"x", true)),
        ("third reserved bit", frame(0x91, b"x", true)),
        ("opcode", frame(0x83, b"x", true)),
        ("continues nothing", frame(0x80, b"x", true)),
        ("begins within", [frame(1, b"x", true), frame(0x81, b"y", true)].concat()),
        ("control in fragments", frame(0x09, b"x", true)),
        ("control too long", frame(0x89, &[0; 126], true)),
        ("2^63", [&[0x81, 0xff, 0x80], [0; 11].as_slice()].concat()),
        ("not the shortest", [&[0x81, 0xfe, 0, 5], [0; 9].as_slice()].concat()),
    ] {
        assert_eq!(read(plain, &bytes).unwrap_err().why, Why::Protocol, "{name}");
    }
    let cut = frame(0x81, b"hello", true);
    assert_eq!(read(plain, &cut[..8]).unwrap_err().why, Why::Truncated);
    let bomb = crate::support::deflate(&vec![0; 4 << 20]);
    let got = read(settings(From::Client, Some(Context::Takeover)), &frame(0xc2, &bomb, true));
    assert_eq!(got.unwrap_err().why, Why::MessageTooLong);
}
