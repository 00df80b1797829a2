//! An agent pod, and commands run in it as the agent would run them.

use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::AttachParams;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// Longer than any client in the cases waits.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// A running agent pod.
pub struct Agent {
    pub(crate) pods: Api<Pod>,
    pub(crate) name: String,
}

/// What a command left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// Zero when it succeeded.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Agent {
    /// The pod's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a shell command in the agent's container.
    pub async fn sh(&self, command: &str) -> anyhow::Result<Output> {
        self.exec("agent", &["sh", "-c", command]).await
    }

    /// Runs a command in a container of the pod.
    pub async fn exec(&self, container: &str, command: &[&str]) -> anyhow::Result<Output> {
        self.exec_within(COMMAND_TIMEOUT, container, command).await
    }

    /// The same for a command that may take so long.
    pub async fn exec_within(
        &self,
        limit: Duration,
        container: &str,
        command: &[&str],
    ) -> anyhow::Result<Output> {
        let run = async {
            let params =
                AttachParams::default().container(container).stdin(false).stdout(true).stderr(true);
            let mut process = self.pods.exec(&self.name, command.iter().copied(), &params).await?;
            let mut stdout = process.stdout().context("no standard output")?;
            let mut stderr = process.stderr().context("no standard error")?;
            let status = process.take_status().context("no status")?;
            let (mut out, mut errors) = (Vec::new(), Vec::new());
            let (read_out, read_errors, status) =
                tokio::join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut errors), status);
            read_out?;
            read_errors?;
            Ok(Output {
                code: exit_code(status),
                stdout: String::from_utf8_lossy(&out).into_owned(),
                stderr: String::from_utf8_lossy(&errors).into_owned(),
            })
        };
        let done: anyhow::Result<Output> =
            timeout(limit, run).await.with_context(|| format!("{command:?} took too long"))?;
        done.with_context(|| format!("running {command:?} in {}", self.name))
    }

    /// Asks with curl; the body is the standard output, `\nSTATUS` its last line (000 when no
    /// answer came).
    pub async fn curl(&self, arguments: &str) -> anyhow::Result<Output> {
        self.sh(&format!("curl -sS -m 10 -w '\\n%{{http_code}}' {arguments}")).await
    }

    /// Runs a Python program in the agent's container with one argument in JSON, and reads the
    /// JSON that it prints.
    pub async fn python<T: DeserializeOwned>(
        &self,
        program: &str,
        argument: &Value,
    ) -> anyhow::Result<T> {
        let argument = argument.to_string();
        let output = self.exec("agent", &["python3", "-c", program, &argument]).await?;
        output.expect_success()?;
        serde_json::from_str(&output.stdout).with_context(|| format!("reading {output:?}"))
    }

    /// The node that the pod is on.
    pub async fn node(&self) -> anyhow::Result<String> {
        let pod = self.pods.get(&self.name).await?;
        pod.spec.and_then(|spec| spec.node_name).context("the pod is on no node")
    }

    /// The address of the pod.
    pub async fn address(&self) -> anyhow::Result<String> {
        let pod = self.pods.get(&self.name).await?;
        pod.status.and_then(|status| status.pod_ip).context("the pod has no address")
    }
}

impl Output {
    /// The HTTP status that [`Agent::curl`] printed last.
    pub fn http_status(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }

    /// Fails unless the answer has this status.
    pub fn expect_status(&self, status: &str) -> anyhow::Result<&Self> {
        anyhow::ensure!(self.http_status() == status, "expected status {status}: {self:?}");
        Ok(self)
    }

    /// Fails unless it is Exeat's refusal: 403, `application/problem+json`, naming the text.
    pub fn expect_refusal(&self, mention: &str) -> anyhow::Result<&Self> {
        self.expect_status("403")?;
        anyhow::ensure!(
            self.stdout.contains(mention),
            "the refusal does not say {mention:?}: {self:?}"
        );
        Ok(self)
    }

    /// Fails unless the client got no answer at all, or Exeat's refusal.
    pub fn expect_failure_or_refusal(&self) -> anyhow::Result<&Self> {
        if self.http_status() == "403" {
            return self.expect_refusal("");
        }
        self.expect_failure()
    }

    /// Fails unless the command failed.
    pub fn expect_failure(&self) -> anyhow::Result<&Self> {
        anyhow::ensure!(self.code != 0, "expected a failure: {self:?}");
        Ok(self)
    }

    /// Fails unless the command succeeded.
    pub fn expect_success(&self) -> anyhow::Result<&Self> {
        anyhow::ensure!(self.code == 0, "expected success: {self:?}");
        Ok(self)
    }
}

fn exit_code(status: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Status>) -> i32 {
    let Some(status) = status else { return -1 };
    if status.status.as_deref() == Some("Success") {
        return 0;
    }
    let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    code.and_then(|cause| cause.message.as_deref()?.parse().ok()).unwrap_or(-1)
}
