//! Synthetic addresses: what the agent gets instead of real ones, so that the proxy knows which
//! *name* a connection is for, and no name is resolved before it is dialled.
//!
//! Names that may be looked up and names that may not have addresses of different parts of the range,
//! so that a flood of the latter takes none from the former. What is connected to is decided by the
//! name, whatever part its address is of.

use super::Kept;
use crate::gate::SYNTHETIC_V6;
use exeat_policy::normal::Name;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// 198.18.0.0/15, RFC 2544: routed nowhere. The first and the last address are not given out.
const FIRST: u32 = 0xC612_0001;
const LAST: u32 = 0xC613_FFFE;
/// The last addresses are those of names that may not be looked up.
const DENIED: u32 = 4096;
const ALLOWED: u32 = LAST - FIRST + 1 - DENIED;
/// An address may be given to another name when nobody has asked for or used it for this long,
/// far beyond the answers' time to live.
const QUARANTINE: Duration = Duration::from_secs(1800);
/// The same for a name that may not be looked up: whatever it stands for next is refused too.
const DENIED_QUARANTINE: Duration = Duration::from_secs(60);

/// What an original destination stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// The address was given out for this name.
    Name(Name),
    /// The address is one of ours, and stands for nothing (any more).
    Nothing,
    /// The agent asked for the address itself.
    Address,
}

/// Who turns synthetic addresses back into names.
pub trait Names: Send + Sync {
    fn meaning(&self, address: IpAddr) -> Meaning;
}

/// One name, one address, both ways.
#[derive(Debug)]
pub struct Synthetic {
    allowed: Mutex<Table>,
    denied: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    /// The part of the range that is given out here.
    begin: u32,
    len: u32,
    quarantine: Duration,
    by_name: HashMap<Name, u32>,
    by_address: HashMap<u32, Slot>,
    next: u32,
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Slot {
    name: Name,
    used: Instant,
}

impl Default for Synthetic {
    fn default() -> Self {
        Self {
            allowed: Mutex::new(Table::new(0, ALLOWED, QUARANTINE)),
            denied: Mutex::new(Table::new(ALLOWED, DENIED, DENIED_QUARANTINE)),
        }
    }
}

impl Synthetic {
    /// With the addresses that a proxy before this one gave out, kept in a file.
    pub fn kept_in(path: PathBuf) -> Self {
        let synthetic = Self::default();
        locked(&synthetic.allowed).restore(path, Instant::now());
        synthetic
    }

    /// Whether an address is of a synthetic range, given out or not.
    pub fn covers(ip: IpAddr) -> bool {
        offset(ip).is_some()
    }

    /// The address of a name; the same for as long as it is used. None: all addresses are in use.
    pub fn address_for(&self, name: &Name) -> Option<Ipv4Addr> {
        self.address_at(name, Instant::now())
    }

    /// The address of a name that may not be looked up. None: all of them were given out lately.
    pub fn address_for_denied(&self, name: &Name) -> Option<Ipv4Addr> {
        locked(&self.denied).address(name, Instant::now())
    }

    /// The IPv6 twin of an address.
    pub fn v6(address: Ipv4Addr) -> Ipv6Addr {
        let [a, b, c, d] = address.octets();
        let [p0, p1, p2, p3, p4, p5] = SYNTHETIC_V6;
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        Ipv6Addr::new(p0, p1, p2, p3, p4, p5, high, low)
    }

    /// The name that an address was given for.
    pub fn name_of(&self, ip: IpAddr) -> Option<Name> {
        let offset = offset(ip)?;
        let table = if offset < ALLOWED { &self.allowed } else { &self.denied };
        let mut table = locked(table);
        let slot = table.by_address.get_mut(&offset)?;
        slot.used = Instant::now();
        Some(slot.name.clone())
    }

    fn address_at(&self, name: &Name, now: Instant) -> Option<Ipv4Addr> {
        locked(&self.allowed).address(name, now)
    }
}

fn locked(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Names for Synthetic {
    fn meaning(&self, address: IpAddr) -> Meaning {
        match self.name_of(address) {
            Some(name) => Meaning::Name(name),
            None if Self::covers(address) => Meaning::Nothing,
            None => Meaning::Address,
        }
    }
}

impl Table {
    /// Begins at a random address: what the agent holds from a time of which nothing is kept should
    /// stand for nothing rather than for another name.
    fn new(begin: u32, len: u32, quarantine: Duration) -> Self {
        let (by_name, by_address) = (HashMap::new(), HashMap::new());
        let next = rand::random_range(0..len);
        Self { begin, len, quarantine, by_name, by_address, next, kept: None }
    }

    fn restore(&mut self, path: PathBuf, now: Instant) {
        let (kept, found) = Kept::open(path);
        let range = self.begin..self.begin + self.len;
        // The order in which they were written stays that in which they were used.
        let mut age = Duration::from_nanos(found.len() as u64);
        for (offset, name) in found.into_iter().filter(|(offset, _)| range.contains(offset)) {
            self.give(offset, &name, now.checked_sub(age).unwrap_or(now));
            age = age.saturating_sub(Duration::from_nanos(1));
        }
        self.kept = Some(kept);
        self.rewrite();
    }

    fn address(&mut self, name: &Name, now: Instant) -> Option<Ipv4Addr> {
        if let Some(&offset) = self.by_name.get(name) {
            if let Some(slot) = self.by_address.get_mut(&offset) {
                slot.used = now;
            }
            return Some(Ipv4Addr::from(FIRST + offset));
        }
        let offset = self.free(now)?;
        self.give(offset, name, now);
        if self.kept.as_ref().is_some_and(Kept::is_full) {
            self.rewrite();
        } else if let Some(kept) = &mut self.kept {
            kept.add(offset, name);
        }
        Some(Ipv4Addr::from(FIRST + offset))
    }

    fn give(&mut self, offset: u32, name: &Name, now: Instant) {
        let slot = Slot { name: name.clone(), used: now };
        if let Some(old) = self.by_address.insert(offset, slot) {
            self.by_name.remove(&old.name);
        }
        if let Some(before) = self.by_name.insert(name.clone(), offset).filter(|it| *it != offset) {
            self.by_address.remove(&before);
        }
    }

    fn rewrite(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        let mut slots: Vec<_> = self.by_address.iter().collect();
        slots.sort_unstable_by_key(|(_, slot)| std::cmp::Reverse(slot.used));
        kept.rewrite(slots.into_iter().map(|(offset, slot)| (*offset, &slot.name)));
    }

    /// The next address in turn, if it was never used or its quarantine is over. Addresses are
    /// taken in turn, so the one whose turn it is was given out longest ago.
    fn free(&mut self, now: Instant) -> Option<u32> {
        for _ in 0..64 {
            let offset = self.begin + self.next;
            self.next = (self.next + 1) % self.len;
            let slot = self.by_address.get(&offset);
            if slot.is_none_or(|slot| now.saturating_duration_since(slot.used) >= self.quarantine) {
                return Some(offset);
            }
        }
        None
    }
}

fn offset(ip: IpAddr) -> Option<u32> {
    let v4 = match ip {
        IpAddr::V4(v4) => v4,
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            if segments[..6] != SYNTHETIC_V6 {
                return None;
            }
            Ipv4Addr::from(u32::from(segments[6]) << 16 | u32::from(segments[7]))
        }
    };
    let bits = u32::from(v4);
    (FIRST..=LAST).contains(&bits).then(|| bits - FIRST)
}

#[cfg(test)]
mod tests;
