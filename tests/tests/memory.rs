//! The agent's memory while 50 uses run: nothing of the secret, of the keys derived from it, of the PIN or
//! of the factor's seed is ever in it, and no signer outlives its use. And the memory of the signers too
//! while a key signs that is inside a token: nothing of the secret is in any process of the host.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod scan;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use scan::{
    REQUEST, Wanted, blinks, days, letters, nothing_on_disk, planted_in_a_child, random, sign, signed,
    signer_of, signers_of, watched,
};
use signet_tests::aws::totp_code;
use signet_tests::card::{Card, Profile, Touch};
use signet_tests::harness::{Setup, Signet};
use signet_tests::pcsc::Pcscd;
use signet_tests::process::{comes_true, signal};

const USES: usize = 50;
/// Of them with the factor: a code is good once, and no later step than the next one is taken.
const WITH_CODE: usize = 2;
/// Six characters that are not found by accident; the card takes any byte.
const PIN: &str = "wQ7&zK";

/// A seed of 20 bytes as base32 (RFC 4648, section 6) and as bytes.
fn seed() -> (String, Vec<u8>) {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bytes = random(20);
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let text = bits
        .chunks(5)
        .map(|five| char::from(ALPHABET[five.iter().fold(0, |number, bit| number * 2 + usize::from(*bit))]))
        .collect();
    (text, bytes)
}

fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

#[test]
fn fifty_uses_leave_nothing_in_the_agent_and_no_signer() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let signet = Signet::start(&Setup { kinds: &["yubikey-piv"], pcscd: Some(&pcscd), ..Setup::default() });
    let agent = signet.agent_pid().unwrap();
    let (plain, gated, marker) = (letters(40), letters(40), letters(40));
    let (seed_text, seed_bytes) = seed();

    let days = days();
    let mut wanted = Wanted::default();
    wanted.add_secret("the secret", &plain, &days);
    wanted.add_secret("the second secret", &gated, &days);
    wanted.add_forms("the seed", &seed_bytes);
    wanted.add_pads("the seed", &seed_bytes);
    wanted.add_text("the seed in base32", &seed_text);
    wanted.add_pin("the pin", PIN, &[0xff; 2]);
    planted_in_a_child(&wanted);

    for (kind, answer) in [("new-pin", PIN), ("new-puk", "87654321"), ("pin", PIN), ("confirm", "yes")] {
        signet.answer(kind, &[answer]);
    }
    let _ = signet.run(&["init", "--yes"]).ok();
    let key = |id: &str, secret: &str| format!("{id}\n{secret}\n").into_bytes();
    let add = |name, factor: &[&str], input: &[u8]| {
        let add = ["add", name, "--kind", "root", "--stdin", "--no-verify"];
        let _ = signet.run_with(&[&add[..], factor].concat(), input).ok();
    };
    add("plain", &["--no-factor"], &key("AKIAIOSFODNN7EXAMPLE", &plain));
    signet.answer("totp-seed", &[&seed_text]);
    signet.answer("totp", &[&totp_code(&seed_text, now()).unwrap()]);
    add("gated", &["--totp", "ask"], &key("AKIAI44QH8DHBEXAMPLE", &gated));

    // The memory is read all the time that the uses run.
    let scans = watched(&wanted, agent, || {
        let begun = now();
        for at in [begun, begun + 30] {
            signet.answer("totp", &[&totp_code(&seed_text, at).unwrap()]);
            signed(sign(&signet, "gated", &[]));
        }
        for _ in WITH_CODE..USES {
            signed(sign(&signet, "plain", &[]));
        }
    });
    assert!(scans >= 10, "the memory was read only {scans} times");
    assert_eq!(card.events().key_uses(), USES + 2, "each use and each add opened a record");
    assert!(signers_of(agent).is_empty(), "a signer outlives its use");
    assert_eq!(wanted.scan(agent), BTreeSet::new(), "after the uses");
    nothing_on_disk(&wanted, &signet.state_dir());
    planted_in_the_agent(&signet, &card, agent, &marker);
}

/// A key inside a token: while it signs, no process of the host holds anything of the secret. The one
/// signer that put it there is the control: there the same search finds it.
#[test]
fn a_key_inside_a_token_is_in_no_process_while_it_signs() {
    const SIGNS: usize = 12;
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let signet = Signet::start(&Setup { kinds: &["yubikey-piv"], pcscd: Some(&pcscd), ..Setup::default() });
    let agent = signet.agent_pid().unwrap();
    let secret = letters(40);
    // Of the signer: the secret. Of the agent: what is made of it too.
    let (mut bare, mut all) = (Wanted::default(), Wanted::default());
    bare.add_bare_secret("the secret", &secret);
    all.add_secret("the secret", &secret, &days());
    for (kind, answer) in [("new-pin", PIN), ("new-puk", "87654321"), ("pin", PIN), ("confirm", "yes")] {
        signet.answer(kind, &[answer]);
    }
    let _ = signet.run(&["init", "--yes"]).ok();
    let add = ["add", "root", "--kind", "root", "--stdin", "--no-verify", "--no-factor"];
    let _ = signet.run_with(&add, format!("AKIAIOSFODNN7EXAMPLE\n{secret}\n").as_bytes()).ok();

    card.touch(Touch::Never);
    let mut asked = card.touches_asked();
    let mut next = || {
        asked += 1;
        asked
    };
    // The first touch opens the record; at the second the token proves that it has the key.
    let embedding = signet.spawn(&["embed", "root"], b"");
    blinks(&card, next());
    assert!(bare.scan(signer_of(agent)).is_empty(), "before the record is open");
    assert!(card.press());
    blinks(&card, next());
    let held = bare.scan(signer_of(agent));
    assert!(!held.is_empty(), "the search does not find the secret where it must be");
    assert!(all.scan(agent).is_empty());
    assert!(card.press());
    let _ = embedding.finish().ok();
    println!("the signer that writes the token held: {held:?}");

    let mut looks = 0;
    watched(&all, agent, || {
        for _ in 0..SIGNS {
            let sign = ["sign", "root", "--service", "sts", "--region", "us-east-1"];
            let using = signet.spawn(&sign, REQUEST);
            for touch in 1..=2 {
                blinks(&card, next());
                assert!(bare.scan(signer_of(agent)).is_empty(), "at touch {touch}");
                assert!(card.press());
            }
            // And from the touch to its end.
            while let Some(signer) = signers_of(agent).first() {
                // An error means that it has ended.
                let Ok((found, read)) = bare.look(*signer) else { continue };
                assert!(found.is_empty(), "after the touches: {found:?}");
                looks += usize::from(read > 1 << 18);
            }
            signed(using.finish());
        }
    });
    println!("{looks} looks into signers between their last touch and their end");

    // The date key is where it is made, and nowhere else: a signer is stopped at the first word that it
    // sends after the token has answered.
    let sign = ["sign", "root", "--service", "sts", "--region", "us-east-1"];
    let using = signet.spawn(&sign, REQUEST);
    blinks(&card, next());
    assert!(card.press());
    blinks(&card, next());
    let signer = signer_of(agent);
    let mut strace = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=sendto",
            "-e",
            "inject=sendto:signal=STOP:when=1",
        ])
        .args(["-p", &signer.to_string()])
        .spawn()
        .expect("strace is installed: apt-get install strace");
    let traced = || fs::read_to_string(format!("/proc/{signer}/status")).unwrap_or_default();
    assert!(comes_true(|| traced()
        .lines()
        .any(|line| line.strip_prefix("TracerPid:\t").is_some_and(|pid| pid != "0"))));
    assert!(card.press());
    let has_date_key = |found: &BTreeSet<String>| found.iter().any(|name| name.starts_with("kDate"));
    assert!(comes_true(|| all.look(signer).is_ok_and(|(found, _)| has_date_key(&found))), "the control");
    assert!(bare.scan(signer).is_empty(), "the signer has the date key, and of the secret nothing");
    for (process, pid) in [("agent", agent), ("cli", using.pid())] {
        assert_eq!(all.scan(pid), BTreeSet::new(), "{process}");
    }
    signal(signer, Signal::CONT);
    signed(using.finish());
    assert!(strace.wait().unwrap().success());
    assert!(signers_of(agent).is_empty(), "a signer outlives its use");
    assert!(all.scan(agent).is_empty(), "after the uses");
    nothing_on_disk(&all, &signet.state_dir());
    assert!(!card.pin_is_verified() && !card.oath_is_unlocked());
}

/// The other control: a text that the agent does hold while a use waits for its touch, its reason, is
/// found in this very process in each form in which it was given.
fn planted_in_the_agent(signet: &Signet, card: &Card, agent: u32, marker: &str) {
    let mut wanted = Wanted::default();
    wanted.add_forms("the marker", marker.as_bytes());
    assert_eq!(wanted.scan(agent), BTreeSet::new());
    let hex: String = marker.bytes().map(|byte| format!("{byte:02x}")).collect();
    let reason = format!("{marker} {hex} {}", STANDARD.encode(marker));
    card.touch(Touch::Never);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| sign(signet, "plain", &["--reason", &reason]));
        card.wait_until_asked();
        assert_eq!(signers_of(agent).len(), 1, "one signer waits for the touch");
        let found = wanted.scan(agent);
        assert!(card.press());
        signed(running.join().unwrap());
        for form in ["raw", "hex", "base64"] {
            assert!(found.contains(&format!("the marker, {form}")), "{form}: {found:?}");
        }
    });
    card.touch(Touch::Now);
    assert!(signers_of(agent).is_empty());
}

/// Without privileges, also for root.
const UNPRIVILEGED: [&str; 3] = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"];

#[test]
fn a_program_of_the_same_user_cannot_read_the_memory() {
    let signet = Signet::start(&Setup { kinds: &["software"], ..Setup::default() });
    let unprivileged = if rustix::process::geteuid().is_root() { &UNPRIVILEGED[..] } else { &["env"] };
    let place = |name: &str| signet.path(name).display().to_string();
    let agent = Path::new(env!("CARGO_BIN_EXE_test-askpass")).with_file_name("signet-agent");
    let (agent, socket, state) = (agent.display().to_string(), place("run/s"), place("second"));
    // An agent that root has started has privileges that alone would keep an unprivileged reader out.
    let flags = [agent.as_str(), "--socket", &socket, "--state-dir", &state];
    let command: Vec<&str> = unprivileged.iter().copied().chain(flags).collect();
    let mut running = signet.begin(Path::new("/usr/bin/env"), &command, b"");
    let deadline = Instant::now() + Duration::from_secs(20);
    while UnixStream::connect(&socket).is_err() {
        assert!(Instant::now() < deadline, "the second agent does not listen");
        std::thread::yield_now();
    }
    let read = |script: &str| {
        let (program, given) = unprivileged.split_first().unwrap();
        Command::new(program).args(given).args(["sh", "-c", script]).output().unwrap()
    };
    // The same attempt on a process of the reader's own is the control.
    let control = read("sleep 60 & own=$!; (: < /proc/$own/mem); said=$?; kill $own; exit $said");
    assert!(control.status.success(), "{control:?}");
    let pid = running.pid();
    for file in ["mem", "environ", "maps"] {
        let refused = read(&format!(": < /proc/{pid}/{file}"));
        let why = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && why.contains("ermission denied"), "{file}: {refused:?}");
    }
    running.kill();
}
