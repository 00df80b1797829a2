//! The definitions that are checked in are those of the types, and every part of them is bounded.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::path::Path;

#[test]
fn yaml_is_what_the_types_say() {
    for definition in exeat_crds::definitions().unwrap() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml").join(definition.file);
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == definition.yaml().unwrap(),
            "crds/yaml/{} is out of date; run: cargo run -p exeat-crds --example generate",
            definition.file
        );
    }
}

#[test]
fn every_list_and_string_has_a_maximum() {
    for definition in exeat_crds::definitions().unwrap() {
        let schema = schema(&definition.value);
        for part in ["spec", "status"] {
            assert_bounded(&schema["properties"][part], &format!("{}:{part}", definition.file));
        }
    }
}

#[test]
fn lists_with_keys_are_maps_and_roots_are_documented() {
    for definition in exeat_crds::definitions().unwrap() {
        let schema = schema(&definition.value);
        let rules = &schema["properties"]["spec"]["properties"]["rules"];
        assert_eq!(rules["x-kubernetes-list-map-keys"], serde_json::json!(["name"]));
        let conditions = &schema["properties"]["status"]["properties"]["conditions"];
        assert_eq!(conditions["x-kubernetes-list-map-keys"], serde_json::json!(["type"]));
        let text = schema["description"].as_str().unwrap_or_default();
        assert!(text.starts_with("What "), "{}: {text}", definition.file);
        let names = &definition.value["spec"]["names"];
        assert_eq!(names["categories"], serde_json::json!(["agents"]));
    }
}

fn schema(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

fn assert_bounded(schema: &Value, path: &str) {
    assert!(schema.is_object(), "{path} has no schema");
    let has = |key: &str| schema.get(key).is_some();
    assert!(schema["additionalProperties"] != Value::Bool(false), "{path}: not structural");
    match schema["type"].as_str() {
        Some("string") => {
            assert!(has("maxLength") || has("enum") || has("format"), "{path}: no maxLength");
        }
        Some("array") => {
            assert!(has("maxItems"), "{path}: no maxItems");
            assert_bounded(&schema["items"], &format!("{path}[]"));
        }
        _ => {}
    }
    if has("additionalProperties") {
        assert!(has("maxProperties"), "{path}: no maxProperties");
        assert_bounded(&schema["additionalProperties"], &format!("{path}.*"));
    }
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        assert_bounded(child, &format!("{path}.{name}"));
    }
}
