//! A proxy that is killed at a random moment under load. What it said it had appended is there.

use crate::{POD, intent, open};
use exeat_audit::record::{Kind, RecordRef};
use exeat_proxy::spool::records;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

/// Where the child's spool is.
const DIRECTORY: &str = "EXEAT_TEST_SPOOL";
const ROUNDS: u64 = 25;
const APPENDED: &str = "appended ";

/// The other half of the test below: appends from several threads, and says after each what it was.
#[test]
#[ignore = "runs as the child of the test that kills it"]
fn child() {
    let Some(dir) = std::env::var_os(DIRECTORY) else { return };
    let (log, _shipping) = open(Path::new(&dir), Arc::default()).unwrap();
    let process = std::process::id();
    let threads = (0..3).map(|thread| {
        let log = log.clone();
        std::thread::spawn(move || {
            for n in 0..u64::MAX {
                let resource = format!("https://api.example/{process}/{thread}/{n}");
                let id = log.append_intent(intent(&resource)).unwrap();
                let line = format!("{APPENDED}{resource}\n");
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                log.outcome(id, RecordRef::new(Kind::Outcome, "2026-01-02T03:04:05.678Z"));
            }
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
}

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["kill::child", "--exact", "--ignored", "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs the child for `after` from its first append on, and returns what it said.
fn run_and_kill(dir: &Path, after: Duration) -> Vec<String> {
    let mut child = spawn(dir);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (said, hears) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        // A line that the kill tore does not count.
        for line in lines.map_while(Result::ok) {
            if let Some(resource) = line.strip_prefix(APPENDED) {
                said.send(resource.to_owned()).unwrap();
            }
        }
    });
    let mut all = vec![hears.recv().expect("the child appends")];
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    all.extend(hears);
    // The last one may be half of a line.
    all.pop();
    all
}

#[test]
fn what_was_answered_as_appended_survives_a_kill_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let mut said = Vec::new();
    for round in 0..ROUNDS {
        // From before the first sync to after the second segment.
        said.extend(run_and_kill(dir.path(), Duration::from_millis(rand::random_range(0..60))));
        let kept = records(&dir.path().join("spool"), &POD.parse().unwrap()).unwrap();
        let restarts = kept.iter().filter(|record| record.kind == Kind::Restart);
        assert_eq!(restarts.clone().count() as u64, round);
        assert!(restarts.clone().all(|restart| restart.unclean));
        let kept: HashSet<String> = kept.into_iter().filter_map(|it| it.resource).collect();
        let missing = said.iter().find(|resource| !kept.contains(*resource));
        assert_eq!(missing, None, "after {round} rounds");
    }
    assert!(said.len() > 1000, "{}", said.len());
}
