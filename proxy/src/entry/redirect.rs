//! Captured connections: accepted on loopback, with the destination that the agent meant.

use crate::serve::Front;
use crate::wire::Io;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections at once; more wait in the kernel's backlog.
const CONNECTIONS: usize = 4096;

/// Accepts until `stop` says true, then waits up to `grace` for open connections.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    front: Arc<Front>,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
    grace: Duration,
) -> io::Result<()> {
    let own = listener.local_addr()?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&room).acquire_owned() => place.map_err(io::Error::other)?,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = open.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "Accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(original) = original_destination(&stream, own) else {
            tracing::warn!(%peer, "Direct connection to the capture port refused");
            continue;
        };
        let front = Arc::clone(&front);
        open.spawn(async move {
            front.serve(Io::from(stream), original).await;
            drop(place);
        });
    }
    let ended = timeout(grace, async { while open.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::info!(open = open.len(), "Connections cut at the end of the grace period");
        open.shutdown().await;
    }
    Ok(())
}

/// `SO_ORIGINAL_DST`. None for a connection that the capture rules did not redirect.
pub(super) fn original_destination(stream: &TcpStream, own: SocketAddr) -> Option<SocketAddr> {
    let socket = SockRef::from(stream);
    let found = if own.is_ipv4() { socket.original_dst_v4() } else { socket.original_dst_v6() };
    let original = found.ok()?.as_socket()?;
    let direct =
        original.port() == own.port() && (original.ip().is_loopback() || original.ip() == own.ip());
    (!direct).then_some(original)
}
