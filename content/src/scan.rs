//! Holds what an agent sends to the content rules of its policies: a matcher for every stream of the
//! [`Decoder`], so that what is encoded is looked at as what it stands for.
//!
//! Text in which a letter is none of ASCII is also looked at with its letters folded ([`fold`](crate::fold)).
//! Detectors see it as it is: letters of one case are part of most tokens.

use crate::fold::Fold;
use crate::{DecodeError, Decoder, Limits, Media, Place, Sink, StreamId};
use exeat_policy::Code;
use exeat_policy::body::{BodyPatterns, Scanner};
use exeat_policy::content::Content;
use exeat_policy::detect::{Finder, Set};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// What one scan may spend: less than a decoder by itself may, since many bodies are read at once.
const LIMITS: Limits = Limits {
    depth: 8,
    streams: 256,
    output_base: 16 << 20,
    output_per_input: 100,
    output_total: 16 << 30,
    memory: 1 << 20,
};
/// The same where the body is declared as compressed.
const COMPRESSED: Limits = Limits { memory: 16 << 20, ..LIMITS };
/// The same for a piece of a head.
const HEAD: Limits = Limits { output_base: 1 << 20, ..LIMITS };

pub(crate) fn limits(media: &Media) -> Limits {
    if media.is_compressed() { COMPRESSED } else { LIMITS }
}

/// Bytes that the scan of such a body may hold for decoding.
#[must_use]
pub fn scan_memory(media: &Media) -> usize {
    limits(media).memory
}

/// What was found, and where. Never the text itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The index of the rule's [`Content`] in the list that was scanned for.
    pub rule: usize,
    pub what: What,
    /// As in `body.messages[3].content (base64)`, or `header authorization`.
    pub place: String,
}

impl Found {
    /// Why what it was found in is refused.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self.what {
            What::BodyPattern(_) => Code::BodyPattern,
            What::Pattern(_) => Code::ContentPattern,
            What::Detector(_) => Code::Detected,
        }
    }

    /// The same for people: where it was found, and by what.
    #[must_use]
    pub fn reason(&self) -> String {
        format!("{} holds what this rule does not let out ({})", self.place, self.what)
    }
}

/// What a rule names: an entry of a list, by its index, or a detector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    BodyPattern(usize),
    Pattern(usize),
    Detector(String),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BodyPattern(index) => write!(f, "denyBodyPatterns[{index}]"),
            Self::Pattern(index) => write!(f, "denyPatterns[{index}]"),
            Self::Detector(name) => write!(f, "detector {name}"),
        }
    }
}

/// Scans one body as it comes.
pub struct Scan<'c> {
    decoder: Decoder,
    streams: Streams<'c>,
}

impl<'c> Scan<'c> {
    /// A scan of a body that is declared as `media`.
    #[must_use]
    pub fn new(rules: &'c [Arc<Content>], media: &Media) -> Self {
        Self { decoder: Decoder::new(media, limits(media)), streams: Streams::new(rules, true) }
    }

    /// Takes the next bytes. After something was found it stays found.
    ///
    /// # Errors
    /// When what was declared cannot be decoded, or a limit is reached: what is behind it was not seen.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<&Found>, DecodeError> {
        if self.streams.found.is_none() {
            self.decoder.push(bytes, &mut self.streams)?;
        }
        Ok(self.streams.found.as_ref())
    }

    /// The body has ended.
    ///
    /// # Errors
    /// As [`push`](Self::push), and when what was declared has not ended.
    pub fn finish(mut self) -> Result<Option<Found>, DecodeError> {
        if self.streams.found.is_none() {
            self.decoder.finish(&mut self.streams)?;
        }
        Ok(self.streams.found)
    }
}

/// Scans a piece of a head, such as a path or the value of a header line, for what may be nowhere.
///
/// # Errors
/// When it decodes to more than the limits.
pub fn scan_text(
    rules: &[Arc<Content>],
    called: &str,
    text: &[u8],
) -> Result<Option<Found>, DecodeError> {
    let media = Media { called: Some(""), ..Media::default() };
    let mut decoder = Decoder::new(&media, HEAD);
    let mut streams = Streams::new(rules, false);
    decoder.push(text, &mut streams)?;
    if streams.found.is_none() {
        decoder.finish(&mut streams)?;
    }
    Ok(streams.found.map(|found| Found { place: format!("{called}{}", found.place), ..found }))
}

/// Scans the head of a request for what may be nowhere: the path, the query behind it, and the names and
/// values of header lines.
///
/// # Errors
/// As [`scan_text`].
pub fn scan_head<'a>(
    rules: &[Arc<Content>],
    path: &[u8],
    query: Option<&[u8]>,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Option<Found>, DecodeError> {
    if !rules.iter().any(|content| content.reads_heads()) {
        return Ok(None);
    }
    let first = [("path", Some(path)), ("query", query)];
    for (called, text) in first {
        if let Some(found) = scan_text(rules, called, text.unwrap_or_default())? {
            return Ok(Some(found));
        }
    }
    for (name, value) in headers {
        let named = scan_text(rules, "the name of a header", name.as_bytes())?;
        if let Some(found) = named {
            return Ok(Some(found));
        }
        if let Some(found) = scan_text(rules, &format!("header {name}"), value)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The matchers of every open stream.
struct Streams<'c> {
    rules: &'c [Arc<Content>],
    /// Whether what may not be in a body counts.
    body: bool,
    open: HashMap<StreamId, Matchers<'c>>,
    found: Option<Found>,
}

impl<'c> Streams<'c> {
    fn new(rules: &'c [Arc<Content>], body: bool) -> Self {
        Self { rules, body, open: HashMap::new(), found: None }
    }

    fn note(&mut self, hit: Option<(usize, What)>, at: &Place<'_>) {
        if let (Some((rule, what)), None) = (hit, &self.found) {
            self.found = Some(Found { rule, what, place: at.to_string() });
        }
    }
}

impl Sink for Streams<'_> {
    fn open(&mut self, id: StreamId, _: &Place<'_>) {
        if self.found.is_none() {
            self.open.insert(id, Matchers::new(self.rules, self.body));
        }
    }

    fn fork(&mut self, id: StreamId, of: StreamId, _: &Place<'_>) {
        if let Some(matchers) = self.open.get(&of).cloned() {
            self.open.insert(id, matchers);
        }
    }

    fn text(&mut self, id: StreamId, at: &Place<'_>, text: &[u8]) {
        if self.found.is_some() {
            return;
        }
        let hit = self.open.get_mut(&id).and_then(|matchers| matchers.push(text));
        self.note(hit, at);
    }

    fn close(&mut self, id: StreamId, at: &Place<'_>) {
        let hit = self.open.remove(&id).and_then(Matchers::finish);
        self.note(hit, at);
    }

    fn cancel(&mut self, id: StreamId) {
        self.open.remove(&id);
    }
}

/// What one stream is looked at with.
#[derive(Debug, Clone)]
struct Matchers<'c> {
    patterns: Vec<Patterns<'c>>,
    detectors: Vec<(usize, &'c Set, Finder<'c>)>,
    /// The patterns once more, over folded letters, from the first letter on that is none of ASCII.
    folded: Option<(Fold, Vec<Patterns<'c>>)>,
}

#[derive(Debug, Clone)]
struct Patterns<'c> {
    rule: usize,
    of: fn(usize) -> What,
    scanner: Scanner<'c>,
}

impl<'c> Matchers<'c> {
    fn new(rules: &'c [Arc<Content>], body: bool) -> Self {
        let mut patterns = Vec::new();
        let mut detectors = Vec::new();
        for (rule, content) in rules.iter().enumerate() {
            let mut add = |list: &'c Option<BodyPatterns>, of: fn(usize) -> What| {
                let scanner = list.as_ref().map(Scanner::new);
                patterns.extend(scanner.map(|scanner| Patterns { rule, of, scanner }));
            };
            if body {
                add(&content.body, What::BodyPattern);
            }
            add(&content.anywhere, What::Pattern);
            detectors.extend(content.detectors.iter().map(|set| (rule, set, Finder::new(set))));
        }
        Self { patterns, detectors, folded: None }
    }

    fn push(&mut self, text: &[u8]) -> Option<(usize, What)> {
        self.fold(text).or_else(|| push_all(&mut self.patterns, text)).or_else(|| {
            self.detectors.iter_mut().find_map(|(rule, set, finder)| {
                let mut found = None;
                finder.push(text, &mut |finding| {
                    found.get_or_insert(finding.detector);
                });
                found.map(|index| (*rule, What::Detector(set.name(index).to_owned())))
            })
        })
    }

    /// Goes before the patterns are given the text: their state is that of the folded ones until here.
    fn fold(&mut self, text: &[u8]) -> Option<(usize, What)> {
        let mut rest = text;
        if self.folded.is_none() {
            let plain = text.iter().position(|byte| !byte.is_ascii())?;
            let (before, after) = text.split_at(plain);
            let mut patterns = self.patterns.clone();
            // The patterns themselves are given it with the whole text.
            let _ = push_all(&mut patterns, before);
            self.folded = Some((Fold::default(), patterns));
            rest = after;
        }
        let (fold, patterns) = self.folded.as_mut()?;
        let mut out = Vec::with_capacity(rest.len());
        fold.push(rest, &mut out);
        push_all(patterns, &out)
    }

    fn finish(self) -> Option<(usize, What)> {
        let folded = self.folded.and_then(|(mut fold, mut patterns)| {
            let mut out = Vec::new();
            fold.finish(&mut out);
            push_all(&mut patterns, &out).or_else(|| finish_all(patterns))
        });
        folded.or_else(|| finish_all(self.patterns)).or_else(|| {
            self.detectors.into_iter().find_map(|(rule, set, finder)| {
                let mut found = None;
                finder.finish(&mut |finding| {
                    found.get_or_insert(finding.detector);
                });
                found.map(|index| (rule, What::Detector(set.name(index).to_owned())))
            })
        })
    }
}

fn push_all(patterns: &mut [Patterns<'_>], text: &[u8]) -> Option<(usize, What)> {
    patterns.iter_mut().find_map(|one| {
        let index = one.scanner.push(text)?;
        Some((one.rule, (one.of)(index)))
    })
}

fn finish_all(patterns: Vec<Patterns<'_>>) -> Option<(usize, What)> {
    patterns.into_iter().find_map(|mut one| {
        let index = one.scanner.finish()?;
        Some((one.rule, (one.of)(index)))
    })
}
