//! Ordinary clients, as their authors made them and with nothing set but the place that they ask,
//! against real servers of the test internet (`images/clients.Dockerfile`,
//! `images/servers.Dockerfile`). `docs/clients.md` lists them with what each needs.
//!
//! A case asks for several things, and tells all that failed. Cases that take longer than
//! 20 seconds are ignored here and run in `make soak`.

mod curl;
mod first_bytes;
mod git;
mod go;
mod http;
mod java;
mod models;
mod node;
mod packages;
mod python;
mod rpc;
mod rust;
mod scripts;
mod soak;
mod targets;

use exeat_e2e::{Agent, Case};
use serde_json::{Map, Value};

/// Runs the body with an agent that has the clients, and that may reach their servers.
pub(crate) async fn with_clients(
    body: impl AsyncFnOnce(&Agent) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    Case::run(include_str!("clients.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        body(&agent).await?;
        case.expect_nothing_forbidden().await
    })
    .await
}

/// A shell command, and what it has to print.
pub(crate) struct Ask {
    what: String,
    command: String,
    prints: String,
}

pub(crate) fn ask(
    what: impl Into<String>,
    command: impl Into<String>,
    prints: impl Into<String>,
) -> Ask {
    Ask { what: what.into(), command: command.into(), prints: prints.into() }
}

/// Runs each command, and fails with all of those that failed or printed something else.
pub(crate) async fn each(agent: &Agent, asks: &[Ask]) -> anyhow::Result<()> {
    let mut failures = Vec::new();
    for Ask { what, command, prints } in asks {
        let output = agent.sh(command).await?;
        if output.code != 0 || output.stdout.trim() != prints {
            failures.push(format!("{what}: expected {prints:?}: {output:?}"));
        }
    }
    let (failed, all) = (failures.len(), asks.len());
    anyhow::ensure!(failures.is_empty(), "{failed} of {all} failed:\n{}", failures.join("\n"));
    Ok(())
}

/// Fails with all fields of a program's answer that are not as expected.
pub(crate) fn expect_fields(answer: &Map<String, Value>, expected: &Value) -> anyhow::Result<()> {
    let wanted = expected.as_object().into_iter().flatten();
    let wrong: Vec<String> = wanted
        .filter(|(name, value)| answer.get(*name) != Some(value))
        .map(|(name, value)| format!("{name}: expected {value}: {:?}", answer.get(name)))
        .collect();
    anyhow::ensure!(wrong.is_empty(), "{} failed:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}
