//! Puts the parts together: what `exeat-proxy run` does from start to drain.

mod assembly;
mod container;
pub mod logs;
mod outside;
mod placeholders;
mod tasks;
mod trim;

pub use assembly::{Assembly, Proxy, Sink, Source};
use outside::Outside;
pub use tasks::Tasks;

use logs::Dropped;

use crate::config::RunArgs;
use crate::control::{Client, ControlConfig, Roots};
use crate::dial::{Resolver, Tcp};
use crate::dns::answer::{Zone, search_domains};
use crate::dns::{self, Server, Synthetic};
use crate::entry::{own_ports, redirect, rejected};
use crate::metrics::ProxyMetrics;
use crate::ops::{self, Health};
use crate::serve::Front;
use crate::spool::{AuditLog, SpoolConfig, now};
use crate::state::{Cluster, PolicyState};
use crate::tls::PodCa;
use anyhow::{Context as _, anyhow};
use exeat_audit::record::{Genesis, Kind, RecordRef};
use exeat_policy::cluster::Vicinity;
use exeat_policy::normal::Name;
use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long connections, and then the last audit, may take when the pod ends.
const DRAIN: Duration = Duration::from_secs(5);
/// How long what was cut may take to state how it ended.
const LAST_OUTCOMES: Duration = Duration::from_secs(1);
const LAST_AUDIT: Duration = Duration::from_secs(5);
const COUNTED: Duration = Duration::from_secs(5);
const HEARTBEAT: Duration = Duration::from_millis(exeat_audit::verify::HEARTBEAT_MS);

/// The runtime that traffic runs on. With one worker nothing is handed from thread to thread.
///
/// # Errors
/// When threads cannot be made.
pub fn runtime(workers: u16) -> std::io::Result<Runtime> {
    if workers <= 1 {
        return Builder::new_current_thread().enable_all().build();
    }
    Builder::new_multi_thread().worker_threads(usize::from(workers)).enable_all().build()
}

/// Runs until SIGTERM, then drains. `dropped`: lines of the log that were lost.
///
/// # Errors
/// When the proxy cannot start, or one of its tasks ends.
pub async fn run(args: RunArgs, dropped: Dropped) -> anyhow::Result<()> {
    raise_file_limit();
    keep_memory_private();
    let synthetic = Arc::new(Synthetic::kept_in(args.paths.keys_dir.join("names")));
    let resolver = Resolver::new(&args.dns_servers)?;
    let assembly = assembly(&args, resolver.clone(), Arc::clone(&synthetic))?;
    let mut proxy = assembly.build().await?;
    let gate = proxy.gate.clone();
    let outside = Arc::new(Outside(resolver));
    let server = Arc::new(Server::new(gate, synthetic, zone(&args.cluster_domain), outside));
    let (stop, stopping) = watch::channel(false);
    let mut captures = listen(&args, &proxy.front, &server, &mut proxy.tasks, &stopping).await?;
    let health = Arc::new(Health::default());
    beside(&args, &mut proxy, &health).await?;
    proxy.tasks.forever("log", count_dropped(dropped, Arc::clone(&proxy.metrics)));
    health.serving.store(true, Ordering::Release);
    tracing::info!("Proxy serving");

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        ended = proxy.tasks.ended() => return Err(ended),
        Some(ended) = captures.join_next() => return Err(anyhow!("a capture task ended: {ended:?}")),
    }
    health.draining.store(true, Ordering::Release);
    tracing::info!("Draining");
    proxy.drain.cancel();
    stop.send_replace(true);
    while captures.join_next().await.is_some() {}
    if !proxy.gate.journal().settled(LAST_OUTCOMES).await {
        tracing::warn!("Ended with acts whose outcome is not known");
    }
    proxy.tasks.shutdown().await;
    if !proxy.audit.close(LAST_AUDIT).await {
        let entries = proxy.metrics.spooled_entries.get();
        tracing::warn!(entries, "Ended with audit unshipped");
    }
    proxy.tasks.stop_shipping();
    Ok(())
}

/// The proxy of a pod: policy from the controller, audit to the collector.
fn assembly(args: &RunArgs, resolver: Resolver, names: Arc<Synthetic>) -> anyhow::Result<Assembly> {
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
    let domain = Name::parse(&args.cluster_domain).context("the cluster's domain is no name")?;
    let vicinity = Vicinity::new(&args.pod.pod_namespace, &domain);
    let (publish, collect) = (control(&args.publish_url)?, control(&args.collect_url)?);
    Ok(Assembly {
        spool: spool_config(args),
        trust_dir: args.paths.trust_dir.clone(),
        source: Source::Control { publish: Box::new(publish), roots },
        sink: Sink::Ship(Box::new(collect)),
        resolver: Arc::new(resolver),
        connector: Arc::new(Tcp),
        names,
        cluster: Some(Cluster {
            vicinity,
            api_server_ca: args.paths.api_server_ca.clone(),
            placeholder_seed: args.pod.placeholder_seed.clone(),
        }),
        memory: None,
    })
}

/// Starts what a pod's proxy does beside its connections.
async fn beside(args: &RunArgs, proxy: &mut Proxy, health: &Arc<Health>) -> anyhow::Result<()> {
    let listener = bind_ops(args.ops_port).await?;
    let (policies, metrics) = (Arc::clone(&proxy.policies), Arc::clone(&proxy.metrics));
    let router = ops::router(Arc::clone(health), Arc::clone(&policies), Arc::clone(&metrics));
    let tasks = &mut proxy.tasks;
    tasks.run("ops", async move { Ok(ops::serve(listener, router).await?) });
    tasks.forever("rejected", rejected::watch(proxy.audit.clone(), metrics));
    let for_agent = placeholders::follow(Arc::clone(&policies), args.paths.trust_dir.clone());
    tasks.forever("placeholders", for_agent);
    tasks.forever("heartbeat", heartbeat(proxy.audit.clone()));
    tasks.forever("trust", follow_roots(Arc::clone(&proxy.ca), policies, Arc::clone(health)));
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

/// No dump of this process's memory, which holds credentials and keys, and no tracer without
/// CAP_SYS_PTRACE.
fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let kept = setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = kept {
        tracing::warn!(%error, "Memory not kept from dumps");
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
    front: &Arc<Front>,
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
        let refused = SocketAddr::new(ip, args.refused_port);
        let refused = TcpListener::bind(refused)
            .await
            .with_context(|| format!("cannot listen on {refused}"))?;
        let gate = server.gate().clone();
        tasks.run("own-ports", async move { Ok(own_ports::refuse(gate, refused).await?) });
        captures.spawn(redirect::serve(Arc::clone(front), listener, stopping.clone(), DRAIN));
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
        audit.record(RecordRef::new(Kind::Heartbeat, &now()));
    }
}

/// Counts what the log lost.
async fn count_dropped(dropped: Dropped, metrics: Arc<ProxyMetrics>) {
    loop {
        sleep(COUNTED).await;
        metrics.log_lines_dropped.inc_by(dropped.take());
    }
}

/// Rewrites the agent's bundle when the roots of the snapshot change, and says so to the probes when
/// it holds the first ones.
async fn follow_roots(ca: Arc<PodCa>, policies: Arc<PolicyState>, health: Arc<Health>) {
    let mut changes = policies.subscribe();
    let mut written = None;
    loop {
        let roots = policies.load().map(|active| active.upstream_roots.clone());
        if roots.is_some() && roots != written {
            match ca.write_bundle(roots.as_deref().unwrap_or_default()) {
                Ok(()) => {
                    written = roots;
                    health.trusted.store(true, Ordering::Release);
                }
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
