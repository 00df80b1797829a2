//! For whom a token is made. Every audience of Exeat begins with [`PROXY`], which is how the chart's
//! backstop and admission know one.

/// Of the token by which a proxy proves which pod it serves. Only a kubelet may ask for one.
pub const PROXY: &str = "exeat.dev";
/// Of a token that a person makes to read the audit.
pub const AUDIT: &str = "exeat.dev/audit";

/// The resource, in the API group `exeat.dev`, that a person must be allowed to `get` in order to
/// read the audit. No object of it exists: the collector asks for a SubjectAccessReview.
pub const AUDIT_RECORDS: &str = "auditrecords";
