//! squid with ssl-bump: one process, which makes leaves with a helper process and keeps them.

use super::{Setting, command, command_as, unpacked};
use crate::process::{Process, free_ports};
use crate::subject::COLD_NAMES;
use crate::world::{Destination, HOST};
use anyhow::{Context as _, ensure};
use rustix::process::geteuid;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// squid refuses to be root. It is not left to drop it by itself: with that, a process loses the
/// order to end with its parent.
const NOBODY: [&str; 5] = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"];

pub(super) async fn start(setting: &Setting<'_>, binary: &Path) -> anyhow::Result<Process> {
    let [port] = free_ports::<1>()?;
    // Where that user gets to, unlike the directory of the run.
    let dir = tempfile::tempdir()?;
    open_to_all(dir.path())?;
    let binary = reachable(binary, dir.path()).await?;
    let root = unpacked(&binary).unwrap_or(Path::new("/"));
    let config = dir.path().join("squid.conf");
    fs::write(dir.path().join("hosts"), hosts())?;
    for name in ["ca.crt", "ca.key"] {
        fs::copy(setting.world.file(name), dir.path().join(name))?;
    }
    fs::write(&config, self::config(port, root, dir.path()))?;
    let leaves = dir.path().join("leaves");
    let mut helper = command(&root.join("usr/lib/squid/security_file_certgen"));
    run(helper.arg("-c").arg("-s").arg(&leaves).args(["-M", "16MB"])).await?;
    for entry in ["", "certs", "index.txt", "size"] {
        open_to_all(&leaves.join(entry))?;
    }
    let options: &[&str] = if geteuid().is_root() { &NOBODY } else { &[] };
    let mut command = command_as(options, &binary);
    command.args(["-N", "-f"]).arg(config).stderr(std::process::Stdio::null());
    Ok(Process::other(&mut command, vec![port]).await?.keeping(dir))
}

/// The program where everybody gets to it: a copy, where it was unpacked into a cache.
async fn reachable(binary: &Path, dir: &Path) -> anyhow::Result<PathBuf> {
    let Some(root) = unpacked(binary) else { return Ok(binary.to_owned()) };
    let copy = dir.join("root");
    run(Command::new("cp").arg("-a").arg(root).arg(&copy)).await?;
    Ok(copy.join(binary.strip_prefix(root)?))
}

async fn run(command: &mut Command) -> anyhow::Result<()> {
    let ended = command.output().await.with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    Ok(())
}

fn open_to_all(path: &Path) -> std::io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o777))
}

/// Every name is loopback.
fn hosts() -> String {
    let cold = (0..COLD_NAMES).map(|n| Destination::Cold.host(n));
    let names = cold.chain([HOST.to_owned()]);
    names.map(|name| format!("127.0.0.1 {name}\n")).collect()
}

fn config(port: u16, root: &Path, dir: &Path) -> String {
    let (dir, root) = (dir.display(), root.display());
    let lib = format!("{root}/usr/lib/squid");
    let share = format!("{root}/usr/share/squid");
    format!(
        "\
http_port 127.0.0.1:{port} ssl-bump tls-cert={dir}/ca.crt tls-key={dir}/ca.key generate-host-certificates=on dynamic_cert_mem_cache_size=16MB
sslcrtd_program {lib}/security_file_certgen -s {dir}/leaves -M 16MB
sslcrtd_children 2 startup=1 idle=1
tls_outgoing_options cafile={dir}/ca.crt
ssl_bump bump all
http_access allow all
cache deny all
cache_mem 0
access_log none
cache_log /dev/null
cache_store_log none
pid_filename none
coredump_dir none
netdb_filename none
pinger_enable off
hosts_file {dir}/hosts
dns_nameservers 127.0.0.1
error_directory {share}/errors/templates
icon_directory {share}/icons
mime_table {share}/mime.conf
unlinkd_program {lib}/unlinkd
via off
forwarded_for delete
visible_hostname bench
"
    )
}
