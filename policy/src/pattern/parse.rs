//! From the text of a resource to its pattern.

use super::error::{PatternError, reject};
use super::{HostPattern, PortPattern, ResourcePattern, Scheme};
use crate::action::{Action, Effect};
use crate::glob::Glob;
use crate::normal::{Name, NameError};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

impl ResourcePattern {
    /// Parses the resource of a rule with this action and effect.
    ///
    /// # Errors
    /// For everything in the table of rejected patterns.
    pub fn parse(text: &str, action: Action, effect: Effect) -> Result<Self, PatternError> {
        if text.is_empty() {
            return reject(
                "the resource is empty",
                "name what the rule is about, such as https://api.example.com/**",
            );
        }
        if let Some(bad) = text.chars().find(|c| c.is_control() || c.is_whitespace()) {
            return reject(format!("the resource has the character {bad:?}"), "remove it");
        }
        if action == Action::NetworkDns {
            return Self::parse_dns(text);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return reject(
                format!("{text:?} has no scheme"),
                format!("write {}{text}", example_scheme(action)),
            );
        };
        let scheme = parse_scheme(scheme, action)?;
        let (authority, path) = split_authority(rest)?;
        let (host, port) = split_port(authority)?;
        let absolute = host.ends_with('.');
        let host = parse_host(host)?;
        let port = parse_port(port, scheme, effect)?;
        let path = parse_path(path, action)?;
        Ok(Self { scheme, host, port, path, absolute })
    }

    fn parse_dns(text: &str) -> Result<Self, PatternError> {
        if text.contains("://") || text.contains('/') || text.contains(':') {
            return reject(
                "a network.dns resource is a name alone",
                "write the host pattern without scheme, port and path",
            );
        }
        let host = parse_host(text)?;
        if matches!(host, HostPattern::Net(_)) {
            return reject(
                "a network.dns resource is a name, not an address",
                "name a host, or use network.connect",
            );
        }
        let absolute = text.ends_with('.');
        Ok(Self { scheme: None, host, port: PortPattern::Any, path: None, absolute })
    }
}

const fn example_scheme(action: Action) -> &'static str {
    match action {
        Action::NetworkConnect => "tcp://",
        _ => "https://",
    }
}

fn parse_scheme(text: &str, action: Action) -> Result<Option<Scheme>, PatternError> {
    if text == "*" {
        return Ok(None);
    }
    let known = match action {
        Action::NetworkConnect => "tcp, tls or *",
        _ => "http, https, ws, wss or *",
    };
    match Scheme::parse(text) {
        Some(scheme) if scheme.action() == action => Ok(Some(scheme)),
        Some(scheme) => reject(
            format!("the scheme {scheme} does not belong to {action}"),
            format!("use {known}, or the action {}", scheme.action()),
        ),
        None => reject(format!("the scheme {text:?} is not known"), format!("use {known}")),
    }
}

/// Cuts the authority (with a CIDR's prefix length, if there is one) from the path.
fn split_authority(rest: &str) -> Result<(&str, &str), PatternError> {
    let end = rest.find('/').unwrap_or(rest.len());
    let (head, tail) = rest.split_at(end);
    let address = head.strip_prefix('[').map_or(head, |h| h.strip_suffix(']').unwrap_or(h));
    let Ok(ip) = address.parse::<IpAddr>() else { return Ok((head, tail)) };
    let digits = tail.bytes().skip(1).take_while(u8::is_ascii_digit).count();
    let after = &tail[tail.len().min(1 + digits)..];
    if digits == 0 || !(after.is_empty() || after.starts_with(':') || after.starts_with('/')) {
        return Ok((head, tail));
    }
    let prefix = tail[1..=digits].parse::<u8>().ok();
    let proper =
        prefix.and_then(|p| IpNet::new(ip, p).ok()).is_some_and(|net| net.addr() == net.network());
    if !proper {
        return reject(
            format!(
                "{head}{} reads as a range and as a path, and is no proper range",
                &tail[..=digits]
            ),
            format!(
                "for a range write its first address, such as {}; for a path write it with a wildcard in front",
                example_net(ip)
            ),
        );
    }
    let end = match after.strip_prefix(':') {
        Some(port) => rest.len() - port.find('/').map_or(0, |at| port.len() - at),
        None => head.len() + 1 + digits,
    };
    Ok(rest.split_at(end))
}

fn example_net(ip: IpAddr) -> String {
    let net = IpNet::new(ip, if ip.is_ipv4() { 16 } else { 64 }).map(|net| net.trunc());
    net.map_or_else(|_| "10.0.0.0/16".to_owned(), |net| net.to_string())
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), PatternError> {
    if authority.contains('@') {
        return reject("a resource has no user information", "remove everything up to the @");
    }
    let colon = match authority.rfind(']') {
        Some(bracket) => authority[bracket..].find(':').map(|at| at + bracket),
        None if authority.matches(':').count() > 1 => {
            return reject("an IPv6 address needs brackets", format!("write [{authority}]"));
        }
        None => authority.find(':'),
    };
    Ok(match colon {
        Some(at) => (&authority[..at], Some(&authority[at + 1..])),
        None => (authority, None),
    })
}

fn parse_port(
    port: Option<&str>,
    scheme: Option<Scheme>,
    effect: Effect,
) -> Result<PortPattern, PatternError> {
    match port {
        Some("*") => Ok(PortPattern::Any),
        Some(text) => match text.parse::<u16>() {
            Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(PortPattern::One(port))
            }
            _ => reject(
                format!("{text:?} is not a port"),
                "write a number from 1 to 65535, or * for every port",
            ),
        },
        None if effect == Effect::Deny => Ok(PortPattern::Any),
        None if scheme.is_some_and(|s| s.default_port().is_some()) => Ok(PortPattern::Default),
        None => reject(
            "the resource names no port, and its scheme has no default",
            "add :PORT, or :* for every port",
        ),
    }
}

fn parse_host(text: &str) -> Result<HostPattern, PatternError> {
    if text == "**" {
        return Ok(HostPattern::AnyName);
    }
    if text == "*" {
        return reject("the host * is not a pattern", "write ** for every name, or *.example.com");
    }
    if let Some(net) = parse_net(text)? {
        return Ok(HostPattern::Net(net));
    }
    let (below, name) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
    if name.contains('*') {
        return reject(
            format!("the host {text:?} has a * that is not a leading *. label"),
            "write *.example.com for every name below example.com",
        );
    }
    match Name::parse(name) {
        Ok(name) if below => Ok(HostPattern::Below(name)),
        Ok(name) => Ok(HostPattern::Exact(name)),
        Err(NameError::EndsInNumber) => reject(
            format!("the host {text:?} reads as a name and as an address"),
            "write an IPv4 address as four decimal numbers, or a name whose last label is not a number",
        ),
        Err(error) => reject(
            format!("the host {text:?} is not a name: {error}"),
            "write a DNS name, an IP address or a range",
        ),
    }
}

fn parse_net(text: &str) -> Result<Option<IpNet>, PatternError> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let bracketed = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
    let ip = match bracketed {
        Some(inner) => match inner.parse::<Ipv6Addr>() {
            Ok(ip) => IpAddr::V6(ip),
            Err(_) => {
                return reject(
                    format!("{address} is not an IPv6 address"),
                    "write such as [2001:db8::1], without a zone",
                );
            }
        },
        None => match address.parse::<Ipv4Addr>() {
            Ok(ip) => IpAddr::V4(ip),
            Err(_) => return Ok(None),
        },
    };
    if let IpAddr::V6(v6) = ip
        && v6.to_ipv4_mapped().is_some()
    {
        return reject("an IPv4-mapped IPv6 address is not matched", "write the IPv4 address");
    }
    let net = match prefix {
        None => Ok(IpNet::from(ip)),
        Some(p) => p.parse::<u8>().ok().and_then(|p| IpNet::new(ip, p).ok()).ok_or(()),
    };
    match net {
        Ok(net) if net.addr() == net.network() => Ok(Some(net)),
        Ok(net) => {
            reject(format!("{text} has bits beyond its prefix"), format!("write {}", net.trunc()))
        }
        Err(()) => reject(format!("{text} is not a range"), "write such as 10.20.0.0/16"),
    }
}

fn parse_path(path: &str, action: Action) -> Result<Option<Glob>, PatternError> {
    if path.is_empty() || path == "/**" && action == Action::NetworkRequest {
        return Ok(None);
    }
    if action == Action::NetworkConnect {
        return reject(
            "an opaque connection has no path",
            "remove the path, or use network.request",
        );
    }
    Glob::parse(path).map(Some)
}
