//! The chart sets variables; a flag of the controller must read each of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clap::CommandFactory;
use exeat_controller::cli::Flags;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_variable_that_the_chart_sets_is_a_flag() {
    let command = Flags::command();
    let read: BTreeSet<&str> =
        command.get_arguments().filter_map(|flag| flag.get_env()?.to_str()).collect();
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/exeat/templates");
    let mut set = BTreeSet::new();
    for name in ["_helpers.tpl", "control.yaml", "collect.yaml", "tests/check.yaml"] {
        let text = std::fs::read_to_string(templates.join(name)).unwrap();
        let variables = text.lines().filter_map(|line| line.trim().strip_prefix("- name: "));
        set.extend(variables.filter(|name| is_variable(name)).map(str::to_owned));
    }
    assert!(set.len() > 10, "the chart's variables are elsewhere: {set:?}");
    let unread: Vec<_> = set.iter().filter(|name| !read.contains(name.as_str())).collect();
    assert!(unread.is_empty(), "nothing reads {unread:?}");
}

fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}
