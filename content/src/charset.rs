//! Text in another charset than UTF-8, read as a browser or a server would read it.
//!
//! Declared, shown by a byte order mark, or by the zeros of UTF-16 and UTF-32 at the begin. The plain
//! reading stays beside it: servers ignore such declarations.

mod utf32;
mod utf7;

pub(crate) use utf7::push_unit;

use crate::error::{DecodeError, Why};
use crate::media::shown;
use crate::node::Node;
use crate::place::{Place, Step};
use crate::plan::Plan;
use crate::sink::Ctx;
use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Charset {
    /// Of the Encoding Standard.
    Web(&'static Encoding),
    Utf7,
    Utf32 {
        big: bool,
    },
}

impl Charset {
    /// The charset of this label; none for UTF-8 and ASCII, which need no decoding.
    pub(crate) fn named(label: &str) -> Result<Option<Self>, DecodeError> {
        let lower = label.trim().to_ascii_lowercase();
        Ok(match lower.as_str() {
            "" | "us-ascii" | "ascii" | "binary" => None,
            "utf-7" | "utf7" | "unicode-1-1-utf-7" => Some(Self::Utf7),
            "utf-32" | "utf-32be" | "utf32" => Some(Self::Utf32 { big: true }),
            "utf-32le" => Some(Self::Utf32 { big: false }),
            _ => match Encoding::for_label(lower.as_bytes()) {
                Some(encoding) if encoding == UTF_8 => None,
                Some(encoding) => Some(Self::Web(encoding)),
                None => {
                    let layer = format!("charset {}", shown(&lower));
                    return Err(DecodeError::new(layer, Why::Unknown));
                }
            },
        })
    }

    /// The charset that four first bytes show: by a mark, or by where zeros stand in the code units of
    /// ASCII.
    pub(crate) fn shown(head: [u8; 4]) -> Option<Self> {
        Some(match head {
            [0xff, 0xfe, 0, 0] => Self::Utf32 { big: false },
            [0, 0, 0xfe, 0xff] => Self::Utf32 { big: true },
            [0xff, 0xfe, ..] => Self::Web(UTF_16LE),
            [0xfe, 0xff, ..] => Self::Web(UTF_16BE),
            [a, 0, 0, 0] if a != 0 => Self::Utf32 { big: false },
            [0, 0, 0, d] if d != 0 => Self::Utf32 { big: true },
            [a, 0, c, 0] if a != 0 && c != 0 => Self::Web(UTF_16LE),
            [0, b, 0, d] if b != 0 && d != 0 => Self::Web(UTF_16BE),
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Web(encoding) => encoding.name(),
            Self::Utf7 => "UTF-7",
            Self::Utf32 { .. } => "UTF-32",
        }
    }
}

/// Turns a place into UTF-8.
pub(crate) struct Reader {
    charset: Charset,
    machine: Machine,
    inner: Box<Node>,
}

enum Machine {
    Web(Box<Decoder>),
    Utf7(utf7::Utf7),
    Utf32(utf32::Utf32),
}

impl Reader {
    pub(crate) fn new(
        charset: Charset,
        plan: &Plan,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Self, DecodeError> {
        let machine = match charset {
            Charset::Web(encoding) => {
                // A mark wins over the declaration.
                Machine::Web(Box::new(encoding.new_decoder()))
            }
            Charset::Utf7 => Machine::Utf7(utf7::Utf7::default()),
            Charset::Utf32 { big } => Machine::Utf32(utf32::Utf32::new(big)),
        };
        let here = place.step(Step::Layer(charset.name()));
        let inner = Box::new(Node::open(plan, depth, &here, ctx)?);
        Ok(Self { charset, machine, inner })
    }

    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        self.run(bytes, false, place, ctx)
    }

    pub(crate) fn finish(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        self.run(&[], true, place, ctx)?;
        self.inner.finish(&place.step(Step::Layer(self.charset.name())), ctx)
    }

    fn run(
        &mut self,
        mut bytes: &[u8],
        last: bool,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        let here = place.step(Step::Layer(self.charset.name()));
        let inner = &mut self.inner;
        let mut out = |text: &[u8]| inner.push(text, &here, ctx);
        match &mut self.machine {
            Machine::Utf7(machine) => machine.push(bytes, &mut out),
            Machine::Utf32(machine) => machine.push(bytes, &mut out),
            Machine::Web(decoder) => {
                let mut buffer = [0; 4096];
                loop {
                    let (result, read, wrote, _) = decoder.decode_to_utf8(bytes, &mut buffer, last);
                    out(buffer.get(..wrote).unwrap_or_default())?;
                    bytes = bytes.get(read..).unwrap_or_default();
                    if result == encoding_rs::CoderResult::InputEmpty {
                        return Ok(());
                    }
                }
            }
        }
    }
}
