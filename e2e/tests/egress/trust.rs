//! Programs that read no variable, and those that read one of their own, trust the proxy.

use exeat_e2e::{Case, Host};

/// With an empty environment only the image's own places are left to read.
const CLEARED: &str = "env -i PATH=/usr/bin:/bin HOME=/tmp";

#[tokio::test]
async fn egress_trust_without_variables() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let url = format!("https://{}/v1/things", Host::API.name);
        let python = format!(
            "import urllib.request; print(urllib.request.urlopen(\"{url}\").read().decode())"
        );
        for client in [
            format!("wget -qO- {url}"),
            format!("curl -sS {url}"),
            format!("php -r 'echo file_get_contents(\"{url}\");'"),
            format!("python3 -c '{python}'"),
        ] {
            let answer = agent.sh(&format!("{CLEARED} {client}")).await?;
            anyhow::ensure!(
                answer.stdout.contains("\"path\":\"/v1/things\""),
                "{client}: {answer:?}"
            );
        }
        // The server has no repository; that it says so is enough.
        let git = format!("{CLEARED} git ls-remote https://{}/r.git", Host::API.name);
        let git = agent.sh(&git).await?;
        anyhow::ensure!(!git.stderr.contains("ertificate"), "git: {git:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn egress_trust_by_variables() -> anyhow::Result<()> {
    Case::run(include_str!("trust_left.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let url = format!("https://{}/v1/things", Host::API.name);
        for client in [
            format!("curl -sS {url}"),
            format!("php -r 'echo file_get_contents(\"{url}\");'"),
            format!(
                "perl -MLWP::UserAgent -e 'print LWP::UserAgent->new->get(\"{url}\")->content'"
            ),
        ] {
            let answer = agent.sh(&client).await?;
            anyhow::ensure!(
                answer.stdout.contains("\"path\":\"/v1/things\""),
                "{client}: {answer:?}"
            );
        }
        // This pod keeps its image's roots, and wget reads those alone.
        agent.sh(&format!("wget -qO- {url}")).await?.expect_failure()?;
        Ok(())
    })
    .await
}
