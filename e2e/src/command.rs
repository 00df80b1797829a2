//! The command line, as a person would use it.

use std::path::PathBuf;

use anyhow::Context;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::agent::Output;
use crate::cluster::kubeconfig;

/// Runs `exeat ARGUMENTS...` against the cluster under test.
pub async fn exeat(arguments: &[&str]) -> anyhow::Result<Output> {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let program = BUILT.get_or_try_init(build).await?;
    let output = Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", kubeconfig()?)
        .output()
        .await
        .context("running exeat")?;
    Ok(Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Builds the command line, which is no dependency of these tests, and says where it is: two
/// directories above this test's own program.
async fn build() -> anyhow::Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        // As lib/binaries.sh does, so that nothing is compiled for this alone.
        .args(["build", "-q", "--workspace", "--bins", "--examples"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .await
        .context("building exeat")?;
    anyhow::ensure!(status.success(), "exeat cannot be built");
    let own = std::env::current_exe()?;
    let directory = own.ancestors().nth(2).context("this program is in no target directory")?;
    Ok(directory.join("exeat"))
}
