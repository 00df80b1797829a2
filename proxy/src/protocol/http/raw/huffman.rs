//! The Huffman code of HPACK (RFC 7541 Appendix B), read alone.
//!
//! The code is canonical: among codes of one length, in the order of the bytes that they stand for,
//! each is the one before it plus one. So the lengths say all of it.

/// How many bits each byte takes.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];
/// The longest code.
const LONGEST: usize = 30;

/// All codes of one length.
#[derive(Clone, Copy)]
struct Run {
    bits: u32,
    /// The first of them.
    code: u32,
    /// The first code that is longer than these, as the beginning of 32 bits. Zero: none is.
    end: u32,
    /// Where the bytes that they stand for begin.
    at: usize,
}

/// The bytes, in the order of their codes.
const BYTES: [u8; 256] = {
    let (mut bytes, mut at, mut length) = ([0; 256], 0, 1);
    while length <= LONGEST {
        let mut byte = 0;
        while byte < 256 {
            if LENGTHS[byte] as usize == length {
                bytes[at] = byte as u8;
                at += 1;
            }
            byte += 1;
        }
        length += 1;
    }
    bytes
};

/// How many lengths are in use.
const COUNT: usize = 21;

const RUNS: [Run; COUNT] = {
    let mut runs = [Run { bits: 0, code: 0, end: 0, at: 0 }; COUNT];
    let (mut run, mut code, mut at, mut bits) = (0, 0_u32, 0, 1);
    while bits <= LONGEST {
        code <<= 1;
        let (mut many, mut byte) = (0, 0);
        while byte < 256 {
            many += (LENGTHS[byte] as usize == bits) as u32;
            byte += 1;
        }
        if many > 0 {
            // The end-of-string code is the last one of all: no text has it (RFC 7541 §5.2).
            let end = (code + many) << (32 - bits);
            runs[run] = Run { bits: bits as u32, code, end, at };
            (run, code, at) = (run + 1, code + many, at + many as usize);
        }
        bits += 1;
    }
    runs
};

/// The text, or None where it is not well-formed: the end-of-string code in it, or padding that is
/// longer than seven bits or not all ones (RFC 7541 §5.2).
pub(super) fn decode(input: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(input.len() * 8 / 5);
    // The next bits, the first of them highest.
    let (mut window, mut held) = (0_u64, 0_u32);
    let mut rest = input.iter();
    loop {
        while held <= 56 {
            let Some(byte) = rest.next() else { break };
            window |= u64::from(*byte) << (56 - held);
            held += 8;
        }
        let next = (window >> 32) as u32;
        let run = RUNS.iter().find(|run| next < run.end).filter(|run| run.bits <= held);
        let Some(run) = run else { break };
        let code = (next >> (32 - run.bits)) - run.code;
        text.push(BYTES[run.at + code as usize]);
        window <<= run.bits;
        held -= run.bits;
    }
    // What is left is the beginning of the end-of-string code, which is all ones.
    let padding = held < 8 && window.leading_ones() >= held;
    padding.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of RFC 7541, Appendix C.4 to C.6.
    #[test]
    fn the_examples_of_the_standard_are_read() {
        for (code, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("6402", "302"),
            ("aec3771a4b", "private"),
            ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"),
            ("640eff", "307"),
            ("9bd9ab", "gzip"),
            (
                "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            ),
        ] {
            let code = hex::decode(code).unwrap();
            assert_eq!(decode(&code).unwrap(), text.as_bytes(), "{text}");
        }
        assert_eq!(decode(b"").unwrap(), b"");
    }

    fn encode(text: &[u8]) -> Vec<u8> {
        let (mut bits, mut out) = (Vec::new(), Vec::new());
        for byte in text {
            let length = u32::from(LENGTHS[usize::from(*byte)]);
            let run = RUNS.iter().find(|run| run.bits == length).unwrap();
            let at = BYTES[run.at..].iter().position(|one| one == byte).unwrap();
            let code = run.code + at as u32;
            bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
        }
        while bits.len() % 8 != 0 {
            bits.push(true);
        }
        for byte in bits.chunks(8) {
            out.push(byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit)));
        }
        out
    }

    /// The last codes of the table in RFC 7541, Appendix B: they are right only if all others are.
    #[test]
    fn the_code_is_that_of_the_standard() {
        assert_eq!(encode(b"\x16"), [0xff, 0xff, 0xff, 0xfb]);
        assert_eq!(encode(b"\xf9"), [0xff, 0xff, 0xff, 0xef]);
        assert_eq!(encode(b"\xff"), [0xff, 0xff, 0xfb, 0xbf]);
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)).unwrap(), all);
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        // The end-of-string code, padding of eight ones, padding with a zero, and a cut code.
        for code in [&b"\xff\xff\xff\xff"[..], b"\xff\xff\xff\xfc", b"\xff", b"\x00", b"\xfe\x00"] {
            assert_eq!(decode(code), None, "{code:x?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(text: Vec<u8>) {
            proptest::prop_assert_eq!(decode(&encode(&text)), Some(text));
        }

        #[test]
        fn any_bytes_are_bounded(code: Vec<u8>) {
            if let Some(text) = decode(&code) {
                proptest::prop_assert!(text.len() <= code.len() * 8 / 5);
            }
        }
    }
}
