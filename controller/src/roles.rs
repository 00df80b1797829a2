//! Wires the roles of one process together. Every task is owned here: when one of them ends by
//! itself, the process ends, and is started again.

use crate::certs::{self, Keeper, Leaf, Trust};
use crate::cli::{Flags, Role};
use crate::credentials::{self, Secrets};
use crate::identity::Identities;
use crate::index::{Index, WatchedKind};
use crate::metrics::Metrics;
use crate::reconcile::{self, Leadership, Reconciler, Surroundings};
use crate::server::Server;
use crate::{admission, collect, ops, publish, watch};
use anyhow::{Context as _, bail};
use axum::Router;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

const MAX_ROOTS: u64 = 4 << 20;
/// After the stop signal: endpoints are taken out of Services before connections are refused.
const LAME_DUCK: Duration = Duration::from_secs(2);
const SHUTDOWN: Duration = Duration::from_secs(20);

/// What every role is given.
#[derive(Clone)]
struct Shared {
    flags: Arc<Flags>,
    client: kube::Client,
    index: Arc<Index>,
    metrics: Arc<Metrics>,
    trust: Arc<Trust>,
    leaf: Arc<Leaf>,
    leadership: Leadership,
    identities: Arc<Identities>,
    secrets: Arc<Secrets>,
    stop: CancellationToken,
}

/// Runs the roles of `flags` until `stop`.
///
/// # Errors
/// When something cannot be started, or a task ends that must not.
pub async fn run(flags: Flags, stop: CancellationToken) -> anyhow::Result<()> {
    let client = kube::Client::try_default().await.context("no way to the API server")?;
    let shared = Shared {
        flags: Arc::new(flags),
        identities: Arc::new(Identities::new(client.clone())),
        client,
        index: Index::shared(),
        metrics: Metrics::new()?,
        trust: Arc::default(),
        leaf: Arc::default(),
        leadership: Leadership::default(),
        secrets: Secrets::shared(),
        stop: stop.clone(),
    };
    let mut tasks = JoinSet::new();
    start(&shared, &mut tasks).await?;
    let ended = tokio::select! {
        () = stop.cancelled() => None,
        ended = tasks.join_next() => ended,
    };
    if let Some(ended) = ended
        && !stop.is_cancelled()
    {
        bail!("a task ended: {ended:?}");
    }
    wind_down(&shared, tasks).await;
    Ok(())
}

async fn wind_down(shared: &Shared, mut tasks: JoinSet<&'static str>) {
    info!("Stopping");
    let (namespace, replica) = (&shared.flags.namespace, &shared.flags.pod_name);
    let resigned = reconcile::resign(shared.client.clone(), namespace, replica, &shared.leadership);
    let _ = tokio::time::timeout(Duration::from_secs(3), resigned).await;
    // Servers end by themselves; everything else is cut.
    let servers = async {
        while let Some(ended) = tasks.join_next().await {
            if matches!(ended, Ok("ops")) {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(SHUTDOWN, servers).await;
    tasks.shutdown().await;
}

async fn start(shared: &Shared, tasks: &mut JoinSet<&'static str>) -> anyhow::Result<()> {
    let flags = &shared.flags;
    if [Role::Admission, Role::Reconcile, Role::Publish].into_iter().any(|role| flags.plays(role)) {
        for kind in WatchedKind::ALL {
            let feed = watch::feed(shared.client.clone(), kind, Arc::clone(&shared.index));
            own(tasks, "watch", feed);
        }
    }
    if [Role::Reconcile, Role::Publish].into_iter().any(|role| flags.plays(role)) {
        let (index, secrets) = (Arc::clone(&shared.index), Arc::clone(&shared.secrets));
        own(tasks, "secrets", credentials::keep(shared.client.clone(), index, secrets));
    }
    if flags.plays(Role::Reconcile) {
        start_reconcile(shared, tasks);
    }
    start_certificates(shared, tasks);
    let tls = Arc::new(certs::server_config(Arc::clone(&shared.leaf))?);
    if flags.plays(Role::Admission) {
        let router = admission::router(admission_state(shared));
        let server = Server {
            name: "admission",
            router,
            tls: Some(Arc::clone(&tls)),
            connections: 1024,
            body: 8 << 20,
        };
        serve(tasks, "admission", server, flags.admission_addr, &shared.stop).await?;
    }
    if let Some(router) = control(shared, tasks).await? {
        let server =
            Server { name: "control", router, tls: Some(tls), connections: 20_000, body: 8 << 20 };
        serve(tasks, "control", server, flags.control_addr, &shared.stop).await?;
    }
    let router = ops::router(Arc::clone(&shared.metrics), readiness(shared));
    let server = Server { name: "ops", router, tls: None, connections: 256, body: 1024 };
    serve(tasks, "ops", server, flags.ops_addr, &shared.stop).await
}

fn start_reconcile(shared: &Shared, tasks: &mut JoinSet<&'static str>) {
    let flags = &shared.flags;
    let campaign = reconcile::campaign(
        shared.client.clone(),
        flags.namespace.clone(),
        flags.pod_name.clone(),
        shared.leadership.clone(),
    );
    own(tasks, "lease", campaign);
    let reconciler = Reconciler {
        client: shared.client.clone(),
        index: Arc::clone(&shared.index),
        secrets: Arc::clone(&shared.secrets),
        metrics: Arc::clone(&shared.metrics),
        leadership: shared.leadership.clone(),
        around: Surroundings {
            namespace: flags.namespace.clone(),
            dns_servers: flags.resolved_dns_servers(),
            excluded: flags.excluded_cidrs.clone(),
            metrics_from: flags.metrics_from.clone(),
            cluster_domain: flags.cluster_domain.clone(),
        },
        replica: flags.pod_name.clone(),
    };
    own(tasks, "reconcile", reconciler.run());
}

fn start_certificates(shared: &Shared, tasks: &mut JoinSet<&'static str>) {
    let flags = &shared.flags;
    let keeper = Keeper {
        client: shared.client.clone(),
        namespace: flags.namespace.clone(),
        webhooks: flags.webhook_name.clone(),
        names: certs::server_names(&flags.namespace, &flags.cluster_domain),
        leaf: Arc::clone(&shared.leaf),
        trust: Arc::clone(&shared.trust),
        metrics: Arc::clone(&shared.metrics),
    };
    let leadership = shared.leadership.clone();
    let leads = move || leadership.held();
    match flags.tls_dir.clone() {
        None => own(tasks, "certificates", keeper.run(leads)),
        Some(directory) => {
            let (leaf, trust) = (Arc::clone(&shared.leaf), Arc::clone(&shared.trust));
            own(tasks, "certificates", async move {
                certs::keep_files(&directory, &leaf, &trust).await;
            });
            own(tasks, "announcements", keeper.run_announcing(leads));
        }
    }
}

fn admission_state(shared: &Shared) -> admission::AdmissionState {
    let flags = &shared.flags;
    let trust = Arc::clone(&shared.trust);
    admission::AdmissionState {
        settings: Arc::new(admission::InjectionSettings {
            proxy_image: flags.proxy_image.clone(),
            proxy_image_pull_policy: flags.proxy_image_pull_policy.clone(),
            proxy_resources: resources(flags),
            publish_url: flags.publish_url(),
            collect_url: flags.collect_url(),
            dns_servers: flags.resolved_dns_servers(),
            cluster_domain: flags.cluster_domain.clone(),
            log: flags.proxy_log.clone(),
            system_trust: flags.system_trust,
        }),
        control_ca: Arc::new(move || trust.bundle().to_string()),
        lookup: Arc::new(admission::ClusterLookup {
            index: Arc::clone(&shared.index),
            client: shared.client.clone(),
        }),
        metrics: Arc::clone(&shared.metrics),
    }
}

/// `resources` of the proxy's container; empty flags are left out.
fn resources(flags: &Flags) -> serde_json::Value {
    let list = |cpu: &str, memory: &str| {
        let named = [("cpu", cpu), ("memory", memory)].into_iter();
        let set = named.filter(|(_, value)| !value.is_empty());
        set.map(|(name, value)| (name.to_owned(), json!(value))).collect::<serde_json::Map<_, _>>()
    };
    let requests = list(&flags.proxy_resources_cpu_request, &flags.proxy_resources_memory_request);
    let limits = list(&flags.proxy_resources_cpu_limit, &flags.proxy_resources_memory_limit);
    json!({"requests": requests, "limits": limits})
}

/// The router of the control API; none when no role needs it.
async fn control(
    shared: &Shared,
    tasks: &mut JoinSet<&'static str>,
) -> anyhow::Result<Option<Router>> {
    let flags = &shared.flags;
    let mut router = None;
    if flags.plays(Role::Publish) {
        let state = publish::PublishState::new(
            Arc::clone(&shared.index),
            Arc::clone(&shared.identities),
            Arc::clone(&shared.metrics),
            Arc::clone(&shared.trust),
            Arc::new(upstream_roots(flags).await?),
            flags.excluded_cidrs.as_slice().into(),
            shared.stop.clone(),
        );
        let state = state.with_secrets(Arc::clone(&shared.secrets));
        router = Some(publish::router(state));
    }
    if flags.plays(Role::Collect) {
        let config = collect::CollectConfig { database: flags.database.clone() };
        let metrics = Arc::clone(&shared.metrics);
        let state = collect::CollectState::open(&config, metrics, Arc::clone(&shared.identities))
            .with_context(|| format!("audit database {}", flags.database.display()))?;
        own(tasks, "collect", collect::run(state.clone(), Some(shared.client.clone())));
        router = Some(router.unwrap_or_default().merge(collect::router(state)));
    }
    Ok(router)
}

async fn upstream_roots(flags: &Flags) -> anyhow::Result<String> {
    let Some(path) = &flags.additional_roots else { return Ok(String::new()) };
    let size = tokio::fs::metadata(path).await.with_context(|| path.display().to_string())?.len();
    if size > MAX_ROOTS {
        bail!("{} is larger than {MAX_ROOTS} bytes", path.display());
    }
    tokio::fs::read_to_string(path).await.with_context(|| path.display().to_string())
}

fn readiness(shared: &Shared) -> ops::Readiness {
    let shared = shared.clone();
    let watches = [Role::Admission, Role::Reconcile, Role::Publish]
        .into_iter()
        .any(|role| shared.flags.plays(role));
    Arc::new(move || {
        let mut missing = Vec::new();
        if shared.stop.is_cancelled() {
            missing.push("stopping");
        }
        if watches && !shared.index.synced() {
            missing.push("listing of policies, namespaces, pods, NetworkPolicies, Services and EndpointSlices");
        }
        if !shared.leaf.ready() {
            missing.push("certificate");
        }
        missing
    })
}

/// Runs a task whose end is the end of the process.
fn own(
    tasks: &mut JoinSet<&'static str>,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) {
    tasks.spawn(async move {
        task.await;
        name
    });
}

async fn serve(
    tasks: &mut JoinSet<&'static str>,
    name: &'static str,
    server: Server,
    address: std::net::SocketAddr,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("{name} cannot listen on {address}"))?;
    info!(server = name, %address, "Listening");
    let (stop, late) = (stop.clone(), CancellationToken::new());
    let trigger = late.clone();
    own(tasks, name, async move {
        let wait = async {
            stop.cancelled().await;
            tokio::time::sleep(LAME_DUCK).await;
            trigger.cancel();
        };
        tokio::join!(server.serve(listener, late), wait);
    });
    Ok(())
}
