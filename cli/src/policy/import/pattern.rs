//! Regular expressions over URLs, as far as they say what a pattern can say.

/// Every IPv4 address, in the ways that people write it.
const ADDRESSES: [&str; 3] = [r"\d\.\d\.\d\.\d", r"(\d\.){3}\d", r"\d(\.\d){3}"];
/// Any front part of a name, or none.
const FRONTS: [&str; 6] =
    [r"(.*\.)?", r"(.+\.)?", r"([a-z0-9-]+\.)*", r"([^.]+\.)?", r"([^/]+\.)?", r"(\w+\.)?"];
/// Most patterns that one expression becomes.
const MOST: usize = 32;

/// Stands for every address where a host stands.
pub(super) const ANY_ADDRESS: &str = "<any address>";

/// Whether a text is meant as a regular expression.
pub(super) fn is_expression(text: &str) -> bool {
    let signs = ["\\", "^", "$", "(", "/.*", ".+", "[0-9", "[a-z", "[^", "|"];
    signs.iter().any(|sign| text.contains(sign))
}

/// The patterns of the URLs that an expression matches: at most [`MOST`].
///
/// # Errors
/// What in the expression is no part of a pattern.
pub(super) fn patterns(expression: &str) -> Result<Vec<String>, String> {
    let text = expression.trim_start_matches("(?i)").trim_start_matches('^');
    let whole = text.ends_with('$') && !text.ends_with("\\$");
    let text = text.strip_suffix('$').unwrap_or(text).replace("(?:", "(");
    let mut done = Vec::new();
    for one in alternatives(&optional(&text))? {
        let mut one = plain(&one)?;
        let in_path = one.split_once("://").map_or(one.as_str(), |(_, rest)| rest).contains('/');
        if !whole && in_path && !one.ends_with('*') {
            one.push_str("**");
        }
        done.push(one);
    }
    Ok(done)
}

/// Takes out the forms that have no escapes left once they are understood.
fn optional(text: &str) -> String {
    let mut text = text.replace("https?", "(http|https)").replace("wss?", "(ws|wss)");
    for front in FRONTS {
        text = text.replace(front, ".");
    }
    let squeezed = text.replace("[0-9]", r"\d").replace("{1,3}", "").replace(r"\d+", r"\d");
    for addresses in ADDRESSES {
        if squeezed.contains(addresses) {
            return squeezed.replace(addresses, ANY_ADDRESS);
        }
    }
    text
}

/// `a(b|c)d` as `abd` and `acd`.
fn alternatives(text: &str) -> Result<Vec<String>, String> {
    let mut open = vec![text.to_owned()];
    let mut done = Vec::new();
    while let Some(one) = open.pop() {
        let Some(begin) = one.find('(') else {
            match one.contains('|') {
                // Outside of brackets it separates whole expressions.
                true => done.extend(one.split('|').map(str::to_owned)),
                false => done.push(one),
            }
            continue;
        };
        let length = one[begin..].find(')').ok_or("a bracket does not close")?;
        let (inside, behind) = (&one[begin + 1..begin + length], &one[begin + length + 1..]);
        if inside.contains('(') || behind.starts_with(['?', '*', '+', '{']) {
            return Err(format!("({inside}) is repeated or nested"));
        }
        let parts: Vec<&str> = inside.split('|').collect();
        open.extend(parts.iter().rev().map(|part| format!("{}{part}{behind}", &one[..begin])));
        if open.len() + done.len() > MOST {
            return Err(format!("it stands for more than {MOST} patterns"));
        }
    }
    Ok(done)
}

/// An expression without alternatives as a pattern.
fn plain(text: &str) -> Result<String, String> {
    let mut text = text.to_owned();
    for (from, to) in [("[^/]*", "*"), ("[^/]+", "*"), ("[^.]+", "*"), (".*", "**"), (".+", "**")] {
        text = text.replace(from, to);
    }
    let mut pattern = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(escaped) if escaped.is_ascii_punctuation() => pattern.push(escaped),
                Some(class) => return Err(format!("\\{class} is no part of a pattern")),
                None => return Err("it ends in an escape".to_owned()),
            },
            '[' | ']' | '{' | '}' | '?' | '+' | '^' | '$' | ')' => {
                return Err(format!("{letter} is no part of a pattern"));
            }
            letter => pattern.push(letter),
        }
    }
    Ok(pattern.replace("://**.", "://*."))
}
