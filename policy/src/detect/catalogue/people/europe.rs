//! National numbers of the rest of Europe.

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
        name: "de-steuer-id",
        doc: "German tax identification numbers near a word that tells so",
        source: "https://www.bzst.de/",
        begin: Begin::Near(&[
            "steuer id",
            "steueridentifikationsnummer",
            "steuerid",
            "steuernummer",
            "idnr",
            "identifikationsnummer",
            "tax id",
            "tin",
        ]),
        shape: "[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        check: Some(check::STEUER_ID),
        edge: Edge::Number,
        positive: &["Steuer-ID: ⟦86 095 ¦742 719⟧"],
        negative: &["Steuer-ID: 86 095 742 718"],
        ..BASE
    },
    Detector {
        name: "at-svnr",
        doc: "Austrian social insurance numbers near a word that tells so",
        source: "https://www.sozialversicherung.at/",
        begin: Begin::Near(&[
            "svnr",
            "sozialversicherungsnummer",
            "sv nummer",
            "versicherungsnummer",
        ]),
        shape: "[1-9][0-9]{3} ?[0-9]{6}",
        check: Some(check::SVNR),
        edge: Edge::Number,
        positive: &["SVNR ⟦1237 ¦010180⟧"],
        negative: &["SVNR 1238 010180"],
        ..BASE
    },
    Detector {
        name: "ch-ahv",
        doc: "Swiss AHV numbers",
        source: "https://www.zas.admin.ch/",
        begin: Begin::Anchor { literals: &["756"], back: 0 },
        shape: r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}",
        check: Some(check::AHV),
        edge: Edge::Number,
        positive: &["756.9217.¦0769.85"],
        negative: &["756.9217.0769.84"],
        ..BASE
    },
    Detector {
        name: "fr-nir",
        doc: "French social security numbers near a word that tells so",
        source: "https://www.service-public.fr/",
        begin: Begin::Near(&[
            "nir",
            "securite sociale",
            "sécurité sociale",
            "insee",
            "numéro de sécurité",
            "numero de securite",
            "secu",
        ]),
        shape: "[12] ?[0-9]{2} ?[0-9]{2} ?[0-9AB]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
        check: Some(check::NIR),
        edge: Edge::Number,
        positive: &["NIR: ⟦2 55 08 ¦14 168 025 38⟧"],
        negative: &["NIR: 2 55 08 14 168 025 39"],
        ..BASE
    },
    Detector {
        name: "es-dni",
        doc: "Spanish DNI and NIE numbers near a word that tells so",
        source: "https://www.interior.gob.es/",
        begin: Begin::Near(&["dni", "nie", "nif", "documento nacional", "documento"]),
        shape: "[0-9XYZ][0-9]{7}-?[A-HJ-NP-TV-Z]",
        check: Some(check::DNI),
        positive: &["DNI ⟦12345¦678Z⟧", "NIE: ⟦X1234¦567L⟧"],
        negative: &["DNI 12345678A"],
        ..BASE
    },
    Detector {
        name: "pt-nif",
        doc: "Portuguese tax numbers near a word that tells so",
        source: "https://info.portaldasfinancas.gov.pt/",
        begin: Begin::Near(&["nif", "contribuinte", "nipc"]),
        shape: "[1-3569][0-9]{2} ?[0-9]{3} ?[0-9]{3}",
        check: Some(check::PT_NIF),
        edge: Edge::Number,
        positive: &["NIF: ⟦501 964 ¦843⟧"],
        negative: &["NIF: 501 964 842"],
        ..BASE
    },
    Detector {
        name: "it-codice-fiscale",
        doc: "Italian fiscal codes with their check letter",
        source: "https://www.agenziaentrate.gov.it/",
        begin: Begin::Run,
        shape: "[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]",
        check: Some(check::CODICE),
        positive: &["RSSMRA85T10¦A562S"],
        negative: &["RSSMRA85T10A562T"],
        ..BASE
    },
    Detector {
        name: "gr-amka",
        doc: "Greek AMKA numbers near a word that tells so",
        source: "https://www.amka.gr/",
        begin: Begin::Near(&["amka"]),
        shape: "[0-3][0-9][01][0-9][0-9]{2}[0-9]{5}",
        check: Some(check::LUHN),
        edge: Edge::Number,
        positive: &["AMKA: ⟦010130¦99997⟧"],
        negative: &["AMKA: 01013099998"],
        ..BASE
    },
    Detector {
        name: "pl-pesel",
        doc: "Polish PESEL numbers near a word that tells so",
        source: "https://www.gov.pl/web/gov/czym-jest-numer-pesel",
        begin: Begin::Near(&["pesel"]),
        shape: "[0-9]{11}",
        check: Some(check::PESEL),
        edge: Edge::Number,
        positive: &["PESEL: ⟦440514¦01359⟧"],
        negative: &["PESEL: 44051401358"],
        ..BASE
    },
    Detector {
        name: "cz-rodne-cislo",
        doc: "Czech and Slovak birth numbers near a word that tells so",
        source: "https://www.mvcr.cz/",
        begin: Begin::Near(&["rodne cislo", "rodné číslo", "rodné", "rč", "birth number"]),
        shape: "[0-9]{2}[0-8][0-9][0-3][0-9]/?[0-9]{4}",
        check: Some(check::RODNE),
        edge: Edge::Number,
        positive: &["rodné číslo ⟦710319/¦2745⟧"],
        negative: &["rodné číslo 710319/2746"],
        ..BASE
    },
    Detector {
        name: "ro-cnp",
        doc: "Romanian personal numeric codes near a word that tells so",
        source: "https://www.mai.gov.ro/",
        begin: Begin::Near(&["cnp", "cod numeric personal"]),
        shape: "[1-9][0-9]{12}",
        check: Some(check::CNP),
        edge: Edge::Number,
        positive: &["CNP: ⟦163061¦5123457⟧"],
        negative: &["CNP: 1630615123458"],
        ..BASE
    },
    Detector {
        name: "bg-egn",
        doc: "Bulgarian uniform civil numbers near a word that tells so",
        source: "https://www.grao.bg/",
        begin: Begin::Near(&["egn", "civil number"]),
        shape: "[0-9]{10}",
        check: Some(check::EGN),
        edge: Edge::Number,
        positive: &["EGN: ⟦75231¦69263⟧"],
        negative: &["EGN: 7523169264"],
        ..BASE
    },
];
