//! What kind of place an address is. The agent may control what a name resolves to, so this is
//! asked of every address after resolution and before anything is sent to it.
//!
//! | class | addresses |
//! |---|---|
//! | forbidden | loopback, unspecified and "this network", link-local, cloud metadata, multicast, reserved and broadcast, our synthetic addresses (benchmarking 198.18/15, and fd65:7865:6174::/96), protocol assignments, discard, site-local |
//! | private | 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7: only where a rule names the address |
//! | ordinary | everything else, documentation ranges included |
//!
//! An IPv6 address that carries an IPv4 one (mapped, compatible, translated, NAT64, 6to4, Teredo,
//! ISATAP) has the class of the IPv4 address, or its own where that is stricter.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the agent's DNS hands out instead of IPv6 addresses begins so, in front of an IPv4 address
/// of 198.18.0.0/15: a range of RFC 4193 that is routed nowhere.
pub const SYNTHETIC_V6: [u16; 6] = [0xfd65, 0x7865, 0x6174, 0, 0, 0];

/// Whether an address is one of those that the agent's DNS hands out, which stand for names.
pub fn is_synthetic(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(v4.octets(), [198, 18 | 19, ..]),
        IpAddr::V6(v6) => v6.segments()[..6] == SYNTHETIC_V6,
    }
}

/// Ordered by strictness: the greater of two classes is the one that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressClass {
    Ordinary,
    Private,
    /// Never dialled, whatever a rule says.
    Forbidden,
}

/// The class of an address. Total: every address has one.
pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

/// The address, and the IPv4 addresses inside it: a rule about any of them is about it.
pub(super) fn readings(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let inside = match address {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(v6) => embedded(v6.segments()),
    };
    std::iter::once(address).chain(inside.into_iter().flatten().map(IpAddr::V4))
}

fn classify_v4(v4: Ipv4Addr) -> AddressClass {
    let [a, b, c, d] = v4.octets();
    match (a, b, c, d) {
        (0 | 127, ..) | (169, 254, ..) | (198, 18 | 19, ..) | (224.., ..) => {
            AddressClass::Forbidden
        }
        // Metadata services outside link-local: Alibaba, Azure's wire server, and Oracle's old
        // one inside the protocol assignments.
        (100, 100, 100, 200) | (168, 63, 129, 16) | (192, 0, 0, _) => AddressClass::Forbidden,
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) | (100, 64..=127, ..) => {
            AddressClass::Private
        }
        _ => AddressClass::Ordinary,
    }
}

fn classify_v6(v6: Ipv6Addr) -> AddressClass {
    let s = v6.segments();
    let own = match s {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => AddressClass::Forbidden,
        // Services of the clouds for their machines, metadata and credentials among them: EC2 and
        // EKS, Google, Oracle, Scaleway.
        [0xfd00, 0x0ec2, ..]
        | [0xfd20, 0x00ce, ..]
        | [0xfd00, 0x00c1, ..]
        | [0xfd00, 0x0042, ..] => AddressClass::Forbidden,
        // Link-local, site-local, multicast.
        [0xfe80..=0xffff, ..] => AddressClass::Forbidden,
        // NAT64 with a local prefix: where the IPv4 address sits is not known.
        [0x64, 0xff9b, 1, ..] => AddressClass::Forbidden,
        [0xfd65, 0x7865, 0x6174, 0, 0, 0, ..] => AddressClass::Forbidden,
        // Discard-only.
        [0x100, 0, 0, 0, ..] => AddressClass::Forbidden,
        [0xfc00..=0xfdff, ..] => AddressClass::Private,
        _ => AddressClass::Ordinary,
    };
    embedded(s).into_iter().flatten().map(classify_v4).fold(own, AddressClass::max)
}

/// The IPv4 addresses that an IPv6 address carries.
fn embedded(s: [u16; 8]) -> [Option<Ipv4Addr>; 2] {
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        // Compatible, mapped, translated.
        [0, 0, 0, 0, 0, 0, h, l] | [0, 0, 0, 0, 0, 0xffff, h, l] => [v4(h, l), None],
        [0, 0, 0, 0, 0xffff, 0, h, l] => [v4(h, l), None],
        // NAT64, 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, h, l] => [v4(h, l), None],
        [0x2002, h, l, ..] => [v4(h, l), None],
        // Teredo: the server, and the client with its bits flipped.
        [0x2001, 0, sh, sl, _, _, ch, cl] => [v4(sh, sl), v4(!ch, !cl)],
        // ISATAP.
        [_, _, _, _, 0 | 0x200, 0x5efe, h, l] => [v4(h, l), None],
        _ => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_their_class() {
        use AddressClass::*;
        for (address, class) in [
            ("203.0.113.9", Ordinary),
            ("192.0.2.1", Ordinary),
            ("8.8.8.8", Ordinary),
            ("198.17.255.255", Ordinary),
            ("198.20.0.0", Ordinary),
            ("2606:4700::1111", Ordinary),
            ("2001:db8::1", Ordinary),
            ("fd00:ec2::23", Forbidden),
            ("fd00:ec2::253", Forbidden),
            ("fd20:ce::254", Forbidden),
            ("fd00:c1::a9fe:a9fe", Forbidden),
            ("fd00:42::42", Forbidden),
            ("fd00:43::42", Private),
            ("::ffff:203.0.113.9", Ordinary),
            ("64:ff9b::cb00:7109", Ordinary),
            ("10.0.0.1", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("172.32.0.1", Ordinary),
            ("192.168.1.1", Private),
            ("100.64.0.1", Private),
            ("100.128.0.1", Ordinary),
            ("fd12::1", Private),
            ("::ffff:10.1.2.3", Private),
            ("64:ff9b::10.1.2.3", Private),
            ("2002:0a01:0203::1", Private),
            ("0.0.0.0", Forbidden),
            ("0.1.2.3", Forbidden),
            ("127.0.0.1", Forbidden),
            ("127.255.1.1", Forbidden),
            ("169.254.169.254", Forbidden),
            ("100.100.100.200", Forbidden),
            ("168.63.129.16", Forbidden),
            ("192.0.0.192", Forbidden),
            ("198.18.0.1", Forbidden),
            ("198.19.255.255", Forbidden),
            ("fd65:7865:6174::c612:1", Forbidden),
            ("fd65:7865:6174:1::1", Private),
            ("224.0.0.1", Forbidden),
            ("240.0.0.1", Forbidden),
            ("255.255.255.255", Forbidden),
            ("::", Forbidden),
            ("::1", Forbidden),
            ("fe80::1", Forbidden),
            ("fec0::1", Forbidden),
            ("ff02::1", Forbidden),
            ("fd00:ec2::254", Forbidden),
            ("::ffff:169.254.169.254", Forbidden),
            ("::ffff:127.0.0.1", Forbidden),
            ("::127.0.0.1", Forbidden),
            ("::ffff:0:127.0.0.1", Forbidden),
            ("64:ff9b::169.254.169.254", Forbidden),
            ("64:ff9b:1::1", Forbidden),
            ("2002:a9fe:a9fe::1", Forbidden),
            // Teredo: server 203.0.113.1, client 169.254.169.254 flipped.
            ("2001:0:cb00:7101:0:0:5601:5601", Forbidden),
            ("2001:db8::5efe:7f00:1", Forbidden),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(classify(parsed), class, "{address}");
        }
    }
}
