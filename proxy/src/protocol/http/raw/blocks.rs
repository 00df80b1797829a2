//! The header blocks of one client, one after the other: those with an odd `:path` are rewritten.
//!
//! A field that the client has put into the dynamic table (RFC 7541 §2.3.2) has a size and a place
//! there, which later fields count on. An encoded path is longer than the one that was sent, so from
//! the first odd path on, two tables of one size would differ. From there on the client's table is
//! kept here alone, and every block is written without any table. A client that never sends an odd
//! path costs a walk through its blocks, and a copy of what it puts into the table.

use super::hpack::{self, Field, Fields, Keeping, Malformed, Name, STATIC, Text};
use super::{MARKER, known_form, without_fragment};
use crate::protocol::http::framing::HEAD_LIMIT;
use bytes::Bytes;
use std::collections::VecDeque;

/// The size of the table that the client may use, for it is told no other (RFC 9113 §6.5.2).
const TABLE: usize = 4096;
/// As many entries fit in, for each counts 32 bytes more than it has (RFC 7541 §4.1).
const ENTRIES: usize = TABLE / 32;
/// And so many bytes on the wire, where a byte takes 30 bits at most.
const WIRE: usize = TABLE * 30 / 8;

/// What becomes of a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    AsItIs,
    Instead(Vec<u8>),
}

/// The header blocks of one client.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    table: Table,
    /// The table is kept here alone: no block may pass as it is.
    apart: bool,
}

impl Blocks {
    /// Whether no block may pass unread any more.
    pub(super) const fn is_apart(&self) -> bool {
        self.apart
    }

    /// Reads the next block. One that would be longer than the head limit is replaced by one that is
    /// refused for its length, so that its stream alone ends.
    ///
    /// # Errors
    /// After one the blocks that follow cannot be read.
    pub(super) fn read(&mut self, block: &[u8]) -> Result<Block, Malformed> {
        let mut out = self.apart.then(|| Vec::with_capacity(block.len() + 64));
        let (mut path, mut at) = (Path::ToCome, 0);
        for field in Fields::of(block) {
            let (field, wire) = field?;
            if path == Path::ToCome {
                path = self.table.path(&field)?;
            }
            if let Path::Odd { known, written: written @ false, .. } = &mut path {
                *written = true;
                hpack::put_path(known, out.get_or_insert_with(|| block[..at].to_vec()));
            } else if let Some(out) = out.as_mut().filter(|out| out.len() <= HEAD_LIMIT) {
                self.table.write(&field, wire, out)?;
            }
            self.table.learn(&field)?;
            at += wire.len();
        }
        let Some(mut out) = out else { return Ok(Block::AsItIs) };
        self.apart = true;
        if let Path::Odd { sent, .. } = path {
            // Pseudo-headers come first (RFC 9113 §8.3).
            hpack::put_plain(MARKER.as_str().as_bytes(), &sent, &mut out);
        }
        if out.len() > HEAD_LIMIT {
            out.clear();
            hpack::put_plain(b"x", &[b'x'; HEAD_LIMIT], &mut out);
        }
        Ok(Block::Instead(out))
    }
}

/// The first path of a block. With another one it is malformed, which the library says.
#[derive(Debug, PartialEq, Eq)]
enum Path {
    ToCome,
    Known,
    Odd {
        sent: Vec<u8>,
        /// The form that the HTTP library knows.
        known: Vec<u8>,
        written: bool,
    },
}

/// The client's dynamic table: never less than what is in it, for clients that keep to it.
#[derive(Debug, Default)]
struct Table {
    /// The newest is the last.
    entries: VecDeque<Entry>,
    /// Bytes on the wire.
    length: usize,
}

/// One field, as it is on the wire.
#[derive(Debug, Clone)]
struct Entry {
    name: Kept,
    value: Bytes,
    is_path: bool,
}

#[derive(Debug, Clone)]
enum Kept {
    /// That of an entry of the static table.
    Of(usize),
    Literal(Bytes),
}

impl Entry {
    fn name(&self) -> Result<Name<'_>, Malformed> {
        Ok(match &self.name {
            Kept::Of(index) => Name::Of(*index),
            Kept::Literal(name) => Name::Literal(Text::read(name)?.0),
        })
    }

    fn length(&self) -> usize {
        let name = match &self.name {
            Kept::Of(_) => 0,
            Kept::Literal(name) => name.len(),
        };
        name + self.value.len()
    }
}

impl Table {
    /// The entry that an index beyond the static table means.
    fn entry(&self, index: usize) -> Result<&Entry, Malformed> {
        let newer = index.checked_sub(STATIC + 1).ok_or(Malformed)?;
        let at = self.entries.len().checked_sub(newer + 1).ok_or(Malformed)?;
        self.entries.get(at).ok_or(Malformed)
    }

    /// Whether a field is the path, and an odd one.
    fn path(&self, field: &Field<'_>) -> Result<Path, Malformed> {
        let (is_path, value) = match *field {
            Field::Indexed(index) if index > STATIC => {
                let entry = self.entry(index)?;
                (entry.is_path, Text::read(&entry.value)?.0)
            }
            // Those of the static table are not odd.
            Field::Indexed(_) | Field::Resize(_) => return Ok(Path::ToCome),
            Field::Literal { name: Name::Of(index), value, .. } if index > STATIC => {
                (self.entry(index)?.is_path, value)
            }
            Field::Literal { name, value, .. } => (name.is_path(), value),
        };
        if !is_path {
            return Ok(Path::ToCome);
        }
        // What is malformed is left to whoever reads it.
        let sent = value.decoded().unwrap_or_default();
        Ok(match known_form(&sent) {
            Some(known) => {
                Path::Odd { sent: without_fragment(&sent).to_vec(), known, written: false }
            }
            None => Path::Known,
        })
    }

    /// Appends a field that uses no table but the static one.
    fn write(&self, field: &Field<'_>, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        match *field {
            Field::Indexed(0) => return Err(Malformed),
            Field::Indexed(index) if index > STATIC => {
                let entry = self.entry(index)?;
                hpack::put_field(false, entry.name()?, &entry.value, out);
            }
            Field::Indexed(_) => out.extend_from_slice(wire),
            Field::Literal { keeping, name, value } => {
                let name = match name {
                    Name::Of(index) if index > STATIC => self.entry(index)?.name()?,
                    name => name,
                };
                hpack::put_field(keeping == Keeping::Never, name, value.wire(), out);
            }
            Field::Resize(size) if size > TABLE => return Err(Malformed),
            Field::Resize(_) => {}
        }
        Ok(())
    }

    /// Puts a field into the table where the client does.
    fn learn(&mut self, field: &Field<'_>) -> Result<(), Malformed> {
        let Field::Literal { keeping: Keeping::Indexed, name, value } = *field else {
            return Ok(());
        };
        let (is_path, name) = match name {
            Name::Of(index) if index > STATIC => {
                let entry = self.entry(index)?;
                (entry.is_path, entry.name.clone())
            }
            Name::Of(index) => (name.is_path(), Kept::Of(index)),
            Name::Literal(text) => {
                (name.is_path(), Kept::Literal(Bytes::copy_from_slice(text.wire())))
            }
        };
        let entry = Entry { name, value: Bytes::copy_from_slice(value.wire()), is_path };
        self.length += entry.length();
        self.entries.push_back(entry);
        while self.entries.len() > ENTRIES || self.length > WIRE {
            let Some(old) = self.entries.pop_front() else { break };
            self.length -= old.length();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
