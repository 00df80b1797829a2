//! squid with ssl-bump, which makes leaves with a helper process and keeps them.

use super::{Setting, command, unpacked};
use crate::process::{Process, free_ports};
use crate::world::{Destination, HOST};
use anyhow::{Context as _, ensure};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

pub(super) async fn start(setting: &Setting<'_>, binary: &Path) -> anyhow::Result<Process> {
    let [port] = free_ports::<1>()?;
    // squid gives up root, where it is started as such, and writes here all the same.
    let dir = setting.world.file("squid");
    std::fs::create_dir_all(&dir)?;
    std::fs::set_permissions(&dir, Permissions::from_mode(0o777))?;
    let root = unpacked(binary).unwrap_or(Path::new("/"));
    let helper = root.join("usr/lib/squid/security_file_certgen");
    let leaves = dir.join("leaves");
    let made = command(&helper)
        .args(["-c", "-s"])
        .arg(&leaves)
        .args(["-M", "16MB"])
        .output()
        .await
        .context("squid's certificate helper cannot be run")?;
    ensure!(
        made.status.success(),
        "squid's certificates: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    for entry in [&leaves, &leaves.join("certs"), &leaves.join("index.txt"), &leaves.join("size")] {
        std::fs::set_permissions(entry, Permissions::from_mode(0o777))?;
    }
    let mut hosts = format!("127.0.0.1 {HOST}\n");
    for n in 0..crate::subject::COLD_NAMES {
        hosts += &format!("127.0.0.1 {}\n", Destination::Cold.host(n));
    }
    setting.write("squid/hosts", &hosts)?;
    let config = config(setting, port, root, &helper, &leaves);
    let config = setting.write("squid/squid.conf", &config)?;
    let mut command = command(binary);
    command.args(["--foreground", "-f"]).arg(config).stderr(std::process::Stdio::null());
    Process::other(&mut command, vec![port]).await
}

fn config(setting: &Setting<'_>, port: u16, root: &Path, helper: &Path, leaves: &Path) -> String {
    let file = |name: &str| setting.world.file(name).display().to_string();
    let (ca, key, hosts) = (file("ca.crt"), file("ca.key"), file("squid/hosts"));
    let share = |name: &str| -> PathBuf { root.join("usr/share/squid").join(name) };
    let (errors, icons) = (share("errors/templates"), share("icons"));
    let mime = share("mime.conf");
    let log = file("squid/cache.log");
    format!(
        "\
http_port 127.0.0.1:{port} ssl-bump tls-cert={ca} tls-key={key} generate-host-certificates=on dynamic_cert_mem_cache_size=16MB
sslcrtd_program {} -s {} -M 16MB
sslcrtd_children 1
tls_outgoing_options cafile={ca}
ssl_bump bump all
http_access allow all
cache deny all
cache_mem 0
memory_pools off
access_log none
cache_log {log}
cache_store_log none
pid_filename none
coredump_dir none
pinger_enable off
netdb_filename none
hosts_file {hosts}
dns_nameservers 127.0.0.1
error_directory {}
icon_directory {}
mime_table {}
via off
forwarded_for delete
server_persistent_connections on
visible_hostname bench
workers {}
",
        helper.display(),
        leaves.display(),
        errors.display(),
        icons.display(),
        mime.display(),
        setting.threads,
    )
}
