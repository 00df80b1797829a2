//! Tables of objects: each document of a YAML text says in the annotation `e2e/expect` what the
//! API server's answer must mention, parts divided by ` | `, or `admitted`. Nothing is stored:
//! every request is a dry run, which goes through the whole of admission.

use anyhow::Context;
use exeat_e2e::Case;
use kube::api::{DynamicObject, PostParams};
use serde::Deserialize;
use serde_json::Value;

const EXPECT: &str = "e2e/expect";

/// The objects of a YAML text with what is expected of each.
pub(super) fn rows(yaml: &str) -> anyhow::Result<Vec<(DynamicObject, String)>> {
    let documents = serde_yaml::Deserializer::from_str(yaml).map(Value::deserialize);
    let mut rows = Vec::new();
    for document in documents {
        let mut object: DynamicObject = serde_json::from_value(document?)?;
        let annotations = object.metadata.annotations.as_mut();
        let expected = annotations.and_then(|all| all.remove(EXPECT));
        rows.push((object, expected.with_context(|| format!("a document without {EXPECT}"))?));
    }
    Ok(rows)
}

/// Fails with every row whose answer is not the expected one.
pub(super) async fn expect_rows(case: &Case, yaml: &str) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    let rows = rows(yaml)?;
    anyhow::ensure!(!rows.is_empty(), "a table without rows");
    for (object, expected) in rows {
        let name = object.metadata.name.clone().unwrap_or_default();
        match (dry_run(case, &object).await, expected.as_str()) {
            (Ok(_), "admitted") => {}
            (Ok(_), _) => wrong.push(format!("{name} was admitted")),
            (Err(error), "admitted") => wrong.push(format!("{name} was refused: {error:#}")),
            (Err(error), parts) => {
                let said = format!("{error:#}");
                let missing: Vec<_> = parts.split(" | ").filter(|p| !said.contains(p)).collect();
                if !missing.is_empty() {
                    wrong.push(format!("{name}: no mention of {missing:?} in: {said}"));
                }
            }
        }
    }
    anyhow::ensure!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

/// What the API server would store.
pub(super) async fn dry_run(case: &Case, object: &DynamicObject) -> anyhow::Result<DynamicObject> {
    let api = case.cluster.api_of(object, &case.namespace).await?;
    Ok(api.create(&PostParams { dry_run: true, ..PostParams::default() }, object).await?)
}
