//! Which pods are agents.
//!
//! 1. Every pod of a namespace labelled `exeat.dev/agents=all`.
//! 2. Elsewhere a pod labelled `exeat.dev/agent=true`; `=false` says that it is none.
//!
//! Any other value of either label is refused rather than ignored: somebody who wrote `yes` meant
//! the pod to be held, and a typing error must not let it go.

use super::refusal::Refusal;
use exeat_api::labels::{
    NAMESPACE_LABEL, NAMESPACE_LABEL_ALL, POD_LABEL, POD_LABEL_AGENT, POD_LABEL_NO_AGENT,
};
use std::collections::BTreeMap;

pub type Labels = BTreeMap<String, String>;

/// The answer to "is this pod an agent?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    Agent,
    Other,
    /// A label that says neither.
    Unclear(Refusal),
}

/// Decides from labels alone.
pub(super) fn scope(namespace: &Labels, pod: &Labels) -> Scope {
    let everywhere = match namespace.get(NAMESPACE_LABEL).map(String::as_str) {
        None => false,
        Some(NAMESPACE_LABEL_ALL) => true,
        Some(other) => return Scope::Unclear(unclear_namespace(other)),
    };
    match pod.get(POD_LABEL).map(String::as_str) {
        Some(POD_LABEL_AGENT) => Scope::Agent,
        Some(POD_LABEL_NO_AGENT) if everywhere => Scope::Unclear(Refusal::new(
            label_field(POD_LABEL),
            format!(
                "`{POD_LABEL}={POD_LABEL_NO_AGENT}` does not free a pod of a namespace labelled \
                 `{NAMESPACE_LABEL}={NAMESPACE_LABEL_ALL}`"
            ),
            "remove the label, or run the pod in a namespace that is not for agents",
        )),
        Some(POD_LABEL_NO_AGENT) => Scope::Other,
        Some(other) => Scope::Unclear(Refusal::new(
            label_field(POD_LABEL),
            format!("`{other}` says neither that the pod is an agent nor that it is none"),
            format!("write `{POD_LABEL}: \"{POD_LABEL_AGENT}\"`, or remove the label"),
        )),
        None if everywhere => Scope::Agent,
        None => Scope::Other,
    }
}

fn unclear_namespace(value: &str) -> Refusal {
    Refusal::new(
        "namespace ".to_owned() + &label_field(NAMESPACE_LABEL),
        format!("`{value}` is not a value of this label, so it is unclear which pods are agents"),
        format!(
            "label the namespace `{NAMESPACE_LABEL}={NAMESPACE_LABEL_ALL}`, or remove the label"
        ),
    )
}

fn label_field(label: &str) -> String {
    format!("metadata.labels[{label}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn labels_that_are_clear() {
        let all = labels(&[(NAMESPACE_LABEL, "all")]);
        let none = Labels::new();
        let agent = labels(&[(POD_LABEL, "true")]);
        let not = labels(&[(POD_LABEL, "false")]);
        assert_eq!(scope(&all, &none), Scope::Agent);
        assert_eq!(scope(&all, &agent), Scope::Agent);
        assert_eq!(scope(&none, &agent), Scope::Agent);
        assert_eq!(scope(&none, &none), Scope::Other);
        assert_eq!(scope(&none, &not), Scope::Other);
    }

    #[test]
    fn labels_that_are_not() {
        for value in ["yes", "True", "TRUE", "1", "", "all"] {
            let odd = labels(&[(POD_LABEL, value)]);
            for namespace in [Labels::new(), labels(&[(NAMESPACE_LABEL, "all")])] {
                assert!(matches!(scope(&namespace, &odd), Scope::Unclear(_)), "{value}");
            }
        }
        for value in ["true", "All", "", "none"] {
            let odd = labels(&[(NAMESPACE_LABEL, value)]);
            let agent = labels(&[(POD_LABEL, "true")]);
            for pod in [Labels::new(), agent] {
                assert!(matches!(scope(&odd, &pod), Scope::Unclear(_)), "{value}");
            }
        }
        let all = labels(&[(NAMESPACE_LABEL, "all")]);
        assert!(matches!(scope(&all, &labels(&[(POD_LABEL, "false")])), Scope::Unclear(_)));
    }
}
