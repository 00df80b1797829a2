//! Addresses of people and machines.

use crate::detect::check;
use crate::detect::detector::{Begin, Detector, Edge, Group};

const BASE: Detector = Detector {
    name: "",
    group: Group::Contact,
    doc: "",
    source: "",
    begin: Begin::Run,
    shape: "",
    check: None,
    edge: Edge::Word,
    standard: true,
    longest: 0,
    positive: &[],
    negative: &[],
};

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        name: "email",
        doc: "E-mail addresses",
        source: "https://www.rfc-editor.org/rfc/rfc5321",
        begin: Begin::Before { byte: b'@', class: check::is_local, most: 64 },
        shape: r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}",
        edge: Edge::Dash,
        standard: false,
        positive: &["jane.doe@example.com"],
        negative: &["jane.doe@localhost"],
        ..BASE
    },
    Detector {
        name: "phone-number",
        doc: "Phone numbers near a word that tells so",
        source: "https://www.itu.int/rec/T-REC-E.123",
        begin: Begin::Near(&[
            "phone",
            "tel",
            "telephone",
            "mobile",
            "cell",
            "call",
            "fax",
            "phone number",
            "mobile number",
            "contact number",
            "whatsapp",
            "sms",
            "call me at",
        ]),
        shape: r"\+[0-9]{1,3}[ .-]?(?:\(?[0-9]{1,4}\)?[ .-]?){2,5}[0-9]{2,4}|\([0-9]{3}\) ?[0-9]{3}[ .-][0-9]{4}|[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{4}|0[1-9][0-9]{0,3}[ /.-][0-9]{3,4}[ .-]?[0-9]{2,5}",
        check: Some(check::PHONE),
        edge: Edge::Number,
        standard: false,
        positive: &["phone: ⟦+1 415 555 0132⟧", "Tel. ⟦(415) 555-0132⟧"],
        negative: &["phone: 12", "order: 4155550132"],
        ..BASE
    },
    Detector {
        name: "ipv4",
        doc: "IPv4 addresses",
        source: "https://www.rfc-editor.org/rfc/rfc791",
        begin: Begin::Heads(check::ipv4_heads),
        shape: r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])",
        check: Some(check::IPV4),
        edge: Edge::Number,
        standard: false,
        positive: &["192.0.2.44"],
        negative: &["1.2.3", "256.1.1.1", "1.2.3.4.5"],
        ..BASE
    },
    Detector {
        name: "ipv6",
        doc: "IPv6 addresses",
        source: "https://www.rfc-editor.org/rfc/rfc4291",
        begin: Begin::Before { byte: b':', class: check::is_hex, most: 4 },
        shape: "[a-fA-F0-9]{1,4}:[a-fA-F0-9:]{1,34}(?:[0-9.]{7,15})?",
        check: Some(check::IPV6),
        standard: false,
        positive: &["2001:db8::8a2e:370:7334"],
        negative: &["12:30:45", "std::vector"],
        ..BASE
    },
    Detector {
        name: "mac-address",
        doc: "Hardware addresses",
        source: "https://standards.ieee.org/products-programs/regauth/mac/",
        begin: Begin::Before { byte: b':', class: check::is_hex, most: 2 },
        shape: "[a-fA-F0-9]{2}(?::[a-fA-F0-9]{2}){5}",
        standard: false,
        positive: &["00:00:5e:00:53:af"],
        negative: &["00:00:5e:00:53"],
        ..BASE
    },
];
