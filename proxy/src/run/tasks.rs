//! Tasks that run for as long as the process.

use anyhow::anyhow;
use std::future::Future;
use tokio::task::{JoinHandle, JoinSet};

/// The first task that ends, ends the process. The shipper is apart: it goes on while the rest has
/// ended already, until the last of the audit is delivered.
#[derive(Default)]
pub struct Tasks {
    running: JoinSet<(&'static str, anyhow::Result<()>)>,
    shipper: Option<JoinHandle<()>>,
}

impl Tasks {
    pub fn run(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.running.spawn(async move { (name, task.await) });
    }

    /// A task that has no reason to end.
    pub fn forever(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.run(name, async move {
            task.await;
            Ok(())
        });
    }

    pub(super) fn shipper(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.shipper = Some(tokio::spawn(task));
    }

    /// Why the first of them ended. Waits for ever while all run.
    pub async fn ended(&mut self) -> anyhow::Error {
        match self.running.join_next().await {
            Some(Ok((name, Ok(())))) => anyhow!("the task {name} ended"),
            Some(Ok((name, Err(error)))) => error.context(format!("the task {name} failed")),
            Some(Err(error)) => anyhow!("a task panicked: {error}"),
            None => std::future::pending().await,
        }
    }

    /// Ends all of them but the shipper.
    pub async fn shutdown(&mut self) {
        self.running.shutdown().await;
    }

    /// Ends the shipper too.
    pub fn stop_shipping(&mut self) {
        if let Some(shipper) = self.shipper.take() {
            shipper.abort();
        }
    }
}
