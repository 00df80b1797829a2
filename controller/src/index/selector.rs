//! Label selectors, parsed once.

use super::Labels;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeSet;

/// A label selector in a form that can be asked. An empty selector matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// Why a selector cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    #[error("operator {0:?} is not one of In, NotIn, Exists, DoesNotExist")]
    Operator(String),
    #[error("operator {operator} of key {key:?} {problem}")]
    Values { key: String, operator: String, problem: &'static str },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Parses; an unknown operator or a wrong number of values is an error, as in the API server.
    ///
    /// # Errors
    /// See [`SelectorError`].
    pub fn parse(selector: &LabelSelector) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        for (key, value) in selector.match_labels.iter().flatten() {
            requirements.push(Requirement {
                key: key.clone(),
                test: Test::In(BTreeSet::from([value.clone()])),
            });
        }
        for expression in selector.match_expressions.iter().flatten() {
            let values: BTreeSet<_> = expression.values.iter().flatten().cloned().collect();
            let wrong = |problem| SelectorError::Values {
                key: expression.key.clone(),
                operator: expression.operator.clone(),
                problem,
            };
            let test = match expression.operator.as_str() {
                "In" | "NotIn" if values.is_empty() => return Err(wrong("needs values")),
                "Exists" | "DoesNotExist" if !values.is_empty() => {
                    return Err(wrong("takes no values"));
                }
                "In" => Test::In(values),
                "NotIn" => Test::NotIn(values),
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::DoesNotExist,
                other => return Err(SelectorError::Operator(other.to_owned())),
            };
            requirements.push(Requirement { key: expression.key.clone(), test });
        }
        Ok(Self { requirements })
    }

    /// Whether `labels` satisfy every requirement. `NotIn` holds where the key is absent.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            match &requirement.test {
                Test::In(values) => value.is_some_and(|v| values.contains(v)),
                Test::NotIn(values) => value.is_none_or(|v| !values.contains(v)),
                Test::Exists => value.is_some(),
                Test::DoesNotExist => value.is_none(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(json: serde_json::Value) -> Result<Selector, SelectorError> {
        Selector::parse(&serde_json::from_value(json).unwrap())
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn selectors_match_as_in_the_api_server() {
        let a1 = labels(&[("a", "1")]);
        let none = labels(&[]);
        for (json, on_a1, on_none) in [
            (serde_json::json!({}), true, true),
            (serde_json::json!({"matchLabels": {"a": "1"}}), true, false),
            (serde_json::json!({"matchLabels": {"a": "2"}}), false, false),
            (expression("In", &["1", "2"]), true, false),
            (expression("NotIn", &["1"]), false, true),
            (expression("Exists", &[]), true, false),
            (expression("DoesNotExist", &[]), false, true),
        ] {
            let parsed = selector(json.clone()).unwrap();
            assert_eq!(parsed.matches(&a1), on_a1, "{json} on a=1");
            assert_eq!(parsed.matches(&none), on_none, "{json} on nothing");
        }
    }

    #[test]
    fn malformed_selectors_are_refused() {
        for json in
            [expression("Like", &["1"]), expression("In", &[]), expression("Exists", &["1"])]
        {
            assert!(selector(json.clone()).is_err(), "{json}");
        }
    }

    fn expression(operator: &str, values: &[&str]) -> serde_json::Value {
        serde_json::json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]})
    }
}
