//! The detectors find the same however a stream is cut, and never hold more than they say. The first
//! bytes choose the set and the cuts.
#![no_main]

use exeat_policy::detect::{CustomDetector, ExactData, Finder, Finding, LONGEST, Set, all};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SETS: LazyLock<[Set; 3]> = LazyLock::new(|| {
    let names: Vec<_> = all().iter().map(|it| it.name).collect();
    let named = |name: &str| CustomDetector { name: name.to_owned(), ..CustomDetector::default() };
    let exact = ExactData::of(&[7; 16], ["Jane Doe", "4111"].into_iter()).expect("the values are fixed");
    let custom = [
        CustomDetector { pattern: Some(r"zo+|a[0-9 ]{0,4}b|(?-u:\bend$)".into()), ..named("pattern") },
        CustomDetector { keywords: vec!["project zeus".into()], ..named("keywords") },
        CustomDetector { exact: Some(exact), ..named("exact") },
    ];
    let compiled = "the catalogue and the patterns compile";
    [
        Set::standard().expect(compiled),
        Set::compile(&names, &custom).expect(compiled),
        Set::compile(&["email", "credit-card"], &custom).expect(compiled),
    ]
});

fn find<'a>(set: &Set, chunks: impl Iterator<Item = &'a [u8]>) -> Vec<Finding> {
    let mut finder = Finder::new(set);
    let mut found = Vec::new();
    let mut pushed = 0;
    for chunk in chunks {
        let settled = pushed - finder.open();
        finder.push(chunk, &mut |finding| {
            assert!(finding.start >= settled);
            found.push(finding);
        });
        pushed += chunk.len() as u64;
        assert!(finder.open() <= (LONGEST + 1024) as u64);
    }
    finder.finish(&mut |finding| found.push(finding));
    found
}

fuzz_target!(|data: &[u8]| {
    let Some(([set, cuts @ ..], text)) = data.split_first_chunk::<5>() else { return };
    let set = &SETS[usize::from(*set) % SETS.len()];
    let whole = find(set, std::iter::once(text));
    assert!(whole.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert!(whole.iter().all(|it| it.start < it.end && it.end <= text.len() as u64));
    let mut rest = text;
    let mut cuts = cuts.iter().cycle();
    let chunks = std::iter::from_fn(|| {
        let cut = usize::from(*cuts.next()?).max(1).min(rest.len());
        let (chunk, more) = rest.split_at(cut);
        rest = more;
        (!chunk.is_empty()).then_some(chunk)
    });
    assert_eq!(whole, find(set, chunks));
    assert_eq!(whole, find(set, text.chunks(1)));
});
