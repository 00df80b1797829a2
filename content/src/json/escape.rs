//! Escapes of a JSON string, RFC 8259 §7. What is no escape passes without its backslash.

use crate::charset::push_unit;
use crate::coding::quoted::digit;

#[derive(Default)]
pub(crate) struct Escape {
    state: State,
    high: Option<u32>,
}

#[derive(Default, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    Backslash,
    /// Digits read, and their value.
    Unicode(u8, u32),
}

impl Escape {
    pub(crate) fn is_plain(&self) -> bool {
        self.state == State::Plain
    }

    pub(crate) fn begin(&mut self) {
        self.state = State::Backslash;
    }

    /// Takes a byte of an escape. Whether it was part of it.
    pub(crate) fn push(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        match self.state {
            State::Plain => false,
            State::Backslash if byte == b'u' => {
                self.state = State::Unicode(0, 0);
                true
            }
            State::Backslash => {
                self.end(out);
                self.state = State::Plain;
                out.push(match byte {
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => other,
                });
                true
            }
            State::Unicode(read, value) if byte.is_ascii_hexdigit() => {
                let value = value << 4 | u32::from(digit(byte));
                self.state = State::Unicode(read + 1, value);
                if read == 3 {
                    self.state = State::Plain;
                    let lone = self.high.is_some() && !(0xdc00..=0xdfff).contains(&value);
                    if lone {
                        self.end(out);
                    }
                    push_unit(&mut self.high, value, out);
                }
                true
            }
            State::Unicode(..) => {
                self.state = State::Plain;
                false
            }
        }
    }

    /// No low surrogate follows: a high one that waits is no character.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        if self.high.take().is_some() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}
