//! Texts with values that are to be found, and texts that only look like them, by seed.
//!
//! Odd seeds are for tuning, even ones for testing: what is published comes from the latter.

use super::random::{ALPHANUMERIC, Random};
use exeat_policy::detect::{Begin, Detector, Finder, Finding, Set, all, example};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::ops::Range;

/// A text, and the detector and place of what is in it; none in a decoy.
pub(crate) struct Case {
    pub(crate) text: String,
    pub(crate) planted: Option<(&'static str, Range<usize>)>,
    /// What looks like a secret behind the name of one: what the generic detector is for.
    pub(crate) is_named: bool,
}

/// What may stand around a value.
const AROUND: [(&str, &str); 12] = [
    ("{\"value\": \"", "\", \"other\": 1}"),
    ("export VALUE=", "\n"),
    ("value: ", "\nother: 2\n"),
    ("<value>", "</value>"),
    ("The value (", ") was sent yesterday."),
    ("const value = '", "';"),
    ("a,b,", ",c\n"),
    ("| value | ", " |\n"),
    ("\"text\":\"line one\\n", "\\nline three\""),
    ("[\"x\", \"", "\"]"),
    ("curl -H 'X-Value: ", "' https://api.example.com/v1"),
    ("", "\n"),
];

/// What may stand between a name or a context word and a value.
const BETWEEN: [(&str, &str); 6] = [
    ("=", "\n"),
    (": ", "\n"),
    ("\": \"", "\"}"),
    (" = \"", "\"\n"),
    (" => '", "',"),
    (":  ", " "),
];

const WORDS: &[&str] = &[
    "the", "request", "was", "sent", "to", "a", "server", "with", "token", "count", "of",
    "customer", "who", "called", "about", "an", "order", "number", "and", "key", "points",
    "password", "policy", "phone", "account", "tax", "year", "secret", "garden", "national",
    "swift", "response", "bank", "river", "pan", "cake", "sin", "of", "pride", "run", "test",
    "live", "model", "output", "user", "message", "id",
];

/// Cases of one detector: as many with a value as without.
pub(crate) fn cases(detector: &'static Detector, seed: u64, count: usize) -> Vec<Case> {
    let salt =
        detector.name.bytes().fold(seed, |salt, byte| salt.wrapping_mul(31) + u64::from(byte));
    let mut random = Random::new(salt);
    let mut cases = Vec::with_capacity(3 * count);
    for _ in 0..count {
        let value = instance(detector, &mut random);
        cases.push(planted(detector, &value, &mut random));
        cases.push(near_miss(detector, &value, &mut random));
        let text = prose(&mut random);
        cases.push(Case { text, planted: None, is_named: false });
    }
    cases
}

fn planted(detector: &'static Detector, value: &str, random: &mut Random) -> Case {
    let (front, behind) = frame(detector, random);
    let lead = prose(random);
    let start = lead.len() + front.len();
    let text = format!("{lead}{front}{value}{behind}{}", prose(random));
    Case { text, planted: Some((detector.name, start..start + value.len())), is_named: false }
}

fn frame(detector: &Detector, random: &mut Random) -> (String, &'static str) {
    match detector.begin {
        Begin::Named(words) | Begin::Near(words) => {
            let (between, behind) = random.pick(&BETWEEN);
            let word = random.pick(words);
            let word = match random.below(3) {
                0 => word.to_uppercase().replace(' ', "_"),
                1 => word.replace(' ', "_"),
                _ => word.to_owned(),
            };
            (format!("\n\"{word}{between}"), behind)
        }
        Begin::Assigned => {
            let (between, behind) = random.pick(&BETWEEN);
            let name =
                random.pick(&["db_password", "clientSecret", "API_TOKEN", "apiKey", "AUTH_SECRET"]);
            (format!("\n\"{name}{between}"), behind)
        }
        _ => {
            let (front, behind) = random.pick(&AROUND);
            (format!("\n{front}"), behind)
        }
    }
}

/// A value that is none: a digit or letter changed where there is a checksum, cut short, or without its
/// context.
fn near_miss(detector: &'static Detector, value: &str, random: &mut Random) -> Case {
    let is_named = matches!(detector.begin, Begin::Named(_) | Begin::Near(_) | Begin::Assigned);
    let (front, behind) = if random.below(2) == 0 || detector.has_checksum() {
        frame(detector, random)
    } else {
        ("\nother: ".to_owned(), "\n")
    };
    // A third of these is still one.
    const CUT_IS_ONE: [&str; 5] = [
        "private-key",
        "private-key-base64",
        "putty-private-key",
        "bearer-token",
        "generic-secret",
    ];
    let mut value = value.to_owned();
    if CUT_IS_ONE.contains(&detector.name) {
        let text = format!("{}\n{}\n", prose(random), example(detector.negative[0]).0);
        return Case { text, planted: None, is_named: false };
    }
    if detector.has_checksum() {
        let digits: Vec<usize> = value
            .bytes()
            .enumerate()
            .filter(|(_, it)| it.is_ascii_digit())
            .map(|(at, _)| at)
            .collect();
        if let Some(&at) = digits.get(random.below(digits.len())) {
            let digit = (value.as_bytes()[at] - b'0' + 1 + random.below(8) as u8) % 10;
            value.replace_range(at..=at, &digit.to_string());
        }
        if detector.accepts(value.as_bytes()) {
            value.clear();
        }
    } else {
        // Shorter than any format is.
        value.truncate((value.len() / 3).min(12));
    }
    Case { text: format!("{}{front}{value}{behind}", prose(random)), planted: None, is_named }
}

/// Words and ids.
pub(crate) fn prose(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..6 + random.below(10) {
        text.push_str(random.pick(WORDS));
        text.push_str(random.pick(&[" ", " ", " ", ", ", ". ", ": ", "\n"]));
        if random.below(12) == 0 {
            text.push_str(&format!("ref {} ", random.id()));
        }
    }
    text.push_str("end\n");
    text
}

/// A value that the detector must find: from its shape, with its checksum made right, or an example.
pub(crate) fn instance(detector: &'static Detector, random: &mut Random) -> String {
    let fixed = || {
        let (text, range) = example(detector.positive[0]);
        text[range].to_owned()
    };
    match detector.name {
        "github-token" | "npm-token" => {
            let prefix = if detector.name == "npm-token" {
                "npm_"
            } else {
                random.pick(&["ghp_", "gho_", "ghs_"])
            };
            let body = random.text(ALPHANUMERIC, 30);
            format!("{prefix}{body}{}", base62(crc32(body.as_bytes())))
        }
        "grafana-service-account-token" => {
            let body = format!("glsa_{}", random.text(ALPHANUMERIC, 32));
            format!("{body}_{:08x}", crc32(body.as_bytes()))
        }
        "atlassian-token" => {
            let body = format!("ATATT3xFfGF0{}=", random.text(ALPHANUMERIC, 160));
            format!("{body}{:08X}", crc32(body.as_bytes()))
        }
        "private-key" => {
            let lines: String = (0..5).map(|_| random.text(ALPHANUMERIC, 64) + "\n").collect();
            let kind = random.pick(&["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "]);
            format!(
                "-----{} {kind}PRIVATE KEY-----\n{lines}-----END {kind}PRIVATE KEY-----",
                "BEGIN"
            )
        }
        "generic-secret" => {
            let length = 20 + random.below(30);
            random.text(ALPHANUMERIC, length)
        }
        "putty-private-key" | "seed-phrase" | "phone-number" | "ipv6" | "email" => fixed(),
        _ => {
            let Ok(hir) = regex_syntax::ParserBuilder::new()
                .unicode(false)
                .utf8(false)
                .build()
                .parse(detector.shape)
            else {
                return fixed();
            };
            let tried = (0..4000).map(|_| {
                let mut value = Vec::new();
                write(&hir, random, &mut value);
                value
            });
            let found = tried.into_iter().find(|it| detector.accepts(it) && is_whole(detector, it));
            found.and_then(|it| String::from_utf8(it).ok()).unwrap_or_else(fixed)
        }
    }
}

/// Whether a value can be there at all: of a length, and with a first letter, that the format knows.
fn is_whole(detector: &Detector, value: &[u8]) -> bool {
    let long = detector.longest == 0 || value.len() <= detector.longest;
    long && match detector.begin {
        Begin::Anchor { literals, back } => {
            literals.iter().any(|it| value[back.min(value.len())..].starts_with(it.as_bytes()))
        }
        Begin::Run => value.iter().take(12).all(u8::is_ascii_alphanumeric),
        Begin::Heads(heads) => heads().iter().any(|head| value.starts_with(head)),
        _ => true,
    }
}

fn write(hir: &Hir, random: &mut Random, out: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(Class::Bytes(class)) => {
            let of = |it: &regex_syntax::hir::ClassBytesRange| it.start()..=it.end();
            let bytes: Vec<u8> = class.ranges().iter().flat_map(of).collect();
            out.push(random.pick(&bytes));
        }
        HirKind::Class(Class::Unicode(class)) => {
            let of = |it: &regex_syntax::hir::ClassUnicodeRange| it.start()..=it.end();
            let chars: Vec<char> =
                class.ranges().iter().flat_map(of).filter(char::is_ascii).collect();
            out.push(random.pick(&chars) as u8);
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min + 40).min(repetition.min + 60);
            let times =
                repetition.min as usize + random.below((most - repetition.min) as usize + 1);
            (0..times).for_each(|_| write(&repetition.sub, random, out));
        }
        HirKind::Capture(capture) => write(&capture.sub, random, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, random, out)),
        HirKind::Alternation(parts) => {
            let at = random.below(parts.len());
            write(&parts[at], random, out);
        }
    }
}

fn crc32(text: &[u8]) -> u32 {
    !text.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

fn base62(mut number: u32) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = [b'0'; 6];
    for place in text.iter_mut().rev() {
        *place = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// How one detector did.
#[derive(Debug, Default, Clone)]
pub(crate) struct Score {
    pub(crate) planted: u32,
    pub(crate) found: u32,
    pub(crate) wrong: u32,
}

impl Score {
    pub(crate) fn recall(&self) -> f64 {
        f64::from(self.found) / f64::from(self.planted.max(1))
    }

    pub(crate) fn precision(&self) -> f64 {
        let all = self.found + self.wrong;
        if all == 0 { 1.0 } else { f64::from(self.found) / f64::from(all) }
    }
}

pub(crate) fn find(set: &Set, text: &[u8]) -> Vec<Finding> {
    let mut finder = Finder::new(set);
    let mut found = Vec::new();
    finder.push(text, &mut |finding| found.push(finding));
    finder.finish(&mut |finding| found.push(finding));
    found
}

/// Each detector alone over the cases of all, in the order of the catalogue. What a detector finds of a
/// value that was planted for another counts neither way.
pub(crate) fn scores(seed: u64, count: usize, mut show: impl FnMut(&str, &str)) -> Vec<Score> {
    let cases: Vec<Case> = all().iter().flat_map(|it| cases(it, seed, count)).collect();
    let score = |detector: &&'static Detector| {
        let mut score = Score::default();
        let Ok(set) = Set::compile(&[detector.name], &[]) else { return score };
        for case in cases.iter().filter(|it| !(it.is_named && detector.name == "generic-secret")) {
            let found = find(&set, case.text.as_bytes());
            let planted = case.planted.as_ref();
            let range = planted.map_or(0..0, |(_, range)| range.clone());
            let overlaps =
                |it: &&Finding| (it.start as usize) < range.end && range.start < it.end as usize;
            if planted.is_some_and(|(name, _)| *name == detector.name) {
                score.planted += 1;
                let whole =
                    |it: &Finding| it.start as usize <= range.start && range.end <= it.end as usize;
                if found.iter().any(whole) {
                    score.found += 1;
                } else {
                    show(detector.name, &format!("missed: {:?}", case.text));
                }
            }
            for it in found.iter().filter(|it| !overlaps(it)) {
                score.wrong += 1;
                let text = case.text.get(it.start as usize..it.end as usize).unwrap_or_default();
                show(detector.name, &format!("wrong: {text:?} in {:?}", case.text));
            }
        }
        score
    };
    all().iter().map(score).collect()
}

/// How often each detector of a set finds something in so many ids, as fields of JSON.
pub(crate) fn in_ids(
    set: &Set,
    seed: u64,
    count: usize,
    mut show: impl FnMut(&str, &str),
) -> Vec<u32> {
    const FIELDS: [&str; 8] = ["id", "ref", "hash", "parent", "created", "etag", "trace", "key"];
    let mut random = Random::new(seed);
    let mut found = vec![0; set.names().count()];
    let mut finder = Finder::new(set);
    let mut text = String::new();
    for at in 0..count {
        let field = random.pick(&FIELDS);
        let id = random.id();
        text.push_str(&match random.below(3) {
            0 => format!("{{\"{field}\":\"{id}\"}},\n"),
            1 => format!("{field}={id} "),
            _ => format!("{id},"),
        });
        if text.len() > 1 << 16 || at + 1 == count {
            finder.push(text.as_bytes(), &mut |it| {
                found[it.detector] += 1;
                show(set.name(it.detector), &format!("{}..{}", it.start, it.end));
            });
            text.clear();
        }
    }
    finder.finish(&mut |it| found[it.detector] += 1);
    found
}
