//! `gzip`, RFC 1952: one member or several in a row, each with its checksum. Zeros behind the last are
//! padding; anything else is an error.

use super::deflate::Inflate;
use super::{Out, Stop};
use crate::error::Why;
use crate::limits::Budget;
use flate2::Crc;

/// Longest header of a member: the name and the comment have no length of their own.
const MAX_HEADER: usize = 64 << 10;

#[derive(Default)]
pub(crate) struct Gzip {
    state: State,
    inflate: Option<Inflate>,
    crc: Crc,
    header: usize,
    flags: u8,
    begun: bool,
}

#[derive(Default, Clone, Copy)]
enum State {
    /// The fixed ten bytes of a header; this many were read.
    #[default]
    Begin,
    Fixed(usize),
    /// The length of the extra field.
    ExtraLength(usize, u16),
    Extra(u16),
    Name,
    Comment,
    HeaderCrc(usize),
    Body,
    /// The checksum and the length; this many bytes were read.
    Trailer(usize, u64),
    Padding,
}

const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const HEADER_CRC: u8 = 2;

impl Gzip {
    pub(crate) fn push(
        &mut self,
        mut input: &[u8],
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<(), Stop> {
        while let Some((&byte, rest)) = input.split_first() {
            if matches!(self.state, State::Body) {
                let taken = self.body(input, budget, out)?;
                input = input.get(taken..).unwrap_or_default();
            } else {
                self.step(byte, budget)?;
                input = rest;
            }
        }
        Ok(())
    }

    fn body(
        &mut self,
        input: &[u8],
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<usize, Stop> {
        let Some(inflate) = &mut self.inflate else { return Err(Why::Damaged.into()) };
        let crc = &mut self.crc;
        let (taken, ended) = inflate.push(input, budget, |text, budget| {
            crc.update(text);
            Ok(out(text, budget)?)
        })?;
        if ended {
            self.state = State::Trailer(0, 0);
        }
        Ok(taken)
    }

    /// One byte of a header or of a trailer.
    fn step(&mut self, byte: u8, budget: &mut Budget) -> Result<(), Why> {
        self.header += 1;
        if self.header > MAX_HEADER {
            return Err(Why::HeaderTooLong);
        }
        match self.state {
            State::Padding if byte == 0 => self.header = 0,
            State::Begin | State::Padding => {
                if byte != 0x1f {
                    return Err(if self.begun { Why::Trailing } else { Why::Damaged });
                }
                self.begun = true;
                self.header = 1;
                self.state = State::Fixed(1);
            }
            State::Fixed(at) => self.fixed(at, byte, budget)?,
            State::ExtraLength(0, _) => self.state = State::ExtraLength(1, u16::from(byte)),
            State::ExtraLength(_, low) => {
                self.state = State::Extra(low | u16::from(byte) << 8);
                if matches!(self.state, State::Extra(0)) {
                    self.after(EXTRA, budget)?;
                }
            }
            State::Extra(1) => self.after(EXTRA, budget)?,
            State::Extra(left) => self.state = State::Extra(left - 1),
            State::Name if byte == 0 => self.after(NAME, budget)?,
            State::Comment if byte == 0 => self.after(COMMENT, budget)?,
            State::Name | State::Comment | State::Body => {}
            State::HeaderCrc(0) => self.state = State::HeaderCrc(1),
            State::HeaderCrc(_) => self.after(HEADER_CRC, budget)?,
            State::Trailer(at, value) => self.trailer(at, value, byte)?,
        }
        Ok(())
    }

    fn fixed(&mut self, at: usize, byte: u8, budget: &mut Budget) -> Result<(), Why> {
        match at {
            1 if byte != 0x8b => return Err(Why::Damaged),
            2 if byte != 8 => return Err(Why::Damaged),
            3 if byte & 0xe0 != 0 => return Err(Why::Damaged),
            3 => self.flags = byte,
            _ => {}
        }
        self.state = State::Fixed(at + 1);
        if at == 9 { self.after(0, budget) } else { Ok(()) }
    }

    /// The next optional field behind the one of this flag, in the order of RFC 1952 §2.3.
    fn after(&mut self, flag: u8, budget: &mut Budget) -> Result<(), Why> {
        let order = [
            (EXTRA, State::ExtraLength(0, 0)),
            (NAME, State::Name),
            (COMMENT, State::Comment),
            (HEADER_CRC, State::HeaderCrc(0)),
        ];
        let done = order.iter().position(|(one, _)| *one == flag).map_or(0, |at| at + 1);
        let next = order.iter().skip(done).find(|(one, _)| self.flags & one != 0);
        self.state = match next {
            Some((_, state)) => *state,
            None => {
                self.crc.reset();
                match &mut self.inflate {
                    Some(inflate) => inflate.reset(),
                    none => *none = Some(Inflate::new(false, budget)?),
                }
                State::Body
            }
        };
        Ok(())
    }

    fn trailer(&mut self, at: usize, value: u64, byte: u8) -> Result<(), Why> {
        let value = value | u64::from(byte) << (8 * at);
        self.state = State::Trailer(at + 1, value);
        if at == 7 {
            let want = u64::from(self.crc.sum()) | u64::from(self.crc.amount()) << 32;
            if value != want {
                return Err(Why::Damaged);
            }
            self.state = State::Padding;
            self.header = 0;
        }
        Ok(())
    }

    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.state, State::Begin | State::Padding)
    }

    pub(crate) fn holds_memory(&self) -> bool {
        self.inflate.is_some()
    }
}
