use super::*;
use exeat_audit::record::Kind;
use proptest::prelude::*;

/// A moment of a denial, by its second.
fn time(second: u64) -> String {
    exeat_audit::time::rfc3339(1_767_323_045_000 + second * 1000)
}

fn denial<'a>(resource: &'a str, time: &'a str) -> RecordRef<'a> {
    RecordRef {
        action: Some("network.request"),
        resource: Some(resource),
        method: Some("GET"),
        effect: Some("Deny"),
        code: Some("DefaultDeny"),
        reason: Some("no rule allows it"),
        policy: Some("sha256:00"),
        ..RecordRef::new(Kind::Intent, time)
    }
}

fn total(records: &[Record]) -> u64 {
    records.iter().map(|record| record.count.unwrap_or(1)).sum()
}

#[test]
fn the_first_is_written_at_once_and_equal_ones_once_a_second() {
    let start = Instant::now();
    let mut fold = Fold::new(start);
    assert!(fold.take(&denial("https://a.example/", &time(0)), start));
    for second in 1..4 {
        assert!(!fold.take(&denial("https://a.example/", &time(second)), start));
    }
    assert!(fold.due(start + EVERY / 2).is_empty());
    let due = fold.due(start + EVERY);
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].count, due[0].time.clone()), (Some(3), time(1)));
    assert_eq!(due[0].until, Some(time(3)));
    assert_eq!(due[0].resource.as_deref(), Some("https://a.example/"));

    // One alone is a record like any other.
    let later = start + EVERY + EVERY / 2;
    assert!(!fold.take(&denial("https://a.example/", &time(5)), later));
    let due = fold.due(start + 2 * EVERY);
    assert_eq!((due[0].count, due[0].until.clone(), due[0].time.clone()), (None, None, time(5)));

    // After a quiet second it is forgotten, and the next one is written at once.
    assert!(fold.due(start + 3 * EVERY).is_empty());
    assert!(fold.is_empty() && fold.text == 0);
    assert!(fold.take(&denial("https://a.example/", &time(9)), start + 3 * EVERY));
}

#[test]
fn one_that_differs_in_anything_but_the_time_is_another() {
    let now = Instant::now();
    let mut fold = Fold::new(now);
    let time = time(0);
    let first = denial("https://a.example/", &time);
    let others = [
        RecordRef { action: Some("network.connect"), ..first },
        RecordRef { resource: Some("https://a.example/b"), ..first },
        RecordRef { query_digest: Some("sha256:01"), ..first },
        RecordRef { method: Some("POST"), ..first },
        RecordRef { observed: Some("Allow"), ..first },
        RecordRef { rule: Some("Guardrail//p/r"), ..first },
        RecordRef { code: Some("Rule"), ..first },
        RecordRef { reason: Some("another"), ..first },
        RecordRef { policy: Some("sha256:02"), ..first },
        RecordRef { address: Some("192.0.2.1:443"), ..first },
        RecordRef { body_digest: Some("sha256:03"), ..first },
    ];
    assert!(fold.take(&first, now));
    for other in &others {
        assert!(fold.take(other, now), "{other:?}");
        assert!(!fold.take(other, now), "{other:?}");
    }
    assert!(!fold.take(&first, now));
}

#[test]
fn a_flood_of_different_ones_is_counted_by_origin_and_then_by_code() {
    let start = Instant::now();
    let mut fold = Fold::new(start);
    let time = time(0);
    let mut written = 0;
    for n in 0..50_000 {
        let resource = format!("https://a.example:8443/{n}?x");
        written += u64::from(fold.take(&denial(&resource, &time), start));
    }
    assert_eq!(written, u64::from(BURST));
    for n in 0..50_000 {
        let resource = format!("https://host-{n}.example/");
        assert!(!fold.take(&denial(&resource, &time), start));
    }
    let due = fold.due(start + EVERY_COARSE);
    assert_eq!(due.len(), MOST_ORIGINS + 1);
    assert_eq!(written + total(&due), 100_000);
    let of = |resource: &str| due.iter().find(|it| it.resource.as_deref() == Some(resource));
    let origin = of("https://a.example:8443/…").unwrap();
    assert_eq!((origin.count, origin.code.as_deref()), (Some(48_000), Some("DefaultDeny")));
    assert_eq!((&origin.method, origin.policy.as_deref()), (&None, Some("sha256:00")));
    assert_eq!(of("…").unwrap().count, Some(50_001 - MOST_ORIGINS as u64));
    assert!(fold.due(start + 2 * EVERY_COARSE).is_empty());
    assert!(fold.is_empty());
}

#[test]
fn even_codes_and_actions_without_end_are_a_bounded_number_of_counts() {
    let start = Instant::now();
    let mut fold = Fold::new(start);
    let time = time(0);
    let mut written = 0;
    for n in 0..20_000 {
        let code = n.to_string();
        let record = RecordRef { code: Some(&code), ..denial("evil.example", &time) };
        written += u64::from(fold.take(&record, start));
    }
    let all = fold.drain(start);
    assert!(all.len() <= MOST_COARSE + 1, "{}", all.len());
    assert_eq!(written + total(&all), 20_000);
}

#[test]
fn the_text_that_is_kept_is_bounded() {
    let now = Instant::now();
    let mut fold = Fold::new(now);
    let time = time(0);
    for n in 0..1000 {
        let resource = format!("https://a.example/{n}/{}", "x".repeat(9000));
        assert!(fold.take(&denial(&resource, &time), now));
    }
    assert!(fold.text <= MOST_TEXT && fold.equal.len() > 100);
}

#[test]
fn what_could_not_be_written_is_counted_again() {
    let start = Instant::now();
    let mut fold = Fold::new(start);
    let (first, second) = (time(0), time(1));
    let record = denial("https://a.example/", &first);
    assert!(fold.take(&record, start));
    fold.put_back(&record.to_record(), start);
    assert!(!fold.take(&denial("https://a.example/", &second), start));
    let due = fold.due(start + EVERY);
    assert_eq!(
        (due[0].count, &due[0].time, due[0].until.as_ref()),
        (Some(2), &first, Some(&second))
    );
    fold.put_back(&due[0], start + EVERY);
    let again = fold.due(start + 2 * EVERY);
    assert_eq!(again, due);
    // Nothing knows it any more: it is counted with its like.
    fold.due(start + 3 * EVERY);
    fold.put_back(&due[0], start + 3 * EVERY);
    let all = fold.drain(start + 3 * EVERY);
    assert_eq!((total(&all), all[0].until.as_ref()), (2, Some(&second)));
}

proptest! {
    /// In whatever order denials, ticks and failures come: no denial is lost or counted twice.
    #[test]
    fn counts_are_exact(
        steps in prop::collection::vec((0_u8..40, 0_u16..400, any::<bool>()), 1..400),
    ) {
        let start = Instant::now();
        let mut fold = Fold::new(start);
        fold.allowance.left = 20.0;
        let (mut now, mut written, mut seen) = (start, 0, 0);
        for (n, wait, fails) in steps {
            now += Duration::from_millis(wait.into());
            let resource = format!("https://host-{}.example/{n}", n % 7);
            let (time, many) = (time(n.into()), usize::from(n) % 4 + 1);
            for _ in 0..many {
                let record = denial(&resource, &time);
                seen += 1;
                match fold.take(&record, now) {
                    true if fails => fold.put_back(&record.to_record(), now),
                    true => written += 1,
                    false => {}
                }
            }
            for record in fold.due(now) {
                if fails {
                    fold.put_back(&record, now);
                } else {
                    written += record.count.unwrap_or(1);
                }
            }
        }
        written += total(&fold.drain(now));
        prop_assert_eq!(written, seen);
    }
}
