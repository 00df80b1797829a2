//! What servers do to a path once it is decoded: empty segments, dot segments, an authority.

/// Without empty segments; a final slash stays.
pub(super) fn merged(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '/' || !out.ends_with('/') {
            out.push(c);
        }
    }
    out
}

/// RFC 3986 §5.2.4, `remove_dot_segments`. Empty segments are segments.
pub(super) fn resolved(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut open = false;
    for segment in text.split('/').skip(1) {
        open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(text.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if open || kept.is_empty() {
        out.push('/');
    }
    out
}

/// What is left where `//host/path` is read as a reference with an authority (RFC 3986 §4.2). A
/// server behind another one may read a backslash as the second slash.
fn without_authority(text: &str) -> impl Iterator<Item = String> {
    let rest = text.strip_prefix("//").or_else(|| text.strip_prefix("/%5C"));
    let rest = rest.map(|rest| rest.trim_start_matches('/'));
    let plain = rest.map(|rest| rest.find('/').map_or("/", |at| &rest[at..]).to_owned());
    // Old parsers look for user information in all of it, and end the host at the first odd byte.
    let behind_user = rest.and_then(|rest| rest.rsplit_once('@')).map(|(_, host)| {
        let path =
            host.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-._".contains(c));
        format!("/{}", path.trim_start_matches('/'))
    });
    plain.into_iter().chain(behind_user)
}

/// Every shape of the text, the text itself first.
pub(super) fn all(text: String) -> Vec<String> {
    let mut shapes = vec![text];
    let empty = shapes[0].contains("//");
    let dots = has_dots(&shapes[0]);
    let paths: Vec<_> = without_authority(&shapes[0]).collect();
    shapes.extend(paths);
    if empty {
        extend(&mut shapes, merged);
    }
    if dots {
        extend(&mut shapes, resolved);
        if empty {
            extend(&mut shapes, merged);
        }
    }
    shapes
}

fn extend(shapes: &mut Vec<String>, change: fn(&str) -> String) {
    let changed: Vec<_> = shapes.iter().map(|one| change(one)).collect();
    shapes.extend(changed);
}

pub(super) fn has_dots(text: &str) -> bool {
    text.contains("/.") && text.split('/').any(|segment| matches!(segment, "." | ".."))
}
