//! What admission puts into an agent pod and the proxy finds there: containers, volumes, files.

/// Containers and volumes that begin so are Exeat's; nothing else in an agent pod may.
pub const RESERVED_PREFIX: &str = "exeat-";

/// Whether a container or volume name belongs to Exeat.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED_PREFIX)
}

/// The first init container: writes the capture rules and ends.
pub const INIT_CONTAINER: &str = "exeat-init";
/// What its binary is told to do.
pub const INIT_COMMAND: &str = "init";
/// The second init container, a sidecar: the proxy.
pub const PROXY_CONTAINER: &str = "exeat-proxy";
/// What its binary is told to do.
pub const PROXY_COMMAND: &str = "run";

/// Read by the agent's containers, written by the proxy: the pod's certificate authority.
pub const TRUST_VOLUME: &str = "exeat-trust";
pub const TRUST_PATH: &str = "/var/run/exeat/trust";
/// The certificate of the authority, PEM.
pub const CA_FILE: &str = "ca.crt";
/// The roots of the proxy's image, additional ones, and the authority, PEM.
pub const BUNDLE_FILE: &str = "bundle.crt";
/// The same certificates as the bundle, in PKCS #12, for Java.
pub const TRUST_STORE_FILE: &str = "truststore.p12";
/// Every reader knows it: the store holds certificates, no key.
pub const TRUST_STORE_PASSWORD: &str = "changeit";

/// The directory in the trust volume that holds a file for each placeholder: `SECRET/KEY`.
pub const PLACEHOLDERS_DIR: &str = "placeholders";

/// Where images keep the roots that programs read by themselves: Debian, Ubuntu and Arch, and OpenSSL
/// on Debian; Alpine, and OpenSSL where its directory is `/etc/ssl`; Red Hat and Amazon, and OpenSSL
/// there; SUSE.
pub const SYSTEM_BUNDLES: [&str; 8] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/usr/lib/ssl/cert.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
];

/// The proxy's alone: keys and the last snapshot.
pub const KEYS_VOLUME: &str = "exeat-keys";
pub const KEYS_PATH: &str = "/var/run/exeat/keys";

/// The proxy's alone: the audit spool.
pub const SPOOL_VOLUME: &str = "exeat-spool";
pub const SPOOL_PATH: &str = "/var/lib/exeat/spool";
/// The volume's size, as a Kubernetes quantity. A pod that exceeds it is evicted.
pub const SPOOL_VOLUME_SIZE: &str = "1Gi";
/// Bytes that the proxy keeps before it counts the spool as full; below the volume's size.
pub const SPOOL_BYTES: u64 = 900 << 20;

/// The proxy's alone: the token that names this pod to the control API.
pub const IDENTITY_VOLUME: &str = "exeat-identity";
pub const IDENTITY_PATH: &str = "/var/run/exeat/identity";
/// The token's file in that volume, and where the proxy reads it.
pub const TOKEN_FILE: &str = "token";
pub const TOKEN_PATH: &str = "/var/run/exeat/identity/token";
/// The certificates that the cluster's API server chains to, beside it; PEM.
pub const API_SERVER_CA_FILE: &str = "kube-ca.crt";
pub const API_SERVER_CA_PATH: &str = "/var/run/exeat/identity/kube-ca.crt";
/// The ConfigMap, in every namespace, that has them (KEP-1205), and its key.
pub const API_SERVER_CA_CONFIG_MAP: &str = "kube-root-ca.crt";
pub const API_SERVER_CA_KEY: &str = "ca.crt";

/// Directories into which agent containers may mount nothing of their own.
pub const RESERVED_PATHS: [&str; 3] = ["/var/run/exeat", "/run/exeat", "/var/lib/exeat"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_proxy_is_reserved() {
        assert_eq!(TOKEN_PATH, format!("{IDENTITY_PATH}/{TOKEN_FILE}"));
        assert_eq!(API_SERVER_CA_PATH, format!("{IDENTITY_PATH}/{API_SERVER_CA_FILE}"));
        for path in [TRUST_PATH, KEYS_PATH, SPOOL_PATH, IDENTITY_PATH] {
            let inside = |parent: &&str| path.starts_with(&format!("{parent}/"));
            assert!(RESERVED_PATHS.iter().any(inside), "{path}");
        }
    }

    #[test]
    fn every_name_of_ours_is_reserved() {
        let ours = [INIT_CONTAINER, PROXY_CONTAINER, TRUST_VOLUME, KEYS_VOLUME, SPOOL_VOLUME];
        assert!(ours.into_iter().chain([IDENTITY_VOLUME]).all(is_reserved));
        assert!(!is_reserved("exeat") && !is_reserved("my-exeat-proxy"));
    }
}
