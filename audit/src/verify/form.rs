//! The form of records, by version.

use crate::chain::MAX_RECORD_BYTES;
use crate::record::{DURABILITIES, Kind, MAX_COUNT, RECORD_VERSION, Record};
use crate::time;

/// Reads a record's bytes: JSON of a known version, not too long, with a time, and of the form that
/// its version has.
///
/// # Errors
/// What is wrong, for people.
pub fn read_record(text: &str) -> Result<Record, String> {
    if text.len() > MAX_RECORD_BYTES {
        return Err(format!("the record has {} bytes, more than {MAX_RECORD_BYTES}", text.len()));
    }
    let mut record: Record = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if !(1..=RECORD_VERSION).contains(&record.v) {
        return Err(format!("version {} is unknown", record.v));
    }
    if time::parse(&record.time).is_none() {
        return Err("the time is not RFC 3339 in UTC with milliseconds".to_owned());
    }
    if record.v == 1 {
        // These fields did not exist, and readers ignore what they do not know.
        (record.until, record.unclean, record.cut, record.durability) = (None, false, None, None);
        record.masked = None;
    } else {
        check_form(&record)?;
    }
    Ok(record)
}

/// What version 2 says about its fields.
fn check_form(record: &Record) -> Result<(), String> {
    let is_denial = record.kind == Kind::Intent && record.effect.as_deref() == Some("Deny");
    match (record.count, &record.until) {
        (None, None) => {}
        (None, Some(_)) => return Err("an `until` belongs to a `count`".to_owned()),
        (Some(_), None) if record.kind == Kind::Rejected => {}
        // Whatever was allowed has a record of its own.
        (Some(_), _) if !is_denial => return Err("only denials and packets are counted".to_owned()),
        (Some(count), Some(until)) => {
            if !(1..=MAX_COUNT).contains(&count) {
                return Err(format!("the count of denials is from 1 to {MAX_COUNT}"));
            }
            time::parse(until).ok_or("`until` is no time of the form of `time`")?;
        }
        (Some(_), None) => return Err("counted denials have no `until`".to_owned()),
    }
    if (record.unclean || record.cut.is_some()) && record.kind != Kind::Restart {
        return Err("only a Restart is unclean".to_owned());
    }
    if record.masked.is_some() && record.kind != Kind::Outcome {
        return Err("only an Outcome says what was masked".to_owned());
    }
    match &record.durability {
        Some(_) if record.kind != Kind::Policy => Err("only a Policy has a durability".to_owned()),
        Some(it) if !DURABILITIES.contains(&it.as_str()) => Err(format!("{it:?} is no durability")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(v: u32, rest: &str) -> Result<Record, String> {
        read_record(&format!(r#"{{"v":{v},"time":"2026-01-02T03:04:05.678Z",{rest}}}"#))
    }

    #[test]
    fn what_version_2_adds_is_read() {
        let until = r#""until":"2026-01-02T03:04:06.000Z""#;
        let denials = read(2, &format!(r#""kind":"Intent","effect":"Deny","count":7,{until}"#));
        let denials = denials.unwrap();
        assert_eq!((denials.denials(), denials.until.is_some()), (7, true));
        assert_eq!(read(2, r#""kind":"Intent","effect":"Deny""#).unwrap().denials(), 1);
        assert_eq!(read(2, r#""kind":"Intent","effect":"Allow""#).unwrap().denials(), 0);
        let restart = read(2, r#""kind":"Restart","unclean":true,"cut":31"#).unwrap();
        assert_eq!((restart.unclean, restart.cut), (true, Some(31)));
        let policy = read(2, r#""kind":"Policy","durability":"Synced""#).unwrap();
        assert_eq!(policy.durability.as_deref(), Some("Synced"));
        assert_eq!(read(2, r#""kind":"Rejected","count":3"#).unwrap().denials(), 0);
    }

    #[test]
    fn what_version_2_excludes_is_malformed() {
        let until = r#""until":"2026-01-02T03:04:06.000Z""#;
        for (rest, said) in [
            (format!(r#""kind":"Intent","effect":"Allow","count":7,{until}"#), "only denials"),
            (format!(r#""kind":"Outcome","count":7,{until}"#), "only denials"),
            (r#""kind":"Outcome","count":7"#.to_owned(), "only denials"),
            (format!(r#""kind":"Intent","effect":"Deny",{until}"#), "belongs to"),
            (r#""kind":"Intent","effect":"Deny","count":7"#.to_owned(), "no `until`"),
            (format!(r#""kind":"Intent","effect":"Deny","count":0,{until}"#), "from 1"),
            (format!(r#""kind":"Intent","effect":"Deny","count":9007199254740992,{until}"#), "to"),
            (r#""kind":"Intent","effect":"Deny","count":2,"until":"now""#.to_owned(), "is no time"),
            (r#""kind":"Heartbeat","unclean":true"#.to_owned(), "only a Restart"),
            (r#""kind":"Close","cut":1"#.to_owned(), "only a Restart"),
            (r#""kind":"Restart","durability":"Synced""#.to_owned(), "only a Policy"),
            (r#""kind":"Policy","durability":"Hoped""#.to_owned(), "no durability"),
        ] {
            let error = read(2, &rest).unwrap_err();
            assert!(error.contains(said), "{rest}: {error}");
        }
    }

    #[test]
    fn version_1_knows_nothing_of_it() {
        let rest = r#""kind":"Intent","effect":"Allow","count":7,"unclean":true,"durability":"x""#;
        let record = read(1, rest).unwrap();
        assert_eq!((record.unclean, record.durability), (false, None));
        assert_eq!(read(0, r#""kind":"Close""#).unwrap_err(), "version 0 is unknown");
    }
}
