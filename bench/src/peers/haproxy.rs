//! HAProxy, with a certificate that it was given.

use super::{Setting, command};
use crate::process::{Process, free_ports};
use crate::world::HOST;
use std::path::Path;

pub(super) async fn start(setting: &Setting<'_>, binary: &Path) -> anyhow::Result<Process> {
    let ports = free_ports::<3>()?;
    let leaf = setting.world.text("server.crt")? + &setting.world.text("server.key")?;
    let leaf = setting.write("haproxy.pem", &leaf)?;
    let config = config(setting, ports, &leaf);
    let config = setting.write("haproxy.cfg", &config)?;
    let mut command = command(binary);
    command.arg("-db").arg("-f").arg(config);
    Process::other(&mut command, ports.to_vec()).await
}

fn config(setting: &Setting<'_>, [tls, plain, raw]: [u16; 3], leaf: &Path) -> String {
    let Setting { threads, upstream, world } = setting;
    let (leaf, ca) = (leaf.display(), world.file("ca.crt"));
    let (ca, to) = (ca.display(), upstream);
    format!(
        "\
global
    nbthread {threads}
    maxconn 8192
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    http-reuse always
listen tls
    bind 127.0.0.1:{tls} ssl crt {leaf} alpn http/1.1
    server it 127.0.0.1:{} ssl verify required ca-file {ca} sni str({HOST}) verifyhost {HOST}
listen plain
    bind 127.0.0.1:{plain}
    server it 127.0.0.1:{}
listen raw
    mode tcp
    bind 127.0.0.1:{raw}
    server it 127.0.0.1:{}
",
        to.tls, to.plain, to.raw
    )
}
