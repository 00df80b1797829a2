//! Folds records into acts: an intent and its outcome are one.
//!
//! A search finds records, and the two records of an act need not both be among them: the outcome
//! says nothing of the effect, and either may lie outside of what was asked for. What is missing is
//! then looked for among the entries of the chain ([`Acts::searches`], [`Acts::read`]).

use exeat_api::messages::FoundRecord;
use exeat_audit::record::{Kind, Record};
use std::collections::BTreeMap;

/// A record in its place; the form of `-o json` too.
pub(super) type Found = FoundRecord<Record>;

/// What a line of the table is about: an intent with its end, or any other record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Act {
    pub(super) found: Found,
    pub(super) end: End,
}

/// How an intent ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It needs no outcome: a denial, a question, any other record. An outcome whose intent was not
    /// found is one too.
    None,
    Outcome(Box<Record>),
    /// Its chain was read to the end, and it had not ended by then.
    Open,
    /// The proxy started again before it ended.
    Interrupted,
    /// The chain was closed before it ended.
    Never,
    /// Its chain was not read far enough to know.
    Unknown,
}

/// Acts in the order of their first record that was found.
#[derive(Debug, Default)]
pub(super) struct Acts {
    acts: Vec<Act>,
    /// Intents without an end and outcomes without an intent, by chain and id.
    open: BTreeMap<(String, u64), usize>,
}

/// A chain in which something is missing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) chain: String,
    /// The first intent whose outcome is missing; it comes later.
    pub(super) after: Option<u64>,
    /// The outcomes whose intents are missing, by id. An intent's id is its sequence number, as the
    /// proxies of this version and all before choose it.
    pub(super) ids: Vec<u64>,
}

impl Acts {
    /// The acts of what was found, the last `most` of them.
    pub(super) fn of(found: Vec<Found>, most: usize) -> Self {
        let mut acts: Vec<Option<Act>> = Vec::with_capacity(found.len());
        let mut intents = BTreeMap::new();
        let mut outcomes = Vec::new();
        for found in found {
            let (key, place) = (key(&found), acts.len());
            let awaits_outcome = found.record.awaits_outcome();
            match (found.record.kind, key) {
                (Kind::Intent, Some(key)) if awaits_outcome => drop(intents.insert(key, place)),
                (Kind::Outcome, Some(key)) => outcomes.push((key, place)),
                _ => {}
            }
            let end = if awaits_outcome { End::Unknown } else { End::None };
            acts.push(Some(Act { found, end }));
        }
        for (key, place) in outcomes {
            let Some(&intent) = intents.get(&key) else { continue };
            let Some(Act { found, .. }) = acts[place].take() else { continue };
            if let Some(act) = &mut acts[intent] {
                act.end = End::Outcome(Box::new(found.record));
            }
        }
        let mut acts: Vec<Act> = acts.into_iter().flatten().collect();
        acts.drain(..acts.len().saturating_sub(most));
        let is_open = |act: &Act| act.end == End::Unknown || act.found.record.kind == Kind::Outcome;
        let open = acts.iter().enumerate().filter(|(_, act)| is_open(act));
        let open = open.filter_map(|(place, act)| key(&act.found).map(|key| (key, place)));
        Self { open: open.collect(), acts }
    }

    pub(super) fn as_slice(&self) -> &[Act] {
        &self.acts
    }

    /// Where to look for what is missing.
    pub(super) fn searches(&self) -> Vec<Search> {
        let mut searches: Vec<Search> = Vec::new();
        for ((chain, id), &place) in &self.open {
            if searches.last().is_none_or(|last| last.chain != *chain) {
                searches.push(Search { chain: chain.clone(), after: None, ids: Vec::new() });
            }
            let Some(search) = searches.last_mut() else { continue };
            let found = &self.acts[place].found;
            if found.record.kind == Kind::Outcome {
                search.ids.push(*id);
            } else {
                search.after = Some(search.after.map_or(found.seq, |seq| seq.min(found.seq)));
            }
        }
        searches
    }

    /// Whether an intent of this chain still has no end.
    pub(super) fn is_waiting(&self, chain: &str) -> bool {
        self.of_chain(chain).any(|place| self.acts[place].end == End::Unknown)
    }

    /// Takes what is missing out of an entry of a chain. Entries come in their order.
    pub(super) fn read(&mut self, chain: &str, seq: u64, record: &Record) {
        match (record.kind, record.id) {
            (Kind::Intent, Some(id)) => self.begun(chain, seq, id, record),
            (Kind::Outcome, Some(id)) => self.ended(chain, id, record),
            (Kind::Restart, _) => self.all_ended(chain, seq, || End::Interrupted),
            (Kind::Close, _) => self.all_ended(chain, seq, || End::Never),
            _ => {}
        }
    }

    /// The chain was read to its end.
    pub(super) fn read_all(&mut self, chain: &str) {
        self.all_ended(chain, u64::MAX, || End::Open);
    }

    fn begun(&mut self, chain: &str, seq: u64, id: u64, intent: &Record) {
        let key = (chain.to_owned(), id);
        let Some(&place) = self.open.get(&key) else { return };
        let act = &mut self.acts[place];
        if act.found.record.kind == Kind::Outcome && seq < act.found.seq {
            let outcome = std::mem::replace(&mut act.found.record, intent.clone());
            act.found.seq = seq;
            act.end = End::Outcome(Box::new(outcome));
            self.open.remove(&key);
        }
    }

    fn ended(&mut self, chain: &str, id: u64, outcome: &Record) {
        let key = (chain.to_owned(), id);
        let Some(&place) = self.open.get(&key) else { return };
        let act = &mut self.acts[place];
        if act.end == End::Unknown {
            act.end = End::Outcome(Box::new(outcome.clone()));
            self.open.remove(&key);
        }
    }

    /// Nothing that began before `seq` has an outcome later.
    fn all_ended(&mut self, chain: &str, seq: u64, end: impl Fn() -> End) {
        let places: Vec<usize> = self.of_chain(chain).collect();
        for place in places {
            let act = &mut self.acts[place];
            if act.end == End::Unknown && act.found.seq < seq {
                act.end = end();
            }
        }
    }

    fn of_chain<'a>(&'a self, chain: &'a str) -> impl Iterator<Item = usize> + 'a {
        let from = (chain.to_owned(), 0);
        let open = self.open.range(from..).take_while(move |((of, _), _)| of == chain);
        open.map(|(_, &place)| place)
    }
}

fn key(found: &Found) -> Option<(String, u64)> {
    found.record.id.map(|id| (found.chain.clone(), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-01-02T03:04:05.678Z";

    fn intent(id: u64, effect: &str) -> Record {
        Record::intent(TIME, id, "network.request", "https://a.example/", effect, "Rule")
    }

    fn outcome(id: u64) -> Record {
        Record { status: Some(200), ..Record::outcome(TIME, id) }
    }

    fn at(seq: u64, record: Record) -> Found {
        let own = str::to_owned;
        Found { chain: own("pod-1"), seq, namespace: own("agents"), pod: own("research-0"), record }
    }

    fn lines(acts: &Acts) -> Vec<(u64, &End)> {
        acts.as_slice().iter().map(|act| (act.found.seq, &act.end)).collect()
    }

    #[test]
    fn what_was_found_together_is_one_act() {
        let found = vec![
            at(1, intent(1, "Allow")),
            at(2, intent(2, "Deny")),
            at(3, outcome(1)),
            at(4, Record::heartbeat(TIME)),
        ];
        let acts = Acts::of(found, 50);
        let ended = End::Outcome(Box::new(outcome(1)));
        assert_eq!(lines(&acts), [(1, &ended), (2, &End::None), (4, &End::None)]);
        assert!(acts.searches().is_empty());
    }

    #[test]
    fn ids_of_other_chains_are_others() {
        let other = Found { chain: "pod-2".to_owned(), ..at(3, outcome(1)) };
        let acts = Acts::of(vec![at(1, intent(1, "Allow")), other], 50);
        assert_eq!(lines(&acts), [(1, &End::Unknown), (3, &End::None)]);
        let searches = acts.searches();
        assert_eq!((searches[0].after, searches[0].ids.len()), (Some(1), 0));
        assert_eq!((searches[1].after, &searches[1].ids[..]), (None, &[1][..]));
    }

    #[test]
    fn acts_are_counted_and_not_records() {
        let mut found = Vec::new();
        for id in (1..9).step_by(2) {
            found.extend([at(id, intent(id, "Allow")), at(id + 1, outcome(id))]);
        }
        let acts = Acts::of(found, 2);
        assert_eq!(lines(&acts).iter().map(|line| line.0).collect::<Vec<_>>(), [5, 7]);
    }

    #[test]
    fn what_is_missing_is_taken_from_the_chain() {
        let found = vec![at(5, outcome(2)), at(6, intent(6, "Allow")), at(7, intent(7, "Allow"))];
        let mut acts = Acts::of(found, 50);
        let search = Search { chain: "pod-1".to_owned(), after: Some(6), ids: vec![2] };
        assert_eq!(acts.searches(), [search]);

        acts.read("pod-1", 2, &intent(2, "Allow"));
        acts.read("pod-2", 8, &outcome(6));
        acts.read("pod-1", 8, &outcome(6));
        acts.read("pod-1", 9, &outcome(6));
        assert!(acts.is_waiting("pod-1"));
        let (two, six) = (End::Outcome(Box::new(outcome(2))), End::Outcome(Box::new(outcome(6))));
        assert_eq!(lines(&acts), [(2, &two), (6, &six), (7, &End::Unknown)]);
        acts.read_all("pod-1");
        assert_eq!(acts.as_slice()[2].end, End::Open);
        assert!(!acts.is_waiting("pod-1"));
    }

    #[test]
    fn a_restart_and_a_close_end_what_was_open() {
        for (record, end) in
            [(Record::restart(TIME), End::Interrupted), (Record::close(TIME), End::Never)]
        {
            let mut acts = Acts::of(vec![at(1, intent(1, "Allow")), at(4, intent(4, "Allow"))], 50);
            acts.read("pod-1", 3, &record);
            acts.read_all("pod-1");
            assert_eq!(lines(&acts), [(1, &end), (4, &End::Open)]);
        }
    }

    #[test]
    fn an_entry_that_is_not_the_intent_changes_nothing() {
        let mut acts = Acts::of(vec![at(5, outcome(2))], 50);
        acts.read("pod-1", 2, &Record::heartbeat(TIME));
        acts.read("pod-1", 9, &intent(2, "Allow"));
        acts.read("pod-1", 6, &outcome(2));
        assert_eq!(lines(&acts), [(5, &End::None)]);
    }
}
