use super::*;
use exeat_audit::chain::ChainWriter;
use exeat_audit::record::Kind;
use std::fs::OpenOptions;
use std::io::Write;
use tempfile::TempDir;

fn config(dir: &TempDir) -> SpoolConfig {
    SpoolConfig {
        spool_dir: dir.path().join("spool"),
        keys_dir: dir.path().join("keys"),
        max_bytes: 64 << 20,
        genesis: Genesis {
            pod_uid: "11111111-2222-3333-4444-555555555555".into(),
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

fn open(config: SpoolConfig) -> Result<(AuditLog, Shipping, oneshot::Receiver<()>), AuditError> {
    AuditLog::open(config, Arc::default(), Arc::new(ProxyMetrics::new().unwrap()))
}

fn intent(n: u64) -> Record {
    Record::intent(
        now(),
        0,
        "network.request",
        format!("https://api.example/{n}"),
        "Allow",
        "Allowed",
    )
}

fn entries(shipping: &Shipping) -> Vec<exeat_audit::chain::Entry> {
    let mut reader = segment::Reader::new(shipping.spool_dir.clone(), 0);
    reader.read(*shipping.durable.borrow(), usize::MAX, usize::MAX).unwrap()
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart_and_verifies() {
    let dir = TempDir::new().unwrap();
    let (log, _shipping, ended) = open(config(&dir)).unwrap();
    for n in 0..20 {
        let id = log.record_intent(intent(n)).await.unwrap();
        log.record_outcome(id, Record::outcome(now(), 0));
    }
    drop(log);
    ended.await.unwrap();
    let (log, shipping, _) = open(config(&dir)).unwrap();
    log.record(Record::close(now())).await;
    let all = entries(&shipping);
    assert_eq!(all.len(), 1 + 40 + 1 + 1);
    let mut chain = ChainWriter::start(shipping.chain.clone());
    for entry in &all {
        chain.commit(entry).unwrap();
    }
    let kinds: Vec<Kind> =
        all.iter().map(|e| serde_json::from_str::<Record>(&e.record).unwrap().kind).collect();
    assert_eq!((kinds[0], kinds[41], kinds[42]), (Kind::Genesis, Kind::Restart, Kind::Close));
    let second: Record = serde_json::from_str(&all[1].record).unwrap();
    assert_eq!(second.id, Some(1), "an intent's id is its own sequence number");
}

#[tokio::test]
async fn outcomes_on_their_way_come_before_the_close() {
    let dir = TempDir::new().unwrap();
    let (log, shipping, ended) = open(config(&dir)).unwrap();
    for n in 0..50 {
        let id = log.record_intent(intent(n)).await.unwrap();
        log.record_outcome(id, Record::outcome(now(), 0));
    }
    // Nobody acknowledges anything here.
    assert!(!log.close(Duration::ZERO).await);
    drop(log);
    ended.await.unwrap();
    let kinds = entries(&shipping)
        .iter()
        .map(|e| serde_json::from_str::<Record>(&e.record).unwrap().kind)
        .collect::<Vec<_>>();
    assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Outcome).count(), 50);
    assert_eq!(kinds.last(), Some(&Kind::Close));
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_damage_is_not() {
    let dir = TempDir::new().unwrap();
    let (log, shipping, ended) = open(config(&dir)).unwrap();
    log.record_intent(intent(1)).await.unwrap();
    log.record_intent(intent(2)).await.unwrap();
    drop(log);
    ended.await.unwrap();
    let file = segment::list(&shipping.spool_dir).unwrap().remove(0).path;
    let whole = std::fs::read(&file).unwrap();
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"seq\":3,\"rec").unwrap();
    let (log, again, ended) = open(config(&dir)).unwrap();
    assert_eq!(entries(&again).len(), 4, "three entries and the restart");
    drop(log);
    ended.await.unwrap();
    let mut edited = whole;
    let at = edited.windows(11).position(|w| w == b"api.example").unwrap();
    edited[at] = b'X';
    std::fs::write(&file, edited).unwrap();
    assert!(matches!(open(config(&dir)), Err(AuditError::Damaged(_))));
}

#[tokio::test]
async fn a_record_that_is_too_long_is_written_shortened() {
    let dir = TempDir::new().unwrap();
    let (log, shipping, _) = open(config(&dir)).unwrap();
    let record = Record { reason: Some("\u{fffd}".repeat(40_000)), ..intent(1) };
    log.record_intent(record).await.unwrap();
    let all = entries(&shipping);
    let written: Record = serde_json::from_str(&all[1].record).unwrap();
    assert_eq!((written.id, written.resource), (Some(1), intent(1).resource));
    assert!(written.reason.unwrap().ends_with("\u{fffd}…"));
}

#[tokio::test]
async fn on_failure_allow_is_for_the_disk_alone() {
    let dir = TempDir::new().unwrap();
    let policies = Arc::new(PolicyState::default());
    policies.replace(&exeat_policy::snapshot::Snapshot {
        generation: 1,
        pod_uid: "pod".into(),
        policies: Vec::new(),
        audit: exeat_policy::snapshot::AuditSettings {
            on_failure: OnFailure::Allow,
            ..Default::default()
        },
        upstream_roots: String::new(),
        control_roots: String::new(),
    });
    let small = SpoolConfig { max_bytes: 1, ..config(&dir) };
    let metrics = Arc::new(ProxyMetrics::new().unwrap());
    let (log, _shipping, _) = AuditLog::open(small, policies, metrics).unwrap();
    assert_eq!(log.record_intent(intent(1)).await.unwrap(), IntentId(None), "the disk is full");
    // No words of the agent's, so nothing that would be cut.
    let record = Record { action: Some("x".repeat(70_000)), ..intent(2) };
    assert!(matches!(log.record_intent(record).await, Err(AuditError::Chain(_))));
}

#[tokio::test]
async fn a_lost_key_is_said() {
    let dir = TempDir::new().unwrap();
    let (log, _, ended) = open(config(&dir)).unwrap();
    drop(log);
    ended.await.unwrap();
    std::fs::remove_file(dir.path().join("keys/chain.key")).unwrap();
    assert!(matches!(open(config(&dir)), Err(AuditError::KeyLost)));
}

#[tokio::test]
async fn a_full_spool_denies_and_stays_whole() {
    let dir = TempDir::new().unwrap();
    let small = SpoolConfig { max_bytes: 4096, ..config(&dir) };
    let (log, shipping, _) = open(small).unwrap();
    let mut refused = 0;
    for n in 0..40 {
        match log.record_intent(intent(n)).await {
            Ok(_) => assert_eq!(refused, 0, "nothing fits once it is full"),
            Err(error) => {
                assert!(matches!(error, AuditError::Full));
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    let mut chain = ChainWriter::start(shipping.chain.clone());
    for entry in entries(&shipping) {
        chain.commit(&entry).unwrap();
    }
}

#[tokio::test]
async fn many_writers_share_one_chain_over_several_segments() {
    let dir = TempDir::new().unwrap();
    let (log, shipping, _) = open(config(&dir)).unwrap();
    let long = "x".repeat(30_000);
    let tasks: Vec<_> = (0..400)
        .map(|_| {
            let (log, long) = (log.clone(), long.clone());
            tokio::spawn(async move {
                let record = Record { reason: Some(long), ..intent(1) };
                log.record_intent(record).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(segment::list(&shipping.spool_dir).unwrap().len() > 1);
    assert_eq!(entries(&shipping).len(), 401);
    segment::prune(&shipping.spool_dir, 401).unwrap();
    let kept = segment::list(&shipping.spool_dir).unwrap();
    assert_eq!(
        kept.iter().filter(|s| s.bytes > 0).count(),
        1,
        "the chain goes on from the last entry"
    );
    drop(log);
    let chain = shipping.chain.clone();
    let recovered = segment::recover(&shipping.spool_dir, &chain).unwrap();
    assert_eq!(recovered.writer.last().map(|(seq, _)| seq), Some(400));
}

#[tokio::test]
async fn nothing_follows_a_close() {
    let dir = TempDir::new().unwrap();
    let (log, shipping, ended) = open(config(&dir)).unwrap();
    let late = log.clone();
    assert!(!log.close(Duration::from_millis(20)).await, "no controller has it yet");
    ended.await.unwrap();
    assert!(matches!(late.record_intent(intent(1)).await, Err(AuditError::Ended)));
    let all = entries(&shipping);
    let last: Record = serde_json::from_str(&all[all.len() - 1].record).unwrap();
    assert_eq!((all.len(), last.kind), (2, Kind::Close));
}

#[tokio::test]
async fn a_close_waits_for_the_controller() {
    let dir = TempDir::new().unwrap();
    let (log, shipping, _) = open(config(&dir)).unwrap();
    let closing = tokio::spawn(async move { log.close(Duration::from_secs(5)).await });
    let mut durable = shipping.durable.clone();
    durable.wait_for(|n| *n == 2).await.unwrap();
    assert!(!closing.is_finished());
    shipping.acknowledged.send_replace(2);
    assert!(closing.await.unwrap());
}
