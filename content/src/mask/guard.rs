//! Reads what was masked as a server or an agent would read it, before it leaves. What is still found there
//! stands in an encoding in which nothing can be changed: it goes no further.

use super::replace::Masks;
use crate::decoder::Decoder;
use crate::error::{DecodeError, Why};
use crate::limits::Limits;
use crate::media::Media;
use crate::place::Place;
use crate::sink::{Sink, StreamId};
use exeat_policy::detect::Finder;
use std::collections::HashMap;

/// What is held behind what was read, where nobody waits for the next event: most of what an encoded value
/// is long.
const LAG: usize = 24 << 10;

pub(super) struct Guard<'c> {
    decoder: Decoder,
    finders: Finders<'c>,
    held: Vec<u8>,
}

impl<'c> Guard<'c> {
    pub(super) fn new(masks: &'c Masks, media: &Media, limits: Limits) -> Self {
        let finders = Finders { masks, open: HashMap::new(), found: None };
        Self { decoder: Decoder::new(media, limits), finders, held: Vec::new() }
    }

    /// Reads text, and gives out what was read: all, or all but what may belong to what comes.
    pub(super) fn push(
        &mut self,
        text: &[u8],
        all: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        self.decoder.push(text, &mut self.finders)?;
        self.finders.judge()?;
        self.held.extend_from_slice(text);
        if all {
            out.append(&mut self.held);
        } else if self.held.len() > 2 * LAG {
            out.extend(self.held.drain(..self.held.len() - LAG));
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        self.decoder.finish(&mut self.finders)?;
        self.finders.judge()?;
        out.append(&mut self.held);
        Ok(())
    }

    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }
}

struct Finders<'c> {
    masks: &'c Masks,
    open: HashMap<StreamId, Stream<'c>>,
    found: Option<String>,
}

#[derive(Clone)]
struct Stream<'c> {
    finders: Vec<Finder<'c>>,
    /// The last of the text, from `base` on.
    text: Vec<u8>,
    base: u64,
}

impl Stream<'_> {
    fn read(&mut self, text: Option<&[u8]>, masks: &Masks) -> Option<String> {
        let mut found = Vec::new();
        self.text.extend_from_slice(text.unwrap_or_default());
        for (mask, finder) in self.finders.iter_mut().enumerate() {
            let mut note = |finding| found.push((mask, finding));
            match text {
                Some(text) => finder.push(text, &mut note),
                None => finder.clone().finish(&mut note),
            }
        }
        let value = |start: u64, end: u64| {
            let at = |offset: u64| usize::try_from(offset.saturating_sub(self.base)).unwrap_or(0);
            self.text.get(at(start)..at(end)).unwrap_or_default()
        };
        let first = found.iter().find(|(_, it)| !masks.is_ours(value(it.start, it.end)));
        let name = first.map(|(mask, it)| masks.name(*mask, it.detector).to_owned());
        let open = self.finders.iter().map(Finder::open).max().unwrap_or(0);
        let gone = self.text.len().saturating_sub(usize::try_from(open).unwrap_or(usize::MAX));
        self.text.drain(..gone);
        self.base += gone as u64;
        name
    }
}

impl Finders<'_> {
    fn note(&mut self, name: Option<String>, at: &Place<'_>) {
        if let (Some(name), None) = (name, &self.found) {
            self.found = Some(format!("{at} (detector {name})"));
        }
    }

    fn judge(&self) -> Result<(), DecodeError> {
        match &self.found {
            Some(found) => Err(DecodeError::new(found.clone(), Why::Unmaskable)),
            None => Ok(()),
        }
    }
}

impl Sink for Finders<'_> {
    fn open(&mut self, id: StreamId, _: &Place<'_>) {
        let finders = self.masks.list().iter().map(|mask| Finder::new(&mask.set)).collect();
        self.open.insert(id, Stream { finders, text: Vec::new(), base: 0 });
    }

    fn fork(&mut self, id: StreamId, of: StreamId, _: &Place<'_>) {
        if let Some(stream) = self.open.get(&of).cloned() {
            self.open.insert(id, stream);
        }
    }

    fn text(&mut self, id: StreamId, at: &Place<'_>, text: &[u8]) {
        let masks = self.masks;
        let name = self.open.get_mut(&id).and_then(|stream| stream.read(Some(text), masks));
        self.note(name, at);
    }

    fn close(&mut self, id: StreamId, at: &Place<'_>) {
        let masks = self.masks;
        let name = self.open.remove(&id).and_then(|mut stream| stream.read(None, masks));
        self.note(name, at);
    }

    fn cancel(&mut self, id: StreamId) {
        self.open.remove(&id);
    }
}
