//! The admission webhooks, whole, over HTTP and without a socket. Cases are data beside this file.

// Helpers of tests may unwrap as tests may.
#![allow(clippy::unwrap_used)]

use axum::body::Body;
use base64::Engine as _;
use exeat_controller::admission::{
    AdmissionState, Candidate, InjectionSettings, Labels, LookupError, PolicyLookup, SystemTrust,
    router,
};
use exeat_controller::metrics::Metrics;
use exeat_policy::source::{PolicyRef, PolicySource, Tier};
use futures::future::BoxFuture;
use http::StatusCode;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt as _;

const CA: &str = "-----BEGIN CERTIFICATE-----\nb25l\n-----END CERTIFICATE-----\n\
                  -----BEGIN CERTIFICATE-----\ndHdv\n-----END CERTIFICATE-----\n";

/// A cluster with the namespaces `agents` (all) and `mixed`, and one policy in `agents`.
#[derive(Default)]
struct Cluster {
    /// What memory does not know yet.
    fresh_only: bool,
    /// The API server does not answer.
    away: bool,
    /// There is no policy at all.
    bare: bool,
}

impl Cluster {
    fn labels(namespace: &str) -> Option<Labels> {
        let all = ("exeat.dev/agents".to_owned(), "all".to_owned());
        match namespace {
            "agents" => Some(Labels::from([all])),
            "mixed" => Some(Labels::new()),
            _ => None,
        }
    }

    fn selects(&self, namespace: &str, pod: &Labels) -> bool {
        !self.bare
            && namespace == "agents"
            && pod.get("app").is_some_and(|app| app == "research-agent")
    }
}

fn origin() -> PolicyRef {
    PolicyRef {
        tier: Tier::Namespaced,
        namespace: "agents".to_owned(),
        name: "research".to_owned(),
    }
}

impl PolicyLookup for Cluster {
    fn known_namespace(&self, namespace: &str) -> Option<Labels> {
        if self.fresh_only { Some(Labels::new()) } else { Self::labels(namespace) }
    }

    fn known_policies(&self, namespace: &str, _: &Labels, pod: &Labels) -> Vec<PolicySource> {
        if self.fresh_only || !self.selects(namespace, pod) {
            return Vec::new();
        }
        vec![PolicySource::new(origin(), Vec::new())]
    }

    fn known_agent(&self, _: &str, pod: &str) -> Option<bool> {
        match pod {
            "agent" => Some(true),
            "other" => Some(false),
            _ => None,
        }
    }

    fn read_namespace<'a>(
        &'a self,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Option<Labels>, LookupError>> {
        let failed = LookupError { what: "namespace".to_owned(), why: "it is away".to_owned() };
        let answer = if self.away { Err(failed) } else { Ok(Self::labels(namespace)) };
        Box::pin(async move { answer })
    }

    fn read_policies<'a>(
        &'a self,
        namespace: &'a str,
        _: &'a Labels,
        pod: &'a Labels,
    ) -> BoxFuture<'a, Result<Vec<Candidate>, LookupError>> {
        let failed = LookupError { what: "policies".to_owned(), why: "it is away".to_owned() };
        let one = Candidate {
            origin: origin(),
            selector: "app=research-agent".to_owned(),
            selects: self.selects(namespace, pod),
        };
        let there = if self.bare { Vec::new() } else { vec![one] };
        let answer = if self.away { Err(failed) } else { Ok(there) };
        Box::pin(async move { answer })
    }
}

fn state(cluster: Cluster) -> AdmissionState {
    AdmissionState {
        settings: Arc::new(InjectionSettings {
            proxy_image: "localhost/exeat-proxy:dev".to_owned(),
            proxy_image_pull_policy: "Never".to_owned(),
            proxy_resources: json!({"requests": {"cpu": "20m"}}),
            publish_url: "https://exeat-publish.exeat-system.svc:8443".to_owned(),
            collect_url: "https://exeat-collect.exeat-system.svc:8443".to_owned(),
            dns_servers: vec!["10.96.0.10".parse().unwrap()],
            cluster_domain: "cluster.local".to_owned(),
            log: "info".to_owned(),
            system_trust: SystemTrust::Replace,
        }),
        control_ca: Arc::new(|| CA.to_owned()),
        lookup: Arc::new(cluster),
        metrics: Metrics::new().unwrap(),
    }
}

async fn post(state: &AdmissionState, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    let request = http::Request::post(path).body(body.into()).unwrap();
    let response = router(state.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let review: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(review["apiVersion"], "admission.k8s.io/v1", "{review}");
    assert_eq!(review["kind"], "AdmissionReview");
    assert!(review["response"]["uid"].is_string());
    (status, review["response"].clone())
}

async fn ask(state: &AdmissionState, path: &str, request: Value) -> Value {
    let mut request = request;
    request["uid"] = json!("review-1");
    let review =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    let (status, response) = post(state, path, review.to_string()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(response["uid"], "review-1");
    response
}

fn on_pod(operation: &str, object: &Value) -> Value {
    json!({
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": operation, "namespace": "agents", "name": "research", "object": object,
    })
}

async fn create(state: &AdmissionState, path: &str, pod: &Value) -> Value {
    ask(state, path, on_pod("CREATE", pod)).await
}

async fn update(state: &AdmissionState, path: &str, part: &str, old: &Value, new: &Value) -> Value {
    let mut request = on_pod("UPDATE", new);
    request["oldObject"] = old.clone();
    request["subResource"] = json!(part);
    ask(state, path, request).await
}

fn case_file<T: for<'de> Deserialize<'de>>(text: &str) -> T {
    serde_yaml::from_str(text).unwrap()
}

fn plain_agent() -> Value {
    case_file(include_str!("admission/plain-agent.yaml"))
}

/// The patched pod, as the API server would make it.
fn patched(pod: &Value, response: &Value) -> Value {
    assert_eq!(response["allowed"], true, "{response}");
    assert_eq!(response["patchType"], "JSONPatch");
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(response["patch"].as_str().unwrap())
        .unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&bytes).unwrap();
    let mut after = pod.clone();
    json_patch::patch(&mut after, &patch).unwrap();
    after
}

async fn injected(state: &AdmissionState) -> Value {
    let pod = plain_agent();
    let response = create(state, "/mutate-pod", &pod).await;
    patched(&pod, &response)
}

fn uid_of(pod: &Value) -> i64 {
    pod.pointer("/spec/initContainers/1/securityContext/runAsUser").unwrap().as_i64().unwrap()
}

/// Puts `value` at a JSON pointer, making what is missing; `UID` becomes the number `uid`.
fn put(pod: &mut Value, at: &str, value: &Value, uid: i64) {
    let value: Value =
        serde_json::from_str(&value.to_string().replace("\"UID\"", &uid.to_string())).unwrap();
    let mut here = pod;
    for token in at[1..].split('/') {
        let token = token.replace("~1", "/");
        if token == "-" {
            here.as_array_mut().unwrap().push(value);
            return;
        }
        here = match token.parse::<usize>() {
            Ok(index) => &mut here[index],
            Err(_) => &mut here[token],
        };
    }
    *here = value;
}

#[derive(Deserialize)]
struct Case {
    name: String,
    at: String,
    to: Value,
    field: Option<String>,
    says: Option<String>,
}

fn refused_with(response: &Value, says: &str, name: &str) {
    assert_eq!(response["allowed"], false, "{name}: {response}");
    assert_eq!(response["status"]["code"], 403, "{name}: {response}");
    assert_eq!(response["status"]["reason"], "Forbidden");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.contains(says), "{name}: {says:?} is not in: {message}");
    assert!(message.contains("Fix: "), "{name}: {message}");
    assert!(response.get("patch").is_none());
}

#[tokio::test]
async fn an_agent_is_injected_and_what_was_injected_is_valid() {
    let state = state(Cluster::default());
    let pod = injected(&state).await;
    let names: Vec<_> = pod["spec"]["initContainers"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names.iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["exeat-init", "exeat-proxy", "fetch"]);
    assert_eq!(pod["metadata"]["labels"]["exeat.dev/agent"], "true");
    assert_eq!(pod["metadata"]["annotations"]["exeat.dev/injected"], "v1");
    let uid = uid_of(&pod);
    assert!((1_000_000_000..=1_999_999_999).contains(&uid));
    assert_eq!(pod["spec"]["initContainers"][0]["env"][0]["value"], uid.to_string());
    let agent = &pod["spec"]["containers"][0];
    assert_eq!(agent["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(agent["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let env = agent["env"].as_array().unwrap();
    let value = |name: &str| env.iter().find(|e| e["name"] == name).unwrap()["value"].clone();
    assert_eq!(value("PIP_CERT"), "/own.pem");
    assert_eq!(value("SSL_CERT_FILE"), "/var/run/exeat/trust/bundle.crt");
    assert_eq!(value("DENO_CERT"), "/var/run/exeat/trust/ca.crt");
    let java = value("JAVA_TOOL_OPTIONS");
    assert!(java.as_str().unwrap().contains("=/var/run/exeat/trust/truststore.p12 "), "{java}");
    let response = create(&state, "/validate-pod", &pod).await;
    assert_eq!(response["allowed"], true, "{response}");
    assert_ne!(uid, uid_of(&injected(&state).await), "a uid is drawn per pod");
}

/// Programs that read no variable read one of these, by the image's distribution.
#[tokio::test]
async fn the_systems_bundle_is_the_pods_unless_the_author_says_otherwise() {
    let state = state(Cluster::default());
    let places = |pod: &Value, list: &str| -> Vec<String> {
        let mounts = pod["spec"][list].as_array().unwrap().last().unwrap()["volumeMounts"].clone();
        let ours = mounts.as_array().unwrap().iter().filter(|m| m["subPath"] == "bundle.crt");
        ours.map(|m| {
            assert_eq!((&m["name"], &m["readOnly"]), (&json!("exeat-trust"), &json!(true)));
            m["mountPath"].as_str().unwrap().to_owned()
        })
        .collect()
    };
    let pod = injected(&state).await;
    for list in ["containers", "initContainers"] {
        let found = places(&pod, list);
        for place in [
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/ssl/cert.pem",
            "/etc/pki/tls/certs/ca-bundle.crt",
            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
            "/etc/ssl/ca-bundle.pem",
            "/var/lib/ca-certificates/ca-bundle.pem",
        ] {
            assert!(found.iter().any(|p| p == place), "{place} is not in {found:?}");
        }
    }
    let mut left = plain_agent();
    put(&mut left, "/metadata/annotations/exeat.dev~1system-trust", &json!("Leave"), 0);
    let left = patched(&left, &create(&state, "/mutate-pod", &left).await);
    assert!(places(&left, "containers").is_empty());
    assert_eq!(create(&state, "/validate-pod", &left).await["allowed"], true);

    let mut covered = plain_agent();
    let mount = json!([{"name": "data", "mountPath": "/etc/ssl/certs"}]);
    put(&mut covered, "/spec/containers/0/volumeMounts", &mount, 0);
    let response = create(&state, "/mutate-pod", &covered).await;
    let warnings = response["warnings"].to_string();
    assert!(warnings.contains("spec.containers[0]: the mount at /etc/ssl/certs"), "{warnings}");
    assert!(places(&patched(&covered, &response), "containers").is_empty());
}

#[tokio::test]
async fn what_the_api_server_adds_is_no_meddling() {
    let state = state(Cluster::default());
    let mut pod = injected(&state).await;
    let token = json!({"name": "kube-api-access-x", "readOnly": true,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
    put(&mut pod, "/spec/initContainers/0/volumeMounts", &json!([token]), 0);
    put(&mut pod, "/spec/initContainers/1/volumeMounts/-", &token, 0);
    put(&mut pod, "/spec/initContainers/1/imagePullPolicy", &json!("Always"), 0);
    put(&mut pod, "/spec/initContainers/1/resources/limits", &json!({"memory": "1Gi"}), 0);
    let pinned = format!("localhost/exeat-proxy:dev@sha256:{}", "0".repeat(64));
    put(&mut pod, "/spec/initContainers/1/image", &json!(pinned), 0);
    // A replica that has not seen the newer certificate yet made this one.
    let older = "-----BEGIN CERTIFICATE-----\nb25l\n-----END CERTIFICATE-----\n";
    put(&mut pod, "/spec/initContainers/1/env/9/value", &json!(older), 0);
    let response = create(&state, "/validate-pod", &pod).await;
    assert_eq!(response["allowed"], true, "{response}");
}

#[tokio::test]
async fn pods_that_are_refused_before_and_after_injection() {
    let state = state(Cluster::default());
    for case in case_file::<Vec<Case>>(include_str!("admission/refused-pods.yaml")) {
        let mut pod = plain_agent();
        put(&mut pod, &case.at, &case.to, 0);
        let field = case.field.unwrap();
        let response = create(&state, "/mutate-pod", &pod).await;
        refused_with(&response, &field, &case.name);
        let causes = response["status"]["details"]["causes"].as_array().unwrap();
        assert!(causes.iter().any(|c| c["field"] == field.as_str()), "{}: {causes:?}", case.name);
        let response = create(&state, "/validate-pod", &pod).await;
        assert_eq!(response["allowed"], false, "{}: {response}", case.name);
    }
}

#[tokio::test]
async fn meddling_with_the_injected_pod_is_refused() {
    let state = state(Cluster::default());
    for case in case_file::<Vec<Case>>(include_str!("admission/meddled-pods.yaml")) {
        let mut pod = injected(&state).await;
        let uid = uid_of(&pod);
        put(&mut pod, &case.at, &case.to, uid);
        let response = create(&state, "/validate-pod", &pod).await;
        refused_with(&response, &case.says.unwrap(), &case.name);
    }
    let response = create(&state, "/validate-pod", &plain_agent()).await;
    refused_with(&response, "proxy is not in it", "mutation was skipped");
    let response = create(&state, "/mutate-pod", &injected(&state).await).await;
    refused_with(&response, "reserved", "the YAML of a running pod");
}

#[tokio::test]
async fn changes_of_a_running_agent() {
    let state = state(Cluster::default());
    for case in case_file::<Vec<Case>>(include_str!("admission/changes.yaml")) {
        let old = injected(&state).await;
        let mut new = old.clone();
        put(&mut new, &case.at, &case.to, uid_of(&old));
        let response = update(&state, "/validate-pod", "", &old, &new).await;
        match case.says {
            Some(says) => refused_with(&response, &says, &case.name),
            None => assert_eq!(response["allowed"], true, "{}: {response}", case.name),
        }
    }
}

#[tokio::test]
async fn a_pod_from_before_exeat_can_change_but_not_become_an_agent() {
    let state = state(Cluster::default());
    let old = plain_agent();
    let mut new = old.clone();
    put(&mut new, "/metadata/finalizers", &json!([]), 0);
    let response = update(&state, "/validate-pod", "", &old, &new).await;
    assert_eq!(response["allowed"], true, "{response}");
    put(&mut new, "/metadata/labels/exeat.dev~1agent", &json!("true"), 0);
    let response = update(&state, "/validate-pod", "", &old, &new).await;
    refused_with(&response, "decided when it is created", "label added later");
}

#[derive(Deserialize)]
struct Ephemeral {
    name: String,
    container: Value,
    says: Option<String>,
}

#[tokio::test]
async fn ephemeral_containers_are_hardened_or_refused() {
    let state = state(Cluster::default());
    let old = injected(&state).await;
    let part = "ephemeralcontainers";
    for case in case_file::<Vec<Ephemeral>>(include_str!("admission/ephemeral-containers.yaml")) {
        let mut new = old.clone();
        put(&mut new, "/spec/ephemeralContainers", &json!([case.container]), uid_of(&old));
        let response = update(&state, "/mutate-pod", part, &old, &new).await;
        let Some(says) = case.says else {
            let after = patched(&new, &response);
            let response = update(&state, "/validate-pod", part, &old, &after).await;
            assert_eq!(response["allowed"], true, "{}: {response}", case.name);
            let response = update(&state, "/validate-pod", part, &old, &new).await;
            refused_with(&response, "allowPrivilegeEscalation", "not hardened");
            continue;
        };
        refused_with(&response, &says, &case.name);
        let response = update(&state, "/validate-pod", part, &old, &new).await;
        refused_with(&response, &says, &case.name);
    }
    let mut new = plain_agent();
    put(&mut new, "/spec/ephemeralContainers", &json!([{"name": "d", "image": "x"}]), 0);
    let response = update(&state, "/mutate-pod", part, &plain_agent(), &new).await;
    refused_with(&response, "proxy is not in it", "an agent without a proxy");
}

#[tokio::test]
async fn an_agent_without_policy_is_told_what_was_looked_at() {
    let state = state(Cluster::default());
    let mut pod = plain_agent();
    put(&mut pod, "/metadata/labels/app", &json!("stranger"), 0);
    for path in ["/mutate-pod", "/validate-pod"] {
        let response = create(&state, path, &pod).await;
        for says in [
            "namespace \"agents\"",
            "exeat.dev/agents=all",
            "app=stranger",
            "\"research\" (selects app=research-agent)",
            "Baseline ClusterAgentPolicies: none",
            "kubectl apply -f -",
            "podSelector: {matchLabels: {app: \"stranger\"}}",
        ] {
            refused_with(&response, says, path);
        }
    }
    let bare = self::state(Cluster { bare: true, ..Cluster::default() });
    let response = create(&bare, "/mutate-pod", &plain_agent()).await;
    refused_with(&response, "AgentPolicies in \"agents\": none", "no policies at all");
}

#[tokio::test]
async fn memory_that_lags_behind_neither_refuses_nor_frees() {
    let fresh = state(Cluster { fresh_only: true, ..Cluster::default() });
    let response = create(&fresh, "/mutate-pod", &plain_agent()).await;
    assert!(response["patch"].is_string(), "{response}");
    let away = state(Cluster { fresh_only: true, away: true, ..Cluster::default() });
    let response = create(&away, "/mutate-pod", &plain_agent()).await;
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 503);
}

#[tokio::test]
async fn pods_that_are_no_agents_pass_untouched() {
    let state = state(Cluster::default());
    let mut request = on_pod("CREATE", &plain_agent());
    request["namespace"] = json!("mixed");
    for path in ["/mutate-pod", "/validate-pod"] {
        let response = ask(&state, path, request.clone()).await;
        assert_eq!(response, json!({"uid": "review-1", "allowed": true}));
    }
}

#[tokio::test]
async fn a_user_namespace_gets_a_uid_that_it_has() {
    let state = state(Cluster::default());
    let mut pod = plain_agent();
    put(&mut pod, "/spec/hostUsers", &json!(false), 0);
    put(&mut pod, "/spec/securityContext/runAsUser", &json!(1000), 0);
    let after = patched(&pod, &create(&state, "/mutate-pod", &pod).await);
    assert!((10_000..=65_533).contains(&uid_of(&after)));
    let response = create(&state, "/validate-pod", &after).await;
    assert_eq!(response["allowed"], true, "{response}");
}

#[tokio::test]
async fn nobody_enters_the_proxy() {
    let state = state(Cluster::default());
    for (part, kind) in [("exec", "PodExecOptions"), ("attach", "PodAttachOptions")] {
        for (pod, container, allowed) in [
            ("agent", json!("exeat-proxy"), false),
            ("agent", json!("exeat-init"), false),
            ("agent", json!("agent"), true),
            ("agent", Value::Null, true),
            ("other", json!("exeat-proxy"), true),
            ("unheard-of", json!("exeat-proxy"), false),
            ("agent", json!(7), false),
        ] {
            let request = json!({
                "kind": {"group": "", "version": "v1", "kind": kind}, "operation": "CONNECT",
                "subResource": part, "namespace": "agents", "name": pod,
                "object": {"kind": kind, "apiVersion": "v1", "container": container},
            });
            let response = ask(&state, "/validate-pod", request).await;
            assert_eq!(response["allowed"], allowed, "{part} {pod} {container}: {response}");
        }
    }
}

#[derive(Deserialize)]
struct Policy {
    name: String,
    kind: String,
    spec: Value,
    says: Option<String>,
}

#[tokio::test]
async fn policies_must_compile() {
    let state = state(Cluster::default());
    for case in case_file::<Vec<Policy>>(include_str!("admission/policies.yaml")) {
        let request = json!({
            "kind": {"group": "exeat.dev", "version": "v1alpha1", "kind": case.kind},
            "operation": "CREATE", "namespace": "agents", "name": "p",
            "object": {"apiVersion": "exeat.dev/v1alpha1", "kind": case.kind,
                       "metadata": {"name": "p"}, "spec": case.spec},
        });
        let response = ask(&state, "/validate-policy", request).await;
        match case.says {
            Some(says) => refused_with(&response, &says, &case.name),
            None => assert_eq!(response["allowed"], true, "{}: {response}", case.name),
        }
    }
}

#[tokio::test]
async fn workloads_are_warned_about_what_their_pods_will_be_refused_for() {
    let state = state(Cluster::default());
    let template = json!({"metadata": {"labels": {"app": "stranger"}}, "spec": {
        "hostNetwork": true, "containers": [{"name": "exeat-x", "image": "x"}]}});
    for (kind, spec, prefix) in [
        ("Deployment", json!({"template": template}), "spec.template."),
        ("StatefulSet", json!({"template": template}), "spec.template."),
        ("DaemonSet", json!({"template": template}), "spec.template."),
        ("Job", json!({"template": template}), "spec.template."),
        (
            "CronJob",
            json!({"jobTemplate": {"spec": {"template": template}}}),
            "spec.jobTemplate.spec.template.",
        ),
    ] {
        let request = |namespace: &str| {
            json!({"kind": {"group": "apps", "version": "v1", "kind": kind},
                "operation": "CREATE", "namespace": namespace, "name": "w", "object": {"spec": spec}})
        };
        let response = ask(&state, "/warn-workload", request("agents")).await;
        assert_eq!(response["allowed"], true, "{kind}");
        let warnings = response["warnings"].as_array().unwrap();
        for says in ["spec.hostNetwork", "metadata.labels", "spec.containers[0].name"] {
            let says = format!("{prefix}{says}");
            assert!(
                warnings.iter().any(|w| w.as_str().unwrap().contains(&says)),
                "{kind}: {says}: {warnings:?}"
            );
        }
        let response = ask(&state, "/warn-workload", request("mixed")).await;
        assert_eq!(response, json!({"uid": "review-1", "allowed": true}), "{kind}");
    }
}

#[tokio::test]
async fn whatever_comes_gets_an_answer_and_no_leave() {
    let state = state(Cluster::default());
    let bodies: Vec<String> =
        serde_json::from_str(include_str!("admission/malformed-bodies.json")).unwrap();
    for path in ["/mutate-pod", "/validate-pod", "/validate-policy", "/warn-workload"] {
        for body in &bodies {
            let (status, response) = post(&state, path, body.clone()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body}");
            assert_eq!(response["allowed"], false, "{path} {body}");
        }
        let (status, response) = post(&state, path, vec![b' '; (8 << 20) + 1]).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(response["allowed"], false);
        let mut request = on_pod("CREATE", &json!({"spec": "x"}));
        request["kind"]["kind"] = json!("Teapot");
        assert_eq!(ask(&state, path, request).await["allowed"], false, "{path}");
    }
    for broken in [
        json!({"metadata": {}, "spec": {"containers": "x"}}),
        json!({"metadata": {}, "spec": {"containers": [7]}}),
        json!({"metadata": {"labels": 7}, "spec": {"containers": []}}),
        json!({"metadata": {}}),
        Value::Null,
    ] {
        for path in ["/mutate-pod", "/validate-pod"] {
            let response = create(&state, path, &broken).await;
            assert_eq!(response["allowed"], false, "{path} {broken}");
            assert_eq!(response["status"]["code"], 400, "{path} {broken}");
        }
    }
    let text = String::from_utf8(state.metrics.encode().unwrap()).unwrap();
    let counted = r#"exeat_admission_requests_total{verdict="error",webhook="mutate-pod"} 17"#;
    assert!(text.contains(counted), "{text}");
}
