//! Paths of mounts in one form.

/// A path with `.`, `..` and doubled slashes resolved, and a slash at its end: a path lies in a
/// directory where its form begins with the directory's.
pub(super) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { "/".to_owned() } else { format!("/{}/", parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_path_have_one_form() {
        for path in ["/etc/ssl", "/etc/ssl/", "/etc//./ssl", "/etc/ssl/certs/..", "etc/ssl"] {
            assert_eq!(normal(path), "/etc/ssl/", "{path}");
        }
        assert_eq!(normal("/"), "/");
        assert_eq!(normal("/../.."), "/");
    }
}
