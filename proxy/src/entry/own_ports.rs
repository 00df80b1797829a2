//! Connections that the agent opens to the proxy's own ports. The capture rules lead them to a port
//! of its own, where each is recorded, counted and reset.

use crate::gate::{Endpoint, Gate, Subject};
use crate::refusal::Refusal;
use crate::wire::Io;
use exeat_policy::normal::Host;
use exeat_policy::pattern::Scheme;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;

/// Accepts for ever.
///
/// # Errors
/// When the listener has no address.
pub async fn refuse(gate: Gate, listener: TcpListener) -> io::Result<()> {
    let own = listener.local_addr()?;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "Accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let meant = super::redirect::original_destination(&stream, own).unwrap_or(own);
        let to = Endpoint { host: Host::Ip(meant.ip().to_canonical()), port: meant.port() };
        gate.journal().metrics().rejected_connections.inc();
        gate.refuse(&Subject::connection(Scheme::Tcp, &to), &Refusal::OwnPort, None);
        Io::from(stream).reset();
    }
}
