//! National numbers of Asia, Africa and Oceania.

use crate::detect::check;
use crate::detect::detector::{Begin, Detector, Edge, Group};

const BASE: Detector = Detector {
    name: "",
    group: Group::People,
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

pub(in crate::detect) const DETECTORS: &[Detector] = &[
    Detector {
        name: "in-aadhaar",
        doc: "Aadhaar numbers near a word that tells so",
        source: "https://uidai.gov.in/",
        begin: Begin::Near(&["aadhaar", "aadhar", "uidai", "uid"]),
        shape: "[2-9][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        check: Some(check::AADHAAR),
        edge: Edge::Number,
        positive: &["Aadhaar: ⟦2341 ¦2341 2346⟧"],
        negative: &["Aadhaar: 2341 2341 2347"],
        ..BASE
    },
    Detector {
        name: "in-pan",
        doc: "Indian permanent account numbers near a word that tells so",
        source: "https://www.incometax.gov.in/",
        begin: Begin::Near(&["pan", "permanent account", "pan number", "pan card"]),
        shape: "[A-Z]{3}[ABCFGHJLPTK][A-Z][0-9]{4}[A-Z]",
        positive: &["PAN: ⟦ACUPA¦7085R⟧"],
        negative: &["code: ACUPA7085R"],
        ..BASE
    },
    Detector {
        name: "cn-resident-id",
        doc: "Chinese resident identity numbers with date and check digit",
        source: "GB 11643-1999",
        begin: Begin::Heads(check::china_heads),
        shape: "[1-9][0-9]{5}(?:19|20)[0-9]{2}[01][0-9][0-3][0-9][0-9]{3}[0-9Xx]",
        check: Some(check::CHINA),
        edge: Edge::Number,
        positive: &["11010519¦491231002X"],
        negative: &["110105194912310021"],
        ..BASE
    },
    Detector {
        name: "jp-my-number",
        doc: "Japanese individual numbers near a word that tells so",
        source: "https://www.kojinbango-card.go.jp/",
        begin: Begin::Near(&["my number", "mynumber", "individual number", "kojin bango"]),
        shape: "[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        check: Some(check::MY_NUMBER),
        edge: Edge::Number,
        positive: &["My Number: ⟦1234 ¦5678 9018⟧"],
        negative: &["My Number: 1234 5678 9019"],
        ..BASE
    },
    Detector {
        name: "kr-rrn",
        doc: "South Korean resident registration numbers near a word that tells so",
        source: "https://www.mois.go.kr/",
        begin: Begin::Near(&["rrn", "resident registration", "jumin"]),
        shape: "[0-9]{6}-?[0-9]{7}",
        check: Some(check::KOREA),
        edge: Edge::Number,
        positive: &["RRN: ⟦971013-¦9019902⟧"],
        negative: &["RRN: 971013-9019903"],
        ..BASE
    },
    Detector {
        name: "sg-nric",
        doc: "Singapore NRIC and FIN near a word that tells so",
        source: "https://www.ica.gov.sg/",
        begin: Begin::Near(&["nric", "fin number", "fin", "identity card"]),
        shape: "[STFG][0-9]{7}[A-Z]",
        check: Some(check::NRIC),
        positive: &["NRIC: ⟦S1234¦567D⟧"],
        negative: &["NRIC: S1234567E"],
        ..BASE
    },
    Detector {
        name: "il-id",
        doc: "Israeli identity numbers near a word that tells so",
        source: "https://www.gov.il/",
        begin: Begin::Near(&["teudat zehut", "teudat", "israeli id", "mispar zehut"]),
        shape: "[0-9]{8}-?[0-9]",
        check: Some(check::LUHN),
        edge: Edge::Number,
        positive: &["teudat zehut: ⟦03933742-¦3⟧"],
        negative: &["teudat zehut: 03933742-4"],
        ..BASE
    },
    Detector {
        name: "tr-kimlik",
        doc: "Turkish identity numbers near a word that tells so",
        source: "https://www.nvi.gov.tr/",
        begin: Begin::Near(&["kimlik", "tc kimlik", "tckn"]),
        shape: "[1-9][0-9]{10}",
        check: Some(check::KIMLIK),
        edge: Edge::Number,
        positive: &["TC Kimlik No: ⟦172917¦16060⟧"],
        negative: &["TC Kimlik No: 17291716061"],
        ..BASE
    },
    Detector {
        name: "za-id",
        doc: "South African identity numbers near a word that tells so",
        source: "https://www.dha.gov.za/",
        begin: Begin::Near(&["rsa id", "id number", "identity number", "south african id"]),
        shape: "[0-9]{6} ?[0-9]{4} ?[01][0-9]{2}",
        check: Some(check::ZA),
        edge: Edge::Number,
        positive: &["ID number: ⟦750330 ¦5044 089⟧"],
        negative: &["ID number: 7503305044088"],
        ..BASE
    },
    Detector {
        name: "au-tfn",
        doc: "Australian tax file numbers near a word that tells so",
        source: "https://www.ato.gov.au/",
        begin: Begin::Near(&["tfn", "tax file"]),
        shape: "[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{2,3}",
        check: Some(check::TFN),
        edge: Edge::Number,
        positive: &["TFN: ⟦123 456 ¦782⟧"],
        negative: &["TFN: 123 456 783"],
        ..BASE
    },
    Detector {
        name: "au-medicare",
        doc: "Australian Medicare numbers near a word that tells so",
        source: "https://www.servicesaustralia.gov.au/",
        begin: Begin::Near(&["medicare"]),
        shape: "[2-6][0-9]{3}[ -]?[0-9]{5}[ -]?[0-9](?:[/ -]?[0-9])?",
        check: Some(check::MEDICARE),
        edge: Edge::Number,
        positive: &["Medicare: ⟦2123 45670 ¦1⟧"],
        negative: &["Medicare: 2123 45671 1"],
        ..BASE
    },
];
