//! What the container that the process runs in may take.

/// Of cgroup v2, as a container sees its own, and of v1.
const LIMITS: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
/// Version 1 has no word for no limit, but a number that no machine has.
const UNLIMITED: u64 = 1 << 60;

/// The limit of memory in bytes, where there is one.
pub(super) fn memory_limit() -> Option<u64> {
    LIMITS.iter().find_map(|path| limit(&std::fs::read_to_string(path).ok()?))
}

fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|limit| (1..UNLIMITED).contains(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_that_a_machine_can_have() {
        assert_eq!(limit("536870912\n"), Some(512 << 20));
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("9223372036854771712\n"), None);
        assert_eq!(limit("0"), None);
    }
}
