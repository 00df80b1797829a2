//! What the first bytes of a place show, where nothing tells how to read it.

use crate::charset::Charset;
use crate::coding::Coding;
use crate::plan::Plan;

/// Looks at the first four bytes, and then for the first that is no white space.
pub(crate) struct Start {
    head: [u8; 4],
    len: usize,
    phase: Phase,
    json: bool,
    joins: bool,
    form: bool,
}

#[derive(PartialEq, Eq)]
enum Phase {
    Magic,
    Json,
    Over,
}

/// What is read beside the plain reading from the first byte on.
pub(crate) enum Found {
    Coded(Coding),
    Charset(Charset, Plan),
    /// A JSON text. `joins`: of a declared type.
    Json {
        joins: bool,
    },
}

impl Start {
    pub(crate) fn new(plan: &Plan) -> Self {
        let inner = match plan {
            Plan::Charset(_, inner) | Plan::Beside(_, inner) => inner,
            other => other,
        };
        let phase = match inner {
            Plan::Text | Plan::Json { .. } | Plan::Form => Phase::Magic,
            _ => Phase::Over,
        };
        let json = matches!(inner, Plan::Json { .. });
        let joins = matches!(inner, Plan::Json { joins: true });
        let form = matches!(inner, Plan::Form);
        Self { head: [0; 4], len: 0, phase, json, joins, form }
    }

    pub(crate) fn ended() -> Self {
        let mut start = Self::new(&Plan::Text);
        start.phase = Phase::Over;
        start
    }

    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// How many of these bytes are to be read before what was found, if anything, begins with the
    /// head.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> (usize, Option<Found>) {
        match self.phase {
            Phase::Magic => {
                let mut taken = 0;
                for (place, byte) in self.head.iter_mut().skip(self.len).zip(bytes) {
                    *place = *byte;
                    taken += 1;
                }
                self.len += taken;
                let found = if self.len == self.head.len() { self.magic() } else { None };
                (taken, found)
            }
            Phase::Json => {
                let Some(at) = bytes.iter().position(|byte| !is_space(*byte)) else {
                    return (bytes.len(), None);
                };
                self.phase = Phase::Over;
                // Nothing of the head matters to what begins behind white space.
                self.len = 0;
                (at, self.text(bytes.get(at).copied().unwrap_or(b' ')))
            }
            Phase::Over => (bytes.len(), None),
        }
    }

    /// The bytes with which what was found begins, before those that come.
    pub(crate) fn head(&self) -> &[u8] {
        self.head.get(..self.len).unwrap_or_default()
    }

    fn magic(&mut self) -> Option<Found> {
        self.phase = Phase::Over;
        let found = match self.head {
            [0x1f, 0x8b, 8, _] => Found::Coded(Coding::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd] => Found::Coded(Coding::Zstd),
            // RFC 1950 §2.2, with a window of 32 KiB: what libraries write.
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => Found::Coded(Coding::Deflate),
            head => match Charset::shown(head) {
                Some(charset) => Found::Charset(charset, self.plan()),
                None => return self.head_text(),
            },
        };
        Some(found)
    }

    fn plan(&self) -> Plan {
        match (self.json, self.form) {
            (true, _) => Plan::Json { joins: self.joins },
            (_, true) => Plan::Form,
            _ => Plan::Text,
        }
    }

    fn head_text(&mut self) -> Option<Found> {
        let mark = if self.head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let text = self.head.get(mark..).unwrap_or_default();
        let Some(first) = text.iter().copied().find(|byte| !is_space(*byte)) else {
            self.phase = Phase::Json;
            return None;
        };
        self.text(first)
    }

    fn text(&self, first: u8) -> Option<Found> {
        let json = matches!(first, b'{' | b'[') || (self.json && first == b'"');
        json.then_some(Found::Json { joins: self.joins })
    }
}

/// White space of JSON, and the record separator of RFC 7464.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x1e)
}
