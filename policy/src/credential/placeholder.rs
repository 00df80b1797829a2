//! What an agent holds instead of a credential.
//!
//! A placeholder is derived from the pod's seed, which admission draws, and from the name of the
//! secret. So it differs from pod to pod and from secret to secret, admission and the proxy know it
//! without a word between them, and nobody can guess one who has not the seed. It protects nothing by
//! itself: whoever holds it can have the proxy put the value into its place, and that is all.

use super::SecretKey;
use sha2::{Digest, Sha256};

/// Keys of these hosts begin so. Clients look at it before they send one.
const SHAPES: [(&str, &str); 16] = [
    ("api.anthropic.com", "sk-ant-api03-"),
    ("api.openai.com", "sk-proj-"),
    ("api.groq.com", "gsk_"),
    ("api.mistral.ai", ""),
    ("api.perplexity.ai", "pplx-"),
    ("api.replicate.com", "r8_"),
    ("api.stripe.com", "sk_live_"),
    ("api.x.ai", "xai-"),
    ("api.github.com", "ghp_"),
    ("github.com", "ghp_"),
    ("gitlab.com", "glpat-"),
    ("huggingface.co", "hf_"),
    ("openrouter.ai", "sk-or-v1-"),
    ("registry.npmjs.org", "npm_"),
    ("slack.com", "xoxb-"),
    ("generativelanguage.googleapis.com", "AIza"),
];
/// Keys of all other hosts.
const PLAIN: &str = "exeat_placeholder_";
/// Bytes of the part that differs; it is written in hexadecimal.
const LENGTH: usize = 20;

/// The placeholder of one secret in one pod, but for how it begins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placeholder(String);

impl Placeholder {
    /// `seed` is the pod's. None where the pod has none.
    pub fn of(seed: &str, secret: &SecretKey) -> Option<Self> {
        if seed.is_empty() {
            return None;
        }
        let mut hash = Sha256::new();
        // Cut to twenty bytes, the hash cannot be extended by who does not know the seed.
        for part in ["exeat.dev/placeholder/v1", seed, &secret.namespace, &secret.name, &secret.key]
        {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        Some(Self(hex::encode(&hash.finalize()[..LENGTH])))
    }

    /// The part that differs from pod to pod, in lower case. It stands in every shape of it.
    pub fn core(&self) -> &str {
        &self.0
    }

    /// As the agent is given it for a host.
    pub fn shaped_for(&self, host: &str) -> String {
        let shape = SHAPES.iter().find(|(of, _)| *of == host).map_or(PLAIN, |(_, shape)| shape);
        format!("{shape}{}", self.0)
    }

    /// Whether this text is the placeholder, in any of its shapes, and nothing else.
    pub fn is(&self, text: &str) -> bool {
        let Some(start) = text.strip_suffix(&self.0) else { return false };
        start == PLAIN || SHAPES.iter().any(|(_, shape)| *shape == start)
    }
}
