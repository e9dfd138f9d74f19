//! Approvals in a log of many uses: what `signet audit` says of them, and that a script without Signet agrees,
//! and takes no proof of which a byte was changed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod approver;
mod stub;

use approver::{Approver, Log, asked};
use serde_json::Value;
use signet_protocol::audit::Phase;
use signet_protocol::record::Algorithm;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use stub::{signet, with_stdin};

/// The script, as it is handed out.
const VERIFY_PROOF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/verify-proof");

/// Loads the script, has it look at each proof of the file named, and at copies of which something was changed.
const HOSTILE: &str = r#"
import importlib.machinery, importlib.util, sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("verify_proof", sys.argv[1])
script = importlib.util.module_from_spec(importlib.util.spec_from_loader("verify_proof", loader))
loader.exec_module(script)
proofs = open(sys.argv[2], "rb").read().splitlines(keepends=True)
def refused(data):
    try:
        script.check(data)
        return False
    except script.Refused:
        return True
good = sum(len(script.check(proof)) == 1 for proof in proofs)
taken = 0
for number, proof in enumerate(proofs):
    at = number * 7919 % len(proof)
    taken += not refused(proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1:])
for proof in proofs[:2]:
    for at in range(len(proof)):
        before, after = proof[:at], proof[at + 1:]
        for change in (1, 2, 0x20, 0x80):
            taken += not refused(before + bytes([proof[at] ^ change]) + after)
        taken += not refused(before + after)
        taken += not refused(before + b" " + proof[at:])
print(good, taken)
"#;

/// Python with `cryptography`, out of the environment that `tests/python-venv` makes where it is not there yet.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let made =
        Command::new(root.join("tests/python-venv")).output().expect("tests/python-venv can be started");
    assert!(made.status.success(), "{made:?}");
    root.join(text(&made.stdout).trim()).join("bin/python")
});

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn stored(log: &Log) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<u8> = log.lines().into_iter().flat_map(|line| [line, b"\n".to_vec()].concat()).collect();
    std::fs::write(dir.path().join("000001.jsonl"), lines).unwrap();
    dir
}

fn audit(dir: &Path, args: &[&str]) -> Output {
    signet(&[&["audit"], args, &["--dir", dir.to_str().unwrap()]].concat()).output().unwrap()
}

type Edit = fn(&mut Log);

fn verify_proof(proof: &str) -> Output {
    let mut command = Command::new(&*PYTHON);
    command.arg(VERIFY_PROOF).env("PYTHONDONTWRITEBYTECODE", "1");
    with_stdin(command, proof)
}

/// Two keys and two authenticators, one of which comes later.
fn log(uses: usize) -> (Log, Vec<String>) {
    let mut log = Log::default();
    let (mut first, mut second) =
        (Approver::new(1, Algorithm::Es256), Approver::new(2, Algorithm::EdDsa).plain());
    log.sets("prod", "signet:Add", &[&first]);
    log.sets("dev", "signet:Add", &[&second]);
    let ids = (0..uses).map(|number| match number % 4 {
        0 | 2 => log.uses("prod", &mut first),
        1 => log.uses("dev", &mut second),
        _ => {
            log.note(Phase::Outcome, "refused", asked("prod", "sts:GetCallerIdentity"));
            log.uses("prod", &mut first)
        }
    });
    let ids = ids.collect();
    (log, ids)
}

#[test]
fn a_thousand_uses_are_verified_with_and_without_signet_and_no_byte_can_be_changed() {
    let (log, ids) = log(1000);
    let dir = stored(&log);
    let output = audit(dir.path(), &["verify"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    assert!(
        text(&output.stdout).contains("\n1000 uses were approved by fido2 authenticators: every proof holds")
    );
    let args: Vec<&str> = ["prove"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    let output = audit(dir.path(), &args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let proofs = dir.path().join("proofs");
    std::fs::write(&proofs, &output.stdout).unwrap();
    let told = Command::new(&*PYTHON).args(["-c", HOSTILE, VERIFY_PROOF]).arg(&proofs).output().unwrap();
    assert_eq!(text(&told.stdout), "1000 0\n", "{}", text(&told.stderr));
}

#[test]
fn the_approvals_are_listed_for_people_and_for_programs() {
    let (log, ids) = log(2);
    let dir = stored(&log);
    let output = audit(dir.path(), &["verify", "--approvals"]);
    let told = text(&output.stdout);
    let rows: Vec<Vec<&str>> = told.lines().map(|line| line.split("  ").collect()).collect();
    assert_eq!(rows.len(), 5, "{told}");
    assert_eq!(rows[3][0], "6", "{told}");
    for part in ["fido2-1 (key ü \"1\")", "sts:GetCallerIdentity", &"ab".repeat(32), "  fido-"] {
        assert!(told.lines().nth(3).unwrap().contains(part), "{told}");
    }
    let output = audit(dir.path(), &["verify", "-o", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let credential = log.entries[3].facts.enrolled.as_ref().unwrap()[0].credential.clone().unwrap();
    assert_eq!(
        told["approvals"][1],
        serde_json::json!({"seq": 8, "intent": 7, "time": "2026-11-22T00:00:07Z", "key": "dev",
            "factor": "fido2-2", "label": "key ü \"2\"", "credential": credential.id,
            "aaguid": "00000000000000000000000000000002", "verified": false, "action": "sts:GetCallerIdentity",
            "request_sha256": "ab".repeat(32), "reason": "INC-7 東京 \"quoted\"", "result": "signed"})
    );
    let csv = text(&audit(dir.path(), &["verify", "--approvals", "-o", "csv"]).stdout);
    assert!(csv.starts_with("seq,time,key,action,approved by,credential,request sha256\r\n6,"), "{csv}");
    assert_eq!(ids.len(), 2);
}

#[test]
fn faults_of_the_chain_come_first_and_those_of_approvals_stand_behind() {
    let (mut log, ids) = log(2);
    log.entries[5].facts.proof.as_mut().unwrap().signature = "AAAA".into();
    log.entries[7].facts.proof = None;
    let mut lines = log.lines();
    let changed = text(&lines[0]).replace("INC-7", "INC-8");
    lines[0] = changed.into_bytes();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("000001.jsonl"), lines.join(&b'\n')).unwrap();
    let output = audit(dir.path(), &["verify"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(
        told,
        [
            "000001.jsonl:1: entry 1 was changed: it does not match its own hash",
            "000001.jsonl:8: the last line has no end: it was torn",
            "000001.jsonl:6: entry 6 was not approved as it says: its signature does not fit",
            "000001.jsonl:8: entry 8 was done without the approval that the key asks for",
        ]
    );
    assert!(text(&output.stderr).contains("the audit log has 4 faults"));
    let csv = audit(dir.path(), &["verify", "--approvals", "-o", "csv"]);
    assert_eq!((csv.status.code(), text(&csv.stderr).lines().count()), (Some(1), 4), "{csv:?}");
    for (id, why) in ids.iter().zip(["its signature does not fit", "was done without the approval"]) {
        let output = audit(dir.path(), &["prove", id]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        assert!(text(&output.stderr).contains(why), "{output:?}");
    }
}

#[test]
fn what_was_not_approved_cannot_be_proved() {
    let (mut log, ids) = log(1);
    log.note(Phase::Outcome, "other", asked("prod", "sts:GetCallerIdentity"));
    let dir = stored(&log);
    for (id, why) in [
        ("other", "the log has no approval of that use by a fido2 authenticator"),
        ("none", "the log has no use of that id"),
        (" ", "the log has no use of that id"),
    ] {
        let output = audit(dir.path(), &["prove", &ids[0], id]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(77), 0), "all or nothing");
        assert!(text(&output.stderr).contains(why), "{output:?}");
    }
    let mut lines = log.lines();
    lines[0] = text(&lines[0]).replace("INC-7", "INC-8").into_bytes();
    lines[5] = text(&lines[5]).replace("\"uid\":1000", "\"uid\":1001").into_bytes();
    std::fs::write(dir.path().join("000001.jsonl"), lines.join(&b'\n')).unwrap();
    let output = audit(dir.path(), &["prove", &ids[0]]);
    assert_eq!(output.status.code(), Some(1), "its outcome was changed");
    assert!(text(&output.stderr).contains("an entry that the proof needs was changed"));
}

#[test]
fn the_script_says_who_approved_what_in_sentences() {
    let (log, ids) = log(2);
    let dir = stored(&log);
    let both = text(&audit(dir.path(), &["prove", &ids[0], &ids[1]]).stdout);
    let output = verify_proof(&both);
    assert!(output.status.success(), "{output:?}");
    let told = text(&output.stdout);
    for sentence in [
        "factor fido2-1 (key ü \"1\") approved sts:GetCallerIdentity with key prod (AKIAIOSFODNN7EXAMPLE) at 2026-11-22T00:00:05Z.",
        "The reason that was claimed: INC-7 東京 \"quoted\".",
        "The authenticator was touched, and says that it verified the person.",
        "The authenticator was touched, and says that it verified nobody.",
    ] {
        assert!(told.lines().any(|line| line == sentence), "{told}");
    }
    assert!(told.contains("Entry 4 of the log, the enrolment, has the hash "), "{told}");
    let one = both.lines().next().unwrap();
    for (wrong, why) in [
        (String::new(), "it was cut, or is no proof"),
        (one.to_owned(), "it was cut, or is no proof"),
        (format!("{one}\n{one} \n"), "line 2: it is not as Signet has written it"),
        ("[".repeat(100_000) + "\n", "it is not as Signet has written it"),
        (one.replacen("1000", "1001", 1) + "\n", "the line of the intent was changed"),
        (
            both.replacen("\"factor\":\"fido2-1\"", "\"factor\":\"fido2-2\"", 1),
            "the proof is not the one in the outcome",
        ),
    ] {
        let output = verify_proof(&wrong);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
        let said = text(&output.stderr);
        assert!(
            said.starts_with("verify-proof: ") && said.lines().count() == 1 && said.contains(why),
            "{said}"
        );
    }
    let output = Command::new(&*PYTHON).args([VERIFY_PROOF, "/nonexistent"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).lines().count()), (Some(2), 1), "{output:?}");
}

#[test]
fn a_log_that_was_made_anew_around_a_signature_is_not_taken_by_the_script() {
    let edits: [(Edit, &str); 5] = [
        (|log| log.entries[4].facts.reason = None, "intent and outcome are not of the same use"),
        (
            |log| {
                let other = Some("cd".repeat(32));
                log.entries[4].facts.request_sha256.clone_from(&other);
                log.entries[5].facts.request_sha256 = other;
            },
            "another request_sha256",
        ),
        (|log| log.entries[4].time = "2026-11-22T00:00:06Z".into(), "another time"),
        (
            |log| {
                let other = Approver::new(1, Algorithm::Es256).factor;
                log.entries[1].facts.enrolled = Some(vec![other]);
            },
            "the signature does not fit",
        ),
        (
            |log| log.entries[1].facts.enrolled.as_mut().unwrap()[0].id = "fido2-2".into(),
            "the credential is not the one that was enrolled",
        ),
    ];
    let (good, ids) = log(1);
    let proof = good.entries[5].facts.proof.clone();
    let document = |log: &Log| {
        let lines: Vec<String> = log.lines().iter().map(|line| text(line)).collect();
        let credential = &log.entries[1].facts.enrolled.as_ref().unwrap()[0].credential;
        let json = |it: &str| serde_json::to_string(it).unwrap();
        format!(
            "{{\"version\":1,\"proof\":{},\"credential\":{},\"intent\":{},\"outcome\":{},\"enrolment\":{}}}\n",
            serde_json::to_string(&proof).unwrap(),
            serde_json::to_string(credential).unwrap(),
            json(&lines[4]),
            json(&lines[5]),
            json(&lines[1])
        )
    };
    assert_eq!(document(&good), text(&audit(stored(&good).path(), &["prove", &ids[0]]).stdout));
    for (edit, why) in edits {
        let mut forged = Log { entries: good.entries.clone() };
        edit(&mut forged);
        let output = verify_proof(&document(&forged));
        assert_eq!(output.status.code(), Some(1), "{why}");
        assert!(text(&output.stderr).contains(why), "{why}: {output:?}");
    }
}
