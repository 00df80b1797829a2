//! Names that a rule allows and that lead to places that no name may lead to.

use exeat_e2e::{Case, Host};

#[tokio::test]
async fn bypass_names_of_private_and_metadata_addresses() -> anyhow::Result<()> {
    Case::run(include_str!("rebinding.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let own = agent.address().await?.replace('.', "-");
        agent
            .curl(&format!("http://{}/", Host::METADATA.name))
            .await?
            .expect_refusal("AddressClass")?;
        // No rule names these Services.
        for service in ["kubernetes.default", "exeat-collect.exeat-system"] {
            let url = format!("https://{service}.svc.cluster.local:8443/v1/records");
            agent.curl(&format!("-k {url}")).await?.expect_failure()?;
        }
        for address in [
            "169-254-169-254",
            "127-0-0-1",
            "0-0-0-0",
            "10-244-0-1",
            "10-96-0-1",
            "192-168-0-1",
            "172-16-0-1",
            "100-64-0-1",
            "100-100-100-200",
            "168-63-129-16",
            "224-0-0-1",
            "255-255-255-255",
            &own,
        ] {
            let name = format!("{address}.default.pod.cluster.local");
            agent
                .curl(&format!("http://{name}:15020/metrics"))
                .await?
                .expect_refusal("AddressClass")?;
        }
        // An address that this proxy's DNS gives out is no answer of a resolver.
        let own_range = "http://198-18-0-1.default.pod.cluster.local:15020/metrics";
        agent.curl(own_range).await?.expect_status("502")?;
        agent
            .sh("echo hello | ncat -w 4 10-244-0-1.default.pod.cluster.local 9000 | grep .")
            .await?
            .expect_failure()?;
        // The same sort of name passes where its address is an ordinary one.
        let ordinary =
            format!("{}.default.pod.cluster.local", Host::DATA.address.replace('.', "-"));
        agent.curl(&format!("http://{ordinary}/")).await?.expect_status("200")?;
        case.expect_nothing_at(Host::METADATA).await
    })
    .await
}
