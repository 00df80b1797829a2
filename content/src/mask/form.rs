//! `application/x-www-form-urlencoded` (URL Standard §5.1): every name and value as what it stands for.

use super::tape::Kind;
use super::watch::{Cx, Watch};
use crate::coding::quoted::digit;

#[derive(Default)]
pub(super) struct Form<'c> {
    field: Option<Watch<'c>>,
    /// Where an escape began, and what was read of it.
    escape: Option<(u64, Option<u8>)>,
}

impl<'c> Form<'c> {
    pub(super) fn push(&mut self, bytes: &[u8], at: u64, cx: &mut Cx<'c>) {
        let mut done = 0;
        while let Some(&byte) = bytes.get(done) {
            let here = at + done as u64;
            if let Some((start, high)) = self.escape.take() {
                match (byte.is_ascii_hexdigit(), high) {
                    (true, None) => self.escape = Some((start, Some(digit(byte)))),
                    (true, Some(high)) => self.unit(high << 4 | digit(byte), start, here + 1, cx),
                    (false, _) => {
                        // It was none.
                        cx.tape.part(start, here, Kind::Unit);
                        continue;
                    }
                }
                done += 1;
                continue;
            }
            match byte {
                b'&' | b'=' => {
                    self.finish(cx);
                    done += 1;
                }
                b'%' => {
                    self.escape = Some((here, None));
                    done += 1;
                }
                b'+' => {
                    self.unit(b' ', here, here + 1, cx);
                    done += 1;
                }
                _ => {
                    let rest = bytes.get(done..).unwrap_or_default();
                    let special = |byte: &u8| matches!(byte, b'&' | b'=' | b'%' | b'+');
                    let length = rest.iter().position(special).unwrap_or(rest.len());
                    cx.tape.part(here, here + length as u64, Kind::Text);
                    let watch = self.field.get_or_insert_with(|| Watch::new(cx.masks));
                    watch.plain(rest.get(..length).unwrap_or_default(), here, cx);
                    done += length;
                }
            }
        }
    }

    fn unit(&mut self, byte: u8, start: u64, end: u64, cx: &mut Cx<'c>) {
        cx.tape.part(start, end, Kind::Unit);
        let watch = self.field.get_or_insert_with(|| Watch::new(cx.masks));
        watch.unit(&[byte], (start, end), cx);
    }

    /// The field has ended.
    pub(super) fn finish(&mut self, cx: &mut Cx<'c>) {
        if let Some(watch) = self.field.take() {
            watch.finish(cx);
        }
    }

    pub(super) fn unfinished(&self) -> Option<u64> {
        self.escape.map(|(start, _)| start)
    }

    pub(super) fn open(&self) -> Option<u64> {
        self.field.as_ref().and_then(Watch::open).map(|(at, _)| at)
    }
}
