//! Request paths: every reading is in the one form that rules are compared with, what was sent is
//! among them, and a collapsed path has nothing left to resolve.
#![no_main]

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
    if let Some(collapsed) = readings.collapsed() {
        let collapsed = collapsed.first();
        assert!(readings.iter().any(|reading| reading == collapsed));
        assert!(!collapsed.contains("//"));
        assert!(collapsed.split('/').all(|segment| segment != "." && segment != ".."));
    }
});
