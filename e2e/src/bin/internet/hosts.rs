//! The table of the test internet: a line per address, `ADDRESS NAME...`, `#` for comments.
//! An address outside the test ranges is refused: this program must never serve for real.

use std::net::IpAddr;

use anyhow::Context;

use crate::is_test_address;

/// One address and the names that its certificates may carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) address: IpAddr,
    pub(crate) names: Vec<String>,
}

impl Host {
    /// Whether the host owns the name: literally, or under one of its `*.` names.
    pub(crate) fn owns(&self, name: &str) -> bool {
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(parent) => {
                name.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
            }
            None => own == name,
        })
    }
}

pub(crate) fn parse(table: &str) -> anyhow::Result<Vec<Host>> {
    let lines = table.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(parse_line).collect()
}

fn parse_line(line: &str) -> anyhow::Result<Host> {
    let mut words = line.split_whitespace();
    let address = words.next().unwrap_or_default();
    let address: IpAddr = address.parse().with_context(|| format!("{address} is no address"))?;
    anyhow::ensure!(is_test_address(address), "{address} is not an address of the test internet");
    Ok(Host { address, names: words.map(str::to_owned).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_its_wildcards_own_names_below_them() {
        let hosts = parse("# table\n203.0.113.10 api.example *.own.example\n").unwrap();
        assert_eq!(hosts.len(), 1);
        for (name, owned) in [
            ("api.example", true),
            ("a.own.example", true),
            ("a.b.own.example", true),
            ("own.example", false),
            (".own.example", false),
            ("notown.example", false),
            ("evil.example", false),
        ] {
            assert_eq!(hosts[0].owns(name), owned, "{name}");
        }
    }

    #[test]
    fn an_address_of_somebody_else_is_refused() {
        assert!(parse("192.168.0.1 router.example").is_err());
        assert!(parse("nonsense").is_err());
    }
}
