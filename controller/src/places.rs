//! Places that are counted by key, so that no key holds more than its share of something that
//! others need as well. A place is given back when its guard is dropped.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Keys that hold a place at once; beyond them, new keys get none.
const KEYS_AT_MOST: usize = 65_536;

/// At most so many places for each key; clones share them.
#[derive(Debug)]
pub struct PerKey<K: Hash + Eq> {
    most: usize,
    held: Arc<Mutex<HashMap<K, usize>>>,
}

/// A place that is held.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct Guard<K: Hash + Eq> {
    key: K,
    held: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Hash + Eq + Clone> PerKey<K> {
    /// `most` places for each key.
    pub fn new(most: usize) -> Self {
        Self { most, held: Arc::default() }
    }

    /// A place for `key`; none when it holds its share already.
    pub fn take(&self, key: K) -> Option<Guard<K>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= KEYS_AT_MOST && !held.contains_key(&key) {
            return None;
        }
        let count = held.get(&key).copied().unwrap_or_default();
        if count >= self.most {
            return None;
        }
        held.insert(key.clone(), count + 1);
        drop(held);
        Some(Guard { key, held: Arc::clone(&self.held) })
    }
}

impl<K: Hash + Eq> Clone for PerKey<K> {
    fn clone(&self) -> Self {
        Self { most: self.most, held: Arc::clone(&self.held) }
    }
}

impl<K: Hash + Eq> Drop for Guard<K> {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_share_and_gives_it_back() {
        let places = PerKey::new(2);
        let (one, two) = (places.take("a").unwrap(), places.clone().take("a").unwrap());
        assert!(places.take("a").is_none());
        assert!(places.take("b").is_some(), "others are not affected");
        drop(one);
        let three = places.take("a").unwrap();
        assert!(places.take("a").is_none());
        drop((two, three));
        assert!(places.held.lock().unwrap().is_empty(), "nothing is kept of who holds nothing");
    }

    #[test]
    fn there_is_a_bound_on_keys() {
        let places = PerKey::new(2);
        let all: Vec<_> = (0..KEYS_AT_MOST).map(|key| places.take(key).unwrap()).collect();
        assert!(places.take(KEYS_AT_MOST).is_none());
        assert!(places.take(0).is_some(), "who holds a place has the rest of its share");
        drop(all);
        assert!(places.take(KEYS_AT_MOST).is_some());
    }
}
