//! The built binary, without a cluster.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use exeat_audit::chain::{ChainId, ChainWriter};
use exeat_audit::export::{EXPORT_VERSION, Line};
use exeat_audit::key::SigningKey;
use exeat_audit::record::{Genesis, Record};
use exeat_audit::time;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const NOW: u64 = 1_767_323_045_678;

const GOOD: &str = "
apiVersion: exeat.dev/v1alpha1
kind: AgentPolicy
metadata: {name: research, namespace: agents}
spec:
  podSelector: {matchLabels: {app: research}}
  rules:
    - {name: api, action: network.request, resource: 'https://api.example.com/**', effect: Allow}
";

fn exeat(arguments: &[&str]) -> Output {
    run(arguments, "")
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_exeat"))
        .args(arguments)
        .env("KUBECONFIG", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// An export of one closed chain, with a denial to an odd host.
fn export(directory: &Path, tamper: impl Fn(&str) -> String) -> PathBuf {
    let at = || time::rfc3339(NOW);
    let resource = "https://evil.example.net/\u{1b}[31m";
    let records = [
        Record::intent(at(), 1, "network.request", "https://a.example.com/", "Allow", "Rule"),
        Record::outcome(at(), 1),
        Record::intent(at(), 2, "network.request", resource, "Deny", "DefaultDeny"),
        Record::intent(at(), 3, "network.dns", "a.svc.cluster.local", "Deny", "SearchDomain"),
        Record::close(at()),
    ];
    let (path, text) = export_of(directory, records);
    std::fs::write(&path, tamper(&text)).unwrap();
    path
}

/// An export of one chain with these records after its Genesis, and its text.
fn export_of(directory: &Path, rest: impl IntoIterator<Item = Record>) -> (PathBuf, String) {
    let chain: ChainId = "uid-1".parse().unwrap();
    let key = SigningKey::from_seed(&[1; 32]);
    let mut writer = ChainWriter::start(chain.clone());
    let genesis = Genesis {
        pod_uid: chain.to_string(),
        pod_name: "research-0".to_owned(),
        namespace: "agents".to_owned(),
        service_account: "research".to_owned(),
        node: "node-1".to_owned(),
        image: "exeat-proxy:test".to_owned(),
        public_key: key.public().to_hex(),
        policy: String::new(),
    };
    let at = || time::rfc3339(NOW);
    let records = std::iter::once(Record::genesis(at(), genesis)).chain(rest);
    let entries: Vec<_> = records.map(|record| writer.append(&record).unwrap()).collect();
    let mut lines = vec![
        Line::Export { version: EXPORT_VERSION, time: at() },
        Line::Chain {
            chain: chain.to_string(),
            namespace: "agents".to_owned(),
            pod: "research-0".to_owned(),
            public_key: key.public().to_hex(),
        },
        Line::Head { head: writer.head(&at(), &key).unwrap() },
    ];
    lines.extend(entries.into_iter().map(|entry| Line::Entry { chain: chain.to_string(), entry }));
    let text: String =
        lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
    let path = directory.join("audit.jsonl");
    std::fs::write(&path, &text).unwrap();
    (path, text)
}

/// The words of the table's line that has `what` in it.
fn line_with(table: &str, what: &str) -> Vec<String> {
    let line = table.lines().find(|line| line.contains(what));
    let line = line.unwrap_or_else(|| panic!("no {what} in\n{table}"));
    line.split("  ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn a_good_policy_passes_and_a_bad_one_names_field_and_fix() {
    let output = run(&["policy", "check", "-"], GOOD);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("AgentPolicy research: ok"), "{}", stdout(&output));

    for (from, to, said) in [
        ("https://api.example.com/**", "api.example.com", "spec.rules"),
        ("effect: Allow", "effect: Allow, method: GET", "method"),
        ("effect: Allow", "effect: Permit", "Permit"),
        ("metadata:", "extra: 1\nmetadata:", "extra: unknown field"),
        ("exeat.dev/v1alpha1", "exeat.dev/v1", "write exeat.dev/v1alpha1"),
        ("kind: AgentPolicy", "kind: [", "not YAML"),
    ] {
        let output = run(&["policy", "check", "-"], &GOOD.replace(from, to));
        assert_eq!(output.status.code(), Some(1), "{to}");
        assert!(stdout(&output).contains(said), "{to}: {}", stdout(&output));
    }
}

#[test]
fn documents_are_checked_one_by_one() {
    let text = format!(
        "{GOOD}---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: agents}}\n---\n{}",
        GOOD.replace("https://api", "gopher://api")
    );
    let output = run(&["policy", "check", "-"], &text);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("document 3"), "{}", stdout(&output));
    assert!(stdout(&output).contains("2 policies, 1 with errors"), "{}", stdout(&output));

    let output = run(&["policy", "check", "-"], "kind: Namespace\n");
    assert_eq!(output.status.code(), Some(1), "nothing to check is no success");
    assert_eq!(exeat(&["policy", "check", "/nonexistent.yaml"]).status.code(), Some(3));
}

#[test]
fn an_export_is_searched() {
    let directory = tempfile::tempdir().unwrap();
    let file = export(directory.path(), str::to_owned);
    let file = file.to_str().unwrap();
    let output = exeat(&["audit", "--file", file, "--filter", "action:network", "--last", "50"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("DefaultDeny") && !text.contains('\u{1b}'), "{text}");

    let filter = "effect:deny -code:SearchDomain";
    let output = exeat(&["audit", "--file", file, "--filter", filter, "-o", "json"]);
    let found: serde_json::Value = serde_json::from_str(stdout(&output).trim()).unwrap();
    assert_eq!((&found["seq"], &found["pod"]), (&3.into(), &"research-0".into()));

    let output = exeat(&["audit", "--file", file, "--namespace", "other", "-o", "json"]);
    assert_eq!(stdout(&output), "");
    let output = exeat(&["audit", "--file", file, "--filter", "verb:GET"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("keys are action"));
}

#[test]
fn an_act_is_one_line() {
    let at = |seconds: u64| time::rfc3339(NOW + seconds * 1000);
    let intent = |id, resource: &str, effect: &str| {
        let record = Record::intent(at(id), id, "network.request", resource, effect, "Rule");
        Record { method: Some("GET".to_owned()), ..record }
    };
    let outcome = |id, seconds| Record {
        action: Some("network.request".to_owned()),
        status: Some(204),
        bytes_out: Some(17),
        bytes_in: Some(4321),
        duration_ms: Some(35),
        ..Record::outcome(at(seconds), id)
    };
    let records = [
        intent(1, "https://first.example/", "Allow"),
        intent(2, "https://second.example/", "Allow"),
        outcome(1, 3),
        Record {
            count: Some(7),
            until: Some(at(9)),
            ..intent(4, "https://flood.example/", "Deny")
        },
        Record { unclean: true, cut: Some(31), ..Record::restart(at(10)) },
        Record { durability: Some("Synced".to_owned()), ..Record::policy(at(11), "sha256:00") },
        intent(7, "https://third.example/", "Allow"),
        intent(8, "https://fourth.example/", "Allow"),
        Record {
            code: Some("Abandoned".to_owned()),
            reason: Some("the agent went away".to_owned()),
            ..outcome(8, 13)
        },
    ];
    let directory = tempfile::tempdir().unwrap();
    let (file, _) = export_of(directory.path(), records);
    let ask = |rest: &[&str]| {
        let output = exeat(&[&["audit", "--file", file.to_str().unwrap()], rest].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        stdout(&output)
    };

    let table = ask(&[]);
    assert_eq!(table.lines().count(), 1 + 8, "ten records, two of them outcomes:\n{table}");
    let measured = |words: &[String]| words[6..11].join(" ");
    let first = line_with(&table, "first.example");
    assert_eq!(measured(&first), "https://first.example/ 204 17 4321 35 ms");
    let second = line_with(&table, "second.example");
    assert_eq!(measured(&second), "https://second.example/ interrupted - - -");
    let third = line_with(&table, "third.example");
    assert_eq!(measured(&third), "https://third.example/ in flight - - -");
    let fourth = line_with(&table, "fourth.example");
    assert_eq!(fourth.last().unwrap(), "Abandoned: the agent went away");
    let flood = line_with(&table, "flood.example");
    assert_eq!(measured(&flood), "https://flood.example/ - - - -");
    assert!(flood.last().unwrap().starts_with("7 times, last 2026-01-02T03:04:14"), "{flood:?}");
    let restart = line_with(&table, "Restart");
    assert_eq!(
        restart.last().unwrap(),
        "the run before ended without a Close; 31 bytes of a torn tail cut off"
    );
    assert_eq!(line_with(&table, "Policy").last().unwrap(), "durability Synced");

    // What the filter or the number leaves out is found all the same.
    let table = ask(&["--filter", "effect:Allow host:first.example"]);
    assert_eq!(measured(&line_with(&table, "first.example")), measured(&first));
    let table = ask(&["--filter", "code:Abandoned"]);
    assert_eq!(measured(&line_with(&table, "fourth.example")), measured(&fourth));
    assert_eq!(table.lines().count(), 2, "{table}");
    assert_eq!(ask(&["--last", "1"]).lines().count(), 2);

    // Every record, as it was written.
    let json = ask(&["-o", "json"]);
    let records: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 10);
    assert!(records.iter().any(|it| it["record"]["count"] == 7 && it["record"]["v"] == 2));
    assert_eq!(ask(&["-o", "json", "--last", "3"]).lines().count(), 3);
}

#[test]
fn an_outcome_without_its_decision_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let outcome = Record { status: Some(200), ..Record::outcome(time::rfc3339(NOW), 99) };
    let (file, _) = export_of(directory.path(), [outcome]);
    let table = stdout(&exeat(&["audit", "--file", file.to_str().unwrap()]));
    let line = line_with(&table, "Outcome");
    assert_eq!(line.last().unwrap(), "the decision was not found");
    assert!(line.contains(&"200".to_owned()), "{table}");
}

#[test]
fn a_table_leaves_out_the_search_list_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = export(directory.path(), str::to_owned);
    let ask = |rest: &[&str]| {
        let output = exeat(&[&["audit", "--file", file.to_str().unwrap()], rest].concat());
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        (stdout(&output).contains("SearchDomain"), said.contains("left out"))
    };
    assert_eq!(ask(&[]), (false, true));
    assert_eq!(ask(&["--filter", "code:SearchDomain"]), (true, false));
    assert_eq!(ask(&["--filter", "-code:DefaultDeny"]), (true, false));
    assert_eq!(ask(&["-o", "json"]), (true, false));
}

#[test]
fn an_export_is_verified() {
    let directory = tempfile::tempdir().unwrap();
    type Case = (fn(&str) -> String, i32, &'static str);
    let cases: [Case; 4] = [
        (str::to_owned, 0, "integrity     ok"),
        (|text| text.replace("DefaultDeny", "Rule"), 1, "edited: entry 3"),
        (|text| text.lines().take(6).map(|it| format!("{it}\n")).collect(), 1, "cut-tail"),
        (|_| "{}".to_owned(), 3, ""),
    ];
    for (tamper, code, said) in cases {
        let file = export(directory.path(), tamper);
        let output = exeat(&["audit", "verify", "--file", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(stdout(&output).contains(said), "{output:?}");
    }
}

#[test]
fn without_a_cluster_the_reason_is_said() {
    let output = exeat(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no cluster"));
}

#[test]
fn help_version_and_completion_are_there() {
    let help = stdout(&exeat(&["audit", "--help"]));
    assert!(help.contains("exeat audit --filter \"action:network\" --last 50"), "{help}");
    assert!(stdout(&exeat(&["version"])).starts_with("exeat 0."));
    assert!(stdout(&exeat(&["completion", "bash"])).contains("_exeat"));

    let directory = tempfile::tempdir().unwrap();
    let plugin = directory.path().join("kubectl-exeat");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_exeat"), &plugin).unwrap();
    let output = Command::new(plugin).args(["audit", "--help"]).output().unwrap();
    assert!(stdout(&output).contains("Usage: kubectl exeat audit"), "{}", stdout(&output));
}

#[test]
fn detectors_are_listed_shown_and_tried() {
    let listed = exeat(&["detectors", "list"]);
    assert!(stdout(&listed).contains("github-token"));
    let json = exeat(&["detectors", "list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert!(json["detectors"].as_array().unwrap().len() >= 120);
    assert!(stdout(&exeat(&["detectors", "show", "iban"])).contains("MOD 97-10"));
    let unknown = exeat(&["detectors", "show", "github-tokn"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("github-token"));
}

#[test]
fn a_tried_file_shows_where_and_never_what() {
    let found = run(&["detectors", "test", "-"], "one\ncard 4111 1111 1111 1111\n");
    assert_eq!(found.status.code(), Some(1));
    assert_eq!(stdout(&found), "2:6  credit-card  41...11 (19 bytes)\n");
    let nothing = run(&["detectors", "test", "-", "--detectors", "iban,email"], "nothing here\n");
    assert_eq!((nothing.status.code(), stdout(&nothing)), (Some(0), String::new()));
}

#[test]
fn digests_have_a_fresh_salt_and_hide_their_values() {
    let digest = || stdout(&run(&["detectors", "digest", "-"], "Jane Doe\n\nK-4711-0815\n"));
    let (one, two) = (digest(), digest());
    assert!(one != two && !one.to_lowercase().contains("jane"));
    let data: serde_json::Value = serde_json::from_str(&one).unwrap();
    assert_eq!(data["digests"].as_array().unwrap().len(), 2);
}

fn examples() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../examples").to_owned()
}

#[test]
fn the_cases_of_the_examples_hold() {
    let output = exeat(&["policy", "test", &examples()]);
    assert_eq!(output.status.code(), Some(0), "{}{output:?}", stdout(&output));
    assert!(stdout(&output).contains(", 0 failed"), "{}", stdout(&output));
}

#[test]
fn a_case_that_is_not_as_expected_says_what_it_got() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("policy.yaml"), GOOD).unwrap();
    let cases = "
policies: [policy.yaml]
cases:
  - {name: one, request: {url: 'https://api.example.com/a'}, expect: {verdict: Deny, code: RuleDeny}}
  - {name: two, request: {url: 'https://api.example.com/a'}, expect: {verdict: Allow, rule: api}}
";
    std::fs::write(directory.path().join("a.test.yaml"), cases).unwrap();
    let place = directory.path().to_str().unwrap();
    let output = exeat(&["policy", "test", place]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for part in ["FAILED  ", "verdict: expected Deny, got Allow", "2 cases, 1 failed"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // What cannot be read is not a case that passed.
    for bad in [
        "policies: []\ncases: []",
        "policies: [none.yaml]\ncases: []",
        "cases: 1",
        "policies: [policy.yaml]\ncases: [{expect: {verdict: Allow}}]",
    ] {
        std::fs::write(directory.path().join("a.test.yaml"), bad).unwrap();
        assert_eq!(exeat(&["policy", "test", place]).status.code(), Some(3), "{bad}");
    }
}

#[test]
fn a_policy_of_safeclaw_is_imported_and_passes_the_check() {
    let file = "
rules:
  - {id: api, action: network.request, resource: 'https://api.example.com/**', effect: allow}
  - {id: no-paste, action: network.request, resource: 'https://.pastebin.com/*', effect: deny}
  - {id: no-curl, action: shell.exec, resource: 'curl *', effect: deny}
";
    let output = run(&["policy", "import", "-", "--name", "agent", "-l", "app=research"], file);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    for part in [
        "rules[1] (no-paste): taken over as no-paste, no-paste-2",
        "rules[2] (no-curl): LEFT OUT: shell.exec",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let policy = stdout(&output);
    assert!(policy.contains("app: research") && policy.contains("https://*.pastebin.com/**"));
    let output = run(&["policy", "check", "-"], &policy);
    assert_eq!(output.status.code(), Some(0), "{policy}\n{}", stdout(&output));
    let whole = file.lines().filter(|line| !line.contains("curl")).collect::<Vec<_>>().join("\n");
    assert_eq!(run(&["policy", "import", "-"], &whole).status.code(), Some(0));
}

#[test]
fn a_pattern_that_refuses_everyday_traffic_is_a_warning() {
    let policy = GOOD.replace("effect: Allow}", "effect: Allow, denyBodyPatterns: [token]}");
    let output = run(&["policy", "check", "-"], &policy);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(
        text.contains("warning: spec.rules[0].denyBodyPatterns[0]") && text.contains("max_tokens"),
        "{text}"
    );
}
