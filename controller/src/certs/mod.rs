//! The certificates of the webhooks and of the control API.

mod trust;

pub use trust::Trust;
