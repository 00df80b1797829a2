//! HTTP/2 as the agent sends it. Any cut of the reads gives the same bytes; what comes out are whole
//! frames wherever what went in were; and frames that have no header block stay as they are.
#![no_main]

use bytes::BytesMut;
use exeat_proxy::protocol::http::raw::heads::{Heads, Unreadable};
use libfuzzer_sys::fuzz_target;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

fuzz_target!(|input: (Vec<(u8, u8, Vec<u8>)>, Vec<u8>, u8)| {
    let (frames, behind, cut) = input;
    let mut bytes = PREFACE.to_vec();
    for (kind, flags, payload) in &frames {
        // Half of them have a header block.
        let kind = if *kind < 128 { kind % 2 * 8 + 1 } else { *kind };
        bytes.extend(&(payload.len() as u32).to_be_bytes()[1..]);
        bytes.extend([kind, *flags, 0, 0, 0, 1]);
        bytes.extend(payload);
    }
    let whole_frames = bytes.len();
    bytes.extend(behind);

    let (mut heads, mut out) = (Heads::default(), Vec::new());
    let once = read(&mut heads, &bytes, &mut out);
    let (mut pieces, mut out_of_pieces) = (Heads::default(), Vec::new());
    let in_pieces = bytes
        .chunks(usize::from(cut).max(1))
        .try_for_each(|piece| read(&mut pieces, piece, &mut out_of_pieces));
    assert_eq!(once, in_pieces);
    if once.is_err() {
        return;
    }
    assert_eq!((&out, heads.held()), (&out_of_pieces, pieces.held()));

    let (mut heads, mut out) = (Heads::default(), Vec::new());
    if read(&mut heads, &bytes[..whole_frames], &mut out).is_ok() && heads.held() == 0 {
        assert_eq!(others(&out), others(&bytes[..whole_frames]));
    }
});

fn read(heads: &mut Heads, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
    let mut good = BytesMut::new();
    let passed = heads.read(bytes, &mut good)?;
    out.extend_from_slice(&bytes[..passed]);
    out.extend_from_slice(&good);
    Ok(())
}

/// All frames without a header block. All bytes have to be frames.
fn others(bytes: &[u8]) -> Vec<&[u8]> {
    let mut rest = bytes.strip_prefix(PREFACE).expect("the preface is gone");
    let mut others = Vec::new();
    while !rest.is_empty() {
        let length = usize::from(rest[0]) << 16 | usize::from(rest[1]) << 8 | usize::from(rest[2]);
        let (frame, behind) = rest.split_at(9 + length);
        if ![HEADERS, CONTINUATION].contains(&frame[3]) {
            others.push(frame);
        }
        rest = behind;
    }
    others
}
