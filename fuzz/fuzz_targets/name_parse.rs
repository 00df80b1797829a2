//! Names and hosts: what is parsed parses to itself, and no name is an address.
#![no_main]

use exeat_policy::normal::{Host, Name};
use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;

fuzz_target!(|text: &str| {
    if let Ok(name) = Name::parse(text) {
        assert_eq!(Name::parse(name.as_str()).as_ref(), Ok(&name));
        assert!(name.as_str().parse::<IpAddr>().is_err());
    }
    if let Ok(host) = Host::parse(text) {
        assert_eq!(Host::parse(&host.to_string()).as_ref(), Ok(&host));
    }
});
