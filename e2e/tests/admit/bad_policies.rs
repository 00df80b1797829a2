//! A policy that does not compile is refused with the field and the fix, by the rules of the
//! schema where they see it and by the proxy's own compiler where they do not.

use super::table::expect_rows;
use exeat_e2e::Case;

#[tokio::test]
async fn admit_bad_policies_are_refused() -> anyhow::Result<()> {
    Case::run("", async |case| expect_rows(case, include_str!("bad_policies.yaml")).await).await
}
