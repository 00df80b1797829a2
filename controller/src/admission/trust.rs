//! What lets an agent's clients trust the authority of its pod: a mount with the authority and the
//! bundle, variables that name them, and the bundle over the places where images keep their own.
//!
//! Programs that read no variable (wget and git with GnuTLS, PHP's streams, Go under a cleared
//! environment) read one of those places. Which of them an image has, nobody knows before it runs;
//! a file that was not there is made by the runtime, and holds the same certificates.

use super::path;
use super::pod::{ContainerList, ContainerView, PodView};
use super::refusal::Refusal;
use super::settings::SystemTrust;
use exeat_api::labels::SYSTEM_TRUST_ANNOTATION;
use exeat_api::pod::{
    BUNDLE_FILE, CA_FILE, SYSTEM_BUNDLES, TRUST_PATH, TRUST_STORE_FILE, TRUST_STORE_PASSWORD,
    TRUST_VOLUME,
};
use serde_json::{Map, Value, json};

/// Variables by which clients find the bundle of roots that holds the pod's own CA. Homebrew has
/// none: it clears its environment, and its curl and git read the system's bundle.
const BUNDLE_VARIABLES: [&str; 16] = [
    // OpenSSL, and with it Ruby, PHP and Perl; .NET; Go; rustls.
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "COMPOSER_CAFILE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "HEX_CACERTS_PATH",
    "HTTPLIB2_CA_CERTS",
    // Perl's LWP, with IO::Socket::SSL and with Crypt::SSLeay.
    "PERL_LWP_SSL_CA_FILE",
    "HTTPS_CA_FILE",
    "NIX_SSL_CERT_FILE",
    "BUNDLE_SSL_CA_CERT",
];
/// Variables that add one certificate to a client's own roots.
const EXTRA_VARIABLES: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

/// A JVM reads no bundle of PEM. It says on its standard error that it read this variable.
const JAVA_VARIABLE: &str = "JAVA_TOOL_OPTIONS";

/// Clients in a pod call the API server by this variable, which the kubelet sets to an address that no
/// rule names. Rules and certificates name the Service.
const API_SERVER_VARIABLE: (&str, &str) = ("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc");

/// Directories that a link in some image leads to from one of [`SYSTEM_BUNDLES`].
const LINKED: [&str; 2] =
    ["/var/lib/ca-certificates/pem", "/etc/pki/ca-trust/extracted/pem/directory-hash"];

/// What the pod asks for, or else the installation.
///
/// # Errors
/// When the annotation has a value that there is not.
pub(super) fn asked(pod: &PodView<'_>, default: SystemTrust) -> Result<SystemTrust, Refusal> {
    let annotations = pod.annotations();
    let Some(value) = annotations.get(SYSTEM_TRUST_ANNOTATION) else { return Ok(default) };
    SystemTrust::ALL.into_iter().find(|known| known.as_str() == value).ok_or_else(|| {
        Refusal::new(
            format!("{}metadata.annotations[{SYSTEM_TRUST_ANNOTATION}]", pod.prefix),
            format!("{value:?} is neither Replace nor Leave"),
            "write Replace to have the pod's bundle mounted over the image's own, Leave to keep the \
             image's, or remove the annotation",
        )
    })
}

/// Lets a container of the agent's trust the proxy. A variable that the author set stays.
pub(super) fn apply(container: &mut Map<String, Value>, place: ContainerList, system: SystemTrust) {
    let over = system == SystemTrust::Replace && place != ContainerList::Ephemeral && {
        let mounts = container.get("volumeMounts").and_then(Value::as_array);
        covered_by(mounts.map(Vec::as_slice).unwrap_or_default()).is_none()
    };
    let mounts = array(container, "volumeMounts");
    if !mounts.iter().any(|m| m["name"] == TRUST_VOLUME) {
        mounts.push(trust_mount());
        if over {
            mounts.extend(SYSTEM_BUNDLES.map(system_mount));
        }
    }
    let env = array(container, "env");
    let bundle = BUNDLE_VARIABLES.map(|name| (name, BUNDLE_FILE));
    let extra = EXTRA_VARIABLES.map(|name| (name, CA_FILE));
    let files = bundle.into_iter().chain(extra);
    let java = format!(
        "-Djavax.net.ssl.trustStore={TRUST_PATH}/{TRUST_STORE_FILE} \
         -Djavax.net.ssl.trustStoreType=PKCS12 \
         -Djavax.net.ssl.trustStorePassword={TRUST_STORE_PASSWORD}"
    );
    let values = files
        .map(|(name, file)| (name, format!("{TRUST_PATH}/{file}")))
        .chain([(JAVA_VARIABLE, java)])
        .chain([(API_SERVER_VARIABLE.0, API_SERVER_VARIABLE.1.to_owned())]);
    for (name, value) in values {
        if !env.iter().any(|e| e["name"] == name) {
            env.push(json!({"name": name, "value": value}));
        }
    }
}

/// Whether the mounts of the trust volume are those that [`apply`] makes: the volume itself once,
/// and its bundle at places of the system's.
pub(super) fn check(c: &ContainerView<'_>, fix: &str) -> Option<Refusal> {
    let mounts = c.raw["volumeMounts"].as_array();
    let ours: Vec<&Value> =
        mounts.into_iter().flatten().filter(|m| m["name"] == TRUST_VOLUME).collect();
    let (whole, rest): (Vec<&Value>, Vec<&Value>) =
        ours.into_iter().partition(|m| m.get("subPath").is_none());
    let system = SYSTEM_BUNDLES.map(system_mount);
    if whole == [&trust_mount()] && rest.iter().all(|mount| system.contains(mount)) {
        return None;
    }
    let problem = format!(
        "must mount {TRUST_VOLUME} once, read-only, at {TRUST_PATH}, and may mount its {BUNDLE_FILE} \
         at {} only",
        SYSTEM_BUNDLES.join(", ")
    );
    Some(Refusal::new(format!("{}.volumeMounts", c.field), problem, fix))
}

/// Containers whose own mounts keep the bundle from where it would be mounted, in words.
pub(super) fn warnings(pod: &PodView<'_>, system: SystemTrust) -> Vec<String> {
    let of = |c: &ContainerView<'_>| {
        let mounts = c.raw["volumeMounts"].as_array();
        let path = covered_by(mounts.map(Vec::as_slice).unwrap_or_default())?.to_owned();
        Some(format!(
            "{}: the mount at {path} covers a place where images keep the system's certificates, so \
             all such places stay as they are; programs that read no variable will not trust the \
             proxy unless what is mounted holds {TRUST_PATH}/{CA_FILE}",
            c.field
        ))
    };
    match system {
        SystemTrust::Replace => pod.containers().iter().filter_map(of).collect(),
        SystemTrust::Leave => Vec::new(),
    }
}

/// The first of these mounts that lies over a place of the system's, or over a directory that an
/// image's links could lead to from one: a mount within it would write into the author's volume, or
/// fail where that is read-only. Images link these places to one another, so one covers all.
fn covered_by(mounts: &[Value]) -> Option<&str> {
    let places = || SYSTEM_BUNDLES.iter().chain(&LINKED).map(|place| path::normal(place));
    let covers = |mount: &&str| {
        let mount = path::normal(mount);
        places().any(|place| place.starts_with(&mount))
    };
    let others = mounts.iter().filter(|m| m["name"] != TRUST_VOLUME);
    others.filter_map(|m| m["mountPath"].as_str()).find(covers)
}

/// The one mount of ours that every agent container has.
fn trust_mount() -> Value {
    json!({"name": TRUST_VOLUME, "mountPath": TRUST_PATH, "readOnly": true})
}

fn system_mount(place: &str) -> Value {
    json!({"name": TRUST_VOLUME, "mountPath": place, "subPath": BUNDLE_FILE, "readOnly": true})
}

/// The array at a key, made when absent.
pub(super) fn array<'a>(parent: &'a mut Map<String, Value>, key: &str) -> &'a mut Vec<Value> {
    let entry = parent.entry(key).or_insert_with(|| json!([]));
    if !entry.is_array() {
        *entry = json!([]);
    }
    match entry {
        Value::Array(list) => list,
        _ => unreachable!("made an array just above"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn places(container: &Map<String, Value>) -> Vec<&str> {
        let mounts = container["volumeMounts"].as_array().unwrap();
        let system = mounts.iter().filter(|m| m["subPath"] == BUNDLE_FILE);
        system.filter_map(|m| m["mountPath"].as_str()).collect()
    }

    #[test]
    fn the_bundle_is_over_every_place_where_images_keep_theirs() {
        let mut plain = container(json!({"name": "a"}));
        apply(&mut plain, ContainerList::Main, SystemTrust::Replace);
        assert_eq!(places(&plain), SYSTEM_BUNDLES);
        let mut left = container(json!({"name": "a"}));
        apply(&mut left, ContainerList::Main, SystemTrust::Leave);
        assert!(places(&left).is_empty());
        // The API server refuses a subPath in an ephemeral container.
        let mut ephemeral = container(json!({"name": "a"}));
        apply(&mut ephemeral, ContainerList::Ephemeral, SystemTrust::Replace);
        assert!(places(&ephemeral).is_empty());
        assert_eq!(ephemeral["volumeMounts"], json!([trust_mount()]));
    }

    #[test]
    fn a_mount_of_the_authors_keeps_its_place_and_those_that_link_to_it() {
        for (path, covers) in [
            ("/etc/ssl/certs", true),
            ("/etc//ssl/certs/", true),
            ("/etc/ssl/certs/ca-certificates.crt", true),
            ("/etc/pki/ca-trust/extracted/pem/directory-hash", true),
            ("/etc", true),
            ("/var/lib", true),
            ("/etc/ssl/certs/mine.pem", false),
            ("/etc/ssl/private", false),
            ("/etc/ssl/cert", false),
            ("/data", false),
        ] {
            let mount = json!({"name": "own", "mountPath": path});
            let mut own = container(json!({"name": "a", "volumeMounts": [mount]}));
            apply(&mut own, ContainerList::Main, SystemTrust::Replace);
            assert_eq!(places(&own).is_empty(), covers, "{path}");
        }
    }

    #[test]
    fn variables_are_set_where_the_author_has_not() {
        let own = json!({"name": "HTTPLIB2_CA_CERTS", "value": "/own.pem"});
        let mut one = container(json!({"name": "a", "env": [own]}));
        apply(&mut one, ContainerList::Init, SystemTrust::Leave);
        let env = one["env"].as_array().unwrap();
        let value = |name: &str| {
            let all: Vec<_> = env.iter().filter(|e| e["name"] == name).collect();
            assert_eq!(all.len(), 1, "{name}");
            all[0]["value"].clone()
        };
        for name in BUNDLE_VARIABLES {
            let expected = match name {
                "HTTPLIB2_CA_CERTS" => "/own.pem",
                _ => "/var/run/exeat/trust/bundle.crt",
            };
            assert_eq!(value(name), expected, "{name}");
        }
        assert_eq!(value("NODE_EXTRA_CA_CERTS"), "/var/run/exeat/trust/ca.crt");
        assert_eq!(value("KUBERNETES_SERVICE_HOST"), "kubernetes.default.svc");
    }
}
