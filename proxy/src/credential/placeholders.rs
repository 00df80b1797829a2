//! The placeholders of a pod: which credential each stands for, and how any of them is found where it
//! does not belong.

use exeat_policy::body::BodyPatterns;
use exeat_policy::content::Content;
use exeat_policy::credential::{Credential, Placeholder, SecretKey};
use exeat_policy::limits::MAX_BODY_PATTERNS;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The placeholders of the credentials that are in force.
#[derive(Debug, Default)]
pub struct Placeholders {
    of: BTreeMap<SecretKey, Placeholder>,
    /// As the agent is given each, for the host of its first rule.
    shaped: BTreeMap<SecretKey, String>,
    content: Vec<Arc<Content>>,
}

impl Placeholders {
    /// `seed` is the pod's; without one there are none.
    pub fn new<'a>(seed: &str, credentials: impl Iterator<Item = &'a Arc<Credential>>) -> Self {
        let (mut of, mut shaped) = (BTreeMap::new(), BTreeMap::new());
        for credential in credentials {
            let Some(placeholder) = Placeholder::of(seed, &credential.secret) else { continue };
            let text = placeholder.shaped_for(&credential.host);
            shaped.entry(credential.secret.clone()).or_insert(text);
            of.insert(credential.secret.clone(), placeholder);
        }
        // Hexadecimal digits are literals in an expression.
        let cores: Vec<String> = of.values().map(|it| it.core().to_owned()).collect();
        let content = cores.chunks(MAX_BODY_PATTERNS).filter_map(|some| {
            let patterns = BodyPatterns::compile(some)
                .inspect_err(|error| tracing::error!(%error, "Placeholders not looked for"));
            Some(Arc::new(Content { anywhere: Some(patterns.ok()?), ..Content::default() }))
        });
        let content = content.collect();
        Self { of, shaped, content }
    }

    /// Whether this text is the placeholder of this secret.
    pub fn is(&self, text: &str, secret: &SecretKey) -> bool {
        self.of.get(secret).is_some_and(|placeholder| placeholder.is(text))
    }

    /// What finds any of them, in whatever encoding. Empty: there are none.
    pub fn content(&self) -> &[Arc<Content>] {
        &self.content
    }

    /// Each secret and its placeholder, for the agent.
    pub fn shaped(&self) -> impl Iterator<Item = (&SecretKey, &str)> {
        self.shaped.iter().map(|(secret, text)| (secret, text.as_str()))
    }
}
