//! What the handle promises. The files of `tests/` have what breaks underneath it.

use super::*;
use exeat_audit::batch::{self, Limits as BatchLimits};
use exeat_policy::snapshot::Snapshot;
use std::path::Path;
use tempfile::TempDir;

mod damage;
mod faults;
mod power;
mod upgrade;

const POD: &str = "11111111-2222-3333-4444-555555555555";
const LONG: Duration = Duration::from_secs(60);

/// A directory of its own, in memory where there is one: these tests sync much and measure nothing.
fn directory() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

fn config(dir: &Path) -> SpoolConfig {
    SpoolConfig {
        spool_dir: dir.join("spool"),
        keys_dir: dir.join("keys"),
        max_bytes: 64 << 20,
        genesis: Genesis {
            pod_uid: POD.into(),
            pod_name: "agent".into(),
            namespace: "agents".into(),
            service_account: "default".into(),
            node: "node1".into(),
            image: "proxy".into(),
            public_key: String::new(),
            policy: String::new(),
        },
    }
}

/// Small segments, so that a few records fill several.
fn limits() -> Limits {
    Limits { segment: 4096, retry: Duration::from_millis(5), disk: LONG, ..Limits::new(64 << 20) }
}

fn open(dir: &Path) -> Result<(AuditLog, Shipping), AuditError> {
    open_with(dir, limits(), Arc::new(FileSystem), AuditSettings::default())
}

fn open_with(
    dir: &Path,
    limits: Limits,
    storage: Arc<dyn Storage>,
    audit: AuditSettings,
) -> Result<(AuditLog, Shipping), AuditError> {
    let metrics = Arc::new(ProxyMetrics::new().unwrap());
    AuditLog::open_with(config(dir), policies(audit), metrics, limits, storage)
}

fn policies(audit: AuditSettings) -> Arc<PolicyState> {
    let policies = Arc::new(PolicyState::default());
    policies.replace(&Snapshot { audit, ..Snapshot::new(POD, Vec::new()) });
    policies
}

fn durability(durability: Durability) -> AuditSettings {
    AuditSettings { durability, ..AuditSettings::default() }
}

const TIME: &str = "2026-01-02T03:04:05.678Z";

fn intent(resource: &str) -> RecordRef<'_> {
    RecordRef {
        action: Some("network.request"),
        resource: Some(resource),
        effect: Some("Allow"),
        code: Some("Allowed"),
        ..RecordRef::new(Kind::Intent, TIME)
    }
}

fn denial(resource: &str) -> RecordRef<'_> {
    RecordRef { effect: Some("Deny"), code: Some("DefaultDeny"), ..intent(resource) }
}

fn outcome() -> RecordRef<'static> {
    RecordRef { status: Some(200), ..RecordRef::new(Kind::Outcome, TIME) }
}

/// Ends the spool in the way of a process that exits without closing it. A process would take its
/// threads along.
async fn drop_and_wait(log: AuditLog, mut shipping: Shipping) {
    drop(log);
    assert_eq!(shipping.synced_beyond(u64::MAX - 1).await, None);
    while !shipping.is_alone() {
        tokio::task::yield_now().await;
    }
}

/// Appends intents and their outcomes, slowly enough that the next segment is there when it is
/// needed: a segment that it is not there for grows instead.
fn fill(log: &AuditLog, intents: usize) {
    for n in 0..intents {
        let id = log.append_intent(intent(&format!("https://api.example/{n}"))).unwrap();
        log.outcome(id, outcome());
        next_segment(log);
    }
}

/// Waits a while for the next segment.
fn next_segment(log: &AuditLog) {
    for _ in 0..20 {
        if log.0.shared.lock().unwrap().writer.has_spare() {
            break;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}

fn written(dir: &Path) -> Vec<Record> {
    records(&dir.join("spool"), &POD.parse().unwrap()).unwrap()
}

fn kinds(records: &[Record]) -> Vec<Kind> {
    records.iter().map(|record| record.kind).collect()
}

/// The records of the next batch, whose head must hold.
async fn batch_after(shipping: &mut Shipping, entries: u64) -> Vec<Vec<u8>> {
    let body = shipping.batch(entries).await.unwrap();
    let plain = batch::decompress(&body.bytes, BatchLimits::COLLECTOR).unwrap();
    let batch = batch::decode(&plain, BatchLimits::COLLECTOR).unwrap();
    assert_eq!((batch.first, batch.chain.as_str()), (entries, POD));
    let mut link = batch.previous;
    for (seq, record) in (entries..).zip(&batch.records) {
        link = link.next(seq, record);
    }
    batch.head(link).verify(&shipping.key().public()).unwrap();
    assert_eq!(body.end, entries + batch.records.len() as u64);
    batch.records.into_iter().map(<[u8]>::to_vec).collect()
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart_and_says_how_the_run_before_ended() {
    let dir = directory();
    let (log, shipping) = open(dir.path()).unwrap();
    fill(&log, 40);
    drop_and_wait(log, shipping).await;

    let (log, shipping) = open(dir.path()).unwrap();
    assert!(!log.close(Duration::ZERO).await, "nobody acknowledges anything here");
    drop_and_wait(log, shipping).await;

    let (log, shipping) = open(dir.path()).unwrap();
    drop_and_wait(log, shipping).await;

    let all = written(dir.path());
    let kinds = kinds(&all);
    assert_eq!((all.len(), kinds[0]), (84, Kind::Genesis));
    assert_eq!(kinds[81..], [Kind::Restart, Kind::Close, Kind::Restart]);
    assert_eq!((all[81].unclean, all[81].cut), (true, None));
    assert_eq!((all[83].unclean, all[83].cut), (false, None), "the run before it was closed");
    for seq in (1..81).step_by(2) {
        assert_eq!(all[seq].id, Some(seq as u64), "an intent's id is its own sequence number");
        assert_eq!(all[seq + 1].id, Some(seq as u64));
    }
    assert!(segment::list(&dir.path().join("spool")).unwrap().len() > 3);
}

#[tokio::test]
async fn an_intent_is_in_the_file_before_the_append_returns() {
    let dir = directory();
    // Nothing is synced here, so nothing but the append can have written it.
    let limits = Limits { sync: LONG, ..limits() };
    let (log, shipping) =
        open_with(dir.path(), limits, Arc::new(FileSystem), AuditSettings::default()).unwrap();
    let id = log.append_intent(intent("https://api.example/1")).unwrap();
    assert_eq!(kinds(&written(dir.path())), [Kind::Genesis, Kind::Intent]);

    // An outcome may wait for the next intent.
    log.outcome(id, outcome());
    assert_eq!(written(dir.path()).len(), 2);
    log.append_intent(intent("https://api.example/2")).unwrap();
    let all = written(dir.path());
    assert_eq!(kinds(&all)[2..], [Kind::Outcome, Kind::Intent]);
    assert_eq!((all[2].id, all[3].id), (Some(1), Some(3)));
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn an_outcome_is_on_disk_soon_without_anything_that_follows() {
    let dir = directory();
    let (log, mut shipping) = open(dir.path()).unwrap();
    let id = log.append_intent(intent("https://api.example/1")).unwrap();
    log.outcome(id, outcome());
    assert_eq!(shipping.synced_beyond(2).await, Some(3));
    assert_eq!(written(dir.path()).len(), 3);
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn a_sync_waits_for_nothing_else_that_the_thread_has_to_do() {
    let dir = directory();
    let limits = Limits { fold: LONG, ..limits() };
    let (log, mut shipping) =
        open_with(dir.path(), limits, Arc::new(FileSystem), AuditSettings::default()).unwrap();
    // The thread sleeps until counted denials are due.
    log.denied(denial("https://evil.example/"));
    log.denied(denial("https://evil.example/"));
    shipping.synced_beyond(1).await.unwrap();
    while !log.0.shared.sync_sleeps() {
        tokio::task::yield_now().await;
    }
    log.append_intent(intent("https://api.example/")).unwrap();
    let synced = timeout(LONG / 2, shipping.synced_beyond(2)).await;
    assert_eq!(synced, Ok(Some(3)));
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn an_outcome_is_written_outside_of_any_runtime() {
    let dir = directory();
    let (log, shipping) = open(dir.path()).unwrap();
    let id = log.append_intent(intent("https://api.example/1")).unwrap();
    std::thread::spawn(move || {
        log.outcome(id, outcome());
    })
    .join()
    .unwrap();
    let mut shipping = shipping;
    assert_eq!(shipping.synced_beyond(u64::MAX - 1).await, None);
    assert_eq!(kinds(&written(dir.path())), [Kind::Genesis, Kind::Intent, Kind::Outcome]);
}

#[tokio::test]
async fn synced_waits_for_the_disk_and_spooled_does_not() {
    let dir = directory();
    let limits = Limits { sync: LONG, ..limits() };
    let settings = durability(Durability::Synced);
    let (log, mut shipping) =
        open_with(dir.path(), limits, Arc::new(FileSystem), settings).unwrap();
    let id = log.append_intent(intent("https://api.example/1")).unwrap();
    log.durable(id).await.unwrap();
    assert_eq!(shipping.synced(), 2);
    assert_eq!(batch_after(&mut shipping, 0).await.len(), 2);
    drop_and_wait(log, shipping).await;

    let (log, shipping) =
        open_with(dir.path(), limits, Arc::new(FileSystem), AuditSettings::default()).unwrap();
    let id = log.append_intent(intent("https://api.example/2")).unwrap();
    log.durable(id).await.unwrap();
    assert_eq!(shipping.synced(), 3, "the Restart alone");
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn one_sync_serves_all_who_wait() {
    let dir = directory();
    let limits = Limits { sync: LONG, ..limits() };
    let settings = durability(Durability::Synced);
    let (log, shipping) = open_with(dir.path(), limits, Arc::new(FileSystem), settings).unwrap();
    let waiting = (0..64).map(|n| {
        let log = log.clone();
        tokio::spawn(async move {
            let id = log.append_intent(intent(&format!("https://api.example/{n}"))).unwrap();
            log.durable(id).await.unwrap();
        })
    });
    for task in waiting.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(shipping.synced(), 65);
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn acknowledged_waits_for_the_collector_and_hurries_the_shipper() {
    let dir = directory();
    let settings = durability(Durability::Acknowledged);
    let limits = Limits { sync: LONG, collector: LONG, ..limits() };
    let (log, mut shipping) =
        open_with(dir.path(), limits, Arc::new(FileSystem), settings).unwrap();
    let id = log.append_intent(intent("https://api.example/1")).unwrap();
    let waiting = tokio::spawn(async move { log.durable(id).await.map(|()| log) });
    assert_eq!(shipping.synced_beyond(1).await, Some(2), "it is synced at once");
    // Neither returns before its patience ends if nobody waits; the second one finds no bell rung.
    for _ in 0..2 {
        assert!(timeout(LONG / 2, shipping.gather(1, LONG)).await.is_ok());
    }
    assert!(!waiting.is_finished());
    shipping.acknowledge(2);
    let log = waiting.await.unwrap().unwrap();
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn a_collector_that_is_away_is_said_and_may_come_back() {
    let dir = directory();
    let settings = durability(Durability::Acknowledged);
    let limits = Limits { collector: Duration::from_millis(20), ..limits() };
    let (log, shipping) = open_with(dir.path(), limits, Arc::new(FileSystem), settings).unwrap();
    let id = log.append_intent(intent("https://api.example/1")).unwrap();
    assert!(matches!(log.durable(id).await, Err(AuditError::Unacknowledged)));
    assert_eq!(log.0.metrics.audit_failures.get(), 1);
    // The intent is in the chain, and has an outcome like any other.
    log.outcome(id, outcome());
    drop_and_wait(log, shipping).await;
    assert_eq!(kinds(&written(dir.path())), [Kind::Genesis, Kind::Intent, Kind::Outcome]);

    // After a restart the collector is there again, and has everything.
    let limits = Limits { collector: LONG, ..limits };
    let (log, shipping) = open_with(dir.path(), limits, Arc::new(FileSystem), settings).unwrap();
    shipping.acknowledge(shipping.synced());
    let id = log.append_intent(intent("https://api.example/2")).unwrap();
    let waiting = tokio::spawn(async move { log.durable(id).await.map(|()| log) });
    shipping.acknowledge(5);
    let log = waiting.await.unwrap().unwrap();
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn whoever_stops_waiting_changes_nothing() {
    let dir = directory();
    let settings = durability(Durability::Acknowledged);
    let (log, shipping) = open_with(dir.path(), limits(), Arc::new(FileSystem), settings).unwrap();
    for n in 0..20 {
        let id = log.append_intent(intent(&format!("https://api.example/{n}"))).unwrap();
        tokio::select! {
            biased;
            _ = log.durable(id) => panic!("nobody acknowledges anything here"),
            () = std::future::ready(()) => {}
        }
        log.outcome(id, outcome());
    }
    drop_and_wait(log, shipping).await;
    assert_eq!(written(dir.path()).len(), 41);
}

#[tokio::test]
async fn what_is_shipped_comes_from_memory_or_from_the_disk_and_is_the_same() {
    let dir = directory();
    // Memory for about two runs.
    let limits = Limits { recent: 128 << 10, segment: 64 << 10, ..limits() };
    let (log, mut shipping) =
        open_with(dir.path(), limits, Arc::new(FileSystem), AuditSettings::default()).unwrap();
    let long = "x".repeat(3000);
    for n in 0..200 {
        log.append_intent(intent(&format!("https://api.example/{n}/{long}"))).unwrap();
    }
    shipping.synced_beyond(200).await.unwrap();
    let mut done = 0;
    let mut shipped = Vec::new();
    while done < 201 {
        let more = batch_after(&mut shipping, done).await;
        done += more.len() as u64;
        shipped.extend(more);
    }
    assert_eq!(shipped.len(), 201);
    drop_and_wait(log, shipping).await;
    let mut again = Vec::new();
    recover::recover_each(&dir.path().join("spool"), &POD.parse().unwrap(), |seq, record| {
        again.push((seq, record.to_vec()));
    })
    .unwrap();
    for (seq, record) in &again {
        assert_eq!(shipped[usize::try_from(*seq).unwrap()], *record);
    }
    assert_eq!(again.len(), 201);
}

#[tokio::test]
async fn shipping_never_goes_beyond_what_is_synced() {
    let dir = directory();
    let limits = Limits { sync: LONG, ..limits() };
    let (log, mut shipping) =
        open_with(dir.path(), limits, Arc::new(FileSystem), AuditSettings::default()).unwrap();
    for n in 0..100 {
        log.append_intent(intent(&format!("https://api.example/{n}"))).unwrap();
    }
    assert_eq!(batch_after(&mut shipping, 0).await.len(), 1, "the Genesis");
    assert!(shipping.batch(1).await.is_err());
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn acknowledged_segments_are_removed_and_the_chain_goes_on() {
    let dir = directory();
    let (log, mut shipping) = open(dir.path()).unwrap();
    let spool = dir.path().join("spool");
    for round in 0..5 {
        fill(&log, 50);
        let end = shipping.synced_beyond(100 * (round + 1)).await.unwrap();
        shipping.acknowledge(end);
    }
    // The thread that removes works on its own.
    while segment::list(&spool).unwrap().iter().filter(|s| s.first < 500).count() > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop_and_wait(log, shipping).await;
    let (log, shipping) = open(dir.path()).unwrap();
    assert_eq!(shipping.synced(), 502);
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn a_record_that_is_too_long_is_written_shortened() {
    let dir = directory();
    let (log, shipping) = open(dir.path()).unwrap();
    let reason = "\u{fffd}".repeat(40_000);
    log.append_intent(RecordRef { reason: Some(&reason), ..intent("https://api.example/") })
        .unwrap();
    drop_and_wait(log, shipping).await;
    let all = written(dir.path());
    assert_eq!((all[1].id, all[1].resource.as_deref()), (Some(1), Some("https://api.example/")));
    assert!(all[1].reason.as_ref().unwrap().ends_with("\u{fffd}…"));
}

#[tokio::test]
async fn on_failure_allow_is_for_the_disk_alone() {
    let dir = directory();
    let settings = AuditSettings { on_failure: OnFailure::Allow, ..AuditSettings::default() };
    let limits = Limits { spool: 1, ..limits() };
    let (log, shipping) = open_with(dir.path(), limits, Arc::new(FileSystem), settings).unwrap();
    let id = log.append_intent(intent("https://api.example/1")).unwrap();
    assert_eq!(id, IntentId(None), "the spool is full");
    log.durable(id).await.unwrap();
    log.outcome(id, outcome());
    assert_eq!(log.0.metrics.audit_failures.get(), 1);
    // Not a text that would be cut.
    let action = "x".repeat(70_000);
    let record = RecordRef { action: Some(&action), ..intent("https://api.example/2") };
    assert!(matches!(log.append_intent(record), Err(AuditError::Chain(_))));
    drop_and_wait(log, shipping).await;
    assert_eq!(written(dir.path()).len(), 1);
}

#[tokio::test]
async fn a_full_spool_still_takes_outcomes_and_the_close() {
    let dir = directory();
    let limits = Limits { spool: 64 << 10, ..limits() };
    let (log, shipping) =
        open_with(dir.path(), limits, Arc::new(FileSystem), AuditSettings::default()).unwrap();
    let mut open = Vec::new();
    let refused = loop {
        match log.append_intent(intent("https://api.example/")) {
            Ok(id) => open.push(id),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AuditError::Full), "{refused}");
    assert!(open.len() > 40);
    // Whatever an outcome says, it fits into what was reserved.
    let reason = "\u{1}".repeat(4000);
    for id in &open {
        log.outcome(*id, RecordRef { reason: Some(&reason), resource: Some(&reason), ..outcome() });
    }
    assert!(!log.close(Duration::ZERO).await);
    assert_eq!(log.0.metrics.audit_failures.get(), 1, "the intent");
    drop_and_wait(log, shipping).await;
    let all = written(dir.path());
    let outcomes = all.iter().filter(|record| record.kind == Kind::Outcome);
    assert_eq!(outcomes.count(), open.len());
    assert_eq!(all.last().map(|record| record.kind), Some(Kind::Close));
    let bytes: u64 =
        segment::list(&dir.path().join("spool")).unwrap().iter().map(|file| file.bytes).sum();
    assert!(bytes <= (64 << 10) + 2 * 4096, "{bytes}");
}

#[tokio::test]
async fn many_threads_share_one_chain() {
    let dir = directory();
    let (log, shipping) = open(dir.path()).unwrap();
    let threads = (0..4).map(|thread| {
        let log = log.clone();
        std::thread::spawn(move || {
            for n in 0..200 {
                let resource = format!("https://api.example/{thread}/{n}");
                let id = log.append_intent(intent(&resource)).unwrap();
                log.outcome(id, RecordRef { resource: Some(&resource), ..outcome() });
            }
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
    drop_and_wait(log, shipping).await;
    let all = written(dir.path());
    assert_eq!(all.len(), 1 + 4 * 400);
    for outcome in all.iter().filter(|record| record.kind == Kind::Outcome) {
        let intent = &all[usize::try_from(outcome.id.unwrap()).unwrap()];
        assert_eq!((intent.kind, &intent.resource), (Kind::Intent, &outcome.resource));
    }
}

#[tokio::test]
async fn nothing_follows_a_close() {
    let dir = directory();
    let (log, shipping) = open(dir.path()).unwrap();
    log.denied(denial("https://evil.example/"));
    log.denied(denial("https://evil.example/"));
    let id = log.append_intent(intent("https://api.example/")).unwrap();
    assert!(!log.close(Duration::from_millis(1)).await, "no controller has it yet");
    assert!(matches!(log.append_intent(intent("https://b/")), Err(AuditError::Ended)));
    log.outcome(id, outcome());
    log.denied(denial("https://evil.example/2"));
    drop_and_wait(log, shipping).await;
    let all = written(dir.path());
    assert_eq!(all.last().map(|record| record.kind), Some(Kind::Close));
    assert_eq!(all.len(), 5, "the second denial was counted, and written before the Close");
}

#[tokio::test]
async fn a_close_waits_for_the_controller() {
    let dir = directory();
    let (log, mut shipping) = open(dir.path()).unwrap();
    let closing = tokio::spawn(async move { log.close(LONG).await });
    shipping.synced_beyond(1).await.unwrap();
    assert!(!closing.is_finished());
    shipping.acknowledge(2);
    assert!(closing.await.unwrap());
}

#[tokio::test]
async fn a_flood_of_equal_denials_is_a_few_records_with_the_exact_count() {
    let dir = directory();
    let (log, shipping) = open(dir.path()).unwrap();
    for n in 0..100_000 {
        log.denied(denial("https://evil.example/"));
        if n % 10 == 0 {
            log.denied(RecordRef { method: Some("POST"), ..denial("https://evil.example/") });
        }
    }
    log.policy(&log.0.policies.load().unwrap());
    drop_and_wait(log, shipping).await;
    let all = written(dir.path());
    let denials = all.iter().filter(|record| record.effect.as_deref() == Some("Deny"));
    let count = |record: &Record| record.count.unwrap_or(1);
    assert_eq!(denials.clone().map(count).sum::<u64>(), 110_000);
    assert!(denials.clone().count() < 200, "{}", denials.count());
    assert_eq!(all.last().map(|record| record.kind), Some(Kind::Policy));
}

#[tokio::test]
async fn denials_that_found_no_room_are_counted_until_they_do() {
    let dir = directory();
    let limits = Limits { spool: 1, ..limits() };
    let (log, shipping) =
        open_with(dir.path(), limits, Arc::new(FileSystem), AuditSettings::default()).unwrap();
    for _ in 0..10 {
        log.denied(denial("https://evil.example/"));
    }
    assert_eq!(written(dir.path()).len(), 1);
    assert!(log.0.metrics.audit_failures.get() >= 1);
    let counted = log.0.shared.flush_folded(true, Instant::now());
    assert!(matches!(counted, Err(AuditError::Full)));
    // Room again: nothing is lost of the count.
    log.0.shared.lock().unwrap().writer.set_spool_limit(64 << 20);
    log.0.shared.flush_folded(true, Instant::now()).unwrap();
    drop_and_wait(log, shipping).await;
    let all = written(dir.path());
    assert_eq!(all[1..].iter().map(|record| record.count.unwrap_or(1)).sum::<u64>(), 10);
}
