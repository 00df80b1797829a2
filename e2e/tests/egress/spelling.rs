//! One name in other spellings is decided, and sent on, as that name.

use exeat_e2e::{Case, Host};

#[tokio::test]
async fn egress_trailing_dot_and_capitals() -> anyhow::Result<()> {
    Case::run(include_str!("../bypass/agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let name = Host::DATA.name;
        for spelling in ["data.example.", "DATA.Example", "Data.Example."] {
            for version in ["--http1.1", "--http2"] {
                let answer = agent.curl(&format!("{version} https://{spelling}/x")).await?;
                answer.expect_status("200")?;
                for seen in [format!("\"sni\":\"{name}\""), format!("\"authority\":\"{name}\"")] {
                    anyhow::ensure!(answer.stdout.contains(&seen), "{spelling}: {answer:?}");
                }
            }
        }
        for spelling in
            ["data.example..", "evil.example.", "EVIL.example", "data.example.evil.example"]
        {
            agent.curl(&format!("https://{spelling}/")).await?.expect_failure_or_refusal()?;
            let given = format!("--connect-to ::{name}:443 -k https://{spelling}/");
            let answer = agent.curl(&given).await?;
            // Two dots make no name at all.
            anyhow::ensure!(
                ["000", "400", "403"].contains(&answer.http_status()),
                "{spelling}: {answer:?}"
            );
        }
        case.expect_nothing_forbidden().await
    })
    .await
}
