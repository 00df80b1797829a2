"""What must hold of the rendered chart, whatever the values. Each check names what it protects."""

import re
import sys
from pathlib import Path

import yaml

failures = []


def check(held, where, what):
    if not held:
        failures.append(f"{where}: {what}")


def load(path):
    objects = [o for o in yaml.safe_load_all(path.read_text()) if o]
    index = {}
    for o in objects:
        key = (o["kind"], o["metadata"]["name"])
        check(key not in index, path.name, f"{key} is there twice")
        index[key] = o
    return index


def pod_specs(objects):
    for (kind, name), o in objects.items():
        if kind == "Pod":
            yield f"{kind}/{name}", o["spec"]
        elif kind in ("Deployment", "StatefulSet", "Job"):
            yield f"{kind}/{name}", o["spec"]["template"]["spec"]


def restricted(where, spec):
    """The Pod Security Standard `restricted`, and a read-only root."""
    pod = spec.get("securityContext", {})
    check(pod.get("runAsNonRoot") is True, where, "runAsNonRoot")
    check(pod.get("seccompProfile", {}).get("type") == "RuntimeDefault", where, "seccomp")
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        check(not spec.get(key), where, key)
    for volume in spec.get("volumes", []):
        check("hostPath" not in volume, where, "hostPath volume")
    for c in spec["containers"]:
        context = c.get("securityContext", {})
        check(context.get("allowPrivilegeEscalation") is False, where, "privilege escalation")
        check(context.get("readOnlyRootFilesystem") is True, where, "read-only root")
        check(context.get("capabilities") == {"drop": ["ALL"]}, where, "capabilities")
        check("limits" in c.get("resources", {}), where, "resource limits")


def webhooks(where, objects):
    mutating = objects[("MutatingWebhookConfiguration", "exeat")]["webhooks"]
    validating = objects[("ValidatingWebhookConfiguration", "exeat")]["webhooks"]
    for hook in mutating + validating:
        name = f"{where}: {hook['name']}"
        client = hook["clientConfig"]
        check("caBundle" not in client, name, "caBundle belongs to the controller")
        check(client["service"]["name"] == "exeat-admission", name, "service")
        check(hook["sideEffects"] == "None", name, "sideEffects")
        warns = hook["name"].startswith("workloads.")
        check(hook["failurePolicy"] == ("Ignore" if warns else "Fail"), name, "failurePolicy")
        if hook["name"].startswith("policies."):
            continue
        excluded = [
            e["values"]
            for e in hook["namespaceSelector"]["matchExpressions"]
            if e["key"] == "kubernetes.io/metadata.name" and e["operator"] == "NotIn"
        ]
        check(excluded and "exeat-system" in excluded[0], name, "release namespace excluded")
        check(excluded and "kube-system" in excluded[0], name, "kube-system excluded")
    for hooks in (mutating, validating):
        # Disjoint selections: namespaces with the label, labelled pods of all other namespaces.
        by = {h["name"].split(".")[0]: h for h in hooks}
        operators = {
            n: [e["operator"] for e in by[n]["namespaceSelector"]["matchExpressions"] if e["key"] == "exeat.dev/agents"]
            for n in ("namespaces", "labelled")
        }
        check(operators == {"namespaces": ["Exists"], "labelled": ["DoesNotExist"]}, where, "disjoint")
        check("objectSelector" not in by["namespaces"], where, "a whole namespace needs no label")
        check(by["labelled"]["objectSelector"]["matchExpressions"][0]["key"] == "exeat.dev/agent", where, "label")


def rbac(where, objects):
    for (kind, name), o in objects.items():
        if kind not in ("ClusterRole", "Role"):
            continue
        for rule in o["rules"]:
            at = f"{where}: {kind}/{name}"
            for key in ("apiGroups", "resources", "verbs"):
                check("*" not in rule[key], at, f"wildcard in {key}")
            # Values let it read those of some namespaces.
            free = name == "exeat-all-credentials"
            for secret in set() if free else set(rule["resources"]) & {"secrets", "leases"}:
                named = "resourceNames" in rule or rule["verbs"] == ["create"]
                check(named, at, f"{secret} without a name")
            if "admissionregistration.k8s.io" in rule["apiGroups"]:
                check("resourceNames" in rule, at, "configurations without a name")
            if "serviceaccounts/token" in rule["resources"]:
                check(rule.get("resourceNames") == ["exeat-auditor"], at, "tokens of any account")
            forbidden = {"pods/exec", "clusterroles", "clusterrolebindings"}
            check(not forbidden & set(rule["resources"]), at, "more than least privilege")
    for o in (o for (kind, _), o in objects.items() if kind in ("ClusterRoleBinding", "RoleBinding")):
        role = (o["roleRef"]["kind"], o["roleRef"]["name"])
        check(role in objects, where, f"{role} is bound but not there")
        for subject in o["subjects"]:
            check(("ServiceAccount", subject["name"]) in objects, where, f"{subject['name']} is bound but not there")


def cleanup_is_whole(where, objects):
    """The hook may delete everything of ours that can refuse an object."""
    named = set()
    for rule in objects[("ClusterRole", "exeat-cleanup")]["rules"]:
        named |= {(r, n) for r in rule["resources"] for n in rule["resourceNames"]}
    plural = {
        "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
        "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
        "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
        "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    }
    for kind, name in objects:
        if kind in plural:
            check((plural[kind], name) in named, where, f"uninstall would leave {kind}/{name}")


def wiring(where, objects):
    """Services select pods that exist and ports that they have."""
    templates = [
        (o["spec"]["template"]["metadata"]["labels"], o["spec"]["template"]["spec"])
        for (kind, _), o in objects.items()
        if kind in ("Deployment", "StatefulSet")
    ]
    for (kind, name), o in objects.items():
        if kind != "Service":
            continue
        selected = [s for labels, s in templates if o["spec"]["selector"].items() <= labels.items()]
        check(len(selected) == (2 if name == "exeat-metrics" else 1), where, f"Service/{name} selects {len(selected)}")
        for spec in selected:
            ports = {p["name"] for c in spec["containers"] for p in c["ports"]}
            check({p["targetPort"] for p in o["spec"]["ports"]} <= ports, where, f"Service/{name} ports")
    for spec in (s for _, s in templates):
        check(("ServiceAccount", spec["serviceAccountName"]) in objects, where, "service account")
        volumes = {v["name"] for v in spec.get("volumes", [])}
        claims = {"audit"}
        for c in spec["containers"]:
            for mount in c.get("volumeMounts", []):
                check(mount["name"] in volumes | claims, where, f"volume {mount['name']}")


def backstop(where, objects):
    policies = {n for k, n in objects if k == "ValidatingAdmissionPolicy"}
    bindings = {o["spec"]["policyName"] for (k, _), o in objects.items() if k == "ValidatingAdmissionPolicyBinding"}
    check(policies == bindings, where, f"policies {policies} and bindings {bindings}")
    for (kind, name), o in objects.items():
        if kind == "ValidatingAdmissionPolicy":
            check(o["spec"]["failurePolicy"] == "Fail", where, f"{name} failurePolicy")
            for v in o["spec"]["validations"]:
                check(v.get("message"), where, f"{name}: a validation without a message")
    if policies:
        pods = str(objects[("ValidatingAdmissionPolicy", "exeat-agent-pods")])
        images = [
            e["value"]
            for c in objects[("Deployment", "exeat-control")]["spec"]["template"]["spec"]["containers"]
            for e in c["env"]
            if e["name"] == "EXEAT_PROXY_IMAGE"
        ]
        check(f"'{images[0]}'" in pods, where, "the backstop names another proxy image than admission injects")


def crds(where, objects):
    for (kind, name), o in objects.items():
        if kind == "CustomResourceDefinition":
            annotations = o["metadata"].get("annotations", {})
            check(annotations.get("helm.sh/resource-policy") == "keep", where, f"{name} would be deleted with its policies")


def expect(rendered):
    """What single values do."""
    full, off, minimal = (rendered[n] for n in ("full.yaml", "off.yaml", "minimal.yaml"))
    env = {
        e["name"]: e.get("value")
        for e in full[("Deployment", "exeat-control")]["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    wanted = {
        "EXEAT_PROXY_IMAGE": "registry.example.com/exeat-proxy:v9",
        "EXEAT_DNS_SERVERS": "10.96.0.10,fd00::a",
        "EXEAT_METRICS_FROM": "monitoring",
        "EXEAT_EXCLUDED_CIDRS": "198.51.100.0/24",
        "EXEAT_PROXY_RESOURCES_CPU_LIMIT": "1",
        "EXEAT_ADDITIONAL_ROOTS": "/etc/exeat/additional-roots/roots.pem",
        "EXEAT_ROLES": "admission,reconcile,publish",
    }
    for name, value in wanted.items():
        check(env.get(name) == value, "full.yaml", f"{name} is {env.get(name)}")
    image = full[("StatefulSet", "exeat-collect")]["spec"]["template"]["spec"]["containers"][0]["image"]
    check(re.search(r"@sha256:[0-9a-f]{64}$", image), "full.yaml", f"digest in {image}")
    for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule"):
        check(any(k == kind for k, _ in full), "full.yaml", f"{kind} is missing")
        check(not any(k == kind for k, _ in rendered["default.yaml"]), "default.yaml", f"{kind} unasked")
    rules = full[("PrometheusRule", "exeat")]["spec"]["groups"]
    check(sum(len(g["rules"]) for g in rules) > 10, "full.yaml", "rules")
    for kind in ("CustomResourceDefinition", "NetworkPolicy", "ValidatingAdmissionPolicy", "PodDisruptionBudget"):
        check(not any(k == kind for k, _ in off), "off.yaml", f"{kind} unasked")
    check(not any(k == "PodDisruptionBudget" for k, _ in minimal), "minimal.yaml", "a budget that blocks drains")
    default = rendered["default.yaml"]
    check(any(k == "CustomResourceDefinition" for k, _ in default), "default.yaml", "CRDs are missing")
    # Rights over our kinds name kinds that exist; `auditrecords` is asked about and never stored.
    kinds = {o["spec"]["names"]["plural"] for (kind, _), o in default.items() if kind == "CustomResourceDefinition"}
    for (kind, name), o in default.items():
        for rule in o["rules"] if kind == "ClusterRole" else ():
            for resource in rule["resources"] if rule["apiGroups"] == ["exeat.dev"] else ():
                known = resource.split("/")[0] in kinds or resource == "auditrecords"
                check(known, "default.yaml", f"ClusterRole/{name}: no kind {resource}")
    # Secrets are read where values or people say so, and nowhere by default.
    for name, objects in rendered.items():
        roles = {w for w, o in objects.items() if w[0] == "Role" and w[1] == "exeat-all-credentials"}
        check(bool(roles) == (name == "full.yaml"), name, "Roles over Secrets")
        for where, o in objects.items():
            cluster = where[0] == "ClusterRole" and any("secrets" in r.get("resources", []) for r in o["rules"])
            check(not cluster, name, f"{where} reads Secrets of the whole cluster")
    check("volumeClaimTemplates" in default[("StatefulSet", "exeat-collect")]["spec"], "default.yaml", "no volume")
    check("volumeClaimTemplates" not in minimal[("StatefulSet", "exeat-collect")]["spec"], "minimal.yaml", "volume")


def main(directory):
    rendered = {p.name: load(p) for p in sorted(Path(directory).glob("*.yaml"))}
    assert len(rendered) >= 4, rendered.keys()
    for name, objects in rendered.items():
        for where, spec in pod_specs(objects):
            restricted(f"{name}: {where}", spec)
        for rule in (webhooks, rbac, cleanup_is_whole, wiring, backstop, crds):
            rule(name, objects)
    expect(rendered)
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
