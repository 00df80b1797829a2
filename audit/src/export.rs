//! The form in which chains leave the collector: JSON Lines, for people, for other verifiers and
//! for storage. One [`Line`] a line: first `Export`, then for each chain its `Chain`, its `Head`s
//! and its `Entry`s, in this order and not mixed with other chains'.

use crate::chain::{ChainId, Entry};
use crate::head::SignedHead;
use crate::time;
use crate::verify::{Report, Verifier};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::BufRead;

/// The version that `Export` states. It is the version of the lines: records have their own, and
/// an export may hold records of several.
pub const EXPORT_VERSION: u32 = 1;
/// No line is longer.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Line {
    Export {
        version: u32,
        /// When it was made: freshness of chains is judged by it.
        time: String,
    },
    Chain {
        chain: String,
        namespace: String,
        pod: String,
        /// Hex, as the collector learnt it when the chain began.
        public_key: String,
    },
    Head {
        head: SignedHead,
    },
    Entry {
        chain: String,
        #[serde(flatten)]
        entry: Entry,
    },
}

/// Why an export cannot be read to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    #[error("the export cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("line {line}: {problem}")]
    Line { line: u64, problem: String },
}

/// Reads an export line by line. `each` sees every line with its number.
///
/// # Errors
/// At the first line that is not one of the four, or out of place.
pub fn read(
    mut source: impl BufRead,
    mut each: impl FnMut(u64, Line) -> Result<(), String>,
) -> Result<(), ExportError> {
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        let read = std::io::Read::take(&mut source, limit).read_until(b'\n', &mut text)?;
        if read == 0 {
            return if line == 1 {
                Err(ExportError::Line { line, problem: "the export is empty".to_owned() })
            } else {
                Ok(())
            };
        }
        let fail = |problem: String| ExportError::Line { line, problem };
        if read > MAX_LINE_BYTES {
            return Err(fail(format!("longer than {MAX_LINE_BYTES} bytes")));
        }
        let value: Line = serde_json::from_slice(&text).map_err(|error| fail(error.to_string()))?;
        match &value {
            Line::Export { version, .. } if *version != EXPORT_VERSION => {
                return Err(fail(format!("version {version} of the format is unknown")));
            }
            Line::Export { .. } if line != 1 => return Err(fail("a second export".to_owned())),
            Line::Export { time, .. } if time::parse(time).is_none() => {
                return Err(fail("the time is malformed".to_owned()));
            }
            Line::Export { .. } => {}
            _ if line == 1 => return Err(fail("the first line is no export".to_owned())),
            _ => {}
        }
        each(line, value).map_err(fail)?;
    }
    Ok(())
}

/// Verifies every chain of an export, as of the export's own time unless `now` is given.
///
/// # Errors
/// When the export is malformed, a line belongs to no chain, or a chain comes twice.
pub fn verify(source: impl BufRead, now: Option<u64>) -> Result<Vec<Report>, ExportError> {
    let mut now = now;
    let mut reports = Vec::new();
    let mut seen = BTreeSet::new();
    let mut current: Option<Verifier> = None;
    read(source, |_, line| {
        match line {
            Line::Export { time, .. } => now = now.or_else(|| time::parse(&time)),
            Line::Chain { chain, public_key, .. } => {
                let id: ChainId = chain.parse().map_err(|error| format!("{error}"))?;
                if !seen.insert(chain) {
                    return Err(format!("the chain {id} comes twice"));
                }
                let next = Verifier::new(id).pin(public_key);
                if let Some(verifier) = current.replace(next) {
                    reports.push(verifier.finish(now));
                }
            }
            Line::Head { head } => {
                current.as_mut().ok_or("a head before any chain")?.head(head);
            }
            Line::Entry { entry, .. } => {
                current.as_mut().ok_or("an entry before any chain")?.push(&entry);
            }
        }
        Ok(())
    })?;
    if let Some(verifier) = current {
        reports.push(verifier.finish(now));
    }
    Ok(reports)
}
