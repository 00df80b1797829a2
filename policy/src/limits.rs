//! How much one policy may hold. The compiler and the schema of the custom resources enforce the
//! same numbers, so that what the API server stores compiles, and what compiles can be stored.
//!
//! Lengths of text are in characters (Unicode scalar values), as `maxLength` counts them.

/// Most rules of one policy.
pub const MAX_RULES: usize = 256;

/// Longest name of a rule.
pub const MAX_RULE_NAME: usize = 63;
/// What a rule may be called: a label of RFC 1123, as Kubernetes names most objects. Anchored, in
/// the syntax of RE2.
pub const RULE_NAME_PATTERN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// Longest resource of a rule.
pub const MAX_RESOURCE: usize = 2048;
/// Longest reason of a rule.
pub const MAX_REASON: usize = 512;

/// Most methods of one rule.
pub const MAX_METHODS: usize = 16;
/// Longest method.
pub const MAX_METHOD: usize = 32;
/// What a method may be: capitals, as RFC 9110 registers them. Anchored, in the syntax of RE2.
pub const METHOD_PATTERN: &str = "^[A-Z][A-Z-]*$";

/// Most types of DNS records of one rule.
pub const MAX_TYPES: usize = 11;

/// Most body patterns of one rule.
pub const MAX_BODY_PATTERNS: usize = 64;
/// Longest body pattern.
pub const MAX_BODY_PATTERN: usize = 512;

/// Most patterns of one rule that may be nowhere in a request. Each is as long as a body pattern.
pub const MAX_PATTERNS: usize = 64;

/// Most entries of a rule's `mask`.
pub const MAX_MASKS: usize = 16;

/// Most detectors of one rule, and the longest name of one.
pub const MAX_DETECTORS: usize = 256;
pub const MAX_DETECTOR: usize = 63;

/// Longest name and key of a Secret, as Kubernetes has them.
pub const MAX_SECRET_NAME: usize = 253;
pub const MAX_SECRET_KEY: usize = 253;
/// Longest name of a header or of a query parameter that a credential goes to.
pub const MAX_CREDENTIAL_NAME: usize = 63;
/// Longest template of a credential.
pub const MAX_TEMPLATE: usize = 256;
/// Longest user name of HTTP Basic.
pub const MAX_USERNAME: usize = 255;
/// Longest name of a variable for a placeholder.
pub const MAX_ENV: usize = 127;
