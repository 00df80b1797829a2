use super::*;
use proptest::prelude::*;

const START: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const PLAIN: &[u8] = b"\x82\x86\x04\x02/a\x01\x01h";
const ODD: &[u8] = b"\x82\x86\x04\x03/a<\x01\x01h";
const KNOWN: &[u8] = b"\x82\x86\x04\x05/a%3C\x01\x01h\x10\x0cexeat-target\x03/a<";

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

/// All that comes out.
fn read(input: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let (mut heads, mut good) = (Heads::default(), BytesMut::new());
    let passed = heads.read(input, &mut good)?;
    Ok([&input[..passed], &good].concat())
}

fn read_in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Unreadable> {
    let (mut heads, mut all) = (Heads::default(), Vec::new());
    for piece in pieces {
        let mut good = BytesMut::new();
        let passed = heads.read(piece, &mut good)?;
        all.extend_from_slice(&piece[..passed]);
        all.extend_from_slice(&good);
    }
    Ok(all)
}

#[test]
fn what_is_not_odd_stays_where_it_is() {
    let all = [
        START.to_vec(),
        frame(1, 5, PLAIN),
        frame(0, 1, &[7; 5000]),
        frame(1, 0, &PLAIN[..5]),
        frame(9, 4, &PLAIN[5..]),
        frame(200, 0, b"unknown"),
        frame(0, 1, b""),
    ]
    .concat();
    let (mut heads, mut good) = (Heads::default(), BytesMut::new());
    assert_eq!(heads.read(&all, &mut good), Ok(all.len()));
    assert!(good.is_empty() && heads.held() == 0);
}

#[test]
fn an_odd_path_is_encoded_wherever_the_frames_and_reads_are_cut() {
    let data = frame(0, 1, b"<\"`\xff");
    let whole = [START, &frame(1, 4, ODD), &data, &frame(1, 5, PLAIN)].concat();
    // Once the table of the client is kept here, a plain block is written anew.
    let expected = [START, &frame(1, 4, KNOWN), &data, &frame(1, 5, PLAIN)].concat();
    assert_eq!(read(&whole).unwrap(), expected);
    for cut in 0..whole.len() {
        assert_eq!(read_in_pieces([&whole[..cut], &whole[cut..]]).unwrap(), expected, "{cut}");
    }
    assert_eq!(read_in_pieces(whole.chunks(1)).unwrap(), expected);
    for cut in 0..ODD.len() {
        let pieces =
            [frame(1, 0, &ODD[..cut]), frame(9, 0, b""), frame(9, 4, &ODD[cut..])].concat();
        let whole = [START, &pieces, &data].concat();
        let expected = [START, &frame(1, 4, KNOWN), &data].concat();
        assert_eq!(read(&whole).unwrap(), expected, "{cut}");
        assert_eq!(read_in_pieces(whole.chunks(1)).unwrap(), expected, "{cut}");
    }
}

#[test]
fn padding_is_left_out_and_priority_is_kept() {
    let padded = [&[3], &b"\x80\0\0\0\x10"[..], ODD, &[0; 3]].concat();
    let kept = [&b"\x80\0\0\0\x10"[..], KNOWN].concat();
    let whole = [START, &frame(1, 0x2d, &padded)].concat();
    assert_eq!(read(&whole).unwrap(), [START, &frame(1, 0x25, &kept)].concat());
}

#[test]
fn a_long_block_is_cut_into_frames() {
    let target = [&b"/"[..], &[b'<'; 6000]].concat();
    let length = [0x7f, (target.len() - 127) as u8 | 128, ((target.len() - 127) >> 7) as u8];
    let block = [&b"\x82\x04"[..], &length, &target].concat();
    let out = read(&[START, &frame(1, 5, &block)].concat()).unwrap();
    let headers = Headers::read(&out[START.len()..], LIMITS).unwrap().unwrap();
    assert_eq!(headers.length, out.len() - START.len());
    assert!(headers.most() == FRAME && headers.block.ends_with(&target));
}

/// Before the first odd path the library refuses them; behind it, what cannot be followed ends the
/// connection.
#[test]
fn what_cannot_be_read_is_left_to_the_library_or_ends_the_connection() {
    let long = vec![0x82; 16 * 1024];
    let too_long: Vec<u8> =
        (0..5).flat_map(|at| frame(if at == 0 { 1 } else { 9 }, 0, &long)).collect();
    for bad in [
        frame(1, 5, b"\x04\xff\xff\xff\xff\x7f"), // An integer overflow.
        frame(1, 5, b"\x04\x05/a"),               // A string that is cut.
        frame(1, 5, b"\xbe"),                     // An entry that is not there.
        frame(1, 0x2d, b"\x09\0\0\0\0\x10\x82"),  // Padding of more than there is.
        frame(1, 0x20, b"\0\0"),                  // Half a priority.
        frame(5, 4, b"\0\0\0\x02\x82"),           // A push promise.
        frame(9, 4, b"\x82"),                     // A continuation of nothing.
        [frame(1, 0, b"\x82"), frame(0, 0, b"x")].concat(),
        frame(1, 5, &vec![0; FRAME + 1]),
        [b"\0\0\x01\x01\x05\0\0\0\0\x82".to_vec()].concat(),
        [&frame(1, 0, b"\x82")[..], &frame(9, 0, b"").repeat(40)].concat(),
        too_long,
    ] {
        let behind = frame(1, 5, ODD);
        let whole = [START, &bad, &behind].concat();
        assert_eq!(read(&whole).as_deref(), Ok(&whole[..]), "{bad:x?}");
        let whole = [START, &frame(1, 5, ODD), &bad].concat();
        assert_eq!(read(&whole), Err(Unreadable), "{bad:x?}");
    }
}

/// What is no Huffman code is not read here: the library refuses it.
#[test]
fn a_truncated_huffman_code_is_left_as_it_is() {
    for path in [&b"\x04\x81\xff"[..], b"\x04\x84\xff\xff\xff\xff"] {
        let whole = [START, &frame(1, 5, path)].concat();
        assert_eq!(read(&whole).unwrap(), whole);
    }
}

#[test]
fn what_is_held_is_bounded() {
    let mut heads = Heads::default();
    let mut good = BytesMut::new();
    heads.read(&[START, &frame(1, 5, ODD)].concat(), &mut good).unwrap();
    let piece = frame(9, 0, &vec![0x82; FRAME]);
    let mut most = 0;
    let ended = std::iter::once(frame(1, 0, b"\x82"))
        .chain(std::iter::repeat_n(piece, 100))
        .try_for_each(|frame| {
            good.clear();
            let read = heads.read(&frame, &mut good).map(|_| ());
            most = most.max(heads.held());
            read
        });
    assert_eq!(ended, Err(Unreadable));
    assert!(most < 2 * HEAD_LIMIT);
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same(
        frames in prop::collection::vec((0_u8..11, any::<u8>(), prop::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..12),
        cuts in prop::collection::vec(1_usize..40, 1..40),
    ) {
        let mut whole = START.to_vec();
        for (kind, flags, payload, odd) in frames {
            whole.extend(if odd { frame(1, flags & 1 | 4, ODD) } else { frame(kind, flags, &payload) });
        }
        let once = read(&whole);
        let (mut pieces, mut rest) = (Vec::new(), &whole[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break }
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        prop_assert_eq!(once, read_in_pieces(pieces));
    }
}
