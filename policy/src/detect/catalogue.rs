//! The detectors, by group. Formats are those that vendors and standards publish.

use super::detector::Detector;
use std::sync::LazyLock;

mod chat;
mod ci;
mod cloud;
mod contact;
mod finance;
mod keys;
mod model;
mod payment;
mod people;
mod registry;
mod saas;
mod vcs;

/// Rises with every change of what a detector finds, and with every new detector.
pub const CATALOGUE_VERSION: u32 = 1;

static ALL: LazyLock<Vec<&'static Detector>> = LazyLock::new(|| {
    let groups: [&'static [Detector]; 15] = [
        cloud::DETECTORS,
        model::DETECTORS,
        vcs::DETECTORS,
        chat::DETECTORS,
        payment::DETECTORS,
        ci::DETECTORS,
        registry::DETECTORS,
        saas::DETECTORS,
        keys::DETECTORS,
        finance::DETECTORS,
        contact::DETECTORS,
        people::americas::DETECTORS,
        people::north::DETECTORS,
        people::europe::DETECTORS,
        people::asia::DETECTORS,
    ];
    groups.into_iter().flatten().collect()
});

/// All detectors, in the order of the catalogue, which decides where two find the same bytes.
pub fn all() -> &'static [&'static Detector] {
    &ALL
}

/// The detector of this name.
pub fn by_name(name: &str) -> Option<&'static Detector> {
    all().iter().copied().find(|detector| detector.name == name)
}

/// The name that is nearest to one that there is not, if one is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    let name: String =
        name.chars().take(64).collect::<String>().to_lowercase().replace(['_', ' '], "-");
    let near = |detector: &&Detector| (distance(&name, detector.name), detector.name);
    let (distance, nearest) = all().iter().map(near).min()?;
    let contains = || {
        all()
            .iter()
            .map(|detector| detector.name)
            .find(|known| name.len() > 2 && (known.contains(name.as_str()) || name.contains(known)))
    };
    if distance <= 1 + name.len() / 4 { Some(nearest) } else { contains() }
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, a) in left.bytes().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(before);
        for (above, b) in row.iter().skip(1).zip(right.bytes()) {
            before = (diagonal + usize::from(a != b)).min(before + 1).min(above + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}
