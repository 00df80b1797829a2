//! Places of connections to the port of health and metrics, which every pod of the cluster can reach.
//!
//! A probe or a scrape takes milliseconds; whoever holds a connection for longer has nothing to ask. So
//! nobody is kept out: a newcomer takes the place of the oldest connection of its own address where
//! that has its share already, and otherwise, where all are taken, of an address that has the most.

use std::future::Future;
use std::net::IpAddr;
use tokio::task::AbortHandle;

/// In all, and of one address.
const PLACES: usize = 32;
const SHARE: usize = 4;

/// The connections of the port of health, by address. They end when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The oldest first.
    held: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    peer: IpAddr,
    connection: AbortHandle,
}

impl Places {
    /// Runs a connection of this address, and ends another where there is no place.
    pub(super) fn take(
        &mut self,
        peer: IpAddr,
        connection: impl Future<Output = ()> + Send + 'static,
    ) {
        self.held.retain(|place| !place.connection.is_finished());
        let peers: Vec<IpAddr> = self.held.iter().map(|place| place.peer).collect();
        if let Some(at) = in_the_way(&peers, peer) {
            self.held.remove(at).connection.abort();
        }
        let connection = tokio::spawn(connection).abort_handle();
        self.held.push(Held { peer, connection });
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.held.iter().for_each(|place| place.connection.abort());
    }
}

/// The place that a newcomer takes; none where one is free. `held`: the oldest first.
fn in_the_way(held: &[IpAddr], newcomer: IpAddr) -> Option<usize> {
    let of = |peer: &IpAddr| held.iter().filter(|other| *other == peer).count();
    if of(&newcomer) >= SHARE {
        return held.iter().position(|peer| *peer == newcomer);
    }
    if held.len() < PLACES {
        return None;
    }
    let most = held.iter().map(&of).max()?;
    held.iter().position(|peer| of(peer) == most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: usize) -> IpAddr {
        IpAddr::from([10, 0, 0, u8::try_from(n).unwrap()])
    }

    #[test]
    fn an_address_beyond_its_share_pays_by_itself() {
        let held = [1, 2, 1, 1, 1, 3].map(peer);
        assert_eq!(in_the_way(&held, peer(1)), Some(0));
        assert_eq!(in_the_way(&held, peer(2)), None);
    }

    #[test]
    fn where_all_are_taken_whoever_has_most_gives_one() {
        let mut held: Vec<IpAddr> = (0..PLACES - 1).map(peer).collect();
        held.insert(7, peer(20));
        assert_eq!(in_the_way(&held, peer(100)), Some(7));
        let held: Vec<IpAddr> = (0..PLACES).map(peer).collect();
        assert_eq!(in_the_way(&held, peer(100)), Some(0));
    }
}
