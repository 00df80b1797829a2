//! WebSocket messages, RFC 6455, with permessage-deflate, RFC 7692: one direction of a connection.
//!
//! [`Frames`] takes the bytes of one side as they come and gives the payload of messages, unmasked and
//! inflated, in pieces. Control frames between the fragments of a message are given as they come.
//! Nothing is held: a message may be as long as its side sends, within [`Settings::longest_message`].

use crate::coding::Inflate;
use crate::error::{DecodeError, Why};
use crate::limits::{Budget, Limits};

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Its frames are masked.
    Client,
    /// Its frames are not.
    Server,
}

/// What the handshake agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub from: From,
    /// permessage-deflate. `None`: a compressed frame is an error.
    pub deflate: Option<Context>,
    /// Bytes of one message, as it is after inflating.
    pub longest_message: u64,
}

/// Whether the window of one message serves the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    Takeover,
    NoTakeover,
}

/// What comes out.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message begins; text or binary.
    Begin {
        text: bool,
    },
    Data(&'a [u8]),
    End,
    /// A whole control frame: 8 close, 9 ping, 10 pong.
    Control {
        opcode: u8,
        payload: &'a [u8],
    },
}

/// Reads the frames of one side.
pub struct Frames {
    settings: Settings,
    head: [u8; 14],
    filled: usize,
    /// Bytes of the head, as far as it is known.
    wants: usize,
    frame: Option<Frame>,
    message: Option<Message>,
    control: Vec<u8>,
    inflate: Option<Inflate>,
    budget: Budget,
}

struct Frame {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    at: usize,
    left: u64,
}

struct Message {
    compressed: bool,
    length: u64,
}

/// What every message that was cut by a flush ends with, RFC 7692 §7.2.2.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
const LAYER: &str = "websocket";
const DEFLATE: &str = "permessage-deflate";

type Emit<'a> = dyn FnMut(Event<'_>) -> Result<(), DecodeError> + 'a;

fn wrong(why: Why) -> DecodeError {
    DecodeError::new(LAYER, why)
}

impl Frames {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut budget = Budget::new(Limits::default());
        budget.grant(u64::MAX);
        Self {
            settings,
            head: [0; 14],
            filled: 0,
            wants: 2,
            frame: None,
            message: None,
            control: Vec::new(),
            inflate: None,
            budget,
        }
    }

    /// Takes bytes of this side. Fails for what RFC 6455 forbids, for a reserved bit that was not agreed
    /// on, for a message that is too long, and where `emit` fails.
    pub fn push(&mut self, mut bytes: &[u8], emit: &mut Emit<'_>) -> Result<(), DecodeError> {
        while !bytes.is_empty() {
            if self.frame.is_none() {
                let (&byte, rest) = bytes.split_first().unwrap_or((&0, &[]));
                self.head_byte(byte, emit)?;
                bytes = rest;
            } else {
                bytes = self.payload(bytes, emit)?;
            }
            if self.frame.as_ref().is_some_and(|frame| frame.left == 0) {
                self.end_frame(emit)?;
            }
        }
        Ok(())
    }

    /// The side has closed. Fails in the middle of a frame or of a message.
    pub fn finish(&mut self) -> Result<(), DecodeError> {
        let open = self.filled > 0 || self.frame.is_some() || self.message.is_some();
        if open { Err(wrong(Why::Truncated)) } else { Ok(()) }
    }

    fn head_byte(&mut self, byte: u8, emit: &mut Emit<'_>) -> Result<(), DecodeError> {
        if let Some(slot) = self.head.get_mut(self.filled) {
            *slot = byte;
            self.filled += 1;
        }
        if self.filled == 2 {
            let [_, second, ..] = self.head;
            let length = match second & 0x7f {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            self.wants = 2 + length + if second & 0x80 == 0 { 0 } else { 4 };
        }
        if self.filled == self.wants { self.begin_frame(emit) } else { Ok(()) }
    }

    fn begin_frame(&mut self, emit: &mut Emit<'_>) -> Result<(), DecodeError> {
        let [first, second, long @ ..] = self.head;
        self.filled = 0;
        self.wants = 2;
        let masked = second & 0x80 != 0;
        if masked != (self.settings.from == From::Client) {
            return Err(wrong(Why::Protocol));
        }
        let (left, behind) = length(second & 0x7f, &long)?;
        let mask = match long.get(behind..behind + 4) {
            Some([a, b, c, d]) if masked => [*a, *b, *c, *d],
            _ => [0; 4],
        };
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        let compressed = first & 0x40 != 0;
        if first & 0x30 != 0 {
            return Err(wrong(Why::Protocol));
        }
        match opcode {
            0 if self.message.is_some() && !compressed => {}
            1 | 2 if self.message.is_none() => {
                if compressed && self.settings.deflate.is_none() {
                    return Err(wrong(Why::Protocol));
                }
                self.message = Some(Message { compressed, length: 0 });
                emit(Event::Begin { text: opcode == 1 })?;
            }
            8..=10 if fin && left <= 125 && !compressed => self.control.clear(),
            _ => return Err(wrong(Why::Protocol)),
        }
        self.frame = Some(Frame { fin, opcode, mask, at: 0, left });
        Ok(())
    }

    /// Takes payload; what is left behind the frame.
    fn payload<'b>(
        &mut self,
        bytes: &'b [u8],
        emit: &mut Emit<'_>,
    ) -> Result<&'b [u8], DecodeError> {
        let Some(mut frame) = self.frame.take() else { return Ok(bytes) };
        let len = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
        let (now, rest) = bytes.split_at(len);
        let mut plain = [0; 4096];
        for piece in now.chunks(plain.len()) {
            for (slot, byte) in plain.iter_mut().zip(piece) {
                *slot = byte ^ frame.mask[frame.at & 3];
                frame.at = frame.at.wrapping_add(1);
            }
            let text = plain.get(..piece.len()).unwrap_or_default();
            if frame.opcode >= 8 {
                self.control.extend_from_slice(text);
            } else {
                self.data(text, emit)?;
            }
        }
        frame.left -= len as u64;
        self.frame = Some(frame);
        Ok(rest)
    }

    fn data(&mut self, text: &[u8], emit: &mut Emit<'_>) -> Result<(), DecodeError> {
        let Some(message) = &mut self.message else { return Ok(()) };
        let longest = self.settings.longest_message;
        let mut give = |text: &[u8]| {
            message.length = message.length.saturating_add(text.len() as u64);
            if message.length > longest {
                return Err(wrong(Why::MessageTooLong));
            }
            emit(Event::Data(text))
        };
        if !message.compressed {
            return give(text);
        }
        let damaged = || DecodeError::new(DEFLATE, Why::Damaged);
        if self.inflate.is_none() {
            self.inflate = Some(Inflate::new(false, &mut self.budget).map_err(|_| damaged())?);
        }
        let Some(inflate) = &mut self.inflate else { return Ok(()) };
        let mut rest = text;
        while !rest.is_empty() {
            let done = inflate.push(rest, &mut self.budget, |text, _| Ok(give(text)?));
            let (taken, ended) = done.map_err(|stop| stop.or(DEFLATE))?;
            rest = rest.get(taken..).unwrap_or_default();
            if ended {
                // A final block ends the stream; what follows begins anew (RFC 7692 §7.2.3.5).
                inflate.reset();
            }
        }
        Ok(())
    }

    fn end_frame(&mut self, emit: &mut Emit<'_>) -> Result<(), DecodeError> {
        let Some(frame) = self.frame.take() else { return Ok(()) };
        if frame.opcode >= 8 {
            return emit(Event::Control { opcode: frame.opcode, payload: &self.control });
        }
        if !frame.fin {
            return Ok(());
        }
        if self.message.as_ref().is_some_and(|message| message.compressed) {
            self.data(&TAIL, emit)?;
            if self.settings.deflate == Some(Context::NoTakeover)
                && let Some(inflate) = &mut self.inflate
            {
                inflate.reset();
            }
        }
        self.message = None;
        emit(Event::End)
    }
}

/// The length of a payload, and how many bytes it took beside the first seven bits. The shortest form
/// must be used, and the highest bit of eight bytes is zero (RFC 6455 §5.2).
fn length(short: u8, long: &[u8; 12]) -> Result<(u64, usize), DecodeError> {
    let [a, b, c, d, e, f, g, h, ..] = *long;
    let (value, least, taken) = match short {
        126 => (u64::from(u16::from_be_bytes([a, b])), 126, 2),
        127 => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 1 << 16, 8),
        other => (u64::from(other), 0, 0),
    };
    if value < least || value >> 63 != 0 {
        return Err(wrong(Why::Protocol));
    }
    Ok((value, taken))
}
