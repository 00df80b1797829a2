use super::*;
use proptest::prelude::*;

#[test]
fn names() {
    for (given, want) in [
        ("API.Your-Company.com", "api.your-company.com"),
        ("api.example.", "api.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("_dmarc.example", "_dmarc.example"),
        ("ａｐｉ.example", "api.example"),
    ] {
        assert_eq!(Name::parse(given).map(|n| n.to_string()), Ok(want.to_owned()), "{given}");
    }
    for given in [
        "",
        ".",
        "..",
        "a..b",
        "example..",
        "-a.example",
        "a-.example",
        "a b.example",
        "a\0.example",
        "1.2.3.4",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "a.0x",
        "a.08",
        "host:80",
        "user@host",
        "*.example",
        "a/b",
        "xn--a",
        "a%2eb",
    ] {
        assert!(Name::parse(given).is_err(), "{given}");
    }
    assert!(Name::parse(&"a.".repeat(127)).is_ok());
    assert!(Name::parse(&"a.".repeat(128)).is_err());
}

#[test]
fn hosts() {
    assert_eq!(Host::parse("10.0.0.1"), Ok(Host::Ip("10.0.0.1".parse().unwrap())));
    assert_eq!(Host::parse("[::1]"), Ok(Host::Ip("::1".parse().unwrap())));
    for given in [
        "::1",
        "[::1",
        "[fe80::1%eth0]",
        "[::1%25eth0]",
        "0177.0.0.1",
        "10.0.0",
        "10.0.0.1.",
        "[10.0.0.1]",
    ] {
        assert!(Host::parse(given).is_err(), "{given}");
    }
}

proptest! {
    #[test]
    fn a_name_is_normalised_once(name in "\\PC{0,40}") {
        if let Ok(once) = Name::parse(&name) {
            prop_assert_eq!(Name::parse(once.as_str()), Ok(once.clone()));
            prop_assert!(once.as_str().parse::<IpAddr>().is_err());
        }
    }
}
