//! Which rules speak of a host: by hash for names and their parents, by prefix for addresses.

use crate::normal::{Host, Name};
use crate::pattern::HostPattern;
use hashbrown::HashMap;
use ipnet::IpNet;
use std::net::IpAddr;

/// Rules (by their place in a list) under the host that they name.
#[derive(Debug, Default)]
pub(crate) struct HostIndex {
    exact: HashMap<Box<str>, Vec<usize>>,
    /// `*.parent`, by parent.
    below: HashMap<Box<str>, Vec<usize>>,
    any_name: Vec<usize>,
    /// By network; `prefixes` lists the lengths that occur, so that a look-up tries no others.
    nets: HashMap<IpNet, Vec<usize>>,
    prefixes: Vec<u8>,
}

impl HostIndex {
    pub(crate) fn insert(&mut self, host: &HostPattern, at: usize) {
        match host {
            HostPattern::Exact(name) => {
                self.exact.entry(name.as_str().into()).or_default().push(at)
            }
            HostPattern::Below(name) => {
                self.below.entry(name.as_str().into()).or_default().push(at)
            }
            HostPattern::AnyName => self.any_name.push(at),
            HostPattern::Net(net) => {
                self.nets.entry(*net).or_default().push(at);
                if !self.prefixes.contains(&net.prefix_len()) {
                    self.prefixes.push(net.prefix_len());
                }
            }
        }
    }

    /// The rules whose host pattern matches, in no particular order, each once.
    pub(crate) fn candidates<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = usize> + 'a {
        let (name, ip) = match host {
            Host::Name(name) => (Some(name), None),
            Host::Ip(ip) => (None, Some(*ip)),
        };
        let by_name = name.into_iter().flat_map(|name| self.by_name(name));
        let by_ip = ip.into_iter().flat_map(|ip| self.by_ip(ip));
        by_name.chain(by_ip)
    }

    fn by_name<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = usize> + 'a {
        let exact = self.exact.get(name.as_str()).into_iter().flatten();
        let parents = (!self.below.is_empty()).then(|| Parents(name.as_str()));
        let below =
            parents.into_iter().flatten().filter_map(|parent| self.below.get(parent)).flatten();
        exact.chain(below).chain(&self.any_name).copied()
    }

    fn by_ip(&self, ip: IpAddr) -> impl Iterator<Item = usize> + '_ {
        let nets = self.prefixes.iter().filter_map(move |len| IpNet::new(ip, *len).ok());
        nets.filter_map(|net| self.nets.get(&net.trunc())).flatten().copied()
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
