//! mitmproxy, which makes leaves. It is one thread, whatever it is given.

use super::{Setting, command};
use crate::process::{Process, free_ports};
use std::path::Path;

/// Every name is loopback. Nothing is kept: flows would fill its memory otherwise.
const ADDON: &str = "\
from mitmproxy.proxy.server_hooks import ServerConnectionHookData


def server_connect(data: ServerConnectionHookData) -> None:
    data.server.address = (\"127.0.0.1\", data.server.address[1])
";

pub(super) async fn start(setting: &Setting<'_>, binary: &Path) -> anyhow::Result<Process> {
    let [port] = free_ports::<1>()?;
    let dir = setting.world.file("mitmproxy");
    std::fs::create_dir_all(&dir)?;
    let authority = setting.world.text("ca.key")? + &setting.world.text("ca.crt")?;
    setting.write("mitmproxy/mitmproxy-ca.pem", &authority)?;
    let addon = setting.write("mitmproxy/loopback.py", ADDON)?;
    let mut command = command(binary);
    command.args(["-q", "--listen-host", "127.0.0.1", "--listen-port", &port.to_string()]);
    command.arg("-s").arg(addon);
    for option in [
        format!("confdir={}", dir.display()),
        format!("ssl_verify_upstream_trusted_ca={}", setting.world.file("ca.crt").display()),
        "http2=false".to_owned(),
        "connection_strategy=lazy".to_owned(),
        "stream_large_bodies=1m".to_owned(),
        "termlog_verbosity=error".to_owned(),
        "flow_detail=0".to_owned(),
    ] {
        command.args(["--set", &option]);
    }
    Process::other(&mut command, vec![port]).await
}
