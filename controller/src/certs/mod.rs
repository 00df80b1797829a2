//! The certificates of the webhooks and of the control API.
//!
//! Two sources: the Secret `exeat-ca`, made and rotated by the Lease holder, from which every
//! replica issues its own short-lived leaf in memory; or files that somebody else manages. Both are
//! looked at again and again, so that a missed notification cannot leave an expired certificate.

mod authority;
mod files;
mod keeper;
mod leaf;
mod trust;

pub use authority::{Authorities, CertificateError, certified};
pub use files::keep_files;
pub use keeper::{Keeper, server_names};
pub use leaf::{Leaf, server_config};
pub use trust::Trust;
