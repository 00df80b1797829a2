//! Targets of SafeClaw's rules as resources: shorthand hosts, URLs, addresses with stars.

use super::pattern::{ANY_ADDRESS, is_expression, patterns};
use super::written::Target;
use exeat_policy::action::{Action, Effect};
use std::net::Ipv4Addr;

/// What a target becomes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resources {
    pub(super) list: Vec<String>,
    pub(super) notes: Vec<&'static str>,
    /// It is everything there is.
    pub(super) everything: bool,
}

/// # Errors
/// Why no resource says the same.
pub(super) fn resources(
    target: &Target,
    action: Action,
    effect: Effect,
) -> Result<Resources, String> {
    let text = match target {
        Target::Text(text) | Target::Expression(text) => text.trim().replace(r"\\", r"\"),
    };
    let texts = match target {
        Target::Expression(_) => patterns(&text)?,
        Target::Text(_) if is_expression(&text) => patterns(&text)?,
        Target::Text(_) => vec![text],
    };
    let mut found = Resources::default();
    for text in texts {
        one(&text, action, effect, &mut found)?;
    }
    Ok(found)
}

fn one(text: &str, action: Action, effect: Effect, found: &mut Resources) -> Result<(), String> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, text),
    };
    let (authority, path) = match rest.find('/') {
        // A range has its slash before a number.
        Some(at) if is_range(rest) => (rest, &rest[at..at]),
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) && !host.ends_with(':') => (host, Some(port)),
        _ => (authority, None),
    };
    let any = matches!(host, "" | "*" | "**");
    let any_path = matches!(path, "" | "/" | "/*" | "/**");
    if any && any_path && matches!(scheme.as_deref(), None | Some("*")) && port.is_none() {
        found.everything = true;
        return Ok(());
    }
    let hosts = hosts(host, effect, found)?;
    let schemes = schemes(scheme.as_deref(), action, effect)?;
    for host in &hosts {
        for scheme in &schemes {
            let resource = match action {
                Action::NetworkDns => host.clone(),
                Action::NetworkConnect => format!("{scheme}://{host}{}", suffix(port)),
                Action::NetworkRequest => {
                    let path = self::path(path, effect, found)?;
                    format!("{scheme}://{host}{}{path}", suffix(port))
                }
            };
            if !found.list.contains(&resource) {
                found.list.push(resource);
            }
        }
    }
    Ok(())
}

fn suffix(port: Option<&str>) -> String {
    port.map(|port| format!(":{port}")).unwrap_or_default()
}

fn is_port(text: &str) -> bool {
    text == "*" || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_range(text: &str) -> bool {
    text.parse::<ipnet::IpNet>().is_ok()
}

/// A Deny without a scheme is one of every scheme.
fn schemes(written: Option<&str>, action: Action, effect: Effect) -> Result<Vec<String>, String> {
    let known: &[&str] = match action {
        Action::NetworkRequest => &["http", "https", "ws", "wss", "*"],
        Action::NetworkConnect => &["tcp", "tls", "*"],
        Action::NetworkDns => return Ok(vec![String::new()]),
    };
    match (written, effect) {
        (Some(scheme), _) if known.contains(&scheme) => Ok(vec![scheme.to_owned()]),
        (Some(scheme), _) => Err(format!("{action} has no scheme {scheme}")),
        (None, Effect::Deny) => Ok(vec!["*".to_owned()]),
        (None, Effect::Allow) if action == Action::NetworkConnect => Ok(vec!["tcp".to_owned()]),
        (None, Effect::Allow) => Ok(vec!["https".to_owned()]),
    }
}

fn hosts(host: &str, effect: Effect, found: &mut Resources) -> Result<Vec<String>, String> {
    if host == ANY_ADDRESS {
        return match effect {
            Effect::Deny => {
                found.notes.push("every address; one that no rule names is denied anyway");
                Ok(vec!["0.0.0.0/0".to_owned(), "[::]/0".to_owned()])
            }
            Effect::Allow => Err("an Allow of every address; name the ranges".to_owned()),
        };
    }
    if matches!(host, "*" | "**") {
        return match effect {
            // Names and addresses are apart here.
            Effect::Deny => Ok(["**", "0.0.0.0/0", "[::]/0"].map(str::to_owned).into()),
            Effect::Allow => Err("an Allow of every host; name the hosts".to_owned()),
        };
    }
    if let Some(network) = network(host) {
        return Ok(vec![network?]);
    }
    if let Some(name) = host.strip_prefix('.') {
        return Ok(vec![name.to_owned(), format!("*.{name}")]);
    }
    let name = host.strip_prefix("**.").map(|rest| format!("*.{rest}"));
    let name = name.unwrap_or_else(|| host.to_owned());
    if name.strip_prefix("*.").unwrap_or(&name).contains('*') {
        return Err(format!("{host:?}: * stands for whole labels, in front of a name"));
    }
    if effect == Effect::Deny && name.starts_with("*.") {
        found.notes.push("a * in front does not mean the name itself");
    }
    Ok(vec![name])
}

/// `10.*`, `192.168.*.*`, `169.254.169.254*`: numbers with stars behind them.
fn network(host: &str) -> Option<Result<String, String>> {
    let front = host.trim_end_matches(['*', '.']);
    if front == host || front.is_empty() {
        return None;
    }
    let numbers: Vec<&str> = front.split('.').collect();
    if !numbers.iter().all(|it| it.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let mut octets = [0u8; 4];
    for (octet, number) in octets.iter_mut().zip(&numbers) {
        match number.parse() {
            Ok(number) => *octet = number,
            Err(_) => return Some(Err(format!("{host:?} is no address"))),
        }
    }
    let address = Ipv4Addr::from(octets);
    // `10.1*` could be 10.1.x.x or 10.100.x.x.
    let whole = host.get(front.len()..).is_some_and(|behind| behind.starts_with('.'));
    Some(match numbers.len() {
        4 => Ok(address.to_string()),
        length @ 1..=3 if whole => Ok(format!("{address}/{}", 8 * length)),
        _ => Err(format!("{host:?}: put a point in front of the *")),
    })
}

/// `/*` at the end of a Deny is wider here, so that nothing is lost by it.
fn path(path: &str, effect: Effect, found: &mut Resources) -> Result<String, String> {
    if path.contains(['?', '#']) {
        return Err("queries and fragments are not matched".to_owned());
    }
    if path.is_empty() || path == "/" && effect == Effect::Deny {
        return Ok("/**".to_owned());
    }
    if effect == Effect::Deny && path.ends_with("/*") {
        return Ok(format!("{path}*"));
    }
    if path.ends_with("/*") && !found.notes.contains(&STAR) {
        found.notes.push(STAR);
    }
    if let Some(front) = path.strip_suffix("**").filter(|front| !front.ends_with('/')) {
        // Behind a beginning of a segment: the segment, and what is below it.
        return Ok(format!("{front}**"));
    }
    Ok(path.to_owned())
}

const STAR: &str = "* in a path is one segment; write ** for everything below";
