//! Filter expressions: `action:network effect:Deny -code:SearchDomain since:1h`.
//!
//! Terms `key:value` are separated by spaces, and all must hold; `-key:value` must not hold. An
//! empty expression holds for everything. Values hold no spaces.
//!
//! | key | holds for |
//! |---|---|
//! | `action` | that action and all below it: `network` is `network`, `network.request`, ... |
//! | `effect` | `Allow`, `Deny`; letters of either case |
//! | `kind` | `Intent`, `Outcome`, ...; letters of either case |
//! | `method` | the method; letters of either case |
//! | `host` | the host; `*.example.com` is every name below `example.com`, never that itself |
//! | `rule` | `tier/namespace/policy/rule`, or its last parts: `policy/rule`, `rule` |
//! | `code`, `pod`, `namespace` | exactly that |
//! | `since` | records whose last moment is not older than `90s`, `15m`, `1h`, `7d`, or an RFC 3339 time |

use crate::record::{Kind, Record, host_of};
use crate::time;

/// Longest expression.
pub const MAX_FILTER_BYTES: usize = 2048;
/// Every key, as the documentation lists them.
pub const KEYS: [&str; 10] =
    ["action", "effect", "rule", "code", "host", "method", "pod", "namespace", "kind", "since"];

/// An expression that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Condition>,
}

/// A term, or its contrary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub negated: bool,
    pub term: Term,
}

/// What a term asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// This action, or one that begins with it and a dot.
    Action(String),
    Effect(String),
    Kind(Kind),
    Method(String),
    Host(String),
    /// Names below this one.
    HostsBelow(String),
    Rule(String),
    Code(String),
    Pod(String),
    Namespace(String),
    /// Milliseconds since 1970.
    Since(u64),
}

/// Why an expression cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    #[error("the filter is longer than {MAX_FILTER_BYTES} bytes")]
    TooLong,
    #[error("{0:?} is not of the form key:value or -key:value; keys are {keys}", keys = KEYS.join(", "))]
    Form(String),
    #[error("{0:?} is not a key; keys are {keys}", keys = KEYS.join(", "))]
    Key(String),
    #[error("{key}:{value} can never hold; {fix}")]
    Value { key: &'static str, value: String, fix: &'static str },
}

/// What a filter looks at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub record: &'a Record,
    pub namespace: &'a str,
    pub pod: &'a str,
}

impl Filter {
    /// Reads an expression; `now` (milliseconds since 1970) is what `since:1h` counts from.
    ///
    /// # Errors
    /// Names the term that is wrong, and what would be right.
    pub fn parse(text: &str, now: u64) -> Result<Self, FilterError> {
        if text.len() > MAX_FILTER_BYTES {
            return Err(FilterError::TooLong);
        }
        let terms: Result<_, _> =
            text.split_whitespace().map(|term| Condition::parse(term, now)).collect();
        Ok(Self { terms: terms? })
    }

    /// The conditions, for a store that searches by index.
    pub fn terms(&self) -> &[Condition] {
        &self.terms
    }

    /// Whether every condition holds.
    pub fn matches(&self, subject: Subject<'_>) -> bool {
        self.terms.iter().all(|term| term.matches(subject))
    }
}

impl Condition {
    fn parse(term: &str, now: u64) -> Result<Self, FilterError> {
        let positive = term.strip_prefix('-');
        let term = Term::parse(positive.unwrap_or(term), now)?;
        Ok(Self { negated: positive.is_some(), term })
    }

    fn matches(&self, subject: Subject<'_>) -> bool {
        self.term.matches(subject) != self.negated
    }
}

impl Term {
    fn parse(term: &str, now: u64) -> Result<Self, FilterError> {
        let (key, value) =
            term.split_once(':').ok_or_else(|| FilterError::Form(term.to_owned()))?;
        if value.is_empty() {
            return Err(FilterError::Form(term.to_owned()));
        }
        let text = value.to_owned();
        Ok(match key {
            "action" => Self::Action(value.trim_end_matches(".*").to_ascii_lowercase()),
            "effect" => Self::Effect(effect(value)?),
            "kind" => Self::Kind(kind(value)?),
            "method" => Self::Method(value.to_ascii_uppercase()),
            "host" => match value.strip_prefix("*.") {
                Some(parent) => Self::HostsBelow(parent.to_ascii_lowercase()),
                None => Self::Host(value.to_ascii_lowercase()),
            },
            "rule" => Self::Rule(text),
            "code" => Self::Code(text),
            "pod" => Self::Pod(text),
            "namespace" => Self::Namespace(text),
            "since" => Self::Since(since(value, now)?),
            _ => return Err(FilterError::Key(key.to_owned())),
        })
    }

    /// Whether the record is what the term asks for.
    pub fn matches(&self, subject: Subject<'_>) -> bool {
        let record = subject.record;
        let is = |field: &Option<String>, value: &str| field.as_deref() == Some(value);
        match self {
            Self::Action(value) => record.action.as_deref().is_some_and(|action| {
                action
                    .strip_prefix(value.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }),
            Self::Effect(value) => is(&record.effect, value),
            Self::Kind(value) => record.kind == *value,
            Self::Method(value) => is(&record.method, value),
            Self::Host(value) => host(record).is_some_and(|host| host == value),
            Self::HostsBelow(value) => host(record).is_some_and(|host| {
                host.strip_suffix(value.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }),
            Self::Rule(value) => record.rule.as_deref().is_some_and(|rule| {
                rule.strip_suffix(value.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
            }),
            Self::Code(value) => is(&record.code, value),
            Self::Pod(value) => subject.pod == value,
            Self::Namespace(value) => subject.namespace == value,
            Self::Since(from) => time::parse(record.latest()).is_some_and(|time| time >= *from),
        }
    }
}

fn host(record: &Record) -> Option<&str> {
    record.resource.as_deref().and_then(host_of)
}

fn effect(value: &str) -> Result<String, FilterError> {
    ["Allow", "Deny"]
        .into_iter()
        .find(|effect| effect.eq_ignore_ascii_case(value))
        .map(str::to_owned)
        .ok_or_else(|| FilterError::Value {
            key: "effect",
            value: value.to_owned(),
            fix: "effects are Allow, Deny",
        })
}

fn kind(value: &str) -> Result<Kind, FilterError> {
    Kind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(value)).ok_or_else(|| {
        FilterError::Value {
            key: "kind",
            value: value.to_owned(),
            fix: "kinds are Genesis, Restart, Intent, Outcome, Policy, Rejected, Heartbeat, Close",
        }
    })
}

fn since(value: &str, now: u64) -> Result<u64, FilterError> {
    ago(value).map(|ms| now.saturating_sub(ms)).or_else(|| moment(value)).ok_or_else(|| {
        FilterError::Value {
            key: "since",
            value: value.to_owned(),
            fix: "write 90s, 15m, 1h, 7d, or a time such as 2026-01-02T03:04:05Z",
        }
    })
}

fn ago(value: &str) -> Option<u64> {
    let (number, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(seconds * 1000)
}

/// RFC 3339 with any fraction and offset.
fn moment(value: &str) -> Option<u64> {
    let upper = value.to_ascii_uppercase();
    let (seconds, rest) = upper.split_at_checked(19)?;
    let digits = rest
        .strip_prefix('.')
        .map_or(0, |rest| 1 + rest.bytes().take_while(u8::is_ascii_digit).count());
    let (fraction, zone) = rest.split_at_checked(digits)?;
    if fraction == "." {
        return None;
    }
    let fraction = format!("{:0<3.3}", fraction.trim_start_matches('.'));
    let local = time::parse(&format!("{seconds}.{fraction}Z"))?;
    if zone == "Z" {
        return Some(local);
    }
    let (sign, offset) = zone.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = (hours * 60 + minutes) * 60_000;
    match sign {
        "+" => local.checked_sub(offset),
        "-" => local.checked_add(offset),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
