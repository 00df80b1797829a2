//! National numbers of the Americas.

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
        name: "us-ssn",
        doc: "US social security numbers near a word that tells so",
        source: "https://www.ssa.gov/employer/randomization.html",
        begin: Begin::Near(&[
            "ssn",
            "social security",
            "social security number",
            "social sec",
            "ss number",
            "soc sec",
        ]),
        shape: "[0-9]{3}(?:-[0-9]{2}-| [0-9]{2} |[0-9]{2})[0-9]{4}",
        check: Some(check::SSN),
        edge: Edge::Number,
        positive: &["SSN: ⟦536-22-¦1234⟧", "\"socialSecurityNumber\": \"⟦536¦221234⟧\""],
        negative: &[
            "order 536-22-1234",
            "SSN: 078-05-1120",
            "SSN: 666-12-3456",
            "SSN: 900-12-3456",
        ],
        ..BASE
    },
    Detector {
        name: "us-itin",
        doc: "US individual taxpayer numbers near a word that tells so",
        source: "https://www.irs.gov/tin/itin/individual-taxpayer-identification-number-itin",
        begin: Begin::Near(&["itin", "taxpayer", "tax id", "tax identification", "tin"]),
        shape: "9[0-9]{2}[- ]?(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])[- ]?[0-9]{4}",
        edge: Edge::Number,
        positive: &["ITIN: ⟦912-70-¦1234⟧"],
        negative: &["ITIN: 812-70-1234"],
        ..BASE
    },
    Detector {
        name: "us-npi",
        doc: "US national provider identifiers near a word that tells so",
        source: "https://www.cms.gov/medicare/regulations-guidance/administrative-simplification/npi-identifier",
        begin: Begin::Near(&["npi", "provider", "national provider"]),
        shape: "[12][0-9]{9}",
        check: Some(check::NPI),
        edge: Edge::Number,
        positive: &["NPI: ⟦1234567893⟧"],
        negative: &["NPI: 1234567890"],
        ..BASE
    },
    Detector {
        name: "ca-sin",
        doc: "Canadian social insurance numbers near a word that tells so",
        source: "https://www.canada.ca/en/employment-social-development/services/sin.html",
        begin: Begin::Near(&[
            "sin number",
            "sin no",
            "social insurance",
            "social insurance number",
            "nas number",
            "assurance sociale",
        ]),
        shape: "[1-79][0-9]{2}[ -]?[0-9]{3}[ -]?[0-9]{3}",
        check: Some(check::LUHN),
        edge: Edge::Number,
        positive: &["SIN number: ⟦130 692 ¦544⟧"],
        negative: &["SIN number: 130 692 545"],
        ..BASE
    },
    Detector {
        name: "br-cpf",
        doc: "Brazilian CPF numbers, near a word that tells so",
        source: "https://www.gov.br/receitafederal/",
        begin: Begin::Near(&["cpf", "cadastro"]),
        shape: r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}",
        check: Some(check::CPF),
        edge: Edge::Number,
        positive: &["CPF: ⟦390.533.¦447-05⟧"],
        negative: &["CPF: 390.533.447-06"],
        ..BASE
    },
    Detector {
        name: "br-cnpj",
        doc: "Brazilian CNPJ numbers, near a word that tells so",
        source: "https://www.gov.br/receitafederal/",
        begin: Begin::Near(&["cnpj"]),
        shape: r"[0-9]{2}\.?[0-9]{3}\.?[0-9]{3}/?[0-9]{4}-?[0-9]{2}",
        check: Some(check::CNPJ),
        edge: Edge::Number,
        positive: &["CNPJ ⟦16.727.230/¦0001-97⟧"],
        negative: &["CNPJ 16.727.230/0001-98"],
        ..BASE
    },
    Detector {
        name: "ar-cuit",
        doc: "Argentine CUIT and CUIL numbers near a word that tells so",
        source: "https://www.afip.gob.ar/",
        begin: Begin::Near(&["cuit", "cuil"]),
        shape: "(?:2[0-7]|3[0-4])-?[0-9]{8}-?[0-9]",
        check: Some(check::CUIT),
        edge: Edge::Number,
        positive: &["CUIT ⟦20-05536¦168-2⟧"],
        negative: &["CUIT 20-05536168-3"],
        ..BASE
    },
    Detector {
        name: "cl-rut",
        doc: "Chilean RUT numbers near a word that tells so",
        source: "https://www.sii.cl/",
        begin: Begin::Near(&["rut", "run"]),
        shape: r"[0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}-[0-9kK]",
        check: Some(check::RUT),
        edge: Edge::Number,
        positive: &["RUT: ⟦76086¦428-5⟧"],
        negative: &["RUT: 76086428-6"],
        ..BASE
    },
    Detector {
        name: "mx-curp",
        doc: "Mexican CURP codes with their check digit",
        source: "https://www.gob.mx/curp/",
        begin: Begin::Run,
        shape: "[A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z][0-9]",
        check: Some(check::CURP),
        positive: &["BOXW310820¦HNERXN09"],
        negative: &["BOXW310820HNERXN08"],
        ..BASE
    },
];
