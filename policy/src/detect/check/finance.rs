//! Cards and accounts.

use super::{rule, sum};
use crate::detect::checksum::{digits, luhn, mod97, weighted};
use crate::detect::detector::Check;

pub(in super::super) const CARD: Check = sum("Luhn", is_card);
pub(in super::super) const IBAN: Check = sum("MOD 97-10", is_iban);
pub(in super::super) const BIC: Check = rule("country", |text| {
    text.get(4..6)
        .is_some_and(|country| COUNTRIES.as_bytes().chunks(3).any(|it| it.starts_with(country)))
});
pub(in super::super) const ABA: Check = sum("3-7-1", |text| {
    digits(text).is_some_and(|it| {
        let district = it.iter().take(2).fold(0, |sum, digit| sum * 10 + digit);
        it.len() == 9
            && matches!(district, 1..=12 | 21..=32 | 61..=72 | 80)
            && weighted(&it, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
    })
});

/// First and last prefix of four digits, and lengths: Visa, Mastercard, American Express, Discover,
/// Diners Club, JCB, UnionPay, Maestro.
const ISSUERS: [(u32, u32, &[usize]); 17] = [
    (4000, 4999, &[13, 16, 19]),
    (5100, 5599, &[16]),
    (2221, 2720, &[16]),
    (3400, 3499, &[15]),
    (3700, 3799, &[15]),
    (6011, 6011, &[16, 19]),
    (6440, 6599, &[16, 19]),
    (3000, 3059, &[14]),
    (3095, 3095, &[14]),
    (3600, 3699, &[14]),
    (3800, 3999, &[14]),
    (3528, 3589, &[16, 19]),
    (6200, 6299, &[16, 19]),
    (5018, 5018, &[16]),
    (5020, 5038, &[16]),
    (6304, 6304, &[16]),
    (6759, 6763, &[16]),
];

/// The first three digits of cards.
pub(in super::super) fn card_heads() -> Vec<[u8; 3]> {
    let heads = ISSUERS.iter().flat_map(|(first, last, _)| first / 10..=last / 10);
    let digit = |number: u32| b'0' + (number % 10) as u8;
    let mut heads: Vec<_> =
        heads.map(|head| [digit(head / 100), digit(head / 10), digit(head)]).collect();
    heads.dedup();
    heads
}

fn is_card(text: &[u8]) -> bool {
    let Some(digits) = digits(text) else { return false };
    let head = digits.iter().take(4).fold(0, |head, &digit| head * 10 + u32::from(digit));
    let known = ISSUERS.iter().any(|(first, last, lengths)| {
        (*first..=*last).contains(&head) && lengths.contains(&digits.len())
    });
    known && luhn(&digits)
}

/// Lengths of IBANs by country, of the SWIFT registry.
const IBANS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 \
    DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 \
    HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 \
    MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 \
    SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

/// Country and first check digit.
pub(in super::super) fn iban_heads() -> Vec<[u8; 3]> {
    let head = |country: &str| {
        let bytes = country.as_bytes().first_chunk::<2>().copied();
        bytes.into_iter().flat_map(|[one, two]| (b'0'..=b'9').map(move |digit| [one, two, digit]))
    };
    IBANS.split_ascii_whitespace().flat_map(head).collect()
}

fn is_iban(text: &[u8]) -> bool {
    let compact: Vec<u8> = text.iter().copied().filter(|&byte| byte != b' ').collect();
    let known = IBANS.split_ascii_whitespace().any(|it| {
        let (country, length) = it.split_at(2);
        compact.starts_with(country.as_bytes()) && length.parse() == Ok(compact.len())
    });
    known && mod97(&compact)
}

/// ISO 3166-1, as far as BICs are given out.
const COUNTRIES: &str = "AD AE AF AG AL AM AO AR AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT \
BW BY BZ CA CD CG CH CI CL CM CN CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ES ET FI FJ FO FR GA GB GE \
GH GI GL GM GN GR GT GW GY HK HN HR HT HU ID IE IL IN IQ IR IS IT JM JO JP KE KG KH KR KW KY KZ LA LB LC \
LI LK LR LS LT LU LV LY MA MC MD ME MG MK ML MM MN MO MR MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NZ OM \
PA PE PG PH PK PL PS PT PY QA RO RS RU RW SA SC SD SE SG SI SK SL SM SN SO SR ST SV SY SZ TD TG TH TJ TL \
TM TN TR TT TW TZ UA UG US UY UZ VA VE VG VN XK YE ZA ZM ZW ";
