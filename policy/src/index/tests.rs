use super::*;
use crate::action::{Action, Effect};
use proptest::prelude::*;

fn index(patterns: &[ResourcePattern]) -> HostIndex {
    let mut index = HostIndex::default();
    for (at, pattern) in patterns.iter().enumerate() {
        index.insert(pattern, at);
    }
    index
}

fn for_path(index: &HostIndex, host: &Host, path: &str) -> Vec<usize> {
    let mut found = Vec::new();
    index.of(host).for_each(|rules| rules.for_path(path, |at| found.push(at)));
    found.sort_unstable();
    found
}

#[test]
fn rules_of_other_paths_are_not_visited() {
    let parse =
        |text: &str| ResourcePattern::parse(text, Action::NetworkRequest, Effect::Allow).unwrap();
    let patterns: Vec<_> = ["/v1/items/*", "/v1/users", "/v2/**", "", "/**/x", "/V1/items/a"]
        .iter()
        .map(|path| parse(&format!("https://a.example{path}")))
        .collect();
    let (index, host) = (index(&patterns), Host::parse("a.example").unwrap());
    assert_eq!(for_path(&index, &host, "/v1/items/7"), [0, 3, 4]);
    assert_eq!(for_path(&index, &host, "/v1/items/A/b"), [0, 3, 4, 5]);
    assert_eq!(for_path(&index, &host, "/v2"), [2, 3, 4]);
    assert_eq!(for_path(&index, &host, "/"), [3, 4]);
    assert_eq!(index.candidates(&host).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

proptest! {
    #[test]
    fn the_index_finds_what_a_walk_finds(name in "([ab]\\.){0,3}example") {
        let parse = |text| ResourcePattern::parse(text, Action::NetworkDns, Effect::Allow).unwrap();
        let patterns =
            ["a.example", "*.example", "*.a.example", "**", "b.a.example"].map(parse);
        let host = Host::parse(&name).unwrap();
        let mut found: Vec<_> = index(&patterns).candidates(&host).collect();
        found.sort_unstable();
        let walked: Vec<_> =
            (0..patterns.len()).filter(|at| patterns[*at].host.matches(&host)).collect();
        prop_assert_eq!(found, walked);
    }

    #[test]
    fn every_rule_that_matches_a_path_is_visited_once(
        globs in prop::collection::vec(
            "(/(a|B|ab|a!|%20|\\*|a\\*|\\*\\*)){1,4}/?", 1..12
        ),
        path in "(/(a|b|A|ab|a!|a%21|%20|long)){0,5}/?",
    ) {
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let patterns: Vec<_> = globs
            .iter()
            .filter_map(|glob| {
                let text = format!("https://a.example{glob}");
                ResourcePattern::parse(&text, Action::NetworkRequest, Effect::Deny).ok()
            })
            .collect();
        let host = Host::parse("a.example").unwrap();
        let found = for_path(&index(&patterns), &host, &path);
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", found);
        for (at, pattern) in patterns.iter().enumerate() {
            let matches = pattern.path.as_ref().is_none_or(|glob| glob.matches_any_reading(&path));
            prop_assert!(!matches || found.contains(&at), "{:?} on {}", pattern.path, path);
        }
    }
}
