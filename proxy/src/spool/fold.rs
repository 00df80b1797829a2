//! Counts denials instead of writing each: an agent that is refused in a loop, or that asks for
//! something else each time, must fill neither the spool nor the collector. The counts are exact:
//! the sum over the records (one where a record has no `count`) is the number of denials.
//!
//! 1. A denial that has not been seen for a second is written at once. Equal ones (all fields but
//!    the time) are counted and written as one record each second, with `count` and `until`.
//! 2. All of these together are at most 200 records a second, and 2,000 in a burst. Beyond that,
//!    denials are counted by action, origin (`scheme://host`), code and rule, with the resource cut
//!    to `scheme://host/…`, and written every five seconds.
//! 3. Beyond 256 such counts they are counted by action and code alone, with the resource `…`; where
//!    even those are too many, in one count for all.
//!
//! Memory is bounded by the number of counts and by a mebibyte of text.

use exeat_audit::record::{Record, RecordRef};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// How often what is counted is written.
pub(super) const EVERY: Duration = Duration::from_secs(1);
const EVERY_COARSE: Duration = Duration::from_secs(5);
/// Records a second, and in a burst.
const RATE: u32 = 200;
const BURST: u32 = 2000;
/// Most different denials that are counted each for itself, and most text of theirs in bytes.
const MOST: usize = 1024;
const MOST_TEXT: usize = 1 << 20;
/// Most counts by origin, and most together with those by code.
const MOST_ORIGINS: usize = 256;
const MOST_COARSE: usize = 384;

/// The counts of denials that repeat.
#[derive(Debug)]
pub(super) struct Fold {
    hasher: RandomState,
    equal: HashMap<u64, Count>,
    text: usize,
    coarse: HashMap<Coarse, Count>,
    allowance: Allowance,
}

/// Denials that are not written yet.
#[derive(Debug)]
struct Count {
    /// `time` is that of the first of them, `until` of the last, `count` how many; 0 where all are
    /// written.
    record: Record,
    count: u64,
    written: Instant,
}

/// What denials have in common that are no longer counted each for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Coarse {
    action: Option<String>,
    origin: Option<String>,
    code: Option<String>,
    rule: Option<String>,
}

/// A token bucket.
#[derive(Debug)]
struct Allowance {
    left: f64,
    at: Instant,
}

impl Fold {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            hasher: RandomState::new(),
            equal: HashMap::new(),
            text: 0,
            coarse: HashMap::new(),
            allowance: Allowance { left: BURST.into(), at: now },
        }
    }

    /// Takes a denial in. True: it is to be written now, as it is. False: it was counted.
    pub(super) fn take(&mut self, record: &RecordRef<'_>, now: Instant) -> bool {
        let key = self.key(record);
        let known = self.equal.get_mut(&key).filter(|count| count.is_of(record));
        if let Some(count) = known {
            if count.count > 0 || now < count.written + EVERY {
                count.add(record.time, record.time, 1);
                return false;
            }
            if self.allowance.take(now) {
                count.written = now;
                return true;
            }
        } else if self.allowance.take(now) {
            self.remember(key, record, now);
            return true;
        }
        self.add_coarse(record, 1, now);
        false
    }

    /// Takes back a record that could not be written, with all that it counts.
    pub(super) fn put_back(&mut self, record: &Record, now: Instant) {
        let number = record.count.unwrap_or(1);
        let borrowed = RecordRef { count: None, until: None, id: None, ..RecordRef::from(record) };
        let key = self.key(&borrowed);
        match self.equal.get_mut(&key).filter(|count| count.is_of(&borrowed)) {
            Some(count) => {
                count.add(&record.time, record.until.as_ref().unwrap_or(&record.time), number);
            }
            None => self.add_coarse(&RecordRef::from(record), number, now),
        }
    }

    /// The records that are due.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Record> {
        let mut due = Vec::new();
        let mut late = Vec::new();
        let (text, allowance) = (&mut self.text, &mut self.allowance);
        self.equal.retain(|_, count| {
            if now < count.written + EVERY {
                return true;
            }
            if count.count == 0 {
                *text -= length(&count.record);
                return false;
            }
            let written = if allowance.take(now) { &mut due } else { &mut late };
            written.extend(count.written(now));
            true
        });
        for record in late {
            self.add_coarse(&RecordRef::from(&record), record.count.unwrap_or(1), now);
        }
        self.coarse.retain(|_, count| {
            if now < count.written + EVERY_COARSE {
                return true;
            }
            due.extend(count.written(now));
            false
        });
        due
    }

    /// Everything that is counted, due or not.
    pub(super) fn drain(&mut self, now: Instant) -> Vec<Record> {
        let mut all: Vec<Record> =
            self.equal.values_mut().filter_map(|count| count.written(now)).collect();
        all.extend(self.coarse.drain().filter_map(|(_, mut count)| count.written(now)));
        all
    }

    /// Whether there is nothing to write or to forget.
    pub(super) fn is_empty(&self) -> bool {
        self.equal.is_empty() && self.coarse.is_empty()
    }

    fn key(&self, record: &RecordRef<'_>) -> u64 {
        let texts = [
            record.action,
            record.resource,
            record.query_digest,
            record.method,
            record.effect,
            record.observed,
            record.rule,
            record.code,
            record.reason,
            record.policy,
            record.address,
            record.body_digest,
        ];
        self.hasher.hash_one(texts)
    }

    /// Where there is no room, equal denials are written each until the allowance is used up.
    fn remember(&mut self, key: u64, record: &RecordRef<'_>, now: Instant) {
        let record = record.to_record();
        let length = length(&record);
        if self.equal.len() < MOST
            && self.text + length <= MOST_TEXT
            && !self.equal.contains_key(&key)
        {
            self.text += length;
            self.equal.insert(key, Count { record, count: 0, written: now });
        }
    }

    fn add_coarse(&mut self, record: &RecordRef<'_>, number: u64, now: Instant) {
        let last = record.until.unwrap_or(record.time);
        let key = self.coarse_key(record);
        let count = self.coarse.entry(key).or_insert_with_key(|key| {
            let resource = match &key.origin {
                Some(origin) if origin.contains("://") => format!("{origin}/…"),
                Some(name) => name.clone(),
                None => "…".to_owned(),
            };
            let record = RecordRef {
                action: key.action.as_deref(),
                resource: Some(&resource),
                effect: record.effect,
                rule: key.rule.as_deref(),
                code: key.code.as_deref(),
                reason: Some("Too many different denials: they are counted together"),
                ..RecordRef::new(record.kind, record.time)
            };
            Count { record: record.to_record(), count: 0, written: now }
        });
        count.record.policy = record.policy.map(str::to_owned);
        count.add(record.time, last, number);
    }

    fn coarse_key(&self, record: &RecordRef<'_>) -> Coarse {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let by_origin = Coarse {
            action: owned(record.action),
            origin: record.resource.map(|resource| origin(resource).to_owned()),
            code: owned(record.code),
            rule: owned(record.rule),
        };
        if self.coarse.contains_key(&by_origin) || self.coarse.len() < MOST_ORIGINS {
            return by_origin;
        }
        let by_code = Coarse { origin: None, rule: None, ..by_origin };
        if self.coarse.contains_key(&by_code) || self.coarse.len() < MOST_COARSE {
            return by_code;
        }
        Coarse::default()
    }
}

impl Count {
    fn is_of(&self, record: &RecordRef<'_>) -> bool {
        let own = RecordRef::from(&self.record);
        own == RecordRef {
            time: own.time,
            id: own.id,
            count: own.count,
            until: own.until,
            ..*record
        }
    }

    fn add(&mut self, first: &str, last: &str, number: u64) {
        if self.count == 0 {
            self.record.time = first.to_owned();
        }
        self.count += number;
        self.record.until = Some(last.to_owned());
    }

    /// The record of what was counted, which then begins anew.
    fn written(&mut self, now: Instant) -> Option<Record> {
        let (number, until) = (std::mem::take(&mut self.count), self.record.until.take());
        if number == 0 {
            return None;
        }
        self.written = now;
        let many = number > 1;
        let count = many.then_some(number);
        Some(Record { count, until: until.filter(|_| many), ..self.record.clone() })
    }
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * f64::from(RATE)).min(BURST.into());
        self.at = now;
        let has = self.left >= 1.0;
        if has {
            self.left -= 1.0;
        }
        has
    }
}

/// `scheme://host:port`, or the whole of what has no scheme.
fn origin(resource: &str) -> &str {
    let authority = resource.find("://").map_or(0, |at| at + 3);
    let end =
        resource[authority..].find(['/', '?', '#']).map_or(resource.len(), |at| authority + at);
    &resource[..end]
}

/// Bytes of the texts that outsiders have a say in.
fn length(record: &Record) -> usize {
    [&record.resource, &record.method, &record.reason, &record.rule, &record.observed]
        .into_iter()
        .flatten()
        .map(String::len)
        .sum()
}

#[cfg(test)]
mod tests;
