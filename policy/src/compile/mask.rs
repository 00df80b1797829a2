//! A rule's `mask`.

use super::{CompileError, check_detectors, error};
use crate::action::{Action, Effect};
use crate::limits::MAX_MASKS;
use crate::mask::Mask;
use crate::source::RuleSource;
use std::sync::Arc;

pub(super) fn check_masks(
    rule: &RuleSource,
    action: Action,
    path: &str,
    errors: &mut Vec<CompileError>,
) -> Vec<Arc<Mask>> {
    let path = format!("{path}.mask");
    if rule.mask.is_empty() {
        return Vec::new();
    }
    if action != Action::NetworkRequest || rule.effect != Effect::Allow {
        errors.push(error(
            &path,
            "bodies are masked under an Allow of network.request".into(),
            "move it to such a rule",
        ));
        return Vec::new();
    }
    if rule.mask.len() > MAX_MASKS {
        errors.push(error(
            &path,
            format!("there are more than {MAX_MASKS} entries"),
            "name several detectors in one entry",
        ));
        return Vec::new();
    }
    let mut masks = Vec::with_capacity(rule.mask.len());
    for (at, mask) in rule.mask.iter().enumerate() {
        let path = format!("{path}[{at}].detectors");
        if mask.detectors.is_empty() {
            errors.push(error(
                &path,
                "no detector is named".into(),
                "name one; `exeat detectors list` names them all",
            ));
            continue;
        }
        if let Some(set) = check_detectors(&mask.detectors, &path, errors) {
            masks.push(Arc::new(Mask {
                set,
                direction: mask.direction,
                with: mask.with,
                numbers: mask.numbers,
            }));
        }
    }
    masks
}
