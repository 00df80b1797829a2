//! Observing lets pass, and records what would have been refused.

use exeat_e2e::{Case, Host};

use super::records_with;

#[tokio::test]
async fn egress_observe_passes_and_records() -> anyhow::Result<()> {
    Case::run(include_str!("observe.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        for url in [
            "https://api.your-company.com/yes",
            "https://data.example/maybe",
            "https://data.example/no/1",
        ] {
            agent.curl(url).await?.expect_status("200")?;
        }
        // What nothing may ever reach stays out of reach.
        agent
            .curl(&format!("http://{}/", Host::METADATA.name))
            .await?
            .expect_refusal("AddressClass")?;
        agent.curl("http://169.254.169.254/").await?.expect_status("403")?;
        let records = records_with(case, "/no/1").await?;
        for (path, observed) in
            [("/yes", "Allow"), ("/maybe", "Deny DefaultDeny"), ("/no/1", "Deny RuleDeny")]
        {
            let found =
                records.lines().find(|line| line.contains(path) && line.contains("\"Intent\""));
            let observed = format!("\"observed\":\"{observed}\"");
            anyhow::ensure!(
                found.is_some_and(|line| line.replace("\": ", "\":").contains(&observed)
                    && line.contains("Observed")),
                "{path} was not recorded as {observed}: {found:?}"
            );
        }
        case.expect_nothing_at(Host::METADATA).await
    })
    .await
}
