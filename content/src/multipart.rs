//! `multipart/*`, RFC 2046 §5.1, RFC 7578: the headers, the name and the file name of each part, and its
//! content by its own headers.
//!
//! A delimiter is a line that begins with `--` and the boundary; the line break before it is part of it,
//! and a bare line feed is one too. A body without its closing delimiter is an error.

mod header;

use crate::coding::Coding;
use crate::error::{DecodeError, Why};
use crate::node::Node;
use crate::place::{Place, Step};
use crate::plan::Plan;
use crate::sink::Ctx;
use header::Header;
use memchr::memchr2;

/// Longest header of a part.
const MAX_HEADER: usize = 16 << 10;
/// White space behind a delimiter, with the line break before it.
const MAX_PADDING: usize = 64;

pub(crate) struct Multipart {
    delimiter: Vec<u8>,
    depth: u8,
    state: State,
    /// A line break that may belong to a delimiter, and as much of the delimiter as was read.
    held: Vec<u8>,
    matched: usize,
    header: Vec<u8>,
    number: u32,
    name: Vec<u8>,
    part: Option<Node>,
    begun: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first delimiter, in a part, or behind the last: in a line.
    Line,
    /// In the line break at its end.
    Break,
    /// At the begin of a line, as far as it is the delimiter.
    Delimiter,
    /// Behind a delimiter, up to the end of its line.
    Rest(Rest),
    Header,
    Closed,
}

/// What was read behind a delimiter: only hyphens and white space may stand there, or it is none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    Hyphen,
    Hyphens,
    Padding { closes: bool },
}

impl Rest {
    fn then(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Nothing, b'-') => Self::Hyphen,
            (Self::Hyphen, b'-') => Self::Hyphens,
            (Self::Nothing, b' ' | b'\t' | b'\r') => Self::Padding { closes: false },
            (Self::Hyphens, b' ' | b'\t' | b'\r') => Self::Padding { closes: true },
            (Self::Padding { closes }, b' ' | b'\t' | b'\r') => Self::Padding { closes },
            _ => return None,
        })
    }

    fn closes(self) -> bool {
        matches!(self, Self::Hyphens | Self::Padding { closes: true })
    }
}

impl Multipart {
    pub(crate) fn new(boundary: &[u8], depth: u8) -> Self {
        Self {
            delimiter: [b"--", boundary].concat(),
            depth,
            state: State::Delimiter,
            held: Vec::new(),
            matched: 0,
            header: Vec::new(),
            number: 0,
            name: Vec::new(),
            part: None,
            begun: false,
        }
    }

    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        while let Some((&byte, rest)) = bytes.split_first() {
            self.begun = true;
            match self.state {
                State::Line => {
                    let end = memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
                    let (text, rest) = bytes.split_at(end);
                    self.content(text, place, ctx)?;
                    if !rest.is_empty() {
                        self.state = State::Break;
                    }
                    bytes = rest;
                    continue;
                }
                State::Break => {
                    let ready = self.held.is_empty();
                    if byte == b'\n' || (byte == b'\r' && ready) {
                        self.held.push(byte);
                        if byte == b'\n' {
                            self.state = State::Delimiter;
                            self.matched = 0;
                        }
                    } else {
                        self.no_delimiter(place, ctx)?;
                        continue;
                    }
                }
                State::Delimiter => {
                    if self.delimiter.get(self.matched) != Some(&byte) {
                        self.no_delimiter(place, ctx)?;
                        continue;
                    }
                    self.held.push(byte);
                    self.matched += 1;
                    if self.matched == self.delimiter.len() {
                        self.state = State::Rest(Rest::Nothing);
                    }
                }
                State::Rest(rest) => {
                    if !self.behind_delimiter(rest, byte, place, ctx)? {
                        self.no_delimiter(place, ctx)?;
                        continue;
                    }
                }
                State::Header => self.in_header(byte, place, ctx)?,
                State::Closed => return Ok(()),
            }
            bytes = rest;
        }
        Ok(())
    }

    fn content(
        &mut self,
        text: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        match &mut self.part {
            Some(part) => part.push(text, &place.step(Step::Part(self.number, &self.name)), ctx),
            None => Ok(()),
        }
    }

    /// What was held is content.
    fn no_delimiter(&mut self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        self.state = State::Line;
        let mut held = std::mem::take(&mut self.held);
        let done = self.content(&held, place, ctx);
        held.clear();
        self.held = held;
        done
    }

    /// Whether the delimiter still is one.
    fn behind_delimiter(
        &mut self,
        rest: Rest,
        byte: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<bool, DecodeError> {
        if byte == b'\n' && rest != Rest::Hyphen {
            self.end_part(place, ctx)?;
            self.number = self.number.saturating_add(1);
            self.header.clear();
            self.state = if rest.closes() { State::Closed } else { State::Header };
            return Ok(true);
        }
        let room = self.held.len() < self.delimiter.len() + MAX_PADDING;
        let Some(rest) = rest.then(byte).filter(|_| room) else { return Ok(false) };
        self.held.push(byte);
        self.state = State::Rest(rest);
        Ok(true)
    }

    fn end_part(&mut self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        self.held.clear();
        match self.part.take() {
            Some(mut part) => part.finish(&place.step(Step::Part(self.number, &self.name)), ctx),
            None => Ok(()),
        }
    }

    fn in_header(
        &mut self,
        byte: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        self.header.push(byte);
        if self.header.len() > MAX_HEADER {
            return Err(DecodeError::new("multipart", Why::HeaderTooLong));
        }
        let ends = [b"\n\r\n".as_slice(), b"\n\n"];
        let empty = matches!(self.header.as_slice(), b"\n" | b"\r\n");
        if byte != b'\n' || !(empty || ends.iter().any(|end| self.header.ends_with(end))) {
            return Ok(());
        }
        let header = Header::parse(&self.header)?;
        self.name.clone_from(&header.name);
        self.name.truncate(64);
        let here = place.step(Step::Part(self.number, &self.name));
        let words = [
            ("headers", self.header.as_slice()),
            ("name", header.name.as_slice()),
            ("filename", header.filename.as_slice()),
            ("filename", header.filename_star.as_slice()),
        ];
        for (word, text) in words {
            if !text.is_empty() {
                let here = here.step(Step::Word(word));
                let mut node = Node::open(&Plan::Text, self.depth, &here, ctx)?;
                node.push(text, &here, ctx)?;
                node.finish(&here, ctx)?;
            }
        }
        let plan = transfer(&header, header.media.plan()?);
        self.part = Some(Node::open(&plan, self.depth, &here, ctx)?);
        // The line break of the header can be that of a delimiter: a part may be empty.
        self.state = State::Delimiter;
        self.matched = 0;
        Ok(())
    }

    pub(crate) fn finish(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        match self.state {
            State::Rest(rest) if rest.closes() => self.end_part(place, ctx),
            State::Closed => Ok(()),
            _ if !self.begun => Ok(()),
            _ => Err(DecodeError::new("multipart", Why::Truncated)),
        }
    }
}

/// Puts the Content-Transfer-Encoding over the plan. Unlike RFC 7578, nothing forbids it here.
fn transfer(header: &Header, plan: Plan) -> Plan {
    let coding = match header.transfer.trim().to_ascii_lowercase().as_str() {
        "base64" => Coding::Base64,
        "quoted-printable" => Coding::Quoted,
        _ => return plan,
    };
    Plan::Beside(coding, Box::new(plan))
}
