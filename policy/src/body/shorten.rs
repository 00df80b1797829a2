//! Cuts from the end of a pattern what decides nothing.
//!
//! A body is refused as soon as a match is there, however long the match could still become. A
//! repetition at the end of a pattern is thus as good as the fewest times that it takes: `x[0-9]{4,40}`
//! is found where `x[0-9]{4}` is. The automaton of the latter is smaller by far.

use regex_syntax::hir::{Hir, HirKind, Repetition};

/// A pattern that matches in the same bodies, and as early as this one.
pub(super) fn shorten(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Repetition(Repetition { min: 0, .. }) => Hir::empty(),
        HirKind::Repetition(Repetition { min: 1, sub, .. }) => shorten(*sub),
        HirKind::Repetition(mut repetition) => {
            repetition.max = Some(repetition.min);
            Hir::repetition(repetition)
        }
        HirKind::Capture(capture) => shorten(*capture.sub),
        HirKind::Concat(mut parts) => {
            while let Some(last) = parts.pop().map(shorten) {
                if *last.kind() != HirKind::Empty {
                    parts.push(last);
                    break;
                }
            }
            Hir::concat(parts)
        }
        HirKind::Alternation(parts) => Hir::alternation(parts.into_iter().map(shorten).collect()),
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Look(look) => Hir::look(look),
    }
}
