//! An init container of the author's own, which runs before the agent.

use exeat_e2e::Case;

#[tokio::test]
async fn bypass_user_init_container_is_captured() -> anyhow::Result<()> {
    Case::run(include_str!("init_container.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let found = agent.sh("cat /notes/found").await?;
        anyhow::ensure!(found.stdout.trim() == "200 403 403 403 403", "{found:?}");
        case.expect_nothing_forbidden().await
    })
    .await
}
