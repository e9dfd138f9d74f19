//! The log on a real directory: what survives, what is cut and noted, what is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use signet_protocol::audit::{Entry, verify};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

struct House {
    home: tempfile::TempDir,
    anchor: Anchor,
}

impl House {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), anchor: Anchor::None }
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("audit")
    }

    fn at(&self, number: u32) -> PathBuf {
        self.dir().join(recover::name(number))
    }

    fn open(&self) -> Result<(Log, Recovery), AuditError> {
        let (mut log, recovery) = Log::open(&self.dir(), &self.anchor, clock::now())?;
        log.note_unfinished(recovery.unfinished.clone(), |_| Some(Vec::new()), clock::now())?;
        Ok((log, recovery))
    }

    fn log(&self) -> Log {
        self.open().unwrap().0
    }

    fn anchored(mut self) -> Self {
        self.anchor = Anchor::File(self.home.path().join("heads"));
        self
    }

    fn change(&self, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.at(1)).unwrap();
        fs::write(self.at(1), change(text)).unwrap();
    }
}

fn note(log: &mut Log, phase: Phase, id: &str) -> Result<u64, AuditError> {
    log.append(Draft::new(phase, id, clock::now()))
}

fn entries(log: &Log) -> Vec<Entry> {
    let bytes: Vec<Vec<u8>> = log.stored().unwrap().map(Result::unwrap).collect();
    let text = String::from_utf8(bytes.concat()).unwrap();
    let report = verify(text.lines(), sha256_hex);
    assert_eq!(report.findings, [], "{text}");
    assert_eq!(report.head.unwrap_or((0, GENESIS.to_owned())), (log.seq, log.hash.clone()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn entries_are_chained_across_restarts() {
    let house = House::new();
    assert_eq!(house.log().head(), Head { version: 1, seq: 0, hash: GENESIS.to_owned() });
    for seq in 1..5 {
        assert_eq!(note(&mut house.log(), Phase::Vend, "a").unwrap(), seq);
    }
    assert_eq!(entries(&house.log()).len(), 4);
}

#[test]
fn a_full_file_is_followed_by_the_next_one_and_the_chain_goes_on() {
    let house = House::new();
    let mut log = house.log();
    for _ in 0..3 {
        note(&mut log, Phase::Vend, "a").unwrap();
        let length = log.length;
        log.length = FILE_LENGTH;
        log.turn_over().unwrap();
        assert!(length > 0 && log.length == 0);
    }
    assert_eq!(entries(&log).len(), 3);
    drop(log);
    // The last file is empty: the head is in the one before.
    let mut log = house.log();
    assert_eq!((log.number, log.seq), (4, 3));
    note(&mut log, Phase::Vend, "a").unwrap();
    assert_eq!(entries(&log).len(), 4);
}

#[test]
fn reading_stops_at_the_head_it_began_with_and_comes_in_pieces() {
    let house = House::new();
    let mut log = house.log();
    while log.length < 200_000 {
        note(&mut log, Phase::Vend, "a").unwrap();
    }
    let known = log.length;
    let mut stored = log.stored().unwrap();
    let mut read = stored.next().unwrap().unwrap();
    note(&mut log, Phase::Vend, "b").unwrap();
    log.length = FILE_LENGTH;
    note(&mut log, Phase::Vend, "c").unwrap();
    assert!(read.len() <= 64 * 1024);
    assert_eq!(stored.left(), known - read.len() as u64);
    for piece in stored {
        let piece = piece.unwrap();
        assert!(piece.len() <= 64 * 1024);
        read.extend(piece);
    }
    assert_eq!(read.len() as u64, known);
    assert_eq!(read.last(), Some(&b'\n'));
}

#[test]
fn a_log_that_was_cut_while_the_agent_runs_promises_no_more_bytes_than_there_are() {
    let house = House::new();
    let mut log = house.log();
    for id in ["a", "b"] {
        note(&mut log, Phase::Vend, id).unwrap();
    }
    let bytes = fs::read(house.at(1)).unwrap();
    let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    fs::write(house.at(1), bytes.get(first..).unwrap()).unwrap();
    let stored = log.stored().unwrap();
    assert_eq!(stored.left(), (bytes.len() - first) as u64);
    assert_eq!(stored.map(|piece| piece.unwrap().len()).sum::<usize>(), bytes.len() - first);
}

#[test]
fn a_file_of_the_log_that_others_can_read_is_refused_before_a_byte_is_told() {
    let house = House::new();
    let mut log = house.log();
    note(&mut log, Phase::Vend, "a").unwrap();
    fs::set_permissions(house.at(1), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(log.stored(), Err(AuditError::Disk(DiskError::NotOurs { .. }))));
}

#[test]
fn a_torn_last_line_is_cut_and_noted() {
    let house = House::new();
    note(&mut house.log(), Phase::Vend, "a").unwrap();
    house.change(|text| text + "{\"seq\":2,\"id\":\"b\"");
    let (log, recovery) = house.open().unwrap();
    assert_eq!(recovery, Recovery { cut: 17, unfinished: Vec::new() });
    let entries = entries(&log);
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[1].phase, Phase::Recovered);
    assert_eq!(entries[1].facts.result.as_deref(), Some("cut 17 bytes of a torn last line"));
    assert_eq!(house.open().unwrap().1, Recovery::default());
}

#[test]
fn a_first_line_that_is_torn_leaves_an_empty_log() {
    let house = House::new();
    drop(house.log());
    fs::write(house.at(1), "{\"seq\":1").unwrap();
    let (log, recovery) = house.open().unwrap();
    assert_eq!((recovery.cut, entries(&log).len()), (8, 1));
}

#[test]
fn an_intent_without_an_outcome_is_noted_once() {
    let house = House::new();
    let mut log = house.log();
    for (phase, id) in [(Phase::Intent, "done"), (Phase::Intent, "killed"), (Phase::Outcome, "done")] {
        note(&mut log, phase, id).unwrap();
    }
    drop(log);
    let (log, recovery) = house.open().unwrap();
    assert_eq!(recovery.unfinished.iter().map(|intent| intent.id.as_str()).collect::<Vec<_>>(), ["killed"]);
    let last = entries(&log).pop().unwrap();
    assert_eq!((last.phase, last.id.as_str()), (Phase::Recovered, "killed"));
    assert_eq!((last.facts.result.as_deref(), last.facts.enrolled), (Some("unfinished"), None));
    drop(log);
    assert_eq!(house.open().unwrap().1, Recovery::default());
}

#[test]
fn an_act_that_may_have_set_factors_is_noted_with_those_that_are_there() {
    let house = House::new();
    let mut log = house.log();
    for action in ["signet:AddFactor", "sts:GetCallerIdentity"] {
        let mut intent = Draft::new(Phase::Intent, action, clock::now());
        intent.facts.action = Some(action.to_owned());
        intent.facts.key = Some("prod".to_owned());
        log.append(intent).unwrap();
    }
    drop(log);
    let (log, _) = house.open().unwrap();
    let noted: Vec<_> = entries(&log).split_off(2).into_iter().map(|entry| entry.facts.enrolled).collect();
    assert_eq!(noted, [Some(Vec::new()), None]);
}

#[test]
fn a_log_whose_end_was_changed_is_not_gone_on_with() {
    let changes: [fn(String) -> String; 4] = [
        |text| text.replacen("\"killer\"", "\"friend\"", 1),
        |text| text.lines().skip(1).map(|line| format!("{line}\n")).collect(),
        |text| text.lines().rev().map(|line| format!("{line}\n")).collect(),
        |text| text + "not an entry\n",
    ];
    for change in changes {
        let house = House::new();
        let mut log = house.log();
        for id in ["a", "killer", "c"] {
            note(&mut log, Phase::Vend, id).unwrap();
        }
        drop(log);
        house.change(change);
        assert!(matches!(house.open(), Err(AuditError::Damaged { .. })));
    }
}

#[test]
fn a_log_that_is_behind_its_copied_head_is_not_gone_on_with() {
    let house = House::new().anchored();
    let mut log = house.log();
    for id in ["a", "b"] {
        note(&mut log, Phase::Vend, id).unwrap();
    }
    drop(log);
    let whole = fs::read_to_string(house.at(1)).unwrap();
    house.change(|text| text.lines().take(1).map(|line| format!("{line}\n")).collect());
    assert!(matches!(house.open(), Err(AuditError::Damaged { .. })));
    house.change(|_| String::new());
    assert!(matches!(house.open(), Err(AuditError::Damaged { .. })));
    house.change(|_| whole);
    house.open().unwrap();
    // Another log of the same length.
    fs::remove_dir_all(house.dir()).unwrap();
    let other = House { anchor: Anchor::None, ..house };
    let mut log = other.log();
    for id in ["x", "y"] {
        note(&mut log, Phase::Vend, id).unwrap();
    }
    drop(log);
    assert!(matches!(other.anchored().open(), Err(AuditError::Damaged { .. })));
}

#[test]
fn a_copy_that_is_behind_the_log_is_what_a_crash_leaves() {
    let house = House::new().anchored();
    note(&mut house.log(), Phase::Vend, "a").unwrap();
    let heads = fs::read(house.home.path().join("heads")).unwrap();
    note(&mut house.log(), Phase::Vend, "b").unwrap();
    fs::write(house.home.path().join("heads"), heads).unwrap();
    house.open().unwrap();
}

#[test]
fn a_failed_append_leaves_no_trace_and_the_next_one_is_good() {
    let house = House::new();
    let mut log = house.log();
    note(&mut log, Phase::Vend, "a").unwrap();
    // The disk takes half a line, then no more: as if the write had failed on the way.
    fs::OpenOptions::new().append(true).open(house.at(1)).unwrap().write_all(b"{\"seq\":2,").unwrap();
    log.torn = true;
    assert_eq!(entries(&log).len(), 1, "a reader sees whole entries only");
    assert_eq!(note(&mut log, Phase::Vend, "b").unwrap(), 2);
    assert_eq!(entries(&log).len(), 2);
    // And when nothing can be written at all.
    let read_only = fs::File::open(house.at(1)).unwrap();
    let good = std::mem::replace(&mut log.file, read_only);
    assert!(matches!(note(&mut log, Phase::Vend, "c"), Err(AuditError::Disk(_))));
    assert!(
        matches!(note(&mut log, Phase::Vend, "c"), Err(AuditError::Disk(_))),
        "it cannot be mended either"
    );
    log.file = good;
    assert_eq!(note(&mut log, Phase::Vend, "c").unwrap(), 3);
    assert_eq!(entries(&log).len(), 3);
}

#[test]
fn texts_of_callers_are_escaped_and_cut() {
    let house = House::new();
    let mut log = house.log();
    let mut draft = Draft::new(Phase::Outcome, "a", clock::now());
    draft.facts.reason = Some(format!("\u{1b}[2J\n\",\"hash\":\"{}\"}}", "ä".repeat(5000)));
    log.append(draft).unwrap();
    let entry = entries(&log).pop().unwrap();
    assert_eq!(entry.facts.reason.unwrap().chars().count(), 1024);
    let text = fs::read_to_string(house.at(1)).unwrap();
    assert_eq!(text.matches('\n').count(), 1);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn the_last_entry_of_some_kind_is_found_however_much_was_written_since() {
    let house = House::new();
    let mut log = house.log();
    let is_vend = |entry: &Entry| entry.phase == Phase::Vend;
    assert_eq!(log.last(is_vend).unwrap(), 0, "an empty log");
    let mut wordy = Draft::new(Phase::Outcome, "b", clock::now());
    wordy.facts.reason = Some("x".repeat(1000));
    for round in 0..3 {
        let vend = note(&mut log, Phase::Vend, "a").unwrap();
        // More than a piece of refusals, the last round in a file of their own.
        for _ in 0..300 {
            log.append(wordy.clone()).unwrap();
        }
        if round == 1 {
            log.length = FILE_LENGTH;
        }
        assert_eq!(log.last(is_vend).unwrap(), vend);
    }
    assert_eq!(log.last(|_| true).unwrap(), log.seq);
    assert_eq!(log.last(|entry| entry.phase == Phase::Admin).unwrap(), 0);
    assert_eq!(log.last(|entry| entry.seq == 1).unwrap(), 1, "the very first");
    // Something that is no line is passed over.
    fs::write(house.at(3), vec![0; 1 << 20]).unwrap();
    fs::set_permissions(house.at(3), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(log.last(|entry| entry.seq == 1).unwrap(), 1);
}
