//! The detectors of a rule, compiled together.

use super::catalogue;
use super::custom::{Compiled, CustomDetector};
use super::detector::{Begin, Detector};
use super::shape::Shape;
use super::triggers::{Tells, Triggers};
use std::sync::{LazyLock, OnceLock};
use thiserror::Error;

/// Shapes of the catalogue, each compiled when it is first asked for.
static SHAPES: LazyLock<Vec<OnceLock<Option<Shape>>>> =
    LazyLock::new(|| catalogue::all().iter().map(|_| OnceLock::new()).collect());

/// Why a set does not compile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DetectError {
    #[error("there is no detector {name:?}{}", or_else(.nearest))]
    Unknown { name: String, nearest: Option<&'static str> },
    #[error("the custom detector {name:?} is called like one of the catalogue, or twice")]
    Taken { name: String },
    #[error("the detector {name:?} does not compile")]
    Catalogue { name: &'static str },
    #[error("custom detector {name:?}: {problem}")]
    Custom { name: String, problem: String },
}

/// Detectors that are looked for together, in the order of the catalogue, custom ones behind it.
#[derive(Debug)]
pub struct Set {
    pub(super) members: Vec<Member>,
    pub(super) triggers: Triggers,
    pub(super) runs: Vec<usize>,
    pub(super) near: Vec<usize>,
    pub(super) before: Vec<Before>,
    /// Anchors that stand inside a match, by member.
    pub(super) backs: Vec<(usize, usize)>,
    pub(super) assigned: Option<usize>,
    pub(super) phrase: Option<usize>,
    pub(super) custom: Vec<Compiled>,
}

#[derive(Debug)]
pub(super) struct Member {
    name: String,
    /// None: what finds it needs no automaton.
    pub(super) shape: Option<&'static Shape>,
    /// Gives way to all others.
    pub(super) generic: bool,
}

#[derive(Debug)]
pub(super) struct Before {
    pub(super) member: usize,
    pub(super) byte: u8,
    pub(super) class: fn(u8) -> bool,
    pub(super) most: usize,
}

impl Set {
    /// Compiles the detectors of the catalogue that are named, in any order, and custom ones.
    ///
    /// # Errors
    /// For a name that the catalogue does not have, and for a custom detector that has a taken name,
    /// is over its limits or does not parse.
    pub fn compile<S: AsRef<str>>(
        names: &[S],
        custom: &[CustomDetector],
    ) -> Result<Self, DetectError> {
        let mut indices = Vec::with_capacity(names.len());
        for name in names {
            let name = name.as_ref();
            let index = catalogue::all().iter().position(|it| it.name == name);
            indices.push(index.ok_or_else(|| DetectError::Unknown {
                name: name.chars().take(80).collect(),
                nearest: catalogue::nearest(name),
            })?);
        }
        indices.sort_unstable();
        indices.dedup();
        Self::of(&indices, custom)
    }

    /// The detectors that are on by default.
    ///
    /// # Errors
    /// Never: a test compiles the catalogue.
    pub fn standard() -> Result<Self, DetectError> {
        let standard = catalogue::all().iter().enumerate().filter(|(_, it)| it.standard);
        Self::of(&standard.map(|(index, _)| index).collect::<Vec<_>>(), &[])
    }

    fn of(indices: &[usize], custom: &[CustomDetector]) -> Result<Self, DetectError> {
        let mut set = Self {
            members: Vec::with_capacity(indices.len()),
            triggers: Triggers::new(Vec::new()),
            runs: Vec::new(),
            near: Vec::new(),
            before: Vec::new(),
            backs: Vec::new(),
            assigned: None,
            phrase: None,
            custom: Vec::new(),
        };
        let mut literals = Vec::new();
        for &index in indices {
            let Some(detector) = catalogue::all().get(index) else { continue };
            set.add(detector, index, &mut literals)?;
        }
        for one in custom {
            let name = one.name();
            if set.members.iter().any(|it| it.name == name) || catalogue::by_name(name).is_some() {
                return Err(DetectError::Taken { name: name.to_owned() });
            }
            let member = set.members.len();
            let compiled = Compiled::new(one, member).map_err(|problem| DetectError::Custom {
                name: name.chars().take(80).collect(),
                problem,
            })?;
            set.custom.push(compiled);
            set.members.push(Member { name: name.to_owned(), shape: None, generic: false });
        }
        set.triggers = Triggers::new(literals);
        Ok(set)
    }

    fn add(
        &mut self,
        detector: &'static Detector,
        index: usize,
        literals: &mut Vec<(Vec<u8>, usize, Tells)>,
    ) -> Result<(), DetectError> {
        let member = self.members.len();
        let mut all = |words: &[&str], tells| {
            literals.extend(words.iter().map(|it| (it.as_bytes().to_vec(), member, tells)));
        };
        match detector.begin {
            Begin::Anchor { literals, back } => {
                all(literals, Tells::Begins { back });
                if back > 0 {
                    self.backs.push((member, back));
                }
            }
            Begin::Heads(heads) => {
                let tells = Tells::Begins { back: 0 };
                literals.extend(heads().iter().map(|head| (head.to_vec(), member, tells)));
            }
            Begin::Named(names) => all(names, Tells::Names),
            Begin::Near(words) => {
                all(words, Tells::Context);
                self.near.push(member);
            }
            Begin::Run => self.runs.push(member),
            Begin::Before { byte, class, most } => {
                self.before.push(Before { member, byte, class, most });
            }
            Begin::Assigned => self.assigned = Some(member),
            Begin::Phrase => self.phrase = Some(member),
        }
        let shape = match detector.begin {
            Begin::Phrase => None,
            _ => Some(shape(detector, index)?),
        };
        let generic = matches!(detector.begin, Begin::Assigned);
        self.members.push(Member { name: detector.name.to_owned(), shape, generic });
        Ok(())
    }

    /// The name of a finding's detector.
    pub fn name(&self, detector: usize) -> &str {
        self.members.get(detector).map_or("", |member| member.name.as_str())
    }

    /// The names of all, by their index.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.name.as_str())
    }
}

fn or_else(nearest: &Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

fn shape(detector: &'static Detector, index: usize) -> Result<&'static Shape, DetectError> {
    SHAPES
        .get(index)
        .and_then(|shape| shape.get_or_init(|| Shape::compile(detector)).as_ref())
        .ok_or(DetectError::Catalogue { name: detector.name })
}
