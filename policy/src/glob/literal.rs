//! Literals of a glob, found at every place of a path in one walk: the algorithm of Knuth, Morris and
//! Pratt (SIAM Journal on Computing 6(2), 1977). A byte of the path is compared at most twice.

use std::marker::PhantomData;

/// How letters are compared.
pub(super) trait Letters {
    /// Whether upper and lower case are the same.
    const FOLDED: bool;

    fn same(a: u8, b: u8) -> bool;

    fn equal(a: &[u8], b: &[u8]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Self::same(*a, *b))
    }
}

/// Byte for byte.
pub(super) struct Exact;

/// Without regard to the case of ASCII letters.
pub(super) struct AnyCase;

impl Letters for Exact {
    const FOLDED: bool = false;

    fn same(a: u8, b: u8) -> bool {
        a == b
    }

    fn equal(a: &[u8], b: &[u8]) -> bool {
        a == b
    }
}

impl Letters for AnyCase {
    const FOLDED: bool = true;

    fn same(a: u8, b: u8) -> bool {
        a.eq_ignore_ascii_case(&b)
    }
}

/// A literal, and for each of its beginnings how much of it is a shorter beginning again, under both
/// ways to compare letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Literal {
    bytes: Box<[u8]>,
    exact: Box<[usize]>,
    folded: Box<[usize]>,
}

impl Literal {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let (exact, folded) = (borders::<Exact>(&bytes), borders::<AnyCase>(&bytes));
        Self { bytes: bytes.into(), exact, folded }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Looks for the literal in a path.
    pub(super) fn search<'a, L: Letters>(&'a self, path: &'a [u8]) -> Search<'a, L> {
        let borders = if L::FOLDED { &self.folded } else { &self.exact };
        Search { literal: &self.bytes, borders, path, read: 0, matched: 0, letters: PhantomData }
    }
}

/// For each beginning of the literal the length of the longest shorter beginning that it ends with.
fn borders<L: Letters>(literal: &[u8]) -> Box<[usize]> {
    let mut borders = vec![0; literal.len()];
    let mut matched = 0;
    for at in 1..literal.len() {
        while matched > 0 && !L::same(literal[at], literal[matched]) {
            matched = borders[matched - 1];
        }
        matched += usize::from(L::same(literal[at], literal[matched]));
        borders[at] = matched;
    }
    borders.into()
}

/// A walk along a path. Places must be asked for in their order.
pub(super) struct Search<'a, L> {
    literal: &'a [u8],
    borders: &'a [usize],
    path: &'a [u8],
    /// Bytes of the path that were compared.
    read: usize,
    /// How much of the literal ends there.
    matched: usize,
    letters: PhantomData<L>,
}

impl<L: Letters> Search<'_, L> {
    /// Whether the literal begins at this place.
    pub(super) fn is_at(&mut self, at: usize) -> bool {
        if self.literal.is_empty() {
            return at <= self.path.len();
        }
        // What lies in front of the place is passed over, for nothing of it can count any more.
        if at > self.read {
            (self.read, self.matched) = (at, 0);
        }
        loop {
            // Where the literal may begin at the earliest, by what was read.
            let begin = self.read - self.matched;
            if begin > at {
                return false;
            }
            if begin == at && self.matched == self.literal.len() {
                return true;
            }
            let Some(&next) = self.path.get(self.read) else { return false };
            self.step(next);
        }
    }

    fn step(&mut self, next: u8) {
        while self.matched > 0
            && (self.matched == self.literal.len() || !L::same(next, self.literal[self.matched]))
        {
            self.matched = self.borders[self.matched - 1];
        }
        self.matched += usize::from(L::same(next, self.literal[self.matched]));
        self.read += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_where_it_is(literal in "(a|b|A|B){0,6}", path in "(a|b|A|B){0,24}", every in 1_usize..4) {
            let at = |path: &str, at: usize| path.get(at..).is_some_and(|rest| rest.starts_with(&literal));
            let folded = |path: &str, at: usize| {
                let (path, literal) = (path.to_ascii_lowercase(), literal.to_ascii_lowercase());
                path.get(at..).is_some_and(|rest| rest.starts_with(&literal))
            };
            let sought = Literal::new(literal.clone().into_bytes());
            let (mut exact, mut any) =
                (sought.search::<Exact>(path.as_bytes()), sought.search::<AnyCase>(path.as_bytes()));
            for place in (0..=path.len()).step_by(every) {
                prop_assert_eq!(exact.is_at(place), at(&path, place), "{} at {}", path, place);
                prop_assert_eq!(any.is_at(place), folded(&path, place), "{} at {}", path, place);
            }
        }
    }
}
