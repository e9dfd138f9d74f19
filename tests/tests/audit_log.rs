//! `signet audit verify` on a log of real uses and refusals: every line that was changed, removed, swapped
//! or doubled is named, by the agent's log and by a copy without an agent; a tail that was cut off only
//! against a head kept elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::Value;
use signet_tests::harness::{Setup, Signet};

/// AWS's published example credentials.
const KEY: &[u8] = b"AKIAIOSFODNN7EXAMPLE\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
/// How many places of the log each kind of tampering is tried at.
const PLACES: usize = 12;
/// Fewest lines of a log that is worth being tampered with.
const LINES: usize = 60;

fn request(action: &str) -> Vec<u8> {
    let body = format!("Action={action}&Version=2011-06-15");
    format!(
        "POST / HTTP/1.1\r\nHost: sts.amazonaws.com\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A Signet whose log has uses, refusals before and after the intent, and acts of management.
fn used() -> Signet {
    let signet = Signet::start(&Setup { kinds: &["software"], ..Setup::default() });
    signet.answer("new-passphrase", &["a passphrase for tests"]);
    signet.answer("passphrase", &["a passphrase for tests"]);
    signet.answer("confirm", &["yes"]);
    let _ = signet.run(&["init", "--kind", "software", "--yes"]).ok();
    let add = ["add", "root", "--kind", "root", "--stdin", "--no-verify", "--no-factor"];
    let _ = signet.run_with(&add, KEY).ok();
    let sign = ["sign", "root", "--service", "sts", "--region", "us-east-1"];
    for round in 0..4 {
        let _ = signet.run_with(&sign, &request("GetCallerIdentity")).ok();
        signet.answer("passphrase", &["another passphrase"]);
        let _ = signet.run_with(&sign, &request("GetCallerIdentity")).refused(77);
        signet.answer("passphrase", &["a passphrase for tests"]);
        // What an action is called comes from the request, so it is another text in each line.
        for number in 0..10 {
            let said = signet.run_with(&sign, &request(&format!("Refused{round}x{number}"))).refused(77);
            assert!(said.contains("denied") || said.contains("policy"), "{said}");
        }
    }
    signet
}

/// The log's only file.
fn log_of(state: &Path) -> PathBuf {
    let files: Vec<PathBuf> = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

fn lines(file: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(file).unwrap();
    assert_eq!(bytes.last(), Some(&b'\n'));
    bytes[..bytes.len() - 1].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn write(file: &Path, lines: &[Vec<u8>]) {
    fs::write(file, lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect::<Vec<u8>>()).unwrap();
}

/// A number below `limit`.
fn random(limit: usize) -> usize {
    let mut bytes = [0; 4];
    SystemRandom::new().fill(&mut bytes).unwrap();
    u32::from_be_bytes(bytes) as usize % limit
}

/// A log, and the two ways to have it checked.
struct Checked<'a> {
    signet: &'a Signet,
    log: PathBuf,
    copy: PathBuf,
    whole: Vec<Vec<u8>>,
}

impl Checked<'_> {
    fn verify(&self, more: &[&str]) -> (i32, Value) {
        let ran = self.signet.run(&[&["audit", "verify", "-o", "json"], more].concat());
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        (ran.code(), report)
    }

    /// Puts these lines in the place of the log and of its copy; what the copy's check and the agent's say.
    fn tampered(&self, lines: &[Vec<u8>]) -> [Vec<Value>; 2] {
        write(&self.copy.join("000001.jsonl"), lines);
        write(&self.log, lines);
        let found = [&["--dir", self.copy.to_str().unwrap()][..], &[]].map(|more| {
            let (code, report) = self.verify(more);
            assert_eq!(code, 1, "{more:?}: {report}");
            assert_eq!(report["error"]["code"], "failed_check", "{report}");
            report["faults"].as_array().unwrap().clone()
        });
        write(&self.log, &self.whole);
        found
    }
}

/// Whether a fault of this kind is named for this entry.
fn names(faults: &[Value], seq: usize, word: &str) -> bool {
    faults.iter().any(|fault| fault["seq"] == seq && fault["what"].as_str().unwrap().contains(word))
}

/// Whether a fault of this kind is named at this line (from 1).
fn at_line(faults: &[Value], line: usize, word: &str) -> bool {
    faults.iter().any(|fault| {
        let place = fault["place"].as_str().unwrap();
        let here = place == format!("000001.jsonl:{line}") || place == format!("line {line}");
        here && fault["what"].as_str().unwrap().contains(word)
    })
}

#[test]
fn every_line_that_was_tampered_with_is_named_with_and_without_an_agent() {
    let signet = used();
    let log = log_of(&signet.state_dir().join("audit"));
    let whole = lines(&log);
    assert!(whole.len() >= LINES, "{} lines", whole.len());
    let copy = signet.path("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(&log, copy.join("000001.jsonl")).unwrap();
    let checked = Checked { signet: &signet, log, copy, whole };
    let (whole, count) = (&checked.whole, checked.whole.len());
    let copied = ["--dir", checked.copy.to_str().unwrap()];
    for more in [&copied[..], &[]] {
        let (code, report) = checked.verify(more);
        assert_eq!((code, report["entries"].as_u64()), (0, Some(count as u64)), "{report}");
        assert_eq!(report["faults"].as_array().unwrap().len(), 0);
    }

    for _ in 0..PLACES {
        // A byte is changed.
        let (at, mut torn) = (random(count), whole.clone());
        let byte = random(torn[at].len());
        let other = u8::try_from(random(255) + 1).unwrap();
        torn[at][byte] = match torn[at][byte] ^ other {
            b'\n' => b'!',
            changed => changed,
        };
        let case = format!("line {} byte {byte}: {}", at + 1, String::from_utf8_lossy(&torn[at]));
        for faults in checked.tampered(&torn) {
            assert!(faults.len() == 1 && at_line(&faults, at + 1, "changed"), "{case}: {faults:?}");
        }

        // A line is removed; not the last, which is another question.
        let (at, mut torn) = (random(count - 1), whole.clone());
        torn.remove(at);
        for faults in checked.tampered(&torn) {
            assert!(faults.len() == 1 && names(&faults, at + 1, "missing"), "line {}: {faults:?}", at + 1);
        }

        // Two lines change places.
        let first = random(count - 1);
        let second = first + 1 + random(count - first - 1);
        let mut torn = whole.clone();
        torn.swap(first, second);
        for faults in checked.tampered(&torn) {
            let both = names(&faults, first + 1, "swapped") && names(&faults, second + 1, "swapped");
            assert!(faults.len() == 2 && both, "lines {} and {}: {faults:?}", first + 1, second + 1);
        }

        // A line stands twice.
        let (at, to, mut torn) = (random(count), random(count + 1), whole.clone());
        torn.insert(to, whole[at].clone());
        let [of_copy, of_agent] = checked.tampered(&torn);
        let case = format!("line {} again before {}", at + 1, to + 1);
        assert!(of_copy.len() == 1 && names(&of_copy, at + 1, "doubled"), "{case}: {of_copy:?}");
        // A running agent shows as much of its file as it has written; what was pushed beyond that
        // is missing there, and the doubled line is the last one when it was put behind the end.
        assert!(names(&of_agent, at + 1, "doubled") || to == count, "{case}: {of_agent:?}");
    }
    let (code, report) = checked.verify(&[]);
    assert_eq!(code, 0, "{report}");
}

#[test]
fn a_line_that_was_made_anew_with_its_hash_is_named_by_its_neighbours() {
    let signet = used();
    let log = log_of(&signet.state_dir().join("audit"));
    let whole = lines(&log);
    let copy = signet.path("copy");
    fs::create_dir(&copy).unwrap();
    let checked = Checked { signet: &signet, log, copy, whole };
    for _ in 0..PLACES {
        // Behind the last but one there is only one witness: that is named as "one of the two".
        let at = random(checked.whole.len() - 2);
        let mut torn = checked.whole.clone();
        let text = String::from_utf8(torn[at].clone()).unwrap();
        let (body, _) = text.rsplit_once(",\"hash\"").unwrap();
        let body = body.replace("\"time\":\"2", "\"time\":\"3");
        assert!(!text.starts_with(&body), "{text}");
        let hash: String = ring::digest::digest(&ring::digest::SHA256, body.as_bytes())
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        torn[at] = format!("{body},\"hash\":\"{hash}\"}}").into_bytes();
        for faults in checked.tampered(&torn) {
            assert!(faults.len() == 1 && names(&faults, at + 1, "changed"), "line {}: {faults:?}", at + 1);
        }
    }
}

#[test]
fn a_cut_tail_is_found_only_against_a_head_kept_elsewhere_and_this_is_said() {
    let signet = used();
    let head = signet.run(&["audit", "head"]).ok();
    let log = log_of(&signet.state_dir().join("audit"));
    let whole = lines(&log);
    let copy = signet.path("copy");
    fs::create_dir(&copy).unwrap();
    let copied = copy.to_str().unwrap();
    for cut in [1, 2, 7, whole.len()] {
        let left = &whole[..whole.len() - cut];
        write(&copy.join("000001.jsonl"), left);
        let blind = signet.run(&["audit", "verify", "--dir", copied]);
        assert_eq!(blind.code(), 0, "{blind:?}");
        assert!(blind.stderr.contains("cut off") && blind.stderr.contains("--head"), "{blind:?}");
        let seen = signet.run(&["audit", "verify", "--dir", copied, "--head", head.trim()]);
        assert_eq!(seen.code(), 1, "{seen:?}");
        assert!(seen.stdout.contains(&format!("entry {}", whole.len())), "{seen:?}");
        assert!(seen.stdout.contains("cut off"), "{seen:?}");

        write(&log, left);
        let of_agent = signet.run(&["audit", "verify", "--head", head.trim()]);
        assert_eq!(of_agent.code(), 1, "{of_agent:?}");
        write(&log, &whole);
    }
    let good = signet.run(&["audit", "verify", "--head", head.trim()]);
    assert_eq!(good.code(), 0, "{good:?}");
    assert!(!good.stderr.contains("cut off"), "{good:?}");

    // A tail that was torn in the middle of a line.
    let mut bytes = fs::read(&log).unwrap();
    bytes.truncate(bytes.len() - 10);
    fs::write(copy.join("000001.jsonl"), bytes).unwrap();
    let torn = signet.run(&["audit", "verify", "--dir", copied]);
    assert!(torn.code() == 1 && torn.stdout.contains("torn"), "{torn:?}");
}
