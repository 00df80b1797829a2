//! Resource patterns: no text panics, every refusal says what to write, and no pattern over names
//! matches an address.
#![no_main]

use exeat_policy::{
    action::{Action, Effect},
    normal::Host,
    pattern::{HostPattern, ResourcePattern},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let address = Host::Ip([192, 0, 2, 7].into());
    for action in Action::ALL {
        for effect in [Effect::Allow, Effect::Deny] {
            match ResourcePattern::parse(text, action, effect) {
                Ok(pattern) => {
                    let of_names = !matches!(pattern.host, HostPattern::Net(_));
                    assert!(!(of_names && pattern.host.matches(&address)));
                    if let Some(path) = &pattern.path {
                        // Whatever an Allow matches, a Deny of the same path matches too.
                        assert!(!path.matches("/a/b%20c/") || path.matches_any_reading("/a/b%20c/"));
                    }
                }
                Err(error) => assert!(!error.problem.is_empty() && !error.fix.is_empty()),
            }
        }
    }
});
