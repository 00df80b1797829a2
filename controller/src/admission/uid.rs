//! The uid by which capture tells the proxy from everything else in its pod.
//!
//! Drawn per pod, so that no image can name it beforehand; never one that the pod asks for.

use super::pod::PodView;
use exeat_api::pod::is_reserved;
use rand::{TryRngCore as _, rngs::OsRng};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Where uids are drawn from.
const RANGE: RangeInclusive<i64> = 1_000_000_000..=1_999_999_999;
/// A pod with a user namespace of its own has 65,536 uids only.
const RANGE_IN_USER_NAMESPACE: RangeInclusive<i64> = 10_000..=65_533;

/// The range that a pod's uid must come from.
pub(super) fn range(pod: &PodView<'_>) -> RangeInclusive<i64> {
    match pod.spec().host_users {
        Some(false) => RANGE_IN_USER_NAMESPACE,
        _ => RANGE,
    }
}

/// Draws a uid that nothing in the pod asks for. `None` when the system has no randomness, or
/// when every draw of a thousand was taken: the pod is refused then.
pub(super) fn draw(pod: &PodView<'_>) -> Option<i64> {
    let taken = asked_for(pod);
    let range = range(pod);
    (0..1_000).map_while(|_| one_of(&range)).find(|uid| !taken.contains(uid))
}

/// One number of the range. The remainder's bias is below 2^-33 and buys an attacker nothing.
fn one_of(range: &RangeInclusive<i64>) -> Option<i64> {
    let span = u64::try_from(range.end() - range.start() + 1).ok()?;
    let offset = OsRng.try_next_u64().ok()? % span;
    Some(range.start() + i64::try_from(offset).ok()?)
}

/// Every uid and gid that a pod's author wrote down, each with the field it stands in.
pub(super) fn written(pod: &PodView<'_>) -> Vec<(String, i64)> {
    let at = format!("{}spec.securityContext", pod.prefix);
    let security = pod.security();
    let mut all = Vec::new();
    let mut add = |field: String, id: Option<i64>| all.extend(id.map(|id| (field, id)));
    add(format!("{at}.runAsUser"), security.run_as_user);
    add(format!("{at}.runAsGroup"), security.run_as_group);
    add(format!("{at}.fsGroup"), security.fs_group);
    for (i, group) in security.supplemental_groups.into_iter().flatten().enumerate() {
        add(format!("{at}.supplementalGroups[{i}]"), Some(group));
    }
    for c in pod.containers().iter().filter(|c| !is_reserved(&c.container.name)) {
        let security = c.container.security_context.clone().unwrap_or_default();
        add(format!("{}.securityContext.runAsUser", c.field), security.run_as_user);
        add(format!("{}.securityContext.runAsGroup", c.field), security.run_as_group);
    }
    all
}

fn asked_for(pod: &PodView<'_>) -> BTreeSet<i64> {
    written(pod).into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charts_backstop_refuses_smaller_uids_and_no_larger_ones() {
        let backstop = include_str!("../../../charts/exeat/templates/backstop.yaml");
        let smallest = *RANGE_IN_USER_NAMESPACE.start().min(RANGE.start());
        assert!(backstop.contains(&format!("variables.proxyUid >= {smallest}\n")));
    }
}
