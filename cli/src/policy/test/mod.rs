//! `exeat policy test`: requests that a policy's author writes down, decided by the code of the proxy.

mod case;
mod verdict;

use super::files;
use anyhow::{Context, Result, bail, ensure};
use case::{Case, CaseFile};
use exeat_policy::Policies;
use exeat_policy::snapshot::Snapshot;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use verdict::Verdict;

/// A directory's files that are read end so.
const SUFFIX: &str = ".test.yaml";

#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

pub(super) fn run(places: &[PathBuf]) -> Result<ExitCode> {
    let mut tally = Tally::default();
    for place in places {
        for file in case_files(place)? {
            let cases = run_file(&file, &mut tally);
            cases.with_context(|| file.display().to_string())?;
        }
    }
    let Tally { passed, failed } = tally;
    ensure!(passed + failed > 0, "there are no cases; a case file is called NAME{SUFFIX}");
    println!("{} cases, {failed} failed", passed + failed);
    Ok(ExitCode::from(u8::from(failed > 0)))
}

/// The case files of a directory, by name; or the file that was named.
fn case_files(place: &Path) -> Result<Vec<PathBuf>> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let entries = std::fs::read_dir(place);
    let entries = entries.with_context(|| format!("{} cannot be read", place.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(SUFFIX) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn run_file(file: &Path, tally: &mut Tally) -> Result<()> {
    let text = files::read(file)?;
    let CaseFile { policies, cases } = serde_yaml::from_str(&text).context("no case file")?;
    let directory = file.parent().unwrap_or(Path::new("."));
    let compiled = compile(directory, &policies)?;
    for (index, case) in cases.iter().enumerate() {
        let named = || format!("{}, {}", file.display(), case.called(index));
        let verdict = decide(&compiled, case, directory).with_context(named)?;
        let differences = case.expect.differences(&verdict);
        if differences.is_empty() {
            tally.passed += 1;
            println!("ok      {}", named());
            continue;
        }
        tally.failed += 1;
        println!("FAILED  {}", named());
        for difference in differences {
            println!("        {difference}");
        }
        println!("        reason: {}", verdict.reason);
    }
    Ok(())
}

/// The policies together, as if all of them selected one pod.
fn compile(directory: &Path, named: &[PathBuf]) -> Result<Policies> {
    ensure!(!named.is_empty(), "policies: name at least one file");
    let mut sources = Vec::new();
    for file in named {
        let path = directory.join(file);
        let documents = files::policies(&path)?;
        ensure!(!documents.is_empty(), "policies: {} holds no policy", path.display());
        for document in documents {
            match document.policy {
                Ok(source) => sources.push(source),
                Err(problems) => bail!("{}: {}", path.display(), problems.join("; ")),
            }
        }
    }
    for source in &sources {
        if let Err(errors) = exeat_policy::compile_policy(source) {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            bail!("the policy {}: {}", source.origin.name, errors.join("; "));
        }
    }
    Ok(Policies::compile(&Snapshot::new("test", sources)))
}

fn decide(policies: &Policies, case: &Case, directory: &Path) -> Result<Verdict> {
    match (&case.request, &case.connect, &case.resolve) {
        (Some(request), None, None) => verdict::of_request(policies, request, directory),
        (None, Some(to), None) => verdict::of_connection(policies, to),
        (None, None, Some(name)) => verdict::of_name(policies, name, case.record_type.as_deref()),
        _ => bail!("give exactly one of request, connect and resolve"),
    }
}
