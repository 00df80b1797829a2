//! JSON: strings and keys, each as the text that it stands for, and numbers.

use super::tape::Kind;
use super::watch::{Cx, Watch};
use crate::json::{Escape, MAX_NESTING, Path};
use crate::start::is_space;
use memchr::memchr2;

/// A number that is longer is taken for text.
const MAX_NUMBER: u64 = 512;
/// Paths that are joined at the same time; the one that was used the longest ago makes room.
const MAX_PATHS: usize = 64;

/// One JSON text, or several in a row.
#[derive(Default)]
pub(super) struct Json<'c> {
    path: Path,
    state: State,
    string: Option<Open<'c>>,
    /// Whether the texts are lines, so that each end of one is a place to wait at.
    lines: bool,
    /// Whether strings are joined: those of several texts, and of an array of them.
    sequence: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    Word,
    /// A number, and where it began.
    Number(u64),
    String,
}

struct Open<'c> {
    watch: Watch<'c>,
    is_key: bool,
    joined: Option<usize>,
    escape: Escape,
    /// Where the escape began that is not over, or whose other half is missing.
    escaped: Option<u64>,
}

impl<'c> Json<'c> {
    /// Texts that belong together; each in a line of its own, or not.
    pub(super) fn sequence(lines: bool) -> Self {
        Self { lines, sequence: true, ..Self::default() }
    }

    /// Reads on at `at`. Returns where a fault is, if there is one.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        at: u64,
        cx: &mut Cx<'c>,
        joins: &mut Joins<'c>,
    ) -> Option<usize> {
        let mut done = 0;
        while let Some((&byte, _)) = bytes.get(done..).and_then(<[u8]>::split_first) {
            let here = at + done as u64;
            if self.state == State::String {
                done += self.in_string(bytes.get(done..).unwrap_or_default(), here, cx, joins);
                continue;
            }
            if !self.between(byte, here, cx, joins) {
                return Some(done);
            }
            done += 1;
        }
        None
    }

    /// A byte outside of strings. Whether it may stand there.
    fn between(&mut self, byte: u8, at: u64, cx: &mut Cx<'c>, joins: &mut Joins<'c>) -> bool {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.') {
            return self.word(byte, at, cx);
        }
        self.state = State::Between;
        match byte {
            b'"' => {
                if !self.path.may_begin_string() {
                    return false;
                }
                let is_key = self.path.begin_string();
                let joined = (!is_key && (self.sequence || self.path.is_in_array()))
                    .then(|| joins.find(self.path.sequence(), cx));
                let (watch, escape) = (Watch::new(cx.masks), Escape::default());
                self.string = Some(Open { watch, is_key, joined, escape, escaped: None });
                self.state = State::String;
                true
            }
            b'{' | b'[' => self.path.nesting() < MAX_NESTING && self.path.enter(byte == b'{'),
            b'}' | b']' => self.path.leave(byte == b'}'),
            b',' => self.path.comma(),
            b':' => self.path.colon(),
            b'\n' if self.lines && self.path.nesting() == 0 => {
                cx.mark(at + 1);
                true
            }
            other => is_space(other) || matches!(other, 0x1e | 0xef | 0xbb | 0xbf),
        }
    }

    fn word(&mut self, byte: u8, at: u64, cx: &mut Cx<'c>) -> bool {
        let first = !matches!(self.state, State::Word | State::Number(_));
        if first {
            let number = byte.is_ascii_digit() || byte == b'-';
            self.state = if number { State::Number(at) } else { State::Word };
        }
        if let State::Number(start) = self.state {
            if at - start > MAX_NUMBER {
                return false;
            }
            cx.tape.part(at, at + 1, Kind::Number);
        }
        self.path.scalar(byte, first)
    }

    /// Reads on in a string; how many bytes were taken.
    fn in_string(
        &mut self,
        bytes: &[u8],
        at: u64,
        cx: &mut Cx<'c>,
        joins: &mut Joins<'c>,
    ) -> usize {
        let Some(open) = &mut self.string else {
            self.state = State::Between;
            return 0;
        };
        let mut text = Vec::new();
        let byte = bytes.first().copied().unwrap_or(b'"');
        if !open.escape.is_plain() {
            let taken = open.escape.push(byte, &mut text);
            if open.escape.is_plain() {
                let end = at + u64::from(taken);
                let start = open.escaped.unwrap_or(at);
                if !text.is_empty() {
                    open.escaped = None;
                    cx.tape.part(start, end, Kind::Unit);
                    open.give(&text, (start, end), true, cx, joins);
                    if open.is_key {
                        self.path.key(&text);
                    }
                }
            }
            return usize::from(taken);
        }
        let plain = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        let ends = bytes.get(plain) == Some(&b'"');
        if (plain > 0 || ends)
            && let Some(start) = open.escaped.take()
        {
            // The other half of a surrogate pair is missing, or it was no escape at all.
            open.escape.end(&mut text);
            cx.tape.part(start, at, Kind::Unit);
            open.give(&text, (start, at), true, cx, joins);
        }
        let now = bytes.get(..plain).unwrap_or_default();
        if plain > 0 {
            cx.tape.part(at, at + plain as u64, Kind::Text);
            open.give(now, (at, at + plain as u64), false, cx, joins);
            text.extend_from_slice(now);
        }
        if open.is_key {
            self.path.key(&text);
        }
        match bytes.get(plain) {
            Some(b'\\') => {
                open.escape.begin();
                open.escaped.get_or_insert(at + plain as u64);
                plain + 1
            }
            Some(_) => {
                self.end_string(cx);
                plain + 1
            }
            None => plain,
        }
    }

    fn end_string(&mut self, cx: &mut Cx<'c>) {
        self.state = State::Between;
        if let Some(open) = self.string.take() {
            open.watch.finish(cx);
        }
    }

    /// The text has ended, wherever.
    pub(super) fn finish(&mut self, cx: &mut Cx<'c>) {
        self.end_string(cx);
    }

    /// What begins here is not over.
    pub(super) fn unfinished(&self) -> Option<u64> {
        match (self.state, &self.string) {
            (State::Number(start), _) => Some(start),
            (State::String, Some(open)) => open.escaped,
            _ => None,
        }
    }

    pub(super) fn open(&self) -> Option<u64> {
        self.string.as_ref().and_then(|open| open.watch.open()).map(|(at, _)| at)
    }
}

impl<'c> Open<'c> {
    fn give(
        &mut self,
        text: &[u8],
        raw: (u64, u64),
        whole: bool,
        cx: &mut Cx<'c>,
        joins: &mut Joins<'c>,
    ) {
        let mut give = |watch: &mut Watch<'c>| {
            if whole { watch.unit(text, raw, cx) } else { watch.plain(text, raw.0, cx) }
        };
        give(&mut self.watch);
        if let Some(watch) = self.joined.and_then(|slot| joins.watch(slot)) {
            give(watch);
        }
    }
}

/// Strings at the same path of consecutive texts, each as one stream.
#[derive(Default)]
pub(super) struct Joins<'c> {
    slots: Vec<Slot<'c>>,
    clock: u64,
}

struct Slot<'c> {
    sequence: u64,
    used: u64,
    watch: Watch<'c>,
}

impl<'c> Joins<'c> {
    pub(super) fn find(&mut self, sequence: u64, cx: &mut Cx<'c>) -> usize {
        self.clock += 1;
        let clock = self.clock;
        if let Some(at) = self.slots.iter().position(|slot| slot.sequence == sequence) {
            if let Some(slot) = self.slots.get_mut(at) {
                slot.used = clock;
            }
            return at;
        }
        let slot = Slot { sequence, used: clock, watch: Watch::new(cx.masks) };
        if self.slots.len() < MAX_PATHS {
            self.slots.push(slot);
            return self.slots.len() - 1;
        }
        let oldest = self.slots.iter().enumerate().min_by_key(|(_, slot)| slot.used);
        let at = oldest.map_or(0, |(at, _)| at);
        if let Some(old) = self.slots.get_mut(at) {
            std::mem::replace(old, slot).watch.finish(cx);
        }
        at
    }

    pub(super) fn watch(&mut self, slot: usize) -> Option<&mut Watch<'c>> {
        self.slots.get_mut(slot).map(|slot| &mut slot.watch)
    }

    pub(super) fn finish(&mut self, cx: &mut Cx<'c>) {
        for slot in self.slots.drain(..) {
            slot.watch.finish(cx);
        }
    }

    /// Where the first open text begins, and the length of the longest.
    pub(super) fn open(&self) -> Option<(u64, usize)> {
        let open = self.slots.iter().filter_map(|slot| slot.watch.open());
        open.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}
