//! Pods that ask for what would lead round the proxy are refused with the field and the fix.

use super::table::expect_rows;
use exeat_e2e::Case;

#[tokio::test]
async fn admit_forbidden_pods_are_refused() -> anyhow::Result<()> {
    Case::run(include_str!("policy.yaml"), async |case| {
        expect_rows(case, include_str!("forbidden_pods.yaml")).await
    })
    .await
}
