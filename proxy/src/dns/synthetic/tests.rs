use super::*;

fn name(n: u32) -> Name {
    Name::parse(&format!("n{n}.example")).unwrap()
}

#[test]
fn a_name_keeps_its_address_both_ways() {
    let table = Synthetic::default();
    let a = table.address_for(&name(1)).unwrap();
    let b = table.address_for(&name(2)).unwrap();
    assert_ne!(a, b);
    assert_eq!(table.address_for(&name(1)), Some(a));
    assert_eq!(table.name_of(a.into()), Some(name(1)));
    assert_eq!(table.name_of(Synthetic::v6(b).into()), Some(name(2)));
    assert_eq!(table.name_of("198.18.9.9".parse().unwrap()), None);
    assert!(Synthetic::covers("198.19.255.254".parse().unwrap()));
    assert!(!Synthetic::covers("198.20.0.1".parse().unwrap()));
}

#[test]
fn a_flood_never_takes_an_address_that_is_in_use() {
    let table = Synthetic::default();
    let now = Instant::now();
    let kept = table.address_at(&name(0), now).unwrap();
    for n in 1..ALLOWED {
        assert!(table.address_at(&name(n), now).is_some());
    }
    assert_eq!(table.address_at(&name(u32::MAX), now), None);
    assert_eq!(table.name_of(kept.into()), Some(name(0)));
    let later = now + QUARANTINE;
    let reused = (0..4096).find_map(|_| table.address_at(&name(u32::MAX), later)).unwrap();
    assert_eq!(table.name_of(reused.into()), Some(name(u32::MAX)));
}

#[test]
fn a_name_that_is_denied_takes_no_address_from_one_that_is_allowed() {
    let table = Synthetic::default();
    let denied: Vec<_> = (0..DENIED).map(|n| table.address_for_denied(&name(n)).unwrap()).collect();
    assert_eq!(table.address_for_denied(&name(DENIED)), None, "each was given out just now");
    assert_eq!(table.address_for_denied(&name(7)), Some(denied[7]));
    assert_eq!(table.name_of(denied[7].into()), Some(name(7)));
    // The same name, once it is allowed.
    let allowed = table.address_for(&name(7)).unwrap();
    assert!(!denied.contains(&allowed));
    assert_eq!(table.name_of(allowed.into()), Some(name(7)));
}

#[test]
fn addresses_outlive_the_proxy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("names");
    let before = Synthetic::kept_in(path.clone());
    let given: Vec<_> = (0..100).map(|n| (n, before.address_for(&name(n)).unwrap())).collect();
    // It is killed: nothing is written at the end.
    let after = Synthetic::kept_in(path.clone());
    for (n, address) in &given {
        assert_eq!(after.name_of((*address).into()), Some(name(*n)));
        assert_eq!(after.address_for(&name(*n)), Some(*address));
    }
    let new = after.address_for(&name(1000)).unwrap();
    assert!(given.iter().all(|(_, address)| *address != new));
    assert_eq!(Synthetic::kept_in(path).name_of(new.into()), Some(name(1000)));
}

#[test]
fn a_torn_or_strange_file_costs_no_more_than_its_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("names");
    let out_of_range = ALLOWED;
    let text = format!(
        "5 a.example\n\u{0}\u{0}\nx y\n{out_of_range} b.example\n4294967295 c.example\n6 127.0.0.1\n5 d.example\n7 e.ex"
    );
    std::fs::write(&path, text).unwrap();
    let table = Synthetic::kept_in(path);
    let at = |offset: u32| table.name_of(Ipv4Addr::from(FIRST + offset).into());
    assert_eq!(at(5), Some(Name::parse("d.example").unwrap()), "the last line holds");
    assert_eq!((at(6), at(out_of_range)), (None, None));
    assert_ne!(
        table.address_for(&Name::parse("a.example").unwrap()),
        Some(Ipv4Addr::from(FIRST + 5))
    );
}

#[test]
fn the_file_stays_short_and_keeps_what_was_used_last() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("names");
    let table = Synthetic::kept_in(path.clone());
    let long = |n: u32| Name::parse(&format!("{n}.{}.example", "x".repeat(60))).unwrap();
    let mut last = None;
    for n in 0..40_000 {
        last = table.address_for(&long(n));
        assert!(table.address_for(&long(0)).is_some(), "it is in use all the time");
    }
    assert!(std::fs::metadata(&path).unwrap().len() <= 2 << 20);
    let after = Synthetic::kept_in(path);
    assert_eq!(after.name_of(last.unwrap().into()), Some(long(39_999)));
    assert_eq!(after.address_for(&long(0)), table.address_for(&long(0)));
}

#[test]
fn without_a_disk_names_have_addresses_all_the_same() {
    let table = Synthetic::kept_in("/nowhere/at/all/names".into());
    let address = table.address_for(&name(1)).unwrap();
    assert_eq!(table.name_of(address.into()), Some(name(1)));
}
