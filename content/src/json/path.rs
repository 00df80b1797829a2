//! Where a JSON text is being read: the path, and what may stand next.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Bytes of a key that a place shows. The stream of the key has them all.
const MAX_KEY: usize = 64;

/// A path in a JSON text, as in `.messages[3].content`. Before it, where several texts stand in a row,
/// the number of the text.
#[derive(Debug, Default)]
pub(crate) struct Path {
    frames: Vec<Frame>,
    /// The keys of the open objects, one behind the other.
    keys: Vec<u8>,
    /// Texts that have ended at the top.
    texts: u64,
}

#[derive(Debug)]
struct Frame {
    object: bool,
    /// Where its key begins.
    key: usize,
    expects: Expects,
    index: u64,
    /// A hash of the whole key, and of the number at a key that ends in `index`: model APIs number
    /// their blocks and choices so.
    key_hash: u64,
    number: u64,
    numbered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    Key,
    Colon,
    Value,
    Comma,
}

impl Path {
    pub(crate) fn nesting(&self) -> usize {
        self.frames.len()
    }

    /// Whether the text that is read is an array.
    pub(crate) fn is_in_array(&self) -> bool {
        self.frames.first().is_some_and(|frame| !frame.object)
    }

    /// An array or an object begins.
    pub(crate) fn enter(&mut self, object: bool) -> bool {
        if !self.value() {
            return false;
        }
        self.frames.push(Frame {
            object,
            key: self.keys.len(),
            expects: if object { Expects::Key } else { Expects::Value },
            index: 0,
            key_hash: 0,
            number: 0,
            numbered: false,
        });
        true
    }

    pub(crate) fn leave(&mut self, object: bool) -> bool {
        let Some(frame) = self.frames.pop_if(|frame| frame.object == object) else {
            return false;
        };
        self.keys.truncate(frame.key);
        self.ended();
        true
    }

    /// A value begins. Whether it may.
    fn value(&mut self) -> bool {
        match self.frames.last_mut() {
            Some(frame) if frame.expects == Expects::Value => {
                frame.expects = Expects::Comma;
                true
            }
            Some(_) => false,
            None => true,
        }
    }

    /// A value that is more than a scalar has ended.
    fn ended(&mut self) {
        if self.frames.is_empty() {
            self.texts += 1;
        }
    }

    pub(crate) fn comma(&mut self) -> bool {
        let Some(frame) = self.frames.last_mut() else { return false };
        frame.index += 1;
        frame.expects = if frame.object { Expects::Key } else { Expects::Value };
        true
    }

    pub(crate) fn colon(&mut self) -> bool {
        match self.frames.last_mut() {
            Some(frame) if frame.expects == Expects::Colon => {
                frame.expects = Expects::Value;
                true
            }
            _ => false,
        }
    }

    /// A byte of a number or of a literal.
    pub(crate) fn scalar(&mut self, byte: u8, first: bool) -> bool {
        if first && !self.value() {
            return false;
        }
        if let Some(frame) = self.frames.last_mut()
            && frame.numbered
        {
            let before = if first { 0 } else { frame.number };
            frame.number = before.wrapping_mul(257).wrapping_add(u64::from(byte) + 1);
        }
        true
    }

    pub(crate) fn may_begin_string(&self) -> bool {
        let expects = self.frames.last().map(|frame| frame.expects);
        matches!(expects, None | Some(Expects::Key | Expects::Value))
    }

    /// A string begins. Whether it is a key.
    pub(crate) fn begin_string(&mut self) -> bool {
        let Some(frame) = self.frames.last_mut() else { return false };
        let is_key = frame.expects == Expects::Key;
        if is_key {
            self.keys.truncate(frame.key);
            frame.key_hash = 0;
            frame.numbered = false;
            frame.expects = Expects::Colon;
        } else {
            frame.expects = Expects::Comma;
        }
        is_key
    }

    /// Takes text of the key.
    pub(crate) fn key(&mut self, text: &[u8]) {
        let Some(frame) = self.frames.last_mut() else { return };
        for byte in text {
            let mixed = (frame.key_hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            frame.key_hash = mixed.rotate_left(5);
        }
        let room = (frame.key + MAX_KEY).saturating_sub(self.keys.len());
        self.keys.extend(text.iter().take(room));
        frame.numbered = self.keys.get(frame.key..).is_some_and(|key| key.ends_with(b"index"));
    }

    /// The same for the strings that sequences of JSON texts split a text over. The elements of an
    /// array at the top are such a sequence too.
    pub(crate) fn sequence(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (level, frame) in self.frames.iter().enumerate() {
            frame.object.hash(&mut hasher);
            if frame.object {
                (frame.key_hash, frame.number).hash(&mut hasher);
            } else if level > 0 {
                frame.index.hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// The path as [`Self::sequence`] sees it, in words.
    pub(crate) fn in_sequence(&self) -> String {
        let skip = usize::from(self.frames.first().is_some_and(|frame| !frame.object));
        let mut text = String::new();
        let _ = self.write(&mut text, skip);
        text
    }

    /// The path of the object in which a key stands.
    pub(crate) fn of_key(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number(f)?;
        self.write_frames(f, 0, self.frames.len().saturating_sub(1))
    }

    fn number(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.texts > 0 { write!(f, " text {}", self.texts + 1) } else { Ok(()) }
    }

    fn write(&self, f: &mut dyn fmt::Write, skip: usize) -> fmt::Result {
        self.write_frames(f, skip, self.frames.len())
    }

    fn write_frames(&self, f: &mut dyn fmt::Write, skip: usize, until: usize) -> fmt::Result {
        let ends = self.frames.iter().skip(1).map(|frame| frame.key).chain([self.keys.len()]);
        for (frame, end) in self.frames.iter().zip(ends).take(until).skip(skip) {
            if frame.object {
                let key = self.keys.get(frame.key..end).unwrap_or_default();
                let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                if !key.is_empty() && key.iter().all(plain) {
                    write!(f, ".{}", String::from_utf8_lossy(key))?;
                } else {
                    write!(f, "[{:?}]", String::from_utf8_lossy(key))?;
                }
            } else {
                write!(f, "[{}]", frame.index)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number(f)?;
        self.write(f, 0)
    }
}
