//! Filter expressions, against records that are as odd.
#![no_main]

use exeat_audit::filter::{Filter, Subject};
use exeat_audit::record::{Record, host_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&str, &str)| {
    let (expression, resource) = data;
    if let Some(host) = host_of(resource) {
        assert!(host.len() <= resource.len());
    }
    let Ok(filter) = Filter::parse(expression, 1_767_323_045_678) else { return };
    let time = "2026-01-02T03:04:05.678Z";
    let record = Record::intent(time, 1, "network.request", resource, "Deny", "Rule");
    filter.matches(Subject { record: &record, namespace: "agents", pod: "research-0" });
});
