//! The init step: writes the capture rules into the pod's network namespace, reads them back and
//! ends. The only part of Exeat in a pod that has NET_ADMIN, and gone before the agent starts.
//!
//! Writing replaces our table in one transaction, so running it twice is running it once. What is
//! read back must be what was written, rule by rule; anything else fails the pod.

mod rules;

use exeat_api::env;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use thiserror::Error;

pub use rules::ruleset;

/// Why the pod may not start.
#[derive(Debug, Error)]
pub enum InitError {
    #[error("{variable} is {0}: the proxy must have a uid of its own, not root's", variable = env::PROXY_UID)]
    Uid(u32),
    #[error("nft cannot be run: {0}")]
    Spawn(std::io::Error),
    #[error(
        "nft refused the capture rules (is NET_ADMIN missing, or nf_tables in the kernel?): {0}"
    )]
    Nft(String),
    #[error("nft answered what is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the capture rules in the kernel are not those that were written: {0}")]
    Differ(String),
}

/// Writes and verifies.
///
/// # Errors
/// When the rules are not in the kernel exactly as they should be.
pub fn run(nft: &Path, proxy_uid: u32) -> Result<(), InitError> {
    if proxy_uid == 0 {
        return Err(InitError::Uid(proxy_uid));
    }
    let want = ruleset(proxy_uid);
    let mut commands = vec![
        json!({"add": {"table": {"family": rules::FAMILY, "name": rules::TABLE}}}),
        json!({"delete": {"table": {"family": rules::FAMILY, "name": rules::TABLE}}}),
    ];
    commands.extend(want.iter().map(|object| json!({"add": object})));
    let script = serde_json::to_vec(&json!({"nftables": commands}))?;
    call(nft, &["-j", "-f", "-"], &script)?;
    let listed = call(nft, &["-j", "list", "table", rules::FAMILY, rules::TABLE], &[])?;
    verify(&want, &serde_json::from_slice(&listed)?)
}

fn call(nft: &Path, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, InitError> {
    let mut child = Command::new(nft)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(InitError::Spawn)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input).map_err(InitError::Spawn)?;
    }
    let output = child.wait_with_output().map_err(InitError::Spawn)?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(InitError::Nft(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

/// Compares the objects of a listing with those that were written, in order.
fn verify(want: &[Value], listing: &Value) -> Result<(), InitError> {
    let listed = listing["nftables"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found: Vec<Value> =
        listed.iter().filter(|o| o.get("metainfo").is_none()).map(plain).collect();
    let want: Vec<Value> = want.iter().map(plain).collect();
    // A listing names chains before rules; the rules of one chain keep their order.
    for kind in ["table", "set", "chain", "rule"] {
        let of = |all: &[Value]| {
            all.iter().filter(|o| o.get(kind).is_some()).cloned().collect::<Vec<_>>()
        };
        let (want, found) = (of(&want), of(&found));
        if want.len() != found.len() {
            return Err(InitError::Differ(format!(
                "{} of kind {kind} instead of {}",
                found.len(),
                want.len()
            )));
        }
        for (want, found) in want.iter().zip(&found) {
            if want != found {
                return Err(InitError::Differ(format!("{found} instead of {want}")));
            }
        }
    }
    if found.len() == want.len() {
        Ok(())
    } else {
        Err(InitError::Differ("there is more".to_owned()))
    }
}

/// An object without what the kernel adds: handles, what counters have counted, and what is in sets.
fn plain(object: &Value) -> Value {
    match object {
        Value::Object(map) => {
            let set = map.contains_key("type") && map.contains_key("size");
            let added = |key: &String| key == "handle" || set && key == "elem";
            let kept = map.iter().filter(|(key, _)| !added(key)).map(|(key, value)| {
                let value = match key.as_str() {
                    "counter" => Value::Null,
                    "flags" if set => flags(value),
                    _ => plain(value),
                };
                (key.clone(), value)
            });
            Value::Object(kept.collect())
        }
        Value::Array(all) => Value::Array(all.iter().map(plain).collect()),
        other => other.clone(),
    }
}

/// Flags of a set as every version of nft lists them: newer ones write a single one without a list,
/// and say that rules change a set.
fn flags(listed: &Value) -> Value {
    let all = listed.as_array().map_or(std::slice::from_ref(listed), Vec::as_slice);
    Value::Array(all.iter().filter(|flag| *flag != "dynamic").cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_that_differs_is_refused() {
        let want = ruleset(1_234_567_890);
        let listing = |objects: Vec<Value>| json!({"nftables": objects});
        assert!(verify(&want, &listing(want.clone())).is_ok());
        let mut fewer = want.clone();
        fewer.pop();
        assert!(verify(&want, &listing(fewer)).is_err());
        let mut more = want.clone();
        more.push(want[want.len() - 1].clone());
        assert!(verify(&want, &listing(more)).is_err());
        assert!(verify(&want, &listing(ruleset(1_234_567_891))).is_err());
        let mut counted = want.clone();
        let last = counted.len() - 1;
        counted[last]["rule"]["handle"] = json!(9);
        assert!(verify(&want, &listing(counted)).is_ok());
        // A set as other versions list it, and with what rules have put into it.
        for flags in [json!("timeout"), json!(["dynamic", "timeout"])] {
            let mut used = want.clone();
            let set = used.iter_mut().find_map(|object| object.get_mut("set")).unwrap();
            (set["flags"], set["elem"]) =
                (flags, json!([{"concat": ["10.0.0.1", 1, "10.0.0.2", 2]}]));
            assert!(verify(&want, &listing(used)).is_ok());
        }
        let mut larger = want.clone();
        let set = larger.iter_mut().find_map(|object| object.get_mut("set")).unwrap();
        set["size"] = json!(1);
        assert!(verify(&want, &listing(larger)).is_err());
    }

    #[test]
    fn root_is_no_proxy() {
        assert!(matches!(run(Path::new("nft"), 0), Err(InitError::Uid(0))));
    }
}
