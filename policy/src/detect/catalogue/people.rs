//! National numbers, by region.

pub(super) mod americas;
pub(super) mod asia;
pub(super) mod europe;
pub(super) mod north;
