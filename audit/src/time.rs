//! The one form of time in records and heads: RFC 3339, UTC, milliseconds, 24 bytes
//! (`2026-01-02T03:04:05.678Z`). Text in this form sorts by time.

const DAY_MS: u64 = 86_400_000;

/// Milliseconds since 1970 in the form of records. Years past 9999 are held at the end of 9999.
pub fn rfc3339(unix_ms: u64) -> String {
    let unix_ms = unix_ms.min(253_402_300_799_999);
    let (year, month, day) = civil(unix_ms / DAY_MS);
    let in_day = unix_ms % DAY_MS;
    let (seconds, ms) = (in_day / 1000, in_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
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

fn civil(days_since_1970: u64) -> (u64, u64, u64) {
    // 400 years are 146,097 days: a guess that is never late and at most one year early.
    let mut year = 1970 + days_since_1970 * 400 / 146_097;
    while days(year, 1, 1).is_some_and(|start| start > days_since_1970) {
        year -= 1;
    }
    let mut rest = days_since_1970 - days(year, 1, 1).unwrap_or_default();
    let mut month = 1;
    while let Some(length) = month_length(year, month) {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
    (year, month, rest + 1)
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
