//! What a proxy delivers, and what an export holds: read and verified, never a crash.
#![no_main]

use exeat_audit::batch::Batch;
use exeat_audit::export;
use exeat_audit::verify::Verifier;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = export::verify(data, None);
    let Ok(batch) = serde_json::from_slice::<Batch>(data) else { return };
    let Ok(chain) = batch.chain.parse() else { return };
    let mut verifier = Verifier::new(chain);
    verifier.head(batch.head);
    batch.entries.iter().for_each(|entry| verifier.push(entry));
    let report = verifier.finish(Some(1_767_323_045_678));
    // Nobody guesses a signature.
    assert!(!report.has_integrity() || report.signed_up_to.is_some());
});
