//! One reading of a run: held until it shows whether it is worth a stream, then decoded as it comes.

use crate::coding::base64::{Bits, VALUES};
use crate::coding::quoted::digit;
use crate::error::DecodeError;
use crate::node::Node;
use crate::place::{Place, Step};
use crate::plan::Plan;
use crate::sink::Ctx;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    Base64,
    Hex,
}

impl Alphabet {
    fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
        }
    }

    /// Characters after which it is seen whether they stand for text.
    fn tested(self) -> usize {
        match self {
            Self::Base64 => 16,
            Self::Hex => 16,
        }
    }

    /// Characters from which on it is decoded, whatever it is. Digests in hex are shorter.
    fn long(self) -> usize {
        match self {
            Self::Base64 => 44,
            Self::Hex => 66,
        }
    }
}

pub(super) struct Track {
    alphabet: Alphabet,
    /// Whether it is decoded once it is long, even if it does not look like text.
    takes_any: bool,
    held: Vec<u8>,
    open: Option<Box<Open>>,
}

struct Open {
    node: Node,
    bits: Bits,
    text: bool,
    /// Characters that were decoded.
    count: u64,
    high: Option<u8>,
}

impl Track {
    pub(super) fn new(alphabet: Alphabet, takes_any: bool) -> Self {
        Self { alphabet, takes_any, held: Vec::new(), open: None }
    }

    pub(super) fn fork(&self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Self {
        let open = self.open.as_ref().map(|open| {
            let here = place.step(Step::Layer(self.alphabet.name()));
            let node = open.node.fork(crate::view::Allowed::all(), true, &here, ctx);
            Box::new(Open { node, ..**open })
        });
        Self { held: self.held.clone(), open, ..*self }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether it is decoded, and began as text.
    pub(super) fn is_text(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.text)
    }

    /// Whether a line break may stand here: lines of what is no text are whole groups of four.
    pub(super) fn may_break(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.text || open.count.is_multiple_of(4))
    }

    pub(super) fn push(
        &mut self,
        mut chars: &[u8],
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        while self.open.is_none() && !chars.is_empty() {
            let (tested, long) = (self.alphabet.tested(), self.alphabet.long());
            if self.held.len() > long {
                return Ok(());
            }
            let until = if self.held.len() < tested { tested } else { long };
            let room = until.saturating_sub(self.held.len()).max(1);
            let (now, rest) = chars.split_at(room.min(chars.len()));
            self.held.extend_from_slice(now);
            chars = rest;
            if self.held.len() == tested {
                self.test(depth, place, ctx)?;
            } else if self.held.len() == long && self.takes_any {
                self.begin(0, false, depth, place, ctx)?;
            }
        }
        self.decode(chars, place, ctx)
    }

    /// Begins to decode where what is held looks like text, whatever stands before it up to three
    /// characters.
    fn test(&mut self, depth: u8, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        let skips = match self.alphabet {
            Alphabet::Base64 => 0..4,
            Alphabet::Hex => 0..2,
        };
        for skip in skips {
            let chars = self.held.get(skip..).unwrap_or_default();
            if looks_like_text(self.alphabet, chars) {
                return self.begin(skip, true, depth, place, ctx);
            }
        }
        Ok(())
    }

    fn begin(
        &mut self,
        skip: usize,
        text: bool,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        let here = place.step(Step::Layer(self.alphabet.name()));
        let node = Node::open(&Plan::Text, depth.saturating_add(1), &here, ctx)?;
        let bits = Bits::default();
        self.open = Some(Box::new(Open { node, bits, text, count: 0, high: None }));
        let held = std::mem::take(&mut self.held);
        self.decode(held.get(skip..).unwrap_or_default(), place, ctx)
    }

    fn decode(
        &mut self,
        chars: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let here = place.step(Step::Layer(self.alphabet.name()));
        for piece in chars.chunks(1024) {
            let mut buffer = [0; 1024];
            let mut len = 0;
            for &char in piece {
                if let Some(byte) = open.decode(self.alphabet, char)
                    && let Some(slot) = buffer.get_mut(len)
                {
                    *slot = byte;
                    len += 1;
                }
            }
            open.node.push(buffer.get(..len).unwrap_or_default(), &here, ctx)?;
        }
        Ok(())
    }

    pub(super) fn finish(
        &mut self,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        let short = (super::SHORTEST..self.alphabet.tested()).contains(&self.held.len());
        if self.open.is_none() && short && looks_like_text(self.alphabet, &self.held) {
            self.begin(0, true, depth, place, ctx)?;
        }
        match self.open.take() {
            Some(mut open) => open.node.finish(&place.step(Step::Layer(self.alphabet.name())), ctx),
            None => Ok(()),
        }
    }
}

impl Track {
    pub(super) fn cancel(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(mut open) = self.open.take() {
            open.node.cancel(ctx);
        }
    }
}

impl Open {
    fn decode(&mut self, alphabet: Alphabet, char: u8) -> Option<u8> {
        self.count += 1;
        match alphabet {
            Alphabet::Base64 => self.bits.push(VALUES[usize::from(char)]),
            Alphabet::Hex => match self.high.take() {
                Some(high) => Some(high << 4 | digit(char)),
                None => {
                    self.high = Some(digit(char));
                    None
                }
            },
        }
    }
}

/// Whether characters stand for UTF-8 without control characters, or for UTF-16, or begin what is
/// compressed.
fn looks_like_text(alphabet: Alphabet, chars: &[u8]) -> bool {
    let mut bytes = [0; 16];
    let mut len = 0;
    let mut bits = Bits::default();
    for (at, &char) in chars.iter().take(16).enumerate() {
        let byte = match alphabet {
            Alphabet::Base64 => bits.push(VALUES[usize::from(char)]),
            Alphabet::Hex if at % 2 == 1 => {
                let high = chars.get(at - 1).copied().unwrap_or(b'0');
                Some(digit(high) << 4 | digit(char))
            }
            Alphabet::Hex => None,
        };
        if let (Some(byte), Some(slot)) = (byte, bytes.get_mut(len)) {
            *slot = byte;
            len += 1;
        }
    }
    let bytes = bytes.get(..len).unwrap_or_default();
    let magic = bytes.starts_with(&[0x1f, 0x8b, 8]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let zeros = |odd: usize| bytes.iter().skip(odd).step_by(2).all(|byte| *byte == 0);
    let wide = (zeros(0) != zeros(1)) || bytes.starts_with(&[0xff, 0xfe]);
    magic || wide || is_text(bytes)
}

fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| (*byte < 0x20 && !matches!(byte, 9 | 10 | 13)) || *byte == 0x7f;
    let utf8 = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    utf8 && !bytes.iter().any(control)
}
