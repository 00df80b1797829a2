//! The scanner as it would be without any thought of speed: it steps the automaton over every byte of
//! every view. What the scanner finds is compared with what this one finds, here and by fuzzing.

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};

/// Patterns that [`BodyPatterns`](exeat_policy::body::BodyPatterns) has accepted.
pub(crate) struct Patterns {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
}

impl Patterns {
    pub(crate) fn compile(patterns: &[String]) -> Self {
        let dfa = dense::Builder::new()
            .configure(dense::Config::new().start_kind(StartKind::Unanchored))
            .syntax(syntax::Config::new().case_insensitive(true).utf8(false).nest_limit(64))
            .thompson(thompson::Config::new().utf8(false))
            .build_many(patterns)
            .expect("the patterns were accepted");
        let start = dfa.start_state(&start::Config::new()).expect("no start quits");
        Self { dfa, start }
    }
}

/// Scans one body.
pub(crate) struct Scanner<'p> {
    patterns: &'p Patterns,
    views: [StateID; 4],
    percent: Percent,
    json: Json,
    found: Option<usize>,
}

const RAW: usize = 0;
const PERCENT: usize = 1;
const JSON: usize = 2;
const NO_NUL: usize = 3;

impl<'p> Scanner<'p> {
    pub(crate) fn new(patterns: &'p Patterns) -> Self {
        Self {
            patterns,
            views: [patterns.start; 4],
            percent: Percent::default(),
            json: Json::default(),
            found: None,
        }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) -> Option<usize> {
        for &byte in chunk {
            if self.found.is_some() {
                break;
            }
            self.step(RAW, byte);
            if byte != 0 {
                self.step(NO_NUL, byte);
            }
            let decoded = self.percent.push(byte);
            for &b in decoded.as_slice() {
                self.step(PERCENT, b);
            }
            let unescaped = self.json.push(byte);
            for &b in unescaped.as_slice() {
                self.step(JSON, b);
            }
        }
        self.found
    }

    pub(crate) fn finish(&mut self) -> Option<usize> {
        let rest = self.percent.finish();
        for &b in rest.as_slice() {
            self.step(PERCENT, b);
        }
        for view in 0..self.views.len() {
            if self.found.is_none() {
                let end = self.patterns.dfa.next_eoi_state(self.views[view]);
                self.examine(end);
            }
        }
        self.found
    }

    fn step(&mut self, view: usize, byte: u8) {
        if self.found.is_some() {
            return;
        }
        let next = self.patterns.dfa.next_state(self.views[view], byte);
        self.views[view] = next;
        if self.patterns.dfa.is_special_state(next) {
            self.examine(next);
        }
    }

    /// A match, or a state from which the automaton cannot tell: the latter counts as a match of
    /// the first pattern, since what cannot be decided is denied.
    fn examine(&mut self, state: StateID) {
        let dfa = &self.patterns.dfa;
        if dfa.is_match_state(state) {
            self.found = Some(dfa.match_pattern(state, 0).as_usize());
        } else if dfa.is_quit_state(state) {
            self.found = Some(0);
        }
    }
}

/// Up to four bytes that a transducer puts out for one that it takes.
#[derive(Debug, Default, Clone, Copy)]
struct Out {
    bytes: [u8; 4],
    len: usize,
}

impl Out {
    fn of(bytes: &[u8]) -> Self {
        let mut out = Self::default();
        for &b in bytes.iter().take(4) {
            out.bytes[out.len] = b;
            out.len += 1;
        }
        out
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// `application/x-www-form-urlencoded` decoding; what is no escape passes as it is.
#[derive(Debug, Default)]
struct Percent {
    held: [u8; 2],
    len: usize,
}

impl Percent {
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

    fn finish(&mut self) -> Out {
        let out = Out::of(&self.held[..self.len]);
        self.len = 0;
        out
    }

    fn hold(&mut self, byte: u8) {
        self.held[self.len] = byte;
        self.len += 1;
    }
}

fn hex(byte: u8) -> u8 {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or(0)
}

/// JSON string escapes, RFC 8259 §7, wherever they stand: what surrounds them does not matter.
#[derive(Debug, Default)]
struct Json {
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

impl Json {
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

    fn escaped(&mut self, byte: u8) -> Out {
        self.state = JsonState::Plain;
        let plain = match byte {
            b'u' => {
                self.state = JsonState::Unicode(0, 0);
                return Out::default();
            }
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            other => other,
        };
        self.high = None;
        Out::of(&[plain])
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
