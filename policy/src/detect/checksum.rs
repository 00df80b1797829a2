//! Check digits and checksums: of cards, accounts, national numbers, and tokens.
//!
//! Digits come as values from 0 to 9, without separators. Nothing here fails on odd input: what is
//! too short, too long or of the wrong alphabet does not check.

/// The digits of a text, without anything else; none where there are more than 40.
pub(super) fn digits(text: &[u8]) -> Option<Digits> {
    let mut digits = Digits { of: [0; 40], len: 0 };
    for byte in text.iter().filter(|byte| byte.is_ascii_digit()) {
        *digits.of.get_mut(digits.len)? = byte - b'0';
        digits.len += 1;
    }
    Some(digits)
}

/// Up to forty digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits {
    of: [u8; 40],
    len: usize,
}

impl std::ops::Deref for Digits {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.of.get(..self.len).unwrap_or_default()
    }
}

/// Whether all digits are the same, as in numbers that stand for none.
pub(super) fn all_same(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair.first() == pair.last())
}

/// ISO/IEC 7812-1, annex B.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, &digit)| u32::from(if at % 2 == 1 { doubled(digit) } else { digit }))
        .sum();
    digits.len() > 1 && sum.is_multiple_of(10)
}

/// The number that the digits make, modulo `modulus`.
pub(super) fn remainder(digits: &[u8], modulus: u64) -> u64 {
    digits.iter().fold(0, |rest, &digit| (rest * 10 + u64::from(digit)) % modulus)
}

/// The sum of digits by weight; the shorter of the two decides how many.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(&digit, weight)| u32::from(digit) * weight).sum()
}

/// ISO/IEC 7064, MOD 11,10.
pub(super) fn mod11_10(digits: &[u8]) -> bool {
    let Some((&last, front)) = digits.split_last() else { return false };
    let product = front.iter().fold(10, |product, &digit| {
        let sum = (u32::from(digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (u32::from(last) + product) % 10 == 1
}

/// ISO/IEC 7064, MOD 97-10, as in IBANs: the first four characters are moved to the end, and
/// letters count from 10.
pub(super) fn mod97(text: &[u8]) -> bool {
    let Some((head, tail)) = text.split_at_checked(4) else { return false };
    let mut rest = 0_u32;
    for byte in tail.iter().chain(head) {
        rest = match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
            _ => return false,
        };
    }
    rest == 1
}

/// Verhoeff's dihedral check, as in Aadhaar numbers. The tables are those of the group D5 and of
/// the permutation (1 5 8 9 4 2 7 0)(3 6).
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTED: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |digit: u8, times: usize| {
        (0..times % 8)
            .fold(digit, |digit, _| PERMUTED.get(usize::from(digit)).copied().unwrap_or_default())
    };
    let sum = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0, |sum, (at, &digit)| dihedral(sum, permuted(digit, at)));
    !digits.is_empty() && sum == 0
}

/// The product of two members of D5: rotations are 0 to 4, reflections 5 to 9.
fn dihedral(left: u8, right: u8) -> u8 {
    match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => 5 + (left + right - 5) % 5,
        (false, true) => 5 + (left - 5 + 5 - right) % 5,
        (false, false) => (left + 5 - right) % 5,
    }
}

/// CRC-32 of IEEE 802.3, by nibbles.
pub(super) fn crc32(text: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut at = 0;
        while at < 16 {
            let mut value = at as u32;
            let mut bit = 0;
            while bit < 4 {
                value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[at] = value;
            at += 1;
        }
        table
    };
    let step = |crc: u32, nibble: u32| {
        TABLE.get(((crc ^ nibble) & 15) as usize).copied().unwrap_or_default() ^ crc >> 4
    };
    !text.iter().fold(u32::MAX, |crc, &byte| step(step(crc, u32::from(byte)), u32::from(byte >> 4)))
}

/// The number that a text of the alphabet `0-9A-Za-z` writes; none where it is above 32 bits.
pub(super) fn base62(text: &[u8]) -> Option<u32> {
    let number = text.iter().try_fold(0_u64, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return None,
        };
        number.checked_mul(62)?.checked_add(u64::from(digit))
    })?;
    u32::try_from(number).ok()
}

/// The bytes that a text in base64 or base64url writes, padded or not; at most `most` of them.
/// None where a character is of neither alphabet.
pub(super) fn base64(text: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(most.min(text.len()));
    let (mut bits, mut have) = (0_u32, 0);
    for byte in text {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        have += 6;
        if have >= 8 {
            have -= 8;
            if bytes.len() == most {
                break;
            }
            bytes.push((bits >> have & 0xFF) as u8);
        }
    }
    Some(bytes)
}

/// Base58Check, as in Bitcoin: the last four bytes are the head of the double SHA-256 of the rest.
pub(super) fn base58check(text: &[u8]) -> bool {
    use sha2::{Digest, Sha256};
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    if text.len() > 128 {
        return false;
    }
    let mut number: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text {
        let Some(digit) = ALPHABET.iter().position(|letter| letter == byte) else { return false };
        let mut carry = digit as u32;
        for place in &mut number {
            carry += u32::from(*place) * 58;
            *place = (carry & 0xFF) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            number.push((carry & 0xFF) as u8);
            carry >>= 8;
        }
    }
    let zeros = text.iter().take_while(|&&byte| byte == b'1').count();
    number.extend(std::iter::repeat_n(0, zeros));
    number.reverse();
    let Some((payload, sum)) = number.split_last_chunk::<4>() else { return false };
    Sha256::digest(Sha256::digest(payload)).starts_with(sum)
}

/// Bech32 (BIP 173): of `text` in one case, the part behind the last `1` ends in a checksum.
pub(super) fn bech32(text: &[u8]) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3];
    let lower = text.to_ascii_lowercase();
    let Some(one) = lower.iter().rposition(|&byte| byte == b'1') else { return false };
    let (name, data) = lower.split_at(one);
    let step = |sum: u32, value: u32| {
        let mixed = (sum & 0x01FF_FFFF) << 5 ^ value;
        GENERATOR
            .iter()
            .enumerate()
            .fold(mixed, |mixed, (bit, part)| mixed ^ (part * (sum >> 25 >> bit & 1)))
    };
    let sum = name.iter().fold(1, |sum, byte| step(sum, u32::from(byte >> 5)));
    let sum = name.iter().fold(step(sum, 0), |sum, byte| step(sum, u32::from(byte & 31)));
    let mut values =
        data.iter().skip(1).map(|byte| ALPHABET.iter().position(|letter| letter == byte));
    let sum = values.try_fold(sum, |sum, value| Some(step(sum, value? as u32)));
    data.len() > 6 && sum == Some(1)
}

/// Shannon entropy in bits a byte, of at most 256 bytes.
pub(super) fn entropy(text: &[u8]) -> f64 {
    let text = text.get(..256).unwrap_or(text);
    let mut counts = [0_u16; 256];
    text.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let length = text.len() as f64;
    let part = |count: u16| f64::from(count) / length;
    counts.iter().filter(|&&count| count > 0).map(|&count| -part(count) * part(count).log2()).sum()
}

#[cfg(test)]
mod tests;
