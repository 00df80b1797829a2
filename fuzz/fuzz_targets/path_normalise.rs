//! Request paths: a normal path is its own normal form and has nothing left to resolve.
#![no_main]

use exeat_policy::normal::normalise_path;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(normal) = normalise_path(text) else { return };
    assert_eq!(normalise_path(&normal).as_ref(), Ok(&normal));
    assert!(normal.starts_with('/') && normal.is_ascii() && !normal.contains("//"));
    assert!(normal.split('/').all(|segment| segment != "." && segment != ".."));
    assert!(!normal.contains([';', '\\', '?', '#']));
    for refused in ["%2F", "%5C", "%3B", "%00", "%2E"] {
        assert!(!normal.contains(refused));
    }
});
