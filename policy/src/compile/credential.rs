//! `credential` of a rule.

use super::{CompileError, error};
use crate::action::{Action, Effect};
use crate::credential::{Credential, SecretKey, Slot, VALUE};
use crate::limits::{
    MAX_CREDENTIAL_NAME, MAX_ENV, MAX_SECRET_KEY, MAX_SECRET_NAME, MAX_TEMPLATE, MAX_USERNAME,
};
use crate::pattern::{HostPattern, PortPattern, ResourcePattern, Scheme};
use crate::source::{CredentialSource, PolicyRef, RuleSource, Tier, TlsMode};
use std::sync::Arc;

/// Headers that the proxy writes or takes out itself wherever it adds a credential.
const OWN: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-encoding",
    "content-type",
    "cookie",
    "exeat-target",
    "expect",
    "host",
    "if-range",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The credential of a rule that compiles otherwise; none where it has none, or a wrong one.
pub(crate) fn credential_of(rule: &RuleSource, origin: &PolicyRef) -> Option<Arc<Credential>> {
    let pattern =
        ResourcePattern::parse(&rule.resource, Action::NetworkRequest, rule.effect).ok()?;
    let action =
        (rule.action == Action::NetworkRequest.as_str()).then_some(Action::NetworkRequest)?;
    let mut errors = Vec::new();
    check_credential(rule, action, Some(&pattern), origin, "", &mut errors)
        .filter(|_| errors.is_empty())
}

/// Checks the credential of a rule. `pattern`: none where the resource does not compile.
pub(super) fn check_credential(
    rule: &RuleSource,
    action: Action,
    pattern: Option<&ResourcePattern>,
    origin: &PolicyRef,
    path: &str,
    errors: &mut Vec<CompileError>,
) -> Option<Arc<Credential>> {
    let source = rule.credential.as_ref()?;
    let at = format!("{path}.credential");
    if origin.tier != Tier::Namespaced {
        let problem = "a Secret belongs to a namespace, and only an AgentPolicy to the same";
        errors.push(error(&at, problem.into(), "move the rule to an AgentPolicy"));
        return None;
    }
    if action != Action::NetworkRequest || rule.effect != Effect::Allow {
        let problem = "a credential is added to what an Allow of network.request lets out";
        errors.push(error(&at, problem.into(), "move it to such a rule"));
        return None;
    }
    if rule.tls == TlsMode::Passthrough {
        let problem = "nothing can be added to TLS that passes through";
        errors.push(error(&format!("{path}.tls"), problem.into(), "set tls to Intercept"));
    }
    let host = check_place(pattern?, path, errors);
    let secret = check_secret(source, origin, &at, errors);
    let slot = check_slot(source, &at, errors);
    check_env(source, &at, errors);
    Some(Arc::new(Credential {
        secret,
        slot: slot?,
        placeholder: source.placeholder,
        env: source.env.clone(),
        host: host?,
    }))
}

/// A credential goes to one server, over TLS.
fn check_place(
    pattern: &ResourcePattern,
    path: &str,
    errors: &mut Vec<CompileError>,
) -> Option<String> {
    let path = format!("{path}.resource");
    let fix = "write https:// and one host";
    match pattern.scheme {
        Some(Scheme::Https) => {}
        Some(Scheme::Http | Scheme::Ws) => {
            errors.push(error(&path, "the credential would go out in the clear".into(), fix));
        }
        _ => errors.push(error(&path, "a credential is added to https requests".into(), fix)),
    }
    if pattern.port == PortPattern::Any {
        let problem = "a credential goes to one port of its host".into();
        errors.push(error(&path, problem, "name the port, or leave it out for 443"));
    }
    match &pattern.host {
        HostPattern::Exact(name) => Some(name.to_string()),
        _ => {
            errors.push(error(&path, "a credential goes to one host, by its name".into(), fix));
            None
        }
    }
}

fn check_secret(
    source: &CredentialSource,
    origin: &PolicyRef,
    at: &str,
    errors: &mut Vec<CompileError>,
) -> SecretKey {
    let (name, key) = (&source.secret_ref.name, &source.secret_ref.key);
    let label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| label(byte) || matches!(byte, b'-' | b'.');
    let ends = |text: &str| {
        text.bytes().next().is_some_and(label) && text.bytes().last().is_some_and(label)
    };
    if name.len() > MAX_SECRET_NAME || !name.bytes().all(inner) || !ends(name) {
        let problem = format!("{name:?} is no name of a Secret");
        errors.push(error(&format!("{at}.secretRef.name"), problem, "write its metadata.name"));
    }
    let of_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let dots = key.bytes().all(|byte| byte == b'.');
    if !(1..=MAX_SECRET_KEY).contains(&key.len()) || !key.bytes().all(of_key) || dots {
        let problem = format!("{key:?} is no key of a Secret");
        errors.push(error(&format!("{at}.secretRef.key"), problem, "write a key of its data"));
    }
    SecretKey { namespace: origin.namespace.clone(), name: name.clone(), key: key.clone() }
}

fn check_slot(source: &CredentialSource, at: &str, errors: &mut Vec<CompileError>) -> Option<Slot> {
    let places = [source.header.is_some(), source.query.is_some(), source.basic.is_some()];
    match places.into_iter().filter(|one| *one).count() {
        1 => {}
        0 => {
            let problem = "it is not said where the credential goes".into();
            errors.push(error(at, problem, "add one of header, query or basic"));
            return None;
        }
        _ => {
            let problem = "the credential goes to more than one place".into();
            errors.push(error(at, problem, "keep one of header, query and basic"));
            return None;
        }
    }
    if source.template.is_some() && source.header.is_none() {
        let problem = "a template is for a header".into();
        errors.push(error(&format!("{at}.template"), problem, "remove it, or use header"));
    }
    if let Some(name) = &source.header {
        return check_header(name, source.template.as_deref().unwrap_or(VALUE), at, errors);
    }
    if let Some(name) = &source.query {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !(1..=MAX_CREDENTIAL_NAME).contains(&name.len()) || !name.bytes().all(plain) {
            let problem = format!("{name:?} is no plain name of a query parameter");
            errors.push(error(&format!("{at}.query"), problem, "use letters, digits, - _ ."));
        }
        return Some(Slot::Query { name: name.clone() });
    }
    let username = source.basic.as_ref()?;
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b':';
    if username.len() > MAX_USERNAME || !username.bytes().all(plain) {
        let problem = "the user name is too long, has a colon, or is not printable ASCII".into();
        errors.push(error(&format!("{at}.basic"), problem, "write a plain user name"));
    }
    Some(Slot::Basic { username: username.clone() })
}

fn check_header(
    name: &str,
    template: &str,
    at: &str,
    errors: &mut Vec<CompileError>,
) -> Option<Slot> {
    let lower = name.to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let field = format!("{at}.header");
    if !(1..=MAX_CREDENTIAL_NAME).contains(&name.len()) || !name.bytes().all(plain) {
        let problem = format!("{name:?} is no plain name of a header");
        errors.push(error(&field, problem, "use letters, digits and -"));
    } else if OWN.contains(&lower.as_str()) || lower.starts_with("proxy-") {
        let problem = format!("{name} is the proxy's own to write");
        errors.push(error(&field, problem, "use the header that the server reads the key from"));
    }
    let field = format!("{at}.template");
    if template.len() > MAX_TEMPLATE || !template.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    {
        let problem = format!("it is longer than {MAX_TEMPLATE}, or not printable ASCII");
        errors.push(error(&field, problem, "write such as \"Bearer {value}\""));
    }
    let mut parts = template.splitn(2, VALUE);
    let (before, after) = (parts.next().unwrap_or_default(), parts.next());
    match after {
        Some(after) if !after.contains(VALUE) => {
            Some(Slot::Header { name: lower, before: before.to_owned(), after: after.to_owned() })
        }
        _ => {
            let problem = "the template must have {value} once".into();
            errors.push(error(&field, problem, "write such as \"Bearer {value}\""));
            None
        }
    }
}

fn check_env(source: &CredentialSource, at: &str, errors: &mut Vec<CompileError>) {
    let Some(name) = &source.env else { return };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    let ours = name.starts_with("EXEAT_") || name.starts_with("LD_");
    if name.len() > MAX_ENV || !begins || !name.bytes().all(plain) || ours {
        let problem = format!("{name:?} is no name of a variable that may be set");
        errors.push(error(&format!("{at}.env"), problem, "write such as ANTHROPIC_API_KEY"));
    }
}
