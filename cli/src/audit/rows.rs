//! Acts as the rows of a table.

use super::acts::{Act, End};
use crate::table::Table;
use exeat_audit::record::{Kind, Record};

const HEADER: [&str; 14] = [
    "TIME",
    "NAMESPACE",
    "POD",
    "ACTION",
    "EFFECT",
    "METHOD",
    "RESOURCE",
    "STATUS",
    "OUT",
    "IN",
    "TOOK",
    "CODE",
    "RULE",
    "DETAIL",
];

/// One row an act.
pub(super) fn table(acts: &[Act]) -> Table {
    let mut table = Table::new(&HEADER);
    acts.iter().for_each(|act| table.row(row(act)));
    table
}

fn row(act: &Act) -> [String; 14] {
    let record = &act.found.record;
    let outcome = match &act.end {
        End::Outcome(outcome) => Some(&**outcome),
        _ => (record.kind == Kind::Outcome).then_some(record),
    };
    let effect = match &record.observed {
        Some(observed) => format!("{} (observed {observed})", text(record.effect.as_ref())),
        None => text(record.effect.as_ref()),
    };
    [
        record.time.clone(),
        act.found.namespace.clone(),
        act.found.pod.clone(),
        // A record that is about no act says what it is.
        record.action.clone().unwrap_or_else(|| record.kind.as_str().to_owned()),
        effect,
        text(record.method.as_ref()),
        text(record.resource.as_ref()),
        status(&act.end, outcome),
        text(outcome.and_then(|it| it.bytes_out).as_ref()),
        text(outcome.and_then(|it| it.bytes_in).as_ref()),
        outcome.and_then(|it| it.duration_ms).map_or_else(absent, |ms| format!("{ms} ms")),
        text(record.code.as_ref()),
        text(record.rule.as_ref()),
        detail(record, outcome),
    ]
}

fn status(end: &End, outcome: Option<&Record>) -> String {
    match end {
        End::None | End::Outcome(_) => text(outcome.and_then(|it| it.status).as_ref()),
        End::Open => "in flight".to_owned(),
        End::Interrupted => "interrupted".to_owned(),
        End::Never => "no outcome".to_owned(),
        End::Unknown => "not read".to_owned(),
    }
}

fn detail(record: &Record, outcome: Option<&Record>) -> String {
    let mut parts = Vec::new();
    if record.kind == Kind::Outcome {
        parts.push("the decision was not found".to_owned());
    }
    match (record.count, &record.until) {
        (Some(count), Some(until)) => parts.push(format!("{count} times, last {until}")),
        (Some(count), None) => parts.push(format!("{count} packets")),
        (None, _) => {}
    }
    if record.unclean {
        parts.push("the run before ended without a Close".to_owned());
    }
    if let Some(cut) = record.cut {
        parts.push(format!("{cut} bytes of a torn tail cut off"));
    }
    if let Some(durability) = &record.durability {
        parts.push(format!("durability {durability}"));
    }
    parts.extend(record.reason.clone());
    if let Some(outcome) = outcome.filter(|_| record.kind != Kind::Outcome) {
        // Why it was cut off or failed.
        let (code, reason) = (outcome.code.as_deref(), outcome.reason.as_deref());
        parts.extend(match (code, reason) {
            (Some(code), Some(reason)) => Some(format!("{code}: {reason}")),
            (code, reason) => code.or(reason).map(str::to_owned),
        });
    }
    if parts.is_empty() { absent() } else { parts.join("; ") }
}

fn text(value: Option<&impl ToString>) -> String {
    value.map_or_else(absent, ToString::to_string)
}

fn absent() -> String {
    "-".to_owned()
}
