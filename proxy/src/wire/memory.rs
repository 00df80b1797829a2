//! The memory that what is on its way may take, of all connections together: heads that are being
//! read, bodies that are held, windows of HTTP/2, what one side sent and the other does not take yet.
//! Each connection is bounded too, but four thousand times its bound is more than the container has.
//!
//! Outside of it every connection may have some 30 KiB: TLS, and a head or piece of up to 8 KiB each
//! way.

use prometheus::{IntCounter, IntGauge};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// What is counted in.
const UNIT: usize = 4 * 1024;
/// How long room is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of the container's memory, this part may be taken: the rest is the program, and what each
/// connection has outside of it.
const PART: u64 = 2;
/// Where the container has no limit, and the least that is of use: two bodies that are held, and
/// some heads.
const UNLIMITED: u64 = 512 << 20;
const LEAST: u64 = 24 << 20;

/// The budget of bytes for what the agent sends. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Memory {
    free: Arc<Semaphore>,
    total: usize,
    held: IntGauge,
    refused: IntCounter,
}

/// Room that was taken. Given back when it is dropped.
#[derive(Debug)]
pub struct Room {
    permit: OwnedSemaphorePermit,
    held: IntGauge,
}

/// There was no room for [`PATIENCE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

impl Memory {
    /// `held` says how many bytes are taken, `refused` how often there was no room.
    pub fn new(bytes: usize, held: IntGauge, refused: IntCounter) -> Self {
        let units = (bytes / UNIT).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(units)), total: units * UNIT, held, refused }
    }

    /// What may be taken in a container with this limit.
    pub fn part_of(limit: Option<u64>) -> usize {
        let part = (limit.unwrap_or(UNLIMITED) / PART).max(LEAST);
        usize::try_from(part).unwrap_or(usize::MAX)
    }

    /// All of it.
    pub const fn total(&self) -> usize {
        self.total
    }

    /// Room for `bytes`, as soon as there is some.
    ///
    /// # Errors
    /// When there is none for [`PATIENCE`].
    pub async fn take(&self, bytes: usize) -> Result<Room, NoRoom> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| NoRoom)?;
        match timeout(PATIENCE, self.free.clone().acquire_many_owned(units)).await {
            Ok(Ok(permit)) => {
                self.held.add(i64::from(units) * UNIT as i64);
                Ok(Room { permit, held: self.held.clone() })
            }
            _ => {
                self.refused.inc();
                Err(NoRoom)
            }
        }
    }

    /// Room that only makes things faster: at once or not at all, and none of the last half, which is
    /// for what cannot go on without.
    pub fn spare(&self, bytes: usize) -> Option<Room> {
        let units = bytes.div_ceil(UNIT);
        if self.free.available_permits() < units + self.total / UNIT / 2 {
            return None;
        }
        let permit = self.free.clone().try_acquire_many_owned(u32::try_from(units).ok()?).ok()?;
        self.held.add((units * UNIT) as i64);
        Some(Room { permit, held: self.held.clone() })
    }

    #[cfg(test)]
    pub(crate) fn of(bytes: usize) -> Self {
        let held = IntGauge::new("held", "held").unwrap();
        Self::new(bytes, held, IntCounter::new("refused", "refused").unwrap())
    }

    #[cfg(test)]
    pub(crate) fn is_free(&self) -> bool {
        self.free.available_permits() * UNIT == self.total && self.held.get() == 0
    }
}

impl Room {
    pub fn bytes(&self) -> usize {
        self.permit.num_permits() * UNIT
    }

    /// Joins more room of the same memory.
    pub fn merge(&mut self, mut more: Self) {
        let units = more.permit.num_permits();
        if let Some(permit) = more.permit.split(units) {
            self.permit.merge(permit);
        }
    }

    /// Gives back all but so many bytes.
    pub fn shrink(&mut self, bytes: usize) {
        let surplus = self.permit.num_permits().saturating_sub(bytes.div_ceil(UNIT));
        if let Some(permit) = self.permit.split(surplus) {
            drop(Self { permit, held: self.held.clone() });
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.held.sub(self.bytes() as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn room_is_given_back_and_waited_for() {
        let memory = Memory::of(10 * UNIT);
        let mut one = memory.take(6 * UNIT).await.unwrap();
        assert_eq!(memory.take(5 * UNIT).await.err(), Some(NoRoom));
        one.shrink(2 * UNIT + 1);
        assert_eq!((one.bytes(), memory.held.get()), (3 * UNIT, 3 * UNIT as i64));
        one.merge(memory.take(7 * UNIT).await.unwrap());
        assert_eq!((one.bytes(), memory.held.get()), (10 * UNIT, 10 * UNIT as i64));
        let (waited, ()) = tokio::join!(memory.take(UNIT), async {
            tokio::time::sleep(PATIENCE / 2).await;
            drop(one);
        });
        drop(waited.unwrap());
        assert!(memory.is_free());
        assert_eq!(memory.refused.get(), 1);
    }

    #[test]
    fn it_follows_the_containers_limit() {
        assert_eq!(Memory::part_of(Some(512 << 20)), 256 << 20);
        assert_eq!(Memory::part_of(None), 256 << 20);
        assert_eq!(Memory::part_of(Some(32 << 20)), 24 << 20);
    }
}
