//! Writes `docs/detectors.md` from the catalogue, with what the testing half of the corpus measures.

use exeat_policy::detect::Set;
use std::path::Path;

#[path = "../tests/detectors/corpus.rs"]
mod corpus;
#[path = "../tests/detectors/page.rs"]
mod page;
#[path = "../tests/detectors/random.rs"]
mod random;

/// The testing half: even.
const SEED: u64 = 2;
const CASES: usize = 40;
const IDS: usize = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let names: Vec<_> = exeat_policy::detect::all().iter().map(|it| it.name).collect();
    let scores = corpus::scores(SEED, CASES, |_, _| {});
    let in_ids = names.iter().map(|name| {
        let set = Set::compile(&[name], &[])?;
        Ok(corpus::in_ids(&set, SEED, IDS, |_, _| {}).into_iter().sum())
    });
    let in_ids = in_ids.collect::<Result<Vec<u32>, exeat_policy::detect::DetectError>>()?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/detectors.md");
    std::fs::write(file, page::page(&scores, &in_ids))?;
    Ok(())
}
