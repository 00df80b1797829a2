//! Which rules speak of a host, and of a path on it: by hash for names, their parents and the
//! segments that a path begins with, by prefix for addresses.

use crate::normal::{Host, Name};
use crate::pattern::{HostPattern, ResourcePattern};
use crate::reading;
use hashbrown::HashMap;
use ipnet::IpNet;
use std::net::IpAddr;

/// Longest segment and most segments by which a rule is found; what is behind them is left to the
/// rule itself.
const MAX_SEGMENT: usize = 64;
const MAX_DEPTH: usize = 16;

/// Rules (by their place in a list) under the host that they name.
#[derive(Debug, Default)]
pub(crate) struct HostIndex {
    exact: HashMap<Box<str>, Rules>,
    /// `*.parent`, by parent.
    below: HashMap<Box<str>, Rules>,
    any_name: Rules,
    /// By network; `prefixes` lists the lengths that occur, so that a look-up tries no others.
    nets: HashMap<IpNet, Rules>,
    prefixes: Vec<u8>,
}

/// The rules of one host pattern.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// In the order in which they were inserted.
    all: Vec<usize>,
    /// Where any of them has a path: the same rules, by the segments that their paths begin with.
    by_path: Option<Box<Segment>>,
}

#[derive(Debug, Default)]
struct Segment {
    /// Rules of which no further segment is known.
    here: Vec<usize>,
    /// By the next segment, in lower case.
    below: HashMap<Box<[u8]>, Segment>,
}

impl HostIndex {
    pub(crate) fn insert(&mut self, pattern: &ResourcePattern, at: usize) {
        let rules = match &pattern.host {
            HostPattern::Exact(name) => self.exact.entry(name.as_str().into()).or_default(),
            HostPattern::Below(name) => self.below.entry(name.as_str().into()).or_default(),
            HostPattern::AnyName => &mut self.any_name,
            HostPattern::Net(net) => {
                if !self.prefixes.contains(&net.prefix_len()) {
                    self.prefixes.push(net.prefix_len());
                }
                self.nets.entry(*net).or_default()
            }
        };
        rules.insert(pattern, at);
    }

    /// The rules of every host pattern that matches, pattern by pattern.
    pub(crate) fn of<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = &'a Rules> + 'a {
        let (name, ip) = match host {
            Host::Name(name) => (Some(name), None),
            Host::Ip(ip) => (None, Some(*ip)),
        };
        let by_name = name.into_iter().flat_map(|name| self.by_name(name));
        let by_ip = ip.into_iter().flat_map(|ip| self.by_ip(ip));
        by_name.chain(by_ip)
    }

    /// The rules whose host pattern matches, in no particular order, each once.
    pub(crate) fn candidates<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = usize> + 'a {
        self.of(host).flat_map(Rules::iter)
    }

    fn by_name<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Rules> + 'a {
        let exact = self.exact.get(name.as_str());
        let parents = (!self.below.is_empty()).then(|| Parents(name.as_str()));
        let below = parents.into_iter().flatten().filter_map(|parent| self.below.get(parent));
        exact.into_iter().chain(below).chain(std::iter::once(&self.any_name))
    }

    fn by_ip(&self, ip: IpAddr) -> impl Iterator<Item = &Rules> + '_ {
        let nets = self.prefixes.iter().filter_map(move |len| IpNet::new(ip, *len).ok());
        nets.filter_map(|net| self.nets.get(&net.trunc()))
    }
}

impl Rules {
    fn insert(&mut self, pattern: &ResourcePattern, at: usize) {
        if pattern.path.is_some() && self.by_path.is_none() {
            self.by_path = Some(Box::new(Segment { here: self.all.clone(), ..Segment::default() }));
        }
        self.all.push(at);
        let Some(mut segment) = self.by_path.as_deref_mut() else { return };
        let leading = pattern.path.iter().flat_map(|glob| glob.leading_segments());
        for next in leading.take(MAX_DEPTH).take_while(|next| next.len() <= MAX_SEGMENT) {
            segment = segment.below.entry(next.to_ascii_lowercase().into()).or_default();
        }
        segment.here.push(at);
    }

    /// All of them, in the order in which they were inserted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.all.iter().copied()
    }

    /// Visits the rules that could match this path under any reading, each once. Costs a hash of
    /// each segment for as long as rules have such segments.
    pub(crate) fn for_path(&self, path: &str, mut visit: impl FnMut(usize)) {
        let Some(mut segment) = self.by_path.as_deref() else {
            return self.iter().for_each(visit);
        };
        segment.here.iter().for_each(|at| visit(*at));
        let decoded = reading::fully_decoded(path);
        let mut lower = [0; MAX_SEGMENT];
        for next in decoded.split(|b| *b == b'/').skip(1) {
            let Some(lower) = lower.get_mut(..next.len()) else { return };
            lower.copy_from_slice(next);
            lower.make_ascii_lowercase();
            let Some(found) = segment.below.get(&*lower) else { return };
            segment = found;
            segment.here.iter().for_each(|at| visit(*at));
        }
    }
}

/// `b.c` and `c` of `a.b.c`.
struct Parents<'a>(&'a str);

impl<'a> Iterator for Parents<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let dot = self.0.find('.')?;
        self.0 = &self.0[dot + 1..];
        Some(self.0)
    }
}

#[cfg(test)]
mod tests;
