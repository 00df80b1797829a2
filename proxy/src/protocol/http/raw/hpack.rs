//! The representations in a header block (RFC 7541 §6), read and written as they stand there: names
//! and values stay as they are on the wire, and no table is needed for it.

use super::huffman;
use thiserror::Error;

/// Entries of the static table (RFC 7541 Appendix A). `:path` is the name of two of them.
pub(super) const STATIC: usize = 61;
const PATHS: [usize; 2] = [4, 5];
/// `:path` in plain and in Huffman code.
const PATH: [&[u8]; 2] = [b":path", b"\xb9\x58\xd3\x3f"];

/// A block that is not what RFC 7541 §6 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a header block is malformed")]
pub struct Malformed;

/// One representation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// A field of one of the tables.
    Indexed(usize),
    Literal {
        keeping: Keeping,
        name: Name<'a>,
        value: Text<'a>,
    },
    /// The dynamic table has this size from now on.
    Resize(usize),
}

/// What becomes of a literal field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// It is put into the dynamic table.
    Indexed,
    Not,
    /// And nobody on the way may.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// That of a field of one of the tables.
    Of(usize),
    Literal(Text<'a>),
}

/// A string literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    /// With its length in front.
    wire: &'a [u8],
    length: usize,
    huffman: bool,
}

/// The representations of a block, up to the first that is malformed.
pub struct Fields<'a> {
    rest: &'a [u8],
    /// Size updates come first (RFC 7541 §4.2).
    begun: bool,
}

impl<'a> Fields<'a> {
    pub const fn of(block: &'a [u8]) -> Self {
        Self { rest: block, begun: false }
    }

    fn field(&mut self) -> Result<Field<'a>, Malformed> {
        let first = *self.rest.first().ok_or(Malformed)?;
        let (keeping, bits) = match first {
            0x80.. => return Ok(Field::Indexed(self.number(7)?)),
            0x40.. => (Keeping::Indexed, 6),
            0x20.. if self.begun => return Err(Malformed),
            0x20.. => return Ok(Field::Resize(self.number(5)?)),
            0x10.. => (Keeping::Never, 4),
            _ => (Keeping::Not, 4),
        };
        let name = match self.number(bits)? {
            0 => Name::Literal(self.text()?),
            index => Name::Of(index),
        };
        Ok(Field::Literal { keeping, name, value: self.text()? })
    }

    fn text(&mut self) -> Result<Text<'a>, Malformed> {
        let (text, rest) = Text::read(self.rest)?;
        self.rest = rest;
        Ok(text)
    }

    fn number(&mut self, bits: u32) -> Result<usize, Malformed> {
        let (number, rest) = number(self.rest, bits)?;
        self.rest = rest;
        Ok(number)
    }
}

/// Each field, and the bytes that it is written as.
impl<'a> Iterator for Fields<'a> {
    type Item = Result<(Field<'a>, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let before = self.rest;
        let field = self.field();
        match field {
            Err(_) => self.rest = &[],
            Ok(field) => self.begun |= !matches!(field, Field::Resize(_)),
        }
        Some(field.map(|field| (field, &before[..before.len() - self.rest.len()])))
    }
}

impl<'a> Text<'a> {
    /// A string literal at the beginning of some bytes, and what is behind it.
    pub(super) fn read(input: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let huffman = *input.first().ok_or(Malformed)? >= 0x80;
        let (length, rest) = number(input, 7)?;
        let rest = rest.get(length..).ok_or(Malformed)?;
        Ok((Self { wire: &input[..input.len() - rest.len()], length, huffman }, rest))
    }

    /// As it is written, its length in front.
    pub(super) const fn wire(&self) -> &'a [u8] {
        self.wire
    }

    /// What it says. None where its Huffman code is malformed.
    pub fn decoded(&self) -> Option<Vec<u8>> {
        if self.huffman { huffman::decode(self.text()) } else { Some(self.text().to_vec()) }
    }

    /// Without its length.
    fn text(&self) -> &'a [u8] {
        &self.wire[self.wire.len() - self.length..]
    }

    /// Whether it says this, which is short.
    pub(super) fn says(&self, what: &[u8]) -> bool {
        // A code takes five bits or more, so a longer text cannot be it.
        self.length <= 4 * what.len() && self.decoded().is_some_and(|text| text == what)
    }
}

impl Name<'_> {
    /// Whether it is `:path`, as far as the static table goes.
    pub(super) fn is_path(&self) -> bool {
        match self {
            Self::Of(index) => PATHS.contains(index),
            Self::Literal(name) => name.text() == PATH[usize::from(name.huffman)],
        }
    }
}

/// An integer (RFC 7541 §5.1) of at most five bytes, which is as many as h2 reads.
fn number(input: &[u8], bits: u32) -> Result<(usize, &[u8]), Malformed> {
    let most = (1_usize << bits) - 1;
    let (first, mut rest) = input.split_first().ok_or(Malformed)?;
    let mut value = usize::from(*first) & most;
    if value < most {
        return Ok((value, rest));
    }
    for shift in [0, 7, 14, 21] {
        let (byte, behind) = rest.split_first().ok_or(Malformed)?;
        rest = behind;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value, rest));
        }
    }
    Err(Malformed)
}

/// Appends an integer, below the bits that are set in `first`.
fn put_number(mut value: usize, bits: u32, first: u8, out: &mut Vec<u8>) {
    let most = (1_usize << bits) - 1;
    if value < most {
        return out.push(first | value as u8);
    }
    out.push(first | most as u8);
    value -= most;
    while value >= 0x80 {
        out.push(0x80 | (value & 0x7f) as u8);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a string literal without Huffman code.
fn put_text(text: &[u8], out: &mut Vec<u8>) {
    put_number(text.len(), 7, 0, out);
    out.extend_from_slice(text);
}

/// Appends a literal field that no table keeps, its name and value as they are on the wire. `never`:
/// and that nobody on the way may keep.
pub(super) fn put_field(never: bool, name: Name<'_>, value: &[u8], out: &mut Vec<u8>) {
    let first = if never { 0x10 } else { 0 };
    match name {
        Name::Of(index) => put_number(index, 4, first, out),
        Name::Literal(name) => {
            out.push(first);
            out.extend_from_slice(name.wire);
        }
    }
    out.extend_from_slice(value);
}

/// Appends `:path`, in no table.
pub(super) fn put_path(path: &[u8], out: &mut Vec<u8>) {
    put_number(PATHS[0], 4, 0, out);
    put_text(path, out);
}

/// Appends a field that nobody keeps, its name and value in plain.
pub(super) fn put_plain(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.push(0x10);
    put_text(name, out);
    put_text(value, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of RFC 7541, Appendix C.1 to C.3.
    #[test]
    fn the_examples_of_the_standard_are_read() {
        assert_eq!(number(&[0x0a], 5).unwrap().0, 10);
        assert_eq!(number(&[0x1f, 0x9a, 0x0a], 5).unwrap().0, 1337);
        let block =
            b"\x82\x86\x84\x41\x0fwww.example.com\x04\x0c/sample/path\x10\x08password\x06secret";
        let fields: Vec<_> = Fields::of(block).map(|field| field.unwrap().0).collect();
        assert_eq!(fields.len(), 6);
        assert_eq!(fields[..3], [Field::Indexed(2), Field::Indexed(6), Field::Indexed(4)]);
        let said = |field: &Field| match field {
            Field::Literal { value, .. } => String::from_utf8(value.decoded().unwrap()).unwrap(),
            _ => unreachable!(),
        };
        assert_eq!(
            fields[3..].iter().map(said).collect::<Vec<_>>().join(" "),
            "www.example.com /sample/path secret"
        );
        let Field::Literal { keeping: Keeping::Not, name, .. } = fields[4] else { panic!() };
        assert!(name.is_path());
    }

    #[test]
    fn what_is_malformed_ends_the_block() {
        for block in [
            &b"\xff\xff\xff\xff\xff\x01"[..], // An integer of six bytes.
            b"\x7f\x80\x80\x80\x80\x00",
            b"\xff\x80",                 // One without an end.
            b"\x44",                     // A value that is not there.
            b"\x44\x05/a",               // One that is cut.
            b"\x40\x00",                 // A name alone.
            b"\x82\x20",                 // A size update behind a field.
            b"\x44\x7f\xff\xff\xff\x7f", // A length beyond everything.
        ] {
            assert_eq!(Fields::of(block).last(), Some(Err(Malformed)), "{block:x?}");
        }
    }

    #[test]
    fn the_name_of_the_path_is_known_in_every_form() {
        for name in [&b"\x05:path"[..], b"\x84\xb9\x58\xd3\x3f"] {
            let (text, _) = Text::read(name).unwrap();
            assert!(Name::Literal(text).is_path() && text.says(b":path"));
        }
        let (other, _) = Text::read(b"\x05:patH").unwrap();
        assert!(!Name::Literal(other).is_path());
        assert_eq!([1, 4, 5, 6].map(|index| Name::Of(index).is_path()), [false, true, true, false]);
    }

    proptest::proptest! {
        #[test]
        fn numbers_are_read_as_written(value in 0_usize..1 << 27, bits in 4_u32..8) {
            let mut out = Vec::new();
            put_number(value, bits, 0, &mut out);
            proptest::prop_assert_eq!(number(&out, bits), Ok((value, &[][..])));
        }

        #[test]
        fn fields_are_the_whole_block(block: Vec<u8>) {
            let mut length = 0;
            for field in Fields::of(&block) {
                match field {
                    Ok((_, wire)) => length += wire.len(),
                    Err(Malformed) => return Ok(()),
                }
            }
            proptest::prop_assert_eq!(length, block.len());
        }
    }
}
