//! Every attempt has a record with its rule and code; the chain verifies; not everybody reads it.

use std::time::Duration;

use anyhow::Context;
use exeat_e2e::{Case, Output, exeat};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

const YAML: &str = include_str!("../egress/agent.yaml");

#[tokio::test]
async fn audit_every_attempt_is_recorded() -> anyhow::Result<()> {
    Case::run(YAML, async |case| {
        let agent = case.agent("agent").await?;
        agent.curl("https://api.your-company.com/seen").await?.expect_status("200")?;
        agent.curl("-X DELETE https://api.your-company.com/kept").await?.expect_refusal("")?;
        agent
            .curl("--data password=1 https://api.your-company.com/body")
            .await?
            .expect_refusal("")?;
        agent.curl("http://api.your-company.com/plain").await?.expect_refusal("")?;
        agent.curl("https://evil.example/").await?.expect_refusal("DefaultDeny")?;
        agent.curl("https://203.0.113.66/direct").await?.expect_failure_or_refusal()?;
        let records = records_until(case, "203.0.113.66").await?;
        for (what, action, effect, rule) in [
            ("/seen", "network.request", "Allow", "internal-api"),
            ("/kept", "network.request", "Deny", ""),
            ("/body", "network.request", "Deny", "internal-api"),
            ("/plain", "network.request", "Deny", "no-plain-http"),
            ("evil.example", "network.dns", "Deny", ""),
            ("203.0.113.66", "network.", "Deny", ""),
        ] {
            let found = records.iter().any(|text| {
                [what, action, rule].iter().all(|part| text.contains(part))
                    && text.contains(&format!("\"{effect}\""))
                    && text.contains("\"code\"")
            });
            anyhow::ensure!(found, "no record of {what}, {effect} by {rule:?}: {records:#?}");
        }
        let table = exeat(&["audit", "--filter", "action:network", "--last", "50"]).await?;
        table.expect_success()?;
        anyhow::ensure!(table.stdout.contains("network.request"), "{table:?}");
        let table = exeat(&["audit", "--filter", "acton:network"]).await?;
        anyhow::ensure!(table.code != 0 && table.stderr.contains("action"), "{table:?}");
        verified(case).await
    })
    .await
}

/// The chain of the case's pod, and integrity of every chain there is.
async fn verified(case: &Case) -> anyhow::Result<()> {
    let own = exeat(&["audit", "verify", "--namespace", &case.namespace]).await?;
    own.expect_success()?;
    let line = format!("ok          {}/agent", case.namespace);
    anyhow::ensure!(own.stdout.contains(&line), "{own:?}");
    // Other cases kill pods at this moment, whose chains have no end yet: completeness may fail.
    let all = exeat(&["audit", "verify"]).await?;
    anyhow::ensure!(all.stdout.contains("integrity     ok"), "{all:?}");
    Ok(())
}

/// One JSON text a record of this namespace, once one has the text.
async fn records_until(case: &Case, text: &str) -> anyhow::Result<Vec<String>> {
    let ask = ["audit", "--namespace", &case.namespace, "--last", "500", "-o", "json"];
    let mut last = None;
    for _ in 0..40 {
        let output = exeat(&ask).await?;
        if output.stdout.contains(text) {
            return Ok(output.stdout.lines().map(str::to_owned).collect());
        }
        last = Some(output);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    anyhow::bail!("no record has {text:?}: {last:?}")
}

/// A valid token alone reads nothing; the right to read one namespace's records reads that one.
#[tokio::test]
async fn audit_second_reader_needs_the_right() -> anyhow::Result<()> {
    Case::run(YAML, async |case| {
        case.agent("agent").await?;
        let accounts: Api<ServiceAccount> = Api::namespaced(case.client(), &case.namespace);
        let wanted: TokenRequest =
            serde_json::from_value(json!({"spec": {"audiences": ["exeat.dev/audit"]}}))?;
        let token =
            accounts.create_token_request("default", &PostParams::default(), &wanted).await?;
        let token = token.status.context("no token")?.token;
        let token = serde_json::to_value(token)?;
        let token = token.as_str().context("no token")?;
        let read = async |scope: &[&str]| -> anyhow::Result<Output> {
            let ask = [&["audit", "--token", token, "-o", "json"], scope].concat();
            exeat(&ask).await
        };
        for scope in [&[][..], &["--namespace", &case.namespace]] {
            let refused = read(scope).await?;
            anyhow::ensure!(refused.code != 0, "anybody reads the audit: {refused:?}");
            anyhow::ensure!(refused.stdout.is_empty(), "records came: {refused:?}");
            anyhow::ensure!(refused.stderr.contains("auditrecords"), "{refused:?}");
        }
        let forged = exeat(&["audit", "--token", "forged"]).await?;
        anyhow::ensure!(forged.code != 0 && forged.stdout.is_empty(), "{forged:?}");
        let rights: Vec<Value> = serde_yaml::from_str(include_str!("reader.yaml"))?;
        for right in rights {
            let right = right.to_string().replace("NAMESPACE", &case.namespace);
            case.create(&right).await?;
        }
        // The refusal may be remembered for a moment.
        let mut own = read(&["--namespace", &case.namespace]).await?;
        for _ in 0..20 {
            if own.code == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            own = read(&["--namespace", &case.namespace]).await?;
        }
        own.expect_success()?;
        let others = read(&[]).await?;
        anyhow::ensure!(others.code != 0, "a reader of one namespace reads all: {others:?}");
        let others = read(&["--namespace", "agents"]).await?;
        anyhow::ensure!(others.code != 0, "a reader of one namespace reads another: {others:?}");
        Ok(())
    })
    .await
}
