//! The one form of time in records and heads: RFC 3339, UTC, milliseconds, 24 bytes
//! (`2026-01-02T03:04:05.678Z`). Text in this form sorts by time.

use std::fmt;
use std::ops::Deref;

const DAY_MS: u64 = 86_400_000;
/// The last moment that has four digits of year.
const LAST_MS: u64 = 253_402_300_799_999;

/// A moment as its 24 bytes of text; no allocation. Reads as a `&str`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp([u8; Self::BYTES]);

impl Stamp {
    /// Bytes of the text.
    pub const BYTES: usize = 24;

    /// Milliseconds since 1970. Years past 9999 are held at the end of 9999.
    pub fn new(unix_ms: u64) -> Self {
        let unix_ms = unix_ms.min(LAST_MS);
        let (year, month, day) = civil(unix_ms / DAY_MS);
        let in_day = unix_ms % DAY_MS;
        let (seconds, ms) = (in_day / 1000, in_day % 1000);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        write_digits(&mut text[0..4], year);
        write_digits(&mut text[5..7], month);
        write_digits(&mut text[8..10], day);
        write_digits(&mut text[11..13], seconds / 3600);
        write_digits(&mut text[14..16], seconds / 60 % 60);
        write_digits(&mut text[17..19], seconds % 60);
        write_digits(&mut text[20..23], ms);
        Self(text)
    }

    /// The text, if it is of the form and the date exists (see [`parse`]).
    pub fn parse(text: &str) -> Option<Self> {
        parse(text)?;
        text.as_bytes().try_into().ok().map(Self)
    }

    /// The bytes, under the same conditions.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Option<Self> {
        Self::parse(std::str::from_utf8(&bytes).ok()?)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Always ASCII: the constructors let nothing else in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl Deref for Stamp {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<Stamp> for String {
    fn from(stamp: Stamp) -> Self {
        stamp.as_str().to_owned()
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stamp({self})")
    }
}

/// [`Stamp::new`] as a String.
pub fn rfc3339(unix_ms: u64) -> String {
    Stamp::new(unix_ms).into()
}

/// The reverse of [`rfc3339`]: only that exact form, with a date that exists, from 1970 on. Leap
/// seconds are refused.
pub fn parse(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    if bytes.len() != 24 || !text.is_ascii() {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = &bytes[from..to];
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0')))
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')];
    if marks.iter().any(|&(at, mark)| bytes[at] != mark) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if year < 1970 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days(year, month, day)?;
    Some(days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + number(20, 23)?)
}

fn is_leap(year: u64) -> bool {
    (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400)
}

fn month_length(year: u64, month: u64) -> Option<u64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap(year) { 29 } else { 28 }),
        _ => None,
    }
}

/// Leap days before `year`, counted from year 1.
fn leap_days(year: u64) -> u64 {
    let past = year - 1;
    past / 4 - past / 100 + past / 400
}

fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if day == 0 || day > month_length(year, month)? {
        return None;
    }
    let months: u64 = (1..month).filter_map(|month| month_length(year, month)).sum();
    Some((year - 1970) * 365 + leap_days(year) - leap_days(1970) + months + day - 1)
}

/// Year, month and day of a count of days.
const fn civil(days_since_1970: u64) -> (u64, u64, u64) {
    // Counted from 1 March of the year 0: the leap day is then the last of its year, and the
    // lengths of the months from March on repeat every five (153 days).
    let days = days_since_1970 + 719_468;
    let (era, in_era) = (days / 146_097, days % 146_097);
    let year_in_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_in_era + (month <= 2) as u64;
    (year, month, day)
}

/// Fills `place` with the decimal digits of `number`, with leading zeros.
fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_767_323_045_678, "2026-01-02T03:04:05.678Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(ms), text);
            assert_eq!(parse(text), Some(ms));
            assert_eq!(Stamp::parse(text), Some(Stamp::new(ms)));
            assert_eq!(Stamp::from_bytes(*Stamp::new(ms).as_bytes()), Some(Stamp::new(ms)));
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in 0..157_000 {
            let ms = day * DAY_MS;
            assert_eq!(parse(&Stamp::new(ms)), Some(ms));
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        for text in [
            "",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.678+00:00",
            "2026-01-02 03:04:05.678Z",
            "2026-02-29T03:04:05.678Z",
            "2026-13-01T03:04:05.678Z",
            "2026-00-01T03:04:05.678Z",
            "2026-01-00T03:04:05.678Z",
            "2026-01-02T24:00:00.000Z",
            "2026-01-02T03:04:60.000Z",
            "1969-12-31T23:59:59.999Z",
            "+026-01-02T03:04:05.678Z",
            "2026-01-02T03:04:05.67\u{e9}",
        ] {
            assert_eq!(parse(text), None, "{text}");
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_number_agree(ms in 0_u64..=253_402_300_799_999) {
            prop_assert_eq!(parse(&rfc3339(ms)), Some(ms));
        }

        #[test]
        fn text_sorts_by_time(a in 0_u64..=253_402_300_799_999, b in 0_u64..=253_402_300_799_999) {
            prop_assert_eq!(a.cmp(&b), rfc3339(a).cmp(&rfc3339(b)));
        }
    }
}
