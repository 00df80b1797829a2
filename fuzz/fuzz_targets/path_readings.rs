//! Request paths: every reading is in the one form that rules are compared with, what nginx, Node.js,
//! Python and Go make of a path is among them, and a collapsed path has nothing left to resolve.
#![no_main]

#[path = "../../policy/tests/readings/compare.rs"]
mod compare;
#[path = "../../policy/tests/readings/models.rs"]
mod models;

use exeat_policy::reading::Readings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(readings) = Readings::of(text) else { return };
    for reading in readings.iter() {
        assert!(reading.starts_with('/') && reading.is_ascii());
        assert!(!reading.contains([' ', '\\', '?', '#', '"', '<', '>']));
        for unreserved in ["%2E", "%2D", "%41", "%7E"] {
            assert!(!reading.contains(unreserved));
        }
        if let Ok(again) = Readings::of(reading) {
            assert_eq!(again.first(), reading);
        }
    }
    for (server, model) in models::MODELS {
        let Some(seen) = model(text) else { continue };
        assert!(compare::is_among(&readings, &seen), "{server} sees {seen:?} of {text:?}: {readings:?}");
    }
    if let Some(collapsed) = readings.collapsed() {
        let collapsed = collapsed.first();
        assert!(readings.iter().any(|reading| reading == collapsed));
        assert!(!collapsed.contains("//"));
        assert!(collapsed.split('/').all(|segment| segment != "." && segment != ".."));
    }
});
