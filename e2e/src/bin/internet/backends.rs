//! The table of what answers in place of the usual servers: a line per address and port,
//! `ADDRESS PORT KIND BACKEND`, `#` for comments.
//!
//! `KIND` is `tcp`, or `tls:` with the protocols that TLS offers (ALPN, comma between them): the
//! test internet ends TLS with the address's own certificate and hands the bytes on. `BACKEND` is
//! where a real server listens, on loopback alone.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, bail};

use crate::is_test_address;

/// What answers at one address and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backend {
    /// The protocols that TLS offers; without TLS none at all.
    pub(crate) tls: Option<Vec<Vec<u8>>>,
    pub(crate) to: SocketAddr,
}

/// Backends by the address and port that they answer at.
pub(crate) type Backends = BTreeMap<(IpAddr, u16), Backend>;

pub(crate) fn parse(table: &str) -> anyhow::Result<Backends> {
    let lines = table.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| parse_line(line).with_context(|| format!("in {line:?}"))).collect()
}

fn parse_line(line: &str) -> anyhow::Result<((IpAddr, u16), Backend)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [address, port, kind, to] = words[..] else { bail!("expected four words") };
    let address: IpAddr = address.parse()?;
    anyhow::ensure!(is_test_address(address), "{address} is not an address of the test internet");
    let to: SocketAddr = to.parse()?;
    anyhow::ensure!(to.ip().is_loopback(), "{to} is not on loopback");
    let tls = match kind.split_once(':') {
        None if kind == "tcp" => None,
        Some(("tls", protocols)) => {
            Some(protocols.split(',').map(|one| one.as_bytes().to_vec()).collect())
        }
        _ => bail!("{kind} is neither tcp nor tls:PROTOCOLS"),
    };
    Ok(((address, port.parse()?), Backend { tls, to }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_answers_where() {
        let table = "# real servers\n203.0.113.100 443 tls:h2,http/1.1 127.0.0.1:8100\n\n203.0.113.100 22 tcp 127.0.0.1:2222\n";
        let backends = parse(table).unwrap();
        let address = "203.0.113.100".parse().unwrap();
        let web = Backend {
            tls: Some(vec![b"h2".to_vec(), b"http/1.1".to_vec()]),
            to: "127.0.0.1:8100".parse().unwrap(),
        };
        let shell = Backend { tls: None, to: "127.0.0.1:2222".parse().unwrap() };
        assert_eq!(backends, Backends::from([((address, 443), web), ((address, 22), shell)]));
    }

    #[test]
    fn nothing_is_handed_on_to_somebody_else() {
        for line in [
            "203.0.113.100 443 tcp 192.168.0.1:80",
            "192.168.0.1 443 tcp 127.0.0.1:80",
            "203.0.113.100 443 quic 127.0.0.1:80",
            "203.0.113.100 443 tcp",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
