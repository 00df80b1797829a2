//! Every detector of the catalogue: what stands in place of its values is not found again.

use crate::support::{masks, run};
use exeat_content::Media;
use exeat_policy::detect::{all, example};
use exeat_policy::mask::{Numbers, With};

#[test]
fn placeholders_are_not_found_again() {
    let mut failed = Vec::new();
    for detector in all() {
        for with in [With::Placeholder, With::Partial, With::Hash] {
            let masks = masks(&[detector.name], with, Numbers::Keep);
            for positive in detector.positive {
                let (value, _) = example(positive);
                let json = format!("{{\"a\": {}}}", serde_json::to_string(&value).unwrap());
                for (kind, body) in [("text/plain", value.clone()), ("application/json", json)] {
                    let media = Media::of(kind);
                    match run(&masks, &media, [body.as_bytes()]) {
                        Err(error) => {
                            failed.push(format!("{} {with:?} {kind}: {error}", detector.name))
                        }
                        Ok(out) if out == body.as_bytes() => {
                            failed.push(format!("{} {with:?} {kind}: not masked", detector.name));
                        }
                        Ok(_) => {}
                    }
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
