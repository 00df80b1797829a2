//! Every ordinary client reaches what the policy allows, with its certificate checks on.

use exeat_e2e::{Agent, Case, Host};

#[tokio::test]
async fn egress_allowed_https_passes() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let host = Host::API.name;
        for version in ["--http1.1", "--http2"] {
            let answer = agent.curl(&format!("{version} https://{host}/v1/things?x=1")).await?;
            answer.expect_status("200")?;
            anyhow::ensure!(answer.stdout.contains("\"path\":\"/v1/things\""), "another path arrived: {answer:?}");
        }
        let python = format!("python3 -c 'import requests; r = requests.post(\"https://{host}/p\", data=b\"hello\"); print(r.json()[\"bodyBytes\"])'");
        let answer = agent.sh(&python).await?;
        anyhow::ensure!(answer.stdout.trim() == "5", "python: {answer:?}");
        let node = format!("node -e 'require(\"https\").get(\"https://{host}/n\", r => console.log(r.statusCode))'");
        let answer = agent.sh(&node).await?;
        anyhow::ensure!(answer.stdout.trim() == "200", "node: {answer:?}");
        java_trusts_what_the_bundle_holds(&agent).await
    })
    .await
}

/// A JVM is too large for the agent's image; what it reads is a PKCS#12 store, and OpenSSL does too.
async fn java_trusts_what_the_bundle_holds(agent: &Agent) -> anyhow::Result<()> {
    let certificates = "grep -c 'BEGIN CERT'";
    let counts = format!(
        "trust=/var/run/exeat/trust; echo \"$JAVA_TOOL_OPTIONS\" | grep -q =$trust/truststore.p12 || exit 1; \
         openssl pkcs12 -in $trust/truststore.p12 -nokeys -passin pass:changeit | {certificates}; \
         cat $trust/bundle.crt | {certificates}"
    );
    let answer = agent.sh(&counts).await?;
    let counts: Vec<&str> = answer.stdout.split_whitespace().collect();
    anyhow::ensure!(counts.len() == 2 && counts[0] == counts[1], "{answer:?}");
    anyhow::ensure!(counts[0].parse::<u32>()? > 100, "the usual roots are missing: {answer:?}");
    Ok(())
}
