//! Patterns, and bodies that are made of what these patterns match: each character written in some way
//! of writing it in one view, with now and then something that spoils it.

/// Numbers that are always the same for a seed (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) >> 16).unwrap_or(0) % end
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A pattern that can be written and of which matches can be drawn.
enum Node {
    Char(char),
    Class(Vec<char>),
    Repeat(Box<Self>, usize, Option<usize>),
    Either(Vec<Self>),
    All(Vec<Self>),
    Look(&'static str),
    Any,
}

const PLAIN: [char; 10] = ['a', 'b', 'c', 'k', 's', 'S', 'K', 'x', '_', '-'];
const DIGITS: [char; 10] = ['0', '1', '2', '4', '5', '6', '7', 'c', 'u', 'n'];
const STRANGE: [char; 14] =
    ['%', '\\', '+', ' ', '\0', '"', '\n', 'é', 'ß', 'ſ', '\u{212a}', '日', '\u{1f600}', '/'];
const LOOKS: [&str; 8] = [r"(?-u:\b)", r"(?-u:\B)", "^", "$", "(?m:^)", "(?m:$)", r"\A", r"\z"];

fn char(numbers: &mut Numbers) -> char {
    match numbers.below(10) {
        0..=6 => numbers.of(&PLAIN),
        7 | 8 => numbers.of(&DIGITS),
        _ => numbers.of(&STRANGE),
    }
}

fn node(numbers: &mut Numbers, depth: usize) -> Node {
    let inner = |numbers: &mut Numbers| Box::new(node(numbers, depth.saturating_sub(1)));
    match numbers.below(if depth == 0 { 8 } else { 14 }) {
        0..=5 => Node::All((0..=numbers.below(5)).map(|_| Node::Char(char(numbers))).collect()),
        6 => Node::Class((0..=numbers.below(4)).map(|_| char(numbers)).collect()),
        7 => Node::Char(char(numbers)),
        8 | 9 => {
            let min = numbers.of(&[0, 1, 1, 2, 3, 9]);
            let max = match numbers.below(3) {
                0 => None,
                1 => Some(min.max(1)),
                _ => Some(min + numbers.of(&[1, 2, 20])),
            };
            Node::Repeat(inner(numbers), min, max)
        }
        10 => Node::Either((0..=numbers.below(3)).map(|_| *inner(numbers)).collect()),
        11 => Node::Look(numbers.of(&LOOKS)),
        12 if numbers.one_in(2) => Node::Any,
        _ => Node::All((0..=numbers.below(3)).map(|_| *inner(numbers)).collect()),
    }
}

fn write(node: &Node, out: &mut String) {
    let char = |c: char, out: &mut String| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => out.push(c),
        c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        c if c.is_ascii() => out.extend(['\\', c]),
        c => out.push(c),
    };
    match node {
        Node::Char(c) if *c == ' ' => out.push(' '),
        Node::Char(c) if *c == '/' || *c == '"' => out.push(*c),
        Node::Char(c) if *c == '%' => out.push('%'),
        Node::Char(c) => char(*c, out),
        Node::Class(all) => {
            out.push('[');
            all.iter().for_each(|c| {
                out.push_str(&format!("\\x{{{:x}}}", u32::from(*c)));
            });
            out.push(']');
        }
        Node::Repeat(sub, min, max) => {
            out.push_str("(?:");
            write(sub, out);
            let max = max.map_or_else(String::new, |max| max.to_string());
            out.push_str(&format!("){{{min},{max}}}"));
        }
        Node::Either(all) => {
            out.push('(');
            for (at, one) in all.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "|" });
                write(one, out);
            }
            out.push(')');
        }
        Node::All(all) => all.iter().for_each(|one| write(one, out)),
        Node::Look(look) => out.push_str(look),
        Node::Any => out.push('.'),
    }
}

/// Something that the node matches, if looks permit, with each letter in some case.
fn draw(node: &Node, numbers: &mut Numbers, out: &mut Vec<char>) {
    match node {
        Node::Char(c) => out.push(fold(*c, numbers)),
        Node::Class(all) => out.push(fold(numbers.of(all), numbers)),
        Node::Repeat(sub, min, max) => {
            let more = max.map_or(3, |max| max - min).min(4);
            for _ in 0..min + numbers.below(more + 1) {
                draw(sub, numbers, out);
            }
        }
        Node::Either(all) => {
            let one = numbers.below(all.len());
            draw(&all[one], numbers, out);
        }
        Node::All(all) => all.iter().for_each(|one| draw(one, numbers, out)),
        Node::Look(_) => {}
        Node::Any => out.push(char(numbers)),
    }
}

fn fold(c: char, numbers: &mut Numbers) -> char {
    match (c, numbers.below(8)) {
        ('k' | 'K', 0) => '\u{212a}',
        ('\u{212a}', 0..4) => 'k',
        ('s' | 'S', 0) => 'ſ',
        ('ſ', 0..4) => 's',
        (c, 1..4) => c.to_uppercase().next().unwrap_or(c),
        (c, 4) => c.to_lowercase().next().unwrap_or(c),
        _ => c,
    }
}

/// A way of writing characters, which one view undoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Percent,
    Json,
    Nul,
}

const WAYS: [Way; 4] = [Way::Plain, Way::Percent, Way::Json, Way::Nul];

fn hex(text: String, numbers: &mut Numbers) -> String {
    if numbers.one_in(2) { text.to_ascii_uppercase() } else { text }
}

fn encode(c: char, way: Way, numbers: &mut Numbers, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    let utf8 = c.encode_utf8(&mut buffer).as_bytes();
    let always = numbers.one_in(4);
    match way {
        Way::Percent if c == ' ' && numbers.one_in(2) => out.push(b'+'),
        Way::Percent if always || numbers.one_in(3) || matches!(c, '%' | '+') => {
            for byte in utf8 {
                out.push(b'%');
                out.extend(hex(format!("{byte:02x}"), numbers).bytes());
            }
        }
        Way::Json if always || numbers.one_in(3) || c == '\\' => json(c, numbers, out),
        Way::Nul => {
            // NUL bytes between the bytes, as in UTF-16, and between those of one character.
            for byte in utf8 {
                let nuls = numbers.of(&[0, 0, 1, 1, 2, 30]);
                out.extend(std::iter::repeat_n(0, nuls));
                out.push(*byte);
            }
        }
        _ => out.extend(utf8),
    }
}

fn json(c: char, numbers: &mut Numbers, out: &mut Vec<u8>) {
    let short = match c {
        '\n' => Some('n'),
        'b' | 'f' | 'n' | 'r' | 't' | 'u' => None,
        c => c.is_ascii().then_some(c),
    };
    match short {
        Some(short) if numbers.one_in(2) => {
            out.push(b'\\');
            out.extend(short.to_string().bytes());
        }
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend(b"\\u");
                out.extend(hex(format!("{unit:04x}"), numbers).bytes());
            }
        }
    }
}

/// What stands between matches, escapes that end nowhere among it.
const BETWEEN: [&[u8]; 30] = [
    b"",
    b" ",
    b"\n",
    b"\r\n",
    b"x",
    b"xxxxxxxxxxxxxxxx",
    b"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
    b"%",
    b"%4",
    b"%25",
    b"%2",
    b"\\",
    b"\\\\",
    b"\\u",
    b"\\u00",
    b"\\ud83d",
    b"\\ud83d\\u0",
    b"\\udE00",
    b"+",
    b"\0",
    b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"%00",
    b"\\u0000",
    b"\\n",
    b"\\\"",
    b"\xff\xfe",
    b"\xc5",
    b"\xe2\x84",
    b"the quick brown fox jumps over ",
    b"\xef\xbf\xbd",
];

/// A set of patterns and a body, and where the body is cut.
pub(crate) struct Case {
    pub(crate) patterns: Vec<String>,
    pub(crate) bodies: Vec<(Vec<u8>, Vec<usize>)>,
}

impl Case {
    pub(crate) fn new(seed: u64) -> Self {
        let numbers = &mut Numbers(seed);
        let count = numbers.of(&[1, 1, 2, 3, 6]);
        let mut nodes: Vec<_> = (0..count).map(|_| pattern(numbers)).collect();
        if numbers.one_in(16) {
            nodes.extend([counted("akia", 16), counted("ghp_", 36)]);
        }
        let patterns = nodes.iter().map(|node| {
            let mut text = String::new();
            write(node, &mut text);
            if numbers.one_in(12) { format!("(?-i){text}") } else { text }
        });
        let patterns = patterns.collect();
        let bodies = (0..12).map(|_| (body(&nodes, numbers), cuts(numbers))).collect();
        Self { patterns, bodies }
    }
}

/// A literal, and so many letters and digits, among which it may begin again: two of these do not share
/// an automaton.
fn counted(literal: &str, times: usize) -> Node {
    let class = ('0'..='9').chain('a'..='z').collect();
    let count = Node::Repeat(Box::new(Node::Class(class)), times, Some(times));
    Node::All(literal.chars().map(Node::Char).chain([count]).collect())
}

/// Most begin with a literal, as patterns do that are looked for fast.
fn pattern(numbers: &mut Numbers) -> Node {
    let mut all = Vec::new();
    if numbers.one_in(6) {
        all.push(Node::Look(numbers.of(&LOOKS)));
    }
    if !numbers.one_in(5) {
        let length = numbers.of(&[2, 3, 4, 5, 8, 9, 17, 18]);
        all.extend((0..length).map(|_| Node::Char(char(numbers))));
    }
    all.extend((0..=numbers.below(3)).map(|_| node(numbers, 2)));
    Node::All(all)
}

fn body(nodes: &[Node], numbers: &mut Numbers) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..numbers.below(6) {
        for _ in 0..numbers.below(4) {
            out.extend(numbers.of(&BETWEEN));
        }
        let mut text = Vec::new();
        let which = numbers.below(nodes.len());
        draw(&nodes[which], numbers, &mut text);
        if numbers.one_in(3) {
            // A part, so that a match begins and does not end, or overlaps with another.
            text.truncate(numbers.below(text.len() + 1));
        }
        let way = numbers.of(&WAYS);
        for c in text {
            let other = numbers.one_in(60);
            let way = if other { numbers.of(&WAYS) } else { way };
            encode(c, way, numbers, &mut out);
            if numbers.one_in(100) {
                out.extend(numbers.of(&BETWEEN));
            }
        }
    }
    for _ in 0..numbers.below(3) {
        out.extend(numbers.of(&BETWEEN));
    }
    if numbers.one_in(4) && !out.is_empty() {
        let at = numbers.below(out.len());
        match numbers.below(3) {
            0 => out[at] ^= 0x20,
            1 => drop(out.remove(at)),
            _ => out.insert(at, numbers.of(b"\0%\\+u0a")),
        }
    }
    out
}

fn cuts(numbers: &mut Numbers) -> Vec<usize> {
    let longest = numbers.of(&[2, 5, 17, 40, 80, 400]);
    (0..=numbers.below(4)).map(|_| 1 + numbers.below(longest)).collect()
}
