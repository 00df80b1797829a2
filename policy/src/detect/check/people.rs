//! National numbers.

use super::{rule, sum};
use crate::detect::checksum::{
    Digits, all_same, digits, luhn, mod11_10, remainder, verhoeff, weighted,
};
use crate::detect::detector::Check;

macro_rules! checks {
    ($($kind:ident $name:ident $doc:literal $holds:expr;)*) => {
        $(pub(in super::super) const $name: Check = $kind($doc, $holds);)*
    };
}

checks! {
    sum LUHN "Luhn" |text| of(text, 0..=40).is_some_and(|it| luhn(&it) && !all_same(&it));
    rule SSN "numbers that are given out" is_ssn;
    rule PHONE "7 to 15 digits" |text| of(text, 7..=15).is_some_and(|it| !all_same(&it));
    sum NPI "Luhn" |text| {
        digits(&[&b"80840"[..], text].concat()).is_some_and(|it| it.len() == 15 && luhn(&it))
    };
    sum CPF "mod 11" |text| of(text, 11..=11).is_some_and(|it| is_cpf(&it));
    sum CNPJ "mod 11" |text| of(text, 14..=14).is_some_and(|it| is_cnpj(&it));
    sum CUIT "mod 11" |text| {
        of(text, 11..=11).is_some_and(|it| {
            let rest = weighted(&it, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
            rest != 1 && last(&it) == (11 - rest) % 11
        })
    };
    sum RUT "mod 11" is_rut;
    sum CURP "mod 10" is_curp;
    sum NHS "mod 11" |text| {
        of(text, 10..=10).is_some_and(|it| {
            let rest = weighted(&it, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
            rest != 1 && last(&it) == (11 - rest) % 11 && !all_same(&it)
        })
    };
    rule NINO "prefixes that are given out" |text| {
        const NEVER: [&[u8]; 7] = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];
        text.get(..2).is_some_and(|prefix| !NEVER.contains(&prefix))
    };
    sum PPS "mod 23" is_pps;
    sum SE "Luhn" |text| {
        digits(text).is_some_and(|it| {
            let it = if it.len() == 12 { it.get(2..).unwrap_or_default() } else { &*it };
            it.len() == 10 && luhn(it) && date(it, 2, 4, 60)
        })
    };
    sum NORWAY "mod 11, twice" |text| of(text, 11..=11).is_some_and(|it| is_norwegian(&it));
    sum HETU "mod 31" is_hetu;
    sum BSN "mod 11" |text| {
        of(text, 9..=9).is_some_and(|it| {
            let front = weighted(&it, &[9, 8, 7, 6, 5, 4, 3, 2]);
            front % 11 == last(&it) && !all_same(&it)
        })
    };
    sum BELGIUM "mod 97" |text| {
        of(text, 11..=11).is_some_and(|it| {
            let (front, key) = it.split_at_checked(9).unwrap_or_default();
            let key = remainder(key, 100);
            let later = [&[2_u8][..], front].concat();
            date(&it, 2, 4, 0)
                && (97 - remainder(front, 97) == key || 97 - remainder(&later, 97) == key)
        })
    };
    sum STEUER_ID "MOD 11,10" |text| of(text, 11..=11).is_some_and(|it| is_steuer_id(&it));
    sum SVNR "mod 11" |text| {
        of(text, 10..=10).is_some_and(|it| {
            let rest = weighted(&it, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11;
            it.get(3).is_some_and(|&check| u32::from(check) == rest) && date(&it, 6, 4, 0)
        })
    };
    sum AHV "EAN-13" |text| {
        of(text, 13..=13).is_some_and(|it| {
            weighted(&it, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
                && !all_same(it.get(3..).unwrap_or_default())
        })
    };
    sum NIR "mod 97" is_nir;
    sum DNI "mod 23" is_dni;
    sum PT_NIF "mod 11" |text| {
        of(text, 9..=9).is_some_and(|it| {
            let rest = weighted(&it, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
            last(&it) == if rest < 2 { 0 } else { 11 - rest }
        })
    };
    sum CODICE "mod 26" is_codice_fiscale;
    sum PESEL "mod 10" |text| {
        of(text, 11..=11).is_some_and(|it| {
            let rest = weighted(&it, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10;
            last(&it) == (10 - rest) % 10 && month_of_century(&it)
        })
    };
    sum RODNE "mod 11" |text| {
        of(text, 10..=10).is_some_and(|it| {
            let front = it.get(..9).unwrap_or_default();
            let month = two(&it, 2) % 50;
            let of_month = (1..=12).contains(&month) || (21..=32).contains(&month);
            (remainder(&it, 11) == 0 || (remainder(front, 11) == 10 && last(&it) == 0))
                && of_month && (1..=31).contains(&two(&it, 4))
        })
    };
    sum CNP "mod 11" |text| {
        of(text, 13..=13).is_some_and(|it| {
            let rest = weighted(&it, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
            last(&it) == if rest == 10 { 1 } else { rest } && date(&it, 3, 5, 0)
        })
    };
    sum EGN "mod 11" |text| {
        of(text, 10..=10).is_some_and(|it| {
            let rest = weighted(&it, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11;
            last(&it) == rest % 10 && month_of_century(&it)
        })
    };
    sum AADHAAR "Verhoeff" |text| of(text, 12..=12).is_some_and(|it| verhoeff(&it) && !all_same(&it));
    sum CHINA "MOD 11-2" is_chinese;
    sum MY_NUMBER "mod 11" |text| {
        of(text, 12..=12).is_some_and(|it| {
            let rest = weighted(&it, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
            last(&it) == if rest < 2 { 0 } else { 11 - rest } && !all_same(&it)
        })
    };
    sum KOREA "mod 11" |text| {
        of(text, 13..=13).is_some_and(|it| {
            let rest = weighted(&it, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11;
            last(&it) == (11 - rest) % 10 && date(&it, 2, 4, 0)
        })
    };
    sum NRIC "mod 11" is_nric;
    sum KIMLIK "mod 10, twice" |text| of(text, 11..=11).is_some_and(|it| is_kimlik(&it));
    sum ZA "Luhn" |text| of(text, 13..=13).is_some_and(|it| luhn(&it) && date(&it, 2, 4, 0));
    sum TFN "mod 11" |text| {
        digits(text).is_some_and(|it| {
            let weights: &[u32] = match it.len() {
                9 => &[1, 4, 3, 7, 5, 8, 6, 9, 10],
                8 => &[10, 7, 8, 4, 6, 3, 5, 1],
                _ => return false,
            };
            weighted(&it, weights).is_multiple_of(11) && !all_same(&it)
        })
    };
    sum MEDICARE "mod 10" |text| {
        of(text, 10..=11).is_some_and(|it| {
            let rest = weighted(&it, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
            it.get(8).is_some_and(|&check| u32::from(check) == rest)
        })
    };
}

/// The first three digits of Chinese numbers: provinces, and the first digit of the place.
pub(in super::super) fn china_heads() -> Vec<[u8; 3]> {
    const PROVINCES: [u8; 34] = [
        11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51,
        52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82,
    ];
    let heads = PROVINCES.iter().flat_map(|province| {
        (b'0'..=b'9').map(move |digit| [b'0' + province / 10, b'0' + province % 10, digit])
    });
    heads.collect()
}

/// The digits of a text, if there are so many.
fn of(text: &[u8], length: std::ops::RangeInclusive<usize>) -> Option<Digits> {
    digits(text).filter(|digits| length.contains(&digits.len()))
}

fn last(digits: &[u8]) -> u32 {
    digits.last().copied().map_or(0, u32::from)
}

/// Two digits as a number.
fn two(digits: &[u8], at: usize) -> u32 {
    let pair = digits.get(at..).unwrap_or_default().iter().take(2);
    pair.fold(0, |number, &digit| number * 10 + u32::from(digit))
}

/// Whether month and day stand at these places; the day may be higher by `more`.
fn date(digits: &[u8], month: usize, day: usize, more: u32) -> bool {
    let (month, day) = (two(digits, month), two(digits, day));
    (1..=12).contains(&month)
        && ((1..=31).contains(&day) || (more > 0 && (1..=31).contains(&(day.wrapping_sub(more)))))
}

/// Year, month and day, where 20 is added to the month for each century on.
fn month_of_century(digits: &[u8]) -> bool {
    (1..=12).contains(&(two(digits, 2) % 20)) && (1..=31).contains(&two(digits, 4))
}

fn is_ssn(text: &[u8]) -> bool {
    // Numbers that were printed in advertisements.
    const PRINTED: [u64; 3] = [78_051_120, 219_099_999, 123_456_789];
    of(text, 9..=9).is_some_and(|it| {
        let area = remainder(it.get(..3).unwrap_or_default(), 1000);
        let serial = remainder(it.get(5..).unwrap_or_default(), 10_000);
        !matches!(area, 0 | 666 | 900..)
            && two(&it, 3) != 0
            && serial != 0
            && !PRINTED.contains(&remainder(&it, 1_000_000_000))
            && !all_same(&it)
    })
}

fn is_cpf(digits: &[u8]) -> bool {
    let check = |sum: u32| if sum % 11 < 2 { 0 } else { 11 - sum % 11 };
    let first = check(weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]));
    let second = check(weighted(digits, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]));
    two(digits, 9) == first * 10 + second && !all_same(digits)
}

fn is_cnpj(digits: &[u8]) -> bool {
    let check = |sum: u32| if sum % 11 < 2 { 0 } else { 11 - sum % 11 };
    let first = check(weighted(digits, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]));
    let second = check(weighted(digits, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]));
    two(digits, 12) == first * 10 + second && !all_same(digits)
}

fn is_rut(text: &[u8]) -> bool {
    let Some((check, front)) = text.split_last() else { return false };
    let Some(front) = digits(front) else { return false };
    let weights = [2, 3, 4, 5, 6, 7].into_iter().cycle();
    let sum: u32 = front.iter().rev().zip(weights).map(|(&digit, by)| u32::from(digit) * by).sum();
    let expected = match 11 - sum % 11 {
        11 => b'0',
        10 => b'K',
        digit => b'0' + digit as u8,
    };
    check.to_ascii_uppercase() == expected && front.iter().any(|&digit| digit != 0)
}

fn is_curp(text: &[u8]) -> bool {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        // The place of the letter that ASCII does not have is left out.
        b'A'..=b'N' => u32::from(byte - b'A') + 10,
        _ => u32::from(byte.saturating_sub(b'A')) + 11,
    };
    let front = text.get(..17).unwrap_or_default();
    let sum: u32 = front.iter().zip((2..=18).rev()).map(|(&byte, by)| value(byte) * by).sum();
    let born = digits(text.get(4..10).unwrap_or_default());
    text.last().is_some_and(|&check| u32::from(check.wrapping_sub(b'0')) == (10 - sum % 10) % 10)
        && born.is_some_and(|born| date(&born, 2, 4, 0))
}

fn is_pps(text: &[u8]) -> bool {
    let Some(front) = of(text, 7..=7) else { return false };
    let letter = |at: usize| text.get(at).map(|byte| u32::from(byte - b'@') % 23);
    let second = letter(8).unwrap_or(0);
    let sum = weighted(&front, &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    letter(7) == Some(sum % 23)
}

fn is_norwegian(digits: &[u8]) -> bool {
    let check = |weights: &[u32]| (11 - weighted(digits, weights) % 11) % 11;
    let first = check(&[3, 7, 6, 1, 8, 9, 4, 5, 2]);
    let second = check(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let day = two(digits, 0) % 40;
    first < 10
        && second < 10
        && two(digits, 9) == first * 10 + second
        && (1..=31).contains(&day)
        && (1..=12).contains(&(two(digits, 2) % 40))
}

fn is_hetu(text: &[u8]) -> bool {
    const LETTERS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let Some((check, front)) = text.split_last() else { return false };
    let Some(front) = of(front, 9..=9) else { return false };
    let rest = remainder(&front, 31) as usize;
    LETTERS.get(rest) == Some(check) && date(&front, 2, 0, 0)
}

fn is_steuer_id(digits: &[u8]) -> bool {
    let front = digits.get(..10).unwrap_or_default();
    let times = |digit: u8| front.iter().filter(|&&it| it == digit).count();
    let repeated: Vec<usize> = (0..10).map(times).filter(|&times| times > 1).collect();
    matches!(repeated.as_slice(), [2 | 3]) && mod11_10(digits)
}

fn is_nir(text: &[u8]) -> bool {
    // Corsica's departments, 2A and 2B, count as 19 and 18.
    let numbers: Vec<u8> = text.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    let corsica = |text: &[u8]| match text.get(5..7) {
        Some(b"2A") => Some(b"19"),
        Some(b"2B") => Some(b"18"),
        _ => None,
    };
    let mut plain = numbers.clone();
    if let (Some(known), Some(place)) = (corsica(&numbers), plain.get_mut(5..7)) {
        place.copy_from_slice(known);
    }
    of(&plain, 15..=15).is_some_and(|it| {
        let (front, key) = it.split_at_checked(13).unwrap_or_default();
        let month = two(&it, 3);
        97 - remainder(front, 97) == remainder(key, 100)
            && (matches!(month, 1..=12 | 20..=42) || month >= 50)
    })
}

fn is_dni(text: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let Some((letter, front)) = text.split_last() else { return false };
    let mut front = front.to_vec();
    if let Some(first) = front.first_mut()
        && matches!(first, b'X'..=b'Z')
    {
        *first = *first - b'X' + b'0';
    }
    of(&front, 8..=8).is_some_and(|it| {
        LETTERS.get(remainder(&it, 23) as usize) == Some(letter) && !all_same(&it)
    })
}

fn is_codice_fiscale(text: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let value = |byte: u8| {
        usize::from(if byte.is_ascii_digit() { byte - b'0' } else { byte.wrapping_sub(b'A') })
    };
    let Some((check, front)) = text.split_last() else { return false };
    let sum: u32 = front
        .iter()
        .enumerate()
        .map(|(at, &byte)| match at % 2 {
            0 => ODD.get(value(byte)).copied().unwrap_or_default(),
            _ => value(byte) as u32,
        })
        .sum();
    let day = digits(text.get(9..11).unwrap_or_default());
    u32::from(check.wrapping_sub(b'A')) == sum % 26
        && day.is_some_and(|day| matches!(two(&day, 0), 1..=31 | 41..=71))
}

fn is_chinese(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let Some((check, front)) = text.split_last() else { return false };
    let Some(front) = of(front, 17..=17) else { return false };
    let expected = b"10X98765432".get((weighted(&front, &WEIGHTS) % 11) as usize);
    expected == Some(&check.to_ascii_uppercase()) && date(&front, 10, 12, 0)
}

fn is_nric(text: &[u8]) -> bool {
    let Some(front) = of(text, 7..=7) else { return false };
    let (letters, more) = match text.first() {
        Some(b'S') => (b"JZIHGFEDCBA", 0),
        Some(b'T') => (b"JZIHGFEDCBA", 4),
        Some(b'F') => (b"XWUTRQPNMLK", 0),
        _ => (b"XWUTRQPNMLK", 4),
    };
    let rest = (weighted(&front, &[2, 7, 6, 5, 4, 3, 2]) + more) % 11;
    letters.get(rest as usize) == text.last()
}

fn is_kimlik(digits: &[u8]) -> bool {
    let sum = |digits: &[u8], step: usize, from: usize| -> u32 {
        digits.iter().skip(from).step_by(step).map(|&digit| u32::from(digit)).sum()
    };
    let front = digits.get(..9).unwrap_or_default();
    let tenth = (sum(front, 2, 0) * 7 + 100 - sum(front, 2, 1)) % 10;
    let ten = digits.get(..10).unwrap_or_default();
    ten.last().is_some_and(|&digit| u32::from(digit) == tenth)
        && last(digits) == sum(ten, 1, 0) % 10
}
