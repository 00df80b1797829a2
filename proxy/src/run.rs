//! Puts the parts together: what `exeat-proxy run` does from start to drain.

use crate::capture;
use crate::config::RunArgs;
use crate::connection::{Parts, Pipeline};
use crate::control::snapshots::{Snapshots, grow_older};
use crate::control::{Client, ControlConfig, Roots};
use crate::dial::Tcp;
use crate::dns::answer::{Zone, search_domains};
use crate::dns::{self, Server, Synthetic};
use crate::metrics::ProxyMetrics;
use crate::ops::{self, Health};
use crate::rejected;
use crate::resolve::Resolver;
use crate::spool::{AuditLog, SpoolConfig, now, ship};
use crate::state::PolicyState;
use crate::tls::PodCa;
use anyhow::{Context as _, anyhow};
use exeat_audit::record::{Genesis, Record};
use std::future::Future;
use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long connections, and then the last audit, may take when the pod ends.
const DRAIN: Duration = Duration::from_secs(5);
const LAST_AUDIT: Duration = Duration::from_secs(5);
const HEARTBEAT: Duration = Duration::from_millis(exeat_audit::verify::HEARTBEAT_MS);

/// Tasks that run for as long as the process; the first that ends, ends it.
struct Tasks(JoinSet<(&'static str, anyhow::Result<()>)>);

impl Tasks {
    fn run(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.0.spawn(async move { (name, task.await) });
    }
}

/// Runs until SIGTERM, then drains.
///
/// # Errors
/// When the proxy cannot start, or one of its tasks ends.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    raise_file_limit();
    let metrics = Arc::new(ProxyMetrics::new()?);
    let policies = Arc::new(PolicyState::default());
    let resolver = Resolver::new(&args.dns_servers)?;
    let (audit, shipping, writer_end) =
        AuditLog::open(spool_config(&args), Arc::clone(&policies), Arc::clone(&metrics))
            .context("the audit spool cannot be opened")?;
    let roots = Arc::new(Roots::new(&args.control_ca)?);
    let control = |url: &str| {
        Client::new(ControlConfig {
            url: url.to_owned(),
            token: args.paths.token.clone(),
            cluster_domain: args.cluster_domain.clone(),
            roots: Arc::clone(&roots),
            resolver: resolver.clone(),
        })
    };
    let (publish, collect) = (control(&args.publish_url)?, control(&args.collect_url)?);
    let snapshots = Snapshots {
        pod_uid: args.pod.pod_uid.clone(),
        kept: args.paths.keys_dir.join("snapshot.json"),
        policies: Arc::clone(&policies),
        roots,
        audit: audit.clone(),
        metrics: Arc::clone(&metrics),
    };
    if let Err(error) = snapshots.restore().await {
        tracing::warn!(%error, "Kept snapshot not used");
    }
    let health = Arc::new(Health::default());
    let mut tasks = Tasks(JoinSet::new());
    let (stop, stopping) = watch::channel(false);
    let roots = policies.load().map(|active| active.upstream_roots.clone()).unwrap_or_default();
    let ca = PodCa::load_or_create(&args.paths.keys_dir, &args.paths.trust_dir, &roots)?;
    let ca = Arc::new(ca);
    let synthetic = Arc::new(Synthetic::default());
    let drain = CancellationToken::new();
    let pipeline = Pipeline::new(Parts {
        policy: Arc::clone(&policies),
        metrics: Arc::clone(&metrics),
        audit: audit.clone(),
        resolver: Arc::new(resolver),
        names: Arc::clone(&synthetic) as _,
        connector: Arc::new(Tcp),
        ca: Arc::clone(&ca),
        drain: drain.clone(),
    });
    let server = Arc::new(Server {
        policies: Arc::clone(&policies),
        synthetic,
        audit: audit.clone(),
        metrics: Arc::clone(&metrics),
        zone: zone(&args.cluster_domain),
    });
    let mut captures = listen(&args, &pipeline, &server, &mut tasks, &stopping).await?;
    let ops_listener = bind_ops(args.ops_port).await?;
    let router = ops::router(Arc::clone(&health), Arc::clone(&policies), Arc::clone(&metrics));
    tasks.run("ops", async move { Ok(ops::serve(ops_listener, router).await?) });
    tasks.run("snapshots", async move {
        snapshots.follow(&publish).await;
        Ok(())
    });
    tasks.run("age", run_forever(grow_older(Arc::clone(&metrics), Arc::clone(&policies))));
    tasks.run("rejected", run_forever(rejected::watch(audit.clone(), Arc::clone(&metrics))));
    tasks.run("heartbeat", run_forever(heartbeat(audit.clone())));
    tasks.run("trust", run_forever(follow_roots(ca, Arc::clone(&policies))));
    tasks.run("audit-writer", async move {
        writer_end.await.ok();
        Ok(())
    });
    let shipper = tokio::spawn(ship::ship(shipping, collect, Arc::clone(&metrics)));
    health.serving.store(true, Ordering::Release);
    tracing::info!("Proxy serving");

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        Some(ended) = tasks.0.join_next() => return Err(died(ended)),
        Some(ended) = captures.join_next() => return Err(anyhow!("a capture task ended: {ended:?}")),
    }
    health.draining.store(true, Ordering::Release);
    tracing::info!("Draining");
    drain.cancel();
    stop.send_replace(true);
    while captures.join_next().await.is_some() {}
    tasks.0.shutdown().await;
    if !audit.close(LAST_AUDIT).await {
        tracing::warn!(entries = metrics.spooled_entries.get(), "Ended with audit unshipped");
    }
    shipper.abort();
    Ok(())
}

fn died(
    ended: Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>,
) -> anyhow::Error {
    match ended {
        Ok((name, Ok(()))) => anyhow!("the task {name} ended"),
        Ok((name, Err(error))) => error.context(format!("the task {name} failed")),
        Err(error) => anyhow!("a task panicked: {error}"),
    }
}

async fn run_forever(task: impl Future<Output = ()>) -> anyhow::Result<()> {
    task.await;
    Ok(())
}

/// As many open files as the container may have: a connection takes two.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    if let Err(error) = raised {
        tracing::warn!(%error, "File limit not raised");
    }
}

fn spool_config(args: &RunArgs) -> SpoolConfig {
    SpoolConfig {
        spool_dir: args.paths.spool_dir.clone(),
        keys_dir: args.paths.keys_dir.clone(),
        max_bytes: args.spool_bytes,
        genesis: Genesis {
            pod_uid: args.pod.pod_uid.clone(),
            pod_name: args.pod.pod_name.clone(),
            namespace: args.pod.pod_namespace.clone(),
            service_account: args.pod.service_account.clone(),
            node: args.pod.node_name.clone(),
            image: args.pod.proxy_image.clone(),
            public_key: String::new(),
            policy: String::new(),
        },
    }
}

/// Binds and serves capture and DNS on loopback, on both address families where the pod has them.
async fn listen(
    args: &RunArgs,
    pipeline: &Arc<Pipeline>,
    server: &Arc<Server>,
    tasks: &mut Tasks,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<JoinSet<std::io::Result<()>>> {
    let mut captures = JoinSet::new();
    for ip in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
        let capture = SocketAddr::new(ip, args.capture_port);
        let listener = match TcpListener::bind(capture).await {
            Ok(listener) => listener,
            // Without IPv6 the kernel redirects none of it here either.
            Err(error) if ip.is_ipv6() => {
                tracing::info!(%error, "No IPv6 loopback");
                continue;
            }
            Err(error) => return Err(error).with_context(|| format!("cannot listen on {capture}")),
        };
        captures.spawn(capture::serve(Arc::clone(pipeline), listener, stopping.clone(), DRAIN));
        let address = SocketAddr::new(ip, args.dns_port);
        let (udp, tcp) =
            dns::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let (of_udp, of_tcp) = (Arc::clone(server), Arc::clone(server));
        tasks.run("dns-udp", async move { Ok(of_udp.udp(udp).await?) });
        tasks.run("dns-tcp", async move { Ok(of_tcp.tcp(tcp).await?) });
    }
    Ok(captures)
}

async fn bind_ops(port: u16) -> anyhow::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?),
    }
}

fn zone(cluster_domain: &str) -> Zone {
    let resolv_conf = beginning_of("/etc/resolv.conf");
    let addresses = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    Zone { search: search_domains(&resolv_conf, cluster_domain), has_ipv6: has_ipv6(&addresses) }
}

/// As much of a file as one that was made by a kubelet can have: root in an agent writes to it too.
fn beginning_of(path: &str) -> String {
    let mut text = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        // What cannot be read is no search list.
        let _ = file.take(64 * 1024).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether some interface has a global address: the fourth column of `/proc/net/if_inet6` is 00.
fn has_ipv6(if_inet6: &str) -> bool {
    if_inet6.lines().any(|line| line.split_whitespace().nth(3) == Some("00"))
}

async fn heartbeat(audit: AuditLog) {
    loop {
        sleep(HEARTBEAT).await;
        audit.record(Record::heartbeat(now())).await;
    }
}

/// Rewrites the agent's bundle when the roots of the snapshot change.
async fn follow_roots(ca: Arc<PodCa>, policies: Arc<PolicyState>) {
    let mut changes = policies.subscribe();
    let mut written = None;
    loop {
        let roots = policies.load().map(|active| active.upstream_roots.clone());
        if roots.is_some() && roots != written {
            match ca.write_bundle(roots.as_deref().unwrap_or_default()) {
                Ok(()) => written = roots,
                Err(error) => tracing::error!(%error, "Trust bundle not written"),
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_link_local_are_not_ipv6_to_reach_anything_by() {
        assert!(!has_ipv6(
            "00000000000000000000000000000001 01 80 10 80       lo\nfe800000000000000000000000000001 02 40 20 80     eth0\n"
        ));
        assert!(has_ipv6("fd000000000000000000000000000002 02 40 00 80     eth0\n"));
    }
}
