//! What well-known servers make of a path, as functions: so that a fuzzer can compare any path with
//! them. `servers.jsonl` holds each function to its server (`main.rs`), and the fuzz target
//! `path_readings` holds the readings to the functions.
//!
//! A path is the text of a request line without controls and spaces. What is after `?` or `#` is
//! not part of it. `None`: the server refuses the request, or the function does not know.

/// A server by its name in `servers.jsonl`.
pub(crate) type Model = (&'static str, fn(&str) -> Option<Vec<u8>>);

pub(crate) const MODELS: [Model; 6] = [
    ("nginx merge", |path| nginx(path, true)),
    ("nginx keep", |path| nginx(path, false)),
    ("node URL", whatwg),
    ("python unquote", python),
    ("go Path", go),
    ("go Clean", go_clean),
];

/// `$uri` of nginx: decoded once, dot segments resolved, several slashes merged or not.
fn nginx(path: &str, merge: bool) -> Option<Vec<u8>> {
    let path = cut(path, &['?', '#']).as_bytes();
    let (mut segments, mut segment, mut at): (Vec<Vec<u8>>, Vec<u8>, usize) = Default::default();
    let mut ended = Vec::new();
    while at < path.len() {
        let byte = match path[at] {
            b'%' => {
                at += 2;
                escaped(path, at - 2)?
            }
            byte => byte,
        };
        at += 1;
        match byte {
            0 => return None,
            b'/' => ended.push(std::mem::take(&mut segment)),
            byte => segment.push(byte),
        }
    }
    ended.push(segment);
    let last = ended.len() - 1;
    // The first one is empty: a path begins with a slash.
    for (number, segment) in ended.into_iter().enumerate().skip(1) {
        let ends = number == last;
        match segment.as_slice() {
            b"." if ends => segments.push(Vec::new()),
            b"." => {}
            b".." => {
                segments.pop()?;
                if ends {
                    segments.push(Vec::new());
                }
            }
            b"" if merge && !ends => {}
            _ => segments.push(segment),
        }
    }
    Some(joined(&segments))
}

/// The pathname of the URL standard, as Node.js and browsers read it (WHATWG URL, "path state"),
/// without its percent-encoding.
fn whatwg(path: &str) -> Option<Vec<u8>> {
    let path = cut(path, &['?', '#']).replace('\\', "/");
    // Two slashes begin an authority, after which the path begins.
    let path = match path.strip_prefix("//") {
        Some(rest) => {
            let rest = rest.trim_start_matches('/');
            rest.find('/').map_or("/", |at| &rest[at..]).to_owned()
        }
        None => path,
    };
    let mut segments: Vec<Vec<u8>> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let ends = parts.peek().is_none();
        match part.to_ascii_lowercase().replace("%2e", ".").as_str() {
            "." if ends => segments.push(Vec::new()),
            "." => {}
            ".." => {
                segments.pop();
                if ends {
                    segments.push(Vec::new());
                }
            }
            _ => segments.push(part.into()),
        }
    }
    Some(joined(&segments))
}

/// `urllib.parse.unquote_to_bytes` behind `http.server`, which merges slashes at the beginning: what is
/// no escape stays.
fn python(path: &str) -> Option<Vec<u8>> {
    let path = cut(path, &['?', '#']);
    let more = path.len() - path.trim_start_matches('/').len();
    let path = &path.as_bytes()[more.saturating_sub(1)..];
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < path.len() {
        let byte = (path[at] == b'%').then(|| escaped(path, at)).flatten();
        decoded.push(byte.unwrap_or(path[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    Some(decoded)
}

/// `url.URL.Path` of a request in Go, which refuses what is no escape.
fn go(path: &str) -> Option<Vec<u8>> {
    let path = cut(path, &['?']).as_bytes();
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < path.len() {
        match path[at] {
            b'%' => {
                decoded.push(escaped(path, at)?);
                at += 3;
            }
            byte => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    Some(decoded)
}

/// The same through `path.Clean`.
fn go_clean(path: &str) -> Option<Vec<u8>> {
    let path = go(path)?;
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            segment => segments.push(segment.to_vec()),
        }
    }
    Some(joined(&segments))
}

fn cut<'a>(path: &'a str, at: &[char]) -> &'a str {
    path.split(at).next().unwrap_or_default()
}

/// The byte that an escape at this place means.
fn escaped(path: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*path.get(at)?).to_digit(16);
    u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok()
}

fn joined(segments: &[Vec<u8>]) -> Vec<u8> {
    if segments.is_empty() {
        return b"/".to_vec();
    }
    segments.iter().flat_map(|segment| [b"/", segment.as_slice()]).flatten().copied().collect()
}
