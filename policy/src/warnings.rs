//! What compiles and is probably not meant. Admission and `exeat policy check` say it alike.

use crate::action::Effect;
use crate::body::{BodyPatterns, Scanner};
use crate::cluster::likely_service;
use crate::compile::CompiledPolicy;
use crate::rule::Rule;

/// Names that ordinary requests hold, and which requests those are.
const EVERYDAY: [(&str, &[&str]); 8] = [
    (
        "requests to model APIs",
        &[
            "max_tokens",
            "max_completion_tokens",
            "max_output_tokens",
            "maxOutputTokens",
            "budget_tokens",
            "messages",
            "content",
            "role",
            "user",
            "assistant",
            "system",
            "model",
            "prompt",
            "temperature",
            "stream",
            "tool_choice",
            "tools",
            "input_schema",
            "parameters",
            "description",
            "required",
            "properties",
            "response_format",
            "cache_control",
            "metadata",
            "user_id",
            "session_id",
        ],
    ),
    (
        "the JSON-RPC of tool servers",
        &["jsonrpc", "method", "params", "arguments", "progressToken"],
    ),
    (
        "requests to code hosts",
        &[
            "author",
            "committer",
            "message",
            "branch",
            "title",
            "body",
            "commit_id",
            "sha",
            "key_id",
            "public_key",
            "encrypted_value",
            "author_association",
        ],
    ),
    (
        "requests to cloud APIs",
        &[
            "pageToken",
            "nextPageToken",
            "ClientRequestToken",
            "NextToken",
            "clientToken",
            "KeyName",
            "KeyId",
            "SecretId",
            "BucketKeyEnabled",
            "PrimaryKey",
            "PartitionKey",
        ],
    ),
    (
        "requests to Kubernetes",
        &["secretKeyRef", "secretName", "serviceAccountToken", "apiVersion"],
    ),
    ("sign-in by OAuth", &["token_type", "grant_type", "authorization_code", "id_token_hint"]),
    (
        "telemetry",
        &["traceId", "spanId", "resourceSpans", "attributes", "service.name", "keyValue"],
    ),
    ("package managers", &["dependencies", "integrity", "tokenHelper", "keywords", "license"]),
];

/// Header lines that ordinary clients send.
const HEADERS: (&str, &[&str]) = (
    "the header lines of ordinary clients",
    &[
        "authorization",
        "user-agent",
        "accept-encoding",
        "accept-language",
        "content-type",
        "content-length",
        "host",
        "connection",
        "cookie",
        "x-api-key",
        "anthropic-version",
        "x-stainless-lang",
        "traceparent",
        "if-none-match",
        "cache-control",
        "x-amz-security-token",
        "bearer",
    ],
);

/// A sentence for each thing that compiles and is probably not meant, with the field that it is about.
pub fn warnings(policy: &CompiledPolicy) -> Vec<String> {
    let mut said = Vec::new();
    for (at, rule) in policy.rules.iter().enumerate().filter(|(_, it)| it.effect == Effect::Allow) {
        if let Some(service) = likely_service(&rule.pattern) {
            said.push(format!(
                "spec.rules[{at}].resource: this is a host of a public or private domain; write \
                 {service} if a Service of the cluster is meant"
            ));
        }
        everyday(rule, at, &mut said);
    }
    said
}

/// Patterns that refuse what ordinary clients send.
fn everyday(rule: &Rule, at: usize, said: &mut Vec<String>) {
    let Some(content) = &rule.content else { return };
    let lists = [
        ("denyBodyPatterns", &content.body, EVERYDAY.as_slice(), None),
        ("denyPatterns", &content.anywhere, EVERYDAY.as_slice(), Some(HEADERS)),
    ];
    for (field, list, bodies, headers) in lists {
        for (index, pattern) in list.iter().flat_map(BodyPatterns::patterns).enumerate() {
            let Ok(alone) = BodyPatterns::compile(std::slice::from_ref(pattern)) else { continue };
            let met = bodies.iter().copied().chain(headers).find_map(|(of, words)| {
                let word = words.iter().find(|word| meets(&alone, word))?;
                Some((of, word))
            });
            if let Some((of, word)) = met {
                let brief: String = pattern.chars().take(80).collect();
                said.push(format!(
                    "spec.rules[{at}].{field}[{index}]: {brief:?} refuses everyday traffic: \
                     {word:?} of {of} matches it; name what is secret, such as sk-live- or a \
                     project's code name, or list detectors in denyDetectors"
                ));
            }
        }
    }
}

/// Whether the pattern matches this word, as a name in a body.
fn meets(pattern: &BodyPatterns, word: &str) -> bool {
    let mut scanner = Scanner::new(pattern);
    let text = format!("{{\"{word}\": 1}}");
    scanner.push(text.as_bytes()).is_some() || scanner.finish().is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::compile::compile_policy;
    use crate::source::{PolicyRef, PolicySource, RuleSource};

    fn of(change: impl FnOnce(&mut RuleSource)) -> Vec<String> {
        let resource = "https://api.example.com/**";
        let mut rule = RuleSource::new("api", "network.request", resource, Effect::Allow);
        change(&mut rule);
        let origin = PolicyRef::namespaced("agents", "agent");
        warnings(&compile_policy(&PolicySource::new(origin, vec![rule])).unwrap())
    }

    #[test]
    fn a_pattern_that_meets_everyday_names_is_said() {
        let said = of(|rule| {
            rule.deny_body_patterns =
                ["project zeus", "token", r"(?-i)sk-live-"].map(Into::into).into();
        });
        let [one] = said.as_slice() else { panic!("{said:?}") };
        assert!(one.starts_with("spec.rules[0].denyBodyPatterns[1]: \"token\""), "{one}");
        assert!(one.contains("max_tokens") && one.contains("model APIs"), "{one}");
    }

    #[test]
    fn header_lines_count_where_they_are_looked_at() {
        let pattern = || vec!["authoriz".to_owned()];
        assert!(!of(|rule| rule.deny_patterns = pattern()).is_empty());
        let pattern = || vec!["user-agent".to_owned()];
        assert_eq!(of(|rule| rule.deny_body_patterns = pattern()).len(), 0);
        let said = of(|rule| rule.deny_patterns = pattern());
        assert!(
            said[0].contains("denyPatterns[0]") && said[0].contains("header lines"),
            "{said:?}"
        );
    }

    #[test]
    fn what_names_a_secret_is_not_said() {
        let names =
            ["password", r"sk-(live|test)-\w+", "BEGIN (RSA |EC )?PRIVATE KEY", "confidential"];
        let said = of(|rule| rule.deny_patterns = names.map(Into::into).into());
        assert_eq!(said, Vec::<String>::new());
    }

    #[test]
    fn a_name_that_may_mean_a_service_is_said() {
        let said = of(|rule| rule.resource = "https://orders.dev/**".into());
        assert!(said[0].starts_with("spec.rules[0].resource"), "{said:?}");
    }
}
