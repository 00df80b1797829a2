//! Schemas of Kubernetes' own types, with the bounds that they lack.

use k8s_openapi::api::networking::v1::NetworkPolicyIngressRule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

/// A label key is at most 253 + 1 + 63 characters.
const MAX_STRING: u64 = 317;
const MAX_ITEMS: u64 = 64;
const MAX_MESSAGE: u64 = 32_768;

/// A label selector.
pub(crate) fn label_selector(generator: &mut SchemaGenerator) -> Schema {
    bounded::<LabelSelector>(generator, MAX_STRING)
}

/// NetworkPolicy ingress rules.
pub(crate) fn ingress(generator: &mut SchemaGenerator) -> Schema {
    bounded::<Vec<NetworkPolicyIngressRule>>(generator, MAX_STRING)
}

/// Conditions, one of each type.
pub(crate) fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = bounded::<Vec<Condition>>(generator, MAX_MESSAGE);
    schema.insert("x-kubernetes-list-type".into(), "map".into());
    schema.insert("x-kubernetes-list-map-keys".into(), serde_json::json!(["type"]));
    schema
}

fn bounded<T: JsonSchema>(generator: &mut SchemaGenerator, max_string: u64) -> Schema {
    let mut value = generator.subschema_for::<T>().to_value();
    bound(&mut value, max_string);
    Schema::try_from(value).unwrap_or_default()
}

/// Gives every string, list and map below `value` a maximum where it has none.
fn bound(value: &mut Value, max_string: u64) {
    let Value::Object(object) = value else {
        if let Value::Array(items) = value {
            items.iter_mut().for_each(|item| bound(item, max_string));
        }
        return;
    };
    object.values_mut().for_each(|child| bound(child, max_string));
    let kind = object.get("type").and_then(Value::as_str).map(str::to_owned);
    match kind.as_deref() {
        Some("string") if !object.contains_key("enum") && !object.contains_key("format") => {
            object.entry("maxLength").or_insert(max_string.into());
        }
        Some("array") => {
            object.entry("maxItems").or_insert(MAX_ITEMS.into());
        }
        Some("object") if object.contains_key("additionalProperties") => {
            object.entry("maxProperties").or_insert(MAX_ITEMS.into());
        }
        _ => {}
    }
}
