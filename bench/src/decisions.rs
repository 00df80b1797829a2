//! What a decision costs, as `cargo bench -p exeat-policy` measured it.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// Median cost of one kind of decision with one number of rules.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Decision {
    pub(crate) kind: String,
    pub(crate) rules: u64,
    pub(crate) nanoseconds: f64,
}

/// Reads what criterion left: `decide/KIND/RULES/new/estimates.json` below `dir`.
pub(crate) fn read(dir: &Path) -> anyhow::Result<Vec<Decision>> {
    #[derive(Deserialize)]
    struct Estimates {
        median: Estimate,
    }
    #[derive(Deserialize)]
    struct Estimate {
        point_estimate: f64,
    }
    let mut all = Vec::new();
    let group = dir.join("decide");
    let listed =
        fs::read_dir(&group).with_context(|| format!("{} is not there", group.display()))?;
    for kind in listed {
        let kind = kind?;
        let Ok(counts) = fs::read_dir(kind.path()) else { continue };
        for count in counts {
            let count = count?;
            // Beside the numbers of rules there are reports.
            let Ok(rules) = count.file_name().to_string_lossy().parse() else { continue };
            let text = fs::read(count.path().join("new/estimates.json"))?;
            let estimates: Estimates = serde_json::from_slice(&text)?;
            all.push(Decision {
                kind: kind.file_name().to_string_lossy().into_owned(),
                rules,
                nanoseconds: estimates.median.point_estimate,
            });
        }
    }
    all.sort_by(|a, b| (&a.kind, a.rules).cmp(&(&b.kind, b.rules)));
    Ok(all)
}
