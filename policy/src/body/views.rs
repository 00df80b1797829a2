//! The readings of a body beside the bytes as sent: each a decoder that turns bytes into bytes.
//!
//! A view whose decoder holds nothing, and whose automaton is in the same state as that of the bytes
//! as sent, stays so until the first byte that begins an escape: it is *joined*, and costs nothing.

use super::run::Matcher;
use regex_automata::util::primitives::StateID;

/// Turns the bytes of a body into those of a view of it.
pub(super) trait Decoder: Default {
    /// Whether the decoder, holding nothing, does anything with this byte but pass it on.
    fn begins(byte: u8) -> bool;

    fn push(&mut self, byte: u8) -> Out;

    /// Whether the next byte is read as if it were the first.
    fn holds_nothing(&self) -> bool;
}

/// Whether this byte begins an escape of any view.
pub(super) const fn begins_any(byte: u8) -> bool {
    matches!(byte, b'%' | b'+' | b'\\' | 0)
}

/// One view of a body.
#[derive(Debug, Default, Clone)]
pub(super) struct View<D> {
    pub(super) decoder: D,
    /// The automaton's state; none where the view is joined to the bytes as sent.
    pub(super) state: Option<StateID>,
}

impl<D: Decoder> View<D> {
    /// Takes a byte, by which the automaton of the bytes as sent went from `before` to `after`.
    pub(super) fn step(
        &mut self,
        matcher: &mut Matcher<'_>,
        (before, after): (StateID, StateID),
        byte: u8,
    ) {
        if self.state.is_none() && !D::begins(byte) {
            return;
        }
        let mut state = self.state.unwrap_or(before);
        for &byte in self.decoder.push(byte).as_slice() {
            state = matcher.step(state, byte);
        }
        let joined = state == after && self.decoder.holds_nothing();
        self.state = (!joined).then_some(state);
    }
}

/// Up to four bytes that a decoder puts out for one that it takes.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Out {
    bytes: [u8; 4],
    len: usize,
}

impl Out {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut out = Self::default();
        for &b in bytes.iter().take(4) {
            out.bytes[out.len] = b;
            out.len += 1;
        }
        out
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// `application/x-www-form-urlencoded` decoding; what is no escape passes as it is.
#[derive(Debug, Default, Clone)]
pub(super) struct Percent {
    held: [u8; 2],
    len: usize,
}

impl Decoder for Percent {
    fn begins(byte: u8) -> bool {
        matches!(byte, b'%' | b'+')
    }

    fn holds_nothing(&self) -> bool {
        self.len == 0
    }

    fn push(&mut self, byte: u8) -> Out {
        match self.len {
            0 if byte == b'%' => {
                self.hold(byte);
                Out::default()
            }
            0 if byte == b'+' => Out::of(b" "),
            0 => Out::of(&[byte]),
            1 if byte.is_ascii_hexdigit() => {
                self.hold(byte);
                Out::default()
            }
            2 if byte.is_ascii_hexdigit() => {
                let value = hex(self.held[1]) * 16 + hex(byte);
                self.len = 0;
                Out::of(&[value])
            }
            held => {
                let kept = [self.held[0], self.held[1]];
                self.len = 0;
                let again = self.push(byte);
                let mut all = [0; 4];
                all[..held].copy_from_slice(&kept[..held]);
                all[held..held + again.len].copy_from_slice(again.as_slice());
                Out::of(&all[..held + again.len])
            }
        }
    }
}

impl Percent {
    /// The body has ended: what is held is no escape.
    pub(super) fn finish(&mut self) -> Out {
        let out = Out::of(&self.held[..self.len]);
        self.len = 0;
        out
    }

    fn hold(&mut self, byte: u8) {
        self.held[self.len] = byte;
        self.len += 1;
    }
}

pub(super) fn hex(byte: u8) -> u8 {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or(0)
}

/// JSON string escapes, RFC 8259 §7, wherever they stand: what surrounds them does not matter.
#[derive(Debug, Default, Clone)]
pub(super) struct Json {
    state: JsonState,
    high: Option<u32>,
}

#[derive(Debug, Default, Clone, Copy)]
enum JsonState {
    #[default]
    Plain,
    Escape,
    Unicode(u8, u32),
}

impl Decoder for Json {
    fn begins(byte: u8) -> bool {
        byte == b'\\'
    }

    fn holds_nothing(&self) -> bool {
        matches!(self.state, JsonState::Plain) && self.high.is_none()
    }

    fn push(&mut self, byte: u8) -> Out {
        match self.state {
            JsonState::Plain if byte == b'\\' => {
                self.state = JsonState::Escape;
                Out::default()
            }
            JsonState::Plain => {
                self.high = None;
                Out::of(&[byte])
            }
            JsonState::Escape => self.escaped(byte),
            JsonState::Unicode(n, value) if byte.is_ascii_hexdigit() => {
                let value = value * 16 + u32::from(hex(byte));
                self.state = JsonState::Unicode(n + 1, value);
                if n == 3 { self.unit(value) } else { Out::default() }
            }
            JsonState::Unicode(..) => {
                self.state = JsonState::Plain;
                self.push(byte)
            }
        }
    }
}

impl Json {
    fn escaped(&mut self, byte: u8) -> Out {
        if byte == b'u' {
            self.state = JsonState::Unicode(0, 0);
            return Out::default();
        }
        self.state = JsonState::Plain;
        self.high = None;
        Out::of(&[unescaped(byte)])
    }

    /// One UTF-16 unit; a surrogate pair is joined.
    fn unit(&mut self, value: u32) -> Out {
        self.state = JsonState::Plain;
        let point = match (self.high.take(), value) {
            (_, 0xD800..=0xDBFF) => {
                self.high = Some(value);
                return Out::default();
            }
            (Some(high), 0xDC00..=0xDFFF) => 0x10000 + ((high - 0xD800) << 10) + (value - 0xDC00),
            _ => value,
        };
        let mut buffer = [0; 4];
        let ch = char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
        Out::of(ch.encode_utf8(&mut buffer).as_bytes())
    }
}

/// What a backslash and this byte stand for.
pub(super) const fn unescaped(byte: u8) -> u8 {
    match byte {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    }
}

/// Without NUL bytes: UTF-16 of ASCII.
#[derive(Debug, Default, Clone)]
pub(super) struct NoNul;

impl Decoder for NoNul {
    fn begins(byte: u8) -> bool {
        byte == 0
    }

    fn holds_nothing(&self) -> bool {
        true
    }

    fn push(&mut self, byte: u8) -> Out {
        if byte == 0 { Out::default() } else { Out::of(&[byte]) }
    }
}
