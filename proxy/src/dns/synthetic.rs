//! Synthetic addresses: what the agent gets instead of real ones, so that the proxy knows which
//! *name* a connection is for, and no name is resolved before it is dialled.

use exeat_policy::normal::Name;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// 198.18.0.0/15, RFC 2544: routed nowhere. The first and the last address are not given out.
const FIRST: u32 = 0xC612_0001;
const LAST: u32 = 0xC613_FFFE;
/// fd65:7865:6174::/96, a range of RFC 4193, in front of the IPv4 address.
const PREFIX: [u16; 6] = [0xfd65, 0x7865, 0x6174, 0, 0, 0];
/// An address may be given to another name when nobody has asked for or used it for this long,
/// far beyond the answers' time to live.
const QUARANTINE: Duration = Duration::from_secs(1800);

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
#[derive(Debug, Default)]
pub struct Synthetic(Mutex<Table>);

#[derive(Debug)]
struct Table {
    by_name: HashMap<Name, u32>,
    by_address: HashMap<u32, Slot>,
    next: u32,
}

#[derive(Debug)]
struct Slot {
    name: Name,
    used: Instant,
}

impl Synthetic {
    /// Whether an address is of a synthetic range, given out or not.
    pub fn covers(ip: IpAddr) -> bool {
        offset(ip).is_some()
    }

    /// The address of a name; the same for as long as it is used. None: all addresses are in use.
    pub fn address_for(&self, name: &Name) -> Option<Ipv4Addr> {
        self.address_at(name, Instant::now())
    }

    /// The IPv6 twin of an address.
    pub fn v6(address: Ipv4Addr) -> Ipv6Addr {
        let [a, b, c, d] = address.octets();
        let [p0, p1, p2, p3, p4, p5] = PREFIX;
        Ipv6Addr::new(
            p0,
            p1,
            p2,
            p3,
            p4,
            p5,
            u16::from_be_bytes([a, b]),
            u16::from_be_bytes([c, d]),
        )
    }

    /// The name that an address was given for.
    pub fn name_of(&self, ip: IpAddr) -> Option<Name> {
        let offset = offset(ip)?;
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = table.by_address.get_mut(&offset)?;
        slot.used = Instant::now();
        Some(slot.name.clone())
    }

    fn address_at(&self, name: &Name, now: Instant) -> Option<Ipv4Addr> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&offset) = table.by_name.get(name) {
            if let Some(slot) = table.by_address.get_mut(&offset) {
                slot.used = now;
            }
            return Some(Ipv4Addr::from(FIRST + offset));
        }
        let offset = table.free(now)?;
        if let Some(old) = table.by_address.insert(offset, Slot { name: name.clone(), used: now }) {
            table.by_name.remove(&old.name);
        }
        table.by_name.insert(name.clone(), offset);
        Some(Ipv4Addr::from(FIRST + offset))
    }
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

impl Default for Table {
    /// Begins at a random address: after a restart, what the agent still holds from before should
    /// stand for nothing rather than for another name.
    fn default() -> Self {
        let next = rand::random_range(0..=LAST - FIRST);
        Self { by_name: HashMap::new(), by_address: HashMap::new(), next }
    }
}

impl Table {
    /// The next address in turn, if it was never used or its quarantine is over. Addresses are
    /// taken in turn, so the one whose turn it is was given out longest ago.
    fn free(&mut self, now: Instant) -> Option<u32> {
        for _ in 0..64 {
            let offset = self.next;
            self.next = if FIRST + offset >= LAST { 0 } else { offset + 1 };
            let slot = self.by_address.get(&offset);
            if slot.is_none_or(|slot| now.saturating_duration_since(slot.used) >= QUARANTINE) {
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
            if segments[..6] != PREFIX {
                return None;
            }
            Ipv4Addr::from(u32::from(segments[6]) << 16 | u32::from(segments[7]))
        }
    };
    let bits = u32::from(v4);
    (FIRST..=LAST).contains(&bits).then(|| bits - FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: u32) -> Name {
        Name::parse(&format!("n{n}.example")).unwrap()
    }

    #[test]
    fn a_name_keeps_its_address_both_ways() {
        let table = Synthetic::default();
        let a = table.address_for(&name(1)).unwrap();
        let b = table.address_for(&name(2)).unwrap();
        assert_ne!(a, b);
        assert_eq!(table.address_for(&name(1)), Some(a));
        assert_eq!(table.name_of(a.into()), Some(name(1)));
        assert_eq!(table.name_of(Synthetic::v6(b).into()), Some(name(2)));
        assert_eq!(table.name_of("198.18.9.9".parse().unwrap()), None);
        assert!(Synthetic::covers("198.19.255.254".parse().unwrap()));
        assert!(!Synthetic::covers("198.20.0.1".parse().unwrap()));
    }

    #[test]
    fn a_flood_never_takes_an_address_that_is_in_use() {
        let table = Synthetic::default();
        let now = Instant::now();
        let kept = table.address_at(&name(0), now).unwrap();
        for n in 1..=(LAST - FIRST) {
            assert!(table.address_at(&name(n), now).is_some());
        }
        assert_eq!(table.address_at(&name(u32::MAX), now), None);
        assert_eq!(table.name_of(kept.into()), Some(name(0)));
        let later = now + QUARANTINE;
        let reused = (0..4096).find_map(|_| table.address_at(&name(u32::MAX), later)).unwrap();
        assert_eq!(table.name_of(reused.into()), Some(name(u32::MAX)));
    }
}
