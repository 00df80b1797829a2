//! Cards, accounts and wallets.

use crate::detect::check;
use crate::detect::detector::{Begin, Detector, Edge, Group};

const BASE: Detector = Detector {
    name: "",
    group: Group::Finance,
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
        name: "credit-card",
        doc: "Card numbers of the large schemes, by prefix, length and Luhn",
        source: "ISO/IEC 7812-1",
        begin: Begin::Heads(check::card_heads),
        shape: "[0-9]{4}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{4}(?:[ -]?[0-9]{3})?|[0-9]{4}[ -]?[0-9]{6}[ -]?[0-9]{4,5}|[0-9]{13,19}",
        check: Some(check::CARD),
        edge: Edge::Number,
        positive: &[
            "4111 ¦1111 1111 1111",
            "3782¦82246310005",
            "5555-5555-5555-¦4444",
            "6011¦111111111117",
        ],
        negative: &["4111 1111 1111 1112", "0.4111111111111111", "a4111111111111111"],
        ..BASE
    },
    Detector {
        name: "iban",
        doc: "International bank account numbers, by country, length and MOD 97-10",
        source: "https://www.iso.org/standard/81090.html",
        begin: Begin::Heads(check::iban_heads),
        shape: "[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)",
        check: Some(check::IBAN),
        positive: &["DE89 ¦3704 0044 0532 0130 00", "GB82WEST¦12345698765432"],
        negative: &["DE89 3704 0044 0532 0130 01", "GB82WEST1234569876543"],
        ..BASE
    },
    Detector {
        name: "bic",
        doc: "Business identifier codes near a word that tells so",
        source: "ISO 9362",
        begin: Begin::Near(&["bic", "swift", "swift code", "bic code"]),
        shape: "[A-Z]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?",
        check: Some(check::BIC),
        standard: false,
        positive: &["BIC: ⟦DEUTDEFF500⟧"],
        negative: &["code DEUTDEFF500"],
        ..BASE
    },
    Detector {
        name: "us-bank-routing",
        doc: "ABA routing numbers near a word that tells so",
        source: "https://www.aba.com/about-us/routing-number",
        begin: Begin::Near(&["routing", "routing number", "aba", "rtn", "routing no"]),
        shape: "[0-9]{9}",
        check: Some(check::ABA),
        edge: Edge::Number,
        positive: &["routing number: ⟦021000021⟧"],
        negative: &["routing number: 021000022"],
        ..BASE
    },
    Detector {
        name: "us-bank-account",
        doc: "US bank account numbers near a word that tells so",
        source: "https://www.nacha.org/",
        begin: Begin::Near(&[
            "account number",
            "acct number",
            "bank account",
            "account no",
            "acct no",
        ]),
        shape: "[0-9]{8,17}",
        edge: Edge::Number,
        standard: false,
        positive: &["account number: ⟦000123456789⟧"],
        negative: &["order 000123456789"],
        ..BASE
    },
    Detector {
        name: "bitcoin-private-key",
        doc: "Bitcoin private keys in WIF, with the checksum of Base58Check",
        source: "https://en.bitcoin.it/wiki/Wallet_import_format",
        begin: Begin::Run,
        shape: "[5KL][1-9A-HJ-NP-Za-km-z]{50,51}",
        check: Some(check::WIF),
        positive: &["KwckCfqR1kNqCnWXbc4v¦mEKyeSdNud6cNyqjJuAc6zjKdmsFcJPx"],
        negative: &["K222222222222222222222222222222222222222222222222222"],
        ..BASE
    },
    Detector {
        name: "extended-private-key",
        doc: "Extended private keys of BIP 32, with the checksum of Base58Check",
        source: "https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki",
        begin: Begin::Anchor { literals: &["xprv", "yprv", "zprv", "tprv"], back: 0 },
        shape: "[xyzt]prv[1-9A-HJ-NP-Za-km-z]{107}",
        check: Some(check::XPRV),
        positive: &[
            "xprv9s21ZrQH143K29E9¦5MLsfZxY72etoQGpSA7EnFpxmWckewn5avaCNrdRrVse9vc7EQjVH7DSb5G7yWMYv7f3qjYCynerkYtBExbGy5ZRLTc",
        ],
        negative: &[
            "xprv99999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
        ],
        ..BASE
    },
    Detector {
        name: "ethereum-private-key",
        doc: "Ethereum private keys behind their name",
        source: "https://ethereum.org/en/developers/docs/accounts/",
        begin: Begin::Named(&[
            "private key",
            "privatekey",
            "eth private key",
            "ethereum private key",
            "deployer key",
            "wallet key",
        ]),
        shape: "(?:0x)?[a-fA-F0-9]{64}",
        check: Some(check::MIXED),
        positive: &[
            "PRIVATE_KEY=⟦0xd57ee757429fa714af4c403f5cb0f7bc¦596ce0266923d0f0b751522b16192a13⟧",
        ],
        negative: &["TX_HASH=0x55ebacbb0a4ce78abecaad40151db4c3¦d1c1c45742c3372afa46b7c54045667f"],
        ..BASE
    },
    Detector {
        name: "seed-phrase",
        doc: "Seed phrases of 12 to 24 English words, with the checksum of BIP 39",
        source: "https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki",
        begin: Begin::Phrase,
        shape: "",
        check: Some(check::SEED),
        positive: &["legal winner thank year ¦wave sausage worth useful legal winner thank yellow"],
        negative: &["legal winner thank year wave sausage worth useful legal winner thank year"],
        ..BASE
    },
];
