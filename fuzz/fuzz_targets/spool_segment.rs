//! A segment as a crash may have left it: recovery never panics, and what it keeps, it keeps again.
#![no_main]

use exeat_proxy::spool::segment::recover;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let file = dir.path().join("00000000000000000000.jsonl");
    std::fs::write(&file, bytes).expect("a file can be written");
    let chain = "fuzz".parse().expect("a chain's id");
    if let Ok(first) = recover(dir.path(), &chain) {
        let again = recover(dir.path(), &chain).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(first.writer.last(), again.writer.last());
    }
});
