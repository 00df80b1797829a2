//! What must hold of matched bytes beside their shape, for each detector that has such a check.

use super::assignment;
use super::checksum::{base58check, base62, base64, bech32, crc32, entropy};
use super::detector::Check;

mod finance;
mod people;

pub(super) use finance::*;
pub(super) use people::*;

/// A checksum.
const fn sum(name: &'static str, holds: fn(&[u8]) -> bool) -> Check {
    Check { name, sum: true, holds }
}

/// What only rules out values that cannot be.
const fn rule(name: &'static str, holds: fn(&[u8]) -> bool) -> Check {
    Check { name, sum: false, holds }
}

pub(super) const MIXED: Check = rule("letters and digits, mixed", is_mixed);
pub(super) const MIXED_DIGITS: Check = rule("two digits or more", |text| digits_in(text) >= 2);
pub(super) const RANDOM: Check = rule("entropy", |text| assignment::is_random(trimmed(text)));
pub(super) const GITHUB: Check = sum("CRC-32", crc_base62);
pub(super) const ATLASSIAN: Check = sum("CRC-32", |text| {
    text.split_last_chunk::<8>().is_some_and(|(front, sum)| hex(sum) == Some(crc32(front)))
});
pub(super) const GRAFANA: Check = sum("CRC-32", |text| {
    text.split_last_chunk::<9>().is_some_and(|(front, [_, sum @ ..])| {
        hex(sum).is_some_and(|sum| sum == crc32(front) || sum.swap_bytes() == crc32(front))
    })
});
pub(super) const OPENAI: Check = rule("signature in the middle", |text| {
    let signature = text.windows(8).position(|part| part == b"T3BlbkFJ");
    signature.is_some_and(|at| at >= 23 && at + 28 <= text.len())
});
pub(super) const AZURE_DEVOPS: Check = rule("signature AZDO", |text| text.len() == 84);
pub(super) const MAILCHIMP: Check = rule("data centre", |text| digits_in(text) > 2);
pub(super) const DISCORD: Check = rule("id in base64", |text| {
    let id = text.split(|&byte| byte == b'.').next().unwrap_or_default();
    base64(id, 24).is_some_and(|id| id.len() >= 17 && id.iter().all(u8::is_ascii_digit))
});
pub(super) const BASIC: Check = rule("user and password in base64", is_basic);
pub(super) const BASIC_HEADER: Check =
    rule("user and password in base64", |text| text.get(6..).is_some_and(is_basic));
pub(super) const BEARER: Check =
    rule("letters and digits, mixed", |text| text.get(7..).is_some_and(is_mixed));
pub(super) const PASSWORD_URL: Check = rule("a password that is no placeholder", is_password_url);
pub(super) const PEM: Check = rule("a line of base64", |text| {
    let mut dashes = text.windows(5).enumerate().skip(1);
    let body = dashes.find(|(_, part)| *part == b"-----").map_or(0, |(at, _)| at + 5);
    has_run(text.get(body..).unwrap_or_default(), 24)
});
pub(super) const PEM_BASE64: Check = rule("PRIVATE KEY in base64", |text| {
    base64(text, 64).is_some_and(|head| head.windows(11).any(|part| part == b"PRIVATE KEY"))
});
pub(super) const BECH32: Check = sum("Bech32", bech32);
pub(super) const JWT: Check = rule("a header in JSON", is_jwt);
pub(super) const WIF: Check =
    sum("Base58Check", |text| matches!(text.len(), 51 | 52) && base58check(text));
pub(super) const XPRV: Check = sum("Base58Check", base58check);
pub(super) const SEED: Check = sum("SHA-256 of BIP 39", |_| true);
pub(super) const IPV4: Check = rule("no version", |text| {
    // Four single digits are a version far more often than an address.
    text.len() > 7
});
pub(super) const IPV6: Check = rule("an address", |text| {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
});

/// Letters of the local part of an address.
pub(super) fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
}

pub(super) fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

/// Heads of IPv4 addresses.
pub(super) fn ipv4_heads() -> Vec<[u8; 3]> {
    let digits = b'0'..=b'9';
    let of =
        |one, two| digits.clone().flat_map(move |three| [[one, two, three], [one, b'.', three]]);
    let mut heads: Vec<_> =
        digits.clone().flat_map(|one| digits.clone().flat_map(move |two| of(one, two))).collect();
    for one in digits.clone() {
        heads.extend(digits.clone().map(|two| [one, two, b'.']));
    }
    heads.sort_unstable();
    heads.dedup();
    heads
}

fn digits_in(text: &[u8]) -> usize {
    text.iter().filter(|byte| byte.is_ascii_digit()).count()
}

/// Whether letters and digits are mixed as in a random token.
fn is_mixed(text: &[u8]) -> bool {
    let letters = text.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    digits_in(text) >= 1 && letters >= 2 && entropy(text) >= 3.0
}

fn trimmed(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}

fn has_run(text: &[u8], length: usize) -> bool {
    text.split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'/'))
        .any(|run| run.len() >= length)
}

/// The last six characters are the CRC-32, in base 62, of those behind the first `_` (GitHub, npm).
fn crc_base62(text: &[u8]) -> bool {
    let Some(start) = text.iter().position(|&byte| byte == b'_') else { return false };
    let body = text.get(start + 1..).unwrap_or_default();
    body.split_last_chunk::<6>().is_some_and(|(random, sum)| base62(sum) == Some(crc32(random)))
}

fn hex(text: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

/// Whether base64 of a text with a colon, of printable characters.
fn is_basic(text: &[u8]) -> bool {
    base64(text, 400).is_some_and(|pair| {
        let colon = pair.iter().position(|&byte| byte == b':');
        colon.is_some_and(|at| at > 0 && at + 1 < pair.len())
            && pair.iter().all(|&byte| byte >= b' ' && byte != 0x7F)
            && std::str::from_utf8(&pair).is_ok()
    })
}

fn is_jwt(text: &[u8]) -> bool {
    let header = text.split(|&byte| byte == b'.').next().unwrap_or_default();
    base64(header, 1500).is_some_and(|header| {
        header.first() == Some(&b'{')
            && header.last() == Some(&b'}')
            && [&b"\"alg\""[..], b"\"typ\"", b"\"enc\""]
                .iter()
                .any(|name| header.windows(5).any(|part| part == *name))
    })
}

/// Whether the password of a URL is one: no variable, and none of the words that stand for one.
fn is_password_url(text: &[u8]) -> bool {
    let Some(scheme) = text.windows(3).position(|part| part == b"://") else { return false };
    let rest = text.get(scheme + 3..).unwrap_or_default();
    let Some(at) = rest.iter().rposition(|&byte| byte == b'@') else { return false };
    let pair = rest.get(..at).unwrap_or_default();
    let Some(colon) = pair.iter().position(|&byte| byte == b':') else { return false };
    let password = pair.get(colon + 1..).unwrap_or_default().to_ascii_lowercase();
    const PLACEHOLDERS: [&[u8]; 8] =
        [b"password", b"passwd", b"pass", b"secret", b"changeme", b"example", b"xxx", b"..."];
    let is_variable = matches!(password.first(), Some(b'$' | b'{' | b'<' | b'[' | b'%' | b'*'))
        && !password.starts_with(b"%2")
        && !password.starts_with(b"%4");
    !is_variable
        && !PLACEHOLDERS.contains(&password.as_slice())
        && !super::checksum::all_same(&password)
}
