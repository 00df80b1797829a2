//! What may change of a running agent pod: nothing that would free it.

use anyhow::bail;
use exeat_api::pod::{IDENTITY_VOLUME, INIT_CONTAINER, KEYS_VOLUME, PROXY_CONTAINER};
use exeat_e2e::Case;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

const YAML: &str = include_str!("changed_later.yaml");

fn dry() -> PatchParams {
    PatchParams { dry_run: true, ..PatchParams::default() }
}

/// Fails unless the API server refuses with a message that has the text.
fn refused<T>(what: &str, answer: kube::Result<T>, mention: &str) -> anyhow::Result<()> {
    let Err(error) = answer else { bail!("{what} was allowed") };
    let said = error.to_string();
    anyhow::ensure!(said.contains(mention), "{what}: no mention of {mention:?}: {said}");
    Ok(())
}

async fn patched(pods: &Api<Pod>, patch: Value) -> kube::Result<Pod> {
    pods.patch("agent", &dry(), &Patch::Strategic(patch)).await
}

#[tokio::test]
async fn admit_label_removed_later_is_refused() -> anyhow::Result<()> {
    // A pod that is an agent by its own label alone.
    let body = async |case: &Case| {
        let pods = case.pods();
        let none = json!({"metadata": {"labels": {"exeat.dev/agent": null}}});
        refused("removal", patched(&pods, none.clone()).await, "exeat.dev")?;
        let not = json!({"metadata": {"labels": {"exeat.dev/agent": "false"}}});
        refused("another value", patched(&pods, not).await, "exeat.dev")?;
        let status = pods.patch_status("agent", &dry(), &Patch::Strategic(none)).await;
        refused("removal through the status", status, "exeat.dev/agent")?;
        let mark = json!({"metadata": {"annotations": {"exeat.dev/injected": null}}});
        refused("the annotation's removal", patched(&pods, mark).await, "exeat.dev")
    };
    Case::run(YAML, body).await?;
    Case::run_labelled(&[], YAML, body).await
}

#[tokio::test]
async fn admit_label_that_changes_policies_is_refused() -> anyhow::Result<()> {
    Case::run(YAML, async |case| {
        let pods = case.pods();
        let wider = json!({"metadata": {"labels": {"app": "wide"}}});
        refused("a wider policy", patched(&pods, wider.clone()).await, "other policies")?;
        let status = pods.patch_status("agent", &dry(), &Patch::Strategic(wider)).await;
        refused("a wider policy through the status", status, "labels of an agent pod")?;
        let lost = json!({"metadata": {"labels": {"app": null}}});
        refused("no policy", patched(&pods, lost).await, "other policies")?;
        patched(&pods, json!({"metadata": {"labels": {"colour": "blue"}}})).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn admit_image_patches_are_refused() -> anyhow::Result<()> {
    Case::run(YAML, async |case| {
        let pods = case.pods();
        let other = "localhost/exeat-agent:other";
        let image =
            |list: &str, name: &str| json!({"spec": {list: [{"name": name, "image": other}]}});
        // Webhook and backstop say it in their own words; either may be first.
        let ours = "stays ";
        refused("the proxy", patched(&pods, image("initContainers", PROXY_CONTAINER)).await, ours)?;
        refused("the init", patched(&pods, image("initContainers", INIT_CONTAINER)).await, ours)?;
        let user = "could name the uid";
        refused("the agent", patched(&pods, image("containers", "agent")).await, user)?;
        patched(&pods, image("containers", "somebody")).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn admit_nobody_enters_the_proxy() -> anyhow::Result<()> {
    Case::run(YAML, async |case| {
        for part in ["exec", "attach"] {
            for container in [PROXY_CONTAINER, INIT_CONTAINER] {
                let path = format!(
                    "/api/v1/namespaces/{}/pods/agent/{part}?container={container}&command=id&stdout=true",
                    case.namespace
                );
                let request = http::Request::post(path).body(Vec::new())?;
                let answer = case.client().request_text(request).await;
                // Without this word it could be the missing upgrade that is complained of.
                refused(&format!("{part} of {container}"), answer, "denied")?;
            }
        }
        let pod = case.agent("agent").await?;
        let entered = pod.exec(PROXY_CONTAINER, &["/exeat-proxy", "--help"]).await;
        anyhow::ensure!(entered.is_err(), "the proxy was entered: {entered:?}");
        pod.sh("true").await?.expect_success()?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn admit_ephemeral_containers_are_held_too() -> anyhow::Result<()> {
    Case::run(YAML, async |case| {
        let pods = case.pods();
        let pod = pods.get("agent").await?;
        let uid = pod.spec.iter().flat_map(|s| s.init_containers.iter().flatten()).find_map(|c| {
            (c.name == PROXY_CONTAINER).then(|| c.security_context.as_ref()?.run_as_user).flatten()
        });
        let Some(uid) = uid else { bail!("the proxy has no uid") };
        let debug = |name: &str, extra: Value| {
            let mut one = json!({"name": name, "image": "localhost/exeat-agent:dev", "command": ["sleep", "60"]});
            if let (Some(one), Some(extra)) = (one.as_object_mut(), extra.as_object()) {
                one.extend(extra.clone());
            }
            Patch::Strategic(json!({"spec": {"ephemeralContainers": [one]}}))
        };
        let user = |uid: i64| json!({"securityContext": {"runAsUser": uid}});
        for (what, name, extra, mention) in [
            ("the proxy's uid", "debug", user(uid), "runAsUser"),
            ("no uid at all", "debug", json!({}), "runAsUser"),
            ("a reserved name", "exeat-debug", user(0), "reserved"),
            ("privileged", "debug", json!({"securityContext": {"runAsUser": 0, "privileged": true}}), "privileged"),
            ("NET_ADMIN", "debug", json!({"securityContext": {"runAsUser": 0, "capabilities": {"add": ["NET_ADMIN"]}}}), "NET_ADMIN"),
            ("SYS_PTRACE, as kubectl debug asks", "debug", json!({"securityContext": {"runAsUser": 0, "capabilities": {"add": ["SYS_PTRACE"]}}}), "SYS_PTRACE"),
            ("the proxy's processes", "debug", json!({"targetContainerName": PROXY_CONTAINER, "securityContext": {"runAsUser": 0}}), PROXY_CONTAINER),
            ("the proxy's keys", "debug", json!({"securityContext": {"runAsUser": 0}, "volumeMounts": [{"name": KEYS_VOLUME, "mountPath": "/k"}]}), KEYS_VOLUME),
            ("the proxy's token", "debug", json!({"securityContext": {"runAsUser": 0}, "volumeMounts": [{"name": IDENTITY_VOLUME, "mountPath": "/k"}]}), IDENTITY_VOLUME),
        ] {
            let answer = pods.patch_ephemeral_containers("agent", &dry(), &debug(name, extra)).await;
            refused(what, answer, mention)?;
        }
        let params = PatchParams::default();
        let after = pods.patch_ephemeral_containers("agent", &params, &debug("debug", user(0))).await?;
        let found = after.spec.and_then(|s| s.ephemeral_containers).unwrap_or_default();
        let security = found.iter().find(|c| c.name == "debug").and_then(|c| c.security_context.clone());
        let security = security.unwrap_or_default();
        let dropped = security.capabilities.unwrap_or_default().drop.unwrap_or_default();
        anyhow::ensure!(security.allow_privilege_escalation == Some(false), "it may escalate");
        for name in ["SETUID", "NET_RAW", "SYS_PTRACE"] {
            anyhow::ensure!(dropped.iter().any(|d| d == name), "{name} is kept: {dropped:?}");
        }
        Ok(())
    })
    .await
}

/// The tokens by which a proxy proves whose it is are for kubelets alone.
#[tokio::test]
async fn admit_tokens_of_proxies_are_refused() -> anyhow::Result<()> {
    use k8s_openapi::api::authentication::v1::TokenRequest;
    use k8s_openapi::api::core::v1::ServiceAccount;
    Case::run("", async |case| {
        let accounts: Api<ServiceAccount> = Api::namespaced(case.client(), &case.namespace);
        let token = async |audiences: &[&str]| {
            let wanted: TokenRequest =
                serde_json::from_value(json!({"spec": {"audiences": audiences}}))?;
            Ok::<_, anyhow::Error>(
                accounts.create_token_request("default", &PostParams::default(), &wanted).await,
            )
        };
        refused("a proxy's token", token(&["exeat.dev"]).await?, "only a kubelet")?;
        refused("one among others", token(&["a", "exeat.dev"]).await?, "only a kubelet")?;
        token(&["exeat.dev/audit"]).await??;
        token(&["somebody"]).await??;
        Ok(())
    })
    .await
}
