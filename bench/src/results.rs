//! What was measured, which rounds of it count, and how proxies compare within a round.

use crate::work::{Sample, Work};
use serde::Serialize;

/// A round is disturbed where the upstream without a proxy made less than this share of its
/// median, or where others took more of the machine than in the median round by this much.
const SLOW: f64 = 0.85;
const TAKEN: f64 = 0.05;

/// Every proxy at one kind of work, one after the other.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Round {
    pub(crate) work: Work,
    /// By name, in the order in which they were measured.
    pub(crate) samples: Vec<(String, Sample)>,
    /// Too much happened beside it: it counts for nothing.
    pub(crate) disturbed: bool,
}

impl Round {
    pub(crate) fn of(&self, name: &str) -> Option<&Sample> {
        self.samples.iter().find(|(it, _)| it == name).map(|(_, sample)| sample)
    }

    /// The most that others took of the machine while one of the proxies was measured.
    fn taken(&self) -> f64 {
        let all = self.samples.iter().map(|(_, it)| it.others.foreign + it.others.steal);
        all.fold(0.0, f64::max)
    }
}

/// Which value of a sample.
pub(crate) type Value = fn(&Sample) -> f64;

/// A ratio, pair by pair within each round that counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// Marks the disturbed rounds of one kind of work. At least half of them always count, since both
/// measures are against a median.
pub(crate) fn mark(rounds: &mut [&mut Round], direct: &str) {
    let speeds: Vec<f64> =
        rounds.iter().filter_map(|it| it.of(direct)).map(|it| it.per_second).collect();
    let (speed, taken) =
        (median(&speeds), median(&rounds.iter().map(|it| it.taken()).collect::<Vec<_>>()));
    for round in rounds {
        let slow = round.of(direct).is_some_and(|it| it.per_second < SLOW * speed.unwrap_or(0.0));
        round.disturbed = slow || taken.is_some_and(|taken| round.taken() > taken + TAKEN);
    }
}

/// The median of a value over the rounds that count.
pub(crate) fn typical(rounds: &[Round], work: Work, name: &str, value: Value) -> Option<f64> {
    let all: Vec<f64> = counting(rounds, work).filter_map(|it| it.of(name)).map(value).collect();
    median(&all)
}

/// `ours` over `theirs`; None where nothing was measured of one, or where less than `floor` of it
/// was, below which a value is noise.
pub(crate) fn ratio(
    rounds: &[Round],
    work: Work,
    [ours, theirs]: [&str; 2],
    value: Value,
    floor: f64,
) -> Option<Ratio> {
    let mut all: Vec<f64> = counting(rounds, work)
        .filter_map(|round| Some((value(round.of(ours)?), value(round.of(theirs)?))))
        .filter(|(_, theirs)| *theirs > floor)
        .map(|(ours, theirs)| ours / theirs)
        .collect();
    all.sort_by(f64::total_cmp);
    let (least, most) = (*all.first()?, *all.last()?);
    Some(Ratio { median: median(&all)?, least, most })
}

fn counting(rounds: &[Round], work: Work) -> impl Iterator<Item = &Round> {
    rounds.iter().filter(move |round| round.work == work && !round.disturbed)
}

/// Of an even number, the mean of the two in the middle.
pub(crate) fn median(all: &[f64]) -> Option<f64> {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    let upper = *all.get(all.len() / 2)?;
    Some(if all.len() % 2 == 0 { f64::midpoint(all[all.len() / 2 - 1], upper) } else { upper })
}
