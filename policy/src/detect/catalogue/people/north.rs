//! National numbers of northern Europe.

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
        name: "uk-nhs-number",
        doc: "NHS numbers near a word that tells so",
        source: "https://www.datadictionary.nhs.uk/attributes/nhs_number.html",
        begin: Begin::Near(&["nhs", "nhs number", "nhs no"]),
        shape: "[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}",
        check: Some(check::NHS),
        edge: Edge::Number,
        positive: &["NHS number ⟦943 476 ¦5919⟧"],
        negative: &["NHS number 943 476 5918"],
        ..BASE
    },
    Detector {
        name: "uk-nino",
        doc: "UK national insurance numbers near a word that tells so",
        source: "https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110",
        begin: Begin::Near(&[
            "nino",
            "national insurance",
            "ni number",
            "insurance number",
            "insurance no",
        ]),
        shape: "[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",
        check: Some(check::NINO),
        positive: &["National Insurance: ⟦AB ¦12 34 56 C⟧"],
        negative: &["National Insurance: QQ 12 34 56 C"],
        ..BASE
    },
    Detector {
        name: "ie-pps",
        doc: "Irish PPS numbers near a word that tells so",
        source: "https://www.gov.ie/en/department-of-social-protection/",
        begin: Begin::Near(&["pps", "ppsn", "pps number", "public service number"]),
        shape: "[0-9]{7}[A-W][A-IW]?",
        check: Some(check::PPS),
        positive: &["PPS: ⟦6433¦435F⟧"],
        negative: &["PPS: 6433435E"],
        ..BASE
    },
    Detector {
        name: "se-personnummer",
        doc: "Swedish personal numbers near a word that tells so",
        source: "https://www.skatteverket.se/",
        begin: Begin::Near(&[
            "personnummer",
            "personnr",
            "pnr",
            "samordningsnummer",
            "personal number",
        ]),
        shape: "(?:19|20)?[0-9]{6}[-+]?[0-9]{4}",
        check: Some(check::SE),
        edge: Edge::Number,
        positive: &["personnummer ⟦811218-¦9876⟧"],
        negative: &["personnummer 811218-9875"],
        ..BASE
    },
    Detector {
        name: "no-fodselsnummer",
        doc: "Norwegian birth numbers near a word that tells so",
        source: "https://www.skatteetaten.no/",
        begin: Begin::Near(&["fodselsnummer", "fødselsnummer", "personnummer", "fnr"]),
        shape: "[0-9]{6} ?[0-9]{5}",
        check: Some(check::NORWAY),
        edge: Edge::Number,
        positive: &["fødselsnummer: ⟦151086 ¦95088⟧"],
        negative: &["fødselsnummer: 151086 95077"],
        ..BASE
    },
    Detector {
        name: "fi-hetu",
        doc: "Finnish personal identity codes near a word that tells so",
        source: "https://dvv.fi/en/personal-identity-code",
        begin: Begin::Near(&[
            "hetu",
            "henkilötunnus",
            "henkilotunnus",
            "personal identity code",
            "personbeteckning",
        ]),
        shape: "[0-3][0-9][01][0-9][0-9]{2}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]",
        check: Some(check::HETU),
        positive: &["hetu ⟦131052-¦308T⟧"],
        negative: &["hetu 131052-308U"],
        ..BASE
    },
    Detector {
        name: "nl-bsn",
        doc: "Dutch citizen service numbers near a word that tells so",
        source: "https://www.rvig.nl/bsn",
        begin: Begin::Near(&["bsn", "burgerservicenummer", "sofinummer", "sofi"]),
        shape: "[0-9]{4}[ .]?[0-9]{2}[ .]?[0-9]{3}",
        check: Some(check::BSN),
        edge: Edge::Number,
        positive: &["BSN: ⟦1112¦22333⟧"],
        negative: &["BSN: 111222334"],
        ..BASE
    },
    Detector {
        name: "be-rijksregister",
        doc: "Belgian national numbers near a word that tells so",
        source: "https://www.ibz.rrn.fgov.be/",
        begin: Begin::Near(&[
            "rijksregister",
            "rijksregisternummer",
            "registre national",
            "national number",
            "insz",
            "niss",
        ]),
        shape: r"[0-9]{2}\.?[0-9]{2}\.?[0-9]{2}[- ]?[0-9]{3}[. ]?[0-9]{2}",
        check: Some(check::BELGIUM),
        edge: Edge::Number,
        positive: &["rijksregister ⟦85.07.30-¦033.28⟧"],
        negative: &["rijksregister 85.07.30-033.29"],
        ..BASE
    },
];
