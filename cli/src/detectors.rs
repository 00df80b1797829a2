//! `exeat detectors`: what is looked for in content, and a try of it on a file.

use crate::table::{Table, plain};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use exeat_policy::detect::{self, CATALOGUE_VERSION, Detector, ExactData, Finder, Finding, Set};
use serde::Serialize;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// No file of values is longer.
const MAX_VALUES: u64 = 64 << 20;
const CHUNK: usize = 64 << 10;
/// Bytes of the file that are kept for showing what was found.
const KEPT: usize = 2 * detect::LONGEST + CHUNK;
const SALT: usize = 16;

#[derive(Debug, Subcommand)]
pub(crate) enum DetectorsCommand {
    /// List the detectors of the catalogue
    #[command(after_help = "Examples:\n  exeat detectors list\n  exeat detectors list --json")]
    List(ListArgs),
    /// Show one: what it finds, its format, its examples
    #[command(after_help = "Example:\n  exeat detectors show github-token")]
    Show {
        /// As `exeat detectors list` names it
        name: String,
    },
    /// Look for secrets and personal data in a file; exit code 1 when something was found
    #[command(after_help = TEST_EXAMPLES)]
    Test(TestArgs),
    /// Make salted digests of values, one a line, for a custom detector of exact data
    #[command(after_help = DIGEST_EXAMPLES)]
    Digest {
        /// `-` is standard input
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// `-` is standard input
    file: PathBuf,
    /// Which detectors, separated by commas; those that are on by default if none is given
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    detectors: Vec<String>,
}

const TEST_EXAMPLES: &str = "\
Each finding is a line: line:column, the detector, and its first and last characters. Columns count
bytes. The whole of it is never printed.

Exit code: 0 nothing was found, 1 something was, 3 the file could not be read.

Examples:
  exeat detectors test notes.txt
  exeat detectors test --detectors credit-card,iban,email - < export.csv";

const DIGEST_EXAMPLES: &str = "\
Values are compared by their letters and digits, in lower case: `Jane Doe` is found as `jane-doe` too.
A value has at most four words. The salt is fresh each time. Values that can be guessed, such as short
numbers, can be guessed from their digests as well: keep the output as you keep the values.

Example:
  exeat detectors digest customers.txt > digests.json";

#[derive(Debug, Serialize)]
struct Listed {
    name: &'static str,
    group: detect::Group,
    doc: &'static str,
    source: &'static str,
    default: bool,
    checksum: Option<&'static str>,
    anchors: &'static [&'static str],
}

pub(crate) fn run(command: &DetectorsCommand) -> Result<ExitCode> {
    match command {
        DetectorsCommand::List(args) => list(args.json),
        DetectorsCommand::Show { name } => show(name),
        DetectorsCommand::Test(args) => test(args),
        DetectorsCommand::Digest { file } => digest(file),
    }
}

fn list(json: bool) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    if json {
        let detectors: Vec<Listed> = detect::all().iter().map(|it| listed(it)).collect();
        let all = serde_json::json!({"version": CATALOGUE_VERSION, "detectors": detectors});
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["NAME", "DEFAULT", "CHECKSUM", "FINDS"]);
    for it in detect::all() {
        let default = if it.standard { "on" } else { "off" };
        table.row([it.name, default, checksum(it).unwrap_or(""), it.doc].map(str::to_owned));
    }
    table.write(&mut out)?;
    Ok(ExitCode::SUCCESS)
}

fn listed(it: &'static Detector) -> Listed {
    Listed {
        name: it.name,
        group: it.group,
        doc: it.doc,
        source: it.source,
        default: it.standard,
        checksum: checksum(it),
        anchors: it.anchors(),
    }
}

fn checksum(it: &Detector) -> Option<&'static str> {
    it.check.filter(|check| check.sum).map(|check| check.name)
}

fn show(name: &str) -> Result<ExitCode> {
    let Some(it) = detect::by_name(name) else {
        match detect::nearest(name) {
            Some(near) => bail!("there is no detector {:?}; did you mean {near}?", plain(name)),
            None => bail!("there is no detector {:?}", plain(name)),
        }
    };
    println!("{}: {}", it.name, it.doc);
    println!("  source     {}", it.source);
    println!("  default    {}", if it.standard { "on" } else { "off" });
    println!("  check      {}", it.check.map_or("none", |check| check.name));
    if !it.anchors().is_empty() {
        println!("  anchors    {}", it.anchors().join(", "));
    }
    if !it.shape.is_empty() {
        println!("  shape      {}", it.shape);
    }
    for text in it.positive {
        println!("  found      {}", plain(&detect::example(text).0));
    }
    for text in it.negative {
        println!("  not found  {}", plain(&detect::example(text).0));
    }
    Ok(ExitCode::SUCCESS)
}

fn open(file: &Path) -> Result<Box<dyn Read>> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let opened = std::fs::File::open(file);
    Ok(Box::new(opened.with_context(|| format!("{} cannot be read", file.display()))?))
}

fn test(args: &TestArgs) -> Result<ExitCode> {
    let set = if args.detectors.is_empty() {
        Set::standard()?
    } else {
        Set::compile(&args.detectors, &[])?
    };
    let mut input = open(&args.file)?;
    let mut finder = Finder::new(&set);
    let mut shown =
        Shown { set: &set, window: Window::default(), found: 0, out: io::stdout().lock() };
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = input.read(&mut chunk).context("the file cannot be read")?;
        let Some(read) = chunk.get(..length).filter(|read| !read.is_empty()) else { break };
        shown.window.push(read);
        let mut findings = Vec::new();
        finder.push(read, &mut |finding| findings.push(finding));
        findings.iter().try_for_each(|finding| shown.show(finding))?;
    }
    let mut findings = Vec::new();
    finder.finish(&mut |finding| findings.push(finding));
    findings.iter().try_for_each(|finding| shown.show(finding))?;
    Ok(ExitCode::from(u8::from(shown.found > 0)))
}

struct Shown<'s, W> {
    set: &'s Set,
    window: Window,
    found: u64,
    out: W,
}

impl<W: Write> Shown<'_, W> {
    fn show(&mut self, finding: &Finding) -> Result<()> {
        self.found += 1;
        let (line, column) = self.window.place(finding.start);
        let text = self.window.text(finding.start, finding.end);
        let name = self.set.name(finding.detector);
        writeln!(self.out, "{line}:{column}  {name}  {}", redacted(&text))?;
        Ok(())
    }
}

/// The first and last characters of what was found: at most a quarter of it, and eight in all.
fn redacted(found: &[u8]) -> String {
    let each = (found.len() / 8).min(4);
    let shown = |part: Option<&[u8]>| plain(&String::from_utf8_lossy(part.unwrap_or_default()));
    let (first, last) = (found.get(..each), found.get(found.len() - each..));
    format!("{}...{} ({} bytes)", shown(first), shown(last), found.len())
}

/// The last bytes of a file, and where its lines begin.
#[derive(Debug, Default)]
struct Window {
    bytes: VecDeque<u8>,
    /// The offset of the first byte that is kept, and its line and column, from 1.
    start: u64,
    line: u64,
    column: u64,
}

impl Window {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let past = self.bytes.len().saturating_sub(KEPT);
        (self.line, self.column) = self.after(past);
        self.bytes.drain(..past);
        self.start += past as u64;
    }

    /// Line and column, from 0, behind so many of the bytes that are kept.
    fn after(&self, length: usize) -> (u64, u64) {
        self.bytes.iter().take(length).fold((self.line, self.column), |(line, column), &byte| {
            if byte == b'\n' { (line + 1, 0) } else { (line, column + 1) }
        })
    }

    fn place(&self, offset: u64) -> (u64, u64) {
        let length = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let (line, column) = self.after(length);
        (line + 1, column + 1)
    }

    fn text(&self, from: u64, to: u64) -> Vec<u8> {
        let at = |offset: u64| usize::try_from(offset.saturating_sub(self.start)).unwrap_or(0);
        self.bytes.iter().take(at(to)).skip(at(from)).copied().collect()
    }
}

fn digest(file: &Path) -> Result<ExitCode> {
    let mut text = String::new();
    let length = open(file)?.take(MAX_VALUES + 1).read_to_string(&mut text);
    let length = length.with_context(|| format!("{} is not text", file.display()))?;
    ensure!(length as u64 <= MAX_VALUES, "{} is longer than 64 MiB", file.display());
    let mut salt = [0; SALT];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut salt))
        .context("no random bytes for the salt")?;
    let data = ExactData::of(&salt, text.lines())?;
    ensure!(!data.digests.is_empty(), "{} holds no values", file.display());
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &data)?;
    writeln!(out)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_never_shown_whole() {
        assert_eq!(redacted(b"0123456789012345"), "01...45 (16 bytes)");
        assert_eq!(redacted(b"short"), "... (5 bytes)");
        assert_eq!(redacted(&[b'x'; 100]), "xxxx...xxxx (100 bytes)");
        assert_eq!(redacted(b"\x1b[31mabcdefghijklm"), "\\u{1b}[...lm (18 bytes)");
    }

    #[test]
    fn places_count_lines_and_columns_over_what_was_dropped() {
        let mut window = Window::default();
        window.push(b"one\ntwo");
        assert_eq!(window.place(0), (1, 1));
        assert_eq!(window.place(5), (2, 2));
        window.push(&vec![b'\n'; KEPT]);
        assert_eq!(window.place(window.start + 1), (2 + window.start - 6, 1));
        assert!(window.bytes.len() <= KEPT);
    }
}
