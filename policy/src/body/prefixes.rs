//! The literals that every match of a pattern begins with.
//!
//! All literals are *folded*: bytes lose bit 5, by which upper and lower case of ASCII letters differ.
//! That also makes some other bytes equal, which only lets a search find more.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// Longest literal that is of use.
pub(super) const MAX_LITERAL: usize = 16;
/// Most literals of one pattern while some have less than [`ENOUGH`] bytes, and afterwards: a search
/// for many long literals is no better than one for a few short ones.
const MAX_LITERALS: usize = 1024;
const FEW_LITERALS: usize = 32;
const ENOUGH: usize = 4;
/// Largest class that is written out.
const MAX_CLASS: usize = 64;

/// What folding keeps of a byte.
pub(super) const KEPT_BITS: u8 = !0x20;

const fn fold(byte: u8) -> u8 {
    byte & KEPT_BITS
}

/// A literal; `open` while what follows in the pattern may be appended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Prefix {
    bytes: Vec<u8>,
    open: bool,
}

/// The literals of a pattern. Every match begins with one of them; some may be empty.
pub(super) fn of(hir: &Hir) -> Vec<Vec<u8>> {
    let mut literals: Vec<_> = tidy(prefixes(hir)).into_iter().map(|prefix| prefix.bytes).collect();
    literals.sort_unstable();
    literals.dedup();
    literals
}

fn prefixes(hir: &Hir) -> Vec<Prefix> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => nothing(),
        HirKind::Literal(literal) => vec![prefix(&literal.0)],
        HirKind::Class(class) => of_class(class),
        HirKind::Capture(capture) => prefixes(&capture.sub),
        HirKind::Repetition(repetition) => of_repetition(repetition),
        HirKind::Concat(parts) => {
            parts.iter().fold(nothing(), |all, part| append(all, || prefixes(part)))
        }
        HirKind::Alternation(parts) => tidy(parts.iter().flat_map(prefixes).collect()),
    }
}

/// The empty text, to which anything may be appended.
fn nothing() -> Vec<Prefix> {
    vec![prefix(&[])]
}

fn prefix(bytes: &[u8]) -> Prefix {
    let bytes = bytes.iter().take(MAX_LITERAL + 1).map(|b| fold(*b)).collect();
    Prefix { bytes, open: true }
}

fn of_class(class: &Class) -> Vec<Prefix> {
    let mut buffer = [0; 4];
    let all = match class {
        Class::Bytes(class) => {
            let size: usize = class.ranges().iter().map(|range| range.len()).sum();
            let bytes = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            (size <= MAX_CLASS).then(|| bytes.map(|b| prefix(&[b])).collect())
        }
        Class::Unicode(class) => {
            let size: usize = class.ranges().iter().map(|range| range.len()).sum();
            let chars = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            let mut of = |c: char| prefix(c.encode_utf8(&mut buffer).as_bytes());
            (size <= MAX_CLASS).then(|| chars.map(&mut of).collect())
        }
    };
    all.map_or_else(|| closed(nothing()), tidy)
}

fn of_repetition(repetition: &Repetition) -> Vec<Prefix> {
    let once = prefixes(&repetition.sub);
    if repetition.min == 0 {
        let more = if repetition.max == Some(1) { once } else { closed(once) };
        return tidy(nothing().into_iter().chain(more).collect());
    }
    let copies = (repetition.min as usize).min(MAX_LITERAL);
    let all = (0..copies).fold(nothing(), |all, _| append(all, || once.clone()));
    // Behind the copies may come another one, or what follows in the pattern.
    let exact = repetition.max == Some(repetition.min) && copies == repetition.min as usize;
    if exact { all } else { closed(all) }
}

fn closed(mut all: Vec<Prefix>) -> Vec<Prefix> {
    all.iter_mut().for_each(|prefix| prefix.open = false);
    all
}

/// Every open literal, followed by each of `next`; too many of them end here instead.
fn append(all: Vec<Prefix>, next: impl Fn() -> Vec<Prefix>) -> Vec<Prefix> {
    if !all.iter().any(|prefix| prefix.open) {
        return all;
    }
    let next = next();
    let mut longer = Vec::new();
    for prefix in &all {
        if !prefix.open {
            longer.push(prefix.clone());
            continue;
        }
        for more in &next {
            let bytes = [prefix.bytes.as_slice(), &more.bytes].concat();
            longer.push(Prefix { bytes, open: more.open });
        }
    }
    let longer = tidy(longer);
    let short = all.iter().any(|prefix| prefix.bytes.len() < ENOUGH);
    let most = if short { MAX_LITERALS } else { FEW_LITERALS };
    if longer.len() > most { closed(all) } else { longer }
}

/// Cuts literals to their greatest length, and drops what occurs twice.
fn tidy(mut all: Vec<Prefix>) -> Vec<Prefix> {
    for prefix in &mut all {
        if prefix.bytes.len() > MAX_LITERAL {
            prefix.bytes.truncate(MAX_LITERAL);
            prefix.open = false;
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}
