//! `signet audit` on a copy of the log, without an agent, and on what an agent says.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod stub;

use serde_json::Value;
use signet_envelope::{hex, sha256};
use std::path::Path;
use std::process::Output;
use stub::{StubAgent, signet};

/// Six entries in two files, each linked to the one before.
fn log() -> Vec<String> {
    let mut prev = "0".repeat(64);
    (1..=6)
        .map(|seq| {
            let key = if seq % 2 == 0 { "prod" } else { "dev" };
            let signed = format!(
                r#"{{"seq":{seq},"id":"u","time":"2026-11-0{seq}T10:00:00Z","phase":"outcome","key":"{key}","action":"sts:GetCallerIdentity","token":"42","result":"signed","prev":"{prev}""#
            );
            prev = hex(&sha256(signed.as_bytes()));
            format!("{signed},\"hash\":\"{prev}\"}}\n")
        })
        .collect()
}

fn copy(lines: &[String]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = lines.split_at(lines.len() / 2);
    std::fs::write(dir.path().join("000001.jsonl"), first.concat()).unwrap();
    std::fs::write(dir.path().join("000002.jsonl"), second.concat()).unwrap();
    std::fs::write(dir.path().join("README"), "not a log").unwrap();
    dir
}

fn audit(dir: &Path, args: &[&str]) -> Output {
    let dir = dir.display().to_string();
    signet(&[&["audit"], args, &["--dir", &dir]].concat()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_fault_is_named_with_its_line_and_ends_with_1() {
    let mut changed = log();
    changed[1] = changed[1].replace("sts:Get", "iam:Get");
    let mut removed = log();
    removed.remove(2);
    let mut swapped = log();
    swapped.swap(4, 5);
    let mut doubled = log();
    doubled.insert(3, log()[3].clone());
    let mut torn = log();
    torn[5].pop();
    for (lines, said) in [
        (changed, vec!["000001.jsonl:2: entry 2 was changed"]),
        (removed, vec!["000002.jsonl:1: entry 3 is missing"]),
        (swapped, vec!["000002.jsonl:2: entry 6 was swapped", "000002.jsonl:3: entry 5 was swapped"]),
        (doubled, vec!["entry 4 was doubled"]),
        (torn, vec!["000002.jsonl:3: the last line has no end"]),
    ] {
        let dir = copy(&lines);
        let output = audit(dir.path(), &["verify"]);
        assert_eq!(output.status.code(), Some(1));
        for said in &said {
            assert!(text(&output.stdout).contains(said), "{}", text(&output.stdout));
        }
        assert!(text(&output.stderr).contains("signet: error: the audit log has "));
        let output = audit(dir.path(), &["verify", "-o", "json"]);
        assert_eq!(output.status.code(), Some(1));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["error"]["code"], "failed_check");
        assert_eq!(told["faults"].as_array().unwrap().len(), said.len());
    }
}

#[test]
fn a_whole_log_is_whole_and_a_cut_one_is_found_with_a_head() {
    let dir = copy(&log());
    let output = audit(dir.path(), &["verify"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).starts_with("6 entries, the chain is whole up to 6:"));
    assert!(text(&output.stderr).contains("only against a head kept elsewhere"));
    let head = text(&audit(dir.path(), &["head"]).stdout).trim().to_owned();
    assert!(audit(dir.path(), &["verify", "--head", &head]).status.success());

    let cut = copy(&log()[..4]);
    assert!(audit(cut.path(), &["verify"]).status.success());
    let output = audit(cut.path(), &["verify", "--head", &head]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("the tail was cut off"));
    assert_eq!(audit(dir.path(), &["verify", "--head", "6"]).status.code(), Some(2));
}

#[test]
fn a_directory_without_a_log_is_a_failed_check() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path(), Path::new("/nonexistent")] {
        assert_eq!(audit(path, &["verify"]).status.code(), Some(1));
    }
}

#[test]
fn the_stored_bytes_come_out_as_they_are() {
    let lines = log();
    let dir = copy(&lines);
    for words in [&["log"][..], &["log", "-o", "json"]] {
        assert_eq!(text(&audit(dir.path(), words).stdout), lines.concat());
    }
    let table = text(&audit(dir.path(), &["log", "-o", "text"]).stdout).to_lowercase();
    assert!(
        table.starts_with("seq") && table.lines().count() == 7,
        "who asks for the table gets it: {table}"
    );
    let some = audit(
        dir.path(),
        &["log", "--key", "prod", "--since", "2026-11-03", "--until", "2026-11-06T10:00:00Z"],
    );
    assert_eq!(text(&some.stdout), lines[3]);
    assert_eq!(text(&audit(dir.path(), &["log", "--token", "43"]).stdout), "");
    assert_eq!(audit(dir.path(), &["log", "--since", "soon"]).status.code(), Some(2));
    let csv = text(&audit(dir.path(), &["log", "-o", "csv"]).stdout);
    assert_eq!(
        (csv.lines().count(), csv.lines().next()),
        (7, Some("seq,time,phase,key,action,user,token,result,reason"))
    );
}

#[test]
fn the_agents_own_log_is_checked_here() {
    let mut lines = log();
    lines[2] = lines[2].replace("dev", "sev");
    let agent = StubAgent::new(move |session| match session.line.as_str() {
        "get /v1/audit" => {
            for line in &lines {
                session.say_text(line);
            }
        }
        other => panic!("{other}"),
    });
    let output = agent.signet(&["audit", "verify"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout).lines().count(), 1);
    assert!(text(&output.stdout).contains("line 3: entry 3 was changed"), "{}", text(&output.stdout));
}
